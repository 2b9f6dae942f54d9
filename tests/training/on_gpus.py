"""`genolstm` under torchrun, each process on a pretended GPU of its own; what NCCL would send, gloo does.

With ``--first-only`` the other processes are on a machine without a GPU.
"""

import os
import sys
from contextlib import nullcontext
from pathlib import Path

import torch.distributed as dist

sys.path.insert(0, str(Path(__file__).parents[1]))
from pretended_gpu import PretendedGpu, Refused

from genolstm.cli.app import main

RANK = int(os.environ["LOCAL_RANK"])
GPU = PretendedGpu(count=2, index=RANK)
FIRST_ONLY = "--first-only" in sys.argv


def checked(send):
    """What NCCL sends lies on the device, what gloo sends on the host."""

    def sent(first, *others, group=None, **options):
        on_device = [GPU.holds(each) for each in (*(first if isinstance(first, list) else [first]), *others)]
        if any(held != (group is None) for held in on_device):
            raise Refused("NCCL sends what lies on a device, gloo what lies on the host")
        return send(first, *others, group=group, **options)

    return sent


def by_gloo(backend, **options):
    assert backend == "nccl"
    return start("gloo", **options)


start = dist.init_process_group
sys.argv = [each for each in sys.argv if each != "--first-only"]
with nullcontext() if FIRST_ONLY and RANK else GPU.present():
    if not FIRST_ONLY:
        dist.init_process_group = by_gloo
        dist.all_reduce, dist.all_gather = checked(dist.all_reduce), checked(dist.all_gather)
    main()
