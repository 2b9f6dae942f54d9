"""A training step beside forward and backward of the bare kernel."""

import torch

from genolstm.alphabet import DNA
from genolstm.bench.made import random_genome
from genolstm.bench.timing import Timing, compare
from genolstm.lanes import Lanes
from genolstm.model import NextSymbolModel
from genolstm.settings import ModelSettings, TrainSettings
from genolstm.training.steps import AUTOCAST, new_run, steps


def time_training(model: ModelSettings, train: TrainSettings, device: torch.device, rounds: int) -> Timing:
    """Time a training step against forward and backward of a bare nn.LSTM (or GRU, RNN) of its shape and precision."""
    run = new_run(NextSymbolModel(model, seed=0).to(device), train)
    genome, everything = random_genome()
    lanes = Lanes(genome, everything, n_lanes=train.lanes, chunk=train.chunk, device=device)
    stepping = steps(run, lanes)
    kernel = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[model.cell](
        DNA.n_symbols, model.hidden, num_layers=model.layers, batch_first=True
    ).to(device)
    inputs = torch.randn(train.lanes, train.chunk, DNA.n_symbols, device=device)

    def bare() -> None:
        kernel.zero_grad(set_to_none=True)
        wanted = AUTOCAST.get(train.precision)
        with torch.autocast(device.type, dtype=wanted, enabled=wanted is not None):
            hidden, _ = kernel(inputs)
        hidden.sum().backward()

    return compare(
        "train", f"nn.{type(kernel).__name__} forward + backward", "bases", train.lanes * train.chunk,
        lambda: next(stepping), bare, rounds,
    )  # fmt: skip
