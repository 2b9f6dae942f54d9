"""Baselines of the pooled model: simpler estimates of the probability that a held-out read is methylated."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.methylation.grid import fractions, gate_grid, with_error
from genolstm.methylation.likelihood import Floats
from genolstm.methylation.neighbourhood import neighbour_sums
from genolstm.settings.methylation import MethylationSettings

NEIGHBOUR_BP = 200.0  # over which neighbours' posteriors are weighted, exp(-distance / 200 bp)
GLOBAL_WEIGHT = 0.1  # of one neighbour's weight that the prior of all CpGs has beside them
PRIOR_SITES, PRIOR_ROUNDS = 20_000, 60  # CpGs and rounds of EM from which the prior of all CpGs is learned
STRETCH, OVERLAP = 10_000, 500  # CpGs whose grids are held at once, and beyond their ends
SMOOTHED_BP = (25.0, 50.0, 100.0, 200.0, 400.0, 1000.0)  # smoothing distances tried
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


def constant(training: Training) -> Floats:
    """One fraction for all reads, [N, A]."""
    fraction = training.modified.sum() / max(1, training.covered.sum())
    return np.full((len(training.position), len(training.asked)), fraction)


def sample_means(training: Training) -> Floats:
    """Mean of each sample, [N, A]; between samples a line along the logarithm of age."""
    means = training.modified.sum(axis=0) / np.maximum(1, training.covered.sum(axis=0))
    return np.tile(_between(means[None], training), (len(training.position), 1))


def _between(values: Floats, training: Training) -> Floats:
    """Values [n, T] at the samples' ages, taken at the ages asked for, [n, A]: linear along log(1 + age)."""
    order = np.argsort(training.elapsed)
    known, asked = np.log1p(training.elapsed[order]), np.log1p(training.asked)
    after = np.clip(np.searchsorted(known, asked), 1, len(known) - 1)
    part = np.clip((asked - known[after - 1]) / (known[after] - known[after - 1]), 0, 1)
    ordered = values[:, order]
    taken: Floats = ordered[:, after - 1] * (1 - part) + ordered[:, after] * part
    return taken


def smoothed(training: Training, distance_bp: float) -> Floats:
    """Fraction of methylated reads of a CpG and its neighbours, weighted exp(-distance / distance_bp), [N, A]."""
    both = np.concatenate([training.modified, training.covered], axis=1).astype(np.float64)
    sums = both + neighbour_sums(both, training.contig, training.position, distance_bp)
    samples = training.modified.shape[1]
    mean = training.modified.sum(axis=0) / np.maximum(1, training.covered.sum(axis=0))
    fraction = (sums[:, :samples] + SMOOTHED_PSEUDO * mean) / (sums[:, samples:] + SMOOTHED_PSEUDO)
    return _between(fraction, training)


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
    """Empirical-Bayes guesses on the grid of gates (Robbins 1956), binomial reads."""
    points = gate_grid(settings).points
    probability = with_error(fractions(points, training.elapsed), error)
    asked = with_error(fractions(points, training.asked), error).astype(np.float32)
    table = np.concatenate([np.log(probability), np.log1p(-probability)], axis=1).T.astype(np.float32)  # [2T, G]
    counts = np.concatenate([training.modified, training.covered - training.modified], axis=1).astype(np.float32)
    prior = _learned_prior(counts[:: max(1, len(counts) // PRIOR_SITES)], table)
    answer = PriorGuesses(*(np.empty((len(counts), asked.shape[1])) for _ in PriorGuesses._fields))
    for first in range(0, len(counts), STRETCH):
        begin, end = max(0, first - OVERLAP), min(len(counts), first + STRETCH + OVERLAP)
        likely = _likelihood(counts[begin:end], table)
        own = _normal(likely * prior)
        mixed = neighbour_sums(own, training.contig[begin:end], training.position[begin:end], NEIGHBOUR_BP)
        mixed = _normal(mixed + np.float32(GLOBAL_WEIGHT) * prior)
        inner = slice(first - begin, min(first + STRETCH, len(counts)) - begin)
        place = slice(first, min(first + STRETCH, len(counts)))
        answer.one_prior[place] = own[inner] @ asked
        answer.neighbours[place] = mixed[inner] @ asked
        answer.neighbour_prior[place] = _normal(mixed[inner] * likely[inner]) @ asked
    return answer


def _likelihood(counts: NDArray[np.float32], table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Likelihood at each grid point relative to the best, [n, G]."""
    logs = counts @ table
    likely: NDArray[np.float32] = np.exp(logs - logs.max(axis=1, keepdims=True))
    return likely


def _normal(weights: NDArray[Any]) -> NDArray[np.float32]:
    normal: NDArray[np.float32] = weights / weights.sum(axis=1, keepdims=True)
    return normal


def _learned_prior(counts: NDArray[np.float32], table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights of the grid that make the reads of all CpGs most likely, by EM from even ones; [G]."""
    likely = _likelihood(counts, table)
    prior = np.full(table.shape[1], 1 / table.shape[1], dtype=np.float32)
    for _ in range(PRIOR_ROUNDS):
        prior = _normal(likely * prior).mean(axis=0)
    return prior
