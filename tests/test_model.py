"""The model: causal, blind to unknown targets, drawn by one seed, and careful about foreign weights."""

import math

import numpy as np
import pytest
import torch

from genolstm.alphabet import DNA, PROTEIN
from genolstm.model import NATS_PER_BIT, NextSymbolModel, trained_model
from genolstm.settings.model import AlphabetName, ModelSettings, TrainableCell


def model_of(cell=TrainableCell.LSTM, *, layers=1, hidden=16, seed=1, index=0, alphabet=AlphabetName.DNA):
    settings = ModelSettings(cell=cell, layers=layers, hidden=hidden, alphabet=alphabet)
    return NextSymbolModel(settings, seed=seed, index=index)


def symbols(*shape, n=5, seed=0):
    return torch.randint(0, n, shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", list(TrainableCell))
def test_flipping_a_base_changes_nothing_before_it(device, cell, layers):
    model, codes = model_of(cell, layers=layers).to(device), symbols(3, 40).to(device)
    flipped = codes.clone()
    place = 17
    flipped[:, place] = (codes[:, place] + 1) % 4
    with torch.no_grad():
        before, after = (model.forward(c, model.initial_state(3)).logits for c in (codes, flipped))
    # logits at `place` are the prediction of the symbol after it; the flipped symbol's own prediction is at place - 1
    assert torch.equal(before[:, :place], after[:, :place])
    assert not bool((before[:, place] == after[:, place]).all())
    assert not bool((before[:, -1] == after[:, -1]).all())


@pytest.mark.parametrize("cell", list(TrainableCell))
def test_a_lane_does_not_see_its_neighbours(cell):
    model, codes = model_of(cell), symbols(3, 20)
    other = codes.clone()
    other[1] = (codes[1] + 1) % 5
    with torch.no_grad():
        one, two = (model.forward(c, model.initial_state(3)).logits for c in (codes, other))
    assert torch.equal(one[[0, 2]], two[[0, 2]])


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", list(TrainableCell))
def test_reading_in_two_pieces_with_carried_state_is_reading_whole(device, cell, layers):
    model, codes = model_of(cell, layers=layers).to(device).double(), symbols(3, 30).to(device)
    with torch.no_grad():
        whole = model.forward(codes, model.initial_state(3))
        first = model.forward(codes[:, :11], model.initial_state(3))
        second = model.forward(codes[:, 11:], first.state)
    joined = torch.cat([first.logits, second.logits], dim=1)
    torch.testing.assert_close(joined, whole.logits, rtol=0, atol=1e-13)
    torch.testing.assert_close(tuple(second.state), tuple(whole.state), rtol=0, atol=1e-13)


def test_unknown_targets_cost_nothing_and_teach_nothing(device):
    model = model_of().to(device)
    logits = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(1)).to(device).requires_grad_()
    targets = symbols(2, 6, n=4).to(device, torch.uint8)
    targets[0, 2], targets[1, 5] = DNA.unknown, DNA.unknown
    nats = model.nats(logits, targets)
    unknown = targets == DNA.unknown
    assert bool((nats[unknown] == 0).all())
    assert bool((nats[~unknown] > 0).all())
    nats.sum().backward()
    assert bool((logits.grad[unknown] == 0).all())
    assert bool((logits.grad[~unknown] != 0).any(dim=-1).all())


def test_nats_are_minus_the_log_of_the_softmax():
    logits, targets = torch.tensor([[[0.0, math.log(2), math.log(4), 0.0]]]), torch.tensor([[2]])
    assert float(model_of().nats(logits, targets)) == pytest.approx(-math.log(4 / 8))
    assert math.log(4) / NATS_PER_BIT == pytest.approx(2)  # uniform over four symbols


@pytest.mark.parametrize("cell", list(TrainableCell))
def test_same_seed_gives_same_weights_and_another_index_others(cell):
    settings = ModelSettings(cell=cell, layers=2, hidden=9)
    first, same, twin, other = (
        NextSymbolModel(settings, seed=seed, index=index).weight_arrays()
        for seed, index in ((1, 0), (1, 0), (1, 1), (2, 0))
    )
    for name, weight in first.items():
        np.testing.assert_array_equal(weight, same[name])
        if "weight" in name:
            assert not np.any(weight == twin[name])
            assert not np.any(weight == other[name])


def test_drawing_weights_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    first = model_of().weight_arrays()
    torch.rand(3)
    assert np.array_equal(first["head.weight"], model_of().weight_arrays()["head.weight"])
    torch.set_rng_state(before)


@pytest.mark.parametrize("cell", list(TrainableCell))
def test_weights_go_out_and_in_to_the_same_model(cell):
    source = model_of(cell, layers=2)
    rebuilt = trained_model(source.settings, source.weight_arrays())
    codes = symbols(2, 15)
    with torch.no_grad():
        torch.testing.assert_close(
            rebuilt.forward(codes, rebuilt.initial_state(2)).logits,
            source.forward(codes, source.initial_state(2)).logits,
            rtol=0,
            atol=0,
        )
    assert not rebuilt.training


def test_weight_arrays_are_copies():
    model = model_of()
    arrays = model.weight_arrays()
    before = arrays["head.weight"].copy()
    with torch.no_grad():
        model.head.weight.add_(1)
    np.testing.assert_array_equal(arrays["head.weight"], before)


def test_loading_refuses_other_names_and_shapes_and_then_changes_nothing():
    model, wider = model_of(), model_of(hidden=17)
    before = model.weight_arrays()
    with pytest.raises(ValueError, match=r"weights differ in name: \['extra'\]"):
        model.load_weights({**before, "extra": before["head.bias"]})
    with pytest.raises(ValueError, match=r"weights differ in name: \['head.bias'\]"):
        model.load_weights({name: weight for name, weight in before.items() if name != "head.bias"})
    with pytest.raises(ValueError, match=r"has shape \(68, 5\), not \(64, 5\)"):
        model.load_weights(wider.weight_arrays())
    last = list(before)[-1]  # all others would fit
    with pytest.raises(ValueError, match=f"{last} has shape"):
        model.load_weights({**{name: weight + 1 for name, weight in before.items()}, last: before[last][:-1]})
    for name, weight in model.weight_arrays().items():
        np.testing.assert_array_equal(weight, before[name])


def test_a_protein_model_reads_21_symbols_and_predicts_20():
    model = model_of(alphabet=AlphabetName.PROTEIN)
    reading = model.forward(symbols(2, 5, n=PROTEIN.n_symbols), model.initial_state(2))
    assert reading.logits.shape == (2, 5, 20)
    assert reading.inputs[0].shape == (2, 5, 21)


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3), ("rnn", 1), ("tied", 3)])
def test_weights_are_counted(cell, gates):
    first, second, head = (gates * 8 * (5 + 8 + 2), gates * 8 * (8 + 8 + 2), 8 * 4 + 4)
    assert model_of(TrainableCell(cell), layers=2, hidden=8).n_weights == first + second + head


def test_the_input_table_is_no_weight():
    model = model_of()
    assert "table" not in dict(model.named_parameters())
    assert "table" not in model.state_dict()
    assert torch.equal(model.table, torch.eye(5))


def test_one_hot_input_is_drawn_by_its_fan_in_of_one_and_deeper_layers_by_theirs():
    model = NextSymbolModel(ModelSettings(layers=2, hidden=64), seed=3)
    first, second = (cell.kernel.weight_ih_l0.detach() for cell in model.cells)
    # a uniform draw from +-b has standard deviation b / sqrt(3)
    assert float(first.std()) == pytest.approx(1 / 3**0.5, rel=0.05)
    assert float(first.abs().max()) <= 1
    assert float(second.std()) == pytest.approx(1 / 64**0.5 / 3**0.5, rel=0.05)


def test_untrained_state_depends_on_what_was_just_read():
    model = NextSymbolModel(ModelSettings(hidden=64), seed=3)
    history = torch.randint(0, 4, (1, 300), generator=torch.Generator().manual_seed(0))
    other = history.clone()
    other[0, -2] = (other[0, -2] + 1) % 4
    apart = [model.forward(codes, model.initial_state(1)).state.hidden.detach() for codes in (history, other)]
    assert float((apart[0] - apart[1]).abs().mean()) > 0.02
