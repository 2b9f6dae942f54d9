"""Matching by composition, profiles, the permutation test: against slow twins, under the null, and planted."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from genolstm.alphabet import DNA, reverse_complement
from genolstm.gates import enrichment as module
from genolstm.gates.enrichment import (
    block_interval,
    composition_keys,
    edge_profile,
    matched_positions,
    permutation_test,
    profiles_by_slab,
)


def letters_of(codes):
    return "".join("ACGTN"[code] for code in codes)


def key_by_letters(codes, position, sign, k):
    """Word that ends at a position as it is read, and tenth of GC around it; None where there is none."""
    text = letters_of(codes)
    around = [letter for letter in text[max(0, position - 50) : position + 51] if letter != "N"]
    if sign < 0:
        text, position = letters_of(reverse_complement(codes)), len(codes) - 1 - position
    if position < k - 1 or "N" in text[position - k + 1 : position + 1]:
        return None
    gc = sum(letter in "GC" for letter in around)
    return text[position - k + 1 : position + 1], min(10 * gc // len(around), 9)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 99), length=st.integers(1, 160), sign=st.sampled_from([1, -1]), k=st.integers(1, 5),
    data=st.data(),
)  # fmt: skip
def test_keys_are_words_and_gc(drawn_codes, seed, length, sign, k, data):
    codes = drawn_codes(seed, length, unknown=0.1)
    start = data.draw(st.integers(0, length - 1))
    end = data.draw(st.integers(start, length))
    keys = composition_keys(codes, start, end, sign=sign, k=k)
    slow = [key_by_letters(codes, position, sign, k) for position in range(start, end)]
    assert [key == -1 for key in keys] == [key is None for key in slow]
    pairs = {(int(key), each) for key, each in zip(keys, slow, strict=True) if each is not None}
    assert len({key for key, _ in pairs}) == len({each for _, each in pairs}) == len(pairs)


@pytest.mark.parametrize("slab", [333, 1 << 20])
@pytest.mark.parametrize("sign", [1, -1])
def test_matches_have_the_composition_and_are_used_once(monkeypatch, drawn_codes, sign, slab):
    monkeypatch.setattr(module, "SLAB", slab)
    codes = drawn_codes(1, 6000, unknown=0.01)
    rng = np.random.default_rng(0)
    positions = rng.choice(np.arange(200, 5800), 40, replace=False)
    barred = np.array([1000, 3000])
    found = matched_positions(
        codes, positions, rng, sign=sign, k=2, matches=3, barred=barred, min_distance=60, within=(100, 5900)
    )
    full = found[:, 0] >= 0
    assert full.sum() > 25
    assert (found[~full] == -1).all()
    for position, matches in zip(positions[full], found[full], strict=True):
        key = key_by_letters(codes, position, sign, 2)
        assert [key_by_letters(codes, match, sign, 2) for match in matches] == [key] * 3
    used = found[full].ravel()
    assert len(np.unique(used)) == len(used)
    assert (np.abs(used[:, None] - barred) > 60).all()
    assert used.min() >= 100
    assert used.max() < 5900


def test_matches_are_drawn_evenly_from_all_that_fit(drawn_codes):
    codes, rng = drawn_codes(3, 900), np.random.default_rng(0)
    drawn = np.concatenate(
        [matched_positions(codes, np.array([450]), rng, sign=1, k=1, matches=1).ravel() for _ in range(1500)]
    )
    key = key_by_letters(codes, 450, 1, 1)
    fitting = [p for p in range(900) if p != 450 and key_by_letters(codes, p, 1, 1) == key]
    assert set(drawn.tolist()) <= set(fitting)
    counts = np.array([(drawn == place).sum() for place in fitting])
    assert np.square(counts - counts.mean()).sum() / counts.mean() < 1.4 * len(counts)  # chi square


def test_too_few_of_a_composition_leave_places_without_matches(drawn_codes):
    codes = drawn_codes(3, 400)
    codes[:] = 0
    codes[[10, 200, 390]] = 2
    rng = np.random.default_rng(0)
    found = matched_positions(codes, np.array([10, 100]), rng, sign=1, k=1, matches=3)
    assert found[0].tolist() == [-1, -1, -1]
    assert (found[1] >= 0).all()
    nothing = matched_positions(codes, np.zeros(0, np.int64), rng, sign=1, k=1, matches=3)
    assert nothing.shape == (0, 3)


def test_profiles_run_in_reading_direction():
    track = np.arange(10, dtype=np.float32)
    np.testing.assert_array_equal(edge_profile(track, np.array([4]), sign=1, reach=2), [[2, 3, 4, 5, 6]])
    np.testing.assert_array_equal(edge_profile(track, np.array([4]), sign=-1, reach=2), [[6, 5, 4, 3, 2]])
    np.testing.assert_array_equal(edge_profile(track, np.array([9]), sign=1, reach=1), [[8, 9, np.nan]])


def test_profiles_by_slab_are_those_of_the_whole(monkeypatch):
    monkeypatch.setattr(module, "SLAB", 50)
    rng = np.random.default_rng(0)
    track, positions = rng.random(333), rng.integers(0, 333, 70)
    positions[[3, 8]] = -1
    told = np.full((70, 9), -5.0)
    held = []

    def read(start, end):
        held.append(end - start)
        return track[start:end]

    for rows, profile in profiles_by_slab(read, 333, positions, sign=-1, reach=4):
        told[rows] = profile
    expected = edge_profile(track, positions, sign=-1, reach=4)
    expected[[3, 8]] = -5.0
    np.testing.assert_array_equal(told, expected)
    assert max(held) <= 58


def test_p_is_uniform_under_the_null():
    rng = np.random.default_rng(4)
    ps = [permutation_test(rng.gamma(2.0, size=(30, 4)), rng, permutations=199).p for _ in range(400)]
    assert kstest(ps, "uniform").pvalue > 0.01
    assert np.mean(np.array(ps) <= 0.05) < 0.09


def test_p_of_few_sets_is_that_of_all_permutations():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(5, 3))
    values[:, 0] += 0.7
    n, members = values.shape
    change = values - (values.sum(1, keepdims=True) - values) / (members - 1)
    every = np.array([change[np.arange(n), picks].mean() for picks in product(range(members), repeat=n)])
    exact = np.mean(np.abs(every) >= abs(every[0]) - 1e-12)
    told = permutation_test(values, rng, permutations=20_000)
    assert told.difference == pytest.approx(values[:, 0].mean() - values[:, 1:].mean())
    assert told.p == pytest.approx(exact, abs=0.015)


def test_a_planted_difference_has_the_smallest_p(monkeypatch):
    monkeypatch.setattr(module, "PICKS", 1000)  # in several parts
    rng = np.random.default_rng(2)
    values = rng.normal(size=(200, 6))
    values[:, 0] -= 1.0
    told = permutation_test(values, rng, permutations=999)
    assert told.p == 1 / 1000
    assert told.difference == pytest.approx(-1.0, abs=0.25)


def test_values_that_do_not_differ_have_p_1_and_no_sets_none():
    rng = np.random.default_rng(2)
    assert permutation_test(np.ones((9, 3)), rng, permutations=99) == (0.0, 1.0)
    assert all(np.isnan(permutation_test(np.ones((0, 3)), rng, permutations=99)))


def test_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        block = np.repeat(np.arange(40), 5)
        values = 0.3 + rng.normal(size=40)[block] + rng.normal(size=200)  # blocks share a term
        told = block_interval(values, block, rng, resamples=300)
        assert told.low <= told.value <= told.high
        covered += told.low <= 0.3 <= told.high
    assert 0.88 < covered / 200 < 0.99


def test_the_alphabet_is_the_one_that_the_twin_spells():
    assert DNA.letters[:4] == "ACGT"
