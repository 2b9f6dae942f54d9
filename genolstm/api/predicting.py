"""A fitted probe along a genome: every candidate with its calibrated probability."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from genolstm.api.found import as_found, log
from genolstm.api.genomes import genes_of
from genolstm.api.models import Model, load
from genolstm.api.probing import models_and_inputs
from genolstm.api.records import Column, Result, digests_of, made_by, read_provenance
from genolstm.errors import UsageError
from genolstm.predicting.source import models_of
from genolstm.predicting.whole import Wanted, predicted, read_probe_file
from genolstm.probes.folds import FoldModel
from genolstm.readers.bed import Bed, read_bed
from genolstm.readers.region_text import parse_region
from genolstm.regions import STRAND_LETTERS, Region, stretches_of
from genolstm.settings.predict import PredictSettings
from genolstm.settings.reading import StreamSettings
from genolstm.store.files import file_sha256
from genolstm.store.genome import Genome
from genolstm.store.prediction import (
    Judged,
    PredictedTarget,
    Prediction,
    PredictionRows,
    met,
    read_prediction,
    write_prediction,
)
from genolstm.stream.reader import GenomeReader


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions(Result):
    """What a probe says of every candidate of a genome.

    Attributes
    ----------
    prediction
        Contigs and what has met them, targets with their calibration and their figures against labels, notes.
    min_score
        Probability below which candidates are left out when it is saved.
    """

    prediction: Prediction
    min_score: float = 0.0

    def table(self, target: str = "") -> dict[str, Column]:
        """Every candidate of one target.

        Parameters
        ----------
        target
            Its name; may be left out where there is one alone.

        Returns
        -------
        dict of str to list or numpy.ndarray
            Columns ``contig, position, strand, met`` and ``log_odds, probability``, those of each class, or
            ``predicted``; a row a candidate; ready for ``pandas.DataFrame``.

        Raises
        ------
        UsageError
            There is no such target.
        """
        found = self._target(target)
        rows = _together(found.rows())
        names = np.array(self.prediction.contigs, dtype=object)
        marks = np.array([met(int(flags)) for flags in self.prediction.flags], dtype=object)
        columns: dict[str, Column] = {
            "contig": names[rows.contig].tolist(),
            "position": rows.position,
            "strand": [STRAND_LETTERS[sign] for sign in rows.strand.tolist()],
            "met": marks[rows.contig].tolist(),
        }
        if rows.probability is None:
            return {**columns, "predicted": rows.value}
        if rows.probability.ndim == 1:
            return {**columns, "log_odds": rows.value, "probability": rows.probability}
        for number, name in enumerate(found.classes):
            columns[f"probability_{name}"] = rows.probability[:, number]
        return columns

    def judged(self, target: str = "") -> dict[str, Column]:
        """Precision and recall against the labels, of each contig and of those together that were met or held out.

        Parameters
        ----------
        target
            As for `table`.

        Returns
        -------
        dict of str to list
            Columns as ``genolstm schema prediction`` lists under ``judged``; empty without labels.
        """
        rows = self._target(target).judged
        return {name: [getattr(row, name) for row in rows] for name in Judged._fields}

    def _target(self, name: str) -> PredictedTarget:
        targets = {each.name: each for each in self.prediction.targets}
        if name in targets:
            return targets[name]
        if not name and len(targets) == 1:
            return next(iter(targets.values()))
        raise UsageError(f"there is no target '{name}'; name one of {', '.join(targets)}.")

    def _write(self, path: Path) -> None:
        write_prediction(path, self.prediction, self.min_score, self.records, self.provenance)


def read_prediction_file(path: Path) -> Predictions:
    """Read the file of a prediction; its candidates are in memory."""
    provenance, records = read_provenance(path)
    min_score = float(provenance.settings.get("min_score", 0))
    return Predictions(
        provenance=provenance, records=records, prediction=_held(read_prediction(path)), min_score=min_score
    )


def _held(found: Prediction) -> Prediction:
    """The same with all candidates in memory."""
    return dataclasses.replace(found, targets=tuple(map(_in_memory, found.targets)))


def _in_memory(target: PredictedTarget) -> PredictedTarget:
    rows = _together(target.rows())
    return dataclasses.replace(target, rows=lambda: iter((rows,)))


def _together(slabs: Iterator[PredictionRows]) -> PredictionRows:
    several: Sequence[PredictionRows] = list(slabs)
    contig, position, strand, value = (
        np.concatenate([getattr(each, name) for each in several]) for name in PredictionRows._fields[:4]
    )
    known = [each.probability for each in several if each.probability is not None]
    return PredictionRows(contig, position, strand, value, np.concatenate(known) if known else None)


@as_found()
def predict(
    probe: str | Path,
    genome: Genome,
    region: str | None = None,
    *,
    model: Model | Sequence[Model] | None = None,
    sites: str | Path | None = None,
    annotation: str | Path | None = None,
    labels: str | Path | None = None,
    **settings: Any,  # noqa: ANN401
) -> Predictions:
    """Apply a fitted probe along a genome: calibrated probability of every candidate.

    Parameters
    ----------
    probe
        Result file of a probe.
    genome
        The one it was made on, or another.
    region
        As samtools writes it, counted from 1 with both ends in it; without, all of the genome.
    model
        The probe's own, of a probe over folds those of every fold; without, found by hash, as ``genolstm predict``
        does. Each base is then predicted by the model and the probe of the fold that held it out.
    sites
        BED of candidates: these and no others.
    annotation, labels
        True sites: genes (GTF or GFF3) for a splice probe, a BED for others. Predictions are held against them.
    **settings
        Any field of ``genolstm.settings.predict.PredictSettings`` or ``genolstm.settings.reading.StreamSettings``:
        ``min_score=0.1, exact=True``.

    Returns
    -------
    Predictions
        Of every target of the probe.

    Raises
    ------
    InputError
        The model is another than the probe's, the genome of another alphabet, or there is no candidate.
    UsageError
        A setting cannot be, or does not fit the probe.

    Examples
    --------
    >>> model, genome = gl.load("model.h5"), gl.open_genome("genome.h5")
    >>> contigs = {"train_contigs": "chrA,chrB", "test_contigs": "chrC"}
    >>> few = {"offsets": "0,2", "twins": 1, "max_sites": 100, "resamples": 20}  # the defaults take more
    >>> path = gl.probe_splice(model, genome, "genes.gff3", **contigs, **few).save("splice.h5")
    >>> found = gl.predict("splice.h5", genome, "chrC:1-5,000", model=model)
    >>> sorted(found.table("donor"))
    ['contig', 'log_odds', 'met', 'position', 'probability', 'strand']
    """
    path, of_stream = Path(probe), {name: settings[name] for name in settings if hasattr(StreamSettings, name)}
    chosen = PredictSettings.from_json(
        {name: value for name, value in settings.items() if name not in of_stream}, where="predict"
    )
    applied = read_probe_file(path)
    given = [load(each) for each in models_of(path, None)] if model is None else model
    models, of_models = models_and_inputs(given, genome)
    stream = StreamSettings.from_json(of_stream, where="predict").suited(models[0].device.type, of_stream)
    if len(models) != len(applied.by_fold):
        raise UsageError(f"{path} is of {len(applied.by_fold)} models, and {len(models)} are given; give those of all.")
    for each, probes in zip(models, applied.by_fold, strict=True):
        probes[0].check_model(each.sha256, each.source)
    if sites is not None and region is not None:
        raise UsageError("sites and region both name candidates; give one of them.")
    regions = [Region(contig=name, start=0, end=length) for name, length in genome.length_of.items()]
    if region is not None:
        regions = [parse_region(region, genome.length_of)]
    wanted = Wanted(
        regions=stretches_of(regions, genome.names), sites=_bed(sites, genome), labels=_bed(labels, genome),
        labels_name=str(labels), transcripts=genes_of(annotation, genome).transcripts if annotation else None,
    )  # fmt: skip
    files = digests_of({"sites": sites, "annotation": annotation, "labels": labels})
    inputs = {"probe": file_sha256(path), **of_models, "genome": genome.sha256, **files}
    asked = {**chosen.to_json(), **stream.to_json(), "regions": [region] if region else []}
    folds = [FoldModel(name=each.source, checkpoint=each.checkpoint) for each in models]

    def reader_of(fold: FoldModel) -> GenomeReader:
        return GenomeReader(models[folds.index(fold)].evaluated(), genome, stream)

    with (
        TemporaryDirectory() as folder,
        predicted(folds, reader_of, genome, applied, wanted, chosen, beside=Path(folder) / "p.h5") as (found, records),
    ):
        for note in found.notes:
            log.warning("%s", note)
        return Predictions(
            provenance=made_by("predict", asked, inputs, device=models[0].device, seed=chosen.seed), records=records,
            prediction=_held(found), min_score=chosen.min_score,
        )  # fmt: skip


def _bed(path: str | Path | None, genome: Genome) -> Bed | None:
    if path is None:
        return None
    found = read_bed(Path(path), genome.length_of, genome_name=str(genome.path))
    for warning in found.warnings:
        log.warning("%s", warning)
    return found
