"""Cells whose state is the variance of tomorrow's return: fitted by Gaussian quasi-likelihood."""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genolstm.cells.memory import MemoryCell, State
from genolstm.cells.rules import FAMILY
from genolstm.cells.scan import scan
from genolstm.settings.model import CellName

Floats = NDArray[np.float64]

# what may steer a gate: |r|, the part of |r| below 0, every exogenous column
SIZE, FALL, EXOGENOUS = "size", "fall", "exogenous"
BACKCAST_DAYS = 75  # the first variance is the mean square of so many days, as arch's
PERCENT = 100.0
START_FORGET, START_WRITE = 0.94, 0.06  # RiskMetrics 1996; where the search begins
START_FLOOR = -1.5
MOST_STEPS = 100


class Series(NamedTuple):
    """Returns of one price, day by day.

    name : as shown.   dates : of the returns [N].   returns : percent, 100 ln(P_t / P_{t-1}).
    span : daily variance by the range of prices within the day, percent squared (Parkinson 1980), or None.
    exogenous : other series on the same days, of either sign, [N, K], or None.   columns : their names.
    level : one above 0 that is an estimate of volatility itself (VIX), which a unit may remember as such, or None.
    """

    name: str
    dates: NDArray[np.datetime64]
    returns: Floats
    span: Floats | None = None
    exogenous: Floats | None = None
    columns: tuple[str, ...] = ()
    level: Floats | None = None


class Plan(NamedTuple):
    """One constrained cell.

    row : of the family.   steers : what moves its forget gate, and its write gate where that is free.
    recalls : whether a second unit remembers the level as a variance; a readout then weighs the two.
    """

    row: CellName
    steers: tuple[str, ...]
    recalls: bool = False


PLANS: dict[str, Plan] = {
    "cell": Plan(CellName.VOLATILITY, (SIZE,)),
    "own write": Plan(CellName.GARCH, (SIZE,)),
    "own write, falls": Plan(CellName.GARCH, (SIZE, FALL)),
    "cell, exogenous": Plan(CellName.VOLATILITY, (SIZE, EXOGENOUS)),
    "own write, exogenous": Plan(CellName.GARCH, (SIZE, EXOGENOUS)),
    "two units, level": Plan(CellName.VOLATILITY, (SIZE,), recalls=True),
}


class VarianceCell(nn.Module):
    """A cell of the family held to a plan: U is 0, and candidates steer no gate.

    columns : exogenous ones, where the plan steers by them.
    cell : the plain cell, in float64.   floor : ln of what is added to each square that is written, omega / alpha in
    GARCH's terms; the tied rows have none.   balance : log-odds of the readout's weight of the first of two units.
    level : ln of the readout's scale.
    """

    def __init__(self, plan: Plan, columns: int = 0) -> None:
        super().__init__()
        steers = len(plan.steers) + (columns - 1) * (EXOGENOUS in plan.steers)
        self.plan, self.units = plan, 2 if plan.recalls else 1
        rules = FAMILY[plan.row]
        self.cell = MemoryCell(self.units + steers, self.units, rules).double()
        start = torch.tensor([START_WRITE if gate == "write" else START_FORGET for gate in rules.projections])
        with torch.no_grad():
            self.cell.bias_ih.copy_(torch.logit(start.double()).repeat_interleave(self.units))
        self.cell.weight_hh.requires_grad_(False)
        self.cell.bias_hh.requires_grad_(False)
        steering = torch.ones_like(self.cell.weight_ih)
        steering[:, : self.units] = 0
        # candidates keep their zero weights
        self.cell.weight_ih.register_hook(lambda gradient: gradient * steering)  # type: ignore[no-untyped-call]
        one = torch.zeros((), dtype=torch.float64)
        self.floor = nn.Parameter(one + START_FLOOR) if plan.row is CellName.GARCH else None
        self.balance, self.level = (nn.Parameter(one.clone()) if plan.recalls else None for _ in range(2))

    def learned(self) -> list[nn.Parameter]:
        """What a fit may move."""
        return [weight for weight in self.parameters() if weight.requires_grad]

    @property
    def n_learned(self) -> int:
        """How many numbers that is, the candidates' zero weights left out."""
        return sum(weight.numel() for weight in self.learned()) - len(self.cell.bias_ih) * self.units

    def inputs(self, candidates: Tensor, steers: Tensor) -> Tensor:
        """What the cell reads, [1, N, units + steers]. candidates : [N, units].   steers : [N, steers]."""
        if self.floor is not None:
            candidates = candidates + self.floor.exp()
        return torch.cat([candidates, steers], dim=1).unsqueeze(0)

    def forward(self, candidates: Tensor, steers: Tensor, before: Tensor) -> Tensor:
        """Variance of the day after each day, [N]. before : state at the start [units]."""
        inputs = self.inputs(candidates, steers)
        gates = self.cell.gates(inputs, inputs.new_zeros(1, len(candidates), self.units))
        memory = scan(gates, before.unsqueeze(0))[0]  # [N, units]
        if self.balance is None or self.level is None:
            return memory[:, 0]
        first = torch.sigmoid(self.balance)
        return self.level.exp() * (first * memory[:, 0] + (1 - first) * memory[:, 1])


class Scale(NamedTuple):
    """What inputs are measured in, from the days of the fit alone.

    square : mean r^2.   centre, spread : of each exogenous column [K].   level : mean square.
    """

    square: float
    centre: Floats
    spread: Floats
    level: float


class FittedCell(NamedTuple):
    """A cell fitted to the days before an origin. loss : mean of ln v + r^2 / v there."""

    model: VarianceCell
    scale: Scale
    loss: float


def scale_of(series: Series, end: int) -> Scale:
    """Scale of the first `end` days."""
    square = float(np.mean(series.returns[:end] ** 2))
    exogenous = np.zeros((end, 0)) if series.exogenous is None else series.exogenous[:end]
    spread = exogenous.std(axis=0)
    level = 1.0 if series.level is None else float(np.mean(series.level[:end] ** 2))
    return Scale(square, exogenous.mean(axis=0), np.where(spread > 0, spread, 1.0), level)


def standardised(series: Series, end: int, scale: Scale) -> Floats:
    """Exogenous columns of the first `end` days, in units of the days that the scale is from; [end, K]."""
    if series.exogenous is None:
        return np.zeros((end, 0))
    found: Floats = (series.exogenous[:end] - scale.centre) / scale.spread
    return found


def _read(plan: Plan, series: Series, end: int, scale: Scale) -> tuple[Tensor, Tensor, Tensor]:
    """Candidates [end, units], steers [end, S] and the state at the start [units], in units of the scale."""
    returns = series.returns[:end] / math.sqrt(scale.square)
    candidates = [returns**2]
    steering = {SIZE: np.abs(returns), FALL: np.maximum(-returns, 0.0), EXOGENOUS: standardised(series, end, scale)}
    if plan.recalls and series.level is not None:
        candidates.append(series.level[:end] ** 2 / scale.level)
    before = [float(np.mean(each[:BACKCAST_DAYS])) for each in candidates]
    return (
        torch.from_numpy(np.stack(candidates, axis=1)),
        torch.from_numpy(np.column_stack([steering[name] for name in plan.steers])),
        torch.tensor(before, dtype=torch.float64),
    )


def fit_cell(plan: Plan, series: Series, end: int, start: VarianceCell | None = None) -> FittedCell:
    """Fit a cell to the first `end` days. start : a fit to fewer of them, tried beside the plain start."""
    scale = scale_of(series, end)
    read = _read(plan, series, end, scale)
    fits = []
    for earlier in (None, start)[: 1 if start is None else 2]:
        model = VarianceCell(plan, len(scale.centre))
        if earlier is not None:
            model.load_state_dict(earlier.state_dict())
        fits.append(FittedCell(model, scale, _search(model, *read)))
    return min(fits, key=lambda fit: fit.loss if math.isfinite(fit.loss) else math.inf)


def _search(model: VarianceCell, candidates: Tensor, steers: Tensor, before: Tensor) -> float:
    """Move a model's weights to the least loss, mean of ln v + r^2 / v over days 1 on; returns it."""
    search = torch.optim.LBFGS(
        model.learned(), max_iter=MOST_STEPS, tolerance_grad=1e-8, tolerance_change=1e-11, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        variance = model(candidates[:-1], steers[:-1], before)
        mean: Tensor = (variance.log() + candidates[1:, 0] / variance).mean()
        return mean

    def closure() -> Tensor:
        search.zero_grad()
        value = loss()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    search.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        return float(loss())


@torch.no_grad()
def forecasts(fitted: FittedCell, series: Series, first: int, end: int) -> Floats:
    """Variance of days first .. end - 1, each from the days before it, percent squared; [end - first]."""
    candidates, steers, before = _read(fitted.model.plan, series, end - 1, fitted.scale)
    found: Floats = fitted.model(candidates, steers, before)[first - 1 :].numpy() * fitted.scale.square
    return found


def riskmetrics_cell(forget: float = START_FORGET) -> MemoryCell:
    """The tied cell of one unit whose gate is a constant: RiskMetrics 1996."""
    cell = MemoryCell(1, 1, FAMILY[CellName.VOLATILITY]).double()
    with torch.no_grad():
        cell.bias_ih.fill_(math.log(forget / (1 - forget)))
    return cell


def garch_cell(alpha: float, beta: float) -> MemoryCell:
    """GARCH(1,1) (Bollerslev 1986) as a cell: f = beta, i = alpha, and g = r^2 + omega / alpha is to be its input."""
    cell = MemoryCell(1, 1, FAMILY[CellName.GARCH]).double()
    wanted = {"write": alpha, "forget": beta}
    with torch.no_grad():
        for place, gate in enumerate(cell.rules.projections):
            cell.bias_ih[place] = math.log(wanted[gate] / (1 - wanted[gate]))
    return cell


@torch.no_grad()
def variances_of(cell: MemoryCell, written: Floats, start: float) -> Floats:
    """States of a cell of one unit stepped through what is written [N], from a start; [N]."""
    state = torch.full((1, 1), start, dtype=torch.float64)
    shown: Floats = cell(torch.from_numpy(written).view(1, -1, 1), State(state, state))[0][0, :, 0].numpy()
    return shown
