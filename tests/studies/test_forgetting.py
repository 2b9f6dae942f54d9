"""Ebbinghaus's savings and the closed forms of constant-forget cells."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolstm.figures.studies import pictures_of
from genolstm.figures.style import save
from genolstm.settings.study import StudySettings
from genolstm.studies import forgetting, forgetting_laws
from genolstm.studies.forgetting_laws import LAWS, MINUTES, SAVINGS

BY_NAME = {law.name: law for law in LAWS}


def test_his_own_formula_with_his_own_constants_gives_his_own_column():
    # chapter 7, section 29: k = 1.84, c = 1.25, and the column "b calculated" in per cent
    kept = BY_NAME["Ebbinghaus's logarithm"].keeps(np.array([1.84, 1.25]), MINUTES)
    np.testing.assert_allclose(100 * kept, [57.0, 46.7, 34.5, 30.4, 28.1, 24.9, 21.2], atol=0.11)


def test_the_best_fit_of_his_formula_is_near_his_constants():
    law = BY_NAME["Ebbinghaus's logarithm"]
    starts = np.random.default_rng(1).uniform(0.02, 0.98, (8, 2))
    (k, c), squares = forgetting_laws.best_fit(law, MINUTES, SAVINGS, starts)
    assert k == pytest.approx(1.84, abs=0.1)
    assert c == pytest.approx(1.25, abs=0.1)
    assert squares <= np.sum((law.keeps(np.array([1.84, 1.25]), MINUTES) - SAVINGS) ** 2)


@given(taus=st.lists(st.floats(5, 1e5), min_size=1, max_size=3), study=st.floats(1, 500), rest=st.floats(1, 1e4))
def test_a_cell_keeps_a_sum_of_exponentials(taus, study, rest):
    weights = np.full(len(taus), 1 / len(taus))
    kept = forgetting.kept_by_cell(taus, weights, study, np.array([rest, 2 * rest]))
    wanted = [np.mean([math.exp(-t / tau) for tau in taus]) for t in (rest, 2 * rest)]
    np.testing.assert_allclose(kept, wanted, rtol=1e-9, atol=1e-15)


@given(tau=st.floats(10, 1e4), study=st.floats(1, 100), gap=st.floats(0, 1000), times=st.integers(1, 6))
def test_repeated_study_is_a_geometric_series(tau, study, gap, times):
    states = forgetting._repeated_by_cell([tau], study, gap, times)
    np.testing.assert_allclose(states[0], forgetting.repeated(tau, study, gap, times), rtol=1e-9)


@given(tau=st.floats(10, 1e4), study=st.floats(1, 100), gap=st.floats(1, 1000))
def test_gaps_never_leave_more_than_massed_study(tau, study, gap):
    assert forgetting.repeated(tau, study, gap, 3) <= forgetting.repeated(tau, study, 0.0, 3)


@pytest.mark.parametrize("learned", [0.1, 0.9, 0.999])
def test_relearning_time_of_the_stepped_cell_is_the_formula(learned):
    tau, rest, steps = 300.0, 120.0, 400
    to_criterion = -tau * math.log1p(-learned)
    # study to the criterion, rest, and study again in small steps: how long until the criterion is reached once more
    states = forgetting.states_after(
        forgetting.cell_of([tau]), [1.0, 0.0, *[1.0] * steps], [to_criterion, rest, *[to_criterion / steps] * steps]
    )[2:, 0]
    savings = 1 - (np.searchsorted(states, learned) + 1) / steps
    assert savings == pytest.approx(
        float(forgetting_laws.relearning_savings(learned, np.array(math.exp(-rest / tau)))), abs=1.5 / steps
    )


def test_akaikes_criterion_is_infinite_where_points_run_out():
    assert forgetting_laws.aicc(0.1, 7, 5) == math.inf
    assert forgetting_laws.aicc(0.1, 7, 2) == pytest.approx(7 * math.log(0.1 / 7) + 6 + 24 / 3)


def test_a_law_that_is_true_is_found_again():
    law = BY_NAME["two units"]
    true = np.array([math.log(40.0), math.log(9000.0), 0.6])
    starts = np.random.default_rng(2).uniform(0.02, 0.98, (12, 3))
    found, squares = forgetting_laws.best_fit(law, MINUTES, law.keeps(true, MINUTES), starts)
    assert squares < 1e-12
    taus, weights = forgetting.taus_and_weights(found)
    assert sorted(taus) == pytest.approx([40.0, 9000.0], rel=1e-3)
    assert weights.sum() == pytest.approx(1)


def test_the_study_refuses_one_exponential_and_is_drawn(monkeypatch, tmp_path):
    monkeypatch.setattr(forgetting, "QUICK_STARTS", 3)
    monkeypatch.setattr(forgetting, "QUICK_DRAWS", 4)
    found = forgetting.study(StudySettings(quick=True), lambda _: None)
    claims = {claim.name: claim for claim in found.claims}
    assert not claims["one exponential"].holds
    assert not claims["spacing"].holds
    assert claims["closed form"].holds
    assert claims["repetition"].holds
    for picture in pictures_of(found):
        save(picture.figure, tmp_path / f"{picture.name}.png")
