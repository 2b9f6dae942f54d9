"""Forgetting curves, fitted to Ebbinghaus's savings: few points, so that every parameter is counted."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from genolstm.estimate import Estimate
from genolstm.studies.intervals import percentiles

Floats = NDArray[np.float64]

# Ebbinghaus 1885, chapter 7, section 28 (translation by Ruger & Bussenius 1913, pages 76 and 78): the table's hours to
# the minute, as his formula takes them less its minute of grace; work saved in relearning; and its probable error
MINUTES = np.array([19.0, 63.0, 525.0, 1440.0, 2880.0, 8640.0, 44640.0])
SAVINGS = np.array([0.582, 0.442, 0.358, 0.337, 0.278, 0.254, 0.211])
PROBABLE_ERROR = np.array([0.010, 0.010, 0.010, 0.012, 0.014, 0.013, 0.008])
ERROR = PROBABLE_ERROR / float(stats.norm.ppf(0.75))  # half of all means fall within the probable error
GRACE_MINUTES = 1.0  # his t counts "from one minute before the end of the learning"
DAY = 1440.0


class Law(NamedTuple):
    """A forgetting curve.

    name, formula : as the table shows them.   keeps : (parameters, minutes [n]) -> fraction kept, 1 at 0 minutes for
    those that know when learning ended.   low, high : where parameters are sought; logarithms of times.
    cell : whether it is what cells of constant forget gates give.
    """

    name: str
    formula: str
    keeps: Callable[[Floats, Floats], Floats]
    low: tuple[float, ...]
    high: tuple[float, ...]
    cell: bool


LN_TAU = (math.log(1.0), math.log(1e9))  # a minute to 2000 years


def _units(parameters: Floats, minutes: Floats) -> Floats:
    """Several units: ln tau of each, then the weights of all but the last as a fraction of what is left."""
    count = (len(parameters) + 1) // 2
    rest, total = 1.0, np.zeros_like(minutes)
    for place in range(count):
        part = rest * (parameters[count + place] if place < count - 1 else 1.0)
        total, rest = total + part * np.exp(-minutes / np.exp(parameters[place])), rest - part
    return total


def relearning_savings(learned: float, kept: Floats) -> Floats:
    """Fraction of the time of learning that relearning saves in a unit of constant forget gate.

    Study holds the input at 1, so that a unit rises as 1 - e^(-t/tau): it needs T = -tau ln(1 - learned) from nothing,
    and from what is left of it, learned * kept, a fraction ln(1 - learned * kept) / ln(1 - learned) less.
    """
    saved: Floats = np.log1p(-learned * kept) / math.log1p(-learned)
    return saved


def _relearned(parameters: Floats, minutes: Floats) -> Floats:
    learned = -math.expm1(-parameters[1])  # as -ln(1 - learned), study time over tau: learned may be all but 1
    return relearning_savings(learned, np.exp(-minutes / np.exp(parameters[0])))


def _ebbinghaus(parameters: Floats, minutes: Floats) -> Floats:
    kept: Floats = parameters[0] / (np.log10(minutes + GRACE_MINUTES) ** parameters[1] + parameters[0])
    return kept


LAWS = (
    Law("one unit", "exp(-t/a)", _units, LN_TAU[:1], LN_TAU[1:], True),
    Law(
        "one unit, scaled",
        "b exp(-t/a)",
        lambda p, t: p[1] * np.exp(-t / np.exp(p[0])),
        (LN_TAU[0], 0.0),
        (LN_TAU[1], 1.0),
        True,
    ),
    Law(
        "one unit and a constant",
        "b + (1-b) exp(-t/a)",
        lambda p, t: p[1] + (1 - p[1]) * np.exp(-t / np.exp(p[0])),
        (LN_TAU[0], 0.0),
        (LN_TAU[1], 1.0),
        True,
    ),
    Law("two units", "w exp(-t/a) + (1-w) exp(-t/b)", _units, (*LN_TAU[:1] * 2, 0.0), (*LN_TAU[1:] * 2, 1.0), True),
    Law("three units", "sum of three", _units, (*LN_TAU[:1] * 3, 0.0, 0.0), (*LN_TAU[1:] * 3, 1.0, 1.0), True),
    Law("one unit, relearned", "ln(1-m exp(-t/a)) / ln(1-m)", _relearned, (LN_TAU[0], 1e-3), (LN_TAU[1], 36.0), True),
    Law("power", "b t^-a", lambda p, t: p[1] * t ** -p[0], (1e-3, 1e-2), (3.0, 3.0), False),
    Law(
        "power from 1",
        "(1 + t/a)^-b",
        lambda p, t: (1 + t / np.exp(p[0])) ** -p[1],
        (math.log(1e-6), 1e-3),
        (LN_TAU[1], 3.0),
        False,
    ),
    Law(
        "Wickelgren's power",
        "m (1 + t/a)^-b",
        lambda p, t: p[2] * (1 + t / np.exp(p[0])) ** -p[1],
        (math.log(1e-6), 1e-3, 0.1),
        (LN_TAU[1], 3.0, 3.0),
        False,
    ),
    Law("Ebbinghaus's logarithm", "k / ((lg t)^c + k)", _ebbinghaus, (1e-2, 1e-2), (50.0, 5.0), False),
)


class Fitted(NamedTuple):
    """A law at its best.

    r2 : fraction of the savings' variance.   left_out : root mean square error at points that were not fitted, each in
    turn.   aicc : Akaike's criterion for few points; inf where parameters and points are about as many.
    chi2, p : of the fit that weighs points by their errors, and how probable one as bad would be were the law true.
    """

    law: Law
    parameters: Floats
    r2: Estimate
    left_out: float
    aicc: float
    chi2: float
    p: float


def best_fit(
    law: Law, minutes: Floats, savings: Floats, starts: Floats, error: Floats | float = 1.0
) -> tuple[Floats, float]:
    """Parameters of least squares, from the best of several starts [n, parameters], and the sum of squares."""
    low, high = np.array(law.low), np.array(law.high)

    def misses(at: Floats) -> Floats:
        return np.nan_to_num((law.keeps(at, minutes) - savings) / error, nan=1e3, posinf=1e3, neginf=-1e3)

    found = [optimize.least_squares(misses, low + part * (high - low), bounds=(low, high)) for part in starts]
    best = min(found, key=lambda each: each.cost)
    return best.x, 2 * float(best.cost)


def fraction_explained(savings: Floats, kept: Floats) -> float:
    """R2."""
    return 1 - float(np.sum((savings - kept) ** 2) / np.sum((savings - savings.mean()) ** 2))


def aicc(squares: float, points: int, parameters: int) -> float:
    """Akaike's criterion with the correction for few points (Hurvich & Tsai 1989); the error counts as a parameter."""
    k = parameters + 1
    if points - k - 1 <= 0:
        return math.inf
    return points * math.log(squares / points) + 2 * k + 2 * k * (k + 1) / (points - k - 1)


def fit(law: Law, rng: np.random.Generator, *, starts: int, draws: int) -> Fitted:
    """Fit one law, leave each point out, weigh by errors, and draw the table anew from its errors for R2's interval."""
    scattered = rng.uniform(0.02, 0.98, size=(starts, len(law.low)))
    parameters, squares = best_fit(law, MINUTES, SAVINGS, scattered)
    span = np.array(law.high) - np.array(law.low)
    near = np.clip((parameters - law.low) / span, 1e-6, 1 - 1e-6)[None]
    misses = []
    for point in range(len(MINUTES)):
        others = np.arange(len(MINUTES)) != point
        again, _ = best_fit(law, MINUTES[others], SAVINGS[others], np.concatenate([near, scattered[: starts // 3]]))
        misses.append(float(law.keeps(again, MINUTES[point : point + 1])[0] - SAVINGS[point]))
    drawn = []
    for _ in range(draws):
        savings = SAVINGS + rng.normal(size=len(SAVINGS)) * ERROR
        drawn.append(fraction_explained(savings, law.keeps(best_fit(law, MINUTES, savings, near)[0], MINUTES)))
    _, chi2 = best_fit(law, MINUTES, SAVINGS, np.concatenate([near, scattered]), ERROR)
    return Fitted(
        law=law,
        parameters=parameters,
        r2=percentiles(fraction_explained(SAVINGS, law.keeps(parameters, MINUTES)), np.array(drawn)),
        left_out=math.sqrt(float(np.mean(np.square(misses)))),
        aicc=aicc(squares, len(MINUTES), len(law.low)),
        chi2=chi2,
        p=float(stats.chi2.sf(chi2, len(MINUTES) - len(law.low))),
    )
