"""The same results as ``memory.py``, fast: one-layer torch.nn kernels for lstm, gru and rnn from the same weights."""

from typing import cast

from torch import Tensor, nn

from genolstm.cells.memory import MemoryCell, State
from genolstm.cells.rules import FAMILY
from genolstm.settings.model import CellName

KERNELS: dict[CellName, type[nn.LSTM] | type[nn.GRU] | type[nn.RNN]] = {
    CellName.LSTM: nn.LSTM,
    CellName.GRU: nn.GRU,
    CellName.RNN: nn.RNN,
}
_SUFFIX = "_l0"  # torch.nn's name for its first layer, the only one here


class FusedCell(nn.Module):
    """One layer of lstm, gru or rnn by oneDNN or cuDNN; same interface and same results as `MemoryCell`."""

    def __init__(self, n_in: int, n_units: int, name: CellName) -> None:
        super().__init__()
        self.n_in, self.n_units, self.name = n_in, n_units, name
        self.kernel = KERNELS[name](n_in, n_units, batch_first=True)

    def forward(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read a sequence [B, T, n_in]; returns hidden [B, T, H] and the last state, as `MemoryCell.forward`."""
        if self.name is not CellName.LSTM:
            hidden, last = self.kernel(inputs, None if state is None else state.hidden.unsqueeze(0))
            return hidden, State(hidden=last[0], memory=last[0])
        carried = None if state is None else (state.hidden.unsqueeze(0), state.memory.unsqueeze(0))
        hidden, (last, memory) = self.kernel(inputs, carried)
        return hidden, State(hidden=last[0], memory=memory[0])


def reference_cell(cell: FusedCell) -> MemoryCell:
    """The `MemoryCell` on the same weights as this cell: a change to one is a change to both."""
    reference = MemoryCell(cell.n_in, cell.n_units, FAMILY[cell.name])
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        setattr(reference, name, cast(nn.Parameter, getattr(cell.kernel, name + _SUFFIX)))
    return reference
