"""The probe of several classes against scikit-learn's."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score

from genolstm.errors import InputError
from genolstm.probes.comparison import MULTICLASS, VALUES, ProbeComparison
from genolstm.probes.multinomial import fit_multinomial
from genolstm.probes.scores import accuracy, auroc, block_bootstrap, class_mean_interval


@pytest.fixture
def drawn():
    rng = np.random.default_rng(4)
    n, width = 900, 7
    features = rng.standard_normal((n, width)).astype(np.float32)
    features[:, 0] *= 20
    labels = (features @ rng.standard_normal((width, 3)) / [3, 2, 4] + rng.gumbel(size=(n, 3))).argmax(axis=1)
    part = np.arange(n) % 3
    return features, labels, part == 0, part == 1, part == 2


@pytest.mark.parametrize("c", [1e-3, 1e-1, 10])
def test_coefficients_and_predictions_are_those_of_scikit_learn(drawn, c):
    features, labels, train, valid, test = drawn
    probe = fit_multinomial(features, labels, train=train, valid=valid, grid=(c,))
    theirs = LogisticRegression(C=c, tol=1e-10, max_iter=10_000)
    standardised = (features.astype(np.float64) - probe.mean) / probe.scale
    theirs.fit(standardised[train], labels[train])
    np.testing.assert_allclose(probe.coefficients.T, theirs.coef_, rtol=1e-3, atol=1e-4)
    ours = probe.decision(features[test])
    log_odds = theirs.decision_function(standardised[test])
    np.testing.assert_allclose(
        ours - ours.mean(axis=1, keepdims=True), log_odds - log_odds.mean(axis=1, keepdims=True), rtol=1e-3, atol=1e-3
    )
    assert probe.converged


def test_strength_is_the_best_on_validation(drawn):
    features, labels, train, valid, _ = drawn
    probe = fit_multinomial(features, labels, train=train, valid=valid)
    assert probe.regularisation == max(probe.validation, key=lambda tried: tried[1])[0]
    assert len(probe.validation) > 3
    again = fit_multinomial(features, labels, train=train, valid=valid, grid=(probe.regularisation,))
    np.testing.assert_allclose(probe.decision(features), again.decision(features), atol=1e-3)


def test_a_split_without_a_class_is_refused(drawn):
    features, labels, train, valid, _ = drawn
    labels = np.where(valid & (labels == 2), 0, labels)
    with pytest.raises(InputError, match=r"the valid split holds \d+, \d+, 0 sites of the 3 classes"):
        fit_multinomial(features, labels, train=train, valid=valid)


def test_scores_of_several_classes_are_those_of_scikit_learn(drawn):
    features, labels, train, valid, test = drawn
    log_odds = fit_multinomial(features, labels, train=train, valid=valid).decision(features[test])
    called = log_odds.argmax(axis=1)
    assert accuracy(labels[test], called) == pytest.approx(accuracy_score(labels[test], called))
    resamples = block_bootstrap(np.arange(test.sum()) // 5, 50, np.random.default_rng(1))
    found = class_mean_interval(labels[test], log_odds, resamples, auroc)
    each = [roc_auc_score(labels[test] == kind, log_odds[:, kind]) for kind in range(3)]
    assert found.value == pytest.approx(np.mean(each))
    assert found.low < found.value < found.high


def test_a_fit_stands_at_0_on_the_floor_and_at_1_under_the_ceiling():
    rng = np.random.default_rng(3)
    n = 300
    truth = rng.standard_normal(n).astype(np.float32)
    noise = rng.standard_normal((3, n))
    part, block = (np.arange(n) % 3).astype(np.int8), np.arange(n) // 6
    contest = ProbeComparison("t", VALUES, truth, part, block, n_resamples=200, seed=1, told=lambda _: None)
    for name, share in (("floor", 0.3), ("between", 1.0), ("ceiling", 3.0)):
        contest.fit(name, (share * truth + noise[("floor", "between", "ceiling").index(name)])[:, None])
    assert contest.standing("floor", "floor", "ceiling") == (0, 0, 0)
    assert contest.standing("ceiling", "floor", "ceiling") == (1, 1, 1)
    between = contest.standing("between", "floor", "ceiling")
    assert 0 < between.low < between.value < between.high < 1
    assert contest.standing("between", "ceiling", "floor") is None


def test_several_classes_that_are_planted_are_found(drawn):
    features, labels, *_ = drawn
    n = len(labels)
    part, block = (np.arange(n) % 3).astype(np.int8), np.arange(n) // 5
    contest = ProbeComparison(
        "frame", MULTICLASS, labels.astype(np.int8), part, block, n_resamples=60, seed=1, told=lambda _: None
    )
    contest.fit("trained", features)
    contest.fit("noise", np.random.default_rng(1).standard_normal((n, 4)))
    contest.fit("shuffled", features, contest.permuted(np.random.default_rng(2)))
    found = contest.feature_sets()
    assert found["trained"].scores["accuracy"].low > 0.6
    assert found["shuffled"].scores["auroc_mean"].low < 0.5 < found["shuffled"].scores["auroc_mean"].high
    called = found["trained"].log_odds[part == 2].argmax(axis=1)
    assert found["trained"].scores["accuracy"].value == pytest.approx(accuracy_score(labels[part == 2], called))
    difference = contest.difference("trained", "noise")
    expected = found["trained"].scores["accuracy"].value - found["noise"].scores["accuracy"].value
    assert difference.value == pytest.approx(expected)
    assert difference.low > 0
