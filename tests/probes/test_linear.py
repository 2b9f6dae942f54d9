import numpy as np
import pytest
from scipy import stats
from scipy.special import expit
from sklearn.linear_model import LogisticRegression, Ridge

from genolstm.errors import InputError
from genolstm.probes.linear import REGULARISATION_GRID, fit_logistic, fit_ridge
from genolstm.probes.scores import auprc, auroc, expected_calibration_error, log_likelihood


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def made_sites(rng, n, n_features, *, prevalence=0.2, signal=1.5):
    """Correlated features around a mean far from zero, and labels that hang on three directions of them."""
    mixing = rng.standard_normal((n_features, n_features)) / np.sqrt(n_features)
    features = (3 + rng.standard_normal((n, n_features)) @ mixing).astype(np.float32)
    drive = signal * features[:, : min(3, n_features)].sum(axis=1) + rng.logistic(size=n)
    return features, drive > np.quantile(drive, 1 - prevalence)


def split(n, *, n_valid=None):
    train = np.arange(n) < n - (n_valid or n // 4)
    return {"train": train, "valid": ~train}


def standardised(probe, features):
    return (features.astype(np.float64) - probe.mean) / probe.scale


@pytest.mark.parametrize(("n", "n_features"), [(300, 1), (400, 12), (3000, 60), (200, 300)])
@pytest.mark.parametrize("c", [1e-4, 1e-2, 1.0])
def test_logistic_probe_equals_sklearn_at_the_same_c(rng, n, n_features, c):
    features, labels = made_sites(rng, n, n_features)
    rows = split(n)
    probe = fit_logistic(features, labels, **rows, grid=[c])
    columns = standardised(probe, features)
    oracle = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    oracle.fit(columns[rows["train"]], labels[rows["train"]])
    assert probe.converged
    np.testing.assert_allclose(probe.coefficients, oracle.coef_[0], atol=2e-4 * np.abs(oracle.coef_).max())
    np.testing.assert_allclose(expit(probe.decision(features)), oracle.predict_proba(columns)[:, 1], atol=2e-4)


def test_warm_started_path_ends_where_a_cold_start_does(rng):
    features, labels = made_sites(rng, 1500, 40)
    warm = fit_logistic(features, labels, **split(1500), grid=[1e-5, 1e-4, 1e-3, 1e-2])
    assert len(warm.strengths) == 4
    cold = fit_logistic(features, labels, **split(1500), grid=[warm.regularisation])
    np.testing.assert_allclose(warm.decision(features), cold.decision(features), atol=1e-3)


@pytest.mark.parametrize(("n", "n_features"), [(300, 1), (3000, 60), (200, 300)])
@pytest.mark.parametrize("c", [1e-4, 1.0, 100.0])
def test_ridge_probe_equals_sklearn_at_the_same_penalty(rng, n, n_features, c):
    features, _ = made_sites(rng, n, n_features)
    targets = features[:, 0] + rng.standard_normal(n)
    rows = split(n)
    probe = fit_ridge(features, targets, **rows, grid=[c])
    oracle = Ridge(alpha=1 / c).fit(standardised(probe, features)[rows["train"]], targets[rows["train"]])
    predictions = oracle.predict(standardised(probe, features))
    np.testing.assert_allclose(probe.decision(features), predictions, atol=1e-4 * np.std(predictions))


def test_planted_signal_is_found_and_its_probabilities_are_calibrated(rng):
    features = rng.standard_normal((20_000, 30)).astype(np.float16)
    labels = rng.random(20_000) < 1 / (1 + np.exp(3 - 2 * features[:, 4].astype(float)))
    probe = fit_logistic(features, labels, **split(20_000, n_valid=8000))
    test = features[-8000:]  # C was chosen on these rows, which one planted feature does not mind
    assert np.argmax(np.abs(probe.coefficients)) == 4
    assert probe.coefficients[4] / probe.scale[4] == pytest.approx(2, rel=0.1)
    assert auroc(labels[-8000:], probe.decision(test)) > 0.85
    assert expected_calibration_error(labels[-8000:], expit(probe.decision(test))) < 0.015


def test_shuffled_labels_score_as_chance(rng):
    features, labels = made_sites(rng, 8000, 20)
    shuffled = rng.permutation(labels)
    train = np.arange(8000) < 3000
    valid = ~train & (np.arange(8000) < 4000)
    decision = fit_logistic(features, shuffled, train=train, valid=valid).decision(features[4000:])
    # standard error of an AUROC of 800 against 3,200 rows: sqrt((800 + 3200) / (12 x 800 x 3200)) = 0.011
    assert auroc(shuffled[4000:], decision) == pytest.approx(0.5, abs=0.045)
    assert auprc(shuffled[4000:], decision) == pytest.approx(0.2, abs=0.04)


def test_the_c_of_best_validation_score_is_chosen_and_all_tried_are_told(rng):
    features, labels = made_sites(rng, 300, 80)
    probe = fit_logistic(features, labels, **split(300))
    tried = dict(probe.strengths)
    assert probe.regularisation == max(tried, key=tried.__getitem__)
    valid = split(300)["valid"]
    # the search fits roughly, and the chosen probe is then fitted out: the score told is the rough fit's
    told = log_likelihood(labels[valid], probe.decision(features[valid]))
    assert told == pytest.approx(tried[probe.regularisation], abs=1e-3)
    assert list(tried) == list(REGULARISATION_GRID[: len(tried)])


def test_search_stops_once_the_validation_score_has_clearly_fallen(rng):
    features, labels = made_sites(rng, 400, 150, signal=0.5)
    probe = fit_logistic(features, labels, **split(400, n_valid=200))
    values = [value for _, value in probe.strengths]
    assert len(values) < len(REGULARISATION_GRID)
    assert max(values[-2:]) < 0.98 * max(values)


def test_constant_features_get_no_weight_and_change_nothing(rng):
    features, labels = made_sites(rng, 500, 8)
    constants = np.tile(np.float32([0, 0.1, -1234.567]), (500, 1))
    rows = split(500)
    for fit in (fit_logistic, fit_ridge):
        plain = fit(features, labels, **rows)
        padded = fit(np.hstack([features, constants]), labels, **rows)
        np.testing.assert_array_equal(padded.coefficients[-3:], 0)
        np.testing.assert_array_equal(padded.scale[-3:], 1)
        np.testing.assert_allclose(padded.coefficients[:-3], plain.coefficients, atol=1e-5)


def test_float16_features_are_read_as_the_numbers_that_they_are(rng):
    features, labels = made_sites(rng, 600, 10)
    half = features.astype(np.float16)
    probes = [fit_logistic(kind, labels, **split(600)) for kind in (half, half.astype(np.float32))]
    np.testing.assert_array_equal(probes[0].coefficients, probes[1].coefficients)
    np.testing.assert_array_equal(probes[0].decision(half), probes[1].decision(half.astype(np.float64)))


def test_features_of_any_unit_give_the_same_predictions(rng):
    features, labels = made_sites(rng, 600, 10)
    scaled = features * np.float32(2) ** np.arange(-5, 5, dtype=np.float32)  # powers of two change no digit
    decisions = [fit_logistic(kind, labels, **split(600)).decision(kind) for kind in (features, scaled)]
    np.testing.assert_allclose(decisions[0], decisions[1], atol=1e-9)


@pytest.mark.parametrize("fit", [fit_logistic, fit_ridge])
def test_the_same_rows_give_the_same_bits_and_features_are_left_alone(rng, fit):
    features, labels = made_sites(rng, 500, 20)
    before = features.copy()
    probes = [fit(features, labels, **split(500)) for _ in range(2)]
    np.testing.assert_array_equal(probes[0].coefficients, probes[1].coefficients)
    np.testing.assert_array_equal(features, before)


def test_separable_classes_still_give_a_finite_probe(rng):
    features, _ = made_sites(rng, 200, 300)
    probe = fit_logistic(features, features[:, 0] > 3, **split(200))
    assert np.isfinite(probe.coefficients).all()


def test_too_few_iterations_are_recorded_not_raised(rng):
    features, labels = made_sites(rng, 500, 20)
    assert not fit_logistic(features, labels, **split(500), max_iterations=1).converged


@pytest.mark.parametrize("name", ["train", "valid"])
@pytest.mark.parametrize("kind", [True, False])
def test_a_split_of_one_class_is_named_with_counts_and_remedy(rng, name, kind):
    features, labels = made_sites(rng, 80, 3)
    rows = split(80, n_valid=40)
    labels[rows[name]] = kind
    counts = "40 positive and 0 negative" if kind else "0 positive and 40 negative"
    with pytest.raises(InputError, match=rf"the {name} split holds {counts} sites.*--{name}-contigs"):
        fit_logistic(features, labels, **rows)


def test_an_empty_split_is_named(rng):
    features, labels = made_sites(rng, 80, 3)
    nothing, everything = np.zeros(80, bool), np.ones(80, bool)
    with pytest.raises(InputError, match="the valid split holds 0 positive and 0 negative"):
        fit_logistic(features, labels, train=everything, valid=nothing)
    with pytest.raises(InputError, match="valid split's 0 sites do not vary"):
        fit_ridge(features, labels, train=everything, valid=nothing)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("fit", [fit_logistic, fit_ridge])
def test_features_that_are_not_finite_are_refused_by_row(rng, fit, value):
    features, labels = made_sites(rng, 5000, 3)
    features[4321, 1] = value
    with pytest.raises(ValueError, match="row 4321 are NaN or infinite"):
        fit(features, labels, **split(5000))


def test_ridge_finds_a_planted_line(rng):
    features = rng.standard_normal((2000, 20)).astype(np.float16)
    targets = 5 + 2 * features[:, 3].astype(float) + 0.1 * rng.standard_normal(2000)
    probe = fit_ridge(features, targets, **split(2000))
    assert probe.intercept == pytest.approx(5, abs=0.2)
    assert stats.pearsonr(probe.decision(features), targets).statistic > 0.99
