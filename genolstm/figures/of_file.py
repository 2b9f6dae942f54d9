"""The pictures of any result file, whatever its kind."""

from collections.abc import Callable
from pathlib import Path

from genolstm.figures import (
    changes,
    comparison,
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
from genolstm.figures.style import Picture, styled
from genolstm.store.files import kind_of
from genolstm.store.schema import Kind

DRAWERS: dict[Kind, Callable[[Path], list[Picture]]] = {
    Kind.CHECKPOINT: training.pictures_of,
    Kind.PROBE: probe.pictures_of,
    Kind.SCORE: score.pictures_of,
    Kind.GATES: gates.pictures_of,
    Kind.METHYLATION: methylation.pictures_of,
    Kind.COUNTS: counted.counts_pictures,
    Kind.TRACK: counted.track_pictures,
    Kind.HIDDEN: hidden.pictures_of,
    Kind.STUDY: studies.pictures_of_file,
    Kind.COMPARISON: comparison.pictures_of,
    Kind.VARIANTS: changes.pictures_of,
    Kind.PREDICTION: prediction.pictures_of,
    Kind.DEPENDENCIES: dependencies.pictures_of,
}


def pictures_of(path: Path) -> list[Picture]:
    """Draw all pictures of a result file, the most informative first; none where there is nothing to draw.

    Names are unique within the file. Raises InputError as `store.files.open_any`.
    """
    draw = DRAWERS.get(kind_of(path))
    with styled():
        return draw(path) if draw else []
