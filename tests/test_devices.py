"""What a command takes of a machine, and what it keeps for its next step."""

import platform
import subprocess
import sys

import pytest
import torch
from pretended_gpu import PretendedGpu

from genolstm.devices import choose_device, recurrent_bf16, refuse_precision
from genolstm.errors import UsageError
from genolstm.settings.train import DeviceName, Precision

# pages that the system has to hand out (and zero) while 64 MiB are taken, written and freed thirty times over
TAKING = """
import resource, sys
import torch
from genolstm.devices import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
for step in range(32):
    if step == 2:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told what to keep")
@pytest.mark.slow
def test_memory_that_was_freed_is_taken_again_without_asking_the_system():
    given, kept = (
        int(subprocess.run([sys.executable, "-c", TAKING, how], capture_output=True, text=True, check=True).stdout)
        for how in ("give", "keep")
    )
    assert kept < given / 4


def refusal(call, *arguments):
    with pytest.raises(UsageError) as caught:
        call(*arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("gpus", "variables", "said"),
    [
        (2, {"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}, "4 processes on this machine and 2 GPUs: start one process a"
         " GPU (torchrun --nproc-per-node 2), or use --device cpu."),
        (1, {"LOCAL_RANK": "1"}, "2 processes on this machine and 1 GPU: start one process a GPU (torchrun"
         " --nproc-per-node 1), or use --device cpu."),
    ],
)  # fmt: skip
def test_more_processes_than_gpus_are_refused_in_every_one_of_them(monkeypatch, gpus, variables, said):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with PretendedGpu(count=gpus).present():
        assert refusal(choose_device, DeviceName.AUTO) == said


def test_each_process_of_a_machine_has_its_own_gpu(monkeypatch):
    with PretendedGpu(count=2).present():
        assert choose_device(DeviceName.CUDA) == torch.device("cuda")
        monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
        monkeypatch.setenv("LOCAL_RANK", "1")
        assert choose_device(DeviceName.CUDA) == torch.device("cuda", 1)


@pytest.mark.parametrize(
    ("built_with", "why"),
    [(None, ": it is a build without CUDA; install one with it,"), ("12.8", "; see what nvidia-smi says,")],
)
def test_no_gpu_is_told_with_why(monkeypatch, built_with, why):
    monkeypatch.setattr(torch.version, "cuda", built_with)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    said = refusal(choose_device, DeviceName.CUDA)
    assert said == f"--device cuda: torch sees no CUDA device here{why} or use --device cpu."


def test_a_cpu_without_recurrent_layers_in_bf16_is_told(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr("genolstm.devices.recurrent_bf16", lambda: True)
    refuse_precision(Precision.BF16, cpu)
    monkeypatch.setattr("genolstm.devices.recurrent_bf16", lambda: False)
    said = refusal(refuse_precision, Precision.BF16, cpu)
    assert said == "--precision bf16: torch has no recurrent layers in bf16 for this CPU; leave --precision out."


def test_whether_a_cpu_has_bf16_is_asked_without_a_draw():
    recurrent_bf16.cache_clear()
    state = torch.get_rng_state()
    assert recurrent_bf16() in {True, False}
    assert torch.equal(torch.get_rng_state(), state)


def test_an_old_gpu_has_no_tf32(monkeypatch):
    with PretendedGpu().present():
        refuse_precision(Precision.TF32, torch.device("cuda"))
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: (7, 5))
        said = refusal(refuse_precision, Precision.TF32, torch.device("cuda"))
    assert said == "pretended has no TF32; use --precision fp16 or fp32."
