"""A grid of gates: what the cell does for each pair of rate and steady fraction."""

from typing import NamedTuple

import numpy as np
import torch

from genolstm.methylation.kinetic_form import Course
from genolstm.methylation.likelihood import Floats
from genolstm.methylation.trajectory import trajectory
from genolstm.settings.methylation import KineticForm, MethylationSettings

RATES, STEADY = 46, 34  # points of the grid along ln k and g
PROBABILITY_EDGE = 1e-6
SINGLE = Course()
KEPT_OFF = 0.005  # of the range of g at each end: at 0 and 1 a single read can have probability 0


class GateGrid(NamedTuple):
    """Rates [R] per unit of time and steady fractions [S]; a point of the grid is r * S + s, G = R * S in all."""

    rates: Floats
    steady: Floats

    @property
    def points(self) -> tuple[Floats, Floats]:
        """Rate and steady fraction of every point, [G] each."""
        return np.repeat(self.rates, len(self.steady)), np.tile(self.steady, len(self.rates))


def gate_grid(settings: MethylationSettings) -> GateGrid:
    """Cover the bounds of k, evenly in ln k, and of g."""
    wide = settings.steady_high - settings.steady_low
    return GateGrid(
        rates=np.geomspace(settings.rate_low, settings.rate_high, RATES),
        steady=settings.steady_low + wide * np.linspace(KEPT_OFF, 1 - KEPT_OFF, STEADY),
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
