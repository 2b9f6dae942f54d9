"""The cell in time: its invariants, and what biology calls its gates."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genolstm.cells.memory import MemoryCell, State
from genolstm.errors import UsageError
from genolstm.methylation.trajectory import (
    RULES,
    Kinetics,
    Upkeep,
    half_life,
    kinetics_of,
    trajectory,
    upkeep_columns,
    upkeep_of,
)  # fmt: skip
from genolstm.settings.methylation import StrandState

fraction = st.floats(0, 1)
rate = st.floats(1e-6, 50)
step = st.floats(1e-3, 20)


def double(*values):
    return [torch.tensor(value, dtype=torch.float64) for value in values]


def constant_cell(k, g):
    """The family's cell with weights that make its gates constant: forget exp(-k) a unit of time, candidate g."""
    cell = MemoryCell(1, 1, RULES).double()
    with torch.no_grad():
        # sigmoid(b) = exp(-k) at b = -ln(exp(k) - 1)
        cell.bias_ih[0] = -math.log(math.expm1(k))
        cell.bias_ih[1] = math.log(g / (1 - g))
    return cell


@given(k=st.floats(1e-3, 20), g=st.floats(0.01, 0.99), start=fraction, steps=st.lists(step, min_size=1, max_size=6))
def test_trajectory_is_the_memory_cell_of_the_family(k, g, start, steps):
    cell = constant_cell(k, g)
    state = torch.tensor([[start]], dtype=torch.float64)
    durations = torch.tensor([steps], dtype=torch.float64)
    hidden, _ = cell(torch.zeros(1, len(steps), 1, dtype=torch.float64), State(state, state), durations)
    ages = torch.tensor(np.cumsum(steps))
    found = trajectory(*double(k, g, start), ages)
    torch.testing.assert_close(found, hidden[0, :, 0].detach(), rtol=1e-12, atol=1e-13)


@given(k=rate, g=fraction, start=fraction, steps=st.lists(step, min_size=1, max_size=6))
def test_trajectory_is_the_closed_form(k, g, start, steps):
    ages = np.cumsum(steps)
    found = trajectory(*double(k, g, start), torch.from_numpy(ages)).numpy()
    np.testing.assert_allclose(found, g + (start - g) * np.exp(-k * ages), rtol=0, atol=1e-14)


@given(k=rate, g=fraction, start=fraction, steps=st.lists(st.floats(0, 100), min_size=1, max_size=9))
def test_state_never_leaves_the_unit_interval_though_nothing_is_clamped(k, g, start, steps):
    for dtype in (torch.float64, torch.float32):
        gates = [torch.tensor(value, dtype=dtype) for value in (k, g, start)]
        states = trajectory(*gates, torch.tensor(np.cumsum(steps), dtype=dtype))
        assert int(((states < 0) | (states > 1)).sum()) == 0


@given(k=rate, g=fraction, steps=st.lists(step, min_size=1, max_size=6))
def test_fixed_point_stays_to_the_last_bit(k, g, steps):
    assert (trajectory(*double(k, g, g), torch.from_numpy(np.cumsum(steps))) == g).all()


@given(k=rate, g=fraction, start=fraction, ages=st.lists(step, min_size=2, max_size=8), cut=st.integers(1, 7))
def test_a_course_in_two_pieces_is_the_course_whole(k, g, start, ages, cut):
    ages = torch.from_numpy(np.cumsum(ages))
    cut = min(cut, len(ages) - 1)
    whole = trajectory(*double(k, g, start), ages)
    first = trajectory(*double(k, g, start), ages[:cut])
    rest = trajectory(*double(k, g), first[-1], ages[cut:] - ages[cut - 1])
    torch.testing.assert_close(torch.cat([first, rest]), whole, rtol=1e-12, atol=1e-14)


@given(k=rate, g=fraction, start=fraction, age=step, pieces=st.integers(1, 40))
def test_subdivided_time_steps_give_the_same_state(k, g, start, age, pieces):
    fine = trajectory(*double(k, g, start), torch.linspace(age / pieces, age, pieces, dtype=torch.float64))
    torch.testing.assert_close(
        fine[-1], trajectory(*double(k, g, start), torch.tensor([age], dtype=torch.float64))[0], rtol=0, atol=1e-13
    )


@given(mu=st.floats(0.01, 1), share=st.floats(0, 0.98), start=fraction, divisions=st.integers(1, 30))
def test_divisions_of_a_strand_are_otto_and_walbots_recursion(mu, share, start, divisions):
    delta = mu * share
    if mu - delta == 1:
        return
    gates = kinetics_of(Upkeep(mu, delta), StrandState.STRAND)
    expected = start
    for _ in range(divisions):
        expected = mu * expected + delta * (1 - expected)
    found = trajectory(*double(gates.rate, gates.steady, start), torch.tensor([float(divisions)]).double())[0]
    assert float(found) == pytest.approx(expected, abs=1e-12)


@given(mu=st.floats(0.01, 1), share=st.floats(0, 1), start=fraction, divisions=st.integers(1, 20))
def test_divisions_of_a_duplex_keep_the_old_strand(mu, share, start, divisions):
    delta = mu * share
    if mu - delta == 1:
        return
    gates = kinetics_of(Upkeep(mu, delta), StrandState.DUPLEX)
    expected = start
    for _ in range(divisions):  # each daughter duplex: the old strand as it was, and its copy
        expected = (expected + mu * expected + delta * (1 - expected)) / 2
    found = trajectory(*double(gates.rate, gates.steady, start), torch.tensor([float(divisions)]).double())[0]
    assert float(found) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("state", list(StrandState))
def test_upkeep_and_kinetics_are_inverse(state):
    upkeep = Upkeep(0.96, 0.17)
    assert upkeep_of(kinetics_of(upkeep, state), state) == pytest.approx(upkeep, abs=1e-12)
    gates = kinetics_of(upkeep, state)
    columns = upkeep_columns(np.array([gates.rate]), np.array([gates.steady]), state)
    np.testing.assert_allclose(np.concatenate(columns), upkeep, atol=1e-12)


def test_fmr1_rests_at_four_fifths_and_forgets_half_in_three_divisions():
    gates = kinetics_of(Upkeep(0.96, 0.17), StrandState.STRAND)
    assert gates.steady == pytest.approx(0.17 / 0.21)
    assert half_life(gates.rate) == pytest.approx(math.log(0.5) / math.log(0.79))


def test_a_duplex_remembers_about_twice_as_long_as_a_strand():
    upkeep = Upkeep(1 - 1.47e-3, 3.48e-4)
    lives = {state: half_life(kinetics_of(upkeep, state).rate) for state in StrandState}
    assert lives[StrandState.DUPLEX] / lives[StrandState.STRAND] == pytest.approx(2, rel=0.002)


@pytest.mark.parametrize(("gain", "loss", "life"), [(3.48e-4, 1.47e-3, 381), (3.24e-4, 1.2e-5, 2063)])
def test_arabidopsis_half_lives_in_generations(gain, loss, life):
    """Published gain and loss a generation (van der Graaf et al. 2015): gene bodies, then transposons."""
    assert half_life(kinetics_of(Upkeep(1 - loss, gain), StrandState.STRAND).rate) == pytest.approx(life, abs=0.7)
    assert half_life(gain + loss) == pytest.approx(life, abs=0.5)


@pytest.mark.parametrize(
    ("upkeep", "state", "sentence"),
    [
        (Upkeep(0.1, 0.3), StrandState.STRAND, "mu 0.1 is below delta 0.3: new strands would swing"),
        (Upkeep(0.1, 0.3), StrandState.DUPLEX, "mu 0.1 is below delta 0.3: new strands would swing"),
        (Upkeep(0.3, 0.3), StrandState.STRAND, "mu and delta are both 0.3: a new strand then forgets all at once"),
        (Upkeep(1.0, 0.0), StrandState.STRAND, "keep every state for ever"),
        (Upkeep(1.2, 0.3), StrandState.STRAND, "mu 1.2 and delta 0.3 must lie between 0 and 1"),
    ],
)
def test_upkeep_outside_the_cell_is_refused_with_the_reason(upkeep, state, sentence):
    with pytest.raises(UsageError, match=sentence):
        kinetics_of(upkeep, state)


def test_duplex_that_forgets_more_than_half_is_refused_and_not_a_number_in_columns():
    with pytest.raises(UsageError, match="keeps its old strand"):
        upkeep_of(Kinetics(rate=1.0, steady=0.5), StrandState.DUPLEX)
    assert np.isnan(upkeep_columns(np.array([1.0]), np.array([0.5]), StrandState.DUPLEX)).all()


def test_half_life_of_a_state_that_never_moves_is_infinite():
    assert half_life(0.0) == math.inf
