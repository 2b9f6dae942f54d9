"""A run saved as plain arrays, and resumed to the same bits (on a CPU, with the same number of threads)."""

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.cells.memory import State
from genolstm.store.checkpoint import TrainingState
from genolstm.training.steps import Progress, Run, refuse_diverged


def snapshot(run: Run) -> TrainingState:
    """Everything beyond the weights that the run needs to go on; of several processes all must ask together.

    Raises InputError for weights that are no numbers: the checkpoint before them is the better one.
    """
    refuse_diverged(run)
    scaled = run.scaler.state_dict()
    moments = {name: run.optimiser.state.get(weight, {}) for name, weight in run.named_weights().items()}
    progress = dataclasses.replace(
        run.progress,
        updates=max((int(state["step"]) for state in moments.values() if state), default=0),
        sums=tuple(run.sums.tolist()),
        loss_scale=float(scaled.get("scale", run.progress.loss_scale)),
        loss_scale_steps=int(scaled.get("_growth_tracker", 0)),
    )
    return TrainingState(
        first_moments={name: _array(state["exp_avg"]) for name, state in moments.items() if state},
        second_moments={name: _array(state["exp_avg_sq"]) for name, state in moments.items() if state},
        hidden=_array(run.ranks.joined(run.state.hidden)),
        memory=_array(run.ranks.joined(run.state.memory)),
        progress=dataclasses.asdict(progress),
        best=run.best,
    )


def restore(run: Run, saved: TrainingState) -> None:
    """Set a new run, whose model already has the checkpoint's weights, to where the saved one stood."""
    values = dict(saved.progress)
    run.progress = Progress(**{**values, "sums": tuple(values["sums"])})
    run.best = saved.best
    device = run.sums.device
    run.sums.copy_(torch.tensor(run.progress.sums, dtype=torch.float64))
    mine = run.ranks.own_lanes(saved.hidden.shape[1])  # as many processes as there are now, whatever their number was
    run.state = State(*(torch.tensor(part[:, mine], device=device) for part in (saved.hidden, saved.memory)))
    if run.scaler.is_enabled():
        scale = {"scale": run.progress.loss_scale, "_growth_tracker": run.progress.loss_scale_steps}
        run.scaler.load_state_dict({**run.scaler.state_dict(), **scale})
    restore_optimiser(run, saved)


def restore_optimiser(run: Run, saved: TrainingState) -> None:
    """Set the optimiser's moments, and its count of updates, to those saved, where a weight of that name has some."""
    for name, weight in run.named_weights().items():
        if name in saved.first_moments:
            run.optimiser.state[weight] = _adam_state(saved, name, weight)


def _adam_state(saved: TrainingState, name: str, weight: Tensor) -> dict[str, Tensor]:
    # tensors of their own: AdamW updates them in place, and `saved` stays what was read
    return {
        "step": torch.tensor(float(saved.progress["updates"]), device=weight.device),
        "exp_avg": torch.tensor(saved.first_moments[name], device=weight.device),
        "exp_avg_sq": torch.tensor(saved.second_moments[name], device=weight.device),
    }


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().float().cpu().numpy().copy()
