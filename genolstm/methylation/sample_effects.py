"""What a sample adds at all CpGs at once: a shift of its age, strands that are not new, bases that are misread.

Each is apart from the others by how it goes with the gates: a shift by g k exp(-k t), old strands by g exp(-k t) (they
rest at g), misread bases by 1 - m. Common to all samples they are no effects but another k, form and error of
conversion, which reads cannot tell; so each is small until the reads say otherwise, and ages are right on the whole.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.errors import UsageError
from genolstm.methylation.grid import PROBABILITY_EDGE, Float32s, fractions, gate_grid, learned_prior
from genolstm.methylation.kinetic_form import Course
from genolstm.methylation.likelihood import Floats
from genolstm.methylation.neighbourhood import SiteReads
from genolstm.methylation.scatter import pair_log_likelihood, paired
from genolstm.settings.methylation import KineticForm, MethylationSettings

WIDE = 1.96  # standard deviations of an interval of 95 %


class SampleEffects(NamedTuple):
    """Effects of T samples. age : [T], as told.   age_shift : added to it.

    old : fraction of strands that are not new.   misread : more error of conversion.
    """

    age: Floats
    age_shift: Floats
    old: Floats
    misread: Floats


def with_effects(state: Floats, steady: Floats, effects: SampleEffects, error: float) -> Floats:
    """Probability of a methylated read; state : [..., T], at the shifted ages.   steady : [..., 1]."""
    mixed = (1 - effects.old) * state + effects.old * steady
    wrong = 1 - (1 - error) * (1 - effects.misread)
    probability: Floats = wrong + (1 - wrong) * mixed
    return probability


NAMES = ("age_shift", "old", "misread")
USUAL = (0.2, 0.1, 0.03)  # standard deviation beforehand: of the shift relative to age, of the two fractions
CLUSTER = 20  # neighbouring CpGs whose reads may be of the same molecules
SUPPORT, RIDGE = 1e-2, 1e-3  # of an even prior, the least weight there; of the squares
TOLD_APART = 0.7  # of the usual standard deviation is left, at most, where the reads tell an effect
LEAST_AGES = 3  # two are taken up by the gates
COARSE = (40, 12)  # rates and steady fractions of the grid on which effects are fitted
FIRST_ROUNDS, ROUNDS = 300, 60  # of EM, for the prior of the gates
ITERATIONS, STEP, LONGEST_STEP, CLOSE = 15, 0.02, 1.0, 0.01  # of scoring; in usual deviations


class EffectFit(NamedTuple):
    """Effects of the samples as estimated. sd : [T, 3] of NAMES.   told : bool [T, 3].

    number : of the course, fitted with them.   gain : nats a read over no effects.   clock_sd : standard deviation of
    the logarithm of all ages together, which is one of ln k.
    """

    effects: SampleEffects
    sd: Floats
    told: NDArray[np.bool_]
    number: float
    gain: float
    clock_sd: float

    def lines(self, names: tuple[str, ...]) -> list[str]:
        """A sentence for each sample."""
        said = []
        for place, name in enumerate(names):
            parts = []
            for column, what in enumerate(NAMES):
                value, sd = float(self.effects[column + 1][place]), float(self.sd[place, column])
                ends = f"{value:+.3f} [{value - WIDE * sd:+.3f}, {value + WIDE * sd:+.3f}]"
                parts.append(f"{what.replace('_', ' ')} {ends if self.told[place, column] else 'not told apart'}")
            said.append(f"sample '{name}': {', '.join(parts)}")
        return said


def fit_effects(
    reads: SiteReads, ages: Floats, settings: MethylationSettings, course: Course, dispersion: float
) -> EffectFit:
    """Effects of all samples, with the course's own number, that make the reads most likely.

    The prior of the gates is free (any weights of a grid, by EM) and so are the gates; each effect is drawn beforehand
    from a normal distribution about 0 of the USUAL width, which matters only where the reads do not tell it. By steps
    of Fisher's scoring, with what of the slopes the prior cannot explain (efficient scores); standard deviations allow
    for neighbours that go together (White 1980, clustered). Raises UsageError for fewer than three ages.
    """
    if len(np.unique(ages)) < LEAST_AGES:
        raise UsageError(
            f"effects of samples need {LEAST_AGES} ages at least, and there are {len(np.unique(ages))}: the gates of"
            " each CpG explain two in any case; leave out --sample-effects."
        )
    likelihood = _Profile(reads, ages, settings, course, dispersion)
    point = np.zeros(likelihood.size)
    here = first = likelihood.at(point, likelihood.even, FIRST_ROUNDS)
    for _ in range(ITERATIONS):
        scores = likelihood.efficient_scores(point, here)
        step = np.linalg.solve(scores.T @ scores + np.eye(len(point)), scores.sum(axis=0) - point)
        step *= min(1.0, LONGEST_STEP / np.abs(step).max())
        tried = likelihood.at(point + step, here.prior, ROUNDS)
        while tried.worth(point + step) < here.worth(point) and np.abs(step).max() > CLOSE:
            step = step / 3
            tried = likelihood.at(point + step, here.prior, ROUNDS)
        point, here = point + step, tried
        if np.abs(step).max() < CLOSE:
            break
    scores = likelihood.efficient_scores(point, here)
    inverse = np.linalg.inv(scores.T @ scores + np.eye(len(point)))
    cluster = np.arange(len(scores)) // CLUSTER
    sums = np.stack([np.bincount(cluster, weights=column) for column in scores.T], axis=1)
    covariance = inverse @ (sums.T @ sums + np.eye(len(point))) @ inverse
    spread = np.sqrt(np.diag(covariance))
    clock = np.zeros(len(point))
    clock[: len(ages) * len(NAMES) : len(NAMES)] = USUAL[0] / len(ages)
    told = (spread[: len(ages) * len(NAMES)] < TOLD_APART).reshape(-1, len(NAMES))
    return EffectFit(
        effects=likelihood.effects(point), sd=np.stack(likelihood.effects(spread)[1:], axis=1), told=told,
        number=likelihood.course(point).parameter, gain=(here.nats - first.nats) / max(1, int(reads.covered.sum())),
        clock_sd=float(np.sqrt(clock @ covariance @ clock)),
    )  # fmt: skip


class _Here(NamedTuple):
    """Profile at a point. nats : of all reads.   prior : [G].   weights : [N, G], posteriors."""

    nats: float
    prior: Float32s
    weights: Float32s

    def worth(self, point: Floats) -> float:
        """Nats with those of the distribution beforehand."""
        return self.nats - float(point @ point) / 2


class _Profile:
    """Log-likelihood of reads by effects of samples, in usual deviations, with the best prior of the gates."""

    def __init__(
        self, reads: SiteReads, ages: Floats, settings: MethylationSettings, course: Course, dispersion: float
    ) -> None:
        self.ages, self.error, self.start = ages, settings.conversion_error, course
        self.size = len(ages) * len(NAMES) + (course.form is not KineticForm.SINGLE)
        self.points = gate_grid(settings, COARSE).points
        self.rho = torch.tensor(dispersion) if dispersion else None
        columns = [torch.from_numpy(each.astype(np.float32)) for each in (reads.modified, reads.covered)]
        self.counts = [paired(*(each[:, [sample]] for each in columns)) for sample in range(len(ages))]
        self.places = [each.pair[:, 0].numpy() for each in self.counts]
        self.even = np.full(len(self.points[0]), 1 / len(self.points[0]), np.float32)

    def effects(self, point: Floats) -> SampleEffects:
        """The effects that a point stands for."""
        own = point[: len(self.ages) * len(NAMES)].reshape(-1, len(NAMES)) * USUAL
        return SampleEffects(self.ages, own[:, 0] * self.ages, own[:, 1], own[:, 2])

    def course(self, point: Floats) -> Course:
        """The course that a point stands for: the logarithm of its number is the last of it."""
        if self.start.form is KineticForm.SINGLE:
            return self.start
        return Course(self.start.form, self.start.parameter * float(np.exp(point[-1])))

    def _logs(self, point: Floats, sample: int) -> Floats:
        """Log-likelihood of one sample's pairs of counts, [K, G]."""
        effects = self.effects(point)
        one = SampleEffects(*(each[[sample]] for each in effects))
        states = fractions(self.points, np.maximum(one.age + one.age_shift, 0), self.course(point))
        chances = with_effects(states, self.points[1][:, None], one, self.error)
        chances = np.clip(chances, PROBABILITY_EDGE, 1 - PROBABILITY_EDGE).astype(np.float32)
        return pair_log_likelihood(self.counts[sample].pairs[0], torch.from_numpy(chances[:, 0]), self.rho).numpy()

    def at(self, point: Floats, prior: Float32s, rounds: int) -> _Here:
        """Log-likelihood at a point, the prior by EM from a start."""
        logs = np.add.reduce([self._logs(point, sample)[place] for sample, place in enumerate(self.places)])
        top = logs.max(axis=1)
        likely = np.exp(logs - top[:, None])
        prior = learned_prior(likely, rounds, prior)
        together = likely * prior
        total = together.sum(axis=1)
        return _Here(float((np.log(total) + top).sum()), prior, together / total[:, None])

    def _slopes(self, point: Floats, column: int) -> Iterator[tuple[int, Floats]]:
        """Slope of the log-likelihood of the pairs of counts of each sample that one effect moves, [K, G]."""
        shared = column >= len(self.ages) * len(NAMES)  # the course's number
        ahead, behind = (point + side * STEP * np.eye(self.size)[column] for side in (1, -1))
        for sample in range(len(self.ages)) if shared else [column // len(NAMES)]:
            yield sample, (self._logs(ahead, sample) - self._logs(behind, sample)) / (2 * STEP)

    def efficient_scores(self, point: Floats, here: _Here) -> Floats:
        """Slope of the log-likelihood of each CpG by every effect that no change of the prior explains, [N, P]."""
        found = np.zeros((len(here.weights), self.size))
        for column in range(self.size):
            for sample, slope in self._slopes(point, column):
                found[:, column] += np.einsum("ng,ng->n", here.weights, slope[self.places[sample]])
        support = here.prior > SUPPORT / len(here.prior)  # where the prior can give and take
        by_prior = (here.weights[:, support] / here.prior[support] - 1).astype(np.float64)
        square = by_prior.T @ by_prior
        square[np.diag_indices_from(square)] *= 1 + RIDGE
        residual: Floats = found - by_prior @ np.linalg.solve(square, by_prior.T @ found)
        return residual
