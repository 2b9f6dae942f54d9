"""Which device and how many threads a command uses: what was asked for or what the job was given, never more."""

import ctypes
import os

import torch
from threadpoolctl import threadpool_limits

from genolstm.errors import UsageError
from genolstm.settings.train import DeviceName

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
KEPT_BYTES = 1 << 29


def choose_device(name: DeviceName) -> torch.device:
    """Give the device asked for; 'auto' takes CUDA, then the CPU. Raises UsageError when it is not there.

    Of several GPUs each process that torchrun started on this machine takes its own.
    """
    if name is DeviceName.AUTO:
        name = DeviceName.CUDA if torch.cuda.is_available() else DeviceName.CPU
    if name is DeviceName.CUDA and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch sees no CUDA device here; run 'genolstm doctor', or use --device cpu.")
    if name is DeviceName.MPS and not torch.backends.mps.is_available():
        raise UsageError("--device mps: torch sees no Apple GPU here; use --device cpu.")
    here = int(os.environ.get("LOCAL_RANK", "0"))
    if name is DeviceName.CUDA and here:
        if here >= torch.cuda.device_count():
            raise UsageError(
                f"process {here + 1} on this machine has no GPU: there are {torch.cuda.device_count()}; start as many"
                " processes (torchrun --nproc-per-node)."
            )
        return torch.device("cuda", here)
    return torch.device(name)


def describe_device(device: torch.device) -> str:
    """Name of a device for logs and files."""
    return f"{device.type} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def allotted_threads() -> int:
    """Cores that this process may use: its affinity, SLURM_CPUS_PER_TASK where that is less; its share by torchrun."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    by_slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if by_slurm.isdigit() and int(by_slurm):
        allowed = min(allowed, int(by_slurm))
    return max(1, allowed // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def set_threads(threads: int | None) -> int:
    """Let torch and BLAS use this many threads, or the allotted ones; gives the number. More would be slower."""
    chosen = threads or allotted_threads()
    torch.set_num_threads(chosen)
    threadpool_limits(limits=chosen)  # the BLAS under NumPy and SciPy
    return chosen


def keep_freed_memory() -> bool:
    """Let the C library keep blocks that are freed, up to KEPT_BYTES, for the next step; whether it can (glibc does).

    It gives blocks of over 32 MB back at once, and the next step's come page by page, each zeroed first: that took a
    fifth of the time of scoring on a CPU. Costs some tens of MB that would else be the system's between two steps.
    """
    library = ctypes.CDLL(None) if os.name == "posix" else None
    tune = getattr(library, "mallopt", None)
    return tune is not None and all(tune(what, KEPT_BYTES) for what in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD))
