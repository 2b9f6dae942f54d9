"""How the gradient of the write gate's parameters vanishes."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.cells.memory import MemoryCell, State
from genolstm.cells.rules import FAMILY
from genolstm.seeds import spawn_seed
from genolstm.settings.model import CellName
from genolstm.settings.study import StudySettings

Floats = NDArray[np.float64]
UNITS, INPUTS = 24, 4
BIASES = (-800.0, *(float(bias) for bias in range(-40, 41, 4)), 800.0)
SLOPE_FROM = 12.0  # bias from which a gate is saturated: i (1 - i) is e^-|b| to one part in 10^5
GRADIENT_STEPS = 32


class Vanishing(NamedTuple):
    """Norm of the loss's gradient by the write gate's parameters. bias : of the gate [B].   norm, bound : [B].

    bound : what i (1 - i) allows.   no_candidate : with the candidate at 0.   held : with the gate held.
    """

    bias: Floats
    norm: Floats
    bound: Floats
    no_candidate: float
    held: float


def vanishing(settings: StudySettings) -> Vanishing:
    """Follow the gradient, in float64, while the write gate of a drawn LSTM is pushed into saturation."""
    generator = torch.Generator().manual_seed(spawn_seed(settings.seed, "knockout gradients"))
    cell = MemoryCell(INPUTS, UNITS, FAMILY[CellName.LSTM]).double()
    cell.initialise(generator)
    inputs = torch.randn(4, GRADIENT_STEPS, INPUTS, generator=generator, dtype=torch.float64)
    weight = torch.randn(4, GRADIENT_STEPS, UNITS, generator=generator, dtype=torch.float64)
    rows = slice(0, UNITS)  # the write gate's rows come first
    with torch.no_grad():  # a gate that its bias alone moves has one closed bound at every step
        cell.weight_ih[rows] = 0
        cell.weight_hh[rows] = 0
    norms, bounds = [], []
    for bias in BIASES:
        with torch.no_grad():
            cell.bias_ih[rows] = bias
            cell.bias_hh[rows] = 0
        norms.append(write_gradient(cell, inputs, weight))
        bounds.append(gradient_bound(cell, inputs, weight, bias))
    with torch.no_grad():
        cell.bias_ih[rows] = 0
    held = write_gradient(cell, inputs, weight, held={"write": 0.0})
    candidate = slice(2 * UNITS, 3 * UNITS)
    with torch.no_grad():
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            cell.get_parameter(name)[candidate] = 0
    return Vanishing(np.array(BIASES), np.array(norms), np.array(bounds), write_gradient(cell, inputs, weight), held)


def write_gradient(
    cell: MemoryCell, inputs: Tensor, weight: Tensor, *, held: Mapping[str, float] | None = None
) -> float:
    """Norm of the gradient of sum(weight * h) by all parameters of the write gate."""
    cell.zero_grad()
    hidden, _ = cell(inputs, held=held or {})
    (hidden * weight).sum().backward()
    rows = slice(0, cell.n_units)
    parts = [cell.get_parameter(name).grad for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    return float(torch.cat([part[rows].flatten() for part in parts if part is not None]).norm())


def gradient_bound(cell: MemoryCell, inputs: Tensor, weight: Tensor, bias: float) -> float:
    """Bound of the same norm: i (1 - i), times what a write gate that is read from outside would get at each step.

    The gate enters as i_t = sigmoid(b + e_t) with e_t = 0; dL/dW = i (1 - i) sum_t (dL/di_t) x_t, and the triangle
    inequality over steps, sequences and the four parts bounds its norm.
    """
    slope = torch.sigmoid(torch.tensor(bias, dtype=torch.float64)) * torch.sigmoid(
        torch.tensor(-bias, dtype=torch.float64)
    )
    hidden, by_write = _by_write(cell, inputs, weight)
    before = torch.cat([torch.zeros_like(hidden[:, :1]), hidden[:, :-1]], dim=1)
    reach = (inputs.square().sum(-1) + before.square().sum(-1) + 2).sqrt()  # [B, T], length of [x, h, 1, 1]
    return float(slope * (by_write.norm(dim=-1) * reach).sum())


def _by_write(cell: MemoryCell, inputs: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden states, and the loss's derivative by the write factor of every step, [B, T, H].

    A factor i at step t enters c as i g: its derivative is (dL/dc_t) g_t, and dL/dc_t is that of a state carried in.
    """
    state = cell.initial_state(len(inputs))
    carried: list[Tensor] = []
    candidates: list[Tensor] = []
    shown: list[Tensor] = []
    for step in range(inputs.shape[1]):
        candidates.append(cell.gates(inputs[:, step], state.hidden).candidate.detach())
        hidden, state = cell(inputs[:, step : step + 1], state)
        # c_t as a leaf that the steps after it, and its own output, are built on
        memory = state.memory + torch.zeros_like(state.memory, requires_grad=True)
        carried.append(memory)
        read = cell.gates(inputs[:, step], _before(shown, hidden)).read
        assert read is not None
        again = read * torch.tanh(memory)
        shown.append(again)
        state = State(again, memory)
    hidden = torch.stack(shown, dim=1)
    found = torch.autograd.grad((hidden * weight).sum(), carried)
    return hidden.detach(), torch.stack([each * g for each, g in zip(found, candidates, strict=True)], dim=1)


def _before(shown: list[Tensor], like: Tensor) -> Tensor:
    return shown[-1] if shown else torch.zeros_like(like[:, 0])


def slope_of(found: Vanishing) -> float:
    """Change of ln(norm) for each unit of |bias| beyond saturation, on both sides together; -1 for i (1 - i)."""
    slopes = []
    for side in (1, -1):
        far = (side * found.bias >= SLOPE_FROM) & (found.norm > 0) & (np.abs(found.bias) < 36)
        slopes.append(float(np.polyfit(np.abs(found.bias[far]), np.log(found.norm[far]), 1)[0]))
    return float(np.mean(slopes))
