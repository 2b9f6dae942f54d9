"""What the device allows: counts of products, and rates of products and bytes."""

import pytest
import torch

from genolstm.bench import bounds
from genolstm.bench.bounds import matrix_bound, product_flops, reading_bound, writing_bound
from genolstm.model import NextSymbolModel
from genolstm.settings.model import ModelSettings
from genolstm.settings.train import Precision

CPU = torch.device("cpu")


@pytest.fixture
def rates(monkeypatch):
    """Let a step's product run at 1,000 FLOP/s and a large one at 10,000; gives the products asked for."""
    asked = []

    def rate(rows, inner, columns, dtype, _device):
        asked.append((rows, inner, columns, dtype))
        return 10_000.0 if rows == bounds.LARGE_CPU else 1_000.0

    monkeypatch.setattr(bounds, "product_flops", rate)
    return asked


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3), ("rnn", 1)])
@pytest.mark.parametrize("training", [False, True])
def test_bound_is_the_sum_of_products_in_sequence_and_at_once(rates, cell, gates, training):
    network = NextSymbolModel(ModelSettings(cell=cell, hidden=8, layers=2), seed=0)
    bound = matrix_bound(network, 4, Precision.FP32, training=training, device=CPU)
    recurrent, others = 2 * gates * 8 * 8, gates * 8 * (5 + 8) + 8 * 4
    total = 2 * (recurrent + others) * (3 if training else 1)
    in_sequence = 2 * recurrent * (2 if training else 1)
    assert bound.flops == total
    assert bound.rate == pytest.approx(1 / (in_sequence / 1_000 + (total - in_sequence) / 10_000))
    assert bound.peaks == {"fp32": 10_000.0}
    assert rates[0] == (4, 8, gates * 8, torch.float32)


def test_products_are_of_the_precision_asked_for(rates):
    network = NextSymbolModel(ModelSettings(hidden=8), seed=0)
    assert matrix_bound(network, 4, Precision.BF16, training=True, device=CPU).peaks == {"bf16": 10_000.0}
    assert {dtype for *_, dtype in rates} == {torch.bfloat16}


@pytest.mark.gpu
def test_on_a_gpu_the_fp16_peak_stands_beside_that_of_the_kernels():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    cuda = torch.device("cuda")
    network = NextSymbolModel(ModelSettings(hidden=128), seed=0).to(cuda)
    bound = matrix_bound(network, 64, Precision.FP32, training=True, device=cuda)
    assert bound.peaks.keys() == {"fp32", "fp16"}


def test_rate_of_a_product_is_its_multiplications_and_additions_over_its_time(monkeypatch):
    # each look at the clock is a second on, and each measurement looks twice
    ticks = iter(range(1000))
    monkeypatch.setattr(bounds.time, "perf_counter", lambda: next(ticks))
    assert product_flops(3, 5, 7, torch.float32, CPU) == 2 * 3 * 5 * 7
    assert next(ticks) == 4  # so slow a product is made no more than twice


def test_bound_of_reading_is_of_the_whole_file(monkeypatch, tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"x" * 5000)
    ticks = iter(range(1000))
    monkeypatch.setattr(bounds.time, "perf_counter", lambda: next(ticks))
    assert reading_bound(path, 700).rate == 700


def test_bound_of_writing_leaves_nothing_behind(monkeypatch, tmp_path):
    sizes = []
    monkeypatch.setattr(bounds.os, "fsync", lambda descriptor: sizes.append(bounds.os.fstat(descriptor).st_size))
    assert writing_bound(tmp_path, 3 * bounds.BLOCK_BYTES + 5).rate > 0
    assert set(sizes) == {3 * bounds.BLOCK_BYTES + 5}
    assert not list(tmp_path.iterdir())
