"""Log-likelihood of read counts under the cell, with its slopes, for many CpGs at once.

The state at time t is m = g + (m0 - g) exp(-k t); an unmethylated base is read as methylated with probability E, of a
conversion error, so that a read is methylated with probability p = E + (1 - E) m. Counts are binomial about p, or
beta-binomial, where the reads of one CpG and sample are overdispersed, with the correlation rho.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln, polygamma

Floats = NDArray[np.float64]

LOG_RATE, STEADY, START = range(3)  # the order of parameters: ln k, g, and m0 where it is fitted
TINY = 1e-60  # stands for a probability of 0: its logarithm and the square of its inverse are still finite


class ReadModel(NamedTuple):
    """Parameters common to all CpGs.

    elapsed : [T], time since the clock started.   error : E.   dispersion : rho, 0 for binomial counts.
    free_start : m0 is fitted; else it is 0.
    """

    elapsed: Floats
    error: float = 0.0
    dispersion: float = 0.0
    free_start: bool = False

    @property
    def parameters(self) -> int:
        """How many numbers each CpG has."""
        return 3 if self.free_start else 2


class Tilt(NamedTuple):
    """A weight [N] times the state at one age, added to the log-likelihood to find what the reads allow there."""

    age: float
    weight: Floats


class Reads(NamedTuple):
    """Counts as the likelihood wants them: modified and unmodified, float64 [T, N]; a tilt where one predicts."""

    modified: Floats
    unmodified: Floats
    tilt: Tilt | None = None

    def of(self, chosen: NDArray[np.intp]) -> "Reads":
        """Only some CpGs."""
        tilt = None if self.tilt is None else Tilt(self.tilt.age, self.tilt.weight[chosen])
        return Reads(self.modified[:, chosen], self.unmodified[:, chosen], tilt)


class Surface(NamedTuple):
    """The log-likelihood about a point. value : [N].   slope : [P, N].   curvature : [P, P, N]."""

    value: Floats
    slope: Floats
    curvature: Floats


def log_likelihood(point: Floats, reads: Reads, model: ReadModel) -> Floats:
    """Log-likelihood of each CpG's reads, [N], without the binomial coefficient. point : [P, N]."""
    return surface(point, reads, model).value


def surface(point: Floats, reads: Reads, model: ReadModel) -> Surface:
    """Log-likelihood with first and second derivatives by every parameter; point : [P, N]."""
    sums = Surface(
        np.zeros(point.shape[1]),
        np.zeros((model.parameters, point.shape[1])),
        np.zeros((model.parameters, model.parameters, point.shape[1])),
    )
    scale = 1 - model.error
    for time, modified, unmodified in zip(model.elapsed, reads.modified, reads.unmodified, strict=True):
        at_age = _state(point, time, model)
        probability, other = model.error + scale * at_age.state, scale * (1 - at_age.state)
        value, by_probability, by_probability_twice = _scatter(
            probability, other, modified, unmodified, model.dispersion
        )
        sums.value[:] += value
        _add(sums, at_age, by_probability * scale, by_probability_twice * scale**2)
    if reads.tilt is not None:
        at_age = _state(point, reads.tilt.age, model)
        sums.value[:] += reads.tilt.weight * at_age.state
        _add(sums, at_age, reads.tilt.weight, np.zeros_like(at_age.state))
    for row in range(model.parameters):
        for column in range(row):
            sums.curvature[row, column] = sums.curvature[column, row]
    return sums


class _State(NamedTuple):
    """State at one age [N], how each parameter moves it, and the second derivatives that are not 0."""

    state: Floats
    moves: tuple[Floats, ...]
    bends: dict[tuple[int, int], Floats]


def _state(point: Floats, age: float, model: ReadModel) -> _State:
    start = point[START] if model.free_start else 0.0
    aged = np.exp(point[LOG_RATE]) * age
    forget = np.exp(-aged)
    gap = (point[STEADY] - start) * forget
    # the state is linear in g and m0, so that only derivatives by ln k bend it
    bends = {
        (LOG_RATE, LOG_RATE): gap * aged * (1 - aged),
        (LOG_RATE, STEADY): forget * aged,
        (LOG_RATE, START): -forget * aged,
    }
    return _State(point[STEADY] - gap, (gap * aged, 1 - forget, forget)[: model.parameters], bends)


def _add(sums: Surface, at_age: _State, first: Floats, second: Floats) -> None:
    """Add one sample's derivatives by the state, by the chain rule; the upper triangle of the curvature alone."""
    for row, move in enumerate(at_age.moves):
        sums.slope[row] += first * move
        for column in range(row, len(at_age.moves)):
            sums.curvature[row, column] += second * move * at_age.moves[column]
            if (row, column) in at_age.bends:
                sums.curvature[row, column] += first * at_age.bends[row, column]


def state_at(point: Floats, age: float, model: ReadModel) -> Floats:
    """Methylation at one age, [N]."""
    return _state(point, age, model).state


def _scatter(
    probability: Floats, other: Floats, modified: Floats, unmodified: Floats, dispersion: float
) -> tuple[Floats, Floats, Floats]:
    """Log-likelihood of one sample, and its two derivatives by the probability of a methylated read; [N] each.

    other : 1 - probability. Concave in the probability, binomial or not: ln Gamma(n + x) - ln Gamma(x) is a sum
    of ln(x + i).
    """
    probability, other = np.maximum(probability, TINY), np.maximum(other, TINY)
    if dispersion == 0:
        per, per_other = modified / probability, unmodified / other
        value = modified * np.log(probability) + unmodified * np.log(other)
        return value, per - per_other, -per / probability - per_other / other
    size = (1 - dispersion) / dispersion  # a + b of the beta distribution whose intraclass correlation is rho
    alpha, beta = probability * size, other * size
    value = gammaln(modified + alpha) - gammaln(alpha) + gammaln(unmodified + beta) - gammaln(beta)
    value += gammaln(size) - gammaln(size + modified + unmodified)
    first = digamma(modified + alpha) - digamma(alpha) - digamma(unmodified + beta) + digamma(beta)
    second = polygamma(1, modified + alpha) - polygamma(1, alpha)
    second += polygamma(1, unmodified + beta) - polygamma(1, beta)
    return value, first * size, second * size**2
