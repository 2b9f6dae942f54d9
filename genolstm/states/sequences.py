"""States of a model inside many short sequences, each read alone from its first symbol on: proteins, spliced mRNA."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.alphabet import Codes
from genolstm.cells.memory import State
from genolstm.cells.replay import replay
from genolstm.model import ModelOutput, NextSymbolModel

LANES = 64  # sequences read side by side
CHUNK = 64  # symbols read in one go: the gates of a longer chunk leave the cache, and c takes half as long again


@torch.inference_mode()
def states_in_sequences(
    model: NextSymbolModel,
    sequence: Callable[[int], Codes],
    owner: NDArray[np.int64],
    place: NDArray[np.int64],
    *,
    memories: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> NDArray[np.float16]:
    """States after the symbols at `place`, float16 [N, D]; D = layers x H, twice that with memories (h, then c).

    Each sequence is read from an empty state, the unknown symbol first, as a contig is from its first base. Lanes are
    filled with sequences of like length and read no further than the last place wanted; a lane that ends is dropped.

    sequence : from a number to its codes [L].   owner : int64 [N], number of the sequence.   place : int64 [N], 0-based
    place in it of the last symbol read.   on_progress : called with the symbols read so far.
    """
    width = model.settings.layers * model.settings.hidden * (2 if memories else 1)
    found = np.zeros((len(owner), width), dtype=np.float16)
    order = np.lexsort((place, owner))
    numbers, first = np.unique(owner[order], return_index=True)
    rows_of = np.split(order, first[1:])[: len(numbers)]  # of each sequence, by rising place
    reach = np.array([place[rows[-1]] + 1 for rows in rows_of], dtype=np.int64)  # symbols to read of it
    longest_first = np.argsort(-reach, kind="stable")
    read = 0
    for start in range(0, len(numbers), LANES):
        group = longest_first[start : start + LANES]
        lanes = _Lanes(model, [sequence(int(numbers[each]))[: reach[each]] for each in group])
        rows = np.concatenate([rows_of[each] for each in group])
        lane = np.repeat(np.arange(len(group)), [len(rows_of[each]) for each in group])
        while lanes.left:
            wanted = np.flatnonzero((place[rows] >= lanes.place) & (place[rows] < lanes.place + CHUNK))
            step = place[rows[wanted]] - lanes.place
            found[rows[wanted]] = lanes.read(lane[wanted], step, memories=memories)
        read += int(reach[group].sum())
        if on_progress:
            on_progress(read)
    return found


@torch.inference_mode()
def pooled_in_sequences(
    model: NextSymbolModel,
    sequences: Sequence[Codes],
    *,
    memories: bool = False,
    ends: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> NDArray[np.float16]:
    """Mean, then maximum of the states after every symbol of each sequence, float16 [N, 2 * D]; read as above.

    sequences : codes [L] of each, L > 0.   D, memories, on_progress : as in `states_in_sequences`.   ends : the first
    and the last state too, [N, 4 * D].
    """
    width = model.settings.layers * model.settings.hidden * (2 if memories else 1)
    found = np.zeros((len(sequences), (4 if ends else 2) * width), dtype=np.float16)
    longest_first = np.argsort([-len(each) for each in sequences], kind="stable")
    read = 0
    for start in range(0, len(sequences), LANES):
        group = longest_first[start : start + LANES]
        lanes = _Lanes(model, [sequences[each] for each in group])
        total = torch.zeros((len(group), width), device=lanes.device)
        highest = torch.full((len(group), width), -torch.inf, device=lanes.device)
        first, last = torch.zeros_like(total), torch.zeros_like(total)
        while left := lanes.left:
            begins = lanes.place == 0
            states, there = lanes.states(memories=memories)  # [left, T, D], [left, T, 1]
            if begins:
                first = states[:, 0]
            last[:left] = states[torch.arange(left), there[:, :, 0].sum(dim=1) - 1]
            total[:left] += torch.where(there, states, 0.0).sum(dim=1)
            highest[:left] = torch.maximum(highest[:left], torch.where(there, states, -torch.inf).amax(dim=1))
        lengths = torch.from_numpy(lanes.lengths).to(lanes.device)[:, None]
        pools = [total / lengths, highest, *((first, last) if ends else ())]
        found[group] = torch.cat(pools, dim=1).half().cpu().numpy()
        read += int(lanes.lengths.sum())
        if on_progress:
            on_progress(read)
    return found


class _Lanes:
    """Some sequences in progress, the longest first, so that those not at their end are the first `left`.

    place : the next symbol of each to be read.
    """

    def __init__(self, model: NextSymbolModel, codes: list[Codes]) -> None:
        self.model, self.codes = model, codes
        self.lengths = np.array([len(each) for each in codes], dtype=np.int64)
        self.device = next(model.parameters()).device
        # what a contig's first base is read after: nothing yet
        nothing = torch.full((len(codes), 1), model.alphabet.unknown, dtype=torch.uint8, device=self.device)
        self.state = model.forward(nothing, model.initial_state(len(codes))).state
        self.place = 0

    @property
    def left(self) -> int:
        """How many sequences have symbols left."""
        return int((self.lengths > self.place).sum())

    def read(self, lane: NDArray[np.int64], step: NDArray[np.int64], *, memories: bool) -> NDArray[np.float16]:
        """One chunk in every lane: the states after the symbols asked for, [k, D]. lane, step : [k]."""
        output, before = self._step()
        at = torch.from_numpy(lane).to(self.device), torch.from_numpy(step).to(self.device)
        parts = [layer[at] for layer in output.layers]
        if memories and len(lane):
            parts += [memory[at] for memory in self._memories(output, before)]
        elif memories:
            parts += parts
        return torch.cat(parts, dim=-1).half().cpu().numpy()

    def states(self, *, memories: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """One chunk in every lane: the states after all its symbols [left, T, D], and which are there [left, T, 1]."""
        left, place = self.left, self.place
        output, before = self._step()
        parts = [*output.layers, *(self._memories(output, before) if memories else [])]
        states = torch.cat(parts, dim=-1)
        there = place + np.arange(states.shape[1]) < self.lengths[:left, None]
        return states, torch.from_numpy(there).to(self.device)[:, :, None]

    def _step(self) -> tuple[ModelOutput, State]:
        """Read one chunk in every lane that has symbols left: what the model gives, and the state before it."""
        left = self.left
        before = State(self.state.hidden[:, :left].contiguous(), self.state.memory[:, :left].contiguous())
        width = min(CHUNK, int(self.lengths[0]) - self.place)
        padded = np.full((left, width), self.model.alphabet.unknown, dtype=np.uint8)
        for row in range(left):
            symbols = self.codes[row][self.place : self.place + width]
            padded[row, : len(symbols)] = symbols
        output = self.model.forward(torch.from_numpy(padded).to(self.device), before)
        self.state, self.place = output.state, self.place + width
        return output, before

    def _memories(self, output: ModelOutput, before: State) -> list[torch.Tensor]:
        """Memory c of each layer after each symbol, [B, T, H]."""
        return [
            replay(cell, inputs, hidden, State(before.hidden[layer], before.memory[layer])).memory  # type: ignore[arg-type]
            for layer, (cell, inputs, hidden) in enumerate(
                zip(self.model.cells, output.inputs, output.layers, strict=True)
            )
        ]
