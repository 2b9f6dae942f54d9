"""Methylation at ages that were not sampled, with intervals, from a fit."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from genolstm.errors import UsageError
from genolstm.methylation.ascent import Box, climb
from genolstm.methylation.coupled import NEARBY_BP, coupled_states, stretch_course
from genolstm.methylation.grid import fractions
from genolstm.methylation.kinetic_form import course_of
from genolstm.methylation.likelihood import Floats, ReadModel, Reads, Tilt, log_likelihood, state_at
from genolstm.methylation.site_fit import CHUNK_SITES, reads_of
from genolstm.methylation.tracks import widths
from genolstm.regions import STRAND_LETTERS
from genolstm.settings.methylation import KineticForm
from genolstm.store.methylation import MethylationFit, Posterior

DRAWN_SITES = 1024  # CpGs whose drawn states are held at once
MOST_TILTS = 40  # weights tried per end of an interval
LEAST_TILT, MOST_TILT = 1e-3, 1e7  # a fraction moves by less than any read could show beyond these
ROOT_TOLERANCE = 1e-3  # of the root of the deviance at an interval's end


class Predicted(NamedTuple):
    """Fractions at some ages, float64 [N, A] each; NaN where nothing was fitted."""

    fraction: Floats
    low: Floats
    high: Floats


def predict(fit: MethylationFit, ages: Floats, level: float) -> Predicted:
    """Fraction of each CpG at each age (offset included), with intervals.

    Site fits : the state of the fit; its interval holds all states that some k, g and m0 reach whose log-likelihood is
    within chi-squared / 2 of the best (profile likelihood). Pooled fits : mean and quantiles of the posterior draws.
    """
    if fit.posterior is not None:
        return _from_draws(fit, fit.posterior, ages, level)
    answer = Predicted(*(np.full((len(fit), len(ages)), np.nan) for _ in Predicted._fields))
    model = ReadModel(fit.elapsed, fit.numbers["conversion_error"], fit.numbers["dispersion"], fit.free_start)
    drop = chi2.ppf(level, 1) / 2
    fitted = np.flatnonzero(np.isfinite(fit.rate))
    for first in range(0, len(fitted), CHUNK_SITES):
        rows = fitted[first : first + CHUNK_SITES]
        reads = reads_of(fit.modified[rows], fit.covered[rows])
        parts = [np.log(fit.rate[rows]), fit.steady[rows], fit.start[rows]][: model.parameters]
        top, box = np.stack(parts), _box(fit, model, len(rows))
        for place, age in enumerate(ages):
            with np.errstate(all="ignore"):
                answer.fraction[rows, place] = state_at(top, age, model)
                answer.low[rows, place] = _end(top, reads, box, model, age, -1, drop)
                answer.high[rows, place] = _end(top, reads, box, model, age, +1, drop)
    return answer


def ages_of(fit: MethylationFit, times: tuple[float, ...]) -> Floats:
    """Ages at times on the clock of the fit's samples. Raises UsageError for a time before the clock starts."""
    offset = fit.numbers["time_offset"]
    for time in times:
        if time + offset < 0:
            raise UsageError(f"time {time:g} lies before the clock starts, at {-offset:g}; give a later one.")
    return np.array(times) + offset


def predict_columns(
    fit: MethylationFit, times: tuple[float, ...], ages: Floats, level: float
) -> list[tuple[str, NDArray[Any] | list[str]]]:
    """Name and values of each column of a table with one row a CpG and time."""
    predicted = predict(fit, ages, level)
    rows = np.repeat(np.arange(len(fit)), len(times))
    start = fit.position[rows]
    return [
        ("contig", [fit.contigs[index] for index in fit.contig[rows].tolist()]),
        ("start", start),
        ("end", start + widths(fit)[rows]),
        ("strand", [STRAND_LETTERS[sign] for sign in fit.strand[rows].tolist()]),
        (f"time_{fit.unit}", np.tile(np.array(times), len(fit))),
        ("fraction", predicted.fraction.ravel()),
        ("fraction_low", predicted.low.ravel()),
        ("fraction_high", predicted.high.ravel()),
    ]


def _box(fit: MethylationFit, model: ReadModel, count: int) -> Box:
    numbers = fit.numbers
    low = np.array([np.log(numbers["rate_low"]), numbers["steady_low"], 0.0])[: model.parameters]
    high = np.array([np.log(numbers["rate_high"]), numbers["steady_high"], 1.0])[: model.parameters]
    return Box(np.tile(low[:, None], count), np.tile(high[:, None], count))


def _end(top: Floats, reads: Reads, box: Box, model: ReadModel, age: float, side: int, drop: float) -> Floats:
    """Lowest or highest state at one age that the reads allow, [N].

    The state is pulled by a weight until the log-likelihood has fallen by `drop`: a Lagrange multiplier. Its fall is
    nearly quadratic in the weight, so that steps in their logarithms find it.
    """
    best = log_likelihood(top, reads, model)
    target = np.sqrt(2 * drop)
    point, answer = top.copy(), state_at(top, age, model)
    low, high = np.full(len(best), np.log(LEAST_TILT)), np.full(len(best), np.log(MOST_TILT))
    weight = np.full(len(best), np.log(10.0))
    chosen = np.arange(len(best))
    for _ in range(MOST_TILTS):
        mine = reads.of(chosen)
        pulled, _ = climb(
            point[:, chosen], mine._replace(tilt=Tilt(age, side * np.exp(weight[chosen]))), box.of(chosen), model
        )
        point[:, chosen] = pulled
        fallen = np.sqrt(np.maximum(2 * (best[chosen] - log_likelihood(pulled, mine, model)), 1e-12))
        within = fallen <= target * (1 + ROOT_TOLERANCE)
        state = state_at(pulled, age, model)
        further = within & (side * (state - answer[chosen]) > 0)
        answer[chosen[further]] = state[further]
        low[chosen] = np.where(within, weight[chosen], low[chosen])
        high[chosen] = np.where(within, high[chosen], weight[chosen])
        step = weight[chosen] + np.log(target / fallen)
        middle = (low[chosen] + high[chosen]) / 2
        weight[chosen] = np.where((step > low[chosen]) & (step < high[chosen]), step, middle)
        going = (np.abs(fallen - target) > target * ROOT_TOLERANCE) & (high[chosen] - low[chosen] > ROOT_TOLERANCE)
        chosen = chosen[going]
        if not chosen.size:
            break
    return answer


def _from_draws(fit: MethylationFit, posterior: Posterior, ages: Floats, level: float) -> Predicted:
    states_of = _drawn_states(fit, posterior, ages)
    answer = Predicted(*(np.empty((len(fit), len(ages))) for _ in Predicted._fields))
    tail = (1 - level) / 2
    for first in range(0, len(fit), DRAWN_SITES):
        part = slice(first, first + DRAWN_SITES)
        unknown = ~np.isfinite(fit.rate[part])
        states = states_of(part)  # [n, D, A]
        for place in range(len(ages)):
            drawn = states[..., place]
            answer.fraction[part, place] = drawn.mean(axis=1)
            answer.low[part, place], answer.high[part, place] = np.quantile(drawn, [tail, 1 - tail], axis=1)
        for column in answer:
            column[part][unknown] = np.nan
    return answer


def _drawn_states(fit: MethylationFit, posterior: Posterior, ages: Floats) -> Callable[[slice], Floats]:
    """States of the draws of some CpGs, [n, D, A]; of the coupled form among the neighbours' own courses."""
    course = course_of(fit)
    if course.form is not KineticForm.COUPLED:
        grid_states = fractions((posterior.rate, posterior.steady), ages, course)  # [G, A]
        return lambda part: grid_states[posterior.draws[part]]
    among = stretch_course((fit.rate, fit.steady), fit.contig, fit.position, ages, course.parameter, NEARBY_BP)
    asked = np.searchsorted(among.steps, ages)

    def states(part: slice) -> Floats:
        gates = posterior.rate[posterior.draws[part]], posterior.steady[posterior.draws[part]]
        near, last = among.near[part, None], among.near_steady[part, None]
        return coupled_states(*gates, near, last, among.steps, course.parameter)[..., asked]

    return states
