"""A probe's file applied to a genome: candidates, one pass for all targets, calibration, marks, and labels."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError, UsageError
from genolstm.predicting.along import Decided, decide_along
from genolstm.predicting.calibration import Calibration, calibrated
from genolstm.predicting.candidates import SPLICE, candidates_of, read_around
from genolstm.predicting.judged import Truth, WindowTruth, judge, point_truth, splice_truth, window_truth
from genolstm.predicting.marks import marks_of
from genolstm.probes.apply import FittedProbe, read_fitted
from genolstm.probes.readings import Terms, terms_of
from genolstm.readers.annotation import Transcript
from genolstm.readers.bed import Bed
from genolstm.regions import Stretches
from genolstm.settings.predict import PredictSettings
from genolstm.settings.train import Precision
from genolstm.store.candidates import Candidates, listed_candidates
from genolstm.store.checkpoint import Checkpoint
from genolstm.store.file_info import read_file_info
from genolstm.store.files import Records
from genolstm.store.genome import Genome
from genolstm.store.prediction import Bin, PredictedTarget, Prediction, PredictionRows
from genolstm.store.results import ProbeResult, read_probe
from genolstm.stream.reader import GenomeReader
from genolstm.stream.seams import Seams

TEST_ROWS = "probe test rows"
PROTEIN = "protein"
GENES = "genes"  # decoys_from of a splice probe


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Where a probe is applied, and what its predictions are held against.

    regions : where candidates lie.   sites : these and no others.   transcripts : genes of the genome, of a splice
    probe.   labels : true sites of other probes, of two classes.   labels_name : of their file.
    """

    regions: Stretches
    sites: Bed | None = None
    transcripts: Sequence[Transcript] | None = None
    labels: Bed | None = None
    labels_name: str = ""


@dataclass(frozen=True, kw_only=True)
class ProbeFile:
    """What a probe's result file holds: targets as probes and as results, and the genome that they were made on."""

    path: Path
    results: Mapping[str, ProbeResult]
    probes: tuple[FittedProbe, ...]
    genome_sha256: str
    settings: Mapping[str, object]

    @property
    def task(self) -> str:
        """Task of all targets."""
        return self.probes[0].task


def read_probe_file(path: Path) -> ProbeFile:
    """Read a probe for its application. Raises InputError for one of proteins, which no genome has candidates for."""
    results, info = read_probe(path), read_file_info(path)
    probes = tuple(read_fitted(path, target) for target in results)
    if probes[0].task == PROTEIN:
        raise InputError(f"{path} holds a probe of proteins, and predict goes along genomes; give one of DNA.")
    if info.inputs.get("windows"):
        raise InputError(
            f"{path} holds a probe of windows that were read each from its own start, and a genome is read as a whole;"
            " give a probe of sites on a genome."
        )
    return ProbeFile(
        path=path, results=results, probes=probes, genome_sha256=info.inputs.get("genome", ""), settings=info.settings
    )


@contextmanager
def predicted(
    checkpoint: Checkpoint,
    reader: GenomeReader,
    probe: ProbeFile,
    wanted: Wanted,
    settings: PredictSettings,
    *,
    model_name: str,
    beside: Path,
) -> Iterator[tuple[Prediction, Records]]:
    """Apply a probe along a genome; its rows are at hand while the context lasts.

    reader : with the probe's model; states are read in the number format that the probe was fitted to.
    beside : an output, in the folder of which the candidates are kept on disk.
    Raises InputError and UsageError for what does not fit together, before anything is read.
    """
    genome = reader.genome
    read_in = Precision(str(probe.settings.get("precision", Precision.FP32)))  # the states that the probe was fitted to
    reader = dataclasses.replace(reader, settings=dataclasses.replace(reader.settings, precision=read_in))
    _check(probe, wanted, settings)
    terms = [terms_of(each) for each in probe.probes]
    reach = max(each.reach for each in terms)
    how = [calibrated(result, settings.natural_ratio) for result in probe.results.values()]
    marks = marks_of(
        checkpoint, probe.probes[0], [each.sites for each in probe.results.values()], probe.genome_sha256, genome,
        model_name=model_name,
    )  # fmt: skip
    skipped: Counter[str] = Counter()
    with ExitStack() as held:
        lists: list[Candidates] = []
        for each, its_terms in zip(probe.probes, terms, strict=True):
            found = candidates_of(each, genome, wanted.regions, wanted.sites, settings, reach, skipped)
            lists.append(held.enter_context(listed_candidates(found, its_terms.intercept.size, beside)))
        if not sum(map(len, lists)):
            told = "; ".join(f"{count:,} {reason}" for reason, count in skipped.items() if count)
            raise InputError(f"there is no candidate in {genome.path} ({told or 'none found'}); give other regions.")
        stretches = read_around(genome, wanted.regions, wanted.sites, reach, reader.settings.burn_in)
        seams = Seams()
        decide_along(
            reader, stretches, [Decided(*each) for each in zip(terms, lists, strict=True)],
            memories=probe.probes[0].memories, seams=seams,
        )  # fmt: skip
        targets = [
            _target(*each, genome) for each in zip(probe.probes, probe.results.values(), terms, how, lists, strict=True)
        ]
        targets = [_with_labels(each, wanted, genome, marks.flags, settings) for each in targets]
        records = Records(read=sum(map(len, lists)) + skipped.total(), used=sum(map(len, lists)))
        records.skipped.update({reason: count for reason, count in skipped.items() if count})
        notes = (*marks.notes, *_notes(probe, how))
        yield (
            Prediction(
                task=probe.task, contigs=genome.names, lengths=genome.lengths, flags=marks.flags,
                targets=tuple(targets), seams=seams.to_json(), notes=notes,
            ),
            records,
        )  # fmt: skip


def _check(probe: ProbeFile, wanted: Wanted, settings: PredictSettings) -> None:
    if wanted.transcripts is not None and probe.task != SPLICE:
        raise UsageError(f"--annotation is for a splice probe, and {probe.path} holds none; give --labels.")
    if wanted.labels is not None and probe.task == SPLICE:
        raise UsageError(
            f"--labels is for probes of other sites, and {probe.path} is of splice sites; give --annotation."
        )
    two = [len(classes_of(result)) == 2 for result in probe.results.values()]
    if wanted.labels is not None and not any(two):
        raise UsageError(f"--labels name true sites, and {probe.path} tells no two classes apart; leave them out.")
    if settings.min_score and not any(classes_of(result) for result in probe.results.values()):
        raise UsageError(f"--min-score is a probability, and {probe.path} predicts values; leave it out.")


def classes_of(result: ProbeResult) -> tuple[str, ...]:
    """Names of the classes that a probe tells apart, the first of two being the other one; () of values."""
    named = tuple(map(str, result.definition.get("classes", ())))
    features = result.features["trained"]
    if features.log_odds.ndim > 1:
        return named or tuple(map(str, range(features.log_odds.shape[1])))
    if features.threshold is None:
        return ()
    return named if len(named) == 2 else (f"no {result.target}", result.target)


def _target(
    probe: FittedProbe,
    result: ProbeResult,
    terms: Terms,
    how: Calibration | None,
    candidates: Candidates,
    genome: Genome,
) -> PredictedTarget:
    def rows() -> Iterator[PredictionRows]:
        for found, total in candidates.slabs(genome.starts):
            decision = total + terms.intercept
            decision = decision if len(terms.intercept) > 1 else decision[:, 0]
            value = how.log_odds(decision) if how else decision
            contig = np.searchsorted(genome.starts, found.address, side="right") - 1
            strand = np.zeros(len(contig), dtype=np.int8) if probe.pooling else found.strand
            yield PredictionRows(
                contig, found.address - genome.starts[contig], strand, value, how.probability(value) if how else None
            )

    target = PredictedTarget(
        name=result.target, classes=classes_of(result), width=probe.width, count=len(candidates), rows=rows
    )
    if how is None:
        return target
    return dataclasses.replace(
        target, slope=how.slope, intercept=tuple(how.intercept.tolist()), natural=how.natural, source=how.source,
        figures=how.figures, reliability=tuple(Bin(TEST_ROWS, *each) for each in how.reliability),
    )  # fmt: skip


def _with_labels(
    target: PredictedTarget, wanted: Wanted, genome: Genome, flags: NDArray[np.uint8], settings: PredictSettings
) -> PredictedTarget:
    if len(target.classes) != 2:
        return target
    found: Truth | WindowTruth
    if wanted.transcripts is not None:
        found = splice_truth(target.name, genome, wanted.transcripts, settings.min_intron)
    elif wanted.labels is None:
        return target
    elif target.width > 1:
        found = window_truth(genome, wanted.labels, target.width)
    else:
        found = point_truth(genome, wanted.labels, wanted.labels_name)
    told = judge(target.rows, found, genome, wanted.regions, flags, settings)
    return dataclasses.replace(
        target, judged=told.judged, reliability=(*target.reliability, *told.reliability), curve=told.curve
    )


def _notes(probe: ProbeFile, how: Sequence[Calibration | None]) -> list[str]:
    """What has to be known of the probabilities."""
    notes = []
    if probe.task == SPLICE and str(probe.settings.get("decoys_from", GENES)) == GENES:
        notes.append(
            "the probe's decoys and its natural ratio are those of mRNA spans, and candidates are of the whole genome:"
            " probabilities hold within genes, and are too high between them; a probe with --decoys-from contig has no"
            " such gap."
        )
    for each in how:
        if each and "not known" in each.source:
            notes.append(
                "probabilities are at the ratio of the probe's own rows, since nature's is not known to it: give"
                " --natural-ratio where it is."
            )
            break
    return notes
