"""Blocks of a genome that are resampled together, on a grid of each contig, and intervals from resampling them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genolstm.estimate import Estimate
from genolstm.regions import Stretches
from genolstm.store.genome import Genome

BLOCK_BP = 100_000
BLOCKS_WANTED = 20  # shorter stretches have shorter blocks
SHORTEST_BLOCK = 1_000
FEWEST_BLOCKS = 5  # fewer allow no interval
RESAMPLES = 1_000
DRAWN_AT_ONCE = 1 << 22  # numbers
SLAB = 1 << 20  # bases read back at a time
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """Blocks of equal length from the start of each contig, numbered through the genome.

    length : bases.   first : int64 [contigs + 1], number of each contig's first block.
    """

    length: int
    first: NDArray[np.int64]

    @classmethod
    def over(cls, genome: Genome, stretches: Stretches) -> "Grid":
        """The grid for some stretches: blocks of 100 kb, or shorter ones where these would be fewer than 20."""
        return cls.of_lengths(genome.lengths, stretches.bases)

    @classmethod
    def of_lengths(cls, lengths: NDArray[np.int64], bases: int) -> "Grid":
        """The same from the length of each contig and how many bases are measured."""
        length = max(SHORTEST_BLOCK, min(BLOCK_BP, bases // BLOCKS_WANTED))
        return cls(length, np.append(0, np.cumsum(-(-lengths // length))))

    @property
    def blocks(self) -> int:
        """How many blocks the genome has."""
        return int(self.first[-1])

    def cut(self, contig: int, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Number, start and end of the parts of an interval that lie in one block each."""
        for low in range(start - start % self.length, end, self.length):
            yield int(self.first[contig]) + low // self.length, max(low, start), min(low + self.length, end)


def resampled_sums(table: Floats, rng: np.random.Generator, resamples: int = RESAMPLES) -> Floats:
    """Sums over as many blocks as there are, drawn with replacement: [resamples, columns].

    table : [blocks, columns].
    """
    blocks, step = len(table), max(1, DRAWN_AT_ONCE // len(table))
    probabilities = np.full(blocks, 1 / blocks)
    sizes = [min(step, resamples - done) for done in range(0, resamples, step)]
    return np.concatenate([rng.multinomial(blocks, probabilities, size=size) @ table for size in sizes])


def mean_difference(ours: Floats, theirs: Floats, symbols: NDArray[np.int64], rng: np.random.Generator) -> Estimate:
    """Mean of ours less theirs, per symbol, with its interval. ours, theirs, symbols : sums of each block, [blocks]."""
    used = symbols > 0
    table = np.stack([(ours - theirs)[used], symbols[used]], axis=1).astype(np.float64)
    value = float(table[:, 0].sum() / table[:, 1].sum())
    if len(table) < FEWEST_BLOCKS:
        return Estimate(value, -np.inf, np.inf)
    drawn = resampled_sums(table, rng)
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], [2.5, 97.5]).tolist()
    return Estimate(value, low, high)


def slabs(stretches: Stretches) -> Iterator[tuple[int, int, int, int]]:
    """Cut stretches into slabs: contig, place among the scored bases, start and end within the contig."""
    first = 0
    for contig, begin, stop in zip(
        stretches.contig.tolist(), stretches.start.tolist(), stretches.end.tolist(), strict=True
    ):
        for start in range(begin, stop, SLAB):
            end = min(start + SLAB, stop)
            yield contig, first, start, end
            first += end - start


def covered(intervals: NDArray[np.int64], start: int, end: int) -> NDArray[np.bool_]:
    """Which bases of [start, end) lie in any of some sorted, disjoint intervals [k, 2]; bool [end - start]."""
    steps = np.zeros(end - start + 1, dtype=np.int8)
    low, high = np.searchsorted(intervals[:, 1], start, side="right"), np.searchsorted(intervals[:, 0], end)
    steps[np.maximum(intervals[low:high, 0] - start, 0)] += 1
    steps[np.minimum(intervals[low:high, 1] - start, end - start)] -= 1
    return np.cumsum(steps[:-1], dtype=np.int8).astype(bool)
