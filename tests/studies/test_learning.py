"""The small networks: sizes, seeds, positions, and that they learn."""

import numpy as np
import pytest
import torch

from genolstm.seeds import spawn
from genolstm.settings.model import CellName
from genolstm.studies.learning import (
    NOT_ASKED,
    Architecture,
    Batch,
    RecurrentNetwork,
    accuracy,
    bits,
    built,
    loss_of,
    parameter_count,
    right,
    train,
)
from genolstm.studies.transformer import Transformer, reach, sees, turned

ARCHITECTURES = [
    Architecture("lstm", CellName.LSTM),
    Architecture("two", CellName.LSTM, layers=2),
    Architecture("gru", CellName.GRU),
    Architecture("rnn", CellName.RNN),
    Architecture("tied", CellName.TIED),
    Architecture("full", layers=2),
    Architecture("windowed", layers=2, window=4),
]


def echo(rng):
    """Ask for each symbol one step after it was read."""
    inputs = rng.integers(0, 3, (16, 8))
    answers = np.concatenate([np.full((16, 1), NOT_ASKED), inputs[:, :-1]], axis=1)
    return Batch(inputs, answers)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda each: each.name)
@pytest.mark.parametrize("wanted", [3000, 9000])
def test_networks_have_about_the_parameters_asked_for(architecture, wanted):
    network = built(architecture, 6, 4, parameters=wanted, seed=1)
    assert parameter_count(network) == pytest.approx(wanted, rel=0.035)
    again = built(architecture, 6, 4, parameters=wanted, seed=1)
    other = built(architecture, 6, 4, parameters=wanted, seed=1, index=1)
    for mine, same, another in zip(network.parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, same)
        assert mine.shape == another.shape
    assert any(not torch.equal(mine, each) for mine, each in zip(network.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda each: each.name)
def test_no_answer_knows_a_later_symbol(architecture):
    network = built(architecture, 3, 3, parameters=2000, seed=1)
    symbols = torch.from_numpy(np.random.default_rng(1).integers(0, 3, (2, 9)))
    changed = symbols.clone()
    changed[:, 5:] = (changed[:, 5:] + 1) % 3
    with torch.no_grad():
        one, other = network(symbols), network(changed)
    assert one.shape == (2, 9, 3)
    torch.testing.assert_close(one[:, :5], other[:, :5])
    assert not torch.allclose(one[:, 5], other[:, 5])


@pytest.mark.parametrize("architecture", [ARCHITECTURES[0], ARCHITECTURES[5]], ids=lambda each: each.name)
def test_training_learns_an_echo(architecture):
    network = built(architecture, 3, 3, parameters=3000, seed=1)
    losses = train(network, echo, spawn(1, "batches"), steps=150, learning_rate=1e-2)
    assert losses[0] > 0.8
    assert losses[-1] < 0.1
    test = echo(np.random.default_rng(5))
    assert accuracy(network, test) > 0.98
    assert right(network, test).shape == (16 * 7,)
    assert bits(network, test) == pytest.approx(loss_of(network, test).item() / np.log(2))


def test_training_stops_when_told_to():
    network = built(ARCHITECTURES[0], 3, 3, parameters=500, seed=1)
    assert len(train(network, echo, spawn(1, "batches"), steps=50, done=lambda step: step == 7)) == 7


def test_loss_is_that_of_asked_answers_alone():
    network = built(ARCHITECTURES[0], 3, 3, parameters=500, seed=1)
    batch = echo(np.random.default_rng(1))
    with torch.no_grad():
        chances = network(torch.from_numpy(batch.inputs)).log_softmax(-1).numpy()
    asked = batch.answers != NOT_ASKED
    wanted = -np.take_along_axis(chances[asked], batch.answers[asked][:, None], axis=1).mean()
    assert loss_of(network, batch).item() == pytest.approx(wanted, rel=1e-5)


def test_turned_products_know_distance_alone():
    generator = torch.Generator().manual_seed(1)
    query, key = (torch.randn(16, generator=generator, dtype=torch.float64).expand(40, 16) for _ in range(2))
    products = turned(query) @ turned(key).T  # one vector at every place
    for apart in (0, 1, 17):
        diagonal = products.diagonal(-apart)
        torch.testing.assert_close(diagonal, diagonal[:1].expand(len(diagonal)))
    assert not torch.isclose(products[5, 5], products[5, 0])


@pytest.mark.parametrize("window", [1, 3, 20])
def test_window_hides_what_lies_before_it(window):
    wanted = [[max(0, t - window + 1) <= s <= t for s in range(9)] for t in range(9)]
    assert sees(9, window).tolist() == wanted


@pytest.mark.parametrize(("layers", "window"), [(1, 4), (2, 4), (3, 2)])
def test_reach_is_the_farthest_symbol_that_moves_an_answer(layers, window):
    network = Transformer(3, 3, layers=layers, width=16, inner=16, window=window)
    network.initialise(torch.Generator().manual_seed(1))
    symbols = torch.zeros(20, 20, dtype=torch.int64)
    symbols[torch.arange(20), torch.arange(20)] = 1  # row s has its odd symbol at s
    with torch.no_grad():
        last = network(symbols)[:, -1]
        plain = network(torch.zeros(1, 20, dtype=torch.int64))[0, -1]
    moved = (last - plain).abs().amax(-1) > 1e-6
    farthest = 19 - int(torch.nonzero(moved)[0])
    assert farthest == reach(layers, window)


def test_one_hot_rows_and_symbols_give_the_same_scores():
    network = RecurrentNetwork(3, 2, cell=CellName.GRU, layers=1, width=5)
    symbols = torch.tensor([[0, 2, 1]])
    rows = torch.nn.functional.one_hot(symbols, 3).float()
    torch.testing.assert_close(network(symbols), network.scores(rows))
