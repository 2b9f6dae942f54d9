"""Which device and how many threads a command uses: what was asked for or what the job was given, never more."""

import os

import torch
from threadpoolctl import threadpool_limits

from genolstm.errors import UsageError
from genolstm.settings import DeviceName


def choose_device(name: DeviceName) -> torch.device:
    """Give the device asked for; 'auto' takes CUDA, then the CPU. Raises UsageError when it is not there."""
    if name is DeviceName.AUTO:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name is DeviceName.CUDA and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch sees no CUDA device here; run 'genolstm doctor', or use --device cpu.")
    if name is DeviceName.MPS and not torch.backends.mps.is_available():
        raise UsageError("--device mps: torch sees no Apple GPU here; use --device cpu.")
    return torch.device(name)


def describe_device(device: torch.device) -> str:
    """Name of a device for logs and files."""
    return f"{device.type} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def allotted_threads() -> int:
    """Cores that this process may use: its affinity, and SLURM_CPUS_PER_TASK where that is less."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    by_slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return min(allowed, int(by_slurm)) if by_slurm.isdigit() and int(by_slurm) else allowed


def set_threads(threads: int | None) -> int:
    """Let torch and BLAS use this many threads, or the allotted ones; gives the number. More would be slower."""
    chosen = threads or allotted_threads()
    torch.set_num_threads(chosen)
    threadpool_limits(limits=chosen)  # the BLAS under NumPy and SciPy
    return chosen
