"""AdamW, without the start-up of torch's class of that name."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim.adamw import adamw

BETAS, EPSILON = (0.9, 0.999), 1e-8  # torch's own


class FusedAdamW:
    """AdamW (Loshchilov & Hutter 2019) by torch's fused kernel, to the bit as `torch.optim.AdamW(fused=True)`.

    That class loads torch's compiler before its first step, 3 CPU seconds and 70 MB of every training; its functional
    form does not. Steps, scaling and state are those that `torch.amp.GradScaler` and a checkpoint expect of it.

    weights : a gradient of None leaves a weight, and its count of steps, alone.
    """

    # the kernel skips a step whose gradients overflowed, and nobody waits for it: a scaler sets and deletes these two
    _step_supports_amp_scaling = True
    grad_scale: Tensor | None = None
    found_inf: Tensor | None = None

    def __init__(self, weights: Iterable[Tensor], *, weight_decay: float) -> None:
        self.weights, self.weight_decay, self.learning_rate = list(weights), weight_decay, 0.0
        self.param_groups = [{"params": self.weights}]  # where the scaler looks for gradients
        self.state: dict[Tensor, dict[str, Tensor]] = {}

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for weight in self.weights:
            weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update every weight that has a gradient, at `learning_rate`."""
        moved = {weight: weight.grad for weight in self.weights if weight.grad is not None}
        self.state.update({weight: _begun(weight) for weight in moved if weight not in self.state})
        states = [self.state[weight] for weight in moved]
        adamw(
            list(moved), list(moved.values()), [each["exp_avg"] for each in states],
            [each["exp_avg_sq"] for each in states], [], [each["step"] for each in states], fused=True,
            grad_scale=self.grad_scale, found_inf=self.found_inf, amsgrad=False,
            beta1=BETAS[0], beta2=BETAS[1], lr=self.learning_rate, weight_decay=self.weight_decay, eps=EPSILON,
            maximize=False,
        )  # fmt: skip


def _begun(weight: Tensor) -> dict[str, Tensor]:
    return {
        "step": torch.zeros((), device=weight.device),
        "exp_avg": torch.zeros_like(weight),
        "exp_avg_sq": torch.zeros_like(weight),
    }
