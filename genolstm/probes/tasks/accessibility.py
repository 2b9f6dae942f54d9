"""``probe accessibility``: which windows of a genome are open, and how much of each was cut."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.probes.counted_windows import (
    FEWEST,
    CountedWindows,
    at_most,
    counted_windows,
    depth_normalised,
    open_by_peaks,
    open_by_signal,
    require_both,
    sites_of,
    tested_block_length,
)
from genolstm.probes.peak_edges import EdgeSets, ForgetAtEdges, edge_sets, forgetting, has_forget_gate
from genolstm.probes.run import run_tasks
from genolstm.probes.splits import probe_split
from genolstm.probes.state_sources import window_states
from genolstm.probes.task import (
    BINARY,
    CONTINUOUS,
    RANDOM_INIT,
    TRAINED,
    Log,
    MatchedRows,
    ProbeTarget,
    ProbeTask,
    Truth,
)
from genolstm.probes.window_controls import OwnSequence, shifted
from genolstm.readers.bed import Bed
from genolstm.regions import Part
from genolstm.seeds import spawn
from genolstm.settings.model import AlphabetName
from genolstm.settings.probe import AccessibilitySettings, States
from genolstm.states.windows import pools_of
from genolstm.store.checkpoint import Checkpoint
from genolstm.store.files import Records
from genolstm.store.genome import Genome
from genolstm.store.results import ProbeResult
from genolstm.store.track import Track, check_track
from genolstm.stream.reader import GenomeReader

PEAKS, SIGNAL = "peaks", "signal"
MATCHED = "matched"


@dataclass(frozen=True, kw_only=True)
class Chromatin:
    """Measured cuts along the genome, and open regions. peaks : what is open; without, the windows of most cuts."""

    track: Track
    peaks: Bed | None = None
    blacklist: Bed | None = None


def probe_accessibility(
    checkpoint: Checkpoint,
    reader: GenomeReader,
    chromatin: Chromatin,
    settings: AccessibilitySettings,
    *,
    model_name: str,
    log: Log,
) -> tuple[dict[str, ProbeResult], Records]:
    """Result of open windows and of the signal, and what became of the windows.

    reader : with the trained model; of several processes only the main one gets results.   log : called with a
    message as each step is done.
    Raises InputError when the test contigs were trained on, the track is of another genome, or a part has too few
    windows of a kind.
    """
    if checkpoint.model.alphabet is not AlphabetName.DNA:
        raise InputError(f"{model_name} reads {checkpoint.model.alphabet}, which has no chromatin; give a DNA model.")
    genome = reader.genome
    check_track(chromatin.track, genome)
    _check_contigs(genome, settings)
    split = probe_split(checkpoint, genome, settings, model_name, valid_contigs=settings.valid_contigs)
    counted = counted_windows(genome, split, chromatin.track, chromatin.blacklist, settings)
    counted = at_most(counted, settings.max_windows, spawn(settings.seed, "windows"))
    task = _task(genome, counted, chromatin, settings, log)
    edges = _edges(reader, chromatin.peaks, counted, settings, log)
    gates: dict[str, ForgetAtEdges] = {}

    def beside(name: str, reader: GenomeReader) -> ForgetAtEdges | None:
        if edges is None or name not in {TRAINED, f"{RANDOM_INIT}1"}:  # the trained gate, and one to compare it with
            return None
        gates[name] = ForgetAtEdges(reader.model, genome, edges)
        return gates[name]

    source = window_states(
        counted.windows, memories=settings.states is States.BOTH, ends=settings.ends, beside=beside
    )  # fmt: skip
    results = run_tasks([task], source, reader, settings, log)
    if results:
        edge_rows, profiles = forgetting(gates, settings, task.definition["block_bp"])
        of_peaks = replace(results[PEAKS], edges=edge_rows, profiles=profiles)
        results[PEAKS] = _with_matched(of_peaks, task.targets[0].matched)
    return results, Records(read=counted.read, used=len(task.sites), skipped=dict(counted.skipped))


def _check_contigs(genome: Genome, settings: AccessibilitySettings) -> None:
    for name in settings.exclude_contigs:
        if name not in genome.names:
            known = ", ".join(genome.names[:8])
            raise InputError(f"contig '{name}' is not in {genome.path}, which has {known}; correct --exclude-contigs.")
        if name in settings.test_contigs:
            raise InputError(f"contig '{name}' is to be tested on and to be excluded; choose one.")


def _edges(
    reader: GenomeReader, peaks: Bed | None, counted: CountedWindows, settings: AccessibilitySettings, log: Log
) -> EdgeSets | None:
    """Edges of peaks on the contigs that are read, or None where they cannot be tested."""
    if peaks is None:
        log("no peaks were given: forgetting at their edges is not tested")
        return None
    if not has_forget_gate(reader.model):
        log(f"the cell {reader.model.settings.cell} has no forget gate: forgetting at edges of peaks is not tested")
        return None
    rng = spawn(settings.seed, "edges of peaks")
    sets = edge_sets(reader.genome, peaks, np.unique(counted.windows.contig), settings, rng)
    log(f"{len(sets.positions):,} edges of peaks (both strands) with {settings.edge_matches} matched positions each")
    for reason, count in sets.skipped.items():
        log(f"left out: {count:,} {reason}")
    return sets


def _task(
    genome: Genome, counted: CountedWindows, chromatin: Chromatin, settings: AccessibilitySettings, log: Log
) -> ProbeTask:
    """Open or not, and the signal, with controls of each window's own sequence."""
    cuts, mean_cuts = depth_normalised(counted)
    label, how = _open(genome, counted, chromatin, settings)
    parts = ", ".join(
        f"{part.name.lower()} {int((counted.part == part).sum()):,} ({int(label[counted.part == part].sum()):,} open)"
        for part in Part
    )
    log(f"{len(label):,} windows of {settings.window} bp: {parts}; open: {how}")
    require_both(label, counted.part, how)
    block_bp = tested_block_length(counted, settings.block_bp)
    sequence = OwnSequence(genome, counted.windows, counted.part, settings)

    def of_same_gc(truth: Truth) -> NDArray[np.int64]:
        rows = sequence.of_same_gc(truth)
        n_open, n_closed = int((truth[rows] == 1).sum()), int((truth[rows] == 0).sum())
        if min(n_open, n_closed) < FEWEST:
            raise InputError(f"{n_open} open test windows have {n_closed} closed ones of the same GC.")
        return rows

    order = shifted(counted.windows.contig, counted.part, spawn(settings.seed, "shifted labels"))
    peaks = ProbeTarget(
        name=PEAKS, type=BINARY, truth=label, label_controls={"shifted": label[order]},
        matched=MatchedRows(MATCHED, "windows of the same GC", of_same_gc),
        prevalence=float(label[counted.part == Part.TEST].mean()), definition={"open": how},
    )  # fmt: skip
    in_words = "log2(1 + c / m), c the cuts of a window, m their mean over the training windows"
    signal = ProbeTarget(
        name=SIGNAL, type=CONTINUOUS, truth=cuts, label_controls={"shifted": cuts[order]},
        definition={"signal": in_words, "mean_cuts": mean_cuts},
    )  # fmt: skip
    return ProbeTask(
        sites=sites_of(counted, label, genome.names, block_bp), targets=(peaks, signal), controls=sequence.features,
        homology=sequence.homology,
        pooling=pools_of(ends=settings.ends), width=counted.windows.width, nn=settings.nn,
        definition={"window_bp": counted.windows.width, "block_bp": block_bp},
    )  # fmt: skip


def _open(
    genome: Genome, counted: CountedWindows, chromatin: Chromatin, settings: AccessibilitySettings
) -> tuple[NDArray[np.int8], str]:
    """Which windows are open, int8 [N], and what that means."""
    if chromatin.peaks is not None:
        label = open_by_peaks(counted, chromatin.peaks, len(genome.names), settings.peak_share)
        return label, f"at least {settings.peak_share:.0%} of the window lies in a peak"
    unit = chromatin.track.unit.partition("/")[0]
    how = f"among the {settings.top_share:.1%} of its part with most {unit}; no peaks given"
    return open_by_signal(counted, settings.top_share), how


def _with_matched(result: ProbeResult, matched: MatchedRows | None) -> ProbeResult:
    """Result with the number of windows behind the second score, where there is one."""
    if matched is None or f"auprc_{matched.name}" not in result.features[TRAINED].scores:
        return result
    labels = result.sites.label[result.sites.part == Part.TEST]
    n_open = int(labels[rows := matched.rows(labels)].sum())
    counts: Mapping[str, Any] = {f"{MATCHED}_open": n_open, f"{MATCHED}_closed": len(rows) - n_open}
    return replace(result, definition={**result.definition, **counts})
