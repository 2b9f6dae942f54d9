"""Which device a command uses, and what memory it keeps for its next step."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

from genolstm.errors import UsageError
from genolstm.settings.environment import whole_number
from genolstm.settings.train import DeviceName, Precision

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
KEPT_BYTES = 1 << 29
TF32_SINCE = (8, 0)  # compute capability
EXACT, ROUNDED = "ieee", "tf32"  # torch's names


def choose_device(name: DeviceName) -> torch.device:
    """The device asked for; 'auto' takes CUDA, then the CPU. Raises UsageError when it is not there.

    Of several GPUs each process that torchrun started on this machine takes its own. On CUDA, products of float32 are
    from now on of float32, which torch would round to TF32 in the recurrent kernels: two passes then never come to
    agree at a seam.
    """
    if name is DeviceName.AUTO:
        name = DeviceName.CUDA if torch.cuda.is_available() else DeviceName.CPU
    if name is DeviceName.CUDA and not torch.cuda.is_available():
        why = "" if torch.version.cuda else ": it is a build without CUDA; install one with it,"
        raise UsageError(
            f"--device cuda: torch sees no CUDA device here{why or '; see what nvidia-smi says,'} or use --device cpu."
        )
    if name is DeviceName.MPS:
        raise UsageError("--device mps: sums are made in float64, which Apple GPUs do not have; use --device cpu.")
    if name is DeviceName.CPU:
        return torch.device("cpu")
    here, gpus = whole_number("LOCAL_RANK", 0), torch.cuda.device_count()
    processes = max(here + 1, whole_number("LOCAL_WORLD_SIZE", 1, least=1))
    if processes > gpus:
        raise UsageError(
            f"{processes} processes on this machine and {gpus} GPU{'s' * (gpus != 1)}: start one process a GPU"
            f" (torchrun --nproc-per-node {gpus}), or use --device cpu."
        )
    round_to_tf32(wanted=False)
    return torch.device("cuda", here) if here else torch.device("cuda")


def describe_device(device: torch.device) -> str:
    """Name of a device for logs and files."""
    return f"{device.type} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def rounds_to_tf32() -> bool:
    """Whether CUDA's recurrent kernels round the operands of their float32 products to TF32."""
    newer = getattr(torch.backends.cudnn, "rnn", None)  # since torch 2.9
    return bool(torch.backends.cudnn.allow_tf32 if newer is None else newer.fp32_precision == ROUNDED)


def round_to_tf32(*, wanted: bool) -> None:
    """Let CUDA's float32 products round their operands to TF32, or not: torch's own, and those of cuDNN."""
    cudnn = torch.backends.cudnn
    cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = wanted
    for operators in ("rnn", "conv"):  # conv too: torch cannot answer by the older name while the two differ
        newer = getattr(cudnn, operators, None)
        if newer is not None:
            newer.fp32_precision = ROUNDED if wanted else EXACT


@contextmanager
def float32_products(precision: Precision) -> Iterator[None]:
    """Context in which float32 products, those of backward passes too, are rounded as a number format says."""
    before = rounds_to_tf32()
    round_to_tf32(wanted=precision is Precision.TF32)
    try:
        yield
    finally:
        round_to_tf32(wanted=before)


@cache
def recurrent_bf16() -> bool:
    """Whether torch runs a recurrent layer in bf16 on this CPU: without AVX-512 or AMX there may be no kernel."""
    with torch.random.fork_rng(devices=[]), torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        layer = torch.nn.LSTM(8, 8)  # its weights are drawn, and nobody else's draws may change
        try:
            layer(torch.zeros(2, 1, 8))
        except RuntimeError:
            return False
    return True


def refuse_precision(precision: Precision, device: torch.device) -> None:
    """Refuse a number format that a device lacks, or that it would not compute in. Raises UsageError."""
    if device.type != "cuda":
        if precision in (Precision.TF32, Precision.FP16):
            raise UsageError(
                f"--precision {precision} needs a CUDA device, not {device.type}; use --precision bf16 or fp32."
            )
        if precision is Precision.BF16 and not recurrent_bf16():
            raise UsageError(
                "--precision bf16: torch has no recurrent layers in bf16 for this CPU; leave --precision out."
            )
        return
    if precision is Precision.BF16:  # torch, aten/src/ATen/cudnn/AutocastRNN.cpp
        raise UsageError(
            "--precision bf16: on CUDA torch computes recurrent layers in float16, whatever is asked for; use"
            " --precision fp16, which scales the loss as float16 needs, or tf32."
        )
    if precision is Precision.TF32 and torch.cuda.get_device_capability(device) < TF32_SINCE:
        raise UsageError(f"{torch.cuda.get_device_name(device)} has no TF32; use --precision fp16 or fp32.")


def keep_freed_memory() -> bool:
    """Let the C library keep blocks that are freed, up to KEPT_BYTES, for the next step; whether it can (glibc does).

    It gives blocks of over 32 MB back at once, and the next step's come page by page, each zeroed first: that took a
    fifth of the time of scoring on a CPU. Costs some tens of MB that would else be the system's between two steps.
    """
    library = ctypes.CDLL(None) if os.name == "posix" else None
    tune = getattr(library, "mallopt", None)
    return tune is not None and all(tune(what, KEPT_BYTES) for what in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD))
