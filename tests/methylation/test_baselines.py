"""What the pooled model has to beat, against plain loops."""

import numpy as np
import pytest

from genolstm.methylation.baselines import (
    GLOBAL_WEIGHT,
    NEIGHBOUR_BP,
    Training,
    best_smoothing,
    constant,
    prior_guesses,
    sample_means,
    smoothed,
)  # fmt: skip
from genolstm.methylation.grid import fractions, gate_grid
from genolstm.settings.methylation import MethylationSettings

AGES = np.array([0.5, 1.5, 4.5, 16.5])
SETTINGS = MethylationSettings(times=(0, 1, 4, 16), time_offset=0.5)


def training(sites=40, seed=0, asked=AGES):
    rng = np.random.default_rng(seed)
    contig = np.repeat([0, 1], [sites // 2, sites - sites // 2]).astype(np.int32)
    position = np.concatenate([np.sort(rng.choice(3000, (contig == each).sum(), replace=False)) for each in (0, 1)])
    covered = rng.poisson(5, (sites, 4)).astype(np.int32)
    return Training(contig, position, rng.binomial(covered, 0.6).astype(np.int32), covered, AGES, asked)


def weights_of(data, distance_bp):
    same = data.contig[:, None] == data.contig[None]
    return np.where(same, np.exp(-np.abs(data.position[:, None] - data.position[None]) / distance_bp), 0.0)


def test_constant_and_sample_means():
    data = training()
    np.testing.assert_allclose(constant(data), data.modified.sum() / data.covered.sum())
    np.testing.assert_allclose(sample_means(data)[3], data.modified.sum(0) / data.covered.sum(0))


def test_a_sample_that_is_not_there_lies_on_the_line_between_its_neighbours():
    data = training(asked=np.array([4.5]))._replace(elapsed=np.array([0.5, 1.5, 4.0, 16.5]))
    means = data.modified.sum(0) / data.covered.sum(0)
    expected = np.interp(np.log1p(4.5), np.log1p(data.elapsed), means)
    np.testing.assert_allclose(sample_means(data), expected)


@pytest.mark.parametrize("distance_bp", [20.0, 300.0])
def test_smoothing_is_the_weighted_sum_of_reads(distance_bp):
    data = training()
    weights = weights_of(data, distance_bp)
    mean = data.modified.sum(0) / data.covered.sum(0)
    expected = (weights @ data.modified + mean) / (weights @ data.covered + 1)
    np.testing.assert_allclose(smoothed(data, distance_bp), expected, rtol=1e-9)


def test_smoothing_is_wide_where_neighbours_are_alike_and_narrow_where_not():
    rng = np.random.default_rng(0)
    data = training(2000)
    alike = data._replace(modified=rng.binomial(data.covered, 0.7).astype(np.int32))
    unlike = data._replace(modified=rng.binomial(data.covered, rng.random((2000, 1)).round()).astype(np.int32))
    assert best_smoothing(alike, rng) > best_smoothing(unlike, rng)


def test_priors_are_bayes_rule_on_the_grid():
    data = training()
    found = prior_guesses(data, SETTINGS, 0.0)
    probability = fractions(gate_grid(SETTINGS).points, AGES)
    other = data.covered - data.modified
    likely = np.exp(data.modified @ np.log(probability).T + other @ np.log1p(-probability).T)
    prior = np.full(len(probability), 1 / len(probability))
    for _ in range(60):
        posterior = likely * prior
        prior = (posterior / posterior.sum(1, keepdims=True)).mean(0)
    own = likely * prior
    own /= own.sum(1, keepdims=True)
    np.testing.assert_allclose(found.one_prior, own @ probability, atol=2e-3)
    weights = weights_of(data, NEIGHBOUR_BP)
    np.fill_diagonal(weights, 0)
    mixed = weights @ own + GLOBAL_WEIGHT * prior
    mixed /= mixed.sum(1, keepdims=True)
    np.testing.assert_allclose(found.neighbours, mixed @ probability, atol=2e-3)
    both = mixed * likely
    np.testing.assert_allclose(found.neighbour_prior, both / both.sum(1, keepdims=True) @ probability, atol=2e-3)
