"""The exponent of the whole state against a product of Jacobians, and against gates whose forgetting is known."""

import math

import numpy as np
import pytest
import torch

from genolstm.cells.fused import reference_cell
from genolstm.cells.memory import State
from genolstm.gates import lyapunov
from genolstm.gates.lyapunov import lyapunov_exponents
from genolstm.model import NextSymbolModel
from genolstm.settings.model import ModelSettings


def model_of(forget_bias="1", *, scale=1.0, hidden=6):
    model = NextSymbolModel(ModelSettings(hidden=hidden, forget_bias=forget_bias), seed=5).eval()
    with torch.no_grad():
        model.cells[0].kernel.weight_hh_l0.mul_(scale)
    return model


def measured(model, genome, stretches):
    return lyapunov_exponents(model, genome, stretches, np.random.default_rng(1))


def test_exponent_is_that_of_the_product_of_jacobians(genome_of, drawn_codes, stretches_of, monkeypatch):
    monkeypatch.setattr(lyapunov, "HEAD_START", 64)
    monkeypatch.setattr(lyapunov, "MEASURED", 512)
    codes, model = drawn_codes(1, 700), model_of(scale=2.0)
    genome = genome_of({"a": codes})
    found = measured(model, genome, stretches_of(genome))
    cell, table = reference_cell(model.cells[0]).double(), torch.eye(5, dtype=torch.float64)

    def step(both, code):
        hidden, last = cell(table[int(code)][None, None], State(both[None, :6], both[None, 6:]))
        del hidden
        return torch.cat([last.hidden[0], last.memory[0]])

    both, tangent, total = torch.zeros(12).double(), torch.randn(12).double(), 0.0
    begin = int(found.position[0]) - 64
    for place in range(begin, begin + 64 + 512):
        with torch.no_grad():
            tangent = torch.autograd.functional.jacobian(lambda now, code=codes[place]: step(now, code), both) @ tangent
            both = step(both, codes[place])
        total += math.log(float(tangent.norm())) if place >= begin + 64 else 0.0
        tangent /= tangent.norm()
    assert found.bases == 512
    assert found.exponent == pytest.approx([total / 512], rel=0.01)


def test_a_cell_without_a_recurrent_weight_forgets_by_its_forget_gate(genome_of, drawn_codes, stretches_of):
    model, genome = model_of("4", scale=0.0), genome_of({"a": drawn_codes(1, 12_000)})
    with torch.no_grad():
        model.cells[0].kernel.weight_ih_l0.zero_()
    found = measured(model, genome, stretches_of(genome))
    kernel = model.cells[0].kernel
    forget = torch.sigmoid((kernel.bias_ih_l0 + kernel.bias_hh_l0)[6:12]).max().item()
    assert found.exponent == pytest.approx(math.log(forget), rel=0.02)
    assert found.memory == pytest.approx(-1 / math.log(forget), rel=0.02)


def test_contigs_that_are_too_short_have_no_exponent(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 2_200)})
    assert measured(model_of(), genome, stretches_of(genome)) is None
