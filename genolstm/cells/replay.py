"""Every gate and every memory from the hidden states, with no hook and no second pass through time-stepped kernels.

The fused kernels hand back h alone. Shifted by one step, h is the hidden state before each input, so one matrix product
gives every gate at every step; the memory then follows by an elementwise scan from the carried state.
(c is never recovered as atanh(h / o): trained cells saturate.)
"""

from typing import NamedTuple

import torch
from torch import Tensor

from genolstm.cells.fused import FusedCell, reference_cell
from genolstm.cells.memory import Gates, MemoryCell, State, remember


class CellTrace(NamedTuple):
    """The inside of one layer: `gates` and `memory`, each [B, T, H]."""

    gates: Gates
    memory: Tensor


def replay(cell: FusedCell | MemoryCell, inputs: Tensor, hidden: Tensor, before: State) -> CellTrace:
    """Rebuild gates and memory of one layer.

    inputs : [B, T, n_in].   hidden : [B, T, H] that the layer computed from them.   before : the state it started from.
    """
    reference = reference_cell(cell) if isinstance(cell, FusedCell) else cell
    shifted = torch.cat([before.hidden.unsqueeze(1), hidden[:, :-1]], dim=1)  # [B, T, H], h before each input
    gates = reference.gates(inputs, shifted)
    memory = torch.empty_like(hidden)
    present = before.memory
    for step in range(hidden.shape[1]):
        now = Gates(*(None if gate is None else gate[:, step] for gate in gates))  # type: ignore[arg-type]
        present = remember(present, now, reference.rules)
        memory[:, step] = present
    return CellTrace(gates=gates, memory=memory)
