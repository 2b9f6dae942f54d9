"""Weights before training: the effective forget bias, chrono initialisation, and one seed one draw."""

import math

import pytest
import torch

from genolstm.cells.fused import KERNELS, FusedCell, reference_cell
from genolstm.cells.initial import forget_biases, initialise
from genolstm.cells.memory import MemoryCell
from genolstm.cells.rules import FAMILY
from genolstm.settings.model import CellName

FORGETFUL = [name for name, rules in FAMILY.items() if "forget" in rules.projections]
UNITS = 200


def initialised(name, forget_bias, *, seed=1, n_units=UNITS):
    cell = FusedCell(n_units, n_units, name) if name in KERNELS else MemoryCell(n_units, n_units, FAMILY[name])
    initialise(cell, forget_bias, torch.Generator().manual_seed(seed))
    return cell, reference_cell(cell) if isinstance(cell, FusedCell) else cell


def effective_bias(twin, gate):
    place = twin.rules.projections.index(gate) * twin.n_units
    rows = slice(place, place + twin.n_units)
    return (twin.bias_ih[rows] + twin.bias_hh[rows]).detach()


@pytest.mark.parametrize("forget_bias", ["3", "-1.5", "0"])
def test_effective_forget_bias_of_torch_lstm_is_what_was_asked_for(forget_bias):
    cell, _ = initialised(CellName.LSTM, forget_bias)
    rows = slice(UNITS, 2 * UNITS)  # torch.nn.LSTM keeps its gates in the order i, f, g, o
    added = cell.kernel.bias_ih_l0[rows] + cell.kernel.bias_hh_l0[rows]
    assert torch.equal(added, torch.full((UNITS,), float(forget_bias)))
    assert torch.equal(forget_biases(cell), added)


def test_update_gate_of_torch_gru_plays_the_forget_gate():
    cell, _ = initialised(CellName.GRU, "4")
    rows = slice(UNITS, 2 * UNITS)  # torch.nn.GRU keeps its gates in the order r, z, n; z is what is kept
    added = cell.kernel.bias_ih_l0[rows] + cell.kernel.bias_hh_l0[rows]
    assert torch.equal(added, torch.full((UNITS,), 4.0))
    assert torch.equal(forget_biases(cell), added)


@pytest.mark.parametrize("name", FORGETFUL)
def test_every_cell_with_a_forget_gate_keeps_at_the_rate_asked_for(name):
    cell, twin = initialised(name, "2")
    nothing = torch.zeros(1, UNITS)
    twin.weight_ih.data.zero_()
    forget = twin.gates(nothing, nothing).forget
    torch.testing.assert_close(forget, torch.full((1, UNITS), 1 / (1 + math.exp(-2))))
    assert torch.equal(forget_biases(cell), torch.full((UNITS,), 2.0))


def test_write_gate_of_an_lstm_starts_half_open():
    _, twin = initialised(CellName.LSTM, "3")
    assert torch.equal(effective_bias(twin, "write"), torch.zeros(UNITS))


@pytest.mark.parametrize("name", FORGETFUL)
def test_chrono_biases_give_memories_of_one_to_t_steps(name):
    cell, twin = initialised(name, "chrono:500")
    biases = forget_biases(cell)
    assert float(biases.min()) >= 0  # log U(1, T - 1)
    assert float(biases.max()) <= math.log(499)
    # e^b is uniform on [1, 499]: mean 250, standard error 144 / sqrt(200)
    assert float(biases.exp().mean()) == pytest.approx(250, abs=5 * 144 / math.sqrt(UNITS))
    if "write" in twin.rules.projections:
        torch.testing.assert_close(effective_bias(twin, "write"), -biases, rtol=0, atol=0)


@pytest.mark.parametrize("name", [CellName.LSTM, CellName.GRU, CellName.TIED])
@pytest.mark.parametrize("forget_bias", ["3", "chrono:100"])
def test_other_gates_and_all_weights_keep_their_uniform_draw(name, forget_bias):
    _, twin = initialised(name, forget_bias)
    bound = 1 / math.sqrt(UNITS)
    for gate in set(twin.rules.projections) - {"forget", "write"}:
        biases = effective_bias(twin, gate)
        assert 0 < float(biases.abs().max()) <= 2 * bound
    for weight in (twin.weight_ih.detach(), twin.weight_hh.detach()):
        assert float(weight.abs().max()) <= bound
        assert float(weight.std()) == pytest.approx(bound / math.sqrt(3), rel=0.02)


@pytest.mark.parametrize("name", [CellName.RNN, CellName.EBBINGHAUS])
def test_cells_without_a_forget_gate_keep_their_draw(name):
    cell, _ = initialised(name, "3")
    _, other = initialised(name, "-7")
    twin = reference_cell(cell) if isinstance(cell, FusedCell) else cell
    for mine, theirs in zip(twin.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)
        assert float(mine.detach().std()) > 0
    with pytest.raises(ValueError, match="no forget gate"):
        forget_biases(cell)


def test_time_constants_start_between_1_and_100_steps():
    _, cell = initialised(CellName.EBBINGHAUS, "3")
    tau = cell.log_tau.detach().exp()
    assert float(tau.min()) >= 1
    assert float(tau.max()) <= 100.001
    assert float(tau.median()) == pytest.approx(10, rel=0.5)  # log-uniform


@pytest.mark.parametrize("name", list(CellName))
def test_one_generator_seed_gives_one_draw(name):
    first, second, third = (initialised(name, "chrono:50", seed=seed)[1] for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    drawn = [key for key, _ in first.named_parameters() if not key.startswith("bias")]
    assert drawn
    assert not any(torch.equal(getattr(first, key), getattr(third, key)) for key in drawn)
