"""Noise that neighbours share, effects of samples, recruitment by neighbours: found where made, and nowhere else."""

import numpy as np
import pytest
from scipy.stats import norm

from genolstm.errors import UsageError
from genolstm.methylation.coupled import coupled_states, recruited, steps_to, stretch_course
from genolstm.methylation.fitting import fit_counts
from genolstm.methylation.held_out import check_coupled
from genolstm.methylation.kinetic_form import Course
from genolstm.methylation.neighbourhood import SiteReads, neighbour_sums
from genolstm.methylation.sample_effects import NAMES, SampleEffects, fit_effects, with_effects
from genolstm.methylation.sharing import Sharing, own_power, shared_with_neighbours, sharing_of
from genolstm.methylation.simulate import simulated_counts, true_probability, truth_of
from genolstm.settings.methylation import MethylationSettings, PooledSettings, SimulateSettings

TIMES, AGES = (0.0, 1.0, 4.0, 16.0), np.array([0.5, 1.5, 4.5, 16.5])
SETTINGS = MethylationSettings(times=TIMES, time_offset=0.5, model="kinetic", likelihood="beta-binomial", form="single")
SHIFTS, OLD, MISREAD = (0.2, -0.4, 0.0, 0.0), (0.06, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0)


def made(seed=1, *, sites=600, coverage=12.0, spread=0.7, **options):
    """Settings, truth and counts."""
    asked = SimulateSettings(
        times=TIMES, time_offset=0.5, sites=sites, spread=spread, coupling_bp=2000, coverage=coverage, **options
    )
    truth = truth_of(None, asked, rate=0.4, steady=0.8, mu=None, delta=None, rng=np.random.default_rng(seed))
    return asked, truth, simulated_counts(truth, asked, np.random.default_rng(seed + 1))


def reads_of(counts):
    return SiteReads(counts.contig, counts.position, counts.modified, counts.covered)


def test_calls_of_a_molecule_go_together_and_those_of_one_cpg_stay_binomial():
    asked, truth, counts = made(sites=1500, coverage=20, molecule_bp=400, concordance=0.6, spread=0.0)
    expected = true_probability(truth, asked)
    n = counts.covered
    assert n[20:-20].mean() == pytest.approx(20, rel=0.05)
    residual = (counts.modified - n * expected) / np.sqrt(np.maximum(n * expected * (1 - expected), 1e-9))
    assert residual[20:-20].var() == pytest.approx(1, abs=0.06)
    gap = np.diff(counts.position)
    near = (residual[1:] * residual[:-1])[gap < 60].mean()
    assert near == pytest.approx(0.35, abs=0.12)  # tetrachoric .6 is about .4 of calls; nine tenths share
    found = sharing_of(reads_of(counts), expected, 0.0)
    assert found.fraction * np.exp(-30 / found.distance_bp) == pytest.approx(near, abs=0.12)


def test_reads_of_their_own_share_nothing_and_gates_of_neighbours_do_not_pass_for_it():
    asked, truth, counts = made(sites=1500)
    assert sharing_of(reads_of(counts), true_probability(truth, asked), 0.0).fraction < 0.08
    flat = np.tile(counts.modified.sum(0) / counts.covered.sum(0), (1500, 1))  # gates are then left in the residuals
    assert sharing_of(reads_of(counts), flat, 0.0).fraction < 0.25


def test_power_leaves_a_normal_posterior_as_wide_as_it_is():
    for shared, wider in ((0.0, 0.5), (0.3, 0.0), (0.5, 0.7), (0.9, 4.0)):
        cov = np.array([[1 + wider, 1 + wider - shared], [1 + wider - shared, 2 + wider - 2 * shared]])
        exact = cov[0, 0] - cov[0, 1] ** 2 / cov[1, 1]
        power = own_power(np.array([shared]), np.array([wider]))[0]
        assert 1 / (1 / (1 + wider) + power) == pytest.approx(exact)


def test_sharing_with_neighbours_is_the_weighted_mean_of_the_pairs():
    position = np.array([10, 40, 200, 900])
    contig = np.array([0, 0, 0, 1], np.int32)
    found = shared_with_neighbours(Sharing(0.5, 50.0), contig, position, 100.0, 0.2)
    far = np.where(contig[:, None] == contig, np.abs(position[:, None] - position).astype(float), np.inf)
    np.fill_diagonal(far, np.inf)
    weights = np.exp(-far / 100)
    expected = (weights * 0.5 * np.exp(-far / 50)).sum(1) / (weights.sum(1) + 0.2)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert neighbour_sums(np.ones((4, 1)), contig, position, 100.0)[3, 0] == 0


def test_coupled_cell_without_recruitment_is_the_single_cell_and_rests_at_g():
    rate, steady = np.array([0.1, 0.5, 3.0]), np.array([0.2, 0.6, 0.9])
    steps = steps_to(AGES)
    near = np.tile(np.linspace(0, 0.7, len(steps)), (3, 1))
    alone = coupled_states(rate, steady, near, np.full(3, 0.7), steps, 0.0)
    np.testing.assert_allclose(alone, steady[:, None] * -np.expm1(-rate[:, None] * steps), atol=1e-12)
    late = coupled_states(rate, steady, near * 0 + 0.7, np.full(3, 0.7), np.array([0.0, 1e4]), 5.0)
    np.testing.assert_allclose(late[:, -1], steady, atol=1e-9)


def test_coupled_stretch_solves_its_equation():
    _, truth, _ = made(sites=40)
    place = (truth.contig, truth.position)
    ages = np.linspace(0.02, 6, 300)
    found = stretch_course((truth.rate, truth.steady), *place, ages, 4.0, 200.0)
    weights = np.exp(-np.abs(truth.position[:, None] - truth.position) / 200)
    np.fill_diagonal(weights, 0)
    weights /= weights.sum(1, keepdims=True)
    gain, loss = truth.rate * truth.steady, truth.rate * (1 - truth.steady)
    state, step = np.zeros(40), 1e-3
    speed_last = recruited(weights @ truth.steady, 4.0)
    for _ in range(6000):  # Euler's small steps
        state = state + step * (gain * recruited(weights @ state, 4.0) * (1 - state) - loss * speed_last * state)
    np.testing.assert_allclose(found.at(ages)[:, -1], state, atol=2e-3)


def test_effects_of_samples_are_what_they_are_said_to_be_and_need_three_ages():
    asked, truth, counts = made(sites=50, age_shifts=SHIFTS, old_strands=OLD, misread=(0.0, 0.02, 0.0, 0.0))
    state = truth.steady[:, None] * -np.expm1(-truth.rate[:, None] * (AGES + SHIFTS))
    mixed = (1 - np.array(OLD)) * state + np.array(OLD) * truth.steady[:, None]
    expected = mixed + (1 - mixed) * np.array([0.0, 0.02, 0.0, 0.0])
    np.testing.assert_allclose(true_probability(truth, asked), expected, atol=1e-12)
    none = SampleEffects(AGES, *np.zeros((3, 4)))
    np.testing.assert_allclose(with_effects(state, truth.steady[:, None], none, 0.1), 0.1 + 0.9 * state)
    two = SiteReads(counts.contig, counts.position, counts.modified[:, :2], counts.covered[:, :2])
    with pytest.raises(UsageError, match="effects of samples need 3 ages at least, and there are 2"):
        fit_effects(two, AGES[:2], SETTINGS, Course(), 0.05)


def test_simulated_effects_and_molecules_that_make_no_sense_are_refused():
    for options, sentence in (
        ({"age_shifts": (1.0,)}, "age shifts: 1 were given for 4 times"),
        ({"age_shifts": (-1.0, 0, 0, 0), "time_offset": 0.5}, "put a sample before the clock starts"),
        ({"old_strands": (2.0, 0, 0, 0)}, "old strands must lie from 0 to below 1"),
        ({"molecule_bp": 100, "dispersion": 0.1}, "give --dispersion or --molecule-bp"),
        ({"recruitment": 1.0, "start_fraction": 0.5}, "leave out --start-fraction"),
    ):
        with pytest.raises(UsageError, match=sentence):
            SimulateSettings(**options)
    for options, sentence in (
        ({"sample_effects": True}, "--sample-effects needs --model kinetic"),
        ({"form": "coupled", "model": "pooled"}, "form 'coupled' needs --model kinetic"),
        ({"form": "coupled", "model": "kinetic", "sample_effects": True}, "not fitted with form 'coupled'"),
    ):
        with pytest.raises(UsageError, match=sentence):
            MethylationSettings(times=TIMES, **options)


@pytest.mark.slow
def test_known_effects_of_samples_are_found_and_none_where_there_are_none():
    for options in ({"age_shifts": SHIFTS, "old_strands": OLD, "misread": MISREAD}, {}):
        _, _, counts = made(sites=3000, coverage=20, spread=1.2, dispersion=0.05, **options)
        found = fit_effects(reads_of(counts), AGES, SETTINGS, Course(), 0.05)
        truth = np.stack([SHIFTS, OLD, MISREAD], axis=1) if options else np.zeros((4, len(NAMES)))
        estimate = np.stack(found.effects[1:], axis=1)
        off = np.abs(estimate - truth)[found.told] / found.sd[found.told]
        assert (off < norm.ppf(0.999)).mean() > 0.85
        shift, sd = estimate[1, 0], found.sd[1, 0]
        assert (shift < -1.96 * sd) if options else (abs(shift) < 3 * sd)
        assert not found.told[3, 0]  # the age of the oldest sample is not told by anything


@pytest.mark.slow
@pytest.mark.parametrize("coverage", [5, 30])
def test_intervals_cover_gates_where_molecules_are_shared(coverage):
    _, truth, counts = made(3, sites=1500, coverage=coverage, molecule_bp=300, concordance=0.6)
    fit = fit_counts(counts, SETTINGS, PooledSettings(draws=2))
    for low, high, true in ((fit.rate_low, fit.rate_high, truth.rate), (fit.steady_low, fit.steady_high, truth.steady)):
        assert 0.92 < ((low <= true) & (true <= high)).mean() < 0.99


@pytest.mark.slow
def test_recruitment_is_found_where_there_is_some_and_refused_where_there_is_none():
    _, _, counts = made(4, sites=2000, coverage=30, recruitment=6.0)
    check_coupled(reads_of(counts), SETTINGS)
    _, _, without = made(4, sites=2000, coverage=30)
    with pytest.raises(UsageError, match="coupling cannot be told from these reads"):
        check_coupled(reads_of(without), SETTINGS)
