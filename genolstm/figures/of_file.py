"""The pictures of any result file, whatever its kind."""

from collections.abc import Callable, Collection
from pathlib import Path

from genolstm.figures import (
    changes,
    comparison,
    contrast,
    counted,
    dependencies,
    gates,
    hidden,
    methylation,
    prediction,
    probe,
    score,
    studies,
    training,
)
from genolstm.figures.style import WIDE_INCHES, Picture, styled
from genolstm.store.files import kind_of
from genolstm.store.schema import Kind

DRAWERS: dict[Kind, Callable[[Path], list[Picture]]] = {
    Kind.CHECKPOINT: training.pictures_of,
    Kind.PROBE: probe.pictures_of,
    Kind.SCORE: score.pictures_of,
    Kind.COUNTS: counted.counts_pictures,
    Kind.HIDDEN: hidden.pictures_of,
    Kind.STUDY: studies.pictures_of_file,
    Kind.COMPARISON: comparison.pictures_of,
    Kind.VARIANTS: changes.pictures_of,
    Kind.PREDICTION: prediction.pictures_of,
    Kind.DEPENDENCIES: dependencies.pictures_of,
    Kind.CONTRAST: contrast.pictures_of,
}
# files that hold tracks along contigs and do not know what a model was trained on
TRACKS: dict[Kind, Callable[[Path, Collection[str]], list[Picture]]] = {
    Kind.GATES: gates.pictures_of,
    Kind.METHYLATION: methylation.pictures_of,
    Kind.TRACK: counted.track_pictures,
}


def pictures_of(path: Path, *, widest: float = WIDE_INCHES, held_out: Collection[str] = ()) -> list[Picture]:
    """Draw all pictures of a result file, the most informative first; none where there is nothing to draw.

    widest : inches of a figure; panels that have no room side by side stand below each other.   held_out : contigs that
    tracks mark as held out, where their file does not say. Names are unique within the file. Raises InputError as
    `store.files.open_any`.
    """
    kind = kind_of(path)
    with styled(widest=widest):
        if kind in TRACKS:
            return TRACKS[kind](path, held_out)
        return DRAWERS[kind](path) if kind in DRAWERS else []
