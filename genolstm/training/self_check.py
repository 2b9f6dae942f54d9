"""A tiny forward and backward pass that checks whether the arithmetic of a device works, and is right."""

import torch

from genolstm.cells.fused import FusedCell, reference_cell
from genolstm.errors import GenolstmError
from genolstm.model import NextSymbolModel
from genolstm.settings.model import ModelSettings

LANES, SYMBOLS, TOLERANCE = 4, 32, 1e-3  # tolerance fits TF32 matrix products


def trial_step(settings: ModelSettings, device: torch.device) -> float:
    """Largest difference between the fast path and the reference cell, forward on random symbols; runs backward too.

    Raises GenolstmError when a loss or gradient is no number, or the two paths differ by more than 1e-3.
    """
    model = NextSymbolModel(settings, seed=0).to(device)
    drawn = torch.randint(0, model.alphabet.n_known, (LANES, SYMBOLS + 1), generator=torch.Generator().manual_seed(0))
    codes = drawn.to(device)
    output = model.forward(codes[:, :-1], model.initial_state(LANES))
    model.nats(output.logits, codes[:, 1:]).mean().backward()  # type: ignore[no-untyped-call]
    gradients = [weight.grad for weight in model.parameters()]
    if not all(gradient is not None and bool(gradient.isfinite().all()) for gradient in gradients):
        raise GenolstmError(f"a gradient of {settings.cell} is no number on {device}; try --device cpu.")
    difference = 0.0
    for cell, inputs, hidden in zip(model.cells, output.inputs, output.layers, strict=True):
        if isinstance(cell, FusedCell):
            difference = max(difference, float((reference_cell(cell)(inputs)[0] - hidden).detach().abs().max()))
    if difference > TOLERANCE:
        raise GenolstmError(
            f"the fast path of {settings.cell} is off by {difference:.1e} on {device}; try --device cpu."
        )
    return difference
