"""Baselines of the pooled model: simpler estimates of the probability that a held-out read is methylated."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

from genolstm.methylation.grid import gate_grid, learned_prior
from genolstm.methylation.kinetic import (
    PRIOR_ROUNDS,
    PRIOR_SITES,
    GateModel,
    likelihoods,
    stretches,
)  # fmt: skip
from genolstm.methylation.kinetic_form import Course
from genolstm.methylation.likelihood import Floats
from genolstm.methylation.neighbourhood import SiteReads, neighbour_sums
from genolstm.settings.methylation import MethylationSettings

NEIGHBOUR_BP = 200.0  # over which neighbours' posteriors are weighted, exp(-distance / 200 bp)
GLOBAL_WEIGHT = 0.1  # of one neighbour's weight that the prior of all CpGs has beside them
SMOOTHED_BP = (25.0, 50.0, 100.0, 200.0, 400.0, 1000.0)  # smoothing distances tried
FREE_SIZES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # reads that the sample's mean counts for, tried
FREE_EDGE = 1e-3  # that mean stays so far off 0 and 1
SMOOTHED_PSEUDO = 1.0  # reads at the mean of the sample that every CpG is given


class Training(NamedTuple):
    """What all models learn from. contig, position : [N], in genome order.   modified, covered : [N, T].

    elapsed : [T], ages of the samples.   asked : [A], ages at which reads are held out.
    """

    contig: NDArray[np.int32]
    position: NDArray[np.int64]
    modified: NDArray[np.int32]
    covered: NDArray[np.int32]
    elapsed: Floats
    asked: Floats

    @property
    def reads(self) -> SiteReads:
        """What the kinetic model learns from."""
        return SiteReads(self.contig, self.position, self.modified, self.covered)


def constant(training: Training) -> Floats:
    """One fraction for all reads, [N, A]."""
    fraction = training.modified.sum() / max(1, training.covered.sum())
    return np.full((len(training.position), len(training.asked)), fraction)


def sample_means(training: Training) -> Floats:
    """Mean of each sample, [N, A]; between samples a line along the logarithm of age."""
    means = training.modified.sum(axis=0) / np.maximum(1, training.covered.sum(axis=0))
    return np.tile(_between(means[None], training), (len(training.position), 1))


def _between(values: Floats, training: Training) -> Floats:
    """Values [n, T] at the samples' ages, taken at the ages asked for, [n, A]: linear along log(1 + age).

    Replicates are averaged, but where the samples themselves are asked for.
    """
    if np.array_equal(training.asked, training.elapsed):
        return values
    ages, place = np.unique(training.elapsed, return_inverse=True)
    ordered = np.stack([values[:, place == each].mean(axis=1) for each in range(len(ages))], axis=1)
    if len(ages) == 1:
        return np.repeat(ordered, len(training.asked), axis=1)
    known, asked = np.log1p(ages), np.log1p(training.asked)
    after = np.clip(np.searchsorted(known, asked), 1, len(known) - 1)
    part = np.clip((asked - known[after - 1]) / (known[after] - known[after - 1]), 0, 1)
    taken: Floats = ordered[:, after - 1] * (1 - part) + ordered[:, after] * part
    return taken


def smoothed(training: Training, distance_bp: float, *, own: bool = True) -> Floats:
    """Fraction of methylated reads of a CpG and its neighbours, weighted exp(-distance / distance_bp), [N, A].

    At other ages than the samples' on a line between them. own : False leaves out the CpG's own reads.
    """
    both = np.concatenate([training.modified, training.covered], axis=1).astype(np.float64)
    sums = neighbour_sums(both, training.contig, training.position, distance_bp)
    sums = sums + both if own else sums
    samples = training.modified.shape[1]
    mean = training.modified.sum(axis=0) / np.maximum(1, training.covered.sum(axis=0))
    fraction = (sums[:, :samples] + SMOOTHED_PSEUDO * mean) / (sums[:, samples:] + SMOOTHED_PSEUDO)
    return _between(fraction, training)


def free_course(training: Training) -> Floats:
    """Fraction of each CpG and sample, with no course in time, shrunk to the sample's mean, [N, A].

    The mean counts for as many reads as make all of the sample's reads most likely: beta-binomial, by CpG.
    """
    shrunk = np.empty((len(training.position), len(training.elapsed)))
    for sample in range(len(training.elapsed)):
        modified, covered = training.modified[:, sample], training.covered[:, sample]
        mean = float(np.clip(modified.sum() / max(1, covered.sum()), FREE_EDGE, 1 - FREE_EDGE))

        def nats(size: float, modified: Any = modified, covered: Any = covered, mean: float = mean) -> float:  # noqa: ANN401
            alpha, beta = mean * size, (1 - mean) * size
            return float((betaln(modified + alpha, covered - modified + beta) - betaln(alpha, beta)).sum())

        size = max(FREE_SIZES, key=nats)
        shrunk[:, sample] = (modified + size * mean) / (covered + size)
    return _between(shrunk, training)


def best_smoothing(training: Training, rng: np.random.Generator) -> float:
    """Distance that predicts a fifth of the training reads best from the rest."""
    held = rng.binomial(training.modified, 0.2)
    held_other = rng.binomial(training.covered - training.modified, 0.2)
    left = training._replace(
        modified=training.modified - held, covered=training.covered - held - held_other, asked=training.elapsed
    )

    def score(distance_bp: float) -> float:
        probability = np.clip(smoothed(left, distance_bp), 1e-6, 1 - 1e-6)
        return float((held * np.log(probability) + held_other * np.log1p(-probability)).sum())

    return max(SMOOTHED_BP, key=score)


class PriorGuesses(NamedTuple):
    """Posterior means of the same cell under three priors, [N, A] each.

    one_prior : one empirical prior for all CpGs.   neighbour_prior : mixed from the neighbours' posteriors.
    neighbours : the same without the CpG's own reads.
    """

    one_prior: Floats
    neighbour_prior: Floats
    neighbours: Floats


def prior_guesses(training: Training, settings: MethylationSettings, error: float) -> PriorGuesses:
    """Empirical-Bayes guesses on the grid of gates (Robbins 1956): binomial reads, the single form."""
    grid = gate_grid(settings)
    model = GateModel(
        grid=grid, course=Course(), elapsed=training.elapsed, error=error, dispersion=0.0, distance_bp=NEIGHBOUR_BP,
        weight=GLOBAL_WEIGHT, prior=np.empty(0, np.float32), evidence=np.nan,
    )  # fmt: skip
    reads, asked = training.reads, model.at(training.asked).astype(np.float32)
    likely, _ = likelihoods(
        reads.of(slice(None, None, max(1, len(training.position) // PRIOR_SITES))), model.at(training.elapsed), 0.0
    )
    model = model._replace(prior=learned_prior(likely, PRIOR_ROUNDS))
    answer = PriorGuesses(*(np.empty((len(training.position), asked.shape[1])) for _ in PriorGuesses._fields))
    for stretch in stretches(model, reads):
        answer.one_prior[stretch.place] = stretch.own @ asked
        answer.neighbours[stretch.place] = stretch.mixed @ asked
        answer.neighbour_prior[stretch.place] = stretch.posterior @ asked
    return answer
