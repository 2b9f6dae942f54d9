"""Processes that train one model together, as torchrun starts them: each reads its share of the lanes.

Every process holds the same weights and makes the same update from the summed gradients, so nothing but gradients and
a few numbers travels. A process alone is rank 0 of 1, for which all of this does nothing.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from genolstm.errors import GenolstmError, UsageError


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """One process of several.

    rank : of this process, from 0; rank 0 writes.   size : of all.   control : group of plain numbers, always by gloo
    on the CPU, so that agreeing on one does not wait for a GPU.
    """

    rank: int = 0
    size: int = 1
    control: "dist.ProcessGroup | None" = None

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes and reports."""
        return self.rank == 0

    def share(self, lanes: int) -> slice:
        """Lanes of this process. Raises UsageError where they cannot be divided evenly."""
        if lanes % self.size:
            raise UsageError(f"{lanes} lanes cannot be divided over {self.size} processes; choose --lanes so.")
        each = lanes // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def add_up(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its sum over all processes, in one message; every process gets the same bits."""
        if self.size == 1:
            return
        held = list(tensors)
        flat = torch.cat([tensor.detach().flatten().float() for tensor in held])
        with _of_all():
            dist.all_reduce(flat)
        for tensor, summed in zip(held, torch.split(flat, [tensor.numel() for tensor in held]), strict=True):
            tensor.detach().copy_(summed.view_as(tensor))

    def joined(self, lanes: Tensor) -> Tensor:
        """Put every process's lanes side by side: [layers, B / size, H] -> [layers, B, H]."""
        if self.size == 1:
            return lanes
        parts = [torch.empty_like(lanes) for _ in range(self.size)]
        with _of_all():
            dist.all_gather(parts, lanes.contiguous())
        return torch.cat(parts, dim=1)

    def from_leader(self, number: float) -> float:
        """Number that rank 0 gives; the others' is ignored."""
        if self.size == 1:
            return number
        told = torch.tensor([number], dtype=torch.float64)
        with _of_all():
            dist.broadcast(told, src=0, group=self.control)
        return float(told)

    def largest(self, number: float) -> float:
        """Give the largest of what the processes give."""
        if self.size == 1:
            return number
        told = torch.tensor([number], dtype=torch.float64)
        with _of_all():
            dist.all_reduce(told, op=dist.ReduceOp.MAX, group=self.control)
        return float(told)


ALONE = Ranks()


@contextmanager
def together(device: torch.device) -> Iterator[Ranks]:
    """Meet the other processes that torchrun started, for as long as the context lasts; alone without torchrun.

    device : where gradients lie: NCCL sums them on CUDA, gloo on a CPU.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(rank=dist.get_rank(), size=size, control=dist.new_group(backend="gloo"))
    finally:
        dist.destroy_process_group()


@contextmanager
def _of_all() -> Iterator[None]:
    try:
        yield
    except RuntimeError as problem:  # what torch raises when a peer has gone
        raise GenolstmError(
            "another process of this training is gone; torchrun --max-restarts starts all of them again, and --resume"
            f" goes on from the last checkpoint ({str(problem).splitlines()[0]})."
        ) from problem
