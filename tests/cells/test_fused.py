"""The fused kernels against torch.nn itself, the readable twin, and stacks of torch.nn through the model."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genolstm.cells.fused import KERNELS, FusedCell, reference_cell
from genolstm.cells.memory import State
from genolstm.model import NextSymbolModel
from genolstm.settings.model import CellName, ModelSettings

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-4}
TF32 = 1e-2  # a GPU may multiply float32 with 10 bits of mantissa


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def fused_cell(name, n_in, n_units, dtype, device, seed=0):
    cell = FusedCell(n_in, n_units, name)
    reference_cell(cell).initialise(torch.Generator().manual_seed(seed))
    return cell.to(device, dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", list(KERNELS))
@settings(max_examples=8)
@given(
    n_in=st.integers(1, 6),
    n_units=st.integers(1, 9),
    lanes=st.integers(1, 4),
    length=st.integers(1, 10),
    seed=st.integers(0, 999),
)
def test_fused_cell_equals_its_readable_twin_in_values_and_gradients(
    device, name, dtype, n_in, n_units, lanes, length, seed
):
    cell = fused_cell(name, n_in, n_units, dtype, device, seed)
    twin = reference_cell(cell)
    results = []
    for path in (cell, twin):
        inputs = drawn(lanes, length, n_in, seed=seed).to(device, dtype).requires_grad_()
        memory = drawn(lanes, n_units, seed=seed + 1).to(device, dtype)
        start = memory.clone().requires_grad_()
        shown = torch.tanh(start) if name is CellName.LSTM else start
        hidden, last = path(inputs, State(shown, start))
        (hidden.square().sum() + last.memory.sum()).backward()
        # the twin shares the weights, so that both leave their gradients in one place
        gradients = [weight.grad.clone() for weight in cell.parameters()]
        cell.zero_grad()
        results.append([hidden, *last, inputs.grad, start.grad, *gradients])
    tolerance = TF32 if device.type == "cuda" and dtype is torch.float32 else TOLERANCE[dtype]
    for fast, slow in zip(*results, strict=True):
        torch.testing.assert_close(fast, slow, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", list(KERNELS))
def test_fused_cell_without_a_state_starts_from_zeros(device, name):
    cell = fused_cell(name, 3, 4, torch.float64, device)
    inputs = drawn(2, 6, 3).to(device)
    empty = torch.zeros(2, 4, dtype=torch.float64, device=device)
    torch.testing.assert_close(cell(inputs), cell(inputs, State(empty, empty)), rtol=0, atol=0)


@pytest.mark.parametrize("name", list(KERNELS))
def test_fused_state_carried_across_chunks_changes_nothing(device, name):
    cell = fused_cell(name, 3, 4, torch.float64, device)
    inputs = drawn(2, 20, 3).to(device)
    whole, last = cell(inputs)
    first, between = cell(inputs[:, :7])
    second, carried = cell(inputs[:, 7:], between)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole, rtol=0, atol=1e-14)
    torch.testing.assert_close(tuple(carried), tuple(last), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", list(KERNELS))
def test_a_change_to_the_twin_is_a_change_to_the_cell(name):
    cell = fused_cell(name, 3, 4, torch.float64, "cpu")
    twin, inputs = reference_cell(cell), drawn(2, 5, 3)
    with torch.no_grad():
        twin.weight_hh.mul_(3)
        twin.bias_ih.add_(1)
    torch.testing.assert_close(cell(inputs)[0], twin(inputs)[0], rtol=0, atol=1e-14)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", list(KERNELS))
def test_model_equals_a_stack_of_torch_nn_in_values_and_gradients(device, name, layers):
    model = NextSymbolModel(ModelSettings(cell=name, layers=layers, hidden=6), seed=3).to(device).double()
    stack = KERNELS[name](5, 6, num_layers=layers, batch_first=True).to(device).double()
    with torch.no_grad():
        for place, cell in enumerate(model.cells):
            for weight in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(stack, f"{weight}_l{place}").copy_(getattr(cell.kernel, f"{weight}_l0"))
    codes = torch.randint(0, 5, (3, 12), generator=torch.Generator().manual_seed(1)).to(device)
    start = State(*(drawn(layers, 3, 6, seed=seed).to(device) for seed in (1, 2)))
    reading = model.forward(codes, start)
    carried = tuple(start) if name is CellName.LSTM else start.hidden
    theirs, _ = stack(torch.nn.functional.one_hot(codes, 5).double(), carried)
    torch.testing.assert_close(reading.layers[-1], theirs, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(reading.logits, theirs @ model.head.weight.T + model.head.bias, rtol=1e-12, atol=1e-12)
    reading.layers[-1].square().sum().backward()
    theirs.square().sum().backward()
    for place, cell in enumerate(model.cells):
        for weight in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            mine, oracle = getattr(cell.kernel, f"{weight}_l0").grad, getattr(stack, f"{weight}_l{place}").grad
            torch.testing.assert_close(mine, oracle, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", list(KERNELS))
def test_inputs_filled_up_with_zeros_change_no_bit_of_values_or_gradients(name):
    torch.manual_seed(1)
    cell = FusedCell(5, 128, name)
    symbols = torch.eye(5)[torch.randint(0, 5, (8, 40))]
    state = State(torch.randn(8, 128), torch.randn(8, 128))
    found = []
    for read in (cell.forward, cell.padded):
        cell.zero_grad()
        hidden, last = read(symbols, state)
        (hidden * hidden).sum().backward()
        found.append([hidden, *last, *(weight.grad.clone() for weight in cell.parameters())])
    assert len(found[0]) == 7
    for place, (one, other) in enumerate(zip(*found, strict=True)):
        if place == 3 and name is not CellName.LSTM:  # of W_ih, where the CPU's product sums symbols in another order
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6 * float(one.abs().max()))
        else:
            assert torch.equal(one, other)


def test_in_float16_on_cuda_cudnns_fastest_kernel_is_given_the_widths_that_it_takes(gpu):
    seen = []
    with torch.no_grad(), torch.autocast("cuda", dtype=torch.float16):
        for n_in, n_units in ((5, 128), (5, 100), (128, 128)):
            cell = FusedCell(n_in, n_units, CellName.LSTM).to(gpu.device)
            zeros = torch.zeros(2, n_units, device=gpu.device)
            gpu.widths.clear()
            cell(torch.zeros(2, 3, n_in, device=gpu.device), State(zeros, zeros))
            seen += gpu.widths
    assert seen == [128, 5, 128]
