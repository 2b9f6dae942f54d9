"""Boosted trees beside linear probes: they find what is not linear, and stop where validation does."""

import numpy as np
import pytest

from genolstm.probes import boosted_trees as trees
from genolstm.probes.boosted_trees import boosted_trees, few_inputs, no_linear_probe
from genolstm.probes.linear import fit_logistic
from genolstm.probes.scores import auroc, r2
from genolstm.probes.task import BINARY, CONTINUOUS, MULTICLASS

N = 1_500


@pytest.fixture(scope="module")
def made():
    """Features of which the product of two says the class, which no line does."""
    features = np.random.default_rng(1).standard_normal((N, 6)).astype(np.float16)
    return features, (features[:, 0] * features[:, 1]).astype(np.float32)


TRAIN, VALID, TEST = (np.arange(N) // 500 == part for part in range(3))


def fitted(kind, features, truth, seed=1):
    return boosted_trees(kind, features, truth, train=TRAIN, valid=VALID, rng=np.random.default_rng(seed))


def test_trees_find_what_a_line_does_not(made):
    features, product = made
    label = (product > 0).astype(np.int8)
    line = fit_logistic(features, label, train=TRAIN, valid=VALID).decision(features)
    assert float(auroc(label[TEST], line[TEST])) < 0.6
    assert float(auroc(label[TEST], fitted(BINARY, features, label)[TEST])) > 0.85
    assert float(r2(product[TEST], fitted(CONTINUOUS, features, product)[TEST])) > 0.4
    thirds = np.digitize(product, np.quantile(product, [1 / 3, 2 / 3])).astype(np.int8)
    decision = fitted(MULTICLASS, features, thirds)
    assert decision.shape == (N, 3)
    assert (decision.argmax(axis=1) == thirds)[TEST].mean() > 0.6


def test_same_seed_same_trees(made):
    features, product = made
    label = (product > 0).astype(np.int8)
    np.testing.assert_array_equal(fitted(BINARY, features, label), fitted(BINARY, features, label))
    assert not np.array_equal(fitted(BINARY, features, label), fitted(BINARY, features, label, seed=2))


def test_rounds_stop_where_validation_gets_no_better(made, monkeypatch):
    """Noise as truth: more rounds only get worse."""
    features, _ = made
    label = np.random.default_rng(3).integers(0, 2, N).astype(np.int8)
    few = fitted(BINARY, features, label)
    monkeypatch.setattr(trees, "MOST_ROUNDS", 10)
    monkeypatch.setattr(trees, "PATIENCE", 99)
    np.testing.assert_array_equal(few, fitted(BINARY, features, label))  # the first ten were the best


def test_rows_of_training_are_limited(made, monkeypatch):
    features, product = made
    label = (product > 0).astype(np.int8)
    of_all = float(auroc(label[TEST], fitted(BINARY, features, label)[TEST]))
    monkeypatch.setattr(trees, "MOST_ROWS", 60)
    assert 0.5 < float(auroc(label[TEST], fitted(BINARY, features, label)[TEST])) < of_all - 0.01


def test_inputs_are_few_components_of_many_features(monkeypatch):
    features = np.random.default_rng(2).standard_normal((200, 90)).astype(np.float16)
    np.testing.assert_array_equal(few_inputs(features, np.ones(200, bool)), features.astype(np.float32))
    monkeypatch.setattr(trees, "INPUTS", 20)
    monkeypatch.setattr(trees, "WIDTH_AT_ONCE", 30)
    assert few_inputs(features, np.ones(200, bool)).shape == (200, 18)


def test_no_linear_probe_is_one_of_no_features():
    assert no_linear_probe(np.zeros(4)).decision(np.zeros((4, 0))).tolist() == [0.0] * 4
    assert no_linear_probe(np.zeros((4, 3))).decision(np.zeros((4, 0))).shape == (4, 3)
