"""Gates at a hundredth of the positions and at all of them, beside the bare kernel and beside reading alone."""

import dataclasses
from collections import deque
from functools import partial
from tempfile import TemporaryFile

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.alphabet import DNA
from genolstm.bench.bounds import bare_kernel, matrix_bound
from genolstm.bench.made import random_genome
from genolstm.bench.memory_check import Load, check_memory, explained_when_full, shape_of
from genolstm.bench.timing import Baseline, Timing, beside
from genolstm.gates.places import sample_plan
from genolstm.gates.reading import GateStatistics, walk
from genolstm.gates.tracks import Pages
from genolstm.model import NextSymbolModel
from genolstm.regions import N_STRANDS
from genolstm.settings.model import ModelSettings
from genolstm.settings.reading import StreamSettings
from genolstm.settings.train import Precision
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import read_stretches

CHUNKS_A_LANE = 8
SAMPLED = {  # bases between samples of the tracks, and of all gates of each unit
    "1 % of positions": (100, 100),
    "tracks at all positions": (1, 100),
    "all gates at all positions": (1, 1),
}


class _OnDisk:
    """Tracks of both strands in an unnamed file."""

    def __init__(self, samples: int, tracks: int, layers: int) -> None:
        shape = (N_STRANDS, samples, tracks, layers)
        with TemporaryFile() as file:  # the map outlives it
            self.tracks = np.memmap(file, dtype=np.float32, mode="w+", shape=shape)

    def write(self, strand: int, first: int, values: NDArray[np.float32]) -> None:
        """Write some samples, [n, tracks, layers]."""
        self.tracks[strand, first : first + len(values)] = values

    def read(self, strand: int, first: int, end: int) -> NDArray[np.float32]:
        """Read some samples, [n, tracks, layers]."""
        return self.tracks[strand, first:end]


def time_gates(model: ModelSettings, stream: StreamSettings, device: torch.device, rounds: int) -> list[Timing]:
    """Time sums and tracks of a made genome's gates, into a file, against forwards that read as many bases.

    The bare kernel, then reading as `stream` does it with nothing done to the blocks. What a burn-in costs is left out:
    it is a burn-in for each piece, and pieces are as long as the genome allows.
    Raises UsageError for sizes that do not fit the device's memory.
    """
    load = Load(model, stream.lanes, stream.chunk, training=False, keeps_gates=True)
    check_memory(load, device)
    with explained_when_full(load):
        return _timed(model, stream, device, rounds)


def _timed(model: ModelSettings, stream: StreamSettings, device: torch.device, rounds: int) -> list[Timing]:
    network = NextSymbolModel(model, seed=0).to(device).eval()
    kernel = bare_kernel(model, device)
    symbols = stream.lanes * stream.chunk * CHUNKS_A_LANE
    genome, everything = random_genome(symbols // N_STRANDS)
    inputs = torch.randn(stream.lanes, stream.chunk, DNA.n_symbols, device=device)
    stream = dataclasses.replace(stream, burn_in=0, repair=False)
    reader = GenomeReader(network, genome, stream)

    def gates(every: int, units_every: int) -> None:
        plan, statistics = sample_plan(genome, everything, every), GateStatistics(network, units_every)
        pages = Pages(_OnDisk(plan.samples, *statistics.shape), plan.samples, statistics.shape, stream.lanes)
        walk(reader, plan, statistics, pages)

    @torch.inference_mode()
    def bare() -> None:
        state = None
        for _ in range(CHUNKS_A_LANE):
            _, state = kernel(inputs, state)

    def reading() -> None:
        deque(read_stretches(reader, everything), maxlen=0)

    bound = matrix_bound(network, stream.lanes, Precision.FP32, training=False, device=device)
    timings = []
    for label, (every, units_every) in SAMPLED.items():
        baselines = [Baseline(f"nn.{type(kernel).__name__} forward", bare), Baseline("reading alone", reading)]
        timings += beside(
            f"gates, {label}", "bases", symbols, partial(gates, every, units_every), baselines, rounds,
            shape=shape_of(model, stream.lanes, stream.chunk), bound=bound,
        )  # fmt: skip
    return timings
