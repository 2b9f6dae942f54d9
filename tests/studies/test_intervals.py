"""Intervals of the studies against scipy and scikit-learn, and against coverage."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from genolstm.studies.intervals import (
    auroc,
    auroc_interval,
    claimed,
    mean_of_days,
    median_interval,
    over_repeats,
    tally,
)


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


def test_p_of_a_claim_is_that_of_students_test_and_falls_below_five_percent_where_it_holds():
    for seed in range(40):
        values = np.random.default_rng(seed).normal(0.7, 1, size=7)
        for side, alternative in (("above", "greater"), ("below", "less")):
            claim = claimed("", "", over_repeats(values), "", "", **{side: 0.0}, repeats=7)
            one_sided = stats.ttest_1samp(values, 0, alternative=alternative).pvalue
            assert claim.p == pytest.approx(min(1, 2 * one_sided))
            assert claim.holds == (claim.p < 0.05)


def test_claims_of_nothing_hold_as_often_as_is_said_and_hardly_ever_corrected():
    rng = np.random.default_rng(1)
    claims = [claimed("", "", over_repeats(rng.normal(size=5)), "", "", above=0, repeats=5) for _ in range(2000)]
    found = tally(claims)
    assert found.by_chance == 50
    assert 30 < found.held < 70
    assert found.corrected <= 1


def test_the_interval_of_a_median_covers_it():
    rng = np.random.default_rng(2)
    inside = [low <= 0 <= high for _, low, high in (median_interval(rng.standard_cauchy(15)) for _ in range(2000))]
    assert np.mean(inside) > 0.95
    assert np.isnan(median_interval(np.arange(4.0)).low)
