"""The same results as ``memory.py``, fast: one-layer torch.nn kernels for lstm, gru and rnn from the same weights."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from genolstm.cells.memory import MemoryCell, State
from genolstm.cells.rules import FAMILY
from genolstm.settings.model import CellName

KERNELS: dict[CellName, type[nn.LSTM] | type[nn.GRU] | type[nn.RNN]] = {
    CellName.LSTM: nn.LSTM,
    CellName.GRU: nn.GRU,
    CellName.RNN: nn.RNN,
}
FUNCTIONS: dict[CellName, Callable[..., tuple[Tensor, ...]]] = {  # behind torch.nn
    CellName.LSTM: torch.lstm,
    CellName.GRU: torch.gru,
    CellName.RNN: torch.rnn_tanh,
}
_SUFFIX = "_l0"  # torch.nn's name for its first layer, the only one here
_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
# cuDNN's kernel that keeps the weights on the chip from step to step takes float16, and widths that are multiples of
# this (torch, aten/src/ATen/native/cudnn/RNN.cpp, use_persist_common_heuristics)
CUDNN_WIDTH = 128


class FusedCell(nn.Module):
    """One layer of lstm, gru or rnn by oneDNN or cuDNN; same interface and same results as `MemoryCell`."""

    def __init__(self, n_in: int, n_units: int, name: CellName) -> None:
        super().__init__()
        self.n_in, self.n_units, self.name = n_in, n_units, name
        self.kernel = KERNELS[name](n_in, n_units, batch_first=True)

    def forward(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read a sequence [B, T, n_in]; returns hidden [B, T, H] and the last state, as `MemoryCell.forward`."""
        in_half = inputs.device.type == "cuda" and torch.is_autocast_enabled("cuda")
        if in_half and self.n_in % CUDNN_WIDTH and self.n_units % CUDNN_WIDTH == 0 and state is not None:
            return self.padded(inputs, state)
        if self.name is not CellName.LSTM:
            hidden, last = self.kernel(inputs, None if state is None else state.hidden.unsqueeze(0))
            return hidden, State(hidden=last[0], memory=last[0])
        carried = None if state is None else (state.hidden.unsqueeze(0), state.memory.unsqueeze(0))
        hidden, (last, memory) = self.kernel(inputs, carried)
        return hidden, State(hidden=last[0], memory=memory[0])

    def padded(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """As `forward`, inputs and their weights filled up by zeros to a width that cuDNN's fastest kernel takes."""
        columns = (0, -self.n_in % CUDNN_WIDTH)
        w_ih, *others = (getattr(self.kernel, name + _SUFFIX) for name in _WEIGHTS)
        weights = [nn.functional.pad(w_ih, columns), *others]
        hidden, memory = state.hidden.unsqueeze(0), state.memory.unsqueeze(0)
        before = (hidden, memory) if self.name is CellName.LSTM else hidden
        found, last, *rest = FUNCTIONS[self.name](
            nn.functional.pad(inputs, columns), before, weights, True, 1, 0.0, self.training, False, True
        )
        return found, State(hidden=last[0], memory=rest[0][0] if rest else last[0])


def reference_cell(cell: FusedCell) -> MemoryCell:
    """The `MemoryCell` on the same weights as this cell: a change to one is a change to both."""
    reference = MemoryCell(cell.n_in, cell.n_units, FAMILY[cell.name])
    for name in _WEIGHTS:
        setattr(reference, name, cast(nn.Parameter, getattr(cell.kernel, name + _SUFFIX)))
    return reference
