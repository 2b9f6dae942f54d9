"""Two groups of samples: likelihood ratios against scipy, calibration on simulated groups, regions."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import betaln
from scipy.stats import f as f_distribution
from scipy.stats import false_discovery_control, kstest

from genolstm.errors import InputError
from genolstm.methylation.contrast import (
    GroupReads,
    Intervals,
    _mixed,
    contrast,
    moderated,
    region_sums,
    replicate_inflation,
)  # fmt: skip
from genolstm.settings.methylation import ContrastSettings

TIMES = tuple(float(time) for time in (0, 1, 4, 16) for _ in range(2))
AGES = np.array(TIMES) + 0.5
MIXED = ContrastSettings(time_offset=0.5).fit_settings(TIMES)


def group(rate, steady, rng, *, coverage=10, dispersion=0.05, **options):
    settings = ContrastSettings(time_offset=0.5, **options)
    state = steady[:, None] * -np.expm1(-rate[:, None] * AGES)
    covered = rng.poisson(coverage, state.shape)
    if dispersion:
        size = (1 - dispersion) / dispersion
        state = rng.beta(np.maximum(state * size, 1e-9), np.maximum((1 - state) * size, 1e-9))
    modified = rng.binomial(covered, state)
    return GroupReads(modified.astype(np.int32), covered.astype(np.int32), settings.fit_settings(TIMES))


def gates(sites, rng):
    return 0.4 * np.exp(rng.normal(0, 0.7, sites)), 1 / (1 + np.exp(-rng.normal(1, 1, sites)))


def test_p_of_each_hypothesis_is_the_likelihood_ratio_that_scipy_finds():
    rng = np.random.default_rng(1)
    rate, steady = gates(4, rng)
    one, two = group(rate, steady, rng, dispersion=0.0), group(2 * rate, steady, rng, dispersion=0.0)
    fixed = [each._replace(settings=ContrastSettings(time_offset=0.5, dispersion="0.1").fit_settings(TIMES))
             for each in (one, two)]  # fmt: skip
    found = contrast(*fixed, ("a", "b"))
    size = 0.9 / 0.1

    def nats(row, log_rate, steady, which):
        state = np.clip(steady * -np.expm1(-np.exp(log_rate) * AGES), 1e-12, 1 - 1e-12)
        modified, covered = which.modified[row], which.covered[row]
        alpha, beta = state * size, (1 - state) * size
        return float((betaln(modified + alpha, covered - modified + beta) - betaln(alpha, beta)).sum())

    def most(cost, bounds, starts):
        return max(-minimize(cost, start, bounds=bounds, method="L-BFGS-B").fun for start in starts)

    def together(row, gates):
        """Both groups' nats, the gates of each (ln k, g) picked from one list."""

        def cost(values):
            return -sum(nats(row, values[k], values[g], which) for (k, g), which in zip(gates, fixed, strict=True))

        return cost

    k, g = (np.log(0.01), np.log(10)), (0, 1)
    starts = [(x, y) for x in (-2, -1, 0) for y in (0.4, 0.8)]
    cases = {  # hypothesis -> places of each group's gates among the values, bounds, starts
        "free": ([(0, 2), (1, 3)], [k, k, g, g], [[x, x, y, y] for x, y in starts]),
        "same k": ([(0, 1), (0, 2)], [k, g, g], [[x, y, y] for x, y in starts]),
        "same g": ([(0, 2), (1, 2)], [k, k, g], [[x, x, y] for x, y in starts]),
        "same": ([(0, 1), (0, 1)], [k, g], [[x, y] for x, y in starts]),
    }
    for row in range(4):
        best = {name: most(together(row, gates), *rest) for name, (gates, *rest) in cases.items()}
        for p, name, less in ((found.rate.p, "same k", 1), (found.steady.p, "same g", 1), (found.p, "same", 2)):
            ratio = max(0.0, 2 * (best["free"] - best[name])) / less / found.scatter.variance[row]
            assert p[row] == pytest.approx(f_distribution.sf(ratio, less, found.scatter.degrees[row]), abs=2e-3)
    np.testing.assert_allclose(found.rate.q, false_discovery_control(found.rate.p))
    assert found.dispersion == pytest.approx(0.1)


def test_moderated_variances_have_the_prior_that_made_them():
    rng = np.random.default_rng(7)
    degrees, prior, usual = np.full(4000, 12.0), 9.0, 1.4
    true = usual * prior / rng.chisquare(prior, 4000)
    found = moderated(true * rng.chisquare(degrees) / degrees, degrees)
    assert found.usual == pytest.approx(usual, rel=0.05)
    assert found.usual_degrees == pytest.approx(prior, rel=0.3)
    assert np.abs(np.log(found.variance / true)).mean() < 0.9 * np.abs(np.log(rng.chisquare(degrees) / degrees)).mean()
    alike = moderated(2 * rng.chisquare(degrees) / degrees, degrees)
    assert alike.variance == pytest.approx(2, rel=0.2)
    assert moderated(np.ones(1), np.zeros(1)).variance.tolist() == [1.0]


def test_mixed_groups_hold_every_sample_once_and_half_of_each_group():
    one, two = (GroupReads(*(np.tile(np.arange(8) + add, (3, 1)).astype(np.int32),) * 2, settings)
                for add, settings in ((0, MIXED), (100, MIXED)))  # fmt: skip
    first, second = _mixed((one, two), [AGES, AGES], np.random.default_rng(1))
    both = np.concatenate([first.modified, second.modified], axis=1)
    assert sorted(both[0].tolist()) == [*range(8), *range(100, 108)]
    assert ((both % 100) // 2 == np.tile(np.arange(8) // 2, 2)).all()  # each at its own time
    assert ((first.modified[0] >= 100).reshape(4, 2).sum(1) == 1).all()
    few = group(*gates(20, np.random.default_rng(2)), np.random.default_rng(3))
    assert replicate_inflation((few, few), 0.05, np.random.default_rng(4)) == (1.0, 1.0, 1.0)


@pytest.mark.slow
def test_p_is_uniform_and_intervals_cover_where_groups_are_alike():
    rng = np.random.default_rng(2)
    rate, steady = gates(1000, rng)
    found = contrast(group(rate, steady, rng), group(rate, steady, rng), ("a", "b"))
    assert found.dispersion == pytest.approx(0.05, abs=0.02)
    for p in (found.rate.p, found.steady.p, found.p):
        assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.02)
        assert kstest(p[p < 0.5] * 2, "uniform").statistic < 0.08  # bounds of g pile p up near 1
    assert (found.q <= 0.05).sum() <= 2
    for each in (found.rate, found.steady):
        assert ((each.low <= 0) & (each.high >= 0)).mean() > 0.93


def test_planted_differences_are_found_on_the_right_gate_and_side():
    rng = np.random.default_rng(3)
    rate, steady = gates(200, rng)
    planted = np.arange(200) < 60
    other = group(np.where(planted, 6 * rate, rate), steady, rng, coverage=30)
    found = contrast(group(rate, steady, rng, coverage=30), other, ("a", "b"))
    hit = found.rate.q <= 0.05
    assert hit[planted].mean() > 0.4
    assert hit[~planted].sum() <= 4
    assert (found.rate.value[hit & planted] > 0).all()
    assert (found.steady.q <= 0.05).sum() < 10
    lower = group(rate, 0.5 * steady, rng, coverage=30)
    below = contrast(group(rate, steady, rng, coverage=30), lower, ("a", "b"))
    assert (below.steady.q <= 0.05).mean() > 0.3
    assert (below.steady.value[below.steady.q <= 0.05] < 0).all()


def test_sites_with_too_few_reads_in_a_group_are_left_out_and_none_is_an_error():
    rng = np.random.default_rng(4)
    rate, steady = gates(30, rng)
    one, two = group(rate, steady, rng), group(rate, steady, rng)
    two.covered[:10] = two.modified[:10] = 0
    two.covered[10, 2:] = two.modified[10, 2:] = 0  # one age alone
    assert contrast(one, two, ("a", "b")).rows.tolist() == list(range(11, 30))
    two.covered[:] = two.modified[:] = 0
    with pytest.raises(InputError, match="groups 'a' and 'b' share no site with 20 reads at two ages"):
        contrast(one, two, ("a", "b"))


def test_region_sums_are_sums_of_the_sites_inside():
    rng = np.random.default_rng(5)
    contig = np.repeat([0, 1], 20).astype(np.int32)
    position = np.concatenate([np.sort(rng.choice(200, 20, replace=False)) for _ in range(2)])
    values = rng.integers(0, 9, (40, 3)).astype(np.int32)
    start = rng.integers(0, 200, 15)
    intervals = Intervals(rng.integers(0, 2, 15).astype(np.int32), start, start + rng.integers(1, 80, 15))
    expected = [
        values[(contig == c) & (position >= s) & (position < e)].sum(axis=0)
        for c, s, e in zip(*intervals, strict=True)
    ]  # fmt: skip
    np.testing.assert_array_equal(region_sums(values, contig, position, intervals), expected)
