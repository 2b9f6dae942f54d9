"""An LSTM layer read step by step, whose gates are kept: where all are wanted, one product gives them and the states.

The fused kernel is the faster of the two at reading, but hands back h alone, and recomputing every gate from h takes a
product as large as its own.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from genolstm.cells.fused import FusedCell
from genolstm.cells.memory import State
from genolstm.gates.factors import FactorReader, Factors, log_forget_of
from genolstm.settings.model import CellName
from genolstm.settings.train import Precision
from genolstm.stream.reader import GenomeReader


class _Columns(NamedTuple):
    """Where the factors of `FactorReader` lie side by side."""

    write: slice
    forget: slice
    read: slice
    candidate: slice


class SteppedCell(nn.Module):
    """One layer of lstm on the CPU; same interface and, but for rounding, same results as `FusedCell`, its slow twin.

    `factors_at` and `hidden_at` give the factors and states of the latest forward.
    """

    def __init__(self, reader: FactorReader, n_in: int) -> None:
        super().__init__()
        self.columns = _Columns(*(reader.columns(name) for name in _Columns._fields))
        self.units, weight = reader.units, reader.weight
        self.from_input = weight[:, :n_in].T.contiguous()  # [n_in, 4H]
        self.from_state = weight[:, n_in + 1 :].T.contiguous()  # [H, 4H]
        self.bias = weight[:, n_in]
        self.values = weight.new_empty(0, len(weight))  # of each step of each lane: [T * B, 4H]
        self.drive = weight.new_empty(0, self.units)  # of the forget gate, before its sigmoid: [T * B, H]
        self.log_forget = weight.new_empty(reader.tile, self.units)
        self.hidden = weight.new_empty(1, 0, self.units)  # before the first step and after each: [T + 1, B, H]

    def forward(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read a sequence [B, T, n_in]; returns hidden [B, T, H] and the last state, as `FusedCell.forward`."""
        lanes, steps, width = inputs.shape
        if len(self.values) < lanes * steps:
            self.values = self.bias.new_empty(lanes * steps, len(self.bias))
            self.drive = self.bias.new_empty(lanes * steps, self.units)
        flat = self.values[: lanes * steps]
        torch.addmm(self.bias, inputs.transpose(0, 1).reshape(-1, width), self.from_input, out=flat)
        self.hidden = self.bias.new_zeros(steps + 1, lanes, self.units)  # a new one: callers keep what they are given
        memory = torch.zeros_like(self.hidden[0])
        if state is not None:
            self.hidden[0], memory = state.hidden, state.memory.clone()
        columns, shown = self.columns, torch.empty_like(memory)
        drives = self.drive[: lanes * steps].view(steps, lanes, -1)
        for now, drive, (before, after) in zip(flat.view(steps, lanes, -1), drives, pairwise(self.hidden), strict=True):
            now.addmm_(before, self.from_state)
            drive.copy_(now[:, columns.forget])
            now[:, : columns.candidate.start].sigmoid_()
            memory.mul_(now[:, columns.forget]).addcmul_(now[:, columns.write], now[:, columns.candidate].tanh_())
            torch.mul(torch.tanh(memory, out=shown), now[:, columns.read], out=after)
        return self.hidden[1:].transpose(0, 1), State(hidden=self.hidden[-1].clone(), memory=memory)

    def factors_at(self, lane: Tensor, step: Tensor) -> Factors:
        """Factors at some steps of the latest forward, int64 [N], ordered by step and lane and `tile` at most."""
        rows = self._rows(lane, step)
        return Factors(self.values[rows], log_forget_of(self.drive[rows], self.log_forget[: len(lane)]))

    def hidden_at(self, lane: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden states before and after the same steps, each [N, H]; not to be changed."""
        rows, lanes = self._rows(lane, step), self.hidden.shape[1]
        flat = self.hidden.flatten(0, 1)
        return flat[: len(flat) - lanes][rows], flat[lanes:][rows]

    def _rows(self, lane: Tensor, step: Tensor) -> slice | Tensor:
        """Where steps lie, step by step; of every lane, end to end, so that nothing has to be gathered."""
        rows = step * self.hidden.shape[1] + lane
        first, last = int(rows[0]), int(rows[-1])
        return slice(first, last + 1) if last - first == len(rows) - 1 else rows


def stepped_cells(reader: GenomeReader, factors: list[FactorReader]) -> list[SteppedCell] | None:
    """Cells that keep their gates for a model that is read; None where its own are the only ones or the faster.

    factors : of every layer, all of them.
    """
    model = reader.model
    if (
        CellName(model.settings.cell) is not CellName.LSTM
        or reader.device.type != "cpu"
        or reader.settings.precision is not Precision.FP32
    ):
        return None
    return [
        SteppedCell(each, cell.n_in)
        for each, cell in zip(factors, model.cells, strict=True)
        if isinstance(cell, FusedCell)
    ]
