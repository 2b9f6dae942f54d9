"""The fit of each CpG alone, against scipy.optimize, closed forms and known rates."""

import dataclasses
import time

import numpy as np
import pytest
from scipy.optimize import brentq, minimize
from scipy.stats import betabinom, binom, chi2

from genolstm.methylation import likelihood
from genolstm.methylation.dispersion import estimate_dispersion
from genolstm.methylation.likelihood import LOG_RATE, STEADY, ReadModel
from genolstm.methylation.site_fit import Flag, fit_sites, read_model, reads_of
from genolstm.settings.methylation import MethylationSettings

SETTINGS = MethylationSettings(times=(0, 1, 4, 16), time_offset=0.5)
AGES = np.array(SETTINGS.elapsed)
MODELS = {
    "binomial": {},
    "conversion error": {"conversion_error": 0.02},
    "beta-binomial": {"likelihood": "beta-binomial", "dispersion": "0.1"},
    "free start": {"start": "free"},
    "all together": {
        "start": "free", "likelihood": "beta-binomial", "dispersion": "0.05", "conversion_error": 0.01
    },
}  # fmt: skip


def drawn(seed, count, rate, steady, depth, *, error=0.0, start=0.0, ages=AGES, dispersion=0.0):
    rng = np.random.default_rng(seed)
    state = steady + (start - steady) * np.exp(-np.multiply.outer(rate, ages))
    probability = np.broadcast_to(error + (1 - error) * state, (count, len(ages)))
    if dispersion:
        size = (1 - dispersion) / dispersion
        probability = rng.beta(probability * size, (1 - probability) * size)
    covered = rng.poisson(depth, (count, len(ages))).astype(np.int32)
    return rng.binomial(covered, probability).astype(np.int32), covered


def mixed(count=60, seed=3):
    """CpGs of many kinds, empty samples among them."""
    rng = np.random.default_rng(seed)
    rate, steady = np.exp(rng.uniform(-4, 2, count)), rng.beta(0.7, 0.5, count)
    state = steady[:, None] * -np.expm1(-rate[:, None] * AGES)
    covered = rng.poisson(rng.choice([1, 4, 20], (count, 1)), (count, 4)).astype(np.int32)
    return rng.binomial(covered, state).astype(np.int32), covered


def settings_of(**options):
    return MethylationSettings(times=SETTINGS.times, time_offset=0.5, **options)


def model_of(settings):
    dispersion = 0.0 if settings.dispersion == "estimate" else float(settings.dispersion)
    return read_model(settings, dispersion)


def oracle(modified, covered, model, *, pinned=None):
    """Best log-likelihood of one CpG by scipy.optimize and scipy.stats from many starts; pinned : row -> value."""

    def cost(values):
        full = list(values)
        for row, value in (pinned or {}).items():
            full.insert(row, value)
        log_rate, steady, start = [*full, 0.0][:3]
        state = steady + (start - steady) * np.exp(-np.exp(log_rate) * model.elapsed)
        probability = np.clip(model.error + (1 - model.error) * state, 1e-12, 1 - 1e-12)
        if model.dispersion == 0:
            return -(binom.logpmf(modified, covered, probability) - binom.logpmf(modified, covered, 0.5)
                     + covered * np.log(0.5)).sum()  # fmt: skip
        size = (1 - model.dispersion) / model.dispersion
        choices = binom.logpmf(modified, covered, 0.5) - covered * np.log(0.5)
        return -(betabinom.logpmf(modified, covered, probability * size, (1 - probability) * size) - choices).sum()

    bounds = [(np.log(0.01), np.log(10)), (0, 1), (0, 1)][: model.parameters]
    bounds = [bound for row, bound in enumerate(bounds) if row not in (pinned or {})]
    starts = np.random.default_rng(0).uniform(
        [low for low, _ in bounds], [high for _, high in bounds], (6, len(bounds))
    )
    return -min(minimize(cost, start, method="L-BFGS-B", bounds=bounds).fun for start in starts)


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_slopes_and_curvatures_are_those_of_the_value(options):
    model = model_of(settings_of(**options))
    reads = reads_of(*mixed(30))
    rng = np.random.default_rng(1)
    point = np.stack([rng.uniform(-3, 2, 30), rng.uniform(0.1, 0.9, 30), rng.uniform(0.1, 0.9, 30)])[: model.parameters]
    about = likelihood.surface(point, reads, model)
    for row in range(model.parameters):
        shift = np.zeros_like(point)
        shift[row] = 1e-5
        above, below = (likelihood.surface(point + sign * shift, reads, model) for sign in (1, -1))
        np.testing.assert_allclose((above.value - below.value) / 2e-5, about.slope[row], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose((above.slope - below.slope) / 2e-5, about.curvature[row], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_fit_is_as_likely_as_the_best_that_scipy_finds(options):
    settings = settings_of(**options)
    model = model_of(settings)
    modified, covered = mixed(7)
    fit = fit_sites(modified, covered, settings, model, intervals=False)
    for row in np.flatnonzero(covered.sum(axis=1)):
        best = oracle(modified[row], covered[row], model)
        assert fit.log_likelihood[row] >= best - 1e-5
        assert fit.log_likelihood[row] == pytest.approx(best, abs=0.01)


@pytest.mark.parametrize("options", [MODELS["binomial"], MODELS["beta-binomial"], MODELS["free start"]])
def test_interval_ends_are_where_scipys_profile_has_fallen(options):
    settings = settings_of(**options)
    model = model_of(settings)
    modified, covered = drawn(5, 3, 0.3, 0.7, 12)
    fit = fit_sites(modified, covered, settings, model)
    drop = chi2.ppf(0.95, 1) / 2
    closed = 0
    for row in range(len(modified)):
        for parameter, ends, flags, bounds in (
            (LOG_RATE, np.log([fit.rate_low[row], fit.rate_high[row]]), (Flag.RATE_OPEN_BELOW, Flag.RATE_OPEN_ABOVE),
             np.log([0.01, 10])),
            (STEADY, [fit.steady_low[row], fit.steady_high[row]], None, (0, 1)),
        ):  # fmt: skip
            for side, end in enumerate(ends):
                fallen = fit.log_likelihood[row] - oracle(modified[row], covered[row], model, pinned={parameter: end})
                if abs(end - bounds[side]) < 1e-9:  # open: the profile has not fallen so far at the bound
                    assert fallen <= drop + 1e-3
                    assert flags is None or fit.flags[row] & flags[side]
                else:
                    closed += 1
                    assert fallen == pytest.approx(drop, abs=2e-3)
    assert closed > 3


def test_profile_end_agrees_with_a_root_found_by_brentq():
    model = model_of(SETTINGS)
    modified, covered = drawn(8, 1, 0.3, 0.6, 30)
    fit = fit_sites(modified, covered, SETTINGS, model)
    target = oracle(modified[0], covered[0], model) - chi2.ppf(0.95, 1) / 2
    low = brentq(
        lambda u: oracle(modified[0], covered[0], model, pinned={LOG_RATE: u}) - target, np.log(0.01),
        np.log(fit.rate[0]), xtol=1e-6,
    )  # fmt: skip
    assert np.log(fit.rate_low[0]) == pytest.approx(low, abs=1e-3)


def test_two_samples_are_solved_in_closed_form():
    """With as many samples as gates the fit passes through both fractions, where a trajectory of the cell can."""
    settings = MethylationSettings(times=(1, 2))
    fit = fit_sites(np.array([[300, 450]], np.int32), np.array([[1000, 1000]], np.int32), settings, model_of(settings))
    # m2 / m1 = 1 + exp(-k)
    assert fit.rate[0] == pytest.approx(-np.log(0.5), rel=1e-5)
    assert fit.steady[0] == pytest.approx(0.6, rel=1e-5)


@pytest.mark.parametrize("depth", [5, 10, 30])
@pytest.mark.parametrize(("rate", "steady"), [(0.3, 0.8), (0.5, 0.5), (1.0, 0.7)])
def test_known_gates_are_recovered_and_intervals_cover_them(depth, rate, steady):
    modified, covered = drawn(depth, 3000, rate, steady, depth)
    fit = fit_sites(modified, covered, SETTINGS, model_of(SETTINGS))
    known = (fit.flags & np.uint16(Flag.RATE_UNIDENTIFIABLE | Flag.STEADY_UNIDENTIFIABLE | Flag.NO_READS)) == 0
    assert known.mean() > 0.9
    covers_rate = ((fit.rate_low <= rate) & (fit.rate_high >= rate))[known].mean()
    covers_steady = ((fit.steady_low <= steady) & (fit.steady_high >= steady))[known].mean()
    # 93 to 97 %, and three standard errors of 3,000 draws; at few reads and g near 1 the bound lets it cover more
    assert 0.915 <= covers_rate <= 0.985
    assert 0.915 <= covers_steady <= 0.985
    assert np.median(fit.rate[known]) == pytest.approx(rate, rel=0.15 if depth == 5 else 0.06)
    assert np.mean(fit.steady[known]) == pytest.approx(steady, abs=0.08 if depth == 5 else 0.04)


@pytest.mark.parametrize(("gain", "loss", "life"), [(3.48e-4, 1.47e-3, 381), (3.24e-4, 1.2e-5, 2063)])
def test_arabidopsis_memory_is_found_again_from_reads(gain, loss, life):
    settings = MethylationSettings(times=(100, 300, 1000, 3000), unit="divisions", rate_low=1e-5, rate_high=1.0)
    rate, steady = gain + loss, gain / (gain + loss)
    modified, covered = drawn(2, 400, rate, steady, 2000, ages=np.array(settings.elapsed))
    fit = fit_sites(modified, covered, settings, model_of(settings), intervals=False)
    assert np.log(2) / np.median(fit.rate) == pytest.approx(life, rel=0.02)


def test_unmodelled_conversion_error_halves_the_memory_and_the_error_term_repairs_it():
    """1.6 % of misread bases look like methylation that came early: over 100 generations of a gene body's pace."""
    rate, steady, ages = 3.48e-4 + 1.47e-3, 3.48e-4 / (3.48e-4 + 1.47e-3), np.array([10.0, 30.0, 60.0, 100.0])
    covered = np.full((1, 4), 1_000_000, np.int32)
    state = steady * -np.expm1(-rate * ages)
    modified = np.round(covered * (0.016 + 0.984 * state)).astype(np.int32)
    settings = MethylationSettings(times=tuple(ages), unit="divisions", rate_low=1e-5, rate_high=1.0)
    blind = fit_sites(modified, covered, settings, ReadModel(ages), intervals=False)
    aware = fit_sites(modified, covered, settings, ReadModel(ages, error=0.016), intervals=False)
    assert np.log(2) / blind.rate[0] < 381 / 2
    assert np.log(2) / aware.rate[0] == pytest.approx(381, rel=0.01)


def test_a_sample_at_age_0_says_nothing_of_dispersion():
    later, covered = drawn(4, 3000, 0.4, 0.6, 30, dispersion=0.1)
    settings = settings_of(likelihood="beta-binomial")
    known = estimate_dispersion(later, covered, settings)
    first = np.zeros((len(later), 1), np.int32)
    settings = dataclasses.replace(settings, times=(0.0, *settings.elapsed), time_offset=0.0)
    for reads in (first, first + 1):  # none, and such as no gates explain
        both = np.concatenate([reads, later], axis=1), np.concatenate([first + 9, covered], axis=1)
        assert estimate_dispersion(*both, settings) == pytest.approx(known, rel=0.02)


@pytest.mark.parametrize("dispersion", [0.0, 0.05, 0.2])
def test_dispersion_is_found_from_the_reads_of_all(dispersion):
    modified, covered = drawn(4, 6000, 0.4, 0.6, 30, dispersion=dispersion)
    settings = settings_of(likelihood="beta-binomial")
    assert estimate_dispersion(modified, covered, settings) == pytest.approx(dispersion, abs=0.015 + dispersion / 10)


def test_beta_binomial_intervals_cover_overdispersed_reads_and_binomial_ones_do_not():
    modified, covered = drawn(6, 2000, 0.4, 0.6, 30, dispersion=0.1)
    shares = []
    for options in ({}, {"likelihood": "beta-binomial", "dispersion": "0.1"}):
        settings = settings_of(**options)
        fit = fit_sites(modified, covered, settings, model_of(settings))
        shares.append(((fit.steady_low <= 0.6) & (fit.steady_high >= 0.6)).mean())
    assert shares[0] < 0.85
    assert shares[1] > 0.92


def test_flags_tell_what_the_reads_cannot():
    covered = np.array([[0] * 4, [1, 0, 0, 0], [20] * 4, [20] * 4, [20] * 4, [0, 0, 0, 40]], np.int32)
    modified = np.array([[0] * 4, [1, 0, 0, 0], [0] * 4, [20] * 4, [0, 0, 1, 3], [0, 0, 0, 20]], np.int32)
    fit = fit_sites(modified, covered, SETTINGS, model_of(SETTINGS))
    words = [Flag(int(bits)) for bits in fit.flags]
    assert words[0] == Flag.NO_READS
    assert np.isnan(fit.rate[0])
    assert Flag.FEW_READS in words[1]
    assert Flag.RATE_UNIDENTIFIABLE in words[2]  # never methylated: any rate
    assert Flag.STEADY_AT_BOUND in words[2]
    assert Flag.RATE_AT_HIGH_BOUND | Flag.RATE_OPEN_ABOVE in words[3]  # at once methylated
    assert Flag.RATE_OPEN_BELOW in words[4]  # still rising at the end
    assert Flag.FEW_READS | Flag.RATE_OPEN_ABOVE in words[5]  # one sample alone


def test_as_many_reads_as_the_minimum_are_not_few():
    covered = np.array([[1, 1, 1, 2], [1, 1, 1, 1]], np.int32)
    settings = settings_of(min_reads=5)
    flags = fit_sites(covered // 2, covered, settings, model_of(settings)).flags
    assert [bool(Flag(int(bits)) & Flag.FEW_READS) for bits in flags] == [False, True]


def test_bounds_threads_and_pieces_of_the_table_change_nothing_but_bounds():
    modified, covered = mixed(50)
    model = model_of(SETTINGS)
    whole = fit_sites(modified, covered, SETTINGS, model)
    halves = [fit_sites(modified[part], covered[part], SETTINGS, model) for part in (slice(0, 23), slice(23, 50))]
    threaded = fit_sites(modified, covered, SETTINGS, model, threads=3)
    for name, column in whole._asdict().items():
        np.testing.assert_array_equal(column, np.concatenate([getattr(half, name) for half in halves]))
        np.testing.assert_array_equal(column, getattr(threaded, name))
    narrow = settings_of(rate_low=0.1, rate_high=1.0, steady_low=0.2, steady_high=0.9)
    fit = fit_sites(modified, covered, narrow, model)
    known = fit.reads > 0
    assert ((fit.rate[known] >= 0.1 - 1e-12) & (fit.rate[known] <= 1 + 1e-12)).all()
    assert ((fit.steady[known] >= 0.2) & (fit.steady[known] <= 0.9)).all()


def test_progress_reaches_the_end_and_an_empty_table_is_fitted():
    said = []
    modified, covered = mixed(10)
    fit_sites(
        modified, covered, SETTINGS, model_of(SETTINGS), progress=lambda fraction, done: said.append((fraction, done))
    )
    assert said[-1] == (1.0, 10)
    empty = np.empty((0, 4), np.int32)
    assert len(fit_sites(empty, empty, SETTINGS, model_of(SETTINGS)).rate) == 0


def test_fit_of_all_at_once_is_a_hundred_times_faster_than_scipy_for_each():
    modified, covered = drawn(1, 20_000, 0.3, 0.7, 6)
    model = model_of(SETTINGS)
    fit_sites(modified[:100], covered[:100], SETTINGS, model, intervals=False)
    began = time.perf_counter()
    fit_sites(modified, covered, SETTINGS, model, intervals=False)
    ours = (time.perf_counter() - began) / len(modified)

    def cost(values, methylated, other):
        probability = np.clip(values[1] * -np.expm1(-np.exp(values[0]) * AGES), 1e-12, 1 - 1e-12)
        return -(methylated @ np.log(probability) + other @ np.log1p(-probability))

    began = time.perf_counter()
    for row in range(60):
        minimize(
            cost, [0.0, 0.5], args=(modified[row], covered[row] - modified[row]), method="L-BFGS-B",
            bounds=[(np.log(0.01), np.log(10)), (0, 1)],
        )  # fmt: skip
    theirs = (time.perf_counter() - began) / 60
    assert theirs / ours > 100


def test_read_model_is_binomial_unless_asked():
    assert read_model(SETTINGS, 0.3).dispersion == 0
    assert ReadModel(AGES, free_start=True).parameters == 3
