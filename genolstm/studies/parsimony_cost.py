"""What a GRU costs beside an LSTM on this machine: time and memory, at equal width and at equal parameters."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.estimate import Estimate
from genolstm.model import NextSymbolModel
from genolstm.seeds import spawn
from genolstm.settings.model import ModelSettings, TrainableCell
from genolstm.store.study import Claim, Column
from genolstm.studies.intervals import claimed, median_interval
from genolstm.studies.next_symbols import Codes, read

Floats = NDArray[np.float64]
LSTM, GRU, WIDER_GRU = "lstm", "gru", "gru, equal parameters"
COST_UNITS = 256  # as the models of a genome have; at a few dozen it is not the arithmetic that costs
SEQUENCES, LENGTH, SYMBOLS = 16, 64, 4
FLOAT_BYTES = 4


class Cost(NamedTuple):
    """What one network costs.

    train, forward : seconds of CPU in each round, [rounds].   kept : bytes that a training step keeps for its gradient,
    a symbol.   state : bytes carried along a sequence.   weights : bytes.
    """

    train: Floats
    forward: Floats
    kept: float
    state: int
    weights: int


def pair_of(units: int) -> dict[str, ModelSettings]:
    """LSTM, GRU of as many units, and the GRU whose number of parameters is nearest the LSTM's."""

    def shape(cell: TrainableCell, hidden: int) -> ModelSettings:
        return ModelSettings(cell=cell, hidden=hidden, forget_bias="1")

    lstm = shape(TrainableCell.LSTM, units)
    wanted = NextSymbolModel(lstm, seed=0).n_weights
    nearest = min(
        (shape(TrainableCell.GRU, hidden) for hidden in range(units, 2 * units)),
        key=lambda each: abs(_gru_weights(each.hidden) - wanted),
    )
    return {LSTM: lstm, GRU: shape(TrainableCell.GRU, units), WIDER_GRU: nearest}


def _gru_weights(units: int) -> int:
    """Weights of a GRU model of DNA, without making it: three gates, and the head."""
    return 3 * units * (SYMBOLS + 1 + units + 2) + (units + 1) * SYMBOLS


def costs(seed: int, rounds: int) -> dict[str, Cost]:
    """Time all networks in turn, round by round, so that what else the machine does falls on all alike."""
    codes = spawn(seed, "cost").integers(SYMBOLS, size=(SEQUENCES, LENGTH)).astype(np.uint8)
    models = {name: NextSymbolModel(shape, seed=seed) for name, shape in pair_of(COST_UNITS).items()}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in models}
    for model in models.values():  # the first step of each pays for what is set up once
        _train_step(model, codes)
    for _ in range(rounds):
        for name, model in models.items():
            times[name].append((_seconds(lambda model=model: _train_step(model, codes)),  # type: ignore[misc]
                                _seconds(lambda model=model: _forward(model, codes))))  # type: ignore[misc]  # fmt: skip
    return {
        name: Cost(
            train=np.array(times[name])[:, 0],
            forward=np.array(times[name])[:, 1],
            kept=kept_bytes(model, codes) / codes.size,
            state=(2 if name == LSTM else 1) * model.settings.hidden * FLOAT_BYTES,
            weights=model.n_weights * FLOAT_BYTES,
        )
        for name, model in models.items()
    }


def _seconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def _train_step(model: NextSymbolModel, codes: Codes) -> None:
    model.zero_grad(set_to_none=True)
    model.nats(read(model, codes).logits, torch.from_numpy(codes)).sum().backward()  # type: ignore[no-untyped-call]


def _forward(model: NextSymbolModel, codes: Codes) -> None:
    with torch.inference_mode():
        read(model, codes)


def kept_bytes(model: NextSymbolModel, codes: Codes) -> int:
    """Bytes of all that the pass keeps for its gradient, weights aside; what two steps share counts once."""
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor  # held, so that no other takes its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.nats(read(model, codes).logits, torch.from_numpy(codes)).sum()
    return sum(each.untyped_storage().nbytes() for place, each in kept.items() if place not in weights)


def cost_claims(found: dict[str, Cost]) -> tuple[Claim, ...]:
    """Whether a GRU is cheaper, each cost as a fraction of the LSTM's."""
    made: list[Claim] = []
    lstm = found[LSTM]
    for name, how in ((GRU, "of as many units"), (WIDER_GRU, "of as many parameters")):
        gru = found[name]
        for column, what in (("train", "A training step"), ("forward", "A forward pass")):
            ratio = median_interval(getattr(gru, column) / getattr(lstm, column))
            made.append(
                claimed(
                    f"{name}: {column} time", f"{what} of a GRU {how} takes less time than the LSTM's.", ratio,
                    "of the LSTM's", f"CPU seconds by these kernels, median of {len(lstm.train)} paired rounds;"
                    f" LSTM of {COST_UNITS} units, {SEQUENCES} sequences of {LENGTH} symbols.", below=1,
                )
            )  # fmt: skip
        for column, what in (("kept", "keeps less for the gradient"), ("state", "carries a smaller state")):
            fraction = getattr(gru, column) / getattr(lstm, column)
            made.append(
                Claim(
                    f"{name}: {column} bytes", f"A GRU {how} {what} than the LSTM.", fraction < 1, fraction, np.nan,
                    np.nan, "of the LSTM's", f"{getattr(gru, column):,.0f} and {getattr(lstm, column):,.0f} bytes"
                    f" {'a symbol' if column == 'kept' else 'a sequence'}, counted.",
                )
            )  # fmt: skip
    return tuple(made)


def cost_table(found: dict[str, Cost]) -> dict[str, Column]:
    """One row a network."""
    symbols = SEQUENCES * LENGTH

    def ratios(column: str) -> list[Estimate]:
        return [median_interval(getattr(each, column) / getattr(found[LSTM], column)) for each in found.values()]

    train, forward = ratios("train"), ratios("forward")
    return {
        "network": Column(tuple(found), "", "which"),
        "train_seconds": Column(
            np.array([np.median(each.train) / symbols for each in found.values()]), "s/symbol", "CPU, median"
        ),
        "forward_seconds": Column(
            np.array([np.median(each.forward) / symbols for each in found.values()]), "s/symbol", "CPU, median"
        ),
        "train_ratio": Column(np.array([each.value for each in train]), "", "of the LSTM's, median of rounds"),
        "train_low": Column(np.array([each.low for each in train]), "", "95 % interval of the median"),
        "train_high": Column(np.array([each.high for each in train]), "", ""),
        "forward_ratio": Column(np.array([each.value for each in forward]), "", "of the LSTM's, median of rounds"),
        "kept_bytes": Column(np.array([each.kept for each in found.values()]), "bytes/symbol", "for the gradient"),
        "state_bytes": Column(np.array([each.state for each in found.values()]), "bytes", "carried along a sequence"),
        "weight_bytes": Column(np.array([each.weights for each in found.values()]), "bytes", "of all parameters"),
    }
