"""Variance cells against arch's own recursions, and forecasts that never look ahead."""

import importlib.util

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genolstm.errors import InputError, UsageError
from genolstm.figures.studies import pictures_of
from genolstm.figures.style import save
from genolstm.settings.study import StudySettings
from genolstm.studies import volatility, volatility_baselines
from genolstm.studies.volatility_cells import (
    PLANS,
    Series,
    _read,
    fit_cell,
    forecasts,
    garch_cell,
    riskmetrics_cell,
    variances_of,
)
from genolstm.studies.volatility_made import made_series

pytest.importorskip("arch")
DAYS = 420


def made(seed=1, days=DAYS, *, outside=True):
    """A GARCH(1,1) with known parameters; the level is its own standard deviation, seen with noise."""
    rng = np.random.default_rng(seed)
    variance, returns, levels = 1.0, [], []
    for _ in range(days):
        levels.append(np.sqrt(variance) * np.exp(0.1 * rng.normal()))
        returns.append(np.sqrt(variance) * rng.normal())
        variance = 0.05 + 0.1 * returns[-1] ** 2 + 0.85 * variance
    dates = np.datetime64("2000-01-01") + np.arange(days)
    returns = np.array(returns)
    if not outside:
        return Series("made", dates, returns, returns**2 + 0.1)
    levels = np.array(levels)
    signed = np.stack([np.log(levels), rng.normal(size=days)], axis=1)
    return Series("made", dates, returns, returns**2 + 0.1, signed, ("ln level", "noise"), levels)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**20), forget=st.floats(0.5, 0.999))
def test_constant_forget_on_squares_is_riskmetrics(seed, forget):
    from arch.univariate.recursions import garch_recursion

    returns = np.random.default_rng(seed).normal(size=300)
    bounds = np.tile([[0.0, 1e12]], (300, 1))
    # arch keeps RiskMetrics as a GARCH with omega 0, alpha 1 - lambda and beta lambda
    own = garch_recursion(
        np.array([0.0, 1 - forget, forget]), returns**2, np.sign(returns), np.empty(300), 1, 0, 1, 300, 1.3, bounds
    )
    mine = variances_of(riskmetrics_cell(forget), np.concatenate([[1.3], returns[:-1] ** 2]), 1.3)
    np.testing.assert_allclose(mine, own, rtol=1e-12)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**20), omega=st.floats(1e-3, 1), alpha=st.floats(0.01, 0.3), beta=st.floats(0.1, 0.69))
def test_forget_beta_and_write_alpha_is_garch(seed, omega, alpha, beta):
    from arch.univariate.recursions import garch_recursion

    returns = np.random.default_rng(seed).normal(size=300)
    bounds = np.tile([[0.0, 1e12]], (300, 1))
    own = garch_recursion(
        np.array([omega, alpha, beta]), returns**2, np.sign(returns), np.empty(300), 1, 0, 1, 300, 0.7, bounds
    )
    written = np.concatenate([[0.7], returns[:-1] ** 2]) + omega / alpha
    np.testing.assert_allclose(variances_of(garch_cell(alpha, beta), written, 0.7), own, rtol=1e-11)


def test_archs_own_models_are_met_to_rounding():
    own = volatility_baselines.arch_own_variances(made().returns)
    squares = np.concatenate([[own.start], made().returns[:-1] ** 2])
    np.testing.assert_allclose(variances_of(riskmetrics_cell(), squares, own.start), own.riskmetrics, rtol=1e-12)
    garch = variances_of(garch_cell(own.alpha, own.beta), squares + own.omega / own.alpha, own.start)
    np.testing.assert_allclose(garch, own.garch, rtol=1e-12)


@pytest.mark.parametrize("name", PLANS)
def test_a_fitted_cell_is_the_plain_cell_stepped(name):
    series = made()
    fitted = fit_cell(PLANS[name], series, 300)
    candidates, steers, before = _read(PLANS[name], series, DAYS - 1, fitted.scale)
    model = fitted.model
    from genolstm.cells.memory import State

    with torch.no_grad():
        inputs = model.inputs(candidates, steers)
        stepped, _ = model.cell(inputs, State(before.unsqueeze(0), before.unsqueeze(0)))
        at_once = model(candidates, steers, before)
    memory = stepped[0]
    if model.units == 2:
        first = torch.sigmoid(model.balance)
        memory = model.level.exp() * (first * memory[:, 0] + (1 - first) * memory[:, 1])
    else:
        memory = memory[:, 0]
    torch.testing.assert_close(at_once, memory, rtol=1e-10, atol=1e-12)
    assert (model.cell.weight_ih[:, : model.units] == 0).all()  # candidates steer no gate, whatever the search does
    assert (model.cell.weight_hh == 0).all()


@pytest.mark.parametrize("name", PLANS)
def test_changing_the_future_changes_no_forecast_of_a_cell(name):
    series, today = made(), 320
    changed = series._replace(
        returns=np.where(np.arange(DAYS) >= today, 7.7, series.returns),
        exogenous=np.where(np.arange(DAYS)[:, None] >= today, 9.9, series.exogenous),
        level=np.where(np.arange(DAYS) >= today, 9.9, series.level),
    )
    both = [
        forecasts(fit_cell(PLANS[name], each, 300), each, 300, DAYS)[: today - 300 + 1] for each in (series, changed)
    ]
    np.testing.assert_array_equal(*both)  # the forecast of `today` itself is made before today's return


@pytest.mark.parametrize("name", [
    "RiskMetrics", "GARCH", "GJR", "EGARCH", "GARCH x", "GJR x", "EGARCH x", "HAR on squares", "HAR on ranges",
])  # fmt: skip
def test_changing_the_future_changes_no_forecast_of_a_baseline(name):
    series, today = made(), 320
    later = np.arange(DAYS) >= today
    changed = series._replace(
        returns=np.where(later, 7.7, series.returns), span=np.where(later, 3.3, series.span),
        exogenous=np.where(later[:, None], 9.9, series.exogenous),
    )  # fmt: skip
    origin = volatility_baselines.Origin(300, DAYS)
    both = [volatility_baselines.baseline_table(each)[name](origin)[: today - 300 + 1] for each in (series, changed)]
    assert len(volatility_baselines.baseline_table(series)[name](origin)) == DAYS - 300
    np.testing.assert_array_equal(*both)


def test_a_free_write_gate_fits_at_least_as_well_as_garch():
    from arch import arch_model

    series = made(days=1200)
    fitted = fit_cell(PLANS["own write"], series, 1200)
    own = arch_model(series.returns, mean="Zero", rescale=False).fit(disp="off", show_warning=False)
    variance = own.conditional_volatility[1:] ** 2
    theirs = np.mean(np.log(variance) + series.returns[1:] ** 2 / variance)
    assert (
        fitted.loss + np.log(fitted.scale.square) <= theirs + 2e-3
    )  # GARCH is inside, but for the start of the series


def test_the_true_variance_has_the_least_loss():
    rng = np.random.default_rng(3)
    variance = rng.uniform(0.5, 2, 50_000)
    squares = variance * rng.normal(size=50_000) ** 2
    true = volatility.qlike(squares, variance).mean()
    assert true < volatility.qlike(squares, 1.1 * variance).mean()
    assert true < volatility.qlike(squares, 0.9 * variance).mean()


def test_har_weights_find_what_made_the_squares():
    rng = np.random.default_rng(4)
    recent = rng.uniform(1, 3, 2000)
    squares = np.empty(2000)
    for day in range(22, 2000):
        squares[day] = (
            0.2 + 0.5 * recent[day - 1] + 0.3 * recent[day - 5 : day].mean() + 0.1 * recent[day - 22 : day].mean()
        )
    found = volatility_baselines.har_forecasts(squares, recent, volatility_baselines.Origin(1500, 2000))
    np.testing.assert_allclose(found, squares[1500:], rtol=1e-10)


def test_a_factor_on_the_variance_is_a_gamma_regression():
    from sklearn.linear_model import GammaRegressor

    series = made(days=900)
    variance = 0.5 + np.arange(900) / 300
    found = volatility_baselines.scaled_by_exogenous(series, volatility_baselines.Origin(700, 900), variance)
    columns = (series.exogenous - series.exogenous[:700].mean(axis=0)) / series.exogenous[:700].std(axis=0)
    ratio = series.returns**2 / variance
    theirs = GammaRegressor(alpha=0, tol=1e-10, max_iter=5000).fit(columns[:699], ratio[1:700])
    np.testing.assert_allclose(found[1:] / variance[1:], theirs.predict(columns[:-1]), rtol=1e-4)


def test_a_planted_weight_of_a_signed_series_is_found_and_an_idle_one_is_not():
    series = made_series("made", np.random.default_rng(2), effect=1.0, days=4000)
    assert series.exogenous.min() < -2 < 2 < series.exogenous.max()
    forget, write = volatility._effects(fit_cell(PLANS["own write, exogenous"], series, 4000))
    assert forget[0] == pytest.approx(1.0, abs=0.35)
    assert abs(forget[1]) < 0.2
    assert abs(write[1]) < 0.3


def test_standardising_by_the_training_part_makes_units_irrelevant():
    series = made()
    other = series._replace(exogenous=1000 * series.exogenous - 7)
    for name in ("own write, exogenous", "cell, exogenous"):
        mine, theirs = (forecasts(fit_cell(PLANS[name], each, 300), each, 300, DAYS) for each in (series, other))
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)


def signed(tmp_path, name, days, *, columns=("mood", "posts"), first="2010-01-01"):
    rng = np.random.default_rng(6)
    rows = (",".join(map(str, row)) for row in rng.normal(size=(days, len(columns))).round(4))
    dates = np.datetime64(first) + np.arange(days)
    path = tmp_path / name
    path.write_text(f"Date,{','.join(columns)}\n" + "".join(f"{d},{r}\n" for d, r in zip(dates, rows, strict=True)))
    return str(path)


def table(tmp_path, name, days, *, close=None, first="2010-01-01"):
    close = 100 * np.exp(np.cumsum(0.01 * np.random.default_rng(5).normal(size=days))) if close is None else close
    dates = np.datetime64(first) + np.arange(days)
    path = tmp_path / name
    path.write_text("date,close\n" + "".join(f"{day},{price:.6f}\n" for day, price in zip(dates, close, strict=True)))
    return str(path)


def test_days_of_either_series_alone_are_left_out_and_counted(tmp_path):
    prices, other = table(tmp_path, "mine.csv", 700), signed(tmp_path, "other.csv", 700, first="2010-02-01")
    found, records = volatility.chosen_series(StudySettings(prices=prices, exogenous=other))
    chosen = found["mine"]
    assert len(chosen.returns) == 700 - 31
    assert chosen.exogenous.shape == (669, 2)
    assert chosen.columns == ("mood", "posts")
    assert chosen.dates[0] == np.datetime64("2010-02-01")
    assert records.skipped == {f"days that {other} does not have": 30, f"days that {prices} does not have": 31}
    assert set(volatility.cell_names(chosen)) == set(PLANS) - {"two units, level"}


def test_a_constant_column_and_too_many_columns_are_refused(tmp_path):
    prices, other = table(tmp_path, "mine.csv", 700), tmp_path / "flat.csv"
    dates = np.datetime64("2010-01-01") + np.arange(700)
    other.write_text("date,mood\n" + "".join(f"{day},{int(place > 400)}\n" for place, day in enumerate(dates)))
    with pytest.raises(
        InputError, match="column 'mood' is 0 on all of the first 279 days, which the fit needs to vary"
    ):
        volatility.chosen_series(StudySettings(prices=prices, exogenous=str(other)))
    many = signed(tmp_path, "many.csv", 700, columns=[f"c{place}" for place in range(14)])
    with pytest.raises(InputError, match="has 14 columns, and a fit to 279 days has room for 13; give fewer columns"):
        volatility.chosen_series(StudySettings(prices=prices, exogenous=many))


def test_a_series_too_short_is_refused(tmp_path):
    path = table(tmp_path, "short.csv", 200)
    with pytest.raises(InputError, match=r"short.csv gives 199 returns, and 500 are needed; give a longer series"):
        volatility.chosen_series(StudySettings(prices=path))


def test_a_price_that_never_moves_is_refused(tmp_path):
    path = table(tmp_path, "flat.csv", 700, close=np.full(700, 5.0))
    with pytest.raises(InputError, match="no price moves in the first"):
        volatility.chosen_series(StudySettings(prices=path))


def test_an_exogenous_series_alone_is_refused(tmp_path):
    with pytest.raises(UsageError, match="--exogenous stands beside --prices"):
        volatility.chosen_series(StudySettings(exogenous=signed(tmp_path, "x.csv", 600)))


def test_without_arch_the_install_line_is_told(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'genolstm\[studies\]'"):
        volatility.study(StudySettings(), print)


def test_a_users_series_is_studied_beside_the_made_ones_and_drawn(tmp_path):
    chosen = StudySettings(
        quick=True, prices=table(tmp_path, "mine.csv", 560), exogenous=signed(tmp_path, "other.csv", 560)
    )
    found = volatility.study(chosen, lambda _: None)
    scores = found.tables["scores"]
    mine = np.array(scores["series"].values) == "mine"
    assert set(scores["series"].values) == {"mine", *volatility.MADE}
    assert mine.sum() == len(PLANS) - 1 + 8  # no level to remember; no daily ranges, no HAR on them
    assert (np.diff(scores["qlike"].values[mine]) >= 0).all()
    claims = {claim.name: claim for claim in found.claims}
    assert claims["made, with an effect: found"].holds
    assert claims["made, without one: nothing found"].holds
    assert set(found.tables["effects"]["column"].values) == {"mood", "posts", "sentiment", "nothing"}
    exact = [claim for claim in found.claims if claim.name.endswith("is a cell")]
    assert len(exact) == 2
    assert all(claim.holds for claim in exact)
    for picture in pictures_of(found):
        save(picture.figure, tmp_path / f"{picture.name}.png")
