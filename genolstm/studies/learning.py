"""Small networks that learn made tasks: one way to build, train and judge them for all studies.

A task is a function `draw(rng) -> Batch`: symbols [B, T] and the answer asked for at each position, NOT_ASKED where
none is. A network is described by an `Architecture` and made by `built`, which takes the width whose parameter count is
nearest to the one wanted. `train` takes steps of AdamW; `accuracy` and `bits` judge on a batch that was held out.

    network = built(Architecture("lstm", cell=CellName.LSTM), n_symbols=6, n_answers=4, parameters=5000, seed=7)
    train(network, draw, spawn(7, "batches"), steps=500)
    accuracy(network, draw(spawn(7, "test")))
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genolstm.cells.fused import KERNELS, FusedCell
from genolstm.cells.initial import initialise
from genolstm.cells.memory import MemoryCell
from genolstm.cells.rules import FAMILY
from genolstm.seeds import spawn_seed
from genolstm.settings.model import CellName
from genolstm.studies.transformer import HEAD_WIDTH, Transformer

NOT_ASKED = -1
LEARNING_RATE, WEIGHT_DECAY, CLIP = 5e-3, 0.0, 1.0
WARM_UP, FINAL_FRACTION = 0.05, 0.05  # fraction of steps to full rate; of the rate that is left at the end
WIDEST = 512


class Batch(NamedTuple):
    """Symbols and what is asked. inputs, answers : int64 [B, T]; answers are NOT_ASKED where nothing is asked."""

    inputs: NDArray[np.int64]
    answers: NDArray[np.int64]


Draw = Callable[[np.random.Generator], Batch]


class Architecture(NamedTuple):
    """What a network is, but for its width.

    name : as tables show it.   cell : a row of the family; None for a Transformer.   forget_bias : 'B' or 'chrono:T'.
    window : symbols that each layer of a Transformer sees; None for all.
    """

    name: str
    cell: CellName | None = None
    forget_bias: str = "1"
    layers: int = 1
    window: int | None = None


class RecurrentNetwork(nn.Module):
    """Layers of one cell of the family under a linear head; symbols enter as one-hot rows."""

    def __init__(self, n_symbols: int, n_answers: int, *, cell: CellName, layers: int, width: int) -> None:
        super().__init__()
        self.n_symbols = n_symbols
        widths = [n_symbols, *[width] * layers]
        self.layers = nn.ModuleList(
            FusedCell(n_in, width, cell) if cell in KERNELS else MemoryCell(n_in, width, FAMILY[cell])
            for n_in in widths[:-1]
        )
        self.head = nn.Linear(width, n_answers)

    def forward(self, symbols: Tensor) -> Tensor:
        """Read symbols int64 [B, T]; gives scores [B, T, answers]."""
        return self.scores(nn.functional.one_hot(symbols, self.n_symbols).to(self.head.weight.dtype))

    def scores(self, rows: Tensor) -> Tensor:
        """Read rows [B, T, symbols], one-hot or not; gives scores [B, T, answers]."""
        for layer in self.layers:
            rows, _ = layer(rows)
        scores: Tensor = self.head(rows)
        return scores

    def initialise(self, forget_bias: str, generator: torch.Generator) -> None:
        """Draw all weights; the first layer reads one-hot rows."""
        for place, layer in enumerate(self.layers):
            initialise(layer, forget_bias, generator, one_hot=place == 0)  # type: ignore[arg-type]
        bound = 1 / math.sqrt(self.head.in_features)
        with torch.no_grad():
            for weight in self.head.parameters():
                weight.uniform_(-bound, bound, generator=generator)


Network = RecurrentNetwork | Transformer


def parameter_count(network: nn.Module) -> int:
    """Numbers that training moves."""
    return sum(weight.numel() for weight in network.parameters())


def built(
    architecture: Architecture, n_symbols: int, n_answers: int, *, parameters: int, seed: int, index: int = 0
) -> Network:
    """Make a network of about so many parameters, its weights drawn from the seed; equal arguments, equal weights."""
    generator = torch.Generator().manual_seed(spawn_seed(seed, f"weights {architecture.name}", index))
    if architecture.cell is None:
        transformer = _nearest_transformer(architecture, n_symbols, n_answers, parameters)
        transformer.initialise(generator)
        return transformer
    cell, layers = architecture.cell, architecture.layers

    def of_width(width: int) -> RecurrentNetwork:
        return RecurrentNetwork(n_symbols, n_answers, cell=cell, layers=layers, width=width)

    width = min(range(1, WIDEST), key=lambda width: abs(_count(architecture, n_symbols, n_answers, width) - parameters))
    network = of_width(width)
    network.initialise(architecture.forget_bias, generator)
    return network


def _count(architecture: Architecture, n_symbols: int, n_answers: int, width: int) -> int:
    """Parameters of a recurrent network, without making it."""
    gates = len(FAMILY[CellName(architecture.cell or "")].projections)
    first, later = (gates * width * (n_in + width + 2) for n_in in (n_symbols, width))  # W, U and two biases
    return first + (architecture.layers - 1) * later + (width + 1) * n_answers


def _nearest_transformer(architecture: Architecture, n_symbols: int, n_answers: int, parameters: int) -> Transformer:
    """Take the widest stream whose feed-forward layers are at least as wide as itself, then fit these."""
    layers = architecture.layers

    def of(width: int, inner: int) -> Transformer:
        return Transformer(n_symbols, n_answers, layers=layers, width=width, inner=inner, window=architecture.window)

    for width in range(8 * HEAD_WIDTH, 0, -HEAD_WIDTH):
        bare = parameter_count(of(width, 1)) - layers * (2 * width + 1)  # with no inner channel
        each = layers * (2 * width + 1)  # parameters that one more inner channel brings to all layers
        inner = round((parameters - bare) / each)
        if inner >= width or width == HEAD_WIDTH:
            return of(width, max(1, inner))
    raise ValueError("no width fits")


def loss_of(network: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy of the answers asked for, nats an answer."""
    scores = network(torch.from_numpy(batch.inputs))
    return nn.functional.cross_entropy(
        scores.flatten(0, 1), torch.from_numpy(batch.answers).flatten(), ignore_index=NOT_ASKED
    )


def train(
    network: nn.Module,
    draw: Draw,
    rng: np.random.Generator,
    *,
    steps: int,
    learning_rate: float = LEARNING_RATE,
    done: Callable[[int], bool] | None = None,
) -> NDArray[np.float64]:
    """Take steps of AdamW on fresh batches: warm-up, then half a cosine; gradients are clipped to a norm of 1.

    done : asked after each step with the number of steps taken; True ends the training, and the rate is then held
    constant after warm-up, since nobody knows how long it will go on.   Returns the loss of each step, nats an answer.
    """
    optimiser = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=WEIGHT_DECAY)
    warm_up = max(1, round(WARM_UP * steps))
    losses = []
    network.train()
    for step in range(steps):
        fall = 0.0 if done else max(0.0, (step - warm_up) / max(1, steps - warm_up))
        fraction = FINAL_FRACTION + (1 - FINAL_FRACTION) * (1 + math.cos(math.pi * fall)) / 2
        optimiser.param_groups[0]["lr"] = learning_rate * min((step + 1) / warm_up, fraction)
        loss = loss_of(network, draw(rng))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimiser.step()
        losses.append(float(loss.detach()))
        if done and done(step + 1):
            break
    return np.array(losses)


def right(network: nn.Module, batch: Batch) -> NDArray[np.bool_]:
    """Whether the likeliest answer is the one asked for, of each that is asked, row by row; bool [asked]."""
    with torch.no_grad():
        best = network(torch.from_numpy(batch.inputs)).argmax(-1).numpy()
    asked = batch.answers != NOT_ASKED
    matches: NDArray[np.bool_] = best[asked] == batch.answers[asked]
    return matches


def accuracy(network: nn.Module, batch: Batch) -> float:
    """Fraction of the answers that are right."""
    return float(right(network, batch).mean())


def bits(network: nn.Module, batch: Batch) -> float:
    """Cross-entropy of the answers, bits an answer."""
    with torch.no_grad():
        return float(loss_of(network, batch)) / math.log(2)
