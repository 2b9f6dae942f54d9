"""Predictions held against labels: every candidate of a contig counts, those on contigs that were met apart."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.predicting.calibration import natural_weights, reliability
from genolstm.probes.scores import auprc, block_bootstrap, expected_calibration_error, score_interval, topk
from genolstm.probes.splice_sites import Target, true_places
from genolstm.probes.task import TRAINED
from genolstm.readers.annotation import Transcript
from genolstm.readers.bed import Bed
from genolstm.regions import Part, Stretches, block_numbers
from genolstm.seeds import spawn
from genolstm.settings.predict import PredictSettings
from genolstm.store.genome import Genome
from genolstm.store.prediction import Bin, CurvePoint, Judged, PredictionRows, met
from genolstm.store.results import ProbeResult

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

OPEN_SHARE = 0.5  # of a window that lies in a labelled interval when it is true, as for peaks of a probe
CALLED = 0.5  # probability from which on a candidate is called
CURVE_POINTS = 200
PROBE_ROWS = "probe's test sites"
HELD_OUT_TOGETHER, MET_TOGETHER = TOGETHER = "all held out", "all met by the model or the probe"


class Truth(NamedTuple):
    """True sites as sorted keys, twice the place in the genome's codes and 1 more on the reverse strand; int64 [n].

    unjudged : keys of what counts neither as true nor as false.
    """

    keys: Ints
    unjudged: Ints


def splice_truth(target: str, genome: Genome, transcripts: Sequence[Transcript], min_intron: int) -> Truth:
    """Annotated sites that carry their dinucleotide; those of gaps too short for introns are not judged."""
    places, annotated, _ = true_places(Target(target), genome, transcripts, min_intron)
    keys = np.unique(2 * (genome.starts[places.contig] + places.position) + (places.strand < 0))
    rows = np.array(sorted(annotated), dtype=np.int64).reshape(-1, 3)
    every = 2 * (genome.starts[rows[:, 0]] + rows[:, 1]) + (rows[:, 2] < 0)
    return Truth(keys, np.setdiff1d(every, keys))


def point_truth(genome: Genome, labels: Bed, source: str) -> Truth:
    """Points of a BED file, each on its strand; on the forward one where it names none, as when probes are fitted."""
    if (labels.end - labels.start != 1).any():
        raise InputError(f"{source} holds intervals of more than one base, and the probe is of points; give points.")
    keys = 2 * (genome.starts[labels.contig] + labels.start) + (labels.strand < 0)
    return Truth(np.unique(keys), np.zeros(0, dtype=np.int64))


@dataclass(frozen=True)
class WindowTruth:
    """Windows of which at least half lies in labelled intervals. start, end : of these, disjoint, sorted.

    Places are those in the genome's codes.   width : of a window.
    """

    start: Ints
    end: Ints
    width: int

    def of(self, address: Ints) -> NDArray[np.bool_]:
        """Which windows are true, by the place in the genome's codes of their first base."""
        return OPEN_SHARE * self.width <= self._before(address + self.width) - self._before(address)

    def _before(self, place: Ints) -> Ints:
        """Labelled bases before each place."""
        lengths = np.concatenate([[0], np.cumsum(self.end - self.start)])
        slot = np.searchsorted(self.start, place, side="right")
        over = np.where(slot > 0, np.maximum(self.end[np.maximum(slot - 1, 0)] - place, 0), 0)
        covered: Ints = lengths[slot] - over
        return covered


def window_truth(genome: Genome, labels: Bed, width: int) -> WindowTruth:
    """Intervals of a BED file, merged, as places in the genome's codes."""
    start = genome.starts[labels.contig] + labels.start
    end = genome.starts[labels.contig] + labels.end
    order = np.argsort(start, kind="stable")
    start, end = start[order], np.maximum.accumulate(end[order])
    fresh = np.append(True, start[1:] > end[:-1])
    last = np.append(np.flatnonzero(fresh)[1:] - 1, len(start) - 1)
    return WindowTruth(start[fresh], end[last], width)


class _Contig(NamedTuple):
    """Candidates of one contig. label : bool [n].   block : int64 [n].   lost : true sites that are no candidates."""

    contig: int
    probability: NDArray[np.float32]
    label: NDArray[np.bool_]
    block: Ints
    lost: int


class Judgement(NamedTuple):
    """Tables of a target whose candidates have labels."""

    judged: tuple[Judged, ...]
    reliability: tuple[Bin, ...]
    curve: tuple[CurvePoint, ...]


def judge(
    rows: Callable[[], Iterator[PredictionRows]],
    truth: Truth | WindowTruth,
    genome: Genome,
    regions: Stretches,
    flags: NDArray[np.uint8],
    settings: PredictSettings,
) -> Judgement:
    """Precision, recall and calibration over all candidates: of each contig, and together of those held out and met.

    rows : of two classes.   regions : where candidates were looked for.
    """
    contigs = list(_by_contig(rows(), truth, genome, regions, settings.block_bp))
    groups: Mapping[str, list[_Contig]] = {
        HELD_OUT_TOGETHER: [each for each in contigs if not flags[each.contig]],
        MET_TOGETHER: [each for each in contigs if flags[each.contig]],
    }
    judged = [
        _judged(genome.names[each.contig], met(int(flags[each.contig])), [each], settings, interval=False)
        for each in contigs
    ]
    bins: list[Bin] = []
    curve: list[CurvePoint] = []
    for name, several in groups.items():
        if not several:
            continue
        judged.append(
            _judged(name, "held out" if name == HELD_OUT_TOGETHER else "met", several, settings, interval=True)
        )
        label, probability = (
            np.concatenate([getattr(each, key) for each in several]) for key in ("label", "probability")
        )
        bins += [Bin(name, *each) for each in reliability(label, probability.astype(np.float64), np.ones(len(label)))]
        curve += _curve(name, label, probability)
    return Judgement(tuple(judged), tuple(bins), tuple(curve))


def control_curves(result: ProbeResult, natural: float) -> tuple[CurvePoint, ...]:
    """Precision and recall of a probe's test sites at the ratio of nature: the trained states, and the best control.

    natural : true sites among all candidates. The probability of these points is NaN: log odds of two feature sets have
    no common scale.
    """
    test = result.sites.part == Part.TEST
    points: list[CurvePoint] = []
    for name, told in ((TRAINED, "trained states"), (result.best_control, f"strongest control, {result.best_control}")):
        features = result.features.get(name)
        if features is None or features.log_odds.ndim > 1 or not 0 < natural < 1:
            continue
        label = features.label[test] > 0
        if not 0 < label.sum() < len(label):
            continue
        weights = natural_weights(label, natural)
        points += [
            point._replace(probability=np.nan)
            for point in _curve(f"{PROBE_ROWS}: {told}", label, features.log_odds[test].astype(np.float32), weights)
        ]
    return tuple(points)


def _by_contig(
    slabs: Iterator[PredictionRows], truth: Truth | WindowTruth, genome: Genome, regions: Stretches, block_bp: int
) -> Iterator[_Contig]:
    """Candidates of each contig with their labels; a contig's slabs stand one after the other."""
    held: list[PredictionRows] = []
    for rows in slabs:
        for contig in np.unique(rows.contig).tolist():
            if held and int(held[0].contig[0]) != contig:
                yield _labelled(held, truth, genome, regions, block_bp)
                held = []
            held.append(rows.only(rows.contig == contig))
    if held:
        yield _labelled(held, truth, genome, regions, block_bp)


def _labelled(
    held: list[PredictionRows], truth: Truth | WindowTruth, genome: Genome, regions: Stretches, block_bp: int
) -> _Contig:
    contig = int(held[0].contig[0])
    position, strand = (np.concatenate([getattr(each, name) for each in held]) for name in ("position", "strand"))
    probability = np.concatenate([each.probability for each in held if each.probability is not None])
    address, lost = genome.starts[contig] + position, 0
    judged = np.ones(len(position), dtype=np.bool_)
    if isinstance(truth, WindowTruth):
        label = truth.of(address)
    else:
        keys = 2 * address + (strand < 0)
        label, judged = np.isin(keys, truth.keys), ~np.isin(keys, truth.unjudged)
        lost = len(_in_regions(truth.keys, contig, genome, regions)) - int(label.sum())
    block = block_numbers(np.full(len(position), contig), position, block_bp)
    return _Contig(contig, probability[judged].astype(np.float32), label[judged], block[judged], lost)


def _in_regions(keys: Ints, contig: int, genome: Genome, regions: Stretches) -> Ints:
    """True sites of a contig that lie where candidates were looked for."""
    found = [np.zeros(0, dtype=np.int64)]
    mine = regions.contig == contig
    for start, end in zip(regions.start[mine].tolist(), regions.end[mine].tolist(), strict=True):
        low, high = (2 * (int(genome.starts[contig]) + place) for place in (start, end))
        found.append(keys[slice(*np.searchsorted(keys, [low, high]))])
    return np.concatenate(found)


def _judged(group: str, who: str, contigs: list[_Contig], settings: PredictSettings, *, interval: bool) -> Judged:
    label, probability, block = (
        np.concatenate([getattr(each, name) for each in contigs]) for name in ("label", "probability", "block")
    )
    called, positive = probability >= CALLED, int(label.sum())
    right = int((called & label).sum())
    found = [np.nan] * 3
    if positive:
        found[0] = float(auprc(label, probability))
    if interval and positive and len(np.unique(block)) > 1:
        resamples = block_bootstrap(block, settings.resamples, spawn(settings.seed, "bootstrap of predictions"))
        with suppress(InputError):  # too few blocks have a true site: the value stands without an interval
            found = list(score_interval(label, probability, resamples, auprc))
    return Judged(
        group=group, met=who, candidates=len(label), positive=positive, lost=sum(each.lost for each in contigs),
        auprc=found[0], low=found[1], high=found[2], topk=float(topk(label, probability)) if positive else np.nan,
        precision=right / called.sum() if called.any() else np.nan, recall=right / positive if positive else np.nan,
        expected=float(probability.sum(dtype=np.float64)),
        calibration_error=float(expected_calibration_error(label, probability)),
    )  # fmt: skip


def _curve(
    group: str, label: NDArray[np.bool_], probability: NDArray[np.float32], weights: Floats | None = None
) -> list[CurvePoint]:
    """Precision and recall at some of the thresholds that find more true sites, evenly spread over recall.

    weights : how often each row counts; once by default.
    """
    if not label.any():
        return []
    order = np.argsort(-probability, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(probability[order]) != 0, True))
    counted = np.ones(len(label)) if weights is None else weights[order]
    found, called = np.cumsum(label[order] * counted)[ends], np.cumsum(counted)[ends]
    gained = np.flatnonzero(np.diff(found, prepend=0) > 0)
    chosen = np.unique(gained[np.linspace(0, len(gained) - 1, min(CURVE_POINTS, len(gained))).astype(np.int64)])
    return [
        CurvePoint(
            group, float(probability[order][ends[at]]), float(found[at] / found[-1]), float(found[at] / called[at])
        )
        for at in chosen.tolist()
    ]
