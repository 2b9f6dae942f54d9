"""Processes that work together, as torchrun starts them: they train one model, or read one genome.

In training each reads its part of the lanes, holds the same weights and makes the same update from the summed
gradients, so nothing but gradients and a few numbers travels. In reading each has contigs and strands of its own, and
what it found is handed to rank 0. A process alone is rank 0 of 1, for which all of this does nothing.
"""

import heapq
import math
import os
import secrets
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType
from typing import Any, NoReturn

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor
from torch.distributed import PrefixStore, Store  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous

from genolstm.errors import GenolstmError, UsageError
from genolstm.settings.environment import process_count

MEETING_SECONDS = 1800.0  # as long as torch waits; nodes of one job may start minutes apart
POLL_SECONDS = 0.02  # between checks for the others
READING_PATIENCE = timedelta(days=30)  # one process may have hours more to read than another
MESSAGE_BYTES = 1 << 26  # what is sent at a time, and held beside what it is put into
TRAINER_GONE = (
    "another process of this training is gone; torchrun --max-restarts starts all of them again, and --resume goes on"
    " from the last checkpoint"
)
READER_GONE = "another process of this run is gone, so that nothing was written; read its log, and start again"


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
    def is_main_process(self) -> bool:
        """Whether this process is the one that writes and reports."""
        return self.rank == 0

    def own_lanes(self, lanes: int) -> slice:
        """Lanes of this process. Raises UsageError where they cannot be divided evenly."""
        if lanes % self.size:
            raise UsageError(f"{lanes} lanes cannot be divided over {self.size} processes; choose --lanes so.")
        each = lanes // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def sum_over_processes(self, tensors: Iterable[Tensor]) -> None:
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

    def from_main(self, number: float) -> float:
        """The number of rank 0; the others' are ignored."""
        if self.size == 1:
            return number
        agreed = torch.tensor([number], dtype=torch.float64)
        with _of_all():
            dist.broadcast(agreed, src=0, group=self.control)
        return float(agreed)

    def share(self, arrays: Iterable[NDArray[Any]]) -> None:
        """Replace arrays, in place, by those of rank 0. arrays : contiguous, of the same shapes in every process."""
        for each in arrays if self.size > 1 else ():
            with _of_all(READER_GONE):
                for part in _messages(each):
                    dist.broadcast(part, src=0, group=self.control)

    def largest(self, number: float) -> float:
        """Largest of the numbers of all processes."""
        if self.size == 1:
            return number
        agreed = torch.tensor([number], dtype=torch.float64)
        with _of_all():
            dist.all_reduce(agreed, op=dist.ReduceOp.MAX, group=self.control)
        return float(agreed)

    def dealt(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rank of the process that reads each of some rows, int64 [N]; the same in every process.

        The longest first, each to whichever process has least so far (Graham 1969).   lengths : int64 [N].
        """
        owner = np.zeros(len(lengths), dtype=np.int64)
        loads = [(0, rank) for rank in range(self.size)]
        for row in np.argsort(-lengths, kind="stable").tolist() if self.size > 1 else ():
            load, owner[row] = loads[0]
            heapq.heapreplace(loads, (load + int(lengths[row]), int(owner[row])))
        return owner

    def send(self, values: NDArray[Any]) -> None:
        """Hand an array to rank 0, which takes it by `receive`; returns when it has arrived."""
        parts = _messages(np.require(values, requirements=("C", "W")))
        with _of_all(READER_GONE):
            for part in parts:
                dist.send(part, dst=0, group=self.control)
            dist.recv(torch.empty(1, dtype=torch.uint8), src=0, group=self.control)

    def receive(self, rank: int, into: NDArray[Any]) -> None:
        """Take what another process sends; only rank 0 may. into : contiguous, of the same type and shape."""
        with _of_all(READER_GONE):
            for part in _messages(into):
                dist.recv(part, src=rank, group=self.control)
            # without an answer the sender might leave while its last bytes are on their way
            dist.send(torch.ones(1, dtype=torch.uint8), dst=rank, group=self.control)

    def gathered(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Rows of all processes in order of rank, at rank 0; the others get their own back.

        rows : [n, ...], n of each process its own; few, for rank 0 holds all of them at once.
        """
        if not self.is_main_process:
            self.send(np.array([len(rows)]))
            self.send(rows)
            return rows
        parts = [rows]
        for rank in range(1, self.size):
            count = np.empty(1, dtype=np.int64)
            self.receive(rank, count)
            parts.append(np.empty((int(count[0]), *rows.shape[1:]), dtype=rows.dtype))
            self.receive(rank, parts[-1])
        return np.concatenate(parts) if self.size > 1 else rows

    def gather_into(self, values: NDArray[Any], owner: NDArray[np.int64]) -> None:
        """Put the rows that other processes found where they belong at rank 0, a slab at a time.

        values : [N, ...], filled in at rank 0.   owner : int64 [N], the rank that found each row.
        """
        if self.is_main_process:
            for rows, slab in self.incoming(owner, values.shape[1:], values.dtype):
                values[rows] = slab
        else:
            for rows in self._slabs_of(self.rank, owner, values.shape[1:], values.dtype):
                self.send(values[rows])

    def incoming(
        self, owner: NDArray[np.int64], shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
        """Rows that the others hand to rank 0 by `gather_into`, as they come: their places [k] and values [k, ...].

        shape, dtype : of one row.
        """
        for rank in range(1, self.size):
            for rows in self._slabs_of(rank, owner, shape, dtype):
                slab = np.empty((len(rows), *shape), dtype=dtype)
                self.receive(rank, slab)
                yield rows, slab

    @staticmethod
    def _slabs_of(
        rank: int, owner: NDArray[np.int64], shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> Iterator[NDArray[np.int64]]:
        """Places of the rows of one process, as many at a time as one message holds."""
        rows = np.flatnonzero(owner == rank)
        each = max(1, MESSAGE_BYTES // max(1, math.prod(shape) * dtype.itemsize))
        for first in range(0, len(rows), each):
            yield rows[first : first + each]


ALONE = Ranks()


@contextmanager
def together(device: torch.device, *, patience: timedelta | None = None) -> Iterator[Ranks]:
    """Meet the other processes that torchrun started, for as long as the context lasts; alone without torchrun.

    device : where gradients lie: NCCL sums them on CUDA, gloo on a CPU.   patience : how long one waits for another;
    None leaves it to torch.
    """
    size = process_count()
    if size == 1:
        yield ALONE
        return
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        if name not in os.environ:
            raise UsageError(f"WORLD_SIZE is {size} but {name} is not set; start with torchrun, or unset WORLD_SIZE.")
    store, rank, size = next(rendezvous("env://"))
    store = _of_this_start(store, rank, size)
    _refuse_mixed(store, rank, size, device)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=store,
        rank=rank,
        world_size=size,
        timeout=patience,
    )
    try:
        yield Ranks(rank=dist.get_rank(), size=size, control=dist.new_group(backend="gloo", timeout=patience))
    finally:
        dist.destroy_process_group()


def _of_this_start(store: Store, rank: int, size: int) -> Store:
    """Part of a store that only the processes that run now write to.

    torchrun keeps one store over its restarts, and a process that reads where a killed one listened waits for it, some
    times for ever. So each writes a token of its own, and the tokens of all name the part, once all have seen the same:
    a process of an earlier start cannot have seen the others' tokens. Raises GenolstmError when some never come.
    """
    store.set(f"token/{rank}", secrets.token_hex(8))
    until = time.monotonic() + MEETING_SECONDS
    while time.monotonic() < until:
        name = b"-".join(store.get(f"token/{each}") for each in range(size)).decode()
        store.set(f"{name}/seen by {rank}", "")
        if store.check([f"{name}/seen by {each}" for each in range(size)]):
            return PrefixStore(name, store)
        time.sleep(POLL_SECONDS)
    raise GenolstmError(
        f"not all {size} processes of this run came within {MEETING_SECONDS / 60:.0f} minutes; read the"
        " others' logs, and start again."
    )


def _refuse_mixed(store: Store, rank: int, size: int, device: torch.device) -> None:
    """Refuse processes on devices of several kinds, which would wait for each other for ever. Raises UsageError."""
    store.set(f"device/{rank}", device.type)
    first, *others = (store.get(f"device/{each}").decode() for each in range(size))
    for each, other in enumerate(others, start=1):
        if other != first:
            raise UsageError(
                f"process 0 computes on {first} and process {each} of {size} on {other}: start all on machines with as"
                " many GPUs as processes, or give all --device cpu."
            )


@contextmanager
def reading_together() -> Iterator[Ranks]:
    """Meet the other processes that read the same genome, as `together`; what travels goes by way of the CPU.

    torchrun ends all processes when one has failed, by SIGTERM: here that raises GenolstmError, so that whoever writes
    takes away what is half done.
    """
    if process_count() == 1:
        yield ALONE
        return
    before = signal.signal(signal.SIGTERM, _ended)
    try:
        with together(torch.device("cpu"), patience=READING_PATIENCE) as ranks:
            yield ranks
    finally:
        signal.signal(signal.SIGTERM, before)


def _ended(number: int, _: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # once is enough: what is half done is being taken away
    problem = GenolstmError(
        f"stopped by signal {number}, as torchrun sends when another process has failed or all are to stop: nothing was"
        " written; read the others' logs, and start again."
    )
    problem.exit_code = 128 + number
    raise problem


def _messages(values: NDArray[Any]) -> list[Tensor]:
    """Bytes of a contiguous array, in parts that are sent one by one; they are not copied."""
    content = torch.from_numpy(values.reshape(-1).view(np.uint8))
    return [content[first : first + MESSAGE_BYTES] for first in range(0, len(content), MESSAGE_BYTES)]


@contextmanager
def _of_all(gone: str = TRAINER_GONE) -> Iterator[None]:
    try:
        yield
    except RuntimeError as problem:  # what torch raises when a peer has gone
        raise GenolstmError(f"{gone} ({str(problem).splitlines()[0]}).") from problem
