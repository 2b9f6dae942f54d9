"""Genome -> parallel lanes of codes with carried state, for training.

`Lanes` reads a genome: the training stretches and their reverse complements are laid end to end, each cut into chunks
and its last chunk filled up with N; the lanes start evenly spaced on that ring of chunks and read on for ever. A lane's
state is reset where it enters a stretch. The chunk that any lane reads is a function of the step alone, which is all
that a resumed run has to know.

`WeightedLanes` reads several genomes, each with such a ring and some of the lanes.

`ChainLanes` reads proteins, which are short and many: chains of nearly equal length are read side by side, so that
next to nothing is filled up, each from its own reset on. Which chains go together depends on their lengths; the order
in which the groups come is drawn anew for each round, from the seed and the round alone.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.errors import UsageError
from genolstm.regions import Stretches
from genolstm.seeds import spawn
from genolstm.store.genome import Genome
from genolstm.store.joined_genome import contigs_of
from genolstm.strands import Rows, SequenceFetcher, rows_of

OUTSIDE = 1 << 40  # a place beyond any chain: what is read there is unknown


class Batch(NamedTuple):
    """One step of every lane.

    codes : uint8 [B, T + 1]; inputs are codes[:, :-1], targets codes[:, 1:].   reset : bool [B], a stretch starts here.
    place : int64 [B, T], where each input stands in the genome's codes, -1 for fill; None where it is not needed (DNA).
    """

    codes: Tensor
    reset: Tensor
    place: Tensor | None = None


class BatchSource(Protocol):
    """An endless, deterministic source of batches: what training reads."""

    def batch(self, step: int) -> Batch:
        """Codes and resets of one step."""

    def symbols(self, step: int) -> int:
        """How many symbols (fill left out) this step reads."""


def batches_of(
    genome: Genome,
    stretches: Stretches,
    *,
    n_lanes: int,
    chunk: int,
    device: torch.device,
    seed: int,
    weights: Sequence[float] = (),
    drawn_start: bool = False,
) -> BatchSource:
    """Choose how stretches are read for training: chains where there is one strand, else a ring of both strands.

    weights : of each of several genomes, which then have rings and lanes of their own; without, one ring holds all.
    drawn_start : lanes on a ring start where the seed says, not at its beginning; of a model that goes on from another
    the seed draws nothing else.
    Raises UsageError for weights that do not fit the genomes, or more genomes than lanes.
    """
    first = int(spawn(seed, "lanes").integers(1 << 31)) if drawn_start else 0
    if weights:
        return WeightedLanes(
            genome, stretches, weights=weights, n_lanes=n_lanes, chunk=chunk, device=device, first=first
        )
    if genome.alphabet.complement is None:
        return ChainLanes(genome, stretches, n_lanes=n_lanes, chunk=chunk, device=device, seed=seed)
    return Lanes(genome, stretches, n_lanes=n_lanes, chunk=chunk, device=device, first=first)


class Lanes:
    """An endless, deterministic source of batches: `batch(step)` for any step.

    n_lanes : B.   chunk : T, symbols a step.   first : chunk of the ring at which the first lane starts.
    """

    def __init__(
        self, genome: Genome, stretches: Stretches, *, n_lanes: int, chunk: int, device: torch.device, first: int = 0
    ) -> None:
        self.chunk, self.n_lanes, self.device = chunk, n_lanes, device
        self.fetcher = SequenceFetcher(genome, device, stretches.contig)
        rows = rows_of(genome, stretches)
        chunks = (rows.length + chunk - 1) // chunk  # [R]
        self.ends = torch.cumsum(chunks, 0)
        self.n_chunks = int(self.ends[-1])
        starts = (torch.arange(n_lanes) * self.n_chunks // n_lanes + first) % self.n_chunks
        self.symbols_per_round = int(rows.length.sum())
        self._length, self._ends = (
            rows.length,
            self.ends,
        )  # kept on the host too: counting symbols must not wait for a GPU
        self._starts = starts
        self.rows = Rows(*(column.to(device) for column in rows))
        self.ends, self.starts = self.ends.to(device), starts.to(device)

    def batch(self, step: int) -> Batch:
        """Codes and resets of one step; no symbol of another part is ever touched."""
        chunk = (self.starts + step) % self.n_chunks  # [B]
        row = torch.searchsorted(self.ends, chunk, right=True)
        within = chunk - self.ends[row] + (self.rows.length[row] + self.chunk - 1) // self.chunk  # chunk of its row
        # the symbol before the first target is the first input: at the start of a row that is N, "nothing read yet"
        codes = self.fetcher.window(
            self.rows.origin[row],
            self.rows.sign[row],
            self.rows.length[row],
            within * self.chunk - 1,
            self.chunk + 1,
        )
        return Batch(codes=codes, reset=within == 0)

    def symbols(self, step: int) -> int:
        """How many symbols of the genome (fill left out) this step reads."""
        chunk = (self._starts + step) % self.n_chunks
        row = torch.searchsorted(self._ends, chunk, right=True)
        within = chunk - self._ends[row] + (self._length[row] + self.chunk - 1) // self.chunk
        return int((self._length[row] - within * self.chunk).clamp_max_(self.chunk).sum())


class WeightedLanes:
    """Several genomes with lanes of their own, in proportion to their weights.

    by_genome : name -> lanes.   first : as of `Lanes`, of each ring.
    """

    def __init__(
        self,
        genome: Genome,
        stretches: Stretches,
        *,
        weights: Sequence[float],
        n_lanes: int,
        chunk: int,
        device: torch.device,
        first: int = 0,
    ) -> None:
        members = list(contigs_of(genome))
        if len(weights) != len(members):
            raise UsageError(
                f"--weights {','.join(f'{each:g}' for each in weights)} are {len(weights)} and there are"
                f" {len(members) or 1} genomes; give one weight a genome."
            )
        lanes = allotted(weights, n_lanes)
        self.by_genome = dict(zip((name for name, _, _ in members), lanes, strict=True))
        self._rings = [
            Lanes(
                genome,
                stretches.only((stretches.contig >= mine.start) & (stretches.contig < mine.stop)),
                n_lanes=count,
                chunk=chunk,
                device=device,
                first=first,
            )
            for (_, _, mine), count in zip(members, lanes, strict=True)
        ]

    def batch(self, step: int) -> Batch:
        """Codes and resets of one step, the first genome's lanes first."""
        batches = [ring.batch(step) for ring in self._rings]
        return Batch(
            codes=torch.cat([each.codes for each in batches]), reset=torch.cat([each.reset for each in batches])
        )

    def symbols(self, step: int) -> int:
        """How many symbols of the genomes (fill left out) this step reads."""
        return sum(ring.symbols(step) for ring in self._rings)


def allotted(weights: Sequence[float], n_lanes: int) -> list[int]:
    """Lanes of each genome: its fraction, rounded so that they sum up (largest remainders), but one at least.

    Raises UsageError for fewer lanes than genomes.
    """
    if len(weights) > n_lanes:
        raise UsageError(f"{n_lanes} lanes are fewer than the {len(weights)} genomes; raise --lanes.")
    wanted = np.array(weights) / sum(weights) * n_lanes
    lanes = np.maximum(1, np.floor(wanted)).astype(np.int64)
    while lanes.sum() != n_lanes:
        missing = wanted - lanes
        if lanes.sum() < n_lanes:
            lanes[missing.argmax()] += 1
        else:
            lanes[np.where(lanes > 1, missing, np.inf).argmin()] -= 1
    return [int(each) for each in lanes]


class ChainLanes:
    """Chains of nearly equal length side by side, each read once a round from its first symbol to its last.

    n_lanes : B.   chunk : T at most; the steps of a group are equal, so that its longest chain fills the last one.
    steps_per_round : the same in every round.   fill : fraction of symbols read that are fill.
    """

    def __init__(
        self, genome: Genome, stretches: Stretches, *, n_lanes: int, chunk: int, device: torch.device, seed: int
    ) -> None:
        self.n_lanes, self.chunk, self.device, self.seed = n_lanes, chunk, device, seed
        self.fetcher = SequenceFetcher(genome, device, stretches.contig)
        rows = rows_of(genome, stretches)
        length = rows.length.numpy()
        self._sorted = np.argsort(length, kind="stable")  # slot -> row
        self._length = length[self._sorted]  # of each slot
        self._groups = _groups(self._length, n_lanes, chunk)
        self._group_steps = np.array([len(group.slot) for group in self._groups])
        self.steps_per_round = int(self._group_steps.sum())
        self.symbols_per_round = int(length.sum())
        self.fill = 1 - self.symbols_per_round / sum(group.slot.size * group.width for group in self._groups)
        self.rows = Rows(*(column.to(device) for column in rows))
        self._round = lru_cache(maxsize=2)(self._drawn_round)

    def batch(self, step: int) -> Batch:
        """Codes and resets of one step; no symbol of another part is ever touched."""
        slot, first, width, row_of = self._at(step)
        row = torch.from_numpy(row_of[np.maximum(slot, 0)]).to(self.device)
        start = torch.from_numpy(np.where(slot < 0, OUTSIDE, first)).to(self.device)  # of the first target, in its row
        origin, length = self.rows.origin[row], self.rows.length[row]
        codes = self.fetcher.window(origin, self.rows.sign[row], length, start - 1, width + 1)
        within = (start - 1).unsqueeze(1) + torch.arange(width, device=self.device)  # [B, T]
        inside = (within >= 0) & (within < length.unsqueeze(1))
        place = torch.where(inside, origin.unsqueeze(1) + within, -1)
        return Batch(codes=codes, reset=(start == 0) | (start == OUTSIDE), place=place)

    def symbols(self, step: int) -> int:
        """How many symbols of the chains (fill left out) this step reads."""
        slot, first, width, _ = self._at(step)
        read = np.clip(self._length[np.maximum(slot, 0)] - first, 0, width)
        return int(read[slot >= 0].sum())

    def _at(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int, NDArray[np.int64]]:
        """Slot and first target of each lane [B], the step's width, and the row in each slot, at one step."""
        turn, within = divmod(step, self.steps_per_round)
        order, ends, row_of = self._round(turn)
        place = int(np.searchsorted(ends, within, side="right"))
        group = self._groups[order[place]]
        at = within - int(ends[place]) + len(group.slot)
        return group.slot[at], group.first[at], group.width, row_of

    def _drawn_round(self, turn: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Order of the groups, the step that ends each, and the row in each slot: equally long chains change places."""
        rng = spawn(self.seed, "lanes", turn)
        order = rng.permutation(len(self._groups))
        shuffled = np.lexsort((rng.random(len(self._length)), self._length))
        return order, np.cumsum(self._group_steps[order]), self._sorted[shuffled]


class _Group(NamedTuple):
    """Chains that are read side by side.

    slot : int64 [S, B], which chain each lane reads at each step, -1 for none.   first : int64 [S, B], place in its
    chain of the first target.   width : symbols a step.
    """

    slot: NDArray[np.int64]
    first: NDArray[np.int64]
    width: int


def _groups(length: NDArray[np.int64], n_lanes: int, chunk: int) -> list[_Group]:
    """Chains put into groups, longest first; a lane whose chain ends early goes on with the longest that still fits.

    length : int64 [N], ascending.
    """
    left, lengths = list(range(len(length))), length.tolist()  # slots not placed yet, ascending
    groups = []
    while left:
        n_steps = -(-lengths[left[-1]] // chunk)
        width = -(-lengths[left[-1]] // n_steps)
        slot = np.full((n_steps, n_lanes), -1, dtype=np.int64)
        first = np.zeros((n_steps, n_lanes), dtype=np.int64)
        for lane in range(n_lanes):
            at = 0
            while at < n_steps and (fits := bisect_right(left, (n_steps - at) * width, key=lengths.__getitem__)):
                chain = left.pop(fits - 1)
                taken = -(-lengths[chain] // width)
                slot[at : at + taken, lane] = chain
                first[at : at + taken, lane] = width * np.arange(taken)
                at += taken
        groups.append(_Group(slot, first, width))
    return groups
