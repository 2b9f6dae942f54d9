"""Forget, write, candidate and read factors at chosen steps of a block, from its hidden states alone.

The state before a step is the hidden state one place earlier, so that the factors of any chosen steps come from one
matrix product over their rows; nothing is scanned. `stream.blocks.traces_of` is the reference, for all steps.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from genolstm.cells.fused import FusedCell, reference_cell
from genolstm.cells.memory import MemoryCell
from genolstm.cells.rules import Candidate, Forget
from genolstm.model import NextSymbolModel
from genolstm.stream.blocks import Block

CANDIDATE = "candidate"
FORGET = "forget"
RESET = "reset"


LARGEST_DRIVE = 80.0  # exp of it is still a float32
TILE = 256  # steps computed together: their factors stay in the cache
CUDA_TILE = 1 << 14


class Steps(NamedTuple):
    """What a layer read at N steps. inputs : [N, n_in].   before, after : h on either side, [N, H]."""

    inputs: Tensor
    before: Tensor
    after: Tensor


class Factors(NamedTuple):
    """Factors of one layer at N steps; in the reader's own memory, until its next call.

    values : [N, names * H], the factors side by side in the order of `FactorReader.names`.
    log_forget : [N, H], ln of the forget gate; None where it is not computed.
    """

    values: Tensor
    log_forget: Tensor | None


class FactorReader:
    """The weights of one layer arranged for one product: inputs and state side by side, gates first, candidate last.

    names : of the factors: gates by name ('forget', 'write', 'read', 'reset'), then 'candidate'. A tied cell has no
    'write', which is 1 - forget; the rnn has 'candidate' alone.
    forget_only : compute the forget gate alone. Raises ValueError where there is none.
    """

    def __init__(self, cell: FusedCell | MemoryCell, *, forget_only: bool = False) -> None:
        reference = reference_cell(cell) if isinstance(cell, FusedCell) else cell
        rules = reference.rules
        if rules.forget is Forget.DECAY or rules.candidate is not Candidate.TANH:
            raise ValueError("only cells of a next-symbol model have factors to compute")
        if forget_only and FORGET not in rules.projections:
            raise ValueError("this cell has no forget gate")
        gates = tuple(name for name in rules.projections if name != CANDIDATE)
        self.names = (FORGET,) if forget_only else (*gates, CANDIDATE)
        self.units, self.resets = reference.n_units, rules.reset and not forget_only
        blocks = {
            name: tuple(
                part.detach()[place * reference.n_units : (place + 1) * reference.n_units] for part in _parts(reference)
            )
            for place, name in enumerate(rules.projections)
        }
        rows = [_row(*blocks[name]) for name in self.names]
        if self.resets:  # the reset gate scales only what the candidate takes from the state: two blocks, not one
            w_input, b_input, w_hidden, b_hidden = blocks[CANDIDATE]
            rows[-1] = _row(w_input, b_input, torch.zeros_like(w_hidden), torch.zeros_like(b_hidden))
            rows.append(_row(torch.zeros_like(w_input), torch.zeros_like(b_input), w_hidden, b_hidden))
        self.weight = torch.cat(rows)  # [blocks * H, n_in + 1 + H]
        self.tile = CUDA_TILE if self.weight.device.type == "cuda" else TILE
        self.rows = self.weight.new_ones(self.tile, self.weight.shape[1])
        self.drive = self.weight.new_empty(self.tile, len(self.weight))
        self.log_forget = self.weight.new_empty(self.tile, self.units)

    def columns(self, name: str) -> slice:
        """Columns of one factor in `Factors.values`."""
        place = self.names.index(name) * self.units
        return slice(place, place + self.units)

    def read(self, steps: Steps) -> Factors:
        """Factors at N steps, `tile` of them at most."""
        count, width = steps.inputs.shape
        rows, drive = self.rows[:count], self.drive[:count]
        rows[:, :width], rows[:, width + 1 :] = steps.inputs, steps.before
        torch.mm(rows, self.weight.T, out=drive)
        log_forget = None
        if FORGET in self.names:
            log_forget = log_forget_of(drive[:, self.columns(FORGET)], self.log_forget[:count])
        if CANDIDATE not in self.names:
            return Factors(drive.sigmoid_(), log_forget)
        candidate = self.columns(CANDIDATE)
        drive[:, : candidate.start].sigmoid_()
        if self.resets:
            drive[:, candidate] += drive[:, self.columns(RESET)] * drive[:, candidate.stop :]
        values = drive[:, : candidate.stop]
        values[:, candidate].tanh_()
        return Factors(values, log_forget)


def log_forget_of(drive: Tensor, out: Tensor) -> Tensor:
    """From what the sigmoid takes, ln f = -ln(1 + exp(-z)): the gate itself rounds to 1 where it hardly forgets."""
    return torch.neg(drive, out=out).clamp_(max=LARGEST_DRIVE).exp_().log1p_().neg_()


def _parts(reference: MemoryCell) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return reference.weight_ih, reference.bias_ih, reference.weight_hh, reference.bias_hh


def _row(w_input: Tensor, b_input: Tensor, w_hidden: Tensor, b_hidden: Tensor) -> Tensor:
    """Weights of one factor for rows [x, 1, h]; [H, n_in + 1 + H]."""
    return torch.cat([w_input, (b_input + b_hidden).unsqueeze(1), w_hidden], dim=1)


def readers_of(model: NextSymbolModel, *, forget_only: bool = False) -> list[FactorReader]:
    """One reader for each layer."""
    return [FactorReader(cell, forget_only=forget_only) for cell in model.cells]  # type: ignore[arg-type]


def steps_at(block: Block, layer: int, lane: Tensor, step: Tensor) -> Steps:
    """Gather steps of one layer of a block: lane, step : int64 [N]; step t reads the symbol before target t."""
    hidden = block.layers[layer]
    before = _rows(hidden, lane, (step - 1).clamp_(min=0))
    first = step == 0
    if bool(first.any()):  # the state before the first step lies outside the block
        before[first] = block.before.hidden[layer][lane[first]]
    return Steps(_rows(block.inputs[layer], lane, step), before, _rows(hidden, lane, step))


def _rows(values: Tensor, lane: Tensor, step: Tensor) -> Tensor:
    """Rows [N, H] of [B, T, H], which kernels leave step by step in memory: flattened otherwise it would be copied."""
    if values.stride(0) < values.stride(1):
        values, lane, step = values.transpose(0, 1), step, lane
    return values.reshape(-1, values.shape[2]).index_select(0, lane * values.shape[1] + step)
