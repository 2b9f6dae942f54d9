"""Which device a command uses, and what memory it keeps for its next step."""

import ctypes
import os

import torch

from genolstm.errors import UsageError
from genolstm.settings.environment import whole_number
from genolstm.settings.train import DeviceName

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
KEPT_BYTES = 1 << 29


def choose_device(name: DeviceName) -> torch.device:
    """The device asked for; 'auto' takes CUDA, then the CPU. Raises UsageError when it is not there.

    Of several GPUs each process that torchrun started on this machine takes its own.
    """
    if name is DeviceName.AUTO:
        name = DeviceName.CUDA if torch.cuda.is_available() else DeviceName.CPU
    if name is DeviceName.CUDA and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch sees no CUDA device here; run 'genolstm doctor', or use --device cpu.")
    if name is DeviceName.MPS and not torch.backends.mps.is_available():
        raise UsageError("--device mps: torch sees no Apple GPU here; use --device cpu.")
    here = whole_number("LOCAL_RANK", 0)
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


def keep_freed_memory() -> bool:
    """Let the C library keep blocks that are freed, up to KEPT_BYTES, for the next step; whether it can (glibc does).

    It gives blocks of over 32 MB back at once, and the next step's come page by page, each zeroed first: that took a
    fifth of the time of scoring on a CPU. Costs some tens of MB that would else be the system's between two steps.
    """
    library = ctypes.CDLL(None) if os.name == "posix" else None
    tune = getattr(library, "mallopt", None)
    return tune is not None and all(tune(what, KEPT_BYTES) for what in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD))
