"""Intervals of the studies: over repeats, over days, over sessions."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from genolstm.estimate import Estimate

LEVEL = 0.95
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)


def over_repeats(values: Sequence[float] | NDArray[np.float64]) -> Estimate:
    """Mean of a few repeats with Student's interval; NaN ends for a single one."""
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean())
    if len(array) < 2:
        return Estimate(mean, math.nan, math.nan)
    half = float(stats.t.ppf(TAILS[1], len(array) - 1)) * float(array.std(ddof=1)) / math.sqrt(len(array))
    return Estimate(mean, mean - half, mean + half)


def percentiles(value: float, draws: NDArray[np.float64]) -> Estimate:
    """Value with the 2.5 and 97.5 percentiles of draws of it [n]."""
    low, high = np.quantile(draws, TAILS)
    return Estimate(value, float(low), float(high))


class MeanOfDays(NamedTuple):
    """Mean of a series of days that may depend on each other. p : of a mean of zero, two-sided."""

    interval: Estimate
    p: float


def mean_of_days(values: NDArray[np.float64]) -> MeanOfDays:
    """Mean with an interval that allows for days that depend on each other; values [n].

    Newey & West 1987: Bartlett weights, 4 (n/100)^(2/9) lags. Of differences of two forecasts' losses this is the
    test of Diebold & Mariano 1995.
    """
    n = len(values)
    mean = float(values.mean())
    centred = values - mean
    lags = int(4 * (n / 100) ** (2 / 9))
    variance = float(centred @ centred) / n
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(centred[lag:] @ centred[:-lag]) / n
    error = math.sqrt(max(variance, 0.0) / n)
    reach = float(special.ndtri(TAILS[1])) * error
    p = math.erfc(abs(mean) / error / math.sqrt(2)) if error > 0 else float(mean == 0)
    return MeanOfDays(Estimate(mean, mean - reach, mean + reach), p)


def auroc(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Fraction of (positive, negative) pairs in which the positive scores higher, ties half (Mann & Whitney 1947)."""
    ranks = stats.rankdata(scores)
    n = int(positive.sum())
    others = len(scores) - n
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * others))


def auroc_interval(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], rng: np.random.Generator, *, draws: int = 500
) -> Estimate:
    """AUROC with a bootstrap interval over rows; positives and negatives are drawn apart, so that none runs out."""
    yes, no = np.flatnonzero(positive), np.flatnonzero(~positive)
    label = np.repeat([True, False], [len(yes), len(no)])
    found = [
        auroc(np.concatenate([scores[rng.choice(yes, len(yes))], scores[rng.choice(no, len(no))]]), label)
        for _ in range(draws)
    ]
    return percentiles(auroc(scores, positive), np.array(found))


def written(interval: Estimate, digits: int = 2) -> str:
    """An interval as text: '0.71 (0.68 to 0.74)', or the value alone where it has no ends."""
    if math.isnan(interval.low):
        return f"{interval.value:.{digits}f}"
    return f"{interval.value:.{digits}f} ({interval.low:.{digits}f} to {interval.high:.{digits}f})"


def fraction_over_repeats(values: Sequence[float] | NDArray[np.float64]) -> Estimate:
    """Mean of a few fractions, or R2s, with Student's interval cut to 0 and 1."""
    value, low, high = over_repeats(values)
    return Estimate(value, max(low, 0.0), min(high, 1.0))  # a NaN end stays NaN: it is given first
