"""Gradients against lag: finite differences, the carousel, and what 'learned' means."""

import math

import numpy as np
import pytest
import torch

from genolstm.seeds import spawn
from genolstm.settings.model import CellName
from genolstm.settings.study import StudySettings
from genolstm.studies import vanishing
from genolstm.studies.learning import NOT_ASKED


def test_held_gates_carry_errors_by_the_product_of_forget_gates_alone():
    held, free = vanishing.carousel(1)
    assert held < 1e-14
    assert free > 1e-3  # gates that know the state carry errors too: the claim is about held ones


def test_gradients_are_those_of_finite_differences():
    network = vanishing.fresh(CellName.LSTM, 1, 0).double()
    found = vanishing.gradient_by_lag(network, 4, 1, 0)
    batch = vanishing.recalls(spawn(1, "gradients", 0), 4, vanishing.TEST_ROWS)
    rows = torch.nn.functional.one_hot(torch.from_numpy(batch.inputs), vanishing.N_SYMBOLS).double()
    answers = torch.from_numpy(batch.answers[:, -1])

    def loss(moved):
        return torch.nn.functional.cross_entropy(network.scores(moved)[:, -1], answers, reduction="none")

    step, lag = 1e-6, 2
    slopes = []
    with torch.no_grad():
        for symbol in range(vanishing.N_SYMBOLS):
            up, down = rows.clone(), rows.clone()
            up[:, -1 - lag, symbol] += step
            down[:, -1 - lag, symbol] -= step
            slopes.append((loss(up) - loss(down)) / (2 * step))
    assert found[lag] == pytest.approx(float(torch.stack(slopes).norm(dim=0).mean()), rel=1e-5)


def test_untrained_rnn_loses_more_of_its_gradient_than_gated_cells():
    kept = {}
    for cell in vanishing.CELLS:
        norms = vanishing.gradient_by_lag(vanishing.fresh(cell, 2, 0), 20, 2, 0)
        kept[cell] = norms[-1] / norms[0]
    assert kept[CellName.RNN] < kept[CellName.LSTM] / 10
    assert kept[CellName.RNN] < kept[CellName.GRU] / 10


def test_recall_sequences_ask_for_their_first_symbol():
    batch = vanishing.recalls(np.random.default_rng(1), 7, 50)
    assert batch.inputs.shape == (50, 8)
    assert (batch.answers[:, -1] == batch.inputs[:, 0]).all()
    assert (batch.answers[:, :-1] == NOT_ASKED).all()
    assert (batch.inputs[:, 1:-1] >= vanishing.KINDS).all()
    assert set(batch.inputs[:, 0]) == set(range(vanishing.KINDS))


def test_samples_are_told_until_learned_and_not_reached_beyond():
    learned = vanishing.until_learned(CellName.GRU, 2, 1, 0, 80)
    assert math.isfinite(learned.samples)
    assert learned.samples % (vanishing.ROWS * vanishing.CHECK_EVERY) == 0
    assert math.isinf(vanishing.until_learned(CellName.GRU, 40, 1, 0, 10).samples)


def test_lags_that_are_asked_for_are_measured(monkeypatch):
    monkeypatch.setattr(vanishing, "QUICK_MOST_STEPS", 4)
    study = vanishing.study(StudySettings(quick=True, lags=(2, 3)), lambda _: None)
    assert sorted(set(study.tables["samples"]["lag"].values.tolist())) == [2, 3]
    assert study.tables["gradients"]["lag"].values.max() == 3
    assert next(claim for claim in study.claims if claim.name == "constant error carousel").holds
