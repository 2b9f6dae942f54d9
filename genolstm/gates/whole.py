"""The gates of a whole genome: tracks, sums, resets, functional memory and boundaries, into one file."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.gates.boundaries import Boundaries, EdgeFindings, adjusted, compare_edges
from genolstm.gates.dump import dump_region
from genolstm.gates.factors import CANDIDATE, FORGET
from genolstm.gates.lyapunov import Lyapunov, lyapunov_exponents
from genolstm.gates.memory_curve import FLAT, MemoryCurve, memory_curve, unseen
from genolstm.gates.places import SamplePlan
from genolstm.gates.reading import GateStatistics, tracks_of, walk
from genolstm.gates.resets import resets_along, threshold_of
from genolstm.gates.sums import LayerStatistics, statistics_of
from genolstm.gates.tracks import PAGE, Pages
from genolstm.ranks import ALONE
from genolstm.regions import N_STRANDS, Region
from genolstm.seeds import spawn
from genolstm.settings.reading import GatesSettings
from genolstm.store.checkpoint import Checkpoint
from genolstm.store.files import Provenance, Records
from genolstm.store.gates import GatesFile, GatesTables, write_gates
from genolstm.store.spool import Spool, open_spool
from genolstm.stream.reader import GenomeReader
from genolstm.stream.seams import Seams
from genolstm.stream.sharding import gather_rows, owners_of

SIGNIFICANT = 0.05


@dataclass(frozen=True, kw_only=True)
class GateRequest:
    """What is to be found out. dump : a region, or None.   boundaries : by kind; none without."""

    dump: Region | None = None
    boundaries: dict[str, Boundaries] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What was found: one `LayerStatistics` a layer, and the rest where it was asked for."""

    layers: list[LayerStatistics]
    resets: int
    thresholds: list[float]
    curve: MemoryCurve | None
    edges: EdgeFindings | None
    seams: Seams
    lyapunov: Lyapunov | None


def gates_of_genome(
    reader: GenomeReader,
    checkpoint: Checkpoint,
    plan: SamplePlan,
    settings: GatesSettings,
    request: GateRequest,
    output: Path,
    provenance: Provenance,
    records: Records,
    *,
    log: Callable[[str], None],
) -> Findings | None:
    """Tracks, resets and dump in a gates file, and what else was found; None in all processes but rank 0.

    Only the tracks and the sums are divided over processes, the rest is found by rank 0.
    records : what was left out at boundaries is added.   log : called with a sentence as each step begins.
    """
    statistics, writes = GateStatistics(reader.model, settings.units_every), reader.ranks.is_main_process
    layout = (tracks_of(reader.model), reader.strands, reader.model.settings.layers)
    places = (plan.first, plan.first_position, plan.every)
    with (
        write_gates(output, plan.stretches, reader.genome.length_of, places, layout, provenance)
        if writes
        else open_spool(output, plan.samples, statistics.shape)
    ) as file:
        seams = Seams()
        if not isinstance(file, GatesFile):
            _fill_unknown(file, reader, plan, statistics.shape)
        pages = Pages(file, plan.samples, statistics.shape, reader.settings.lanes)
        walk(reader, plan, statistics, pages, seams=seams)
        del pages
        gather_rows(reader, plan.read, file, plan.first, shape=statistics.shape)
        if not isinstance(file, GatesFile):
            return None
        findings = _findings(reader, checkpoint, plan, settings, request, file, statistics, seams, log)
        if findings.edges:
            records.skipped |= findings.edges.skipped
        file.finish(tables_of(findings), records)
    return findings


def _fill_unknown(spool: Spool, reader: GenomeReader, plan: SamplePlan, shape: tuple[int, int]) -> None:
    """Write NaN to the rows of this process: bases that no step reads stay unknown."""
    for row in np.flatnonzero(owners_of(reader, plan.read, warmup=True) == reader.ranks.rank).tolist():
        strand, stretch = divmod(row, len(plan.first) - 1)
        last = int(plan.first[stretch + 1])
        for first in range(int(plan.first[stretch]), last, PAGE):
            spool.write(strand, first, np.full((min(PAGE, last - first), *shape), np.nan, dtype=np.float32))


def _findings(
    reader: GenomeReader, checkpoint: Checkpoint, plan: SamplePlan, settings: GatesSettings, request: GateRequest,
    file: GatesFile, statistics: GateStatistics, seams: Seams, log: Callable[[str], None],
) -> Findings:  # fmt: skip
    model, genome = reader.model, reader.genome
    thresholds, resets = _resets(plan, file, settings) if FORGET in statistics.tracks else ([], 0)
    if request.dump:
        log("dump of the region")
        dump_region(dataclasses.replace(reader, ranks=ALONE, on_progress=None), request.dump, file)
    curve = None
    if settings.memory_bases:
        log("functional memory: bits with the state emptied every 1, 2, 4 .. bases")
        rng = spawn(settings.seed, "memory windows")
        curve = memory_curve(model, genome, unseen(checkpoint, genome), settings.memory_bases, settings.resamples, rng)
    exponents = lyapunov_exponents(model, genome, plan.stretches, spawn(settings.seed, "lyapunov"))
    edges = None
    if request.boundaries:
        edges = compare_edges(
            genome, plan.stretches, request.boundaries, _forget_reader(plan, file), _reset_reader(plan, file),
            len(statistics.sums), settings, spawn(settings.seed, "boundaries"), log,
        )  # fmt: skip
    return Findings(
        layers=statistics_of(model, statistics.sums),
        resets=resets,
        thresholds=thresholds,
        curve=curve,
        edges=edges,
        seams=seams,
        lyapunov=exponents,
    )


def _resets(plan: SamplePlan, file: GatesFile, settings: GatesSettings) -> tuple[list[float], int]:
    """Write the resets of every layer and strand; gives the threshold of each layer, and how many there are."""

    def read(strand: int, layer: int, first: int, end: int) -> NDArray[np.float32]:
        return file.track(FORGET, strand, layer, first, end)

    thresholds, count = [], 0
    for layer in range(file.layers):
        thresholds.append(threshold_of(read, plan, layer, file.strands, settings.reset_share))
        for strand in range(file.strands):
            for found in resets_along(read, plan, strand, layer, thresholds[-1]):
                n = len(found.position)
                file.add_resets(
                    {
                        "layer": np.full(n, layer),
                        "contig": plan.stretches.contig[found.stretch],
                        "start": found.position,
                        "end": found.position + 1,
                        "strand": np.full(n, 1 - 2 * strand),
                        "forget": found.forget,
                    }
                )
                count += n
    return thresholds, count


def _forget_reader(plan: SamplePlan, file: GatesFile) -> Callable[[int, int, int, int, int], NDArray[np.float32]]:
    """Read the mean forget gate at all bases start .. end of a contig; NaN outside the stretch."""

    def read(stretch: int, strand: int, layer: int, start: int, end: int) -> NDArray[np.float32]:
        low, high = max(start, int(plan.stretches.start[stretch])), min(end, int(plan.stretches.end[stretch]))
        values = np.full(end - start, np.nan, dtype=np.float32)
        if low < high:
            shift = int(plan.first[stretch]) - int(plan.first_position[stretch])
            values[low - start : high - start] = file.track(FORGET, strand, layer, low + shift, high + shift)
        return values

    return read


def _reset_reader(plan: SamplePlan, file: GatesFile) -> Callable[[int, int, int], NDArray[np.int64]]:
    """Positions of the resets of one stretch, strand and layer, ascending."""
    columns = {name: file.reset_column(name).astype(np.int64) for name in ("layer", "contig", "start", "strand")}

    def group(layer: Any, strand: Any, contig: Any) -> Any:  # noqa: ANN401  (numbers, or arrays of them)
        return (layer * N_STRANDS + strand) * len(file.contigs) + contig

    groups = group(columns["layer"], (1 - columns["strand"]) // 2, columns["contig"])
    order = np.lexsort((columns["start"], groups))
    start, groups = columns["start"][order], groups[order]

    def read(stretch: int, strand: int, layer: int) -> NDArray[np.int64]:
        mine = group(layer, strand, int(plan.stretches.contig[stretch]))
        found: NDArray[np.int64] = start[slice(*np.searchsorted(groups, (mine, mine + 1)))]
        return found

    return read


def tables_of(findings: Findings) -> GatesTables:
    """Findings as the file holds them."""
    layers = findings.layers
    half_life = {
        name: torch.stack([getattr(layer, f"{name}_half_life") for layer in layers]).numpy()
        for name in ("nominal", "realised")
        if layers[0].nominal_half_life is not None
    }
    units = {
        name: {
            statistic: torch.stack([getattr(layer.factors[name], statistic) for layer in layers]).numpy()
            for statistic in (("mean", "sd") if name == CANDIDATE else ("mean", "sd", "above", "below"))
        }
        for name in layers[0].factors
    }
    curve, edges = findings.curve, findings.edges
    return GatesTables(
        units=units,
        half_life=half_life,
        samples=layers[0].samples,
        thresholds=findings.thresholds,
        memory={name: getattr(curve, name) for name in ("reset_every", "bits", "excess", "low", "high")}
        if curve
        else {},
        windows={name: getattr(curve.windows, name) for name in ("contig", "start", "end")} if curve else {},
        edges=_edge_columns(edges) if edges else {},
        profiles=_profile_columns(edges) if edges and edges.profiles else {},
        summary=summary_of(findings),
        seams=findings.seams.to_json(),
        lyapunov={name: getattr(findings.lyapunov, name) for name in ("contig", "position", "exponent")}
        if findings.lyapunov
        else {},
    )


def _edge_columns(edges: EdgeFindings) -> dict[str, Any]:
    tests = edges.tests
    columns: dict[str, Any] = {
        name: [getattr(test, name) for test in tests] for name in ("kind", "direction", "measure")
    }
    columns["layer"] = np.array([test.layer for test in tests], dtype=np.int32)
    columns["boundaries"] = np.array([test.boundaries for test in tests], dtype=np.int64)
    for name in ("value", "matched", "sd", "p"):
        columns[name] = np.array([getattr(test, name) for test in tests], dtype=np.float64)
    for name, end in (("difference", "value"), ("low", "low"), ("high", "high")):
        columns[name] = np.array([getattr(test.difference, end) for test in tests], dtype=np.float64)
    columns["p_adjusted"] = np.array(adjusted(tests), dtype=np.float64)
    return columns


def _profile_columns(edges: EdgeFindings) -> dict[str, Any]:
    profiles = edges.profiles
    reach = len(profiles[0].forget) // 2
    return {
        "kind": [profile.kind for profile in profiles],
        "direction": [profile.direction for profile in profiles],
        "layer": np.array([profile.layer for profile in profiles], dtype=np.int32),
        "offset": np.arange(-reach, reach + 1),
        "forget": np.stack([profile.forget for profile in profiles]),
        "matched": np.stack([profile.matched for profile in profiles]),
    }


def summary_of(findings: Findings) -> dict[str, Any]:
    """Summary of the findings, in plain numbers."""
    summary: dict[str, Any] = {
        "samples": findings.layers[0].samples,
        "layers": [_layer_summary(layer) for layer in findings.layers],
        "resets": findings.resets,
        "reset_thresholds": findings.thresholds,
    }
    if findings.curve:
        summary["memory"] = _curve_summary(findings.curve)
    if findings.edges:
        summary["edges"] = _edge_summary(findings.edges)
    if findings.lyapunov:
        summary["lyapunov"] = _lyapunov_summary(findings.lyapunov)
    return summary


def _lyapunov_summary(found: Lyapunov) -> dict[str, Any]:
    """Mean exponent with the lowest and the highest of the places, 1/bp; bases of an e-fold, null where none is."""
    return {
        "exponent": [found.mean, float(found.exponent.min()), float(found.exponent.max())],
        "memory_bases": found.memory if np.isfinite(found.memory) else None,
        "places": len(found.exponent),
        "bases": found.bases,
    }


def _layer_summary(layer: LayerStatistics) -> dict[str, Any]:
    summary: dict[str, Any] = {f"mean_{name}": float(each.mean.mean()) for name, each in layer.factors.items()}
    for name in ("nominal", "realised"):
        half_lives = getattr(layer, f"{name}_half_life")
        if half_lives is not None:
            # JSON has no infinity; a gate that never forgot is null
            points = torch.quantile(half_lives.clamp(max=torch.finfo(torch.float64).max), _QUARTILES).tolist()
            summary[f"{name}_half_life"] = dict(zip(("quarter", "median", "three_quarters"), points, strict=True))
            summary[f"{name}_half_life"]["longest"] = float(half_lives.max()) if half_lives.max().isfinite() else None
    for name, each in layer.factors.items():
        if name != CANDIDATE:
            summary[f"{name}_above_0.9"], summary[f"{name}_below_0.1"] = (
                float(each.above.mean()),
                float(each.below.mean()),
            )
    return summary


_QUARTILES = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)


def _curve_summary(curve: MemoryCurve) -> dict[str, Any]:
    return {
        "reset_every": curve.reset_every.tolist(),
        "bits": curve.bits.tolist(),
        "excess": np.stack([curve.excess, curve.low, curve.high], axis=1).tolist(),
        "flat_from": {str(bits): curve.flat_from(bits) for bits in FLAT},
        "symbols": curve.symbols,
        "measured_on": curve.source,
        "contigs": list(curve.windows.names()),
        "skipped": list(curve.skipped),
    }


def _edge_summary(edges: EdgeFindings) -> dict[str, Any]:
    """Verdict of every test: enriched where p, adjusted for the number of tests, is below 0.05."""
    rows = []
    for test, p in zip(edges.tests, adjusted(edges.tests), strict=True):
        rows.append(
            {
                "kind": test.kind, "direction": test.direction, "layer": test.layer, "measure": test.measure,
                "boundaries": test.boundaries, "value": test.value, "matched": test.matched,
                "difference": list(test.difference), "sd": test.sd, "p": test.p, "p_adjusted": p,
                "verdict": verdict(test.difference.value, p),
            }
        )  # fmt: skip
    return {"tests": rows, "skipped": edges.skipped}


def verdict(difference: float, p_adjusted: float) -> str:
    """'lower', 'higher', or 'no difference' than at matched positions."""
    if not p_adjusted < SIGNIFICANT:
        return "no difference"
    return "lower" if difference < 0 else "higher"
