"""a^n b^n: strings, counts, and a counter that is known to be one."""

import numpy as np
import pytest
import torch

from genolstm.cells.fused import reference_cell
from genolstm.errors import UsageError
from genolstm.settings.model import CellName
from genolstm.settings.study import StudySettings
from genolstm.studies import counting
from genolstm.studies.learning import NOT_ASKED, RecurrentNetwork


def hand_set_counter():
    """Two layers of two units: layer 1 tells a from b; a cell of layer 2 adds for a and takes away for b."""
    network = RecurrentNetwork(3, 3, cell=CellName.LSTM, layers=2, width=2)
    wide_open = 30.0
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
        for place, layer in enumerate(network.layers):
            twin = reference_cell(layer)
            rows = {name: slice(2 * at, 2 * at + 2) for at, name in enumerate(twin.rules.projections)}
            twin.bias_ih[rows["write"]] = twin.bias_ih[rows["read"]] = wide_open
            twin.bias_ih[rows["forget"]] = wide_open if place else -wide_open  # layer 1 holds the last symbol alone
            candidate = rows["candidate"].start
            if place == 0:
                twin.weight_ih[candidate, : counting.END] = torch.tensor([wide_open, -wide_open])
            else:
                twin.weight_ih[candidate, 0] = 0.01  # tanh keeps small steps equal
    return network


def test_hand_set_counter_is_found_in_layer_2_and_the_phase_in_layer_1():
    found = counting.insides(hand_set_counter(), 10)
    assert found.counted[1] > 0.999
    assert found.counted[0] < 0.7
    assert found.phase[0] == 1.0
    assert found.cell == 0


def test_strings_ask_for_all_that_is_determined():
    batch = counting.strings(np.array([2, 3]))
    assert batch.inputs.tolist() == [[0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 1]]
    none = NOT_ASKED
    assert batch.answers.tolist() == [[none, none, 1, 2, none, none], [none, none, none, 1, 1, 2]]


def test_count_rises_with_a_and_falls_with_b():
    assert counting.count_at(3).tolist() == [1, 2, 3, 2, 1, 0]


def test_empty_strings_are_refused():
    with pytest.raises(UsageError, match="at least 1"):
        counting.strings(np.array([0, 2]))


def test_a_string_passes_only_when_every_symbol_is_right():
    class Oracle(torch.nn.Module):
        """Answers b until `end` b's have been read, then the end."""

        def __init__(self, end):
            super().__init__()
            self.end = end

        def forward(self, symbols):
            read = (symbols == counting.B).cumsum(1)
            answer = torch.where(read >= self.end, counting.END, counting.B)
            return torch.nn.functional.one_hot(answer, 3).float()

    assert counting.accepts(Oracle(4), 4)
    assert not counting.accepts(Oracle(4), 5)
    assert not counting.accepts(Oracle(4), 3)


@pytest.mark.parametrize(("passed", "reached"), [([True, True, False, True], 2), ([False], 0), ([True, True], 2)])
def test_unbroken_run_ends_at_the_first_miss(passed, reached):
    assert counting._unbroken(passed) == reached


def test_explained_share_is_that_of_least_squares():
    rng = np.random.default_rng(1)
    counts = rng.normal(size=200)
    values = 2 * counts + rng.normal(size=200)
    fitted = np.polyval(np.polyfit(counts, values, 1), counts)
    wanted = 1 - ((values - fitted) ** 2).sum() / ((values - values.mean()) ** 2).sum()
    assert counting.explained(values, counts) == pytest.approx(wanted)
    assert counting.explained(np.ones(200), counts) == 0.0


def test_longest_sets_what_is_trained_and_tested(monkeypatch):
    monkeypatch.setattr(counting, "QUICK_STEPS", 3)
    study = counting.study(StudySettings(quick=True, longest=5), lambda _: None)
    assert study.tables["by_n"]["n"].values.tolist() == list(range(1, 16))
    assert study.tables["by_n"]["trained"].values.sum() == 5
