"""Log odds become probabilities at the natural ratio: against scikit-learn, and on rows of which the truth is known."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from genolstm.errors import InputError
from genolstm.predicting.calibration import calibrated, natural_weights, platt, reliability
from genolstm.regions import Part
from genolstm.store.results import read_probe


def drawn(n, share, seed):
    """Log odds that are too bold by half and shifted, of rows of which a share is true."""
    rng = np.random.default_rng(seed)
    label = rng.random(n) < share
    x = rng.normal(size=n) + 2 * label  # true log odds: 2 x - 2 + logit(share)
    return 3 * x + 1, label


def test_platt_is_weighted_logistic_regression():
    log_odds, label = drawn(4000, 0.3, 1)
    weights = np.where(label, 1.0, 7.0)
    slope, intercept = platt(log_odds, label, weights)
    fitted = LogisticRegression(C=np.inf).fit(log_odds[:, None], label, sample_weight=weights)
    assert slope == pytest.approx(float(fitted.coef_[0, 0]), rel=0.02)  # smoothed targets move it a little
    assert intercept == pytest.approx(float(fitted.intercept_[0]), rel=0.02)


def test_separable_rows_give_a_finite_slope():
    label = np.arange(40) < 5
    slope, _ = platt(np.where(label, 3.0, -3.0), label, np.ones(40))
    assert 0 < slope < 10


@pytest.mark.parametrize("natural", [0.02, 0.3])
def test_chosen_rows_are_calibrated_to_the_natural_ratio(natural):
    """Fitted on rows of which a quarter is true, right where a fraction `natural` is."""
    log_odds, label = drawn(40_000, 0.25, 2)
    slope, intercept = platt(log_odds, label, natural_weights(label, natural))
    x = (log_odds - 1) / 3
    expected = 2 * x - 2 + logit(natural)
    np.testing.assert_allclose(slope * log_odds + intercept, expected, atol=0.4)
    fresh, truth = drawn(200_000, natural, 3)
    told = expit(slope * fresh + intercept)
    assert told.sum() == pytest.approx(truth.sum(), rel=0.08)
    for each in reliability(truth, told, np.ones(len(truth))):
        if each.positive > 200:
            assert each.observed == pytest.approx(each.predicted, rel=0.3)


def a_result(kind="two", natural=None, *, valid=True):
    rng = np.random.default_rng(4)
    n = 3000
    part = rng.integers(0, 3, n).astype(np.int8)
    if not valid:
        part[part == Part.VALID] = Part.TRAIN
    log_odds, label = drawn(n, 0.2, 5)
    if kind == "several":
        label = rng.integers(0, 3, n)
        log_odds = rng.normal(size=(n, 3)) + 2.5 * np.eye(3)[label]
    features = SimpleNamespace(
        log_odds=log_odds, label=label.astype(np.int8), threshold=None if kind == "values" else 0.0
    )
    return SimpleNamespace(
        target="t", features={"trained": features}, sites=SimpleNamespace(part=part), prevalence=natural
    )


def test_ratio_is_that_given_or_counted_or_of_the_rows():
    given, counted, of_rows = (
        calibrated(a_result(natural=q), each) for q, each in ((0.1, 0.01), (0.1, 0.0), (None, 0.0))
    )
    assert (given.natural, given.source) == (0.01, "given")
    assert (counted.natural, counted.source) == (0.1, "counted on the probe's genome")
    assert of_rows.natural == pytest.approx(0.2, abs=0.03)
    assert "not known" in of_rows.source
    assert given.figures["test_calibration_error"] < given.figures["test_calibration_error_uncalibrated"]
    assert given.figures["test_log_likelihood"] > given.figures["test_log_likelihood_uncalibrated"]
    # ten times rarer: log odds are lower by that
    x = np.array([0.0, 4.0])
    assert np.all(given.log_odds(x) < counted.log_odds(x) - 1.5)


def test_several_classes_have_one_slope_and_probabilities_that_add_up():
    how = calibrated(a_result("several"), 0.0)
    assert np.isnan(how.natural)
    told = how.probability(how.log_odds(np.random.default_rng(1).normal(size=(5, 3))))
    np.testing.assert_allclose(told.sum(axis=1), 1)
    assert how.figures["test_log_likelihood"] > how.figures["test_log_likelihood_uncalibrated"]


def test_values_need_no_calibration():
    assert calibrated(a_result("values"), 0.0) is None


def test_a_probe_without_validation_rows_is_refused(results):
    with pytest.raises(InputError, match="the probe of 't' has no validation rows of both classes to calibrate on"):
        calibrated(a_result(valid=False), 0.0)
    with pytest.raises(InputError, match="'donor' has no validation rows"):
        calibrated(read_probe(results["probe"])["donor"], 0.0)
