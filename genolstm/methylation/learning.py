"""How the networks of the pooled model and of its baseline learn: passes over windows, and the best pass is kept."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from genolstm.methylation.neighbourhood import Windows
from genolstm.settings.methylation import PooledSettings

Progress = Callable[[float, int], None]
Nats = Callable[[Windows], tuple[Tensor, Tensor]]

WARM_UP = 0.05  # fraction of the steps in which the learning rate rises
CLIP_NORM = 1.0
STEPS_AT_LEAST = 50  # in a pass: few windows make smaller batches
VALIDATION_EVERY = 10  # of so many windows one is never learned from; it decides which pass to keep


def learn(
    network: nn.Module,
    nats: Nats,
    windows: Windows,
    pooled: PooledSettings,
    rng: np.random.Generator,
    progress: Progress | None = None,
) -> None:
    """Train a network in place, and leave it as it was after the pass that predicted the windows kept aside best.

    nats : windows -> log-likelihood of their reads, and how many reads that is; scalars.
    Without windows the network stays as it is; with fewer than VALIDATION_EVERY none is kept aside.
    """
    every = len(windows.rows)
    aside = np.arange(every) % VALIDATION_EVERY == VALIDATION_EVERY - 1
    learned = np.flatnonzero(~aside)
    validation = _some(windows, np.flatnonzero(aside))
    batch = max(1, min(pooled.batch, len(learned) // STEPS_AT_LEAST))
    steps = -(-len(learned) // batch) * pooled.epochs
    optimiser = torch.optim.AdamW(network.parameters(), lr=pooled.learning_rate, weight_decay=pooled.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, pooled.learning_rate, total_steps=steps + 1, pct_start=WARM_UP
    )
    step, best, kept = 0, -np.inf, None
    for _ in range(pooled.epochs if every else 0):
        order = rng.permutation(learned)
        for first in range(0, len(order), batch):
            value, reads = nats(_some(windows, order[first : first + batch]))
            optimiser.zero_grad()
            (-value / reads.clamp(min=1)).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
            optimiser.step()
            schedule.step()
            step += 1
            if progress:
                progress(step / steps, step * batch * pooled.core)
        if len(validation.rows) and (score := _validate(nats, validation, pooled.batch)) > best:
            best, kept = score, {name: weight.detach().clone() for name, weight in network.state_dict().items()}
    if kept is not None:
        network.load_state_dict(kept)


def _some(windows: Windows, chosen: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Windows:
    return Windows(windows.rows[torch.from_numpy(chosen)], windows.margin)


def _validate(nats: Nats, windows: Windows, batch: int) -> float:
    """Log-likelihood of the reads of windows that were kept aside."""
    with torch.no_grad():
        parts = [
            nats(Windows(windows.rows[first : first + batch], windows.margin))[0]
            for first in range(0, len(windows.rows), batch)
        ]
    return float(torch.stack(parts).sum())
