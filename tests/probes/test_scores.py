import math
from functools import partial

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from genolstm.errors import InputError
from genolstm.probes import scores
from genolstm.probes.scores import (
    auprc,
    auprc_at_prevalence,
    auroc,
    block_bootstrap,
    expected_calibration_error,
    interval,
    log_likelihood,
    mcc,
    paired_difference,
    pearson,
    r2,
    resampled,
    score_interval,
    spearman,
    topk,
)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def made_predictions(rng, n, *, decimals=6, prevalence=0.2):
    labels = rng.random(n) < prevalence
    return labels, np.round(rng.standard_normal(n) + 1.5 * labels, decimals)


@pytest.mark.parametrize("decimals", [0, 1, 6])  # 0: nearly everything is tied
@pytest.mark.parametrize("prevalence", [0.03, 0.5, 0.95])
def test_ranking_scores_equal_sklearn_with_ties_and_weights(rng, decimals, prevalence):
    labels, predictions = made_predictions(rng, 500, decimals=decimals, prevalence=prevalence)
    weights = rng.integers(0, 4, (5, 500))
    for score, oracle in ((auprc, metrics.average_precision_score), (auroc, metrics.roc_auc_score)):
        assert score(labels, predictions) == pytest.approx(oracle(labels, predictions), abs=1e-12)
        expected = [oracle(labels, predictions, sample_weight=row) for row in weights]
        np.testing.assert_allclose(score(labels, predictions, weights), expected, atol=1e-12)


def test_matthews_correlation_equals_sklearn_with_weights(rng):
    labels, predictions = made_predictions(rng, 300)
    weights = rng.integers(0, 4, (5, 300))
    called = predictions >= 1
    assert mcc(labels, predictions, threshold=1) == pytest.approx(metrics.matthews_corrcoef(labels, called))
    expected = [metrics.matthews_corrcoef(labels, called, sample_weight=row) for row in weights]
    np.testing.assert_allclose(mcc(labels, predictions, weights, threshold=1), expected, atol=1e-12)
    assert mcc(labels, predictions, threshold=100) == 0


def test_regression_scores_equal_sklearn_and_scipy_far_from_zero(rng):
    targets = 1e4 + np.round(rng.standard_normal(400), 1)  # ties, and a mean far larger than the spread
    predictions = np.round(targets + rng.standard_normal(400), 1)
    weights = rng.integers(0, 4, (3, 400))
    assert r2(targets, predictions) == pytest.approx(metrics.r2_score(targets, predictions))
    assert pearson(targets, predictions) == pytest.approx(stats.pearsonr(targets, predictions).statistic)
    assert spearman(targets, predictions) == pytest.approx(stats.spearmanr(targets, predictions).statistic)
    for row, found in zip(weights, r2(targets, predictions, weights), strict=True):
        assert found == pytest.approx(metrics.r2_score(targets, predictions, sample_weight=row))


@pytest.mark.parametrize(
    "score",
    [
        auprc,
        auroc,
        topk,
        r2,
        pearson,
        spearman,
        expected_calibration_error,
        partial(auprc_at_prevalence, prevalence=0.1),
    ],
)
def test_integer_weights_equal_repeated_rows(rng, score):
    labels, predictions = made_predictions(rng, 200, decimals=1)
    predictions = stats.norm.cdf(predictions)
    weights = rng.integers(0, 4, (4, 200))
    expected = [score(np.repeat(labels, row), np.repeat(predictions, row)) for row in weights]
    np.testing.assert_allclose(score(labels, predictions, weights), expected, atol=1e-12)


def test_topk_is_the_precision_among_as_many_rows_as_there_are_positives():
    assert topk([1, 0, 1, 0, 1, 0], [6, 5, 4, 3, 2, 1]) == pytest.approx(2 / 3)
    assert topk([1, 1, 0, 0], [4, 3, 2, 1]) == 1


def test_topk_of_tied_scores_is_its_mean_over_random_orders(rng):
    labels, predictions = made_predictions(rng, 60, decimals=0)
    k = labels.sum()
    orders = (np.lexsort((rng.random(60), -predictions)) for _ in range(20_000))
    mean = np.mean([labels[order[:k]].mean() for order in orders])
    assert topk(labels, predictions) == pytest.approx(mean, abs=0.005)


def test_calibration_error_of_a_hand_made_example():
    # two bins of two rows: |1/2 - 0.15| and |1 - 0.7|, half of the rows each
    assert expected_calibration_error([0, 1, 1, 1], [0.1, 0.2, 0.6, 0.8], bins=2) == pytest.approx(0.325)


def test_calibration_error_vanishes_for_calibrated_and_is_the_shift_for_shifted_probabilities(rng):
    probabilities = rng.uniform(0.1, 0.8, 200_000)
    labels = rng.random(200_000) < probabilities
    # each of 15 bins errs by about sqrt(p q / 13,333) * sqrt(2 / pi) = 0.003
    assert expected_calibration_error(labels, probabilities) < 0.006
    assert expected_calibration_error(labels, probabilities + 0.1) == pytest.approx(0.1, abs=0.006)


def test_calibration_error_of_one_constant_probability_does_not_depend_on_row_order(rng):
    labels = rng.random(1000) < 0.3
    assert expected_calibration_error(labels, np.full(1000, 0.5)) == pytest.approx(0.5 - labels.mean())


def test_auprc_at_prevalence_equals_auprc_with_every_negative_repeated(rng):
    labels, predictions = made_predictions(rng, 400, decimals=1)
    repeats = np.where(labels, 1, 10)
    more_labels, more_predictions = np.repeat(labels, repeats), np.repeat(predictions, repeats)
    found = auprc_at_prevalence(labels, predictions, prevalence=more_labels.mean())
    assert found == pytest.approx(metrics.average_precision_score(more_labels, more_predictions))


def test_auprc_at_prevalence_is_near_auprc_of_subsampled_negatives(rng):
    labels, predictions = made_predictions(rng, 200_000, prevalence=0.05)
    kept = labels | (rng.random(200_000) < 0.2)
    found = auprc_at_prevalence(labels, predictions, prevalence=labels[kept].mean())
    assert found == pytest.approx(auprc(labels[kept], predictions[kept]), abs=0.01)


@pytest.mark.parametrize("score", [auprc, auroc, topk, partial(mcc, threshold=0.5)])
def test_a_score_without_positives_is_not_a_number(score):
    weights = [[1, 0, 1, 1], [1, 1, 0, 1]]  # the first row of weights leaves out the only positive
    found = score([0, 1, 0, 0], [0.1, 0.9, 0.3, 0.6], weights)
    assert np.isnan(found).tolist() == [True, False]


@pytest.mark.parametrize("score", [auprc, auroc, topk, partial(auprc_at_prevalence, prevalence=0.1)])
@pytest.mark.parametrize("label", [0, 1])
def test_labels_of_one_class_give_no_number_where_the_other_class_is_needed(score, label):
    found = score([label, label], [0.1, 0.9])
    assert np.isnan(found) or (label == 1 and found == 1)  # with positives only, every precision is 1


def test_scores_that_are_nan_are_refused():
    with pytest.raises(ValueError, match="1 of 3 scores are NaN"):
        auprc([0, 1, 1], [0.1, np.nan, 0.2])


def test_a_resample_counts_all_rows_of_a_block_alike_and_draws_as_many_blocks_as_there_are(rng):
    blocks = rng.integers(100, 140, 1000)
    resamples = block_bootstrap(blocks, 50, rng)
    weights = resamples.weights(10, 20)
    assert weights.shape == (10, 1000)
    assert (resamples.multiplicity.sum(axis=1) == np.unique(blocks).size).all()
    for name in np.unique(blocks):
        assert np.ptp(weights[:, blocks == name], axis=1).max() == 0


def test_the_same_generator_draws_the_same_resamples():
    draws = [block_bootstrap(np.arange(30) // 3, 20, np.random.default_rng(3)).multiplicity for _ in range(2)]
    np.testing.assert_array_equal(*draws)


@pytest.mark.parametrize("decimals", [1, 6])
def test_resampled_scores_equal_sklearn_on_each_resample_whatever_the_chunk(rng, decimals, monkeypatch):
    labels, predictions = made_predictions(rng, 400, decimals=decimals)
    resamples = block_bootstrap(rng.integers(0, 40, 400), 30, rng)
    weights = resamples.weights(0, 30)
    for chunk in (1, 3000, 10**6):
        monkeypatch.setattr(scores, "CHUNK_WEIGHTS", chunk)
        for score, oracle in ((auprc, metrics.average_precision_score), (auroc, metrics.roc_auc_score)):
            expected = [oracle(labels, predictions, sample_weight=row) for row in weights]
            np.testing.assert_allclose(resampled(labels, predictions, resamples, score), expected, atol=1e-12)


def test_interval_is_the_percentiles_of_the_resampled_values():
    assert interval(0.5, np.arange(1001) / 1000, level=0.9) == pytest.approx((0.5, 0.05, 0.95))


def test_interval_leaves_out_few_undefined_resamples_and_refuses_many():
    values = np.arange(100) / 100
    few, many = values.copy(), values.copy()
    few[:5], many[:6] = np.nan, np.nan
    assert math.isfinite(interval(0.5, few).low)
    with pytest.raises(InputError, match=r"in 6 of 100 bootstrap resamples .* more contigs"):
        interval(0.5, many)


def test_positives_in_a_single_block_give_no_interval(rng):
    labels = np.arange(100) < 5
    resamples = block_bootstrap(np.arange(100) // 10, 200, rng)
    with pytest.raises(InputError, match="one class"):
        score_interval(labels, rng.random(100), resamples, auprc)


def clustered_predictions(rng, n_blocks=100, rows=10):
    """Blocks that share a part of their score: mean of positives 1 above, variance 1/2 shared + 1/2 own."""
    labels = rng.random(n_blocks * rows) < 0.3
    shared = np.repeat(rng.standard_normal(n_blocks), rows)
    return labels, labels + np.sqrt(0.5) * (shared + rng.standard_normal(labels.size)), np.arange(labels.size) // rows


@pytest.mark.slow
def test_interval_covers_the_true_auroc_as_often_as_it_says(rng):
    truth = stats.norm.cdf(1 / np.sqrt(2))  # P(positive > negative), both of variance 1, one apart
    covered = 0
    for _ in range(200):
        labels, predictions, blocks = clustered_predictions(rng)
        found = score_interval(labels, predictions, block_bootstrap(blocks, 300, rng), auroc)
        covered += found.low <= truth <= found.high
    assert 0.90 <= covered / 200 <= 0.99


def test_interval_of_correlated_blocks_is_wider_than_that_of_rows(rng):
    labels = np.repeat(rng.random(60) < 0.3, 20)  # a block is all positive or all negative, as rows of one gene
    predictions = labels + np.repeat(rng.standard_normal(60), 20) + 0.3 * rng.standard_normal(1200)
    by_block, by_row = (
        score_interval(labels, predictions, block_bootstrap(blocks, 300, rng), auroc)
        for blocks in (np.arange(1200) // 20, np.arange(1200))
    )
    assert by_block.high - by_block.low > 2 * (by_row.high - by_row.low)


def test_paired_difference_of_equal_predictions_is_exactly_zero(rng):
    labels, predictions, blocks = clustered_predictions(rng)
    resamples = block_bootstrap(blocks, 100, rng)
    assert paired_difference(labels, predictions, predictions, resamples, auprc) == (0, 0, 0)


def test_paired_difference_sees_a_gain_that_unpaired_intervals_do_not(rng):
    labels, predictions, blocks = clustered_predictions(rng)
    worse = predictions + 0.6 * rng.standard_normal(labels.size)
    resamples = block_bootstrap(blocks, 500, rng)
    better_alone, worse_alone = (score_interval(labels, p, resamples, auroc) for p in (predictions, worse))
    gain = paired_difference(labels, predictions, worse, resamples, auroc)
    assert better_alone.low < worse_alone.high
    assert gain.low > 0
    assert gain.value == pytest.approx(better_alone.value - worse_alone.value)


def test_rows_that_do_not_match_the_blocks_are_refused(rng):
    with pytest.raises(ValueError, match="blocks hold 10 rows"):
        resampled([0, 1], [0.2, 0.3], block_bootstrap(np.arange(10), 5, rng), auprc)


def test_log_likelihood_is_minus_sklearns_log_loss(rng):
    labels = rng.random(200) < 0.3
    log_odds = rng.normal(size=200)
    weights = rng.integers(0, 4, 200)
    expected = -metrics.log_loss(labels, 1 / (1 + np.exp(-log_odds)), sample_weight=weights)
    assert float(log_likelihood(labels, log_odds, weights)) == pytest.approx(expected, abs=1e-12)
    assert float(log_likelihood(labels, np.where(labels, 1e4, -1e4))) == 0
