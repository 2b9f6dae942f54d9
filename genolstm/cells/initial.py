"""What a cell's weights are before it has learned anything."""

import math

import torch

from genolstm.cells.fused import FusedCell, reference_cell
from genolstm.cells.memory import MemoryCell
from genolstm.settings.model import forget_bias_or_horizon

ONE_HOT_BOUND = 1.0  # torch.nn's bound is 1 / sqrt(fan in), and of a one-hot input a single column is ever read


def initialise(
    cell: FusedCell | MemoryCell, forget_bias: str, generator: torch.Generator, *, one_hot: bool = False
) -> None:
    """Draw a cell's weights, then set the effective bias of its forget gate.

    torch.nn adds two biases, b_ih and b_hh, so that of each pair of gate biases only b_ih is set and b_hh is 0.
    forget_bias : 'B', the effective bias; or 'chrono:T', b_f = ln U(1, T-1) and b_write = -b_f (Tallec & Ollivier 2018,
    eq. 16). Cells without a forget gate keep their draw.
    one_hot : the inputs are one-hot rows: W is drawn from +-1, not +-1/sqrt(n_units), which would let the recurrent
    noise of an untrained network drown what it reads, and slows a trained one's start.
    """
    reference = reference_cell(cell) if isinstance(cell, FusedCell) else cell
    reference.initialise(generator)
    if one_hot and reference.rules.projections:
        with torch.no_grad():
            reference.weight_ih.uniform_(-ONE_HOT_BOUND, ONE_HOT_BOUND, generator=generator)
    if "forget" not in reference.rules.projections:
        return
    rows = {
        name: slice(place * reference.n_units, (place + 1) * reference.n_units)
        for place, name in enumerate(reference.rules.projections)
    }
    bias, horizon = forget_bias_or_horizon(forget_bias)
    with torch.no_grad():
        for gate in {"forget", "write"} & rows.keys():
            reference.bias_hh[rows[gate]] = 0
            if gate == "write" and horizon is None:
                reference.bias_ih[rows[gate]] = 0
        if bias is not None:
            reference.bias_ih[rows["forget"]] = bias
        if horizon is None:
            return
        drawn = torch.empty(reference.n_units).uniform_(1, horizon - 1, generator=generator).log()
        reference.bias_ih[rows["forget"]] = drawn.to(reference.bias_ih)
        if "write" in rows:
            reference.bias_ih[rows["write"]] = -drawn.to(reference.bias_ih)


def nominal_half_life(forget_bias: float) -> float:
    """Steps until half of a memory is gone behind a gate of constant pre-activation: ln 0.5 / ln sigmoid(b).

    Returns inf where the bias is so high that the gate is 1.
    """
    # ln sigmoid(b), with an exponential that cannot overflow
    log_forget = min(forget_bias, 0.0) - math.log1p(math.exp(-abs(forget_bias)))
    return math.log(0.5) / log_forget if log_forget else math.inf


def forget_biases(cell: MemoryCell | FusedCell) -> torch.Tensor:
    """Effective forget bias of each unit, [H]. Raises ValueError for a cell without a forget gate."""
    reference = reference_cell(cell) if isinstance(cell, FusedCell) else cell
    if "forget" not in reference.rules.projections:
        raise ValueError("this cell has no forget gate")
    place = reference.rules.projections.index("forget") * reference.n_units
    rows = slice(place, place + reference.n_units)
    return (reference.bias_ih[rows] + reference.bias_hh[rows]).detach()
