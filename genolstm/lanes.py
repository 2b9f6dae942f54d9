"""Genome -> parallel lanes of codes with carried state, for training.

The training stretches and their reverse complements are laid end to end, each cut into chunks and its last chunk
filled up with N; the lanes start evenly spaced on that ring of chunks and read on for ever. A lane's state is reset
where it enters a stretch. The chunk that any lane reads is a function of the step alone, which is all that a resumed
run has to know.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from genolstm.regions import Stretches
from genolstm.store.genome import Genome
from genolstm.strands import Gatherer, Rows, rows_of


class Batch(NamedTuple):
    """One step of every lane.

    codes : uint8 [B, T + 1]; inputs are codes[:, :-1], targets codes[:, 1:].   reset : bool [B], a stretch starts here.
    """

    codes: Tensor
    reset: Tensor


class Lanes:
    """An endless, deterministic supply of batches: `batch(step)` for any step.

    n_lanes : B.   chunk : T, symbols a step.
    """

    def __init__(self, genome: Genome, stretches: Stretches, *, n_lanes: int, chunk: int, device: torch.device) -> None:
        self.chunk, self.n_lanes, self.device = chunk, n_lanes, device
        self.gatherer = Gatherer(genome, device)
        rows = rows_of(genome, stretches)
        chunks = (rows.length + chunk - 1) // chunk  # [R]
        self.ends = torch.cumsum(chunks, 0)
        self.n_chunks = int(self.ends[-1])
        starts = torch.arange(n_lanes) * self.n_chunks // n_lanes
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
        codes = self.gatherer.window(
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
