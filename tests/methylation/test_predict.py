"""Fractions at other times, and their intervals."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import chi2

from genolstm.errors import UsageError
from genolstm.methylation.fitting import fit_counts, states_outside
from genolstm.methylation.predict import ages_of, predict, predict_columns
from genolstm.methylation.simulate import simulated_counts, truth_of
from genolstm.methylation.tracks import runs, table_columns
from genolstm.settings.methylation import MethylationSettings, PooledSettings, SimulateSettings, StrandState

TIMES, OFFSET = (0, 1, 4, 16), 0.5


def simulated(seed=1, sites=60, **options):
    asked = SimulateSettings(times=TIMES, time_offset=OFFSET, sites=sites, seed=seed, **options)
    rng = np.random.default_rng(seed)
    gates = truth_of(None, asked, rate=0.3, steady=0.7, mu=None, delta=None, rng=rng)
    return simulated_counts(gates, asked, rng)


def fitted(counts, **options):
    return fit_counts(counts, MethylationSettings(times=TIMES, time_offset=OFFSET, **options), PooledSettings())


def test_fraction_is_the_course_of_the_fit():
    fit = fitted(simulated())
    ages = np.array([0.0, 2.5, 1e6])
    found = predict(fit, ages, 0.95)
    expected = fit.steady[:, None] * -np.expm1(-fit.rate[:, None] * ages)
    np.testing.assert_allclose(found.fraction, expected, atol=1e-12)
    assert ((found.low <= found.fraction) & (found.fraction <= found.high)).all()
    assert (found.low >= 0).all()
    assert (found.high <= 1).all()


@pytest.mark.parametrize("options", [{}, {"start": "free"}, {"conversion_error": 0.05}])
def test_interval_ends_are_the_extremes_that_scipy_finds_among_likely_gates(options):
    counts = simulated(sites=3, coverage=12)
    fit = fitted(counts, **options)
    age, drop = 3.0, chi2.ppf(0.95, 1) / 2
    found = predict(fit, np.array([age]), 0.95)
    free = options.get("start") == "free"
    error = options.get("conversion_error", 0.0)
    for row in range(3):

        def state(values, at):
            return values[1] + ((values[2] if free else 0.0) - values[1]) * np.exp(-np.exp(values[0]) * at)

        def log_likelihood(values, row=row, state=state):
            probability = np.clip(error + (1 - error) * state(values, np.array(fit.elapsed)), 1e-12, 1 - 1e-12)
            other = counts.covered[row] - counts.modified[row]
            return counts.modified[row] @ np.log(probability) + other @ np.log1p(-probability)

        start = [np.log(fit.rate[row]), np.clip(fit.steady[row], 0.01, 0.99), *([0.05] if free else [])]
        bounds = [(np.log(0.01), np.log(10)), (0, 1), (0, 1)][: len(start)]
        floor = fit.log_likelihood[row] - drop
        for side, end in ((1, found.low[row, 0]), (-1, found.high[row, 0])):
            best = min(
                (
                    minimize(
                        lambda v, side=side, state=state: side * state(v, age), jitter, bounds=bounds, method="SLSQP",
                        constraints={"type": "ineq", "fun": lambda v, f=log_likelihood, floor=floor: f(v) - floor},
                    )
                    for jitter in (start, [start[0] + 0.3, *start[1:]], [start[0] - 0.3, *start[1:]])
                ),
                key=lambda result: result.fun if result.success else np.inf,
            )  # fmt: skip
            assert end == pytest.approx(side * best.fun, abs=2e-3)


def test_intervals_of_the_state_cover_the_truth():
    fit = fitted(simulated(sites=1500, coverage=15))
    found = predict(fit, np.array([2.0, 8.0]), 0.95)
    truth = 0.7 * -np.expm1(-0.3 * np.array([2.0, 8.0]))
    covered = ((found.low <= truth) & (truth <= found.high)).mean(axis=0)
    assert (covered > 0.92).all()
    assert (covered < 0.985).all()
    narrow = predict(fit, np.array([2.0]), 0.5)
    assert ((narrow.low <= truth[0]) & (truth[0] <= narrow.high)).mean() == pytest.approx(0.5, abs=0.06)


def test_table_has_a_row_for_each_cpg_and_time_and_times_are_on_the_samples_clock():
    fit = fitted(simulated(sites=5))
    columns = dict(predict_columns(fit, (0.0, 4.0), ages_of(fit, (0.0, 4.0)), 0.95))
    assert list(columns["time_hours"]) == [0, 4] * 5
    np.testing.assert_allclose(columns["fraction"][1::2], fit.steady * -np.expm1(-fit.rate * 4.5))
    with pytest.raises(UsageError, match=r"time -1 lies before the clock starts, at -0\.5"):
        ages_of(fit, (-1.0,))


def test_cpgs_without_reads_are_predicted_by_nothing():
    counts = simulated(sites=4, coverage=0)
    fit = fitted(counts)
    assert np.isnan(predict(fit, np.array([1.0]), 0.95).fraction).all()
    assert states_outside(fit) == 0


def test_table_of_a_fit_tells_flags_by_name_and_upkeep_of_divisions():
    asked = SimulateSettings(times=(1, 2, 4, 8), unit="divisions", sites=300, coverage=200)
    rng = np.random.default_rng(0)
    gates = truth_of(None, asked, rate=None, steady=None, mu=0.96, delta=0.17, rng=rng)
    counts = simulated_counts(gates, asked, rng)
    settings = MethylationSettings(times=(1, 2, 4, 8), unit="divisions")
    fit = fit_counts(counts, settings, PooledSettings())
    columns = dict(table_columns(fit, StrandState.STRAND))
    assert np.median(columns["maintenance"]) == pytest.approx(0.96, abs=0.01)
    assert np.median(columns["gain"]) == pytest.approx(0.17, abs=0.01)
    assert np.median(columns["half_life_divisions"]) == pytest.approx(np.log(0.5) / np.log(0.79), rel=0.03)
    duplex = dict(table_columns(fit, StrandState.DUPLEX))
    assert np.nanmedian(duplex["maintenance"]) != pytest.approx(0.96, abs=0.01)
    for words, bits in zip(columns["flags"], fit.flags.tolist(), strict=True):
        raised = {name for name, bit in fit.flag_names.items() if bits & bit}
        assert set(words.split(",")) == (raised or {"."})
    assert "steady_at_bound" in set(columns["flags"])


def test_runs_of_a_track_never_overlap():
    fit = fitted(simulated(sites=50))
    fit = replace(fit, position=np.arange(50) * 3 // 2)  # some side by side
    (contig, start, end, value), *rest = runs(fit, "half_life", ["elsewhere", "simulated"])
    assert not rest
    assert contig == "simulated"
    assert (start[1:] >= end[:-1]).all()
    assert (end > start).all()
    assert value.dtype == np.float32


def test_a_site_without_gates_has_no_course():
    counts = simulated(sites=6, coverage=8)
    settings = MethylationSettings(times=TIMES, time_offset=OFFSET, model="pooled")
    fit = fit_counts(counts, settings, PooledSettings(width=4, epochs=1, folds=2, draws=16))
    rate = fit.rate.copy()
    rate[2] = np.nan
    found = predict(replace(fit, rate=rate), np.array([1.0, 2.0]), 0.95)
    for column in found:
        assert np.isnan(column[2]).all()
        assert np.isfinite(np.delete(column, 2, axis=0)).all()


@pytest.mark.parametrize(("start", "outside"), [(0.0, 0), (1.0, 0), (-1e-9, 1), (1 + 1e-9, 1)])
def test_states_at_the_ends_of_the_range_are_inside(start, outside):
    one = {"rate": np.array([0.5]), "steady": np.array([0.5]), "start": np.array([start]), "elapsed": np.array([0.0])}
    one |= {"form": "single", "numbers": {}}
    assert states_outside(SimpleNamespace(**one)) == outside
