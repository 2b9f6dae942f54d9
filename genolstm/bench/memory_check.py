"""Whether a part fits a device's memory."""

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from genolstm.alphabet import ALPHABETS
from genolstm.errors import UsageError
from genolstm.model import NextSymbolModel
from genolstm.scoring.recall import RecallPlan
from genolstm.settings.model import ModelSettings, TrainableCell
from genolstm.settings.recall import FEWEST_INDEX_BITS
from genolstm.settings.train import Precision

PARTS_OF_CELL = {TrainableCell.LSTM: 4, TrainableCell.GRU: 3, TrainableCell.RNN: 1, TrainableCell.TIED: 3}
FLOAT_BYTES = 4
COPIES_TRAINED = 4 + 2  # weights, gradients, two moments of AdamW; weights and gradients of the bare kernel
COPIES_READ = 1 + 1
BESIDE_GATES = 3  # numbers a unit keeps of a step beside its gates: hidden state, memory, its tanh
CGROUPS = (  # limit and use of a job, of either version
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
MEMINFO = "/proc/meminfo"
FORMAT_LANES, FORMAT_SYMBOLS, FORMAT_ROUNDS = 16, 64, 5  # of a trial of a number format


class Load(NamedTuple):
    """What a part holds at once. keeps_gates : for a backward pass, or to be analysed."""

    model: ModelSettings
    lanes: int
    chunk: int
    training: bool
    keeps_gates: bool

    def __str__(self) -> str:
        return f"{self.model.cell} {shape_of(self.model, self.lanes, self.chunk)}"

    @property
    def bytes(self) -> int:
        """Bytes of weights and of what one chunk leaves behind: an estimate from below."""
        gates, hidden, layers = PARTS_OF_CELL[self.model.cell], self.model.hidden, self.model.layers
        alphabet = ALPHABETS[self.model.alphabet]
        inputs = alphabet.n_symbols + (layers - 1) * hidden
        weights = gates * hidden * (inputs + layers * (hidden + 2)) + (hidden + 1) * alphabet.n_known
        of_symbol = layers * hidden * (gates + BESIDE_GATES if self.keeps_gates else 1) + 2 * alphabet.n_symbols
        copies = COPIES_TRAINED if self.training else COPIES_READ
        return FLOAT_BYTES * (copies * weights + self.lanes * self.chunk * of_symbol)


def shape_of(model: ModelSettings, lanes: int, chunk: int) -> str:
    """'1x128, 64 lanes x 512'."""
    return f"{model.layers}x{model.hidden}, {lanes} lanes x {chunk}"


def check_memory(load: Load, device: torch.device) -> None:
    """Refuse what cannot fit. Raises UsageError that names the size, what fits, and the option."""
    free = free_bytes(device)
    if load.bytes <= free:
        return
    needed = (
        f"{load} needs at least {load.bytes / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free on {device.type}; it fits"
    )
    for option in ("lanes", "chunk"):
        most = _most(lambda value, name=option: load._replace(**{name: value}).bytes <= free, getattr(load, option))  # type: ignore[misc]
        if most:
            raise UsageError(f"{needed} with --{option} {most}.")
    model = load.model.to_json()
    least = load._replace(lanes=1, chunk=1)
    most = _most(lambda units: least._replace(model=ModelSettings(**{**model, "hidden": units})).bytes <= free,
                 load.model.hidden)  # fmt: skip
    raise UsageError(f"{needed} in no number of lanes: lower --hidden to {most} at most, or --layers.")


def check_recall_memory(plan: RecallPlan) -> None:
    """Refuse a recall whose memory cannot fit. Raises UsageError that names the size, what fits, and the option."""
    free = free_bytes(torch.device("cpu"))
    if plan.bytes <= free:
        return
    settings = plan.settings
    needed = (
        f"recall of {plan.capacity:,} bases by {len(settings.recall_lengths)} window lengths and"
        f" {len(settings.recall_orders)} context lengths needs {plan.bytes / 1e9:,.2f} GB, and {free / 1e9:,.2f} GB are"
        " free"
    )
    most = _most(lambda bits: plan.bytes_with(bits) <= free, settings.recall_index_bits)
    if most >= FEWEST_INDEX_BITS:
        raise UsageError(f"{needed}; it fits with --recall-index-bits {most}, or fewer --recall-lengths and -orders.")
    raise UsageError(
        f"{needed} with any --recall-index-bits: give fewer --recall-orders (a context of k bases up to 12 takes"
        " 8 * 4^k bytes), or '' for none."
    )


def _most(fits: Callable[[int], bool], above: int) -> int:
    """Largest whole number below `above` that fits, 0 for none; what is larger than one that does not fit does not."""
    low, high = 0, above
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def free_bytes(device: torch.device) -> int:
    """Memory that a device has left; of the CPU what the system has available and the job's limit allows."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    known = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    if Path(MEMINFO).exists():
        lines = dict(line.split(":", 1) for line in Path(MEMINFO).read_text().splitlines())
        known.append(int(lines["MemAvailable"].split()[0]) * 1024)
    for limit, used in CGROUPS:
        if Path(limit).exists() and (text := Path(limit).read_text().strip()).isdigit():
            known.append(max(0, int(text) - int(Path(used).read_text())))
    return min(known)


def speed_of_format(model: NextSymbolModel) -> float:
    """How many times as fast as in fp32 a model reads in its own number format here, measured on a few steps."""
    codes = torch.zeros(FORMAT_LANES, FORMAT_SYMBOLS, dtype=torch.uint8, device=model.head.weight.device)
    views = [model.read_in(Precision.FP32), model]
    seconds = [math.inf, math.inf]
    with torch.inference_mode():
        for _ in range(FORMAT_ROUNDS):
            for place, view in enumerate(views):
                began = time.perf_counter()
                float(view.forward(codes, view.initial_state(FORMAT_LANES)).logits[0, 0, 0])  # waits for a GPU
                seconds[place] = min(seconds[place], time.perf_counter() - began)
    return seconds[0] / seconds[1]


@contextmanager
def explained_when_full(load: Load) -> Iterator[None]:
    """Context in which a GPU that runs out of memory raises UsageError, in one sentence."""
    try:
        yield
    except torch.OutOfMemoryError as problem:
        raise UsageError(
            f"the GPU ran out of memory with {load}; lower --lanes (now {load.lanes}), --chunk or --hidden."
        ) from problem
