"""Hidden states pooled over windows while the genome streams by: mean, maximum and ends, every layer, both strands.

A window is met in pieces: chunks of the pass cut it, elsewhere on each strand. Each piece keeps its own mean and
maximum, and they are made one at the end. So a chunk that is read again, from a state that proved right, simply takes
the place of the one before: a maximum, unlike a sum, cannot be taken back.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.model import NextSymbolModel
from genolstm.regions import N_STRANDS, Region, Stretches, stretches_of
from genolstm.store.genome import Genome
from genolstm.stream.blocks import Block, traces_of
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import read_stretches
from genolstm.stream.seams import Seams
from genolstm.stream.sharding import owners_at

Ints = NDArray[np.int64]
Half = NDArray[np.float16]

POOLS = ("mean", "max")
ENDS = ("first", "last")  # states that each pass has after the first and after the last base that it reads of a window
MERGED_AT_ONCE = 4096  # windows whose pieces are turned to float32 together


@dataclass(frozen=True)
class Windows:
    """Windows of one length on a genome, sorted by contig and start, disjoint.

    contig : int64 [N], index into the genome's contigs.   start : int64 [N], 0-based.   width : bp, half open.
    """

    contig: Ints
    start: Ints
    width: int

    def __len__(self) -> int:
        return len(self.start)


def pools_of(*, ends: bool) -> tuple[str, ...]:
    """What is made of the states of a window, in the order of the columns of each pass."""
    return (*POOLS, *ENDS) if ends else POOLS


def pooled_width(reader: GenomeReader, *, memories: bool, ends: bool = False) -> int:
    """How many features a window has."""
    return N_STRANDS * len(pools_of(ends=ends)) * reader.state_width(memories=memories)


@torch.inference_mode()
def pooled_states(
    reader: GenomeReader,
    windows: Windows,
    *,
    memories: bool = False,
    ends: bool = False,
    seams: Seams | None = None,
    beside: Callable[[Block], None] | None = None,
) -> Half:
    """Mean and maximum of the states after the bases of each window, float16 [N, 2 * 2 * D].

    Columns: forward pass (mean, then maximum of every layer), then the pass along the reverse complement; D = layers x
    H, twice that with memories (h of every layer, then c). With ends each pass has its first and its last state in the
    window too, [N, 2 * 4 * D]. At the base where a pass ends no state stands, for no base
    follows it: a window there holds one state fewer, and a window of that base alone is all 0.
    Memory grows with the windows asked for, not with the contigs that are read.

    seams : filled in.   beside : called with every block, for anything else that needs the same pass.
    Of several processes each reads contigs and strands of its own; the windows are put together at rank 0, and are not
    all there in the others.
    """
    genome = reader.genome
    stretches = contigs_read(genome, windows)
    width = reader.state_width(memories=memories)
    table = _PieceTable(genome, windows, reader.settings.chunk, width, pools_of(ends=ends))
    for block in read_stretches(reader, stretches, seams=seams):
        _take(reader.model, block, stretches.contig.astype(np.int64), table, memories=memories)
        if beside:
            beside(block)
    if reader.ranks.size > 1:
        window = np.repeat(np.arange(len(windows)), np.diff(table.first_slot))
        address = (genome.starts[windows.contig] + windows.start)[window, None]  # [slots, 1]
        owner = owners_at(reader, stretches, address, np.array([False, True]), warmup=False)  # [slots, strands]
        reader.ranks.gather_into(table.values.reshape(owner.size, -1), owner.ravel())
    return table.merged()


def contigs_read(genome: Genome, windows: Windows) -> Stretches:
    """Contigs that hold any window, whole: what is read for them."""
    names = [genome.names[contig] for contig in np.unique(windows.contig)]
    return stretches_of((Region(contig=name, start=0, end=genome.length_of[name]) for name in names), genome.names)


def _take(model: NextSymbolModel, block: Block, contigs: Ints, table: "_PieceTable", *, memories: bool) -> None:
    """Pool every piece of a window in a block; lanes of weight -1 write nothing, the last values of a piece count."""
    lanes = np.flatnonzero((block.weight > 0) & (block.end > block.begin))
    if not len(lanes):
        return
    remembered = [trace.memory for trace in traces_of(model, block, lanes)] if memories else []
    pools: list[Tensor] = []  # of every piece, every pool, every layer: [H]
    slots, strands = [], []
    ones = block.layers[0].new_ones(table.chunk)
    for row, lane in enumerate(lanes.tolist()):
        mine, begin, end = table.pieces_in(block, lane, int(contigs[block.row[lane] % len(contigs)]))
        states = [*(layer[lane] for layer in block.layers), *(memory[row] for memory in remembered)]  # each [T, H]
        for first, last in zip(begin.tolist(), end.tolist(), strict=True):
            weights = ones[: last - first] / (last - first)
            pools += [torch.mv(state[first:last].t(), weights) for state in states]  # a mean, in two thirds of its time
            pools += [state[first:last].amax(dim=0) for state in states]
            if table.ends:
                pools += [state[step] for step in (first, last - 1) for state in states]
        slots.append(mine)
        strands.append(np.full(len(mine), int(block.sign[lane] < 0)))
    if pools:
        values = torch.stack(pools).half().cpu().numpy()
        at = np.concatenate(slots), np.concatenate(strands)
        table.values[at] = values.reshape(len(at[0]), *table.values.shape[2:])


class _PieceTable:
    """Where each piece of a window is kept: the slots of a window stand side by side, as many as either strand needs.

    values : float16 [slots, strands, pools, D], mean and maximum, with ends the first and the last state too.
    """

    def __init__(self, genome: Genome, windows: Windows, chunk: int, width: int, pools: tuple[str, ...]) -> None:
        self.windows, self.chunk, self.ends = windows, chunk, len(pools) > len(POOLS)
        self.contig_start, self.contig_length = genome.starts, genome.lengths
        self.bounds = np.searchsorted(windows.contig, np.arange(len(genome.names) + 1))
        length = genome.lengths[windows.contig]
        # target of the first and of the last state, in the row: the state after a base stands where the next is target
        first = np.stack([windows.start + 1, length - windows.start - windows.width + 1])  # [strands, N]
        last = np.minimum(first + windows.width - 1, length - 1)
        self.first_chunk = first // chunk
        pieces = np.maximum(last // chunk - self.first_chunk + 1, 0)
        self.first_target, self.last_target = first, last
        self.first_slot = np.concatenate([[0], np.cumsum(np.maximum(pieces.max(axis=0), 1))])
        self.values = np.zeros((int(self.first_slot[-1]), N_STRANDS, len(pools), width), dtype=np.float16)

    def pieces_in(self, block: Block, lane: int, contig: int) -> tuple[Ints, Ints, Ints]:
        """Slots of the pieces that a lane of a block reads, and their steps begin .. end in it; each [k]."""
        if (block.first[lane] % self.chunk) or block.begin[lane] != block.first[lane]:
            raise RuntimeError("a lane counts from within a chunk")  # a piece would then be written in two halves
        strand, width = int(block.sign[lane] < 0), self.windows.width
        begin, end = int(block.begin[lane]), int(block.end[lane])
        # windows with a target in begin .. end: along the contig on both strands
        low, high = begin - 1, end - 1  # bases read, in reading direction
        if strand:
            low, high = int(self.contig_length[contig]) - high, int(self.contig_length[contig]) - low
        mine = slice(*self.bounds[contig : contig + 2])
        start = self.windows.start[mine]
        rows = np.arange(*np.searchsorted(start, [low - width + 1, high])) + self.bounds[contig]
        first = np.maximum(self.first_target[strand, rows], begin)
        last = np.minimum(self.last_target[strand, rows], end - 1)
        rows, first, last = (column[first <= last] for column in (rows, first, last))
        slots = self.first_slot[rows] + begin // self.chunk - self.first_chunk[strand, rows]
        return slots, first - begin, last + 1 - begin

    def merged(self) -> Half:
        """One row a window, [N, strands * 2 * D], in the memory that the pieces had."""
        n, width = len(self.windows), math.prod(self.values.shape[1:])
        into = self.values.reshape(len(self.values), width)
        for low in range(0, n, MERGED_AT_ONCE):
            rows = np.arange(low, min(low + MERGED_AT_ONCE, n))
            # a window never stands before its first slot, so that what is overwritten has been read
            into[rows] = self._merge(rows).reshape(len(rows), width)
        return into[:n]

    def _merge(self, rows: Ints) -> NDArray[np.float32]:
        """Merge the pieces of some windows, float32 [n, strands, pools, D]: means by their states, the largest maximum.

        The first state is that of the first piece, the last one that of the last.
        """
        n_slots = np.diff(self.first_slot)[rows]
        merged = np.zeros((len(rows), *self.values.shape[1:]), dtype=np.float32)
        merged[:, :, 1] = -np.inf
        begun = np.zeros((len(rows), N_STRANDS, 1), dtype=np.bool_)  # whether a piece with states was met
        for piece in range(int(n_slots.max(initial=0))):
            chosen = np.flatnonzero(n_slots > piece)
            values = self.values[self.first_slot[rows[chosen]] + piece].astype(np.float32)
            states = self._states_in(rows[chosen], piece)  # [strands, n]
            merged[chosen, :, 0] += values[:, :, 0] * states.T[:, :, None]
            seen = states.T[:, :, None] > 0
            if self.ends:
                first = seen & ~begun[chosen]
                merged[chosen, :, 2] = np.where(first, values[:, :, 2], merged[chosen, :, 2])
                merged[chosen, :, 3] = np.where(seen, values[:, :, 3], merged[chosen, :, 3])
                begun[chosen] |= seen
            merged[chosen, :, 1] = np.where(
                seen, np.maximum(merged[chosen, :, 1], values[:, :, 1]), merged[chosen, :, 1]
            )
        total = np.maximum(self.last_target[:, rows] - self.first_target[:, rows] + 1, 0).T[:, :, None]
        merged[:, :, 0] /= np.maximum(total, 1)
        merged[:, :, 1] = np.where(total > 0, merged[:, :, 1], 0)
        return merged

    def _states_in(self, rows: Ints, piece: int) -> NDArray[np.float32]:
        """How many states the piece of that number has in each window, [strands, n]."""
        begin = (self.first_chunk[:, rows] + piece) * self.chunk
        first = np.maximum(self.first_target[:, rows], begin)
        last = np.minimum(self.last_target[:, rows], begin + self.chunk - 1)
        states: NDArray[np.float32] = np.maximum(last - first + 1, 0).astype(np.float32)
        return states
