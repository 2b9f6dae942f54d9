"""Gates held still: what is exact about it."""

import numpy as np
import pytest
import torch

from genolstm.cells.memory import MemoryCell
from genolstm.cells.rules import FAMILY
from genolstm.figures.studies import pictures_of
from genolstm.figures.style import save
from genolstm.settings.model import CellName
from genolstm.settings.study import StudySettings
from genolstm.studies import knockout, knockout_gradients


def cell(seed=1, n_in=3, units=5):
    made = MemoryCell(n_in, units, FAMILY[CellName.LSTM]).double()
    made.initialise(torch.Generator().manual_seed(seed))
    return made


def inputs(steps=20, n_in=3):
    return torch.randn(2, steps, n_in, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


def test_a_sealed_memory_never_leaves_its_start():
    hidden, state = cell()(inputs(), held={"write": 0.0})
    assert (state.memory == 0).all()
    assert (hidden == 0).all()


def test_a_cell_that_never_forgets_adds_up_all_it_writes():
    made, read = cell(), inputs()
    hidden, state = made(read, held={"forget": 1.0})
    before = torch.cat([torch.zeros_like(hidden[:, :1]), hidden[:, :-1]], dim=1)
    gates = made.gates(read, before)
    torch.testing.assert_close(state.memory, (gates.write * gates.candidate).sum(dim=1), rtol=1e-12, atol=1e-14)


def test_a_cell_that_always_forgets_holds_only_what_it_wrote_last():
    made, read = cell(), inputs()
    hidden, state = made(read, held={"forget": 0.0})
    gates = made.gates(read[:, -1], hidden[:, -2])
    torch.testing.assert_close(state.memory, gates.write * gates.candidate, rtol=1e-12, atol=1e-14)


def test_one_steps_gradient_is_the_formula_and_falls_as_the_gate_saturates():
    made, read = cell(), inputs(steps=1)
    weight = torch.ones(2, 1, 5, dtype=torch.float64)
    for bias in (-6.0, 0.0, 6.0):
        with torch.no_grad():
            made.weight_ih[:5] = 0
            made.bias_hh[:5] = 0
            made.bias_ih[:5] = bias
        made.zero_grad()
        hidden, state = made(read)
        hidden.sum().backward()
        gates = made.gates(read[:, 0], torch.zeros(2, 5, dtype=torch.float64))
        slope = torch.sigmoid(torch.tensor(bias)) * torch.sigmoid(torch.tensor(-bias))
        wanted = gates.read * (1 - torch.tanh(state.memory) ** 2) * gates.candidate * slope
        torch.testing.assert_close(made.bias_ih.grad[:5], wanted.sum(dim=0), rtol=1e-6, atol=1e-12)
        assert knockout_gradients.write_gradient(made, read, weight) <= knockout_gradients.gradient_bound(
            made, read, weight, bias
        ) * (1 + 1e-9)


def test_the_write_gates_gradient_vanishes_exactly_where_it_must():
    found = knockout_gradients.vanishing(StudySettings())
    assert found.no_candidate == 0
    assert found.held == 0
    assert (found.norm[np.abs(found.bias) == 800] == 0).all()
    assert (found.norm[np.abs(found.bias) < 30] > 0).all()
    assert (found.norm <= found.bound).all()
    assert knockout_gradients.slope_of(found) == pytest.approx(-1, abs=1e-3)


def test_the_bound_is_met_by_one_unit_one_step_and_one_sequence():
    # with a single term nothing is lost to the triangle inequality
    made = cell(units=1)
    read = inputs(steps=1)[:1]
    with torch.no_grad():
        made.weight_ih[:1] = 0
        made.bias_hh[:1] = 0
        made.bias_ih[:1] = 2.0
    weight = torch.full((1, 1, 1), 0.7, dtype=torch.float64)
    assert knockout_gradients.write_gradient(made, read, weight) == pytest.approx(
        knockout_gradients.gradient_bound(made, read, weight, 2.0), rel=1e-12
    )


@pytest.fixture(scope="module")
def small():
    patch = pytest.MonkeyPatch()
    patch.setattr(knockout, "LENGTH", 16)
    patch.setattr(knockout, "TEST_SEQUENCES", 16)
    patch.setattr(knockout, "TRAIN_SEQUENCES", 64)
    trials = [knockout.trial(StudySettings(), knockout.Size(2, 30), repeat) for repeat in range(2)]
    yield trials
    patch.undo()


def test_nothing_written_and_nothing_read_leave_the_output_bias_alone(small):
    for each in small:
        assert each.sealed == 0
        assert each.bits["write 0"] == pytest.approx(each.constant, abs=1e-5)
        assert each.bits["read 0"] == pytest.approx(each.constant, abs=1e-5)
        assert each.bits["intact"] < each.constant
        assert (each.reach["read 0"] == 0).all()
        assert each.sizes["forget 1"][-1] > each.sizes["intact"][-1]


def test_a_changed_symbol_is_felt_later_even_where_all_is_forgotten(small):
    for each in small:
        assert each.reach["forget 0"][1] > 0  # through h, which still feeds the gates
        assert each.reach["forget 0"][-1] < each.reach["intact"][-1]


def test_the_study_of_small_networks_is_drawn(small, monkeypatch, tmp_path):
    made = iter(small)
    monkeypatch.setattr(knockout, "trial", lambda *_: next(made))
    found = knockout.study(StudySettings(quick=True), lambda _: None)
    claims = {claim.name: claim for claim in found.claims}
    assert claims["sealed"].holds
    assert claims["saturation"].holds
    assert not claims["only the present"].holds
    for picture in pictures_of(found):
        save(picture.figure, tmp_path / f"{picture.name}.png")
