"""Counts from known gates."""

import numpy as np
import pytest

from genolstm.errors import UsageError
from genolstm.methylation.simulate import Truth, simulated_counts, truth_of
from genolstm.settings.methylation import SimulateSettings

NOTHING = {"rate": None, "steady": None, "mu": None, "delta": None}


def gates(settings, seed=0, **given):
    return truth_of(None, settings, **{**NOTHING, **given}, rng=np.random.default_rng(seed))


def counted(settings, seed=0, **given):
    return simulated_counts(gates(settings, **given), settings, np.random.default_rng(seed))


def test_reads_follow_the_closed_form():
    settings = SimulateSettings(sites=20_000, times=(0, 1, 4, 16), time_offset=0.5, coverage=10)
    counts = counted(settings, rate=0.3, steady=0.8)
    expected = 0.8 * -np.expm1(-0.3 * np.array(settings.elapsed))
    np.testing.assert_allclose(counts.modified.sum(0) / counts.covered.sum(0), expected, atol=0.004)
    assert counts.covered.mean() == pytest.approx(10, rel=0.01)
    assert counts.covered.var() == pytest.approx(10, rel=0.05)  # Poisson
    assert counts.samples == ("0", "1", "4", "16")


def test_start_error_and_even_coverage_do_what_they_say():
    settings = SimulateSettings(
        sites=20_000, times=(1, 2), coverage=7, even_coverage=True, start_fraction=1.0, conversion_error=0.1
    )
    counts = counted(settings, rate=0.5, steady=0.2)
    assert (counts.covered == 7).all()
    state = 0.2 + 0.8 * np.exp(-0.5 * np.array([1, 2]))
    np.testing.assert_allclose(counts.modified.mean(0) / 7, 0.1 + 0.9 * state, atol=0.005)


def test_dispersion_is_the_correlation_of_reads():
    settings = SimulateSettings(sites=20_000, times=(1, 2), coverage=20, even_coverage=True, dispersion=0.2)
    counts = counted(settings, rate=50.0, steady=0.5)
    # variance of beta-binomial counts: n p q (1 + (n - 1) rho)
    assert counts.modified.var() == pytest.approx(20 * 0.25 * (1 + 19 * 0.2), rel=0.03)


def test_coupled_neighbours_share_gates_and_uncoupled_do_not():
    shared = SimulateSettings(sites=20_000, spread=0.5, coupling_bp=1000, spacing_bp=50)
    alone = SimulateSettings(sites=20_000, spread=0.5, coupling_bp=0, spacing_bp=50)
    for settings, expected in ((shared, 0.951), (alone, 0.0)):
        found = gates(settings, rate=0.3, steady=0.7)
        rates = np.log(found.rate)
        assert rates.std() == pytest.approx(0.5, rel=0.15)
        # mean of exp(-d / 1000) over geometric distances of 50 bp is 0.952
        assert np.corrcoef(rates[1:], rates[:-1])[0, 1] == pytest.approx(expected, abs=0.03)
    assert np.diff(gates(alone, rate=0.3, steady=0.7).position).mean() == pytest.approx(50, rel=0.05)


def test_without_spread_gates_are_those_given():
    found = gates(SimulateSettings(sites=5), rate=0.3, steady=0.7)
    assert (found.rate == 0.3).all()
    assert (found.steady == 0.7).all()


def test_a_table_of_gates_is_taken_as_it_is():
    table = Truth(("I",), np.zeros(2, np.int32), np.array([5, 9]), np.array([0.1, 5.0]), np.array([0.0, 1.0]))
    settings = SimulateSettings(times=(100, 200), coverage=50)
    found = truth_of(table, settings, **NOTHING, rng=np.random.default_rng(0))
    counts = simulated_counts(found, settings, np.random.default_rng(0))
    assert counts.modified[0].sum() == 0
    assert (counts.modified[1] == counts.covered[1]).all()
    assert dict(found.columns("hours"))["contig"] == ["I", "I"]


@pytest.mark.parametrize(
    ("given", "options", "sentence"),
    [
        ({}, {}, "give the gates in one way"),
        ({"rate": 0.3}, {}, "give the gates in one way"),
        ({"rate": 0.3, "steady": 0.5, "mu": 0.9, "delta": 0.1}, {}, "give the gates in one way"),
        ({"mu": 0.9, "delta": 0.1}, {}, "mu and delta are of a division: add --unit divisions"),
        ({"mu": 0.1, "delta": 0.9}, {"unit": "divisions"}, "mu 0.1 is below delta 0.9"),
        ({"rate": 0.0, "steady": 0.5}, {}, "rate 0.0 must be above 0"),
    ],
)
def test_gates_that_make_no_sense_are_refused(given, options, sentence):
    with pytest.raises(UsageError, match=sentence):
        gates(SimulateSettings(**options), **given)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"times": (1, 1)}, "times 1,1 do not increase"),
        ({"times": (0, 1), "time_offset": -1}, "puts the first sample at -1, before the clock starts"),
        ({"coverage": -1}, "coverage must lie from 0 to 1,000,000, not be -1"),
        ({"coverage": 3e9}, "coverage must lie from 0 to 1,000,000, not be 3000000000.0"),
        ({"spread": 21.0}, "spread must lie from 0 to 20, not be 21.0"),
        ({"coupling_bp": float("nan")}, "coupling bp must lie from 0 to 1,000,000, not be nan"),
        ({"spacing_bp": 2e6}, "spacing bp must lie from 2, the length of a CpG, to 1,000,000, not be 2000000.0"),
        ({"dispersion": 1.0}, "dispersion must lie from 0 to below 1"),
        ({"spacing_bp": 1}, "spacing bp must lie from 2"),
        ({"start_fraction": 2}, "start fraction must lie between 0 and 1"),
        ({"sites": 0}, "sites must be at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options, sentence):
    with pytest.raises(UsageError, match=sentence):
        SimulateSettings(**options)


def test_the_widest_settings_still_make_counts():
    asked = SimulateSettings(sites=50, coverage=1e6, spread=20.0, spacing_bp=1e6)
    found = gates(asked, rate=0.3, steady=0.8)
    counts = simulated_counts(found, asked, np.random.default_rng(1))
    assert (counts.modified <= counts.covered).all()
    assert (np.diff(counts.position) >= 2).all()
