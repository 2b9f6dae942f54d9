"""A probe's file applied to a genome: candidates, one pass for all targets, calibration, marks, and labels."""

import dataclasses
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError, UsageError
from genolstm.predicting.along import Decided, decide_along
from genolstm.predicting.by_fold import ACROSS, FoldOwners, fold_owners
from genolstm.predicting.calibration import Calibration, calibrated
from genolstm.predicting.candidates import SPLICE, candidates_of, read_around
from genolstm.predicting.judged import (
    Truth,
    WindowTruth,
    control_curves,
    judge,
    point_truth,
    splice_truth,
    window_truth,
)
from genolstm.predicting.marks import Marks, marks_of
from genolstm.probes.apply import FittedProbe, read_fitted
from genolstm.probes.folds import FoldModel
from genolstm.probes.readings import Terms, terms_of
from genolstm.readers.annotation import Transcript
from genolstm.readers.bed import Bed
from genolstm.regions import Stretches
from genolstm.scoring.beside_markov import shared
from genolstm.settings.predict import PredictSettings
from genolstm.settings.train import Precision
from genolstm.store.candidates import Candidates, Found, listed_candidates
from genolstm.store.file_info import read_file_info
from genolstm.store.files import Records
from genolstm.store.genome import Genome
from genolstm.store.prediction import Bin, PredictedTarget, Prediction, PredictionRows
from genolstm.store.results import ProbeResult, read_probe
from genolstm.stream.reader import GenomeReader
from genolstm.stream.seams import Seams

log = logging.getLogger(__name__)

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
    """What a probe's result file holds: targets as probes and as results, and the genome that they were made on.

    by_fold : the probes of every target, of each fold, in order; of one model alone, once.
    """

    path: Path
    results: Mapping[str, ProbeResult]
    by_fold: tuple[tuple[FittedProbe, ...], ...]
    genome_sha256: str
    settings: Mapping[str, object]

    @property
    def probes(self) -> tuple[FittedProbe, ...]:
        """Of every target, of the first fold: what is asked is the same in all."""
        return self.by_fold[0]

    @property
    def task(self) -> str:
        """Task of all targets."""
        return self.probes[0].task


def read_probe_file(path: Path) -> ProbeFile:
    """Read a probe for its application. Raises InputError for one of proteins, which no genome has candidates for."""
    results, info = read_probe(path), read_file_info(path)
    folds = range(1, n + 1) if (n := next(iter(results.values())).n_folds) else (0,)
    by_fold = tuple(tuple(read_fitted(path, target, fold=fold) for target in results) for fold in folds)
    if by_fold[0][0].task == PROTEIN:
        raise InputError(f"{path} holds a probe of proteins, and predict goes along genomes; give one of DNA.")
    if info.inputs.get("windows"):
        raise InputError(
            f"{path} holds a probe of windows that were read each from its own start, and a genome is read as a whole;"
            " give a probe of sites on a genome."
        )
    return ProbeFile(
        path=path, results=results, by_fold=by_fold, genome_sha256=info.inputs.get("genome", ""), settings=info.settings
    )


@contextmanager
def predicted(
    models: Sequence[FoldModel],
    reader_of: Callable[[FoldModel], GenomeReader],
    genome: Genome,
    probe: ProbeFile,
    wanted: Wanted,
    settings: PredictSettings,
    *,
    beside: Path,
) -> Iterator[tuple[Prediction, Records]]:
    """Apply a probe along a genome; its rows are at hand while the context lasts.

    models : the probe's; of a probe over folds that of each, in order, and every candidate is then predicted by the
    fold that held it out.   reader_of : the genome's, with the network of a model; it is read in the number format
    that the probe was fitted to.   beside : an output, in the folder of which the candidates are kept on disk.
    Raises InputError and UsageError for what does not fit together, before anything is read.
    """
    read_in = Precision(str(probe.settings.get("precision", Precision.FP32)))
    _check(probe, wanted, settings)
    terms = [[terms_of(each) for each in probes] for probes in probe.by_fold]
    reach = max(each.reach for fold in terms for each in fold)
    how = [calibrated(result, settings.natural_ratio) for result in probe.results.values()]
    marks, owners = _marks(models, probe, genome, wanted)
    skipped: Counter[str] = Counter()
    with ExitStack() as held:
        lists: list[list[Candidates]] = []  # of each fold, of every target
        for fold, probes in enumerate(probe.by_fold):
            lists.append([])
            for each, its_terms in zip(probes, terms[fold], strict=True):
                found = candidates_of(
                    each, genome, wanted.regions, wanted.sites, settings, reach, Counter() if fold else skipped
                )
                if owners:
                    found = owners.own(found, fold, each.width)
                lists[-1].append(held.enter_context(listed_candidates(found, its_terms.intercept.size, beside)))
        if owners and (across := _across(owners, probe, genome, wanted, settings, reach)):
            skipped[ACROSS] += across
        count = sum(len(each) for fold in lists for each in fold)
        if not count:
            told = "; ".join(f"{count:,} {reason}" for reason, count in skipped.items() if count)
            raise InputError(f"there is no candidate in {genome.path} ({told or 'none found'}); give other regions.")
        seams = Seams()
        for fold, model in enumerate(models):
            if owners:
                log.info("fold %d of %d: %s", fold + 1, len(models), model.name)
            if not any(map(len, lists[fold])):
                continue
            reader, mine = reader_of(model), _of_fold(wanted, owners, fold, genome) if owners else wanted
            reader = dataclasses.replace(reader, settings=dataclasses.replace(reader.settings, precision=read_in))
            decide_along(
                reader, read_around(genome, mine.regions, mine.sites, reach, reader.settings.burn_in),
                [Decided(*each) for each in zip(terms[fold], lists[fold], strict=True)],
                memories=probe.probes[0].memories, seams=seams,
            )  # fmt: skip
        targets = [
            _target(each, result, how[place], [fold[place] for fold in lists], [fold[place] for fold in terms], genome)
            for place, (each, result) in enumerate(zip(probe.probes, probe.results.values(), strict=True))
        ]
        targets = [
            _with_labels(each, result, wanted, genome, marks.flags, settings)
            for each, result in zip(targets, probe.results.values(), strict=True)
        ]
        records = Records(read=count + skipped.total(), used=count)
        records.skipped.update({reason: count for reason, count in skipped.items() if count})
        notes = (*marks.notes, *_notes(probe, how))
        yield (
            Prediction(
                task=probe.task, contigs=genome.names, lengths=genome.lengths, flags=marks.flags,
                targets=tuple(targets), seams=seams.to_json(), notes=notes,
                folds=owners.named(wanted.regions) if owners else (),
            ),
            records,
        )  # fmt: skip


def _marks(
    models: Sequence[FoldModel], probe: ProbeFile, genome: Genome, wanted: Wanted
) -> tuple[Marks, FoldOwners | None]:
    """What has met each contig, and of a probe over folds which of them predicts what."""
    if len(probe.by_fold) > 1:
        contigs = wanted.regions.contig if wanted.sites is None else wanted.sites.contig
        owners = fold_owners(models, genome, np.unique(contigs).tolist())
        return Marks(flags=owners.flags, notes=()), owners
    sites = [each.sites for each in probe.results.values()]
    marks = marks_of(
        models[0].checkpoint, probe.probes[0], sites, probe.genome_sha256, genome, model_name=models[0].name
    )
    return marks, None


def _of_fold(wanted: Wanted, owners: FoldOwners, fold: int, genome: Genome) -> Wanted:
    """What one fold predicts of what is wanted."""
    sites = wanted.sites
    if sites is not None:
        mine = np.flatnonzero(owners.of(genome.starts[sites.contig] + sites.start) == fold)
        columns = {name: getattr(sites, name)[mine] for name in ("contig", "start", "end", "strand")}
        sites = dataclasses.replace(sites, **columns, name=())
    return dataclasses.replace(wanted, regions=shared(wanted.regions, owners.by_fold[fold]), sites=sites)


def _across(
    owners: FoldOwners, probe: ProbeFile, genome: Genome, wanted: Wanted, settings: PredictSettings, reach: int
) -> int:
    """Windows that no fold predicts, as they lie across what two of them do."""
    return sum(
        owners.across(candidates_of(each, genome, wanted.regions, wanted.sites, settings, reach, Counter()), each.width)
        for each in probe.probes
        if each.width > 1
    )


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
    how: Calibration | None,
    candidates: Sequence[Candidates],
    terms: Sequence[Terms],
    genome: Genome,
) -> PredictedTarget:
    """One target. candidates, terms : of each fold."""

    def rows() -> Iterator[PredictionRows]:
        for found, decision in _decisions(candidates, terms, genome):
            value = how.log_odds(decision) if how else decision
            contig = np.searchsorted(genome.starts, found.address, side="right") - 1
            strand = np.zeros(len(contig), dtype=np.int8) if probe.pooling else found.strand
            yield PredictionRows(
                contig, found.address - genome.starts[contig], strand, value, how.probability(value) if how else None
            )

    target = PredictedTarget(
        name=result.target, classes=classes_of(result), width=probe.width, count=sum(map(len, candidates)), rows=rows
    )
    if how is None:
        return target
    return dataclasses.replace(
        target, slope=how.slope, intercept=tuple(how.intercept.tolist()), natural=how.natural, source=how.source,
        figures=how.figures, reliability=tuple(Bin(TEST_ROWS, *each) for each in how.reliability),
    )  # fmt: skip


def _decisions(
    candidates: Sequence[Candidates], terms: Sequence[Terms], genome: Genome
) -> Iterator[tuple[Found, NDArray[np.float64]]]:
    """Candidates of all folds along the genome, some at a time, with their log odds or values: [n], or [n, K]."""
    for folds in zip(*(each.slabs(len(genome.mapped)) for each in candidates), strict=True):
        address, strand = (np.concatenate(column) for column in zip(*(found for found, _ in folds), strict=True))
        decision = np.concatenate([total + of.intercept for (_, total), of in zip(folds, terms, strict=True)])
        order = np.argsort(2 * address + (strand < 0))
        decision = decision[order]
        yield Found(address[order], strand[order]), decision if decision.shape[1] > 1 else decision[:, 0]


def _with_labels(
    target: PredictedTarget,
    result: ProbeResult,
    wanted: Wanted,
    genome: Genome,
    flags: NDArray[np.uint8],
    settings: PredictSettings,
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
        target, judged=told.judged, reliability=(*target.reliability, *told.reliability),
        curve=(*told.curve, *(control_curves(result, target.natural) if told.curve else ())),
    )  # fmt: skip


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
