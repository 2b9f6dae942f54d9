"""The readable recurrence against torch.nn, a plain NumPy loop of every row, closed forms and bounds."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from genolstm.cells.initial import nominal_half_life
from genolstm.cells.memory import Gates, MemoryCell, State, hold, remember, show
from genolstm.cells.rules import FAMILY, Candidate, Forget, Read, Rules, Write
from genolstm.settings.model import CellName

ORACLES = {CellName.LSTM: nn.LSTM, CellName.GRU: nn.GRU, CellName.RNN: nn.RNN}
TIED_ROWS = [name for name, rules in FAMILY.items() if rules.write is Write.TIED]
EXACT = {torch.float64: 1e-12, torch.float32: 1e-4}
TF32 = 1e-2  # a GPU may multiply float32 with 10 bits of mantissa
SHAPES = {
    "n_in": st.integers(1, 6),
    "n_units": st.integers(1, 7),
    "lanes": st.integers(1, 4),
    "length": st.integers(1, 9),
    "seed": st.integers(0, 2**20),
}


def generator(seed):
    return torch.Generator().manual_seed(seed)


def cell_of(name, n_in, n_units, *, seed=0, dtype=torch.float64, device="cpu"):
    cell = MemoryCell(n_in, n_units, FAMILY[name])
    cell.initialise(generator(seed))
    return cell.to(device, dtype)


def drawn(*shape, seed=0, dtype=torch.float64, device="cpu"):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64).to(device, dtype)


def state_of(cell, lanes, *, seed=7):
    """A state that the cell could have been in: h = c where it shows its memory."""
    like = next(cell.parameters())
    memory = torch.rand(lanes, cell.n_units, generator=generator(seed), dtype=torch.float64).to(like)
    return State(torch.tanh(memory) / 2 if cell.rules.read is Read.GATED else memory, memory)


def check_against_torch(name, n_in, n_units, lanes, length, seed, dtype, device):
    cell = cell_of(name, n_in, n_units, seed=seed, dtype=dtype, device=device)
    oracle = ORACLES[name](n_in, n_units, batch_first=True).to(device, dtype)
    with torch.no_grad():
        for weight, value in cell.named_parameters():
            getattr(oracle, f"{weight}_l0").copy_(value)
    state = state_of(cell, lanes)
    starts = [part.clone().requires_grad_() for part in state]
    oracle_starts = [part.clone().requires_grad_() for part in state]
    inputs, oracle_inputs = (
        drawn(lanes, length, n_in, seed=seed + 1, dtype=dtype, device=device).requires_grad_() for _ in range(2)
    )
    if name is CellName.LSTM:
        hidden, last = cell(inputs, State(*starts))
        oracle_hidden, (oracle_last, oracle_memory) = oracle(
            oracle_inputs, tuple(s.unsqueeze(0) for s in oracle_starts)
        )
    else:  # one tensor is both h and c
        hidden, last = cell(inputs, State(starts[0], starts[0]))
        oracle_hidden, oracle_last = oracle(oracle_inputs, oracle_starts[0].unsqueeze(0))
        oracle_memory = oracle_last
    pull = drawn(lanes, length, n_units, seed=seed + 2, dtype=dtype, device=device)
    (torch.sum(hidden * pull) + 3 * last.memory.sum()).backward()
    (torch.sum(oracle_hidden * pull) + 3 * oracle_memory.sum()).backward()
    pairs = [(hidden, oracle_hidden), (last.hidden, oracle_last[0]), (last.memory, oracle_memory[0])]
    pairs += [(weight.grad, getattr(oracle, f"{key}_l0").grad) for key, weight in cell.named_parameters()]
    pairs += [(inputs.grad, oracle_inputs.grad), (starts[0].grad, oracle_starts[0].grad)]
    if name is CellName.LSTM:
        pairs.append((starts[1].grad, oracle_starts[1].grad))
    tolerance = TF32 if device.type == "cuda" and dtype is torch.float32 else EXACT[dtype]
    for mine, theirs in pairs:
        torch.testing.assert_close(mine, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@settings(max_examples=12)
@given(**SHAPES)
def test_lstm_equals_torch_lstm_values_and_gradients(device, dtype, n_in, n_units, lanes, length, seed):
    check_against_torch(CellName.LSTM, n_in, n_units, lanes, length, seed, dtype, device)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@settings(max_examples=12)
@given(**SHAPES)
def test_gru_equals_torch_gru_values_and_gradients(device, dtype, n_in, n_units, lanes, length, seed):
    check_against_torch(CellName.GRU, n_in, n_units, lanes, length, seed, dtype, device)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@settings(max_examples=12)
@given(**SHAPES)
def test_rnn_equals_torch_rnn_values_and_gradients(device, dtype, n_in, n_units, lanes, length, seed):
    check_against_torch(CellName.RNN, n_in, n_units, lanes, length, seed, dtype, device)


def plain_loop(name, cell, inputs, state):
    """Hidden states of one row of the family, as its line of the table reads; NumPy, one lane at a time."""
    h, c = (part.numpy().copy() for part in state)
    weights = {key: value.detach().numpy() for key, value in cell.named_parameters()}
    n = cell.n_units

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    def pre(place, x, h, *, scale=1.0):
        rows = slice(place * n, (place + 1) * n)
        from_h = h @ weights["weight_hh"][rows].T + weights["bias_hh"][rows]
        return x @ weights["weight_ih"][rows].T + weights["bias_ih"][rows] + scale * from_h

    shown = []
    for x in inputs.numpy().swapaxes(0, 1):
        if name is CellName.RNN:
            h = c = np.tanh(pre(0, x, h))
        elif name is CellName.LSTM:
            c = sigmoid(pre(1, x, h)) * c + sigmoid(pre(0, x, h)) * np.tanh(pre(2, x, h))
            h = sigmoid(pre(3, x, h)) * np.tanh(c)
        elif name is CellName.GRU:
            f = sigmoid(pre(1, x, h))
            h = c = f * c + (1 - f) * np.tanh(pre(2, x, h, scale=sigmoid(pre(0, x, h))))
        elif name is CellName.TIED:
            f = sigmoid(pre(0, x, h))
            c = f * c + (1 - f) * np.tanh(pre(1, x, h))
            h = sigmoid(pre(2, x, h)) * np.tanh(c)
        elif name is CellName.METHYLATION:
            f = sigmoid(pre(0, x, h))
            h = c = f * c + (1 - f) * sigmoid(pre(1, x, h))
        elif name is CellName.EBBINGHAUS:
            f = np.exp(-1 / np.exp(weights["log_tau"]))
            h = c = f * c + (1 - f) * x[:, :n]
        elif name is CellName.GARCH:
            h = c = sigmoid(pre(1, x, h)) * c + sigmoid(pre(0, x, h)) * x[:, :n]
        else:
            f = sigmoid(pre(0, x, h))
            h = c = f * c + (1 - f) * x[:, :n]
        shown.append(h)
    return np.stack(shown, axis=1), h, c


@pytest.mark.parametrize("name", list(CellName))
def test_every_row_is_what_its_line_of_the_table_says(name):
    cell = cell_of(name, 5, 3, seed=2)
    state, inputs = state_of(cell, 2), drawn(2, 11, 5)
    hidden, last = cell(inputs, state)
    for mine, plain in zip((hidden, *last), plain_loop(name, cell, inputs, state), strict=True):
        np.testing.assert_allclose(mine.detach().numpy(), plain, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", list(CellName))
@settings(max_examples=6)
@given(length=st.integers(2, 12), seed=st.integers(0, 2**20), data=st.data())
def test_carrying_state_across_chunks_changes_nothing(device, name, length, seed, data):
    cut = data.draw(st.integers(1, length - 1))
    cell = cell_of(name, 4, 3, seed=seed, device=device)
    inputs = drawn(2, length, 4, seed=seed, device=device)
    whole, last = cell(inputs, state_of(cell, 2))
    first, between = cell(inputs[:, :cut], state_of(cell, 2))
    second, carried = cell(inputs[:, cut:], between)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole, rtol=0, atol=1e-14)
    torch.testing.assert_close(tuple(carried), tuple(last), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", list(CellName))
def test_no_state_is_a_state_of_zeros(name):
    cell, inputs = cell_of(name, 4, 3), drawn(2, 5, 4)
    empty = torch.zeros(2, 3, dtype=torch.float64)
    torch.testing.assert_close(cell(inputs), cell(inputs, State(empty, empty)), rtol=0, atol=0)


@pytest.mark.parametrize("name", TIED_ROWS)
def test_subdividing_a_time_step_changes_nothing_while_the_gates_are_constant(device, name):
    cell = cell_of(name, 4, 3, device=device)
    if cell.rules.projections:
        cell.weight_hh.data.zero_()  # gates then depend on the input alone
    inputs, state = drawn(2, 4, 4, device=device), state_of(cell, 2)
    long_steps = torch.tensor([[2.0, 0.5, 7.0, 1.0]] * 2, dtype=torch.float64, device=device)
    _, whole = cell(inputs, state, long_steps)
    halves, half_steps = inputs.repeat_interleave(2, dim=1), long_steps.repeat_interleave(2, dim=1) / 2
    _, divided = cell(halves, state, half_steps)
    torch.testing.assert_close(tuple(divided), tuple(whole), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", TIED_ROWS)
def test_time_steps_of_one_are_steps(name):
    cell, inputs = cell_of(name, 4, 3), drawn(2, 6, 4)
    with_ones = cell(inputs, None, torch.ones(2, 6, dtype=torch.float64))[0]
    torch.testing.assert_close(with_ones, cell(inputs)[0], rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("name", TIED_ROWS)
def test_a_time_step_of_nothing_leaves_the_memory_as_it_is(name):
    cell, inputs = cell_of(name, 4, 3), drawn(2, 1, 4)
    state = state_of(cell, 2)
    _, after = cell(inputs, state, torch.zeros(2, 1, dtype=torch.float64))
    torch.testing.assert_close(after.memory, state.memory, rtol=0, atol=0)


@pytest.mark.parametrize("name", [CellName.LSTM, CellName.RNN])
def test_time_steps_are_refused_by_cells_that_are_not_tied(name):
    with pytest.raises(ValueError, match="time steps of any length need a tied cell"):
        cell_of(name, 4, 3)(drawn(2, 5, 4), None, torch.ones(2, 5, dtype=torch.float64))


def shaken(name, seed, device, dtype=torch.float32):
    """A cell with weights times 50, and inputs times 100."""
    cell = cell_of(name, 6, 16, seed=seed, dtype=dtype, device=device)
    with torch.no_grad():
        for weight in cell.parameters():
            weight.mul_(50)
    return cell, 100 * drawn(8, 300, 6, seed=seed, dtype=dtype, device=device)


@pytest.mark.parametrize("scale", [1, 1e-3])  # saturated gates, and gates in between
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_methylation_state_never_leaves_the_unit_interval(device, dtype, scale):
    for seed in range(4):
        cell, inputs = shaken(CellName.METHYLATION, seed, device, dtype)
        start = torch.rand(8, 16, generator=generator(seed)).to(device, dtype)
        start[:2], start[2:4] = 0, 1
        hidden, last = cell(inputs * scale, State(start, start))
        outside = (hidden < 0) | (hidden > 1) | ~hidden.isfinite()
        assert int(outside.sum()) == 0
        assert torch.equal(last.hidden, last.memory)


@pytest.mark.parametrize("scale", [1, 1e-3])
def test_tied_memory_never_leaves_minus_one_to_one(device, scale):
    for seed in range(4):
        cell, inputs = shaken(CellName.TIED, seed, device)
        state = cell.initial_state(8)
        for step in range(inputs.shape[1]):
            _, state = cell(scale * inputs[:, step : step + 1], state)
            assert int((state.memory.abs() > 1).sum()) == 0


def test_a_tied_update_lies_between_memory_and_candidate():
    forget, memory, candidate = (
        torch.rand(200_000, generator=generator(seed)) ** power for seed, power in ((1, 0.1), (2, 3.0), (3, 0.01))
    )
    after = remember(memory, Gates(forget, 1 - forget, candidate, None), FAMILY[CellName.METHYLATION])
    assert bool((after >= torch.minimum(memory, candidate)).all())
    assert bool((after <= torch.maximum(memory, candidate)).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_fixed_point_stays_fixed_to_the_last_bit(device, dtype):
    cell = cell_of(CellName.METHYLATION, 3, 32, seed=5, dtype=dtype, device=device)
    rows = slice(32, 64)  # of the candidate: it must not see the input, while the forget gate does
    cell.weight_ih.data[rows], cell.weight_hh.data[rows] = 0, 0
    inputs = 4 * drawn(5, 200, 3, dtype=dtype, device=device)
    fixed = cell.gates(inputs, torch.zeros(5, 200, 32, dtype=dtype, device=device)).candidate[:, 0]
    hidden, _ = cell(inputs, State(fixed, fixed))
    assert torch.equal(hidden, fixed.unsqueeze(1).expand_as(hidden))


@pytest.mark.parametrize("steps", [1, 10, 1000])
def test_ebbinghaus_retention_after_n_steps_is_exp_of_minus_n_over_tau(device, steps):
    cell = cell_of(CellName.EBBINGHAUS, 4, 4, device=device)
    tau = torch.tensor([0.5, 3.0, 40.0, 1000.0], dtype=torch.float64, device=device)
    cell.log_tau.data.copy_(tau.log())
    learned = torch.ones(1, 4, dtype=torch.float64, device=device)
    _, last = cell(torch.zeros(1, steps, 4, dtype=torch.float64, device=device), State(learned, learned))
    torch.testing.assert_close(last.memory[0], torch.exp(-steps / tau), rtol=1e-11, atol=0)


def test_ebbinghaus_retention_over_uneven_times_depends_on_their_sum():
    cell = cell_of(CellName.EBBINGHAUS, 2, 2)
    learned, times = torch.ones(1, 2, dtype=torch.float64), torch.tensor([[0.1, 3.0, 0.0, 11.5]], dtype=torch.float64)
    _, last = cell(torch.zeros(1, 4, 2, dtype=torch.float64), State(learned, learned), times)
    torch.testing.assert_close(last.memory[0], torch.exp(-times.sum() / cell.log_tau.exp()), rtol=1e-13, atol=0)


def test_constant_forget_on_squares_is_riskmetrics():
    decay = 0.94  # RiskMetrics' own, for daily returns (J.P. Morgan 1996)
    returns = np.random.default_rng(3).standard_t(5, 500)
    cell = cell_of(CellName.VOLATILITY, 1, 1)
    for weight in cell.parameters():
        weight.data.zero_()
    cell.bias_ih.data.fill_(math.log(decay / (1 - decay)))
    start = torch.tensor([[returns.var()]])
    hidden, _ = cell(torch.from_numpy(returns**2).view(1, -1, 1), State(start, start))
    variance, plain = returns.var(), []
    for r in returns:
        variance = decay * variance + (1 - decay) * r * r
        plain.append(variance)
    np.testing.assert_allclose(hidden.detach().numpy().ravel(), plain, rtol=1e-13)


def test_remember_with_free_gates_is_garch():
    omega, alpha, beta = 0.05, 0.08, 0.9  # Bollerslev 1986, eq. 5 with p = q = 1
    returns = np.random.default_rng(4).standard_normal(300)
    rules = Rules(forget=Forget.GATE, write=Write.GATE, candidate=Candidate.INPUT, read=Read.STATE)
    memory, variance = torch.ones((), dtype=torch.float64), 1.0
    forget, write = (torch.tensor(value, dtype=torch.float64) for value in (beta, alpha))
    for r in returns:
        candidate = torch.tensor(r * r + omega / alpha, dtype=torch.float64)
        memory = remember(memory, Gates(forget, write, candidate, None), rules)
        variance = beta * variance + omega + alpha * r * r
        assert float(memory) == pytest.approx(variance, rel=1e-15)


@pytest.mark.parametrize(("bias", "half_life"), [(0, 1), (1, 2.21), (2, 5.46), (3, 14.27), (5, 103.2)])
def test_half_life_of_constant_gate_is_ln2_over_minus_ln_f(bias, half_life):
    assert nominal_half_life(bias) == pytest.approx(half_life, rel=2e-3)
    forget = 1 / (1 + math.exp(-bias))
    assert nominal_half_life(bias) == pytest.approx(math.log(2) / -math.log(forget), rel=1e-12)
    assert forget ** nominal_half_life(bias) == pytest.approx(0.5, rel=1e-12)


def test_half_life_of_extreme_biases_is_finite_or_infinite_but_never_an_error():
    assert nominal_half_life(-1000) == pytest.approx(math.log(2) / 1000)
    assert nominal_half_life(30) == pytest.approx(math.log(2) * math.exp(30), rel=1e-9)
    assert nominal_half_life(1000) == math.inf


def test_a_memory_behind_a_constant_gate_halves_at_its_half_life():
    cell = cell_of(CellName.VOLATILITY, 1, 1)
    for weight in cell.parameters():
        weight.data.zero_()
    cell.bias_ih.data.fill_(3)
    one = torch.ones(1, 1, dtype=torch.float64)
    half_life = torch.tensor([[nominal_half_life(3)]], dtype=torch.float64)
    _, last = cell(torch.zeros(1, 1, 1, dtype=torch.float64), State(one, one), half_life)
    assert last.memory.item() == pytest.approx(0.5, rel=1e-13)


def test_a_gated_read_shows_o_times_tanh_c():
    memory, read = drawn(4, seed=1), torch.rand(4, generator=generator(1), dtype=torch.float64)
    gates = Gates(read, read, read, read)
    torch.testing.assert_close(show(memory, gates), read * torch.tanh(memory))
    assert show(memory, gates._replace(read=None)) is memory


@pytest.mark.parametrize("name", [CellName.EBBINGHAUS, CellName.VOLATILITY])
def test_a_cell_that_stores_its_input_needs_as_many_inputs_as_units(name):
    with pytest.raises(ValueError, match="needs 4 inputs at least, not 3"):
        MemoryCell(3, 4, FAMILY[name])


@pytest.mark.parametrize("name", list(CellName))
def test_gates_of_many_steps_at_once_are_those_of_each_step(name):
    cell, inputs, hidden = cell_of(name, 4, 3), drawn(2, 6, 4), drawn(2, 6, 3, seed=1)
    at_once = cell.gates(inputs, hidden)
    for step in range(6):
        single = cell.gates(inputs[:, step], hidden[:, step])
        for many, one in zip(at_once, single, strict=True):
            if one is None:
                assert many is None
            else:
                torch.testing.assert_close(many[:, step], one, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", TIED_ROWS)
def test_tied_gates_write_what_they_forget(name):
    gates = cell_of(name, 4, 3).gates(drawn(2, 6, 4), drawn(2, 6, 3))
    torch.testing.assert_close(gates.forget + gates.write, torch.ones_like(gates.forget))


HOLDABLE = [(CellName.LSTM, gate) for gate in ("write", "forget", "read")] + [(CellName.TIED, "forget")]


@pytest.mark.parametrize(("name", "gate"), HOLDABLE)
def test_a_held_gate_is_what_a_saturated_one_comes_to(name, gate):
    cell, inputs = cell_of(name, 4, 3, seed=3), drawn(2, 9, 4)
    held, _ = cell(inputs, held={gate: 1.0})
    place = FAMILY[name].projections.index(gate)
    with torch.no_grad():
        cell.weight_ih[3 * place : 3 * place + 3] = 0
        cell.weight_hh[3 * place : 3 * place + 3] = 0
        cell.bias_ih[3 * place : 3 * place + 3] = 60.0  # sigmoid(60) is 1 - 1e-26
    torch.testing.assert_close(held, cell(inputs)[0], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "gate"),
    [(CellName.TIED, "write"), (CellName.GRU, "read"), (CellName.LSTM, "candidate")],
)
def test_a_gate_that_is_not_there_cannot_be_held(name, gate):
    with pytest.raises(ValueError, match="to hold"):
        cell_of(name, 4, 3)(drawn(2, 5, 4), held={gate: 0.0})


def test_what_a_tied_cell_is_held_from_forgetting_it_does_not_write():
    one = torch.ones(2, 3, dtype=torch.float64)
    held = hold(Gates(0.5 * one, 0.5 * one, one, one), {"forget": 0.25}, FAMILY[CellName.TIED])
    assert (held.forget == 0.25).all()
    assert (held.write == 0.75).all()
    assert held.candidate is not None
