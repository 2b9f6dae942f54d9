"""A forget gate driven by the size of moves, as a forecast of variance: beside GARCH, RiskMetrics and HAR."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError, UsageError
from genolstm.estimate import Estimate
from genolstm.readers.price_table import read_prices
from genolstm.settings.study import StudySettings
from genolstm.store.study import Claim, Column, Study
from genolstm.studies.intervals import MeanOfDays, mean_of_days, written
from genolstm.studies.volatility_baselines import (
    arch_own_variances,
    baseline_table,
    check_arch,
    origins,
    returns_of,
    shipped_series,
)
from genolstm.studies.volatility_cells import (
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

Floats = NDArray[np.float64]
EVERY_DAYS, QUICK_EVERY_DAYS = 250, 1000  # days between refits
FIRST_DAYS, FIRST_FRACTION = 1250, 0.4  # of the series before the first forecast, whichever is less
LEAST_DAYS = 500
EXACT = 1e-12
FLOOR = 1e-300  # a forecast of exactly nothing has no logarithm; none of the laws here has one
BASELINE = "GARCH"
PLAIN, FREE, FALLS = "cell", "own write", "own write, falls"
OUTSIDE_PAIRS = (
    ("cell, outside", PLAIN),
    ("own write, outside", FREE),
    ("two units, outside", PLAIN),
)


class Judged(NamedTuple):
    """Forecasts of one series, all of the same days.

    squares : r^2 of the days forecast [n].   variances : by model [n].   sizes : the weight of |r| in the plain cell's
    forget gate, b of a - b|r|, at each refit.
    """

    series: Series
    first: int
    squares: Floats
    variances: dict[str, Floats]
    sizes: Floats


def qlike(squares: Floats, variance: Floats) -> Floats:
    """Loss of each day, ln v + r^2 / v: ranks forecasts as the true variance would (Patton 2011)."""
    safe = np.maximum(variance, FLOOR)
    return np.log(safe) + squares / safe


def judge(series: Series, every: int, on_progress: Callable[[str], None]) -> Judged:
    """Forecast every day after the first stretch, with parameters from the days before the last refit."""
    days = len(series.returns)
    rounds = origins(days, first_of(days), every)
    found: dict[str, list[Floats]] = {}
    sizes = []
    baselines = baseline_table(series)
    cells: dict[str, FittedCell] = {}
    for origin in rounds:
        for name, baseline in baselines.items():
            found.setdefault(name, []).append(baseline(origin))
        for name in cell_names(series):
            start = cells[name].model if name in cells else None
            cells[name] = fit_cell(PLANS[name], series, origin.first, start)
            found.setdefault(name, []).append(forecasts(cells[name], series, origin.first, origin.end))
        sizes.append(-cells[PLAIN].model.cell.weight_ih[0, 1].item())
        on_progress(f"{series.name}: {origin.end} of {days} days")
    first = rounds[0].first
    return Judged(
        series,
        first,
        series.returns[first:] ** 2,
        {name: np.concatenate(parts) for name, parts in found.items()},
        np.array(sizes),
    )


def first_of(days: int) -> int:
    """Index of the first day forecast."""
    return min(FIRST_DAYS, int(FIRST_FRACTION * days))


def cell_names(series: Series) -> list[str]:
    """Cells that a series can be read by."""
    return [name for name in PLANS if series.outside is not None or "outside" not in name]


def chosen_series(settings: StudySettings) -> dict[str, Series]:
    """The series that come with arch, or the user's own. Raises InputError for one that cannot be judged."""
    if settings.exogenous and not settings.prices:
        raise UsageError("--exogenous stands beside --prices; give both, or neither for the series that are known.")
    if not settings.prices:
        shipped = shipped_series()
        return {name: each for name, each in shipped.items() if "S&P" in name} if settings.quick else shipped
    path = Path(settings.prices)
    prices = read_prices(path)
    name = path.stem
    returns, dates = returns_of(prices.close), prices.dates[1:]
    outside = None
    if settings.exogenous:
        other = read_prices(Path(settings.exogenous))
        _, mine, theirs = np.intersect1d(dates, other.dates, return_indices=True)
        dates, returns, outside = dates[mine], returns[mine], other.close[theirs]
    if len(returns) < LEAST_DAYS:
        common = f" on days that {settings.exogenous} has too" if settings.exogenous else ""
        raise InputError(
            f"{path} gives {len(returns)} returns{common}, and {LEAST_DAYS} are needed; give a longer series."
        )
    if not np.any(returns[: first_of(len(returns))]):
        raise InputError(f"{path}: no price moves in the first {first_of(len(returns))} days; leave those rows out.")
    return {name: Series(name, dates, returns, None, outside)}


def study(settings: StudySettings, on_progress: Callable[[str], None]) -> Study:
    """Show the special cases exactly, then judge all forecasts. Raises InputError without `arch` or for a bad table."""
    check_arch()
    every = QUICK_EVERY_DAYS if settings.quick else EVERY_DAYS
    judged = {name: judge(each, every, on_progress) for name, each in chosen_series(settings).items()}
    longest = max(judged.values(), key=lambda each: len(each.series.returns)).series
    scores = _score_table(judged)
    claims = (*_exact_claims(longest), *(claim for each in judged.values() for claim in _forecast_claims(each)))
    return Study(
        name="volatility",
        question="Is a forget gate that closes on large moves a better forecast of tomorrow's variance than GARCH?",
        conclusion=_conclusion(judged),
        claims=claims,
        tables={"scores": scores, "losses": _loss_table(judged), "sizes": _size_table(judged), **_days(judged)},
        setting={
            "refit_every_days": every,
            "first_days": ", ".join(f"{name}: {each.first}" for name, each in judged.items()),
            "proxy": "squared close-to-close return", "window": "expanding", "prices": settings.prices,
            "exogenous": settings.exogenous,
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
        return Claim(
            name=f"{judged.series.name}: {name} / {baseline}",
            statement=f"{judged.series.name}: {statement}",
            holds=gain.high < 0,
            value=gain.value,
            low=gain.low,
            high=gain.high,
            unit="QLIKE",
            because=f"Loss less {baseline}'s over {len(judged.squares)} days; below 0 is better, Diebold-Mariano p"
            f" {p:.2g}.",
        )

    made = [
        _size_claim(judged),
        beats(PLAIN, BASELINE, "The cell with forget gate sigmoid(a - b|r|) forecasts better than GARCH(1,1)."),
        beats(PLAIN, "RiskMetrics", "Its moving gate forecasts better than RiskMetrics' constant one."),
        beats(FREE, BASELINE, "With a write gate of its own, so that GARCH is inside it, it is better than GARCH."),
        beats(FALLS, "GJR", "Steered by falls too, it forecasts better than GJR-GARCH."),
    ]
    if judged.series.outside is not None:
        made += [
            beats(name, without, f"The outside series as second input ({name}) improves the cell without ({without}).")
            for name, without in OUTSIDE_PAIRS
        ]
        made.append(
            beats(OUTSIDE_PAIRS[-1][0], BASELINE, "The cell that remembers the outside series too beats GARCH.")
        )
    return made


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
            gain, p = _gain(each, name, BASELINE)
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
    baseline = qlike(each.squares, each.variances[BASELINE])
    table = {"day": Column(tuple(str(day) for day in each.series.dates[each.first :][kept]), "", "of the forecast")}
    for name, variance in each.variances.items():
        if name != BASELINE:
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
                for name in (PLAIN, FALLS, BASELINE)
            },
        }
    }


def _conclusion(judged: dict[str, Judged]) -> str:
    parts = []
    for each in judged.values():
        plain, _ = _gain(each, PLAIN, BASELINE)
        best = min(
            (name for name in each.variances if name != BASELINE), key=lambda name: _gain(each, name, BASELINE)[0].value
        )
        top, _ = _gain(each, best, BASELINE)
        parts.append(
            f"{each.series.name}: {_verdict(plain)} ({written(plain, 4)}), and the best of all is {best}"
            f" ({written(top, 4)})"
        )
    return f"The cell with gate a - b|r| beside GARCH(1,1), in QLIKE: {'; '.join(parts)}."


def _verdict(gain: Estimate) -> str:
    if gain.high < 0:
        return "better"
    return "worse" if gain.low > 0 else "no difference shown"
