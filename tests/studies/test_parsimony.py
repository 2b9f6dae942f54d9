"""Sources with a known entropy, and how many parameters three gates have."""

import itertools

import numpy as np
import pytest

from genolstm.figures.studies import pictures_of
from genolstm.figures.style import save
from genolstm.model import NextSymbolModel
from genolstm.seeds import spawn
from genolstm.settings.model import ModelSettings
from genolstm.settings.study import StudySettings
from genolstm.studies import parsimony
from genolstm.studies.hidden_markov import Source, draw, sticky_source, true_bits
from genolstm.studies.next_symbols import bits_of, mean_bits, train


def source(seed=1, states=3, symbols=4):
    return sticky_source(np.random.default_rng(seed), states=states, symbols=symbols, stay=0.9, concentration=0.5)


def test_true_bits_are_those_of_all_paths_summed():
    made = source(states=2)
    codes = np.array([[0, 3, 1, 1, 2]], dtype=np.uint8)
    total = 0.0
    for path in itertools.product(range(2), repeat=5):
        chance = made.start[path[0]] * made.emits[path[0], codes[0, 0]]
        for step in range(1, 5):
            chance *= made.moves[path[step - 1], path[step]] * made.emits[path[step], codes[0, step]]
        total += chance
    assert true_bits(made, codes).sum() == pytest.approx(-np.log2(total))


def test_true_bits_of_independent_symbols_are_their_entropy():
    shares = np.array([0.5, 0.25, 0.125, 0.125])
    made = Source(np.ones(1), np.ones((1, 1)), shares[None])
    codes = draw(made, np.random.default_rng(1), 500, 200)
    assert true_bits(made, codes).mean() == pytest.approx(1.75, abs=0.01)
    np.testing.assert_allclose(np.bincount(codes.ravel()) / codes.size, shares, atol=0.005)


def test_drawn_sequences_stay_in_their_state_as_often_as_told():
    made = Source(np.full(2, 0.5), np.array([[0.8, 0.2], [0.2, 0.8]]), np.eye(2))
    codes = draw(made, np.random.default_rng(2), 400, 200)
    assert (codes[:, 1:] == codes[:, :-1]).mean() == pytest.approx(0.8, abs=0.01)


def test_no_trained_network_is_better_than_the_truth_and_training_helps():
    made, rng = source(), spawn(1, "test")
    model = NextSymbolModel(ModelSettings(hidden=12, forget_bias="1"), seed=1)
    test = draw(made, rng, 256, 32)
    before = mean_bits(model, test)
    train(model, draw(made, rng, 256, 32), rng, steps=80, batch=16, learning_rate=1e-2)
    truth = true_bits(made, test).mean()
    assert truth < mean_bits(model, test) < min(before, truth + 0.15)
    assert bits_of(model, test).shape == test.shape


def test_training_keeps_the_weights_that_were_best_on_the_validation_set():
    made, rng = source(), spawn(2, "test")
    few, valid = draw(made, rng, 4, 32), draw(made, rng, 64, 32)
    kept, last = (NextSymbolModel(ModelSettings(hidden=16, forget_bias="1"), seed=1) for _ in range(2))
    settings = {"steps": 200, "batch": 4, "learning_rate": 2e-2}
    train(kept, few, spawn(3, "batches"), valid=valid, validate_every=10, **settings)
    train(last, few, spawn(3, "batches"), **settings)
    assert mean_bits(kept, valid) < mean_bits(last, valid) - 0.1  # four sequences are soon known by heart


def test_three_gates_have_three_quarters_of_the_parameters_of_four():
    for name, shape in parsimony.contenders().items():
        model = NextSymbolModel(shape, seed=0)
        cell = sum(weight.numel() for weight in model.cells.parameters())
        gates = 4 if name == parsimony.LSTM else 3
        assert cell == parsimony.gate_parameters(shape.hidden, model.alphabet.n_symbols, gates)
    shapes = parsimony.contenders()
    sizes = [NextSymbolModel(shapes[name], seed=0).n_weights for name in (parsimony.LSTM, parsimony.WIDER_GRU)]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.05)


def test_a_small_study_says_what_its_numbers_say_and_is_drawn(monkeypatch, tmp_path):
    monkeypatch.setattr(parsimony, "size_of", lambda _: parsimony.Size((4, 8), 2, 5, 6))
    monkeypatch.setattr(parsimony, "TEST_SEQUENCES", 32)
    found = parsimony.study(StudySettings(), lambda _: None)
    table = found.tables["errors"]
    assert len(table["excess"].values) == 3 * 2
    differences = found.tables["differences"]
    lstm = table["excess"].values[:2]
    np.testing.assert_allclose(differences["difference"].values[:2], table["excess"].values[2:4] - lstm)
    claims = {claim.name: claim for claim in found.claims}
    small = claims["gru on the smallest set"]
    assert small.holds == (small.high < 0)
    assert claims["three quarters"].holds
    assert claims["three quarters"].value == 0.75
    assert f"{small.value:.4f}" in found.conclusion
    for picture in pictures_of(found):
        save(picture.figure, tmp_path / f"{picture.name}.png")
