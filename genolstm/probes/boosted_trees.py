"""Boosted trees on hidden states: what a linear probe of them leaves unread. No control, never part of a verdict.

Histogram gradient boosting (Ke et al. 2017, as scikit-learn has it) on a few components of the states, stopped where
validation no longer improves. Training rows and rounds are limited, so that the trees cost little beside the states.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from genolstm.probes.components import Components, principal_axes
from genolstm.probes.scores import log_likelihood
from genolstm.probes.task import BINARY, MULTICLASS, Features, Floats, TargetType, Truth
from genolstm.store.results import LinearProbe

Mask = NDArray[np.bool_]

INPUTS = 240  # about as many features as the trees see
WIDTH_AT_ONCE = 1024  # features of which components are taken together, where none were before
MOST_ROWS = 20_000  # of training
MOST_ROUNDS = 200
ROUNDS_AT_ONCE = 10
PATIENCE = 3  # times in a row that validation may get no better


def boosted_trees(
    type_: TargetType,
    features: Features | Components,
    truth: Truth,
    *,
    train: Mask,
    valid: Mask,
    rng: np.random.Generator,
) -> Floats:
    """Log odds of two classes [N], of K classes [N, K], or values [N], at every row.

    features : float [N, F], or components of the states.   train, valid : bool [N], rows to fit, of which at most
    `MOST_ROWS` are drawn, and rows on which the rounds are counted.
    """
    inputs = few_inputs(features, train)
    rows = np.flatnonzero(train)
    if len(rows) > MOST_ROWS:
        rows = np.sort(rng.choice(rows, MOST_ROWS, replace=False))
    made = HistGradientBoostingRegressor if type_ not in (BINARY, MULTICLASS) else HistGradientBoostingClassifier
    trees = made(
        max_iter=ROUNDS_AT_ONCE, early_stopping=False, warm_start=True, max_features=0.3,
        random_state=int(rng.integers(2**31)),
    )  # fmt: skip
    best, rounds, worse = -np.inf, 0, 0
    while worse < PATIENCE and trees.max_iter <= MOST_ROUNDS:
        trees.fit(inputs[rows], truth[rows])
        score = _likelihood(type_, truth[valid], _decision(trees, inputs[valid]))
        worse = 0 if score > best else worse + 1
        if not worse:
            best, rounds = score, trees.n_iter_
        trees.max_iter += ROUNDS_AT_ONCE
    return _after(trees, inputs, rounds)


def few_of_each(blocks: int) -> int:
    """Components that the trees see of each of so many blocks of states."""
    return max(1, INPUTS // blocks)


def few_inputs(features: Features | Components, train: Mask) -> NDArray[np.float32]:
    """About `INPUTS` features: the first components of each block of states, or of every thousand features."""
    if isinstance(features, Components):
        return features.leading
    if features.shape[1] <= INPUTS:
        return features.astype(np.float32)
    slabs = np.array_split(np.arange(features.shape[1]), -(-features.shape[1] // WIDTH_AT_ONCE))
    kept = few_of_each(len(slabs))
    columns = []
    for slab in slabs:
        block = features[:, slab].astype(np.float32)
        columns.append(principal_axes(block, train, min(kept, len(slab))).components(block))
    return np.concatenate(columns, axis=1)


def no_linear_probe(predicted: Floats) -> LinearProbe:
    """Stand for what is not linear in any feature: a probe of no features at all."""
    nothing = np.zeros(0, dtype=np.float32)
    kinds = predicted.shape[1:]
    return LinearProbe(
        mean=nothing, scale=nothing, coefficients=np.zeros((0, *kinds), dtype=np.float32),
        intercept=np.zeros(kinds) if kinds else 0.0, regularisation=0.0, converged=True,
    )  # fmt: skip


def _decision(trees: HistGradientBoostingClassifier | HistGradientBoostingRegressor, inputs: Features) -> Floats:
    decide = getattr(trees, "decision_function", trees.predict)
    decision: Floats = np.asarray(decide(inputs), dtype=np.float64)
    return decision


def _after(
    trees: HistGradientBoostingClassifier | HistGradientBoostingRegressor, inputs: Features, rounds: int
) -> Floats:
    """Decisions after so many rounds."""
    staged = getattr(trees, "staged_decision_function", trees.staged_predict)
    stages: Iterator[NDArray[np.floating]] = staged(inputs)
    for number, decision in enumerate(stages, start=1):
        if number == rounds:
            return np.asarray(decision, dtype=np.float64)
    raise ValueError(f"the trees have no {rounds} rounds")


def _likelihood(type_: TargetType, truth: Truth, decision: Floats) -> float:
    """What rounds are counted by: mean log likelihood of classes, minus the mean squared error of values."""
    if type_ is BINARY:
        return float(log_likelihood(truth, decision))
    if type_ is MULTICLASS:
        largest = decision.max(axis=1, keepdims=True)
        total = np.log(np.exp(decision - largest).sum(axis=1)) + largest[:, 0]
        return float((decision[np.arange(len(truth)), truth.astype(np.int64)] - total).mean())
    return -float(np.mean((decision - truth) ** 2))
