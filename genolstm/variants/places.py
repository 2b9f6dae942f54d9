"""Alleles as places along the rows that a model reads, on both strands.

A place is counted in reading direction: u = sign * address, so that on either strand the next base has the next u. A
key joins it with its row, so that one sorted column serves all lanes of a block at once.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from genolstm.regions import Part, Stretches
from genolstm.settings.reading import StreamSettings
from genolstm.store.genome import Genome
from genolstm.stream.blocks import Block

Whole = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Alleles:
    """Alternative alleles, each a difference from the genome, in any order.

    contig : int64 [A], index into the genome's contigs.   start, end : int64 [A], bases [start, end) are replaced, none
    where start == end.   letters : uint8, the codes of all alleles one after another, forward strand.
    first : int64 [A + 1]; allele a has letters[first[a] : first[a + 1]].
    """

    contig: Whole
    start: Whole
    end: Whole
    letters: NDArray[np.uint8]
    first: Whole

    def __len__(self) -> int:
        return len(self.contig)


def neighbourhoods(alleles: Alleles, genome: Genome, window: int, settings: StreamSettings) -> Stretches:
    """Stretches that hold every allele with its windows, and one base more on either side where there is one.

    Two of them are joined where reading on costs less than the warm-ups of another: each strand needs one, and half of
    it again as a witness. When exact, a warm-up begins at the contig's end, and each contig has one stretch. Stretches
    begin whole chunks away from both ends of their contig: a warm-up that is all there is before them then ends with a
    chunk.
    """
    warmup = -(-settings.burn_in // settings.chunk) * settings.chunk
    gap = int(genome.lengths.max()) if settings.exact else warmup + warmup // 2
    shift = genome.starts[alleles.contig]
    length = genome.lengths[alleles.contig]
    low = np.maximum(alleles.start - window - 1, 0) // settings.chunk * settings.chunk
    high = length - np.maximum(length - alleles.end - window - 1, 0) // settings.chunk * settings.chunk
    order = np.argsort(low + shift, kind="stable")
    contig, low, reach = alleles.contig[order], low[order], np.maximum.accumulate((high + shift)[order])
    opens = np.ones(len(order), dtype=bool)
    opens[1:] = (contig[1:] != contig[:-1]) | ((low + shift[order])[1:] > reach[:-1] + gap)
    closes = np.append(opens[1:], np.ones(min(len(order), 1), dtype=bool))
    return Stretches(
        contigs=genome.names,
        contig=contig[opens].astype(np.int32),
        start=low[opens],
        end=reach[closes] - shift[order][closes],
        part=np.full(int(opens.sum()), Part.TEST, dtype=np.int8),
    )


class Places(NamedTuple):
    """Every allele forward, then every allele reverse; all int64 [2A], places as u.

    row : as `strands.rows_of` numbers them.   begin : first base of the reference allele.   after : first base behind
    it.   end : behind the window.   anchor : `begin`, or the contig's last place for an insertion behind it.
    sign : +1, -1.   at_contig_end : bool; the window ends with the contig.
    """

    row: Whole
    begin: Whole
    after: Whole
    end: Whole
    anchor: Whole
    sign: Whole
    at_contig_end: NDArray[np.bool_]

    @classmethod
    def of(cls, alleles: Alleles, genome: Genome, stretches: Stretches, window: int) -> Self:
        """Place alleles on the rows of stretches that hold them."""
        shift = genome.starts[alleles.contig]
        opens = genome.starts[stretches.contig] + stretches.start
        # an insertion at a contig's end stands at the next contig's first address: it is looked up by the base before
        held = np.minimum(alleles.start, genome.lengths[alleles.contig] - 1) + shift
        stretch = np.searchsorted(opens, held, side="right") - 1
        row = np.concatenate([stretch, stretch + len(opens)])
        begin = np.concatenate([alleles.start + shift, 1 - alleles.end - shift])
        after = np.concatenate([alleles.end + shift, 1 - alleles.start - shift])
        contig_end = np.concatenate([shift + genome.lengths[alleles.contig], 1 - shift])
        end = np.minimum(after + window, contig_end)
        return cls(
            row=row,
            begin=begin,
            after=after,
            end=end,
            anchor=np.minimum(begin, contig_end - 1),
            sign=np.repeat([1, -1], len(alleles)),
            at_contig_end=end == contig_end,
        )


class LaneKeys(NamedTuple):
    """The lanes of a block in keys; all int64 [B]. first : of target 0.   low, high : of the targets that count."""

    first: Whole
    low: Whole
    high: Whole


class Keys:
    """Joins rows and places of one genome into keys that sort by row, then along it."""

    def __init__(self, genome: Genome) -> None:
        self.symbols = len(genome.all_codes)

    def of(self, row: Whole, place: Whole) -> Whole:
        """Key of each place u; same shape."""
        return row * (2 * self.symbols + 2) + place + self.symbols

    def lanes(self, block: Block) -> LaneKeys:
        """Where the lanes of a block stand."""
        first = self.of(block.row, block.sign * block.address)
        return LaneKeys(first, first + block.begin - block.first, first + block.end - block.first)


def within(keys: Whole, low: Whole, high: Whole) -> tuple[Whole, Whole]:
    """Lane and index of every sorted key in [low, high) of a lane; each [K], in order of lane and key.

    low, high : [B].
    """
    begin, end = np.searchsorted(keys, low), np.searchsorted(keys, high)
    count = np.maximum(end - begin, 0)
    lane = np.repeat(np.arange(len(low)), count)
    return lane, np.arange(len(lane)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(begin, count)
