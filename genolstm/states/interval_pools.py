"""States pooled over intervals of any length while the genome streams by: mean, maximum, and the last one.

An interval is met in pieces, one for each chunk of a pass that reaches into it. Pieces are kept apart, on disk, and
made one at the end: a chunk that is read again, from a state that proved right, takes the place of the one before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.regions import N_STRANDS, Stretches
from genolstm.settings.reading import SitePool
from genolstm.stream.blocks import Block, traces_of
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import read_stretches
from genolstm.stream.seams import Seams

Ints = NDArray[np.int64]
Pooled = Iterator[tuple[Ints, int, NDArray[np.float16]]]

SLAB_VALUES = 1 << 22  # numbers of pieces that are made one at a time


@dataclass(frozen=True, kw_only=True)
class IntervalPools:
    """What is pooled over which intervals.

    start, end : int64 [N], 0-based half-open places in the genome's codes, sorted by start; a base of the contig on
    either side. pools : kinds.   layers : numbers of the layers that are kept.   folder : where pieces are kept.
    """

    start: Ints
    end: Ints
    pools: Sequence[SitePool]
    layers: Sequence[int]
    folder: str | None = None


def pooled_intervals(reader: GenomeReader, stretches: Stretches, wanted: IntervalPools, seams: Seams) -> Pooled:
    """Pooled states of each interval and strand: rows [k], strand (0 forward), values float16 [k, pools x D].

    D = 2 x layers x H: h of every layer, then c. The mean and the maximum are over the states after each base of the
    interval; the last state is that after its last base in reading direction.
    stretches : sorted; each interval and the base on either side of it lies in one of them.   seams : filled in.
    """
    width = 2 * len(wanted.layers) * reader.model.settings.hidden
    geometry = _Geometry(wanted, reader.settings.chunk)
    shape = (geometry.slots, len(wanted.pools), width)
    with TemporaryFile(dir=wanted.folder) as spool:
        kept = np.memmap(spool, dtype=np.float32, mode="w+", shape=shape)
        for block in read_stretches(reader, stretches, seams=seams, warmup=True):
            _take(reader, block, geometry, wanted, kept)
        yield from _whole(geometry, wanted.pools, kept)


class _Geometry:
    """Where the pieces of each interval and strand stand among all pieces, and the targets that each needs.

    low, high : int64 [strands, N], the targets after its bases, as places in the genome's codes, half open.
    first : int64 [strands, N], number of its first piece.   slots : how many pieces there can be.
    count : int64 [slots], states that each piece holds.
    """

    def __init__(self, wanted: IntervalPools, chunk: int) -> None:
        self.chunk = chunk
        # the state after a base stands where the next base in reading direction is the target
        self.low = np.stack([wanted.start + 1, wanted.start - 1])
        self.high = np.stack([wanted.end + 1, wanted.end - 1])
        self.reached = np.maximum.accumulate(self.high, axis=1)
        most = (wanted.end - wanted.start + chunk - 2) // chunk + 1  # chunks that can reach into it
        begins = np.cumsum(N_STRANDS * most) - N_STRANDS * most
        self.first = np.stack([begins, begins + most])
        self.most = most
        self.slots = int(N_STRANDS * most.sum())
        self.count = np.zeros(self.slots, dtype=np.int64)

    def pieces_in(self, block: Block, lane: int) -> tuple[Ints, Ints, Ints, NDArray[np.bool_]]:
        """Slots of the pieces that a lane of a block reads, their steps begin .. end in it, and which end it."""
        sign, address = int(block.sign[lane]), int(block.address[lane])
        strand = int(sign < 0)
        steps = (int(block.begin[lane] - block.first[lane]), int(block.end[lane] - block.first[lane]))
        ends = [address + sign * each for each in steps]
        low, high = (ends[1] + 1, ends[0] + 1) if strand else ends
        rows = np.arange(
            np.searchsorted(self.reached[strand], low, side="right"), np.searchsorted(self.low[strand], high)
        )
        first, last = np.maximum(self.low[strand, rows], low), np.minimum(self.high[strand, rows], high) - 1
        rows, first, last = (each[first <= last] for each in (rows, first, last))
        # of the interval's targets the first and the last in reading direction
        entered, left = self.low[strand, rows], self.high[strand, rows] - 1
        if strand:
            first, last, entered, left = last, first, left, entered
        begun = sign * (address - entered)  # targets between the interval's first and the block's first
        slot = self.first[strand, rows] + np.maximum(0, -(-begun // self.chunk))
        return slot, sign * (first - address), sign * (last - address) + 1, last == left


def _take(
    reader: GenomeReader, block: Block, geometry: _Geometry, wanted: IntervalPools, kept: NDArray[np.float32]
) -> None:
    """Pool every piece of an interval in a block; lanes of weight -1 write nothing, the last value of each counts."""
    lanes = np.flatnonzero((block.weight > 0) & (block.end > block.begin))
    found = [(lane, *geometry.pieces_in(block, lane)) for lane in lanes.tolist()]
    found = [each for each in found if len(each[1])]
    if not found:
        return
    traces = traces_of(reader.model, block, np.array([lane for lane, *_ in found]))
    for row, (lane, slots, begin, end, ends) in enumerate(found):
        layers = [block.layers[layer][lane] for layer in wanted.layers]
        states = torch.cat([*layers, *(traces[layer].memory[row] for layer in wanted.layers)], dim=1)  # [T, D]
        for slot, first, stop, over in zip(slots.tolist(), begin.tolist(), end.tolist(), ends.tolist(), strict=True):
            pooled = [_pooled(states[first:stop], pool, over=over) for pool in wanted.pools]
            kept[slot] = torch.stack(pooled).float().cpu().numpy()
            geometry.count[slot] = stop - first


def _pooled(states: Tensor, pool: SitePool, *, over: bool) -> Tensor:
    """One piece [T, D] as [D]. over : whether the interval ends in it; if not, its last state is in another."""
    if pool is SitePool.MEAN:
        return states.mean(dim=0)
    if pool is SitePool.MAX:
        return states.amax(dim=0)
    return states[-1] if over else torch.zeros_like(states[-1])


def _whole(geometry: _Geometry, pools: Sequence[SitePool], kept: NDArray[np.float32]) -> Pooled:
    """Pieces made one, some intervals at a time; nothing for strands that were not read."""
    step = max(1, SLAB_VALUES // (N_STRANDS * int(geometry.most.max(initial=1)) * kept[0].size))
    for low in range(0, geometry.first.shape[1], step):
        rows = np.arange(low, min(low + step, geometry.first.shape[1]))
        for strand in range(N_STRANDS):
            first, most = geometry.first[strand, rows], geometry.most[rows]
            slots = np.repeat(first - np.append(0, np.cumsum(most)[:-1]), most) + np.arange(int(most.sum()))
            begins = np.append(0, np.cumsum(most)[:-1])
            count, values = geometry.count[slots], kept[slots]
            total = np.add.reduceat(count, begins)
            merged = np.concatenate(
                [_merged(values[:, place], count, begins, pool) for place, pool in enumerate(pools)], axis=1
            )
            known = total > 0
            yield rows[known], strand, merged[known].astype(np.float16)


def _merged(values: NDArray[np.float32], count: Ints, begins: Ints, pool: SitePool) -> NDArray[np.float32]:
    """Pieces [slots, D] of one kind, made one for each interval: [k, D]. begins : first slot of each."""
    if pool is SitePool.MAX:
        reached: NDArray[np.float32] = np.maximum.reduceat(np.where(count[:, None] > 0, values, -np.inf), begins)
        return reached
    weight = count if pool is SitePool.MEAN else np.ones_like(count)  # of the last, all pieces but one are 0
    total = np.add.reduceat(values * weight[:, None], begins, axis=0)
    states = np.maximum(np.add.reduceat(count, begins), 1) if pool is SitePool.MEAN else np.ones(len(begins))
    mean: NDArray[np.float32] = (total / states[:, None]).astype(np.float32)
    return mean
