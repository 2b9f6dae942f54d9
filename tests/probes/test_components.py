"""Principal components of states against scikit-learn's, and probes of them told as probes of the states."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from genolstm.probes.components import Components, StateBlocks, block_components, principal_axes
from genolstm.probes.linear import fit_logistic, fit_ridge
from genolstm.probes.multinomial import fit_multinomial

N, BLOCKS, WIDTH, KEPT = 600, 3, 12, 4


@pytest.fixture(scope="module")
def states():
    """States of a few directions and noise, [blocks, rows of two tasks, D], in float16."""
    rng = np.random.default_rng(3)
    hidden = rng.standard_normal((BLOCKS, 2 * N, 5)) * [5, 3, 2, 1, 0.5]
    mixed = np.einsum("bnk,bkd->bnd", hidden, rng.standard_normal((BLOCKS, 5, WIDTH)))
    noise = 0.1 * rng.standard_normal((BLOCKS, 2 * N, WIDTH))
    return (mixed * rng.uniform(0.1, 3, (BLOCKS, 1, WIDTH)) + noise + 2).astype(np.float16)


@pytest.fixture(scope="module")
def source(states):
    return StateBlocks(states, [2, 0], np.arange(1, 2 * N, 2))


@pytest.fixture(scope="module")
def parts():
    return np.arange(N) < 400, np.arange(N) >= 400


def test_components_are_those_of_scikit_learn_on_the_training_rows(source, parts):
    train, valid = parts
    found = block_components(source, KEPT, train=train, valid=valid)
    for number, block in enumerate((2, 0)):
        rows = source.states[block][1::2].astype(np.float64)
        scaler = StandardScaler().fit(rows[train])
        pca = PCA(KEPT, svd_solver="full").fit(scaler.transform(rows[train]))
        theirs = pca.transform(scaler.transform(rows))
        ours = found.values.reshape(N, 2, KEPT)[:, number]
        sign = np.sign((ours * theirs).sum(axis=0))
        np.testing.assert_allclose(ours * sign, theirs, atol=2e-3 * np.abs(theirs).max())
        np.testing.assert_allclose(ours[train].var(axis=0), pca.explained_variance_ * 399 / 400, rtol=1e-3)


def test_axes_do_not_know_rows_that_are_not_of_training(source, parts):
    train, valid = parts
    block = source.block(0)
    axes = principal_axes(block.copy(), train, KEPT)
    block[valid] = 1e3
    other = principal_axes(block, train, KEPT)
    np.testing.assert_array_equal(axes.axes, other.axes)
    largest = np.abs(axes.axes).argmax(axis=0)
    assert (axes.axes[largest, range(KEPT)] > 0).all()


def test_a_unit_that_never_changes_has_no_part_in_any_component():
    block = np.random.default_rng(1).standard_normal((100, 5)).astype(np.float32)
    block[:, 3] = 0.7
    axes = principal_axes(block, np.ones(100, dtype=bool), 4)
    np.testing.assert_allclose(axes.axes[3], 0, atol=1e-6)
    assert axes.scale[3] == 1


@pytest.mark.parametrize("kind", ["logistic", "ridge", "multinomial"])
def test_a_probe_of_components_says_the_same_of_the_states(source, parts, kind):
    train, valid = parts
    rng, found = np.random.default_rng(5), block_components(source, KEPT, train=train, valid=valid)
    value = found.values[:, 0] + found.values[:, 5] + 0.5 * rng.standard_normal(N)
    if kind == "ridge":
        probe = fit_ridge(found.values, value, train=train, valid=valid, rescale=False)
    elif kind == "logistic":
        probe = fit_logistic(found.values, value > 0, train=train, valid=valid, rescale=False)
    else:
        classes = np.digitize(value, np.quantile(value, [0.3, 0.7]))
        probe = fit_multinomial(found.values, classes, train=train, valid=valid, rescale=False)
    unfolded = found.unfolded(probe)
    assert unfolded.coefficients.shape == (2 * WIDTH, *probe.coefficients.shape[1:])
    expected = probe.decision(found.values)
    np.testing.assert_allclose(unfolded.decision(source.together()), expected, atol=1e-4)
    np.testing.assert_allclose(source.decision(unfolded), expected, atol=1e-4)
    assert np.abs(expected).max() > 1


def test_all_components_together_are_as_good_as_the_states(source, parts):
    """An L2 penalty does not see how space is turned."""
    train, valid = parts
    label = np.random.default_rng(2).random(N) < 1 / (1 + np.exp(-source.block(0)[:, 0]))
    grid = {"train": train, "valid": valid, "grid": (1e-2,)}
    of_states = fit_logistic(source.together(), label, **grid)
    all_of_them = block_components(source, 10 * WIDTH, train=train, valid=valid)
    assert all_of_them.values.shape == (N, 2 * WIDTH)
    probe = all_of_them.unfolded(fit_logistic(all_of_them.values, label, **grid, rescale=False))
    np.testing.assert_allclose(probe.coefficients, of_states.coefficients, atol=1e-4)
    np.testing.assert_allclose(probe.decision(source.together()), of_states.decision(source.together()), atol=1e-3)


def test_blocks_are_chosen_with_their_axes(source, parts):
    train, valid = parts
    few = valid & (np.arange(N) < 420)
    found = block_components(source, KEPT, train=train, valid=few, leading=1)
    second = found.of_blocks([1])
    assert isinstance(second, Components)
    np.testing.assert_array_equal(second.values, found.values[:, KEPT:])
    np.testing.assert_array_equal(second.source.together(), source.together()[:, WIDTH:])
    assert found.of_blocks([0, 1]) is found
    assert (found.values.shape, found.leading.shape, second.leading.shape) == ((420, 2 * KEPT), (N, 2), (N, 1))
    np.testing.assert_allclose(found.leading[:420], found.values[:, ::KEPT], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(second.leading, found.leading[:, 1:])
    with pytest.raises(ValueError, match="no block of states was read"):
        replace(source, blocks=[]).decision(None)
