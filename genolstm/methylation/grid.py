"""A grid of gates: what the cell does for each pair of rate and steady fraction."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.methylation.kinetic_form import Course
from genolstm.methylation.likelihood import Floats
from genolstm.methylation.trajectory import trajectory
from genolstm.settings.methylation import KineticForm, MethylationSettings

RATES, STEADY = 46, 34  # points of the grid along ln k and g
PROBABILITY_EDGE = 1e-6
SINGLE = Course()
EM_ROWS = 512  # CpGs whose weights are held at once in a round of EM: they stay in the processor's cache
Float32s = NDArray[np.float32]
KEPT_OFF = 0.005  # of the range of g at each end: at 0 and 1 a single read can have probability 0


class GateGrid(NamedTuple):
    """Rates [R] per unit of time and steady fractions [S]; a point of the grid is r * S + s, G = R * S in all."""

    rates: Floats
    steady: Floats

    @property
    def points(self) -> tuple[Floats, Floats]:
        """Rate and steady fraction of every point, [G] each."""
        return np.repeat(self.rates, len(self.steady)), np.tile(self.steady, len(self.rates))


def gate_grid(settings: MethylationSettings, size: tuple[int, int] = (RATES, STEADY)) -> GateGrid:
    """Cover the bounds of k, evenly in ln k, and of g, with so many points each."""
    wide = settings.steady_high - settings.steady_low
    return GateGrid(
        rates=np.geomspace(settings.rate_low, settings.rate_high, size[0]),
        steady=settings.steady_low + wide * np.linspace(KEPT_OFF, 1 - KEPT_OFF, size[1]),
    )


def fractions(points: tuple[Floats, Floats], elapsed: Floats, course: Course = SINGLE) -> Floats:
    """Methylation of a nascent strand at given ages under pairs of gates [G]; [G, T].

    By the cell's own steps, or, for a mixture of cells, by its closed form.
    """
    if course.form is not KineticForm.SINGLE:
        return points[1][:, None] * (1 - course.missing(points[0][:, None], elapsed))
    rate, steady = (torch.from_numpy(column) for column in points)
    order = np.argsort(elapsed)
    states: Floats = np.empty((len(rate), len(elapsed)))
    states[:, order] = trajectory(rate, steady, torch.zeros_like(rate), torch.from_numpy(elapsed[order])).numpy()
    return states


def with_error(fraction: Floats, error: float) -> Floats:
    """Probability of a methylated read where an unmethylated base is misread with probability `error`.

    It stays PROBABILITY_EDGE off 0 and 1: at age 0 the state is 0 at every point, and one methylated read would exclude
    all of them.
    """
    probability: Floats = np.clip(error + (1 - error) * fraction, PROBABILITY_EDGE, 1 - PROBABILITY_EDGE)
    return probability


def normal(weights: NDArray[Any]) -> Float32s:
    """Rows that sum to 1."""
    weighed: Float32s = weights / weights.sum(axis=-1, keepdims=True)
    return weighed


def learned_prior(likely: Float32s, rounds: int, start: Float32s | None = None) -> Float32s:
    """Weights of the grid that make the reads of all CpGs most likely, by EM from even ones or a start; [G].

    likely : [N, G], likelihood of each CpG's reads up to a factor.
    """
    prior = np.full(likely.shape[1], 1 / likely.shape[1], dtype=np.float32) if start is None else start
    for _ in range(rounds):
        total = np.zeros(likely.shape[1])
        for first in range(0, len(likely), EM_ROWS):
            total += normal(likely[first : first + EM_ROWS] * prior).sum(axis=0)
        prior = (total / len(likely)).astype(np.float32)
    return prior


def mean_over(weights: Float32s, values: Floats, classes: NDArray[np.intp] | None = None) -> Float32s:
    """Mean of values of the grid [G, A] under the weights of each CpG [n, G]; [n, A].

    classes : [n], where CpGs of different classes have values of their own, [C, G, A].
    """
    if classes is None:
        return np.asarray(weights @ values.astype(np.float32))
    found: Any = np.empty((len(weights), values.shape[2]), np.float32)
    for each in np.unique(classes):
        rows = classes == each
        found[rows] = weights[rows] @ values[each].astype(np.float32)
    return np.asarray(found)
