"""A forget gate driven by the size of moves and by other series, as a forecast of variance: beside GARCH and HAR."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError, UsageError
from genolstm.estimate import Estimate
from genolstm.readers.price_table import read_exogenous, read_prices
from genolstm.seeds import spawn
from genolstm.settings.study import StudySettings
from genolstm.store.files import Records
from genolstm.store.study import Claim, Column, Study
from genolstm.studies.intervals import MeanOfDays, claimed, mean_of_days, written
from genolstm.studies.volatility_baselines import (
    GARCH,
    ORDERS,
    WITH_EXOGENOUS,
    arch_own_variances,
    baseline_table,
    check_arch,
    origins,
    returns_of,
    shipped_series,
)
from genolstm.studies.volatility_cells import (
    EXOGENOUS,
    PLANS,
    START_FORGET,
    FittedCell,
    Series,
    fit_cell,
    forecasts,
    garch_cell,
    riskmetrics_cell,
    variances_of,
)
from genolstm.studies.volatility_made import EFFECT, PLANTED, made_series

Floats = NDArray[np.float64]
EVERY_DAYS, QUICK_EVERY_DAYS = 250, 1000  # days between refits
FIRST_DAYS, FIRST_FRACTION = 1250, 0.4  # of the series before the first forecast, whichever is less
LEAST_DAYS = 500
DAYS_PER_COLUMN = 20  # of the training part, at least, for each exogenous column
EXACT = 1e-12
FLOOR = 1e-300  # a forecast of exactly nothing has no logarithm; none of the laws here has one
PLAIN, FREE, FALLS = "cell", "own write", "own write, falls"
STEERED, LEVEL = "own write, exogenous", "two units, level"
PAIRS = (("cell, exogenous", PLAIN), (STEERED, FREE), (LEVEL, PLAIN))  # with the other series, and without
MADE = ("made, with an effect", "made, without one")
MADE_CELLS = (FREE, STEERED)


class Judged(NamedTuple):
    """Forecasts of one series, all of the same days.

    squares : r^2 of the days forecast [n].   variances : by model [n].   sizes : the weight of |r| in the plain cell's
    forget gate, b of a - b|r|, at each refit; [0] where it was not fitted.   effects : the weights of the exogenous
    columns, w of a - b|r| + w.s, in the forget and in the write gate of the cell with its own, [refits, 2, K].
    """

    series: Series
    first: int
    squares: Floats
    variances: dict[str, Floats]
    sizes: Floats
    effects: Floats


def qlike(squares: Floats, variance: Floats) -> Floats:
    """Loss of each day, ln v + r^2 / v: ranks forecasts as the true variance would (Patton 2011)."""
    safe = np.maximum(variance, FLOOR)
    return np.log(safe) + squares / safe


def judge(series: Series, every: int, on_progress: Callable[[str], None]) -> Judged:
    """Forecast every day after the first stretch, with parameters from the days before the last refit."""
    days = len(series.returns)
    rounds = origins(days, first_of(days), every)
    found: dict[str, list[Floats]] = {}
    sizes, effects = [], []
    baselines = baseline_table(series)
    cells: dict[str, FittedCell] = {}
    for origin in rounds:
        for name, baseline in baselines.items():
            found.setdefault(name, []).append(baseline(origin))
        for name in cell_names(series):
            start = cells[name].model if name in cells else None
            cells[name] = fit_cell(PLANS[name], series, origin.first, start)
            found.setdefault(name, []).append(forecasts(cells[name], series, origin.first, origin.end))
        if PLAIN in cells:
            sizes.append(-cells[PLAIN].model.cell.weight_ih[0, 1].item())
        if STEERED in cells:
            effects.append(_effects(cells[STEERED]))
        on_progress(f"{series.name}: {origin.end} of {days} days")
    first = rounds[0].first
    return Judged(
        series,
        first,
        series.returns[first:] ** 2,
        {name: np.concatenate(parts) for name, parts in found.items()},
        np.array(sizes),
        np.array(effects).reshape(len(effects), 2, len(series.columns)),
    )


def _effects(fitted: FittedCell) -> Floats:
    """Weights of the exogenous columns in the forget and in the write gate, log-odds a standard deviation; [2, K]."""
    cell, plan = fitted.model.cell, fitted.model.plan
    first = 1 + plan.steers.index(EXOGENOUS)  # the candidate stands before what steers
    gates = [cell.rules.projections.index(name) for name in ("forget", "write")]
    weights: Floats = cell.weight_ih.detach().numpy()[gates, first:]
    return weights


def first_of(days: int) -> int:
    """Index of the first day forecast."""
    return min(FIRST_DAYS, int(FIRST_FRACTION * days))


def cell_names(series: Series) -> list[str]:
    """Cells that a series can be read by."""
    if series.name in MADE:
        return list(MADE_CELLS)
    return [
        name
        for name, plan in PLANS.items()
        if (EXOGENOUS not in plan.steers or series.exogenous is not None)
        and (not plan.recalls or series.level is not None)
    ]


def made_pair(seed: int) -> dict[str, Series]:
    """Two made series: an exogenous column steers the variance of the one, and of the other none does."""
    return {
        name: made_series(name, spawn(seed, f"volatility {name}"), effect=effect)
        for name, effect in zip(MADE, (EFFECT, 0.0), strict=True)
    }


def chosen_series(settings: StudySettings) -> tuple[dict[str, Series], Records]:
    """The series that come with arch, or the user's own and what of them was read.

    Raises InputError for one that cannot be judged.
    """
    if settings.exogenous and not settings.prices:
        raise UsageError("--exogenous stands beside --prices; give both, or neither for the series that are known.")
    if not settings.prices:
        shipped = shipped_series()
        return {name: each for name, each in shipped.items() if "S&P" in name} if settings.quick else shipped, Records()
    path = Path(settings.prices)
    prices = read_prices(path)
    name = path.stem
    returns, dates = returns_of(prices.close), prices.dates[1:]
    records = Records(read=len(prices.dates), used=len(prices.dates))
    exogenous: Floats | None = None
    columns: tuple[str, ...] = ()
    if settings.exogenous:
        other = read_exogenous(Path(settings.exogenous))
        _, mine, theirs = np.intersect1d(dates, other.dates, return_indices=True)
        records = Records(read=len(prices.dates), used=len(mine) + 1)
        records.skipped = {
            reason: count
            for reason, count in {
                f"days that {settings.exogenous} does not have": len(dates) - len(mine),
                f"days that {path} does not have": len(other.dates) - len(theirs),
                f"rows of {settings.exogenous} with an empty cell": other.incomplete,
            }.items()
            if count
        }
        dates, returns, exogenous, columns = dates[mine], returns[mine], other.values[theirs], other.names
    if len(returns) < LEAST_DAYS:
        common = f" on days that {settings.exogenous} has too" if settings.exogenous else ""
        raise InputError(
            f"{path} gives {len(returns)} returns{common}, and {LEAST_DAYS} are needed; give a longer series."
        )
    if not np.any(returns[: first_of(len(returns))]):
        raise InputError(f"{path}: no price moves in the first {first_of(len(returns))} days; leave those rows out.")
    if exogenous is not None:
        _check_columns(settings.exogenous, exogenous[: first_of(len(returns))], columns)
    return {name: Series(name, dates, returns, None, exogenous, columns)}, records


def _check_columns(path: str, fitted: Floats, columns: tuple[str, ...]) -> None:
    """Raise InputError for columns that are constant in the training part, or too many for its days."""
    constant = [name for name, column in zip(columns, fitted.T, strict=True) if np.ptp(column) == 0]
    if constant:
        raise InputError(
            f"{path}: column '{constant[0]}' is {fitted[0, columns.index(constant[0])]:g} on all of the first"
            f" {len(fitted)} days, which the fit needs to vary; leave the column out."
        )
    if DAYS_PER_COLUMN * len(columns) > len(fitted):
        raise InputError(
            f"{path} has {len(columns)} columns, and a fit to {len(fitted)} days has room for"
            f" {len(fitted) // DAYS_PER_COLUMN}; give fewer columns, or a longer series."
        )


def study(settings: StudySettings, on_progress: Callable[[str], None]) -> Study:
    """Show the special cases exactly, then judge all forecasts. Raises InputError without `arch` or for a bad table."""
    check_arch()
    every = QUICK_EVERY_DAYS if settings.quick else EVERY_DAYS
    chosen, records = chosen_series(settings)
    given = {name: judge(each, every, on_progress) for name, each in chosen.items()}
    planted, idle = (judge(each, every, on_progress) for each in made_pair(settings.seed).values())
    judged = {**given, **dict(zip(MADE, (planted, idle), strict=True))}
    longest = max(given.values(), key=lambda each: len(each.series.returns)).series
    scores = _score_table(judged)
    claims = (
        *_exact_claims(longest),
        *(claim for each in given.values() for claim in _forecast_claims(each)),
        *_made_claims(planted, idle),
    )
    return Study(
        name="volatility",
        question="Is a forget gate that closes on large moves a better forecast of tomorrow's variance than GARCH?",
        conclusion=_conclusion(given),
        records=records,
        claims=claims,
        tables={
            "scores": scores, "losses": _loss_table(given), "sizes": _size_table(given),
            "effects": _effect_table(judged), **_days(given),
        },
        setting={
            "refit_every_days": every,
            "first_days": ", ".join(f"{name}: {each.first}" for name, each in judged.items()),
            "proxy": "squared close-to-close return", "window": "expanding", "prices": settings.prices,
            "exogenous": settings.exogenous, "planted_effect": EFFECT,
        },
    )  # fmt: skip


def _exact_claims(series: Series) -> tuple[Claim, Claim]:
    """RiskMetrics and GARCH as constant gates, against arch's own recursions."""
    squares = series.returns**2
    theirs = arch_own_variances(series.returns)
    mine = variances_of(riskmetrics_cell(START_FORGET), np.concatenate([[theirs.start], squares[:-1]]), theirs.start)
    written_squares = np.concatenate([[theirs.start], squares[:-1]]) + theirs.omega / theirs.alpha
    garch = variances_of(garch_cell(theirs.alpha, theirs.beta), written_squares, theirs.start)
    made = []
    for name, statement, cell, own in (
        ("RiskMetrics", "RiskMetrics is the tied cell with a constant forget gate of 0.94.", mine, theirs.riskmetrics),
        ("GARCH", "GARCH(1,1) is the cell with f = beta, i = alpha and g = r^2 + omega / alpha.", garch, theirs.garch),
    ):
        difference = float(np.abs(cell / own - 1).max())
        made.append(
            Claim(
                name=f"{name} is a cell",
                statement=statement,
                holds=difference < EXACT,
                value=difference,
                low=math.nan,
                high=math.nan,
                unit="largest relative difference",
                because=f"Over {len(own)} days of {series.name} cell and arch's recursion differ by {difference:.1e}.",
            )
        )
    return made[0], made[1]


def _gain(judged: Judged, name: str, baseline: str) -> MeanOfDays:
    """Mean loss of a model less a baseline's, and the p of Diebold and Mariano; below 0 the model is better."""
    differences = qlike(judged.squares, judged.variances[name]) - qlike(judged.squares, judged.variances[baseline])
    return mean_of_days(differences)


def _forecast_claims(judged: Judged) -> list[Claim]:
    def beats(name: str, baseline: str, statement: str) -> Claim:
        gain, p = _gain(judged, name, baseline)
        return claimed(
            f"{judged.series.name}: {name} / {baseline}",
            f"{judged.series.name}: {statement}",
            gain,
            "QLIKE",
            f"Loss less {baseline}'s over {len(judged.squares)} days; below 0 is better, Diebold-Mariano p {p:.2g}.",
            below=0,
        )

    made = [
        _size_claim(judged),
        beats(PLAIN, GARCH, "The cell with forget gate sigmoid(a - b|r|) forecasts better than GARCH(1,1)."),
        beats(PLAIN, "RiskMetrics", "Its moving gate forecasts better than RiskMetrics' constant one."),
        beats(FREE, GARCH, "With a write gate of its own, so that GARCH is inside it, it is better than GARCH."),
        beats(FALLS, "GJR", "Steered by falls too, it forecasts better than GJR-GARCH."),
    ]
    if judged.series.exogenous is not None:
        columns = ", ".join(judged.series.columns)
        made += [
            beats(name, without, f"Given {columns}, the cell ({name}) forecasts better than without ({without}).")
            for name, without in PAIRS
            if name in judged.variances
        ]
        made += [
            beats(STEERED, WITH_EXOGENOUS.format(law), f"Given {columns}, the cell beats {law} given the same.")
            for law in ORDERS
        ]
    if LEVEL in judged.variances:
        made.append(beats(LEVEL, GARCH, "The cell that remembers the level of volatility too beats GARCH."))
    return made


def _made_claims(planted: Judged, idle: Judged) -> tuple[Claim, ...]:
    """Claims whose answers are known: an effect that was planted is found, and none where there is none."""
    steered, none = (_gain(each, STEERED, FREE).interval for each in (planted, idle))
    weights = planted.effects[:, 0, planted.series.columns.index(PLANTED)]
    days = f"Loss less the cell's without them, over {len(planted.squares)} days; {EFFECT:g} was planted"
    return (
        claimed(
            f"{MADE[0]}: found", "In a made series whose forget gate a signed series steers, the cell finds it.",
            steered, "QLIKE", f"{days}.", below=0,
        ),
        Claim(
            f"{MADE[0]}: w", "The planted weight has its sign in every refit.", bool((weights > 0).all()),
            float(np.median(weights)), float(weights.min()), float(weights.max()), "log-odds a standard deviation",
            f"{EFFECT:g} was planted; median over {len(weights)} refits, with the least and the largest.",
        ),
        Claim(
            f"{MADE[1]}: nothing found", "In a made series that no other one steers, no gain is found.",
            not none.high < 0, *none, "QLIKE", f"{days} in the other series, and nothing in this.",
        ),
    )  # fmt: skip


def _size_claim(judged: Judged) -> Claim:
    positive = int((judged.sizes > 0).sum())
    return Claim(
        name=f"{judged.series.name}: sign of b",
        statement=f"{judged.series.name}: Fitted, b of a - b|r| is above 0: large moves make the cell forget.",
        holds=positive == len(judged.sizes),
        value=float(np.median(judged.sizes)),
        low=float(judged.sizes.min()),
        high=float(judged.sizes.max()),
        unit="log-odds for each mean move",
        because=f"Above 0 in {positive} of {len(judged.sizes)} refits; median, with the least and the largest.",
    )


def _score_table(judged: dict[str, Judged]) -> dict[str, Column]:
    rows = []
    for each in judged.values():
        for name in sorted(each.variances, key=lambda model: float(qlike(each.squares, each.variances[model]).mean())):
            loss = float(qlike(each.squares, each.variances[name]).mean())
            gain, p = _gain(each, name, GARCH)
            rows.append((each.series.name, name, len(each.squares), loss, *gain, p))
    series, names, days, losses, gains, low, high, p_values = zip(*rows, strict=True)
    return {
        "series": Column(series, "", "which prices"),
        "model": Column(names, "", "which forecast"),
        "of_the_family": Column(np.array([int(name in PLANS) for name in names]), "", "1 where a cell that was fitted"),
        "days": Column(np.array(days), "days", "forecast"),
        "qlike": Column(np.array(losses), "", "mean of ln v + r^2 / v, out of sample; less is better"),
        "against_garch": Column(np.array(gains), "", "mean loss less GARCH's"),
        "low": Column(np.array(low), "", "its 95 % interval, Newey-West"),
        "high": Column(np.array(high), "", ""),
        "p": Column(np.array(p_values), "", "Diebold-Mariano, two-sided"),
    }


def _loss_table(judged: dict[str, Judged]) -> dict[str, Column]:
    """Summed loss less GARCH's, for the longest series, at every twentieth day."""
    each = max(judged.values(), key=lambda one: len(one.squares))
    kept = slice(None, None, 20)
    baseline = qlike(each.squares, each.variances[GARCH])
    table = {"day": Column(tuple(str(day) for day in each.series.dates[each.first :][kept]), "", "of the forecast")}
    for name, variance in each.variances.items():
        if name != GARCH:
            table[name] = Column(
                np.cumsum(qlike(each.squares, variance) - baseline)[kept],
                "",
                f"{each.series.name}: loss so far less GARCH's",
            )
    return table


def _size_table(judged: dict[str, Judged]) -> dict[str, Column]:
    return {
        "series": Column(tuple(each.series.name for each in judged.values() for _ in each.sizes), "", "which prices"),
        "refit": Column(np.concatenate([np.arange(len(each.sizes)) for each in judged.values()]), "", "from 0"),
        "b": Column(np.concatenate([each.sizes for each in judged.values()]), "", "of a - b|r| / rms r"),
    }


def _effect_table(judged: dict[str, Judged]) -> dict[str, Column]:
    rows = [
        (each.series.name, refit, column, forget, write)
        for each in judged.values()
        for refit, (forgets, writes) in enumerate(each.effects)
        for column, forget, write in zip(each.series.columns, forgets, writes, strict=True)
    ]
    series, refit, column, forget, write = zip(*rows, strict=True)
    return {
        "series": Column(series, "", "which prices"),
        "refit": Column(np.array(refit), "", "from 0"),
        "column": Column(column, "", "of the exogenous table"),
        "forget": Column(np.array(forget), "log-odds", "w of the forget gate, for a standard deviation"),
        "write": Column(np.array(write), "log-odds", "w of the write gate"),
    }


def _days(judged: dict[str, Judged]) -> dict[str, dict[str, Column]]:
    """Forecasts of the last days of the longest series, for the picture."""
    each = max(judged.values(), key=lambda one: len(one.squares))
    last = slice(-min(500, len(each.squares)), None)
    return {
        "last_days": {
            "day": Column(tuple(str(day) for day in each.series.dates[each.first :][last]), "", "of the forecast"),
            "move": Column(np.sqrt(each.squares[last]), "percent", f"{each.series.name}: size of the return"),
            **{
                name: Column(np.sqrt(each.variances[name][last]), "percent", "forecast standard deviation")
                for name in (PLAIN, FALLS, GARCH)
            },
        }
    }


def _conclusion(judged: dict[str, Judged]) -> str:
    parts = []
    for each in judged.values():
        plain, _ = _gain(each, PLAIN, GARCH)
        others = [name for name in each.variances if name != GARCH]
        best = min(others, key=lambda name: _gain(each, name, GARCH)[0].value)
        top, _ = _gain(each, best, GARCH)
        parts.append(
            f"{each.series.name}: {_verdict(plain)} ({written(plain, 4)}), and the best of all is {best}"
            f" ({written(top, 4)})"
        )
    return f"The cell with gate a - b|r| beside GARCH(1,1), in QLIKE: {'; '.join(parts)}."


def _verdict(gain: Estimate) -> str:
    if gain.high < 0:
        return "better"
    return "worse" if gain.low > 0 else "no difference shown"
