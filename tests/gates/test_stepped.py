"""Cells that keep their gates: states of the fused kernel, factors of the product that recomputes them."""

import pytest
import torch
from torch.testing import assert_close

from genolstm.cells.fused import FusedCell
from genolstm.cells.memory import State
from genolstm.gates.factors import FactorReader, Steps
from genolstm.gates.stepped import SteppedCell, stepped_cells
from genolstm.model import NextSymbolModel
from genolstm.settings.model import CellName, ModelSettings
from genolstm.settings.reading import StreamSettings
from genolstm.stream.reader import GenomeReader

UNITS, WIDTH = 7, 5
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-6}


def drawn(*shape, seed, dtype, scale=1.0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.fixture(params=list(TOLERANCE), ids=str)
def cells(request):
    """A cell whose gates saturate now and then, and the same one that keeps them."""
    fused = FusedCell(WIDTH, UNITS, CellName.LSTM).to(request.param).eval()
    with torch.no_grad():
        for seed, weight in enumerate(fused.parameters()):
            weight.copy_(drawn(*weight.shape, seed=seed, dtype=request.param, scale=2.0))
    return fused, SteppedCell(FactorReader(fused), WIDTH), request.param


@torch.inference_mode()
def test_states_and_factors_are_those_of_the_fused_kernel_and_its_recomputed_gates(cells):
    fused, stepped, dtype = cells
    close = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    twin = FactorReader(fused)
    for lanes, steps, seed in ((3, 11, 1), (4, 20, 2), (2, 5, 3)):  # what is kept grows, and is used again
        inputs = drawn(lanes, steps, WIDTH, seed=seed, dtype=dtype)
        state = None if seed == 1 else State(*drawn(2, lanes, UNITS, seed=seed + 9, dtype=dtype))
        before = torch.zeros(lanes, UNITS, dtype=dtype) if state is None else state.hidden.clone()
        given = None if state is None else State(*(part.clone() for part in state))
        (hidden, last), (found, ended) = fused(inputs, state), stepped(inputs, state)
        assert_close(found, hidden, **close)
        assert_close(ended, last, **close)
        if given is not None:
            assert_close(state, given, rtol=0, atol=0)  # the state that was given is left as it was
        shifted = torch.cat([before.unsqueeze(1), hidden[:, :-1]], dim=1)
        every = [(lane, step) for step in range(steps) for lane in range(lanes)]
        for places in (every, every[2:9], every[1::3], every[:1]):
            lane, step = map(torch.tensor, zip(*places, strict=True))
            told = stepped.factors_at(lane, step)
            true = twin.read(Steps(inputs[lane, step], shifted[lane, step], hidden[lane, step]))
            assert_close(told.values, true.values, **close)
            assert_close(told.log_forget, true.log_forget, **close)
            assert_close(stepped.hidden_at(lane, step), (shifted[lane, step], hidden[lane, step]), **close)


@pytest.mark.parametrize(
    ("cell", "settings"),
    [("gru", {}), ("rnn", {}), ("tied", {}), ("lstm", {"precision": "bf16"})],
)
def test_only_an_lstm_read_in_fp32_keeps_its_gates(request, tiny_genome, cell, settings):
    if settings:
        request.getfixturevalue("bf16")
    model = NextSymbolModel(ModelSettings(cell=cell, hidden=4), seed=1).eval()
    reader = GenomeReader(model, tiny_genome, StreamSettings(**settings))
    assert stepped_cells(reader, []) is None


def test_a_gpu_reads_with_its_own_kernel(tiny_genome, gpu):
    model = NextSymbolModel(ModelSettings(hidden=4), seed=1).eval().to(gpu.device)
    assert stepped_cells(GenomeReader(model, tiny_genome, StreamSettings()), []) is None
