"""How many threads a command uses on a CPU: what it was given, never more, and fewer where a step is small.

Some kernels sum in another order with another number of threads, so the number follows from the size of a step and the
cores of the job alone, never from a measurement: the same command gives the same result however busy the machine is.
What was measured is logged, for whoever wants to give --threads.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from genolstm.errors import UsageError
from genolstm.settings.environment import whole_number
from genolstm.settings.model import ModelSettings, TrainableCell

GATES = {TrainableCell.LSTM: 4, TrainableCell.GRU: 3, TrainableCell.RNN: 1, TrainableCell.TIED: 3}
KERNELS = {TrainableCell.LSTM: nn.LSTM, TrainableCell.RNN: nn.RNN}  # what stands for a cell in a trial; else nn.GRU
# of one layer and one symbol in all lanes: waking a thread costs tens of microseconds, in which a core does about 2e6
FLOPS_A_THREAD = 8e6
TRIAL_ROUNDS, TRIAL_SECONDS = 4, 1.0
PAYS = 0.9  # of the time with fewer threads, from which on a difference is worth reporting
CGROUP_OF_PROCESS, CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def set_threads(threads: int | None) -> int:
    """Let torch and BLAS use this many threads, or the allotted ones; returns the number.

    Raises UsageError for more threads than the machine has logical cores.
    """
    cores = os.cpu_count() or 1
    if threads and threads > cores:
        raise UsageError(
            f"--threads {threads}: this machine has {cores} logical core{'s' * (cores > 1)}; give {cores} at most, or 0"
            " for what this job was given."
        )
    chosen = threads or allotted_threads()
    torch.set_num_threads(chosen)
    with suppress(ImportError):  # as on a machine that has torch and little else; the network does not need it
        from threadpoolctl import threadpool_limits  # noqa: PLC0415

        threadpool_limits(limits=chosen)  # the BLAS under NumPy and SciPy
    return chosen


def allotted_threads() -> int:
    """Threads that this process may use, at least 1: the least of what was set.

    That is the affinity mask, the CPU quota of its control group, SLURM_CPUS_PER_TASK (these three divided by the
    processes that torchrun started on this machine), and OMP_NUM_THREADS.
    """
    cores = [len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, *_quotas()]
    if by_slurm := _first_number("SLURM_CPUS_PER_TASK"):
        cores.append(by_slurm)
    mine = max(1, min(cores) // whole_number("LOCAL_WORLD_SIZE", 1, least=1))
    return min(mine, _first_number("OMP_NUM_THREADS") or mine)


def _first_number(name: str) -> int:
    """'4' or, of nested levels, '4,2' as 4; 0 for what is unset or no number, as OpenMP ignores it."""
    text = os.environ.get(name, "").split(",")[0].strip()
    return int(text) if text.isascii() and text.isdecimal() else 0


def _quotas() -> Iterator[int]:
    """Whole CPUs of every quota on this process's control groups, of either version."""
    if not CGROUP_OF_PROCESS.exists():
        return
    for line in CGROUP_OF_PROCESS.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = CGROUPS / controllers if controllers else CGROUPS
        own = root / path.lstrip("/")
        for folder in (own, *own.parents):
            if folder == root.parent:
                break
            yield from _quota(folder)


def _quota(folder: Path) -> Iterator[int]:
    """Whole CPUs, rounded down, that one control group may use at a time; nothing where it is not limited."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        elif (folder / "cpu.cfs_quota_us").exists():
            quota, period = ((folder / name).read_text().strip() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
        else:
            return
    except PermissionError:  # a container may hide its host's
        return
    if quota.isdecimal() and int(period):
        yield max(1, int(quota) // int(period))


def threads_of_step(model: ModelSettings, lanes: int, allotted: int) -> int:
    """Threads for steps of this size: one for each FLOPS_A_THREAD of a layer's product for one symbol in all lanes."""
    flops = 2 * lanes * GATES[model.cell] * model.hidden * model.hidden
    return max(1, min(allotted, int(flops // FLOPS_A_THREAD)))


class ThreadTrial(NamedTuple):
    """Seconds of a step of the bare kernel with one thread and with `most`, the best of some rounds each."""

    one: float
    several: float
    most: int

    def advice(self, used: int) -> str:
        """Sentence for the log. used : threads that the command will use."""
        measured = (
            f"a step of the bare kernel takes {1000 * self.one:.3g} ms with 1 thread, {1000 * self.several:.3g} ms with"
            f" {self.most}: "
        )
        if self.several < PAYS * self.one:
            return measured + (f"--threads {self.most} would be faster" if used < self.most else "they pay")
        if self.one < PAYS * self.several:
            return measured + ("more do not pay" if used == 1 else "--threads 1 would be faster")
        return measured + "about the same"


def try_threads(model: ModelSettings, lanes: int, chunk: int, most: int, *, training: bool) -> ThreadTrial:
    """Time a step with 1 and with `most` threads in turn, for about TRIAL_SECONDS; threads are left as they were."""
    before = torch.get_num_threads()
    taken: dict[int, list[float]] = {1: [], most: []}
    with _random_state_kept():
        kernel = KERNELS.get(model.cell, nn.GRU)(model.hidden, model.hidden, batch_first=True)
        inputs = torch.rand(lanes, chunk, model.hidden)
    began = time.perf_counter()
    try:
        for round_ in range(TRIAL_ROUNDS):
            for threads in taken:
                torch.set_num_threads(threads)
                started = time.perf_counter()
                with torch.set_grad_enabled(training):
                    hidden, _ = kernel(inputs)
                    if training:
                        hidden.sum().backward()
                taken[threads].append(time.perf_counter() - started)
            if round_ and time.perf_counter() - began > TRIAL_SECONDS:
                break
    finally:
        torch.set_num_threads(before)
    return ThreadTrial(min(taken[1]), min(taken[most]), most)


@contextmanager
def _random_state_kept() -> Iterator[None]:
    state = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(state)
