"""Half-lives against their closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolstm.settings.study import StudySettings
from genolstm.studies import half_life


@pytest.mark.parametrize(("bias", "steps"), [(0, 1.0), (1, 2.21), (2, 5.46), (3, 14.27), (5, 103.2)])
def test_gate_alone_halves_a_memory_in_the_published_steps(bias, steps):
    kept = half_life.kept_by_constant_gate(bias, 300)
    assert half_life.first_half(kept) == pytest.approx(steps, rel=2e-3)
    assert kept == pytest.approx((1 / (1 + math.exp(-bias))) ** np.arange(300), rel=1e-10)


@given(st.floats(0.01, 0.99), st.integers(3, 400))
def test_first_half_of_an_exponential_is_ln_half_over_ln_f(forget, steps):
    wanted = math.log(0.5) / math.log(forget)
    found = half_life.first_half(forget ** np.arange(steps))
    assert found == (pytest.approx(wanted) if wanted <= steps - 1 else math.inf)


def test_layer_without_recurrence_has_nominal_half_lives():
    study = half_life.study(StudySettings(quick=True, biases=(1.0, 3.0)), lambda _: None)
    table = study.tables["half_lives"]
    assert table["cut"].values == pytest.approx(table["nominal"].values, rel=0.05)
    assert (table["layer"].values > table["nominal"].values).all()  # the recurrence adds to what is kept
    assert study.tables["decay"]["kept"].values[0] == pytest.approx(1)


def test_other_biases_are_measured_when_asked_for():
    study = half_life.study(StudySettings(quick=True, biases=(0.5,), chrono=30), lambda _: None)
    assert study.tables["half_lives"]["forget_bias"].values.tolist() == [0.5]
    assert study.tables["chrono"]["time_constant"].values.max() < 30


@pytest.mark.parametrize("horizon", [10, 100, 1000])
def test_chrono_time_constants_follow_their_closed_form(horizon):
    lifetimes = half_life.chrono_lifetimes(horizon, 3)
    # of f = u / (1 + u), u even on (1, T - 1): quantiles of tau = 1 / ln(1 + 1 / u)
    for share in (0.1, 0.5, 0.9):
        u = 1 + share * (horizon - 2)
        assert np.quantile(lifetimes, share) == pytest.approx(1 / math.log1p(1 / u), rel=0.1)
        place = np.searchsorted(lifetimes, 1 / math.log1p(1 / u))
        assert half_life.chrono_fraction_below(lifetimes, horizon)[place] == pytest.approx(share, abs=0.02)
    assert lifetimes.max() < horizon


@pytest.mark.parametrize("tau", [2.0, 10.0, 50.0])
def test_constant_gate_is_a_leaky_integrator(tau):
    response = half_life.impulse_response(tau, 60)
    forget = math.exp(-1 / tau)
    assert response == pytest.approx((1 - forget) * forget ** np.arange(60), rel=1e-12)
    assert half_life.fitted_tau(response) == pytest.approx(tau, rel=1e-10)
