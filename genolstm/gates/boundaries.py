"""Boundaries of features - exons, transcripts, coding sequence, any intervals - and what the gates do there."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import Codes
from genolstm.estimate import Estimate
from genolstm.gates.enrichment import (
    block_interval,
    matched_positions,
    permutation_test,
    profiles_by_slab,
)
from genolstm.readers.annotation import Transcript
from genolstm.readers.bed import Bed
from genolstm.regions import Stretches, block_length, block_numbers
from genolstm.settings.reading import GatesSettings
from genolstm.store.genome import Genome

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
ReadForget = Callable[[int, int, int, int, int], NDArray[np.float32]]  # stretch, strand, layer, start, end
ReadResets = Callable[[int, int, int], Ints]  # stretch, strand, layer -> positions, ascending

MIN_INTRON = 20  # bases; shorter gaps are frameshifts, not introns
MOST_BOUNDARIES = 10_000  # of a kind, drawn by the seed
DIRECTIONS = {1: "into", -1: "out"}
MEASURES = ("forget at", "forget around", "resets around")


class Boundaries(NamedTuple):
    """Boundaries of one kind, distinct and sorted; each [N].

    edge : between the bases edge - 1 and edge, 0-based.   inside : +1 where the feature begins at `edge`, -1 where it
    ends there.
    """

    contig: Ints
    edge: Ints
    inside: Ints

    @property
    def table(self) -> Ints:
        """Columns side by side, [N, 3]."""
        return np.stack(self, axis=1)


def _boundaries(rows: set[tuple[int, int, int]]) -> Boundaries:
    table = np.array(sorted(rows), dtype=np.int64).reshape(-1, 3)
    return Boundaries(table[:, 0], table[:, 1], table[:, 2])


def annotated_boundaries(transcripts: Sequence[Transcript], contigs: Sequence[str]) -> dict[str, Boundaries]:
    """Boundaries of genes by kind.

    donor, acceptor : ends of exons, at the first and the last base of an intron along its strand.
    transcript_start, transcript_end, cds_start, cds_end : of the whole, along its strand. Into always means into the
    exon, the transcript or the coding sequence.
    """
    index = {name: place for place, name in enumerate(contigs)}
    rows: dict[str, set[tuple[int, int, int]]] = {
        kind: set() for kind in ("donor", "acceptor", "transcript_start", "transcript_end", "cds_start", "cds_end")
    }
    for transcript in transcripts:
        contig, forward = index[transcript.contig], transcript.strand == "+"
        for start, end in transcript.introns().tolist():
            if end - start >= MIN_INTRON:
                rows["donor" if forward else "acceptor"].add((contig, start, -1))
                rows["acceptor" if forward else "donor"].add((contig, end, 1))
        for name, spans in (("transcript", transcript.exons), ("cds", transcript.coding)):
            if len(spans):
                rows[f"{name}_start" if forward else f"{name}_end"].add((contig, int(spans[0, 0]), 1))
                rows[f"{name}_end" if forward else f"{name}_start"].add((contig, int(spans[-1, 1]), -1))
    return {kind: _boundaries(found) for kind, found in rows.items() if found}


def interval_boundaries(bed: Bed) -> dict[str, Boundaries]:
    """Starts and ends of intervals, along the forward strand."""
    starts = {(int(contig), int(start), 1) for contig, start in zip(bed.contig, bed.start, strict=True)}
    ends = {(int(contig), int(end), -1) for contig, end in zip(bed.contig, bed.end, strict=True)}
    return {"start": _boundaries(starts), "end": _boundaries(ends)}


@dataclass(frozen=True, kw_only=True)
class EdgeTest:
    """One kind of boundary read in one direction, one layer, one measure, against matched positions.

    boundaries : with matches.   value, matched : means.   difference : with its interval.   sd : over matched
    positions.
    """

    kind: str
    direction: str
    layer: int
    measure: str
    boundaries: int
    value: float
    matched: float
    difference: Estimate
    sd: float
    p: float


@dataclass(frozen=True, kw_only=True)
class EdgeProfile:
    """Mean forget gate around one kind of boundary and its matched positions, [2 reach + 1] in order of reading."""

    kind: str
    direction: str
    layer: int
    forget: Floats
    matched: Floats


@dataclass(frozen=True, kw_only=True)
class EdgeFindings:
    """All tests and profiles; skipped : reason -> boundaries x directions."""

    tests: tuple[EdgeTest, ...]
    profiles: tuple[EdgeProfile, ...]
    skipped: dict[str, int]


class _Sets(NamedTuple):
    """Matched sets of one stretch and strand: positions [n, 1 + M], the boundary's own first; inside [n], as read."""

    stretch: int
    strand: int
    positions: Ints
    inside: Ints


def compare_edges(
    genome: Genome,
    stretches: Stretches,
    boundaries: dict[str, Boundaries],
    read_forget: ReadForget,
    read_resets: ReadResets,
    layers: int,
    settings: GatesSettings,
    rng: np.random.Generator,
    log: Callable[[str], None],
) -> EdgeFindings:
    """Compare the forget gate and the resets at boundaries with positions of the same composition.

    At a boundary stands the first base beyond it as it is read. Matched positions are of the same stretch and strand,
    end in the same k-mer, have the same GC (`enrichment.matched_positions`), and lie further than the reach from any
    boundary of the kind. Boundaries nearer than the reach to an end of their stretch are left out.
    """
    settings = dataclasses.replace(settings, block_bp=block_length(settings.block_bp, stretches.bases))
    tests: list[EdgeTest] = []
    profiles: list[EdgeProfile] = []
    skipped: dict[str, int] = {}
    for kind, every in boundaries.items():
        some = every
        if len(every.edge) > MOST_BOUNDARIES:
            kept = np.sort(rng.choice(len(every.edge), MOST_BOUNDARIES, replace=False))
            some = Boundaries(*(column[kept] for column in every))
            skipped[f"{kind} beyond {MOST_BOUNDARIES:,}"] = len(every.edge) - MOST_BOUNDARIES
        sets, lost = _matched_sets(genome, stretches, every, some, settings, rng)
        if lost:
            skipped[f"{kind} without matched positions (both directions)"] = lost
        for layer in range(layers):
            for inside, direction in DIRECTIONS.items():
                found = _one(genome, stretches, sets, inside, layer, read_forget, read_resets, settings)
                if found is None:
                    continue
                values, block, shown = found
                tests += _tests(kind, direction, layer, values, block, settings, rng)
                profiles.append(
                    EdgeProfile(kind=kind, direction=direction, layer=layer, forget=shown[0], matched=shown[1])
                )
        log(f"{kind}: {len(some.edge):,} boundaries")
    return EdgeFindings(tests=tuple(tests), profiles=tuple(profiles), skipped=skipped)


def _matched_sets(
    genome: Genome, stretches: Stretches, every: Boundaries, some: Boundaries, settings: GatesSettings,
    rng: np.random.Generator,
) -> tuple[list[_Sets], int]:  # fmt: skip
    """Matched sets by stretch and strand, and how many boundaries x strands have none."""
    sets, full = [], 0
    for stretch, (contig, start, end) in enumerate(
        zip(stretches.contig.tolist(), stretches.start.tolist(), stretches.end.tolist(), strict=True)
    ):
        begin = int(genome.starts[contig])
        codes: Codes = genome.all_codes[begin : begin + int(genome.lengths[contig])]
        # one base more than the reach: the last base of a row is never read
        within = start + settings.reach + 1, end - settings.reach - 1
        for strand, sign in enumerate((1, -1)):
            shift = 0 if sign > 0 else 1  # to the first base beyond the boundary, as it is read
            position = some.edge - shift
            here = (some.contig == contig) & (position >= within[0]) & (position < within[1])
            matches = matched_positions(
                codes, position[here], rng, sign=sign, k=settings.match_kmer, matches=settings.matches,
                barred=every.edge[every.contig == contig] - shift, min_distance=settings.reach, within=within,
            )  # fmt: skip
            found = matches[:, 0] >= 0
            full += int(found.sum())
            positions = np.column_stack([position[here], matches])[found]
            sets.append(_Sets(stretch, strand, positions, sign * some.inside[here][found]))
    return sets, 2 * len(some.edge) - full


def _one(
    genome: Genome, stretches: Stretches, sets: list[_Sets], inside: int, layer: int, read_forget: ReadForget,
    read_resets: ReadResets, settings: GatesSettings,
) -> tuple[Floats, Ints, tuple[Floats, Floats]] | None:  # fmt: skip
    """Measures of every set of one direction and layer [measures, n, 1 + M], blocks [n], profiles of both; or None."""
    measured, blocks = [], []
    sums, counts = np.zeros((2, 2 * settings.reach + 1)), np.zeros((2, 2 * settings.reach + 1))
    for each in sets:
        positions = each.positions[each.inside == inside]
        if not len(positions):
            continue
        flat, sign, length = positions.ravel(), 1 - 2 * each.strand, int(genome.lengths[stretches.contig[each.stretch]])
        values = np.full((len(MEASURES), len(flat)), np.nan)

        def read(start: int, end: int, each: _Sets = each) -> NDArray[np.float32]:
            return read_forget(each.stretch, each.strand, layer, start, end)

        around = slice(settings.reach - settings.near, settings.reach + settings.near + 1)
        for rows, profile in profiles_by_slab(read, length, flat, sign=sign, reach=settings.reach):
            values[0, rows] = profile[:, settings.reach]
            values[1, rows] = profile[:, around].mean(axis=1)
            for side, mine in enumerate((rows % positions.shape[1] == 0, rows % positions.shape[1] > 0)):
                known = ~np.isnan(profile[mine])
                sums[side] += np.where(known, profile[mine], 0).sum(axis=0)
                counts[side] += known.sum(axis=0)
        resets = read_resets(each.stretch, each.strand, layer)
        low = np.searchsorted(resets, flat - settings.near, side="left")
        high = np.searchsorted(resets, flat + settings.near, side="right")
        values[2] = high > low
        measured.append(values.reshape(len(MEASURES), *positions.shape))
        contig = np.broadcast_to(stretches.contig[each.stretch], len(positions))
        blocks.append(block_numbers(contig, positions[:, 0], settings.block_bp))
    if not measured:
        return None
    with np.errstate(invalid="ignore"):
        shown = sums / counts
    return np.concatenate(measured, axis=1), np.concatenate(blocks), (shown[0], shown[1])


def _tests(
    kind: str, direction: str, layer: int, values: Floats, block: Ints, settings: GatesSettings,
    rng: np.random.Generator,
) -> Iterator[EdgeTest]:  # fmt: skip
    for measure, table in zip(MEASURES, values, strict=True):
        difference = table[:, 0] - table[:, 1:].mean(axis=1)
        yield EdgeTest(
            kind=kind,
            direction=direction,
            layer=layer,
            measure=measure,
            boundaries=len(table),
            value=float(table[:, 0].mean()),
            matched=float(table[:, 1:].mean()),
            difference=block_interval(difference, block, rng, resamples=settings.resamples),
            sd=float(table[:, 1:].std()),
            p=permutation_test(table, rng, permutations=settings.permutations).p,
        )


def adjusted(tests: Sequence[EdgeTest]) -> list[float]:
    """P value of each test times the number of tests, 1 at most (Bonferroni)."""
    return [min(1.0, test.p * len(tests)) for test in tests]
