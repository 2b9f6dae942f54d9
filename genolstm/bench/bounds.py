"""What the device allows: its rate of matrix products, and of bytes, measured in the same call as a part."""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from genolstm.alphabet import DNA
from genolstm.bench.timing import Bound
from genolstm.devices import float32_products
from genolstm.model import NextSymbolModel
from genolstm.settings.model import ModelSettings
from genolstm.settings.train import Precision

FORMATS = {
    Precision.FP32: torch.float32,
    Precision.TF32: torch.float32,
    Precision.BF16: torch.bfloat16,
    Precision.FP16: torch.float16,
}
LARGE_CPU, LARGE_GPU = 1024, 8192  # rows and columns of a product that nothing holds up
MEASURED_SECONDS, REPEATS = 0.05, 5
BLOCK_BYTES = 1 << 20
FORWARD, FORWARD_AND_BACKWARD = 1, 3  # products with a weight: also by its inputs' and by its own gradient


def bare_kernel(model: ModelSettings, device: torch.device) -> torch.nn.RNNBase:
    """Recurrent layers of torch.nn, of the shape of a model of DNA."""
    kinds: dict[str, Callable[..., torch.nn.RNNBase]] = {
        "lstm": torch.nn.LSTM,
        "gru": torch.nn.GRU,
        "rnn": torch.nn.RNN,
    }
    return kinds[model.cell](DNA.n_symbols, model.hidden, num_layers=model.layers, batch_first=True).to(device)


def matrix_bound(
    model: NextSymbolModel, lanes: int, precision: Precision, *, training: bool, device: torch.device
) -> Bound:
    """Bases a second, were there nothing but a network's matrix products.

    A base costs 2 FLOP (multiply, add) for each number of each weight matrix, and three times that in training: the
    backward pass multiplies by the weight once for the gradient of the inputs and once for that of the weight
    (Kaplan 2020, section 2.1). Products with the recurrent weights [H, G H] wait for one another: forward, and
    backward for the gradient of the state, they are made step by step for `lanes` rows, at the rate of
    [lanes, H] x [H, G H]. All others can be made for a whole chunk at once, at the rate of a large product. So the
    seconds a base takes are (sequential FLOP) / (rate of the step's product) + (other FLOP) / (rate of a large one).
    What is done element by element - gates, softmax, optimiser - is left out.
    """
    matrices = {name: weight for name, weight in model.named_parameters() if weight.dim() > 1}
    recurrent = [weight for name, weight in matrices.items() if "weight_hh" in name]  # [G H, H]
    total = 2.0 * sum(weight.numel() for weight in matrices.values()) * (FORWARD_AND_BACKWARD if training else FORWARD)
    sequential = 2.0 * sum(weight.numel() for weight in recurrent) * (2 if training else 1)
    rows, units = recurrent[0].shape
    side = LARGE_CPU if device.type == "cpu" else LARGE_GPU
    with float32_products(precision):
        step = product_flops(lanes, units, rows, FORMATS[precision], device)
        # a small product may be the faster one, from a cache
        large = max(step, product_flops(side, side, side, FORMATS[precision], device))
    peaks = {precision.value: large}
    if device.type == "cuda" and precision is not Precision.FP16:
        peaks[Precision.FP16] = product_flops(side, side, side, torch.float16, device)
    return Bound(
        name=f"{precision} matrix products, [{lanes}, {units}] x [{units}, {rows}] at each step",
        rate=1 / (sequential / step + (total - sequential) / large),
        flops=total,
        peaks=peaks,
    )


def product_flops(rows: int, inner: int, columns: int, dtype: torch.dtype, device: torch.device) -> float:
    """FLOP/s of [rows, inner] x [inner, columns], the best of a few repeats: a bound is not to be held up by others."""
    one = torch.randn(rows, inner, device=device).to(dtype)
    other = torch.randn(inner, columns, device=device).to(dtype)
    answer = torch.empty(rows, columns, dtype=dtype, device=device)

    def multiply(times: int) -> float:
        _wait(device)
        began = time.perf_counter()
        with torch.inference_mode():
            for _ in range(times):
                torch.mm(one, other, out=answer)
        _wait(device)
        return time.perf_counter() - began

    multiply(1)
    once = max(multiply(1), 1e-9)
    times = max(1, round(MEASURED_SECONDS / REPEATS / once))
    repeats = REPEATS if once < MEASURED_SECONDS else 0  # a format that the processor only imitates takes seconds
    best = min([once, *(multiply(times) / times for _ in range(repeats))])
    return 2.0 * rows * inner * columns / best


def reading_bound(path: Path, symbols: int) -> Bound:
    """Symbols a second, were a file's bytes only read."""

    def read() -> None:
        with path.open("rb", buffering=0) as stream:
            while stream.read(BLOCK_BYTES):
                pass

    return Bound(name="reading the file's bytes", rate=symbols / _typical(read))


def writing_bound(folder: Path, size: int) -> Bound:
    """Bytes a second, were `size` bytes only written into a new file of a folder, and synced."""
    block = os.urandom(BLOCK_BYTES)

    def write() -> None:
        path = folder / "written.bytes"
        with path.open("wb", buffering=0) as stream:
            for first in range(0, size, BLOCK_BYTES):
                stream.write(block[: size - first])
            os.fsync(stream.fileno())
        path.unlink()

    return Bound(name="writing as many bytes", rate=size / _typical(write))


def _typical(call: Callable[[], None]) -> float:
    """Median seconds of some calls."""
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
