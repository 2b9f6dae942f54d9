"""``probe accessibility``: from a checkpoint, a genome and a track to verdicts on open windows and on their signal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.model import NextSymbolModel, trained_model
from genolstm.probes.accessibility import (
    FEWEST,
    CountedWindows,
    Intervals,
    at_most,
    block_length,
    counted_windows,
    depth_normalised,
    open_by_peaks,
    open_by_signal,
    require_both,
    sites_of,
)
from genolstm.probes.comparison import CLASSES, VALUES, ProbeComparison, ProbeTask, Subset, Truth, verdict_of
from genolstm.probes.controls import shared_with_training
from genolstm.probes.evaluation import TRAINED
from genolstm.probes.peak_edges import EdgeSets, ForgetAtEdges, edge_sets, forgetting, has_forget_gate
from genolstm.probes.splits import probe_split
from genolstm.probes.verdicts import positives_of
from genolstm.probes.window_controls import (
    canonical_kmer_counts,
    gc_features,
    gc_matched,
    gc_share,
    one_hot_bins,
    shifted,
    window_codes,
)
from genolstm.ranks import ALONE, Ranks
from genolstm.regions import Part, Sites
from genolstm.seeds import spawn
from genolstm.settings.model import AlphabetName
from genolstm.settings.probe import AccessibilitySettings, States, parse_kmers
from genolstm.settings.reading import StreamSettings
from genolstm.states.windows import contigs_read, pooled_states
from genolstm.store.checkpoint import Checkpoint
from genolstm.store.genome import Genome
from genolstm.store.results import ProbeResult
from genolstm.store.track import Track, check_track
from genolstm.stream.blocks import Block
from genolstm.stream.seams import Seams

Progress = Callable[[float, int], None]

PEAKS, SIGNAL = "peaks", "signal"
LABEL_CONTROLS = ("shuffled", "shifted")
FIRST_TWIN = "untrained_1"  # whose forget gate stands beside the trained one's


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """The windows and what is asked of them.

    label : int8 [N].   signal : float32 [N].   mean_cuts : of the training windows.   how : what an open window is.
    """

    counted: CountedWindows
    sites: Sites
    block_bp: int
    label: NDArray[np.int8]
    signal: NDArray[np.float32]
    mean_cuts: float
    how: str


def probe_accessibility(
    checkpoint: Checkpoint,
    genome: Genome,
    track: Track,
    peaks: Intervals | None,
    blacklist: Intervals | None,
    settings: AccessibilitySettings,
    stream: StreamSettings,
    *,
    device: torch.device,
    model_name: str,
    told: Callable[[str], None],
    progress: Progress,
    ranks: Ranks = ALONE,
) -> tuple[dict[str, ProbeResult], int, dict[str, int]]:
    """Judge open windows and the signal; gives target -> result, windows looked at, and those left out by reason.

    told : called with a sentence as each step is done.   progress : called with share and bases read.
    ranks : each process reads contigs and strands of its own; rank 0 alone judges, and the others give no result.
    Raises InputError when the test contigs were trained on, the track is of another genome, or a part has too few
    windows of a kind.
    """
    if checkpoint.model.alphabet is not AlphabetName.DNA:
        raise InputError(f"{model_name} reads {checkpoint.model.alphabet}, which has no chromatin; give a DNA model.")
    check_track(track, genome)
    _check_contigs(genome, settings)
    asked = _asked(checkpoint, genome, track, peaks, blacklist, settings, model_name, told)
    if not ranks.is_main_process:
        edges = _edges(checkpoint, genome, peaks, asked, settings, told)
        _fit_models(checkpoint, genome, asked, {}, {}, edges, settings, stream, device, told, progress, ranks)
        return {}, asked.counted.read, dict(asked.counted.skipped)
    codes = window_codes(genome, asked.counted.windows)
    contests = {
        target: ProbeComparison(
            target, question, truth, asked.sites.part, asked.sites.block,
            n_resamples=settings.resamples, seed=settings.seed, told=told,
        )
        for target, question, truth in ((PEAKS, CLASSES, asked.label), (SIGNAL, VALUES, asked.signal))
    }  # fmt: skip
    test = asked.sites.part == Part.TEST
    matched = partial(_matched, share=gc_share(codes[test]), settings=settings)
    meaningless = {target: _meaningless_labels(contest, asked, settings) for target, contest in contests.items()}
    truths = [asked.label, *meaningless[PEAKS].values()]
    for truth in truths:
        contests[PEAKS].check(truth)
    second_score = matched if _matchable(contests[PEAKS], truths, matched, told) else None
    edges = _edges(checkpoint, genome, peaks, asked, settings, told)
    seams, gates = _fit_models(
        checkpoint, genome, asked, contests, meaningless, edges, settings, stream, device, told, progress, ranks
    )
    for name, features in _sequence_features(codes, settings):
        for contest in contests.values():
            contest.fit(name, features)
    told("judging on the test windows")
    homology = shared_with_training(codes, asked.sites.part == Part.TRAIN, test, genome.alphabet.n_known)
    of_peaks = _result(PEAKS, CLASSES, contests[PEAKS], asked, seams, homology, second_score)
    of_signal = _result(SIGNAL, VALUES, contests[SIGNAL], asked, seams, homology, None)
    edge_rows, profiles = forgetting(gates, settings, asked.block_bp)
    results = {PEAKS: replace(of_peaks, edges=edge_rows, profiles=profiles), SIGNAL: of_signal}
    return results, asked.counted.read, dict(asked.counted.skipped)


def _check_contigs(genome: Genome, settings: AccessibilitySettings) -> None:
    for name in settings.exclude_contigs:
        if name not in genome.names:
            known = ", ".join(genome.names[:8])
            raise InputError(f"contig '{name}' is not in {genome.path}, which has {known}; correct --exclude-contigs.")
        if name in settings.test_contigs:
            raise InputError(f"contig '{name}' is to be tested on and to be excluded; choose one.")


def _asked(
    checkpoint: Checkpoint, genome: Genome, track: Track, peaks: Intervals | None, blacklist: Intervals | None,
    settings: AccessibilitySettings, model_name: str, told: Callable[[str], None],
) -> _Asked:  # fmt: skip
    split = probe_split(checkpoint, genome, settings, model_name, valid_contigs=settings.valid_contigs)
    counted = counted_windows(genome, split, track, blacklist, settings)
    counted = at_most(counted, settings.max_windows, spawn(settings.seed, "windows"))
    signal, mean_cuts = depth_normalised(counted)
    if peaks is not None:
        label = open_by_peaks(counted, peaks, len(genome.names), settings.peak_share)
        how = f"at least {settings.peak_share:.0%} of the window lies in a peak"
    else:
        label = open_by_signal(counted, settings.top_share)
        how = f"among the {settings.top_share:.1%} of its part with most {track.unit.partition('/')[0]}; no peaks given"
    parts = ", ".join(
        f"{part.name.lower()} {int((counted.part == part).sum()):,} ({int(label[counted.part == part].sum()):,} open)"
        for part in Part
    )
    told(f"{len(label):,} windows of {settings.window} bp: {parts}; open: {how}")
    require_both(label, counted.part, how)
    block_bp = block_length(counted, settings.block_bp)
    sites = sites_of(counted, label, genome.names, block_bp)
    return _Asked(
        counted=counted, sites=sites, block_bp=block_bp, label=label, signal=signal, mean_cuts=mean_cuts, how=how
    )


def _edges(
    checkpoint: Checkpoint, genome: Genome, peaks: Intervals | None, asked: _Asked, settings: AccessibilitySettings,
    told: Callable[[str], None],
) -> EdgeSets | None:  # fmt: skip
    """Edges of peaks on the contigs that are read, or None where there is nothing to ask."""
    if peaks is None:
        told("no peaks were given: forgetting at their edges is not tested")
        return None
    if not has_forget_gate(NextSymbolModel(checkpoint.model, seed=0)):
        told(f"the cell {checkpoint.model.cell} has no forget gate: forgetting at edges of peaks is not tested")
        return None
    contigs = np.unique(asked.counted.windows.contig)
    sets = edge_sets(genome, peaks, contigs, settings, spawn(settings.seed, "edges of peaks"))
    told(f"{len(sets.positions):,} edges of peaks (both strands) with {settings.edge_matches} matched positions each")
    for reason, count in sets.skipped.items():
        told(f"left out: {count:,} {reason}")
    return sets


def _fit_models(
    checkpoint: Checkpoint, genome: Genome, asked: _Asked, contests: Mapping[str, ProbeComparison],
    meaningless: Mapping[str, Mapping[str, Truth]], edges: EdgeSets | None, settings: AccessibilitySettings,
    stream: StreamSettings, device: torch.device, told: Callable[[str], None], progress: Progress, ranks: Ranks,
) -> tuple[dict[str, Mapping[str, float]], dict[str, ForgetAtEdges]]:  # fmt: skip
    """Read the genome with one model after the other and fit its states; gives seams and gates at edges by model."""
    seams: dict[str, Mapping[str, float]] = {}
    gates: dict[str, ForgetAtEdges] = {}
    names = [TRAINED, *(f"untrained_{twin}" for twin in range(1, settings.twins + 1))]
    windows = asked.counted.windows
    to_read = 2 * int(genome.lengths[np.unique(windows.contig)].sum()) // ranks.size
    for place, name in enumerate(names):
        told(f"reading the genome with the {name} model, {place + 1} of {len(names)}")
        if name == TRAINED:
            model = trained_model(checkpoint.model, checkpoint.weights)
        else:
            model = NextSymbolModel(checkpoint.model, seed=settings.seed, index=place).eval()
        model = model.to(device)
        if edges is not None and name in {TRAINED, FIRST_TWIN}:
            gates[name] = ForgetAtEdges(model, genome, edges)
        found = Seams()
        features = pooled_states(
            model, genome, windows, stream, memories=settings.states is States.BOTH, seams=found,
            told=partial(_show, progress, place, len(names), to_read, ranks.size),
            beside=gates[name].look if name in gates else _nothing, ranks=ranks,
        )  # fmt: skip
        if name in gates:
            gates[name].gather_into(ranks, contigs_read(genome, windows))
        seams[name] = found.to_json()
        for target, contest in contests.items():
            contest.fit(name, features)
            for control, labels in meaningless[target].items() if name == TRAINED else ():
                contest.fit(control, features, labels)
    return seams, gates


def _nothing(_: Block) -> None:
    """Look at a block no further."""


def _show(progress: Progress, place: int, of: int, to_read: int, processes: int, read: int) -> None:
    """Progress of one of several models, of which each reads `to_read` symbols and its burn-ins in each process."""
    share = min(1.0, read / to_read)
    progress((place + share) / of, round((place + share) * to_read * processes))


def _meaningless_labels(contest: ProbeComparison, asked: _Asked, settings: AccessibilitySettings) -> dict[str, Truth]:
    """Labels by control that the trained states are fitted to and judged on, and that mean nothing."""
    order = shifted(asked.counted.windows.contig, asked.counted.part, spawn(settings.seed, "shifted labels"))
    return {
        "shuffled": contest.permuted(spawn(settings.seed, "shuffled labels")),
        "shifted": contest.truth[order],
    }


def _matched(truth: Truth, *, share: NDArray[np.float64], settings: AccessibilitySettings) -> tuple[Subset]:
    """Open test windows and closed ones of the same GC. truth, share : of the test windows."""
    return (gc_matched(truth, share, settings.matches, spawn(settings.seed, "GC-matched windows")),)


def _matchable(
    contest: ProbeComparison,
    truths: list[Truth],
    matched: Callable[[Truth], tuple[Subset]],
    told: Callable[[str], None],
) -> bool:
    """Whether GC-matched windows are enough for intervals, whichever labels are asked; says so where they are not."""
    for truth in truths:
        (subset,) = matched(truth[contest.test])
        chosen = truth[contest.test][subset.rows]
        n_open, n_closed = int((chosen == 1).sum()), int((chosen == 0).sum())
        try:
            if min(n_open, n_closed) < FEWEST:
                message = f"{n_open} open test windows have {n_closed} closed ones of the same GC."
                raise InputError(message)
            contest.check(truth, (subset,))
        except InputError as problem:
            told(f"no second score on windows of the same GC: {problem}")
            return False
    return True


def _sequence_features(codes: NDArray[np.uint8], settings: AccessibilitySettings) -> Any:  # noqa: ANN401  (a generator)
    """Name and features of every control that sees the window's sequence alone, one after the other."""
    yield "composition", gc_features(codes)
    yield "onehot", one_hot_bins(codes, settings.bin_bp)
    for k in parse_kmers(settings.kmers):
        yield f"kmer_{k}", canonical_kmer_counts(codes, k)


def _result(
    target: str, question: ProbeTask, contest: ProbeComparison, asked: _Asked, seams: Mapping[str, Mapping[str, float]],
    homology: float, subsets: Callable[[Truth], tuple[Subset]] | None,
) -> ProbeResult:  # fmt: skip
    """Open the test set of one target."""
    features = contest.feature_sets(subsets=subsets)
    baselines = [name for name in features if name not in {TRAINED, *LABEL_CONTROLS}]
    differences = {name: contest.difference(TRAINED, name) for name in baselines}
    positives = positives_of(asked.sites.label, asked.sites.part) if question is CLASSES else None
    verdict, best = verdict_of(differences, features, question.ranked, positives)
    definition: dict[str, Any] = {"window_bp": asked.counted.windows.width, "block_bp": asked.block_bp}
    if question is CLASSES:
        definition["open"] = asked.how
    if subsets:
        labels = asked.label[contest.test]
        chosen = labels[subsets(labels)[0].rows]
        definition["matched_open"], definition["matched_closed"] = int(chosen.sum()), int((chosen == 0).sum())
    if question is VALUES:
        definition["signal"] = "log2(1 + c / m), c the cuts of a window, m their mean over the training windows"
        definition["mean_cuts"] = asked.mean_cuts
    return ProbeResult(
        target=target,
        sites=asked.sites,
        offsets=(),
        verdict=verdict,
        best_control=best,
        features=features,
        differences=differences,
        selectivity=None,  # pooled over a window, a state stands for no word that could draw a label of its own
        prevalence=float(asked.label[contest.test].mean()) if question is CLASSES else None,
        homology=homology,
        sweep=(),
        calibration=contest.calibration(TRAINED) if question is CLASSES else (),
        seams=seams,
        ranked=question.ranked,
        width=asked.counted.windows.width,
        definition=definition,
    )
