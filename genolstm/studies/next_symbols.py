"""Next-symbol models of the studies: trained on made sequences, each read from an empty state."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.model import NATS_PER_BIT, ModelOutput, NextSymbolModel

Codes = NDArray[np.uint8]
CLIP_NORM = 1.0
READ_TOGETHER = 512  # sequences
PATIENCE = 6  # validations without a better one


def led(model: NextSymbolModel, codes: Codes) -> Tensor:
    """Put the unknown symbol, 'nothing read yet', before each sequence; [N, T] -> [N, T + 1]."""
    whole = torch.from_numpy(codes)
    return torch.cat([torch.full((len(codes), 1), model.alphabet.unknown, dtype=whole.dtype), whole], dim=1)


def read(model: NextSymbolModel, codes: Codes) -> ModelOutput:
    """Read sequences [N, T] from an empty state; logits [N, T, n_known] are for each of their symbols."""
    return model.forward(led(model, codes)[:, :-1], model.initial_state(len(codes)))


@torch.no_grad()
def bits_of(model: NextSymbolModel, codes: Codes) -> NDArray[np.float64]:
    """Bits of each symbol, [N, T]; 0 where it is unknown, as the fill after a short sequence is."""
    parts = [
        model.nats(read(model, part).logits, torch.from_numpy(part))
        for part in np.array_split(codes, max(1, len(codes) // READ_TOGETHER))
    ]
    found: NDArray[np.float64] = torch.cat(parts).double().numpy() / NATS_PER_BIT
    return found


def mean_bits(model: NextSymbolModel, codes: Codes) -> float:
    """Bits per known symbol."""
    return float(bits_of(model, codes).sum() / (codes != model.alphabet.unknown).sum())


def train(
    model: NextSymbolModel,
    codes: Codes,
    rng: np.random.Generator,
    *,
    steps: int,
    batch: int,
    learning_rate: float,
    valid: Codes | None = None,
    validate_every: int = 0,
) -> None:
    """Train on whole sequences [N, T], drawn anew for each step; leaves the weights that were best on `valid`.

    validate_every : steps between two validations on `valid`, which end the training when several bring nothing;
    without them all steps are done and the last weights stay.
    """
    optimiser = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.0)
    best, kept, since_best = np.inf, model.weight_arrays(), 0
    for step in range(1, steps + 1):
        chosen = codes[rng.integers(len(codes), size=min(batch, len(codes)))]
        targets = torch.from_numpy(chosen)
        optimiser.zero_grad(set_to_none=True)
        nats = model.nats(read(model, chosen).logits, targets)
        (nats.sum() / (targets != model.alphabet.unknown).sum()).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimiser.step()
        if valid is not None and validate_every and step % validate_every == 0:
            bits = mean_bits(model, valid)
            since_best += 1
            if bits < best:
                best, kept, since_best = bits, model.weight_arrays(), 0
            if since_best == PATIENCE:
                break
    if valid is not None and validate_every:
        model.load_weights(kept)
