"""Scoring in default lanes beside the bare kernel, in the same lanes and in one."""

import dataclasses
from tempfile import TemporaryFile

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.alphabet import DNA
from genolstm.bench.bounds import bare_kernel, matrix_bound
from genolstm.bench.made import random_genome
from genolstm.bench.memory_check import Load, check_memory, explained_when_full, shape_of
from genolstm.bench.timing import Baseline, Timing, beside
from genolstm.devices import refuse_precision
from genolstm.model import NextSymbolModel, products_in
from genolstm.regions import N_STRANDS
from genolstm.scoring.along_genome import score_along
from genolstm.settings.model import ModelSettings
from genolstm.settings.reading import StreamSettings
from genolstm.stream.reader import GenomeReader
from genolstm.stream.seams import Seams

CHUNKS_A_LANE = 8
ONE_LANE_SHARE, ONE_LANE_MOST = 8, 1 << 16  # the one lane is slow: it reads this part of the bases, so many at most


class _OnDisk:
    """Tracks of both strands in an unnamed file."""

    def __init__(self, bases: int) -> None:
        with TemporaryFile() as file:  # its pages live on in the map
            self.tracks = np.memmap(file, dtype=np.float32, mode="w+", shape=(N_STRANDS, bases))

    def write(self, strand: int, first: int, bits: NDArray[np.float32]) -> None:
        """Write the bits of some bases, float32 [n]."""
        self.tracks[strand, first : first + len(bits)] = bits


def time_scoring(model: ModelSettings, stream: StreamSettings, device: torch.device, rounds: int) -> list[Timing]:
    """Time scoring a made genome into a file of tracks against bare kernels that read as many bases.

    What a burn-in costs is left out: it is a burn-in for each piece, and pieces are as long as the genome allows.
    Raises UsageError for sizes that do not fit the device's memory, or a number format that it lacks.
    """
    refuse_precision(stream.precision, device)
    load = Load(model, stream.lanes, stream.chunk, training=False, keeps_gates=False)
    check_memory(load, device)
    with explained_when_full(load):
        return _timed(model, stream, device, rounds)


def _timed(model: ModelSettings, stream: StreamSettings, device: torch.device, rounds: int) -> list[Timing]:
    network = NextSymbolModel(model, seed=0).to(device).eval()
    kernel = bare_kernel(model, device)
    symbols = stream.lanes * stream.chunk * CHUNKS_A_LANE
    genome, everything = random_genome(symbols // N_STRANDS)
    inputs = torch.randn(stream.lanes, stream.chunk, DNA.n_symbols, device=device)
    one = torch.randn(1, min(symbols // ONE_LANE_SHARE, ONE_LANE_MOST), DNA.n_symbols, device=device)
    reader = GenomeReader(network, genome, dataclasses.replace(stream, burn_in=0, repair=False))

    def scored() -> None:
        score_along(reader, everything, _OnDisk(everything.bases), seams=Seams())

    @torch.inference_mode()
    def side_by_side() -> None:
        state = None
        with products_in(stream.precision, device):
            for _ in range(CHUNKS_A_LANE):
                _, state = kernel(inputs, state)

    @torch.inference_mode()
    def in_sequence() -> None:
        with products_in(stream.precision, device):
            kernel(one)

    name = f"nn.{type(kernel).__name__} forward"
    baselines = [
        Baseline(f"{name}, same lanes", side_by_side),
        Baseline(f"{name}, one lane", in_sequence, one.shape[1]),
    ]
    return beside(
        "score",
        "bases",
        symbols,
        scored,
        baselines,
        rounds,
        shape=f"{shape_of(model, stream.lanes, stream.chunk)}, {stream.precision}",
        bound=matrix_bound(network, stream.lanes, stream.precision, training=False, device=device),
    )
