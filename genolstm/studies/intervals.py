"""Intervals of the studies: over repeats, over days, over sessions."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from genolstm.estimate import Estimate, holm
from genolstm.store.study import Claim

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


def median_interval(values: NDArray[np.float64]) -> Estimate:
    """Median with an interval from the order of the values alone; NaN ends for fewer than six.

    The ends are the order statistics between which a median lies with 95 % at least (Conover 1999).
    """
    ordered = np.sort(values)
    below = int(stats.binom.ppf(TAILS[0], len(ordered), 0.5)) - 1
    low, high = (ordered[below], ordered[-1 - below]) if below >= 0 else (math.nan, math.nan)
    return Estimate(float(np.median(ordered)), float(low), float(high))


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


def claimed(
    name: str,
    statement: str,
    found: Estimate,
    unit: str,
    because: str,
    *,
    above: float | None = None,
    below: float | None = None,
    repeats: int = 0,
) -> Claim:
    """Make a claim that holds where the whole interval lies above, or below, a number.

    repeats : behind an interval of `over_repeats`, for its p; 0 where it is of many days, sites or sessions. An
    interval that is not symmetric is taken as one of its wider side.
    """
    null = above if above is not None else below
    if null is None or (above is not None and below is not None):
        raise ValueError("a claim is about what lies above a number, or below it")
    holds = found.low > null if above is not None else found.high < null
    sign = 1 if above is not None else -1
    return Claim(name, statement, bool(holds), *found, unit, because, _p(found, null, sign, repeats))


def _p(found: Estimate, null: float, sign: int, repeats: int) -> float:
    law = stats.t(repeats - 1) if repeats else stats.norm
    reach = max(found.high - found.value, found.value - found.low)
    if not math.isfinite(reach):
        return math.nan if math.isnan(reach) else 1.0
    distance = sign * (found.value - null)
    if reach == 0:
        return float(distance <= 0)
    return min(1.0, 2 * float(law.sf(distance / reach * law.ppf(TAILS[1]))))


class Tally(NamedTuple):
    """Claims of one run. decided : by an interval.   held, corrected : of those, how many hold, and hold by Holm too.

    by_chance : how many would hold, on average, were there nothing to any of them.
    """

    decided: int
    held: int
    corrected: int
    by_chance: float


def tally(claims: Sequence[Claim]) -> Tally:
    """Count claims that an interval decides, as they stand and corrected for their number (Holm 1979)."""
    decided = [claim for claim in claims if not math.isnan(claim.p)]
    adjusted = holm([claim.p for claim in decided])
    return Tally(
        len(decided),
        sum(claim.holds for claim in decided),
        sum(claim.holds and p < 1 - LEVEL for claim, p in zip(decided, adjusted, strict=True)),
        round(len(decided) * TAILS[0], 6),
    )
