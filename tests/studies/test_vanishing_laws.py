"""Laws of samples against lag: against scipy where nothing is censored, and against what was planted."""

import numpy as np
import pytest
from scipy import stats

from genolstm.studies.vanishing_laws import (
    EXPONENTIAL,
    POWER,
    fit_law,
    fit_laws,
    law_claims,
    law_table,
    right_on_made,
    scale_of,
)

LAGS = np.array([3, 5, 7, 10, 14, 20, 28, 40], dtype=np.float64)


def samples_of(law, slope, *, rng, repeats=5, spread=0.3):
    return np.exp(5 + slope * scale_of(law, LAGS) + spread * rng.normal(size=(repeats, len(LAGS))))


@pytest.mark.parametrize("law", [POWER, EXPONENTIAL])
def test_without_censoring_the_fit_is_least_squares(law):
    samples = samples_of(POWER, 1.3, rng=np.random.default_rng(1))
    found = fit_law(law, LAGS, samples, 1e9)
    x, y = np.tile(scale_of(law, LAGS), 5), np.log(samples).ravel()
    theirs = stats.linregress(x, y)
    residual = y - theirs.intercept - theirs.slope * x
    assert found.slope.value == pytest.approx(theirs.slope, rel=1e-3)
    assert found.start == pytest.approx(theirs.intercept, rel=1e-3)
    assert found.spread == pytest.approx(residual.std(), rel=1e-2)
    n = len(y)
    reach = stats.norm.ppf(0.975) * theirs.stderr * np.sqrt((n - 2) / n)  # by maximum likelihood
    assert found.slope.high - found.slope.value == pytest.approx(reach, rel=0.02)
    likelihood = stats.norm.logpdf(residual, scale=residual.std()).sum()
    assert found.aicc == pytest.approx(6 - 2 * likelihood + 24 / (n - 4), rel=1e-3)


def test_what_was_never_learned_does_not_flatten_the_law():
    rng = np.random.default_rng(2)
    slopes = []
    for _ in range(10):
        samples = samples_of(POWER, 1.5, rng=rng)
        most = float(np.exp(5) * 28**1.5)
        samples[samples > most] = np.inf
        slopes.append(fit_law(POWER, LAGS, samples, most).slope.value)
    assert np.mean(slopes) == pytest.approx(1.5, abs=0.08)


def test_a_law_is_told_from_the_other_and_made_samples_say_so():
    assert right_on_made(tuple(LAGS.astype(int).tolist()), 5, np.random.default_rng(3)) >= 0.9
    rng = np.random.default_rng(4)
    laws = fit_laws(
        {"gru": samples_of(POWER, 1.5, rng=rng), "rnn": samples_of(EXPONENTIAL, 0.1, rng=rng)}, tuple(LAGS), 1e9
    )
    power, exponential, _ = law_claims(laws, lags=tuple(LAGS), right=1.0)
    assert power.holds
    assert not exponential.holds
    assert exponential.value < -2
    assert law_table(laws)["law"].values == (POWER, EXPONENTIAL) * 2


def test_a_cell_that_learned_nowhere_and_too_few_lags_have_no_law():
    never = np.full((5, len(LAGS)), np.inf)
    assert fit_laws({"rnn": never}, tuple(LAGS), 1e4) == {}
    assert fit_laws({"gru": np.ones((5, 4))}, (1, 2, 3, 4), 1e4) == {}
    assert law_claims({}, lags=(1, 2, 3, 4), right=np.nan) == ()
