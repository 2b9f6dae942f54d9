"""AdamW against torch's class of that name."""

import subprocess
import sys

import pytest
import torch

from genolstm.training.optimiser import FusedAdamW

SHAPES = (7,), (33, 5), (128, 32)


def made_weights():
    draws = torch.Generator().manual_seed(3)
    return [torch.randn(shape, generator=draws).requires_grad_() for shape in SHAPES]


def test_steps_are_those_of_torch_to_the_bit():
    mine, theirs = made_weights(), made_weights()
    own, oracle = FusedAdamW(mine, weight_decay=0.1), torch.optim.AdamW(theirs, weight_decay=0.1, fused=True)
    draws = torch.Generator().manual_seed(4)
    for step in range(12):
        own.learning_rate = oracle.param_groups[0]["lr"] = 0.01 / (1 + step)
        own.zero_grad()
        oracle.zero_grad()
        for place, (one, other) in enumerate(zip(mine, theirs, strict=True)):
            if (step + place) % 4 == 3:
                continue  # a weight without a gradient stays as it is
            one.grad = torch.randn(one.shape, generator=draws)
            other.grad = one.grad.clone()
        own.step()
        oracle.step()
    for one, other in zip(mine, theirs, strict=True):
        assert torch.equal(one, other)
        for name, value in own.state[one].items():
            assert torch.equal(value, oracle.state[other][name]), name


@pytest.mark.parametrize("overflows", [False, True])
def test_a_scaler_steps_as_with_torch(overflows):
    mine, theirs = made_weights(), made_weights()
    own, oracle = FusedAdamW(mine, weight_decay=0.0), torch.optim.AdamW(theirs, weight_decay=0.0, fused=True)
    own.learning_rate = oracle.param_groups[0]["lr"] = 0.01
    for weights, optimiser in ((mine, own), (theirs, oracle)):
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=1)
        for step in range(3):
            optimiser.zero_grad()
            loss = sum((weight * weight).sum() for weight in weights)
            scaler.scale(loss * (torch.inf if overflows and step == 1 else 1)).backward()
            scaler.unscale_(optimiser)
            scaler.step(optimiser)
            scaler.update()
    for one, other in zip(mine, theirs, strict=True):
        assert torch.equal(one, other)
    assert int(own.state[mine[0]]["step"]) == 3 - overflows


def test_training_loads_no_compiler():
    # torch's own class loads it before its first step: seconds, and 70 MB
    script = (
        "import sys, torch; from genolstm.training.optimiser import FusedAdamW\n"
        "weight = torch.ones(3, requires_grad=True); weight.sum().backward()\n"
        "FusedAdamW([weight], weight_decay=0.1).step(); assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
