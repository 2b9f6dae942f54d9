"""The collaborative cell: methylated neighbours speed gain, so that the methylated fraction nearby sets the gates.

m' = k g r(M) (1 - m) - k (1 - g) r(G) m, with r(M) = 1 + b M^2: M is the methylated fraction of the neighbours at that
time, G what it comes to, and b the recruitment that all CpGs share. k is the rate where nothing nearby is methylated, g
still the fraction at which the CpG rests, and b = 0 the single cell. Gain needs two methylated neighbours, the least
with which a stretch of CpGs can have two stable states (Dodd et al. 2007; Haerter et al. 2014). A step of the cell
holds M still.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.methylation.likelihood import Floats
from genolstm.methylation.neighbourhood import neighbour_sums

NEARBY_BP = 200.0  # over which neighbours recruit, where it is fitted
STEPS = 32  # of the cell, on the way to the last age
ROUNDS, TOLERANCE = 100, 1e-6  # of states and those of neighbours in turn
BETWEEN = 0.02  # steps at first, of the last age


def recruited(near: Any, recruitment: float) -> Any:  # noqa: ANN401  (a number or an array)
    """r: how much faster than alone a CpG gains methylation, where so much of what is near is methylated."""
    return 1 + recruitment * near**2


def steps_to(ages: Floats) -> Floats:
    """Ages at which the cell steps, from 0, closer while the strand is young; they hold the ages given."""
    last = float(ages.max(initial=0.0)) or 1.0
    return np.unique(np.concatenate([[0.0], last * np.geomspace(BETWEEN / STEPS, 1, STEPS), ages]))


def coupled_states(
    rate: Floats, steady: Floats, near: Floats, near_steady: Floats, steps: Floats, recruitment: float
) -> Floats:
    """Methylation at each step of CpGs of given surroundings, unmethylated at the first step; [..., S].

    rate, steady : [...].   near : [..., S], methylated fraction nearby.   near_steady : [...], what it reaches.
    """
    gain, loss = rate * steady, rate * (1 - steady) * recruited(near_steady, recruitment)
    state = np.zeros(np.broadcast_shapes(gain.shape, near.shape[:-1]))
    states = [state]
    for place in range(1, len(steps)):
        speed = gain * recruited((near[..., place - 1] + near[..., place]) / 2, recruitment)
        kept = np.exp(-(speed + loss) * (steps[place] - steps[place - 1]))
        state = kept * state + (1 - kept) * speed / (speed + loss)
        states.append(state)
    return np.stack(states, axis=-1)


def nearby(
    values: Floats,
    contig: NDArray[np.int32],
    position: NDArray[np.int64],
    distance_bp: float,
    *,
    least: float = 0.0,
    mean: Floats | None = None,
) -> Floats:
    """Mean of the values [N, S] of all other CpGs, weighted exp(-distance / distance_bp); [N, S].

    least : weight that the mean of all has beside them; a CpG without neighbours has that mean in any case.
    mean : of all CpGs [S], where these are but some.
    """
    weighed = neighbour_sums(np.append(values, np.ones((len(values), 1)), axis=1), contig, position, distance_bp)
    total = weighed[:, -1:] + least
    mean = values.mean(axis=0) if mean is None else mean
    near: Floats = np.where(total > 0, (weighed[:, :-1] + least * mean) / np.where(total > 0, total, 1), mean)
    return near


class StretchCourse(NamedTuple):
    """Courses of CpGs that are each other's neighbours. steps : ages [S].   states, near : [N, S].

    near_steady : [N], what `near` comes to.
    """

    steps: Floats
    states: Floats
    near: Floats
    near_steady: Floats

    def at(self, ages: Floats) -> Floats:
        """States at ages that the steps hold, [N, A]."""
        found: Floats = self.states[:, np.searchsorted(self.steps, ages)]
        return found


def stretch_course(
    gates: tuple[Floats, Floats],
    contig: NDArray[np.int32],
    position: NDArray[np.int64],
    ages: Floats,
    recruitment: float,
    distance_bp: float,
) -> StretchCourse:
    """Methylation on the way to given ages of CpGs with these rates and steady fractions, [N] each."""
    steps, (rate, steady) = steps_to(ages), gates
    near_steady = nearby(steady[:, None], contig, position, distance_bp)[:, 0]
    near = np.zeros((len(rate), len(steps)))
    for _ in range(ROUNDS):  # Picard's iteration: more of the course is right each time
        states = coupled_states(rate, steady, near, near_steady, steps, recruitment)
        before, near = near, nearby(states, contig, position, distance_bp)
        if np.abs(near - before).max(initial=0.0) < TOLERANCE:
            break
    return StretchCourse(steps, states, near, near_steady)
