"""Results against each other, paired, on what they share."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genolstm.api.records import Column, Result, digests_of, made_by, read_provenance
from genolstm.comparing.whole import compare as _compare
from genolstm.comparing.whole import genes_of_classes
from genolstm.readers.annotation import Transcript
from genolstm.settings.compare import CompareSettings
from genolstm.store.comparison import Comparison, Difference, read_comparison, write_comparison
from genolstm.store.files import Records

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared(Result):
    """Values and differences of several results on what they share.

    Attributes
    ----------
    comparison
        Files, what they share, values of each file and group, differences, notes.
    """

    comparison: Comparison

    @property
    def notes(self) -> tuple[str, ...]:
        """What else has to be known, a sentence each."""
        return self.comparison.notes

    def table(self) -> dict[str, Column]:
        """Every difference.

        Returns
        -------
        dict of str to list
            Columns ``one, other, target, measure, value, low, high, p, p_adjusted, verdict``, a row a difference; ready
            for ``pandas.DataFrame``.
        """
        rows = self.comparison.differences
        return {name: [getattr(row, name) for row in rows] for name in Difference._fields}

    def _write(self, path: Path) -> None:
        write_comparison(path, self.comparison, self.records, self.provenance)


def read_comparison_file(path: Path) -> Compared:
    """Read the file of a comparison."""
    provenance, records = read_provenance(path)
    return Compared(provenance=provenance, records=records, comparison=read_comparison(path))


def compare(
    paths: Sequence[str | Path], groups: Sequence[str] = (), *, annotation: str | Path | None = None,
    **settings: Any,  # noqa: ANN401
) -> Compared:  # fmt: skip
    """Which of several results is better: same sites or bases, same blocks, same resamples.

    Parameters
    ----------
    paths
        Probe results, score files of one genome, or models: two or more of one kind.
    groups
        Setting that each file is a seed of; by default models are grouped by their settings, and others not at all.
    annotation
        Of score files: genes (GTF or GFF3), for the bits in CDS, UTRs, introns and between genes too.
    **settings
        Any field of ``genolstm.settings.compare.CompareSettings``: ``resamples=5000``.

    Returns
    -------
    Compared
        'better' or 'worse' only where the interval excludes zero and p, corrected by Holm, is below 0.05.

    Raises
    ------
    InputError
        A single file, files of different kinds or genomes, or files that share nothing.
    UsageError
        Not as many groups as files, too few resamples for so many differences, or an annotation for other files than
        scores.

    Examples
    --------
    >>> genome = gl.open_genome("small.h5")
    >>> for name, bases in {"short": "5k", "long": "20k"}.items():
    ...     model = gl.train(genome, hidden=8, bases=bases, test_contigs="chrC", device="cpu")
    ...     path = gl.score(model, genome).save(f"{name}.h5")
    >>> found = gl.compare(["long.h5", "short.h5"])
    >>> found.table()["target"]
    ['all shared bases', 'contigs that no model saw']
    """
    chosen = CompareSettings.from_json(settings, where="compare")
    files, records = [Path(path) for path in paths], Records()
    transcripts: tuple[Transcript, ...] = ()
    if annotation is not None:
        genes, notes = genes_of_classes(files, Path(annotation))
        for note in notes:
            log.warning("%s", note)
        records, transcripts = Records(read=genes.read, used=genes.used, skipped=genes.skipped), genes.transcripts
    found = _compare(files, groups, chosen, transcripts=transcripts)
    records.read, records.used = records.read + len(found.files), records.used + len(found.files)
    inputs = {**found.inputs, **digests_of({"annotation": annotation})}
    asked = {**chosen.to_json(), "group": list(groups)}
    return Compared(
        provenance=made_by("compare", asked, inputs, seed=chosen.seed), records=records, comparison=found
    )  # fmt: skip
