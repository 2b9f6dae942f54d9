"""How the samples that a lag costs grow with it: as a power, or exponentially; some networks never learned."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from genolstm.estimate import Estimate
from genolstm.store.study import Claim, Column, Table
from genolstm.studies.intervals import TAILS, written

Floats = NDArray[np.float64]
POWER, EXPONENTIAL = "power", "exponential"
LEAST_LAGS = 5  # below it no law is fitted
LEAST_REACHED = 3  # lags at which some network learned
SHOWN = 2.0  # AICc by which a law is better (Burnham & Anderson 2002)
LEAST_SPREAD = 0.05  # of ln samples: they are counted in steps of one check
PLANTED_EXPONENT, PLANTED_SPREAD, DRAWS = 1.5, 0.3, 20
TOLD_APART = 0.9
STEP = 1e-4  # of the differences that give the curvature


class Law(NamedTuple):
    """One law fitted to one cell.

    start : ln samples at x = 0.   slope : the exponent of a power of the lag, or the rate of an exponential, a step.
    spread : deviation of ln samples.   aicc : Akaike's criterion, corrected for small samples.
    """

    start: float
    slope: Estimate
    spread: float
    aicc: float


def scale_of(law: str, lags: Floats) -> Floats:
    """What ln samples are linear in: the lag, or its logarithm."""
    return np.log(lags) if law == POWER else lags


def fit_law(law: str, lags: Floats, samples: Floats, most: float) -> Law:
    """Fit ln samples = start + slope x by maximum likelihood; what was not learned needs more than `most`.

    lags : [L].   samples : [repeats, L], inf where not learned. A normal law of ln samples, censored from above
    (Tobin 1958). The interval of the slope is from the curvature at the maximum.
    """
    x = np.broadcast_to(scale_of(law, lags), samples.shape).ravel()
    y = np.log(np.where(np.isfinite(samples), samples, most)).ravel()
    learned = np.isfinite(samples).ravel()
    centre, width = float(x.mean()), float(np.ptp(x))

    def surprise(parameters: Floats) -> float:
        level, slope, log_spread = parameters
        spread = LEAST_SPREAD + math.exp(log_spread)
        z = (y - level - slope * (x - centre) / width) / spread
        return float(np.sum(0.5 * z[learned] ** 2 + math.log(spread * math.sqrt(2 * math.pi)))
                     - stats.norm.logsf(z[~learned]).sum())  # fmt: skip

    slope, level = np.polyfit((x - centre) / width, y, 1)
    start = np.array([level, slope, math.log(max(float(np.std(y - level - slope * (x - centre) / width)), 1e-2))])
    options = {"maxiter": 2000, "xatol": 1e-5, "fatol": 1e-7}
    found = optimize.minimize(surprise, start, method="Nelder-Mead", options=options)
    level, slope, log_spread = found.x
    error = math.sqrt(max(float(np.linalg.pinv(_curvature(surprise, found.x))[1, 1]), 0.0))
    reach = float(stats.norm.ppf(TAILS[1])) * error
    k, n = 3, len(y)
    return Law(
        start=float(level - slope * centre / width),
        slope=Estimate(*(float(each / width) for each in (slope, slope - reach, slope + reach))),
        spread=LEAST_SPREAD + math.exp(log_spread),
        aicc=2 * k + 2 * float(found.fun) + 2 * k * (k + 1) / (n - k - 1),
    )


def _curvature(function: Callable[[Floats], float], at: Floats) -> Floats:
    """Second derivatives by central differences, [n, n]."""
    n = len(at)
    steps = np.eye(n) * STEP
    found = np.empty((n, n))
    for one in range(n):
        for other in range(n):
            found[one, other] = (
                function(at + steps[one] + steps[other]) - function(at + steps[one] - steps[other])
                - function(at - steps[one] + steps[other]) + function(at - steps[one] - steps[other])
            ) / (4 * STEP**2)  # fmt: skip
    return found


def fit_laws(samples: Mapping[str, Floats], lags: tuple[int, ...], most: float) -> dict[str, dict[str, Law]]:
    """Both laws for each cell that learned at enough lags; none with too few lags."""
    if len(lags) < LEAST_LAGS:
        return {}
    return {
        cell: {law: fit_law(law, np.array(lags, np.float64), found, most) for law in (POWER, EXPONENTIAL)}
        for cell, found in samples.items()
        if int(np.isfinite(found).any(axis=0).sum()) >= LEAST_REACHED
    }


def law_claims(laws: Mapping[str, Mapping[str, Law]], *, lags: tuple[int, ...], right: float) -> tuple[Claim, ...]:
    """Which law each cell follows; and whether this way of asking is right about made samples."""
    if len(lags) < LEAST_LAGS:
        return ()
    made = [
        Claim(
            f"{cell} grows as a power", f"Samples of the {cell.upper()} grow as a power of the lag, not exponentially.",
            each[EXPONENTIAL].aicc - each[POWER].aicc > SHOWN, each[EXPONENTIAL].aicc - each[POWER].aicc, math.nan,
            math.nan, "AICc", f"AICc of the exponential less that of the power; {SHOWN:g} decides. Exponent"
            f" {written(each[POWER].slope)}, or rate {written(each[EXPONENTIAL].slope, 3)} a step; {len(lags)} lags.",
        )
        for cell, each in laws.items()
    ]  # fmt: skip
    return (
        *made,
        Claim(
            "laws are told apart", "Of made samples that follow either law, the right law is chosen.",
            right >= TOLD_APART, right, math.nan, math.nan, "of made sets",
            f"{2 * DRAWS} sets of as many lags and networks, exponent {PLANTED_EXPONENT:g} or as much growth"
            f" exponentially, deviation {PLANTED_SPREAD:g} of ln samples; holds from {TOLD_APART:g}.",
        ),
    )  # fmt: skip


def right_on_made(lags: tuple[int, ...], repeats: int, rng: np.random.Generator) -> float:
    """Fraction of made sets of samples whose law is told, half of them of either law; some are not learned."""
    x = np.array(lags, np.float64)
    growth = PLANTED_EXPONENT * math.log(x[-1] / x[0])
    right = 0
    for law in (POWER, EXPONENTIAL):
        scale = scale_of(law, x)
        mean = growth * (scale - scale[0]) / (scale[-1] - scale[0])
        for _ in range(DRAWS):
            samples = np.exp(mean + PLANTED_SPREAD * rng.normal(size=(repeats, len(x))))
            most = math.exp(growth)  # about half of those at the longest lag need more
            samples[samples > most] = math.inf
            fits = {each: fit_law(each, x, samples, most).aicc for each in (POWER, EXPONENTIAL)}
            right += min(fits, key=lambda each: fits[each]) == law
    return right / (2 * DRAWS)


def law_table(laws: Mapping[str, Mapping[str, Law]]) -> Table:
    """One row for each cell and law."""
    rows = [(cell, name, law) for cell, each in laws.items() for name, law in each.items()]
    return {
        "cell": Column(tuple(cell for cell, _, _ in rows), "", "row of the family"),
        "law": Column(tuple(name for _, name, _ in rows), "", "power: lag^slope; exponential: e^(slope lag)"),
        "start": Column(np.array([law.start for _, _, law in rows]), "ln sequences", "at a lag of 1, or of 0"),
        "slope": Column(np.array([law.slope.value for _, _, law in rows]), "", "exponent, or rate a step"),
        "low": Column(np.array([law.slope.low for _, _, law in rows]), "", "95 % interval, from the curvature"),
        "high": Column(np.array([law.slope.high for _, _, law in rows]), "", ""),
        "spread": Column(np.array([law.spread for _, _, law in rows]), "", "deviation of ln sequences"),
        "aicc": Column(np.array([law.aicc for _, _, law in rows]), "", "less is better"),
    }
