"""Negatives for sites of which only positives are known: elsewhere in the same stretches, and like them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from genolstm.probes.controls import around_sites, kmers
from genolstm.probes.window_controls import GC_WIDTH, gc_fraction
from genolstm.regions import Part, Sites, Stretches
from genolstm.settings.sites import SitesSettings
from genolstm.states.sites import readable
from genolstm.store.genome import Genome

Ints = NDArray[np.int64]

DRAW = 1 << 14  # places tried at a time
DRAWS_WITHOUT_A_FIND = 50  # then a stretch is taken to have no more
POINT_GC_WIDTH = 0.1  # of the GC around a point: its flanks are short
GC_STEPS = 64  # more than there are GC classes of either width
SLAB = 1 << 22  # bases looked at at a time


def points_like(
    positives: Sites, starts_of: Callable[[int], Ints], genome: Genome, split: Stretches, settings: SitesSettings,
    reach: int, rng: np.random.Generator,
) -> tuple[Ints, Ints, NDArray[np.int8]]:  # fmt: skip
    """Contig, position and strand of drawn points, [n] each: `ratio` for each positive, fewer where there are no more.

    Each has contig, part, strand, the k-mer around the point and the GC around it of its positive, and stands at least
    `margin` bp from every positive of any strand.
    starts_of : contig -> sorted positions of all positives, also of those that are not used.   reach : largest offset
    at which states are read.
    """
    found: list[tuple[int, Ints, NDArray[np.int8]]] = []
    for contig in np.unique(positives.contig).tolist():
        there = starts_of(contig)
        for part in Part:
            mine = positives[(positives.contig == contig) & (positives.part == part)]
            if len(mine):
                found.append((contig, *_drawn(mine, there, genome, split, settings, reach, rng)))
    contigs = [np.full(len(position), contig, dtype=np.int64) for contig, position, _ in found]
    return (
        np.concatenate(contigs),
        np.concatenate([position for _, position, _ in found]),
        np.concatenate([strand for _, _, strand in found]),
    )


def _drawn(
    mine: Sites, there: Ints, genome: Genome, split: Stretches, settings: SitesSettings, reach: int,
    rng: np.random.Generator,
) -> tuple[Ints, NDArray[np.int8]]:  # fmt: skip
    """Positions and strands drawn for the positives of one contig and part. there : all positives of the contig."""
    wanted, quota = np.unique(_keys(mine, genome, settings), return_counts=True)
    quota = np.where(wanted >= 0, quota * settings.ratio, 0)
    stretches = split.of(Part(int(mine.part[0])))
    stretches = stretches.only(stretches.contig == mine.contig[0])
    ends = np.cumsum(stretches.end - stretches.start)
    taken: set[tuple[int, int]] = set()
    idle = 0
    while quota.any() and idle < DRAWS_WITHOUT_A_FIND:
        ticket = rng.integers(0, ends[-1], DRAW)
        slot = np.searchsorted(ends, ticket, side="right")
        pairs = np.stack([stretches.end[slot] - (ends[slot] - ticket), rng.choice(np.array([-1, 1]), DRAW)], axis=1)
        pairs = np.unique(pairs, axis=0)
        pairs = pairs[_distance(pairs[:, 0], there) >= max(1, settings.margin)]
        tried = _points(mine, pairs)
        tried = tried[readable(tried, genome, reach)]
        keys = _keys(tried, genome, settings)
        before = len(taken)
        for row in rng.permutation(np.flatnonzero(np.isin(keys, wanted[quota > 0]))).tolist():
            key = int(np.searchsorted(wanted, keys[row]))
            pair = int(tried.position[row]), int(tried.strand[row])
            if quota[key] and pair not in taken:
                taken.add(pair)
                quota[key] -= 1
        idle = idle + 1 if len(taken) == before else 0
    table = np.array(sorted(taken), dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1].astype(np.int8)


def _points(like: Sites, pairs: Ints) -> Sites:
    """Points of one contig from sorted positions and strands, [n, 2]."""
    n = len(pairs)
    return Sites(
        contigs=like.contigs, contig=np.full(n, like.contig[0], dtype=np.int32), position=pairs[:, 0],
        strand=pairs[:, 1].astype(np.int8), label=np.zeros(n, dtype=np.int8), part=np.full(n, like.part[0]),
        block=np.zeros(n, dtype=np.int64),
    )  # fmt: skip


def _distance(position: Ints, there: Ints) -> Ints:
    """Bases from each position to the nearest of some sorted ones."""
    slot = np.searchsorted(there, position)
    below = np.abs(position - there[np.maximum(slot - 1, 0)])
    above = np.abs(there[np.minimum(slot, len(there) - 1)] - position)
    nearest: Ints = np.minimum(below, above)
    return nearest


def _keys(points: Sites, genome: Genome, settings: SitesSettings) -> Ints:
    """One number for all that a negative shares with its positive: strand, k-mer around the point, GC class; [n].

    -1 where an unknown base is around it.
    """
    codes = around_sites(genome, points, settings.flank)
    first = settings.flank - settings.match_kmer // 2
    kmer = kmers(codes[:, first : first + settings.match_kmer], settings.match_kmer, genome.alphabet.n_known)[:, 0]
    known = (codes < genome.alphabet.n_known).sum(axis=1)
    gc = np.floor(gc_fraction(codes) * codes.shape[1] / np.maximum(1, known) / POINT_GC_WIDTH).astype(np.int64)
    key = (kmer * 2 + (points.strand > 0)) * GC_STEPS + gc
    return np.where(kmer >= 0, key, -1)


def windows_like(
    contig: Ints, start: Ints, part: NDArray[np.int8], width: int, starts_of: Callable[[int], Ints], genome: Genome,
    split: Stretches, settings: SitesSettings, rng: np.random.Generator,
) -> tuple[Ints, Ints]:  # fmt: skip
    """Contig and start of drawn windows, [n] each: `ratio` for each positive, fewer where there are no more.

    Each lies on the grid of its contig, in one part of the split, without an unknown base, at least `margin` bp from
    every positive, and has the contig, the part and (to two hundredths) the GC of its positive.
    contig, start, part : of the positives, [N].   starts_of : contig -> sorted starts of all of them.
    """
    found: list[tuple[int, Ints]] = []
    for each in np.unique(contig).tolist():
        here = contig == each
        grid, gc, of_part = _grid(each, width, genome, split)
        clear = _clear(grid, starts_of(each), width + settings.margin)
        mine = _gc_class(_codes(genome, each, start[here], width))
        for kind in Part:
            classes, counts = np.unique(mine[part[here] == kind], return_counts=True)
            for gc_class, count in zip(classes.tolist(), counts.tolist(), strict=True):
                free = np.flatnonzero(clear & (of_part == kind) & (gc == gc_class))
                some = rng.choice(free, min(len(free), count * settings.ratio), replace=False)
                found.append((each, grid[np.sort(some)]))
    return (
        np.concatenate([np.full(len(starts), each, dtype=np.int64) for each, starts in found]),
        np.concatenate([starts for _, starts in found]),
    )


def _codes(genome: Genome, contig: int, start: Ints, width: int) -> NDArray[np.uint8]:
    return genome.windows(int(genome.starts[contig]) + start, width)


def _gc_class(codes: NDArray[np.uint8]) -> Ints:
    return np.floor(gc_fraction(codes) / GC_WIDTH).astype(np.int64)


def _grid(contig: int, width: int, genome: Genome, split: Stretches) -> tuple[Ints, Ints, NDArray[np.int8]]:
    """Starts of a contig's windows, their GC class (-1 with an unknown base) and part (-1: none or two); [n] each."""
    start = np.arange(0, int(genome.lengths[contig]) - width + 1, width)
    gc = np.empty(len(start), dtype=np.int64)
    step = max(1, SLAB // width)
    for first in range(0, len(start), step):
        codes = _codes(genome, contig, start[first : first + step], width)
        known = (codes < genome.alphabet.n_known).all(axis=1)
        gc[first : first + step] = np.where(known, _gc_class(codes), -1)
    index = np.full(len(start), contig, dtype=np.int32)
    part, last = split.part_at(index, start), split.part_at(index, start + width - 1)
    return start, gc, np.where(part == last, part, np.int8(-1))


def _clear(grid: Ints, there: Ints, apart: int) -> NDArray[np.bool_]:
    """Which windows begin at least so many bases from the start of every one of some sorted ones."""
    clear: NDArray[np.bool_] = np.searchsorted(there, grid - apart, side="right") == np.searchsorted(
        there, grid + apart, side="left"
    )
    return clear
