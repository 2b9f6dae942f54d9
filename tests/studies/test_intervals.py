"""Intervals of the studies against scipy and scikit-learn, and against coverage."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from genolstm.studies.intervals import auroc, auroc_interval, mean_of_days, over_repeats


def test_interval_over_repeats_is_students():
    values = np.array([1.0, 2.5, 2.0, 4.0, 3.0])
    found = over_repeats(values)
    low, high = stats.t.interval(0.95, 4, loc=values.mean(), scale=stats.sem(values))
    assert (found.value, found.low, found.high) == pytest.approx((2.5, low, high))
    assert np.isnan(over_repeats([1.0]).low)


def test_auroc_is_scikit_learns_ties_included():
    rng = np.random.default_rng(1)
    scores, label = rng.integers(0, 8, 200).astype(float), rng.random(200) < 0.3
    assert auroc(scores, label) == pytest.approx(roc_auc_score(label, scores))
    found = auroc_interval(scores, label, rng)
    assert found.low < found.value < found.high


def test_days_that_depend_on_each_other_widen_the_interval():
    rng = np.random.default_rng(2)
    noise = rng.normal(size=4000)
    moving = np.convolve(noise, np.full(4, 0.5), "valid")
    plain = 1.96 * moving.std() / np.sqrt(len(moving))
    found = mean_of_days(moving).interval
    # a moving mean of four has a long-run variance four times its own
    assert (found.high - found.low) / (2 * plain) == pytest.approx(2, rel=0.15)


def test_the_interval_of_days_covers_the_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(300):
        found = mean_of_days(rng.normal(size=300)).interval
        covered += found.low < 0 < found.high
    assert 0.9 < covered / 300 < 0.985
