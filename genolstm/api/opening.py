"""Any of our files, as the record that it holds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from genolstm.api.comparing import read_comparison_file
from genolstm.api.explaining import read_dependencies
from genolstm.api.fitting import read_contrast_file, read_fit
from genolstm.api.genomes import open_genome
from genolstm.api.models import load
from genolstm.api.predicting import read_prediction_file
from genolstm.api.probing import read_probe_file
from genolstm.api.reading import read_embedding, read_scores
from genolstm.api.variants import read_snvs
from genolstm.store.counts import read_counts
from genolstm.store.files import kind_of
from genolstm.store.gates import read_gates_tables
from genolstm.store.schema import Kind
from genolstm.store.study import read_studies
from genolstm.store.track import open_track

READERS: dict[Kind, Callable[[Path], Any]] = {
    Kind.GENOME: open_genome,
    Kind.CHECKPOINT: load,
    Kind.SCORE: read_scores,
    Kind.HIDDEN: read_embedding,
    Kind.PROBE: read_probe_file,
    Kind.METHYLATION: read_fit,
    Kind.TRACK: open_track,
    Kind.COUNTS: read_counts,
    Kind.GATES: read_gates_tables,
    Kind.STUDY: read_studies,
    Kind.COMPARISON: read_comparison_file,
    Kind.VARIANTS: read_snvs,
    Kind.PREDICTION: read_prediction_file,
    Kind.DEPENDENCIES: read_dependencies,
    Kind.CONTRAST: read_contrast_file,
}


def open_result(path: str | Path) -> Any:  # noqa: ANN401  (the record follows the file's kind)
    """Open any file that genolstm made.

    Parameters
    ----------
    path
        Of any kind.

    Returns
    -------
    Genome, Model, Scores, Embedding, Probe, Methylation, MethylationContrast, Compared, Predictions, Snvs,
    Dependencies, or a record of the store
        What the file holds, by its kind: tracks, counts, gates and studies are ``store.track.Track``,
        ``store.counts.Counts``, ``store.gates.GatesTables`` and a dict of ``store.study.Study``.

    Raises
    ------
    InputError
        The file is missing, damaged, foreign, or of a newer version.

    Examples
    --------
    >>> gl.open_result("counts.h5").samples
    ('t00h', 't01h', 't04h', 't16h')
    """
    file = Path(path)
    return READERS[kind_of(file)](file)
