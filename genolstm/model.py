"""The next-symbol model: a table of rows for the symbols, a stack of memory cells, a linear head."""

import copy
import math
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genolstm.alphabet import ALPHABETS
from genolstm.cells.fused import KERNELS, FusedCell
from genolstm.cells.initial import initialise
from genolstm.cells.memory import MemoryCell, State
from genolstm.cells.rules import FAMILY
from genolstm.devices import float32_products
from genolstm.errors import InputError
from genolstm.seeds import spawn_seed
from genolstm.settings.model import CellName, ModelSettings
from genolstm.settings.train import Precision

AUTOCAST = {Precision.BF16: torch.bfloat16, Precision.FP16: torch.float16}
NATS_PER_BIT = math.log(2)


def products_in(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Context in which the matrix products of a forward pass are in a number format."""
    if precision in AUTOCAST:
        return torch.autocast(device.type, dtype=AUTOCAST[precision])
    return float32_products(precision)


class ModelOutput(NamedTuple):
    """What a model makes of some symbols.

    logits : [B, T, n_known], for the symbol after each input.   layers : hidden of each layer, [B, T, H].
    inputs : what each layer read, [B, T, n_in].   state : carried on, [layers, B, H].
    """

    logits: Tensor
    layers: list[Tensor]
    inputs: list[Tensor]
    state: State


class NextSymbolModel(nn.Module):
    """P(next symbol | all symbols before it). The state before symbol t predicts symbol t.

    seed : draws the weights; one user seed and one index give one network (index 0 is trained, 1.. are random-init
    models).
    """

    table: Tensor
    precision = Precision.FP32  # of the cells' products in a pass without gradients, see `read_in`

    def __init__(self, settings: ModelSettings, *, seed: int, index: int = 0) -> None:
        super().__init__()
        self.settings = settings
        self.alphabet = ALPHABETS[settings.alphabet]
        # one-hot rows: the first layer's W then holds one learned row per symbol, and no wide embedding has to be read
        self.register_buffer("table", torch.eye(self.alphabet.n_symbols), persistent=False)
        widths = [self.alphabet.n_symbols, *[settings.hidden] * (settings.layers - 1)]
        self.cells = nn.ModuleList(_cell(width, settings) for width in widths)
        self.head = nn.Linear(settings.hidden, self.alphabet.n_known)
        generator = torch.Generator().manual_seed(spawn_seed(seed, "weights", index))
        for place, cell in enumerate(self.cells):
            initialise(cell, settings.forget_bias, generator, one_hot=place == 0)  # type: ignore[arg-type]
        bound = 1 / math.sqrt(settings.hidden)
        with torch.no_grad():
            self.head.weight.uniform_(-bound, bound, generator=generator)
            self.head.bias.zero_()

    def initial_state(self, lanes: int) -> State:
        """The empty state of `lanes` sequences: zeros [layers, B, H]."""
        empty = self.head.weight.new_zeros(self.settings.layers, lanes, self.settings.hidden)
        return State(hidden=empty, memory=empty)

    def read_in(self, precision: Precision) -> Self:
        """Make a view of this model, with the same weights, whose cells read in a number format; the head stays fp32.

        Training chooses its own format: a view is for passes without gradients. The model itself stays as it is.
        """
        if precision is self.precision:
            return self
        view = copy.copy(self)
        view.precision = precision
        return view

    def read_by(self, cells: Iterable[nn.Module]) -> Self:
        """Make a view of this model that reads by other cells, one a layer; its table and head are the same."""
        view = copy.copy(self)
        view._modules = {**self._modules, "cells": nn.ModuleList(cells)}
        return view

    def _format(self) -> AbstractContextManager[object]:
        if self.precision is Precision.FP32:  # as it is around us: a training may have set its own
            return nullcontext()
        return products_in(self.precision, self.head.weight.device)

    def forward(self, codes: Tensor, state: State) -> ModelOutput:
        """Read symbols on from a state.

        codes : [B, T], any integer type.   state : [layers, B, H].
        """
        signal = self.table[codes.long()]  # [B, T, n_symbols]
        layers, inputs, states = [], [], []
        for place, cell in enumerate(self.cells):
            inputs.append(signal)
            with self._format():
                signal, last = cell(signal, State(state.hidden[place], state.memory[place]))
            if self.precision is not Precision.FP32:
                signal, last = signal.float(), State(last.hidden.float(), last.memory.float())
            layers.append(signal)
            states.append(last)
        carried = State(torch.stack([s.hidden for s in states]), torch.stack([s.memory for s in states]))
        return ModelOutput(logits=self._logits(signal), layers=layers, inputs=inputs, state=carried)

    def _logits(self, hidden: Tensor) -> Tensor:
        """Head of the last layer's hidden states, [B, T, H] -> [B, T, n_known]."""
        if torch.is_grad_enabled():
            return cast(Tensor, self.head(hidden))
        # the kernels store their output time first: a map of it as it lies copies nothing. The same bits; gradients
        # would be summed in another order, and no training of an earlier version could be repeated to the bit
        return cast(Tensor, self.head(hidden.transpose(0, 1)).transpose(0, 1))

    def nats(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Negative natural log probability of each target, [B, T]; 0 where the target is unknown.

        logits : [B, T, n_known].   targets : [B, T] codes.
        """
        flat = nn.functional.cross_entropy(
            logits.float().flatten(0, 1), targets.long().flatten(), ignore_index=self.alphabet.unknown, reduction="none"
        )
        return flat.view(targets.shape)

    @property
    def n_weights(self) -> int:
        """How many numbers are learned."""
        return sum(weight.numel() for weight in self.parameters())

    def weight_arrays(self) -> dict[str, NDArray[np.float32]]:
        """Copy of every weight by name, on the CPU."""
        return {name: weight.detach().cpu().numpy().copy() for name, weight in self.named_parameters()}

    def load_weights(self, weights: Mapping[str, NDArray[np.float32]]) -> None:
        """Set weights by name. Raises ValueError when names or shapes differ."""
        mine = dict(self.named_parameters())
        if mine.keys() != weights.keys():
            raise ValueError(f"weights differ in name: {sorted(mine.keys() ^ weights.keys())}")
        for name, weight in mine.items():
            if weight.shape != weights[name].shape:
                raise ValueError(f"{name} has shape {weights[name].shape}, not {tuple(weight.shape)}")
        with torch.no_grad():
            for name, weight in mine.items():
                weight.copy_(torch.from_numpy(np.ascontiguousarray(weights[name])))


def _cell(width: int, settings: ModelSettings) -> FusedCell | MemoryCell:
    name = CellName(settings.cell)
    if name in KERNELS:
        return FusedCell(width, settings.hidden, name)
    return MemoryCell(width, settings.hidden, FAMILY[name])


def trained_model(settings: ModelSettings, weights: Mapping[str, NDArray[np.float32]]) -> NextSymbolModel:
    """Rebuild a model from what a checkpoint holds, in evaluation mode. Raises InputError where the two do not fit."""
    model = NextSymbolModel(settings, seed=0)
    try:
        model.load_weights(weights)
    except ValueError as problem:
        raise InputError(
            f"the weights of the model file do not fit its settings ({problem}); make it again."
        ) from problem
    return model.eval()
