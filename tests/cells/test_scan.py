"""The scan over all steps at once against the cell stepped in Python."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genolstm.cells.memory import MemoryCell, State
from genolstm.cells.rules import FAMILY
from genolstm.cells.scan import scan
from genolstm.settings.model import CellName


@pytest.mark.parametrize("name", [CellName.EBBINGHAUS, CellName.VOLATILITY, CellName.GARCH])
@settings(max_examples=8)
@given(length=st.integers(1, 40), units=st.integers(1, 3), seed=st.integers(0, 2**20))
def test_scan_gives_the_stepped_cells_memory_and_gradients(name, length, units, seed):
    generator = torch.Generator().manual_seed(seed)
    cell = MemoryCell(units + 2, units, FAMILY[name]).double()
    cell.initialise(generator)
    if cell.rules.projections:
        with torch.no_grad():
            cell.weight_hh.zero_()  # gates that look at the state cannot be had all at once
    inputs = torch.randn(2, length, units + 2, generator=generator, dtype=torch.float64, requires_grad=True)
    before = torch.randn(2, units, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, length, units, generator=generator, dtype=torch.float64)
    wanted = [inputs, before, *(p for name, p in cell.named_parameters() if name != "weight_hh")]
    stepped, _ = cell(inputs, State(before, before))
    at_once = scan(cell.gates(inputs, torch.zeros_like(stepped)), before)
    torch.testing.assert_close(at_once, stepped, rtol=1e-12, atol=1e-13)
    for fast, slow in zip(
        torch.autograd.grad((at_once * weight).sum(), wanted),
        torch.autograd.grad((stepped * weight).sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(fast, slow, rtol=1e-10, atol=1e-11)
