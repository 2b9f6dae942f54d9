"""Reading in bf16: the same weights, close means, states in float32, and what is said about it."""

import logging

import pytest
import torch

from genolstm.bench.memory_check import speed_of_format
from genolstm.cli import terminal
from genolstm.model import NextSymbolModel
from genolstm.settings.model import ModelSettings, TrainableCell
from genolstm.settings.reading import SEAM_TOLERANCE, StreamSettings
from genolstm.settings.train import Precision
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import mean_bits


@pytest.fixture
def model():
    network = NextSymbolModel(ModelSettings(hidden=32, layers=2), seed=5).eval()
    with torch.no_grad():
        network.head.weight.mul_(8)
    return network


@pytest.mark.usefixtures("bf16")
@pytest.mark.parametrize("cell", list(TrainableCell))
def test_a_view_in_bf16_reads_as_bf16_weights_do(cell):
    model = NextSymbolModel(ModelSettings(hidden=32, cell=cell), seed=5).eval()
    rounded = NextSymbolModel(ModelSettings(hidden=32, cell=cell), seed=5).eval()
    with torch.no_grad():
        for weight in rounded.cells.parameters():
            weight.copy_(weight.bfloat16().float())
    codes = torch.randint(0, 4, (4, 40))
    with torch.inference_mode():
        coarse, fine, as_rounded = (
            each.forward(codes, each.initial_state(4)) for each in (model.read_in(Precision.BF16), model, rounded)
        )
        torch.testing.assert_close(coarse.logits, model.head(coarse.layers[0]), atol=1e-6, rtol=0)
    assert coarse.logits.dtype == coarse.state.hidden.dtype == coarse.layers[0].dtype == torch.float32
    assert not torch.equal(coarse.layers[0], fine.layers[0])
    torch.testing.assert_close(coarse.layers[0], as_rounded.layers[0], atol=0.02, rtol=0)


def test_a_model_stays_as_it_is_beside_its_view(model):
    codes = torch.randint(0, 4, (2, 30))
    with torch.inference_mode():
        before = model.forward(codes, model.initial_state(2)).logits
        view = model.read_in(Precision.BF16)
        assert view is not model
        assert view.read_in(Precision.BF16) is view
        assert model.read_in(Precision.FP32) is model
        assert torch.equal(model.forward(codes, model.initial_state(2)).logits, before)
        assert torch.equal(view.read_in(Precision.FP32).forward(codes, model.initial_state(2)).logits, before)
    assert [id(weight) for weight in view.parameters()] == [id(weight) for weight in model.parameters()]


@pytest.mark.usefixtures("bf16")
def test_means_in_bf16_are_those_in_fp32_to_a_few_thousandths(model, genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 20_000)})
    fine, coarse = (
        mean_bits(GenomeReader(model, genome, StreamSettings(precision=each, chunk=64)), stretches_of(genome))[0]
        for each in (Precision.FP32, "bf16")
    )
    assert fine != coarse
    assert coarse == pytest.approx(fine, abs=5e-3)


def test_a_format_leaves_seams_at_least_its_own_tolerance():
    assert StreamSettings().tolerance == SEAM_TOLERANCE[Precision.FP32]
    assert StreamSettings(tolerance=1e-7).tolerance == 1e-7
    assert StreamSettings(precision="bf16", tolerance=1e-7).tolerance == SEAM_TOLERANCE[Precision.BF16]
    assert StreamSettings(precision="bf16", tolerance=0.2).tolerance == 0.2
    assert SEAM_TOLERANCE.keys() == set(Precision)


@pytest.mark.usefixtures("bf16")
def test_a_format_that_is_slower_here_is_warned_of_with_the_slowdown(model, monkeypatch, caplog):
    caplog.set_level(logging.INFO, logger="genolstm")
    terminal.report_format(model)
    assert not caplog.records
    assert speed_of_format(model.read_in(Precision.BF16)) > 0
    for speed, level in ((0.25, logging.WARNING), (1.9, logging.INFO)):
        caplog.clear()
        monkeypatch.setattr("genolstm.bench.memory_check.speed_of_format", lambda _, speed=speed: speed)
        terminal.report_format(model.read_in(Precision.BF16))
        assert max(record.levelno for record in caplog.records) == level
        assert ("reading in bf16 is 4.0 times slower than in fp32" in caplog.text) == (speed < 1)
        caplog.clear()
        terminal.report_format(model.read_in(Precision.BF16), training=True)
        assert ("training in bf16 is 4.0 times slower than in fp32" in caplog.text) == (speed < 1) == bool(caplog.text)
