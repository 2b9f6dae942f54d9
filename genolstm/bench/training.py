"""A training step beside forward and backward of the bare kernel."""

import torch

from genolstm.alphabet import DNA
from genolstm.bench.bounds import bare_kernel, matrix_bound
from genolstm.bench.made import random_genome
from genolstm.bench.memory_check import Load, check_memory, explained_when_full, shape_of
from genolstm.bench.timing import Baseline, Timing, beside
from genolstm.devices import float32_products, refuse_precision
from genolstm.lanes import Lanes
from genolstm.model import AUTOCAST, NextSymbolModel
from genolstm.settings.model import ModelSettings
from genolstm.settings.train import TrainSettings
from genolstm.training.steps import new_run, steps

STEPS = 8  # of a round: one is over in milliseconds


def time_training(model: ModelSettings, train: TrainSettings, device: torch.device, rounds: int) -> list[Timing]:
    """Time a training step against forward and backward of a bare nn.LSTM (or GRU, RNN) of its shape and precision.

    Raises UsageError for sizes that do not fit the device's memory, or a precision that it lacks.
    """
    refuse_precision(train.precision, device)
    load = Load(model, train.lanes, train.chunk, training=True, keeps_gates=True)
    check_memory(load, device)
    with explained_when_full(load):
        return _timed(model, train, device, rounds)


def _timed(model: ModelSettings, train: TrainSettings, device: torch.device, rounds: int) -> list[Timing]:
    run = new_run(NextSymbolModel(model, seed=0).to(device), train)
    genome, everything = random_genome()
    lanes = Lanes(genome, everything, n_lanes=train.lanes, chunk=train.chunk, device=device)
    stepping = steps(run, lanes)
    kernel = bare_kernel(model, device)
    inputs = torch.randn(train.lanes, train.chunk, DNA.n_symbols, device=device)

    def bare() -> None:
        wanted = AUTOCAST.get(train.precision)
        for _ in range(STEPS):
            kernel.zero_grad(set_to_none=True)
            with float32_products(train.precision):
                with torch.autocast(device.type, dtype=wanted, enabled=wanted is not None):
                    hidden, _ = kernel(inputs)
                hidden.sum().backward()

    def ours() -> None:
        for _ in range(STEPS):
            next(stepping)

    baseline = Baseline(f"nn.{type(kernel).__name__} forward + backward", bare)
    return beside(
        "train", "bases", train.lanes * train.chunk * STEPS, ours, [baseline], rounds,
        shape=f"{shape_of(model, train.lanes, train.chunk)}, {train.precision}",
        bound=matrix_bound(run.model, train.lanes, train.precision, training=True, device=device),
    )  # fmt: skip
