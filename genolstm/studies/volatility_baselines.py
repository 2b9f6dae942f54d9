"""What the cells are judged beside: GARCH, GJR and EGARCH of the package `arch`, RiskMetrics, HAR; its series."""

import functools
import importlib.util
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from genolstm.errors import InputError
from genolstm.studies.volatility_cells import (
    PERCENT,
    START_FORGET,
    Series,
    riskmetrics_cell,
    scale_of,
    standardised,
    variances_of,
)

Floats = NDArray[np.float64]
HAR_DAYS = (1, 5, 22)  # a day, a week, a month (Corsi 2009)
LEAST_GATE = 0.01
GARCH, GJR, EGARCH = "GARCH", "GJR", "EGARCH"
ORDERS: dict[str, tuple[Literal["GARCH", "EGARCH"], int]] = {
    GARCH: ("GARCH", 0),
    GJR: ("GARCH", 1),
    EGARCH: ("EGARCH", 1),
}  # arch's name of the law, and its asymmetric terms
WITH_EXOGENOUS = "{} x"  # name of one whose variance the exogenous columns scale
LARGEST_LOG = 30.0  # of a factor on a variance
PARKINSON = 1 / (4 * np.log(2))  # of the squared log range; a random walk's variance (Parkinson 1980)


def check_arch() -> None:
    """Raise InputError where the package `arch` is missing."""
    if importlib.util.find_spec("arch") is None:
        raise InputError(
            "study volatility needs the package arch, for GARCH and its price series; install it with:"
            " pip install 'genolstm[studies]'."
        )


class Origin(NamedTuple):
    """One refit: parameters from days before `first` forecast the days first .. end - 1."""

    first: int
    end: int


def origins(days: int, first: int, every: int) -> list[Origin]:
    """Expanding window: refit every so many days."""
    return [Origin(start, min(start + every, days)) for start in range(first, days, every)]


def returns_of(close: Floats) -> Floats:
    """Percent, one fewer than prices."""
    return PERCENT * np.diff(np.log(close))


def shipped_series() -> dict[str, Series]:
    """S&P 500 and Nasdaq 1999-2018 with daily ranges, and each with VIX on the days that the shipped VIX covers."""
    from arch.data import nasdaq, sp500, vix  # noqa: PLC0415 - an optional package

    outside = vix.load()["vix"].dropna()
    found = {}
    for name, module in (("S&P 500", sp500), ("Nasdaq", nasdaq)):
        table = module.load()
        span = PERCENT**2 * PARKINSON * np.log(table["High"] / table["Low"]).to_numpy() ** 2
        days = table.index.to_numpy().astype("datetime64[D]")
        whole = Series(name, days[1:], returns_of(table["Adj Close"].to_numpy()), span[1:])
        found[name] = whole
        levels = outside.reindex(table.index[1:]).to_numpy()
        known = np.flatnonzero(~np.isnan(levels))
        found[f"{name} with VIX"] = Series(
            f"{name} with VIX",
            whole.dates[known],
            whole.returns[known],
            span[1:][known],
            np.log(levels[known])[:, None],
            ("ln VIX",),
            levels[known],
        )
    return found


def arch_variances(series: Series, origin: Origin, law: str) -> tuple[Floats, bool]:
    """Variances of arch's GARCH(1,1), GJR-GARCH(1,1,1) or EGARCH(1,1,1), and whether its fit converged.

    law : a name of ORDERS.   Returns those of all days to the origin's end [end], each from the days before it, by the
    parameters of the days before the origin.
    """
    from arch import arch_model  # noqa: PLC0415 - an optional package

    volatility, asymmetric = ORDERS[law]

    def model(end: int) -> object:
        returns = series.returns[:end]
        return arch_model(returns, mean="Zero", vol=volatility, p=1, o=asymmetric, q=1, rescale=False)

    fitted = model(origin.first).fit(disp="off", show_warning=False)  # type: ignore[attr-defined]
    with_news = model(origin.end).fix(fitted.params)  # type: ignore[attr-defined]
    return np.asarray(with_news.conditional_volatility) ** 2, fitted.convergence_flag == 0


def scaled_by_exogenous(series: Series, origin: Origin, variance: Floats) -> Floats:
    """Variances [end] times exp(a + w.s) of the day before, a and w of least QLIKE on the days before the origin.

    arch's laws take exogenous regressors in the mean of returns alone; this factor on the variance may have any sign of
    w and never makes it negative. The loss is convex: that of a gamma regression with a logarithmic link (McCullagh &
    Nelder 1989). Columns are standardised on the days before the origin.
    """
    columns = standardised(series, origin.end, scale_of(series, origin.first))
    features = np.column_stack([np.ones(origin.end - 1), columns[:-1]])  # of days 1 .. end - 1
    fitted = slice(0, origin.first - 1)
    ratio = series.returns[1 : origin.first] ** 2 / variance[1 : origin.first]

    def loss(weights: Floats) -> tuple[float, Floats]:
        factor = np.clip(features[fitted] @ weights, -LARGEST_LOG, LARGEST_LOG)
        left = ratio * np.exp(-factor)
        return float(np.mean(factor + left)), features[fitted].T @ (1 - left) / len(ratio)

    found = optimize.minimize(loss, np.zeros(features.shape[1]), jac=True, method="BFGS")
    factor = np.clip(features @ found.x, -LARGEST_LOG, LARGEST_LOG)
    scaled: Floats = variance * np.concatenate([[1.0], np.exp(factor)])
    return scaled


def riskmetrics_forecasts(series: Series, origin: Origin) -> Floats:
    """Variances of RiskMetrics by the cell whose forget gate is 0.94 for ever."""
    squares = series.returns[: origin.end - 1] ** 2
    start = float(np.mean(squares[: HAR_DAYS[-1]]))
    return variances_of(riskmetrics_cell(START_FORGET), squares, start)[origin.first - 1 :]


def har_forecasts(squares: Floats, recent: Floats, origin: Origin) -> Floats:
    """Variances of HAR: tomorrow's square on the means of the last day, week and month.

    squares : r^2 [N], what is forecast.   recent : r^2 or range [N], what it is forecast from. Weights and constant are
    not negative (Lawson & Hanson 1974), or a calm day would have a variance below zero.
    """
    total = np.concatenate([[0.0], np.cumsum(recent)])
    longest = HAR_DAYS[-1]
    at = np.arange(longest, origin.end)  # days forecast: those with a month before them
    means = [(total[at] - total[at - days]) / days for days in HAR_DAYS]
    features = np.stack([np.ones(len(at)), *means], axis=1)
    inside = at < origin.first
    weights, _ = optimize.nnls(features[inside], squares[at[inside]])
    forecast: Floats = features[~inside] @ weights
    return forecast


def baseline_table(series: Series) -> dict[str, Callable[[Origin], Floats]]:
    """Forecasts by name, for those that need nothing but an origin."""
    squares = series.returns**2
    table: dict[str, Callable[[Origin], Floats]] = {
        "RiskMetrics": lambda origin: riskmetrics_forecasts(series, origin),
        "HAR on squares": lambda origin: har_forecasts(squares, squares, origin),
    }
    variances = functools.lru_cache(maxsize=len(ORDERS))(lambda law, origin: arch_variances(series, origin, law)[0])
    for law in ORDERS:
        table[law] = lambda origin, law=law: variances(law, origin)[origin.first :]  # type: ignore[misc]
        if series.exogenous is not None:
            table[WITH_EXOGENOUS.format(law)] = (
                lambda origin, law=law: scaled_by_exogenous(  # type: ignore[misc]
                    series, origin, variances(law, origin)
                )[origin.first :]
            )
    if series.span is not None:
        span = series.span
        table["HAR on ranges"] = lambda origin: har_forecasts(squares, span, origin)
    return table


class OwnVariances(NamedTuple):
    """Variances by arch's own recursions with given parameters, each [N], and the start that it gives them."""

    start: float
    omega: float
    alpha: float
    beta: float
    riskmetrics: Floats
    garch: Floats


def arch_own_variances(returns: Floats) -> OwnVariances:
    """RiskMetrics with 0.94, and GARCH(1,1) with about the parameters that arch finds for returns [N]."""
    from arch.univariate import GARCH, EWMAVariance, ZeroMean  # noqa: PLC0415 - an optional package

    constant = ZeroMean(returns, volatility=EWMAVariance(START_FORGET), rescale=False)
    garch = ZeroMean(returns, volatility=GARCH(p=1, q=1), rescale=False)
    omega, alpha, beta = np.asarray(garch.fit(disp="off", show_warning=False).params).tolist()
    # a gate is never quite 0 or 1, and returns whose variance never moves have alpha 0
    alpha, beta = max(alpha, LEAST_GATE), min(max(beta, LEAST_GATE), 1 - 2 * LEAST_GATE)
    start = float(garch.volatility.backcast(returns))
    return OwnVariances(
        start=start,
        omega=omega,
        alpha=alpha,
        beta=beta,
        riskmetrics=np.asarray(constant.fix([]).conditional_volatility) ** 2,
        garch=np.asarray(garch.fix([omega, alpha, beta]).conditional_volatility) ** 2,
    )
