"""Scoring in default lanes beside the bare kernel, in the same lanes and in one."""

import dataclasses
from tempfile import TemporaryFile

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.alphabet import DNA
from genolstm.bench.made import random_genome
from genolstm.bench.timing import Timing, compare
from genolstm.model import NextSymbolModel
from genolstm.scoring.along_genome import score_along
from genolstm.settings import ModelSettings, StreamSettings
from genolstm.stream.seams import Seams

CHUNKS_A_LANE = 8
STRANDS = 2
ONE_LANE_SHARE = 16  # the one lane reads this part of the bases, and its time is taken so many times


class _OnDisk:
    """Tracks of both strands in an unnamed file."""

    def __init__(self, bases: int) -> None:
        with TemporaryFile() as file:  # its pages live on in the map
            self.tracks = np.memmap(file, dtype=np.float32, mode="w+", shape=(STRANDS, bases))

    def write(self, strand: int, first: int, bits: NDArray[np.float32]) -> None:
        """Write the bits of some bases, float32 [n]."""
        self.tracks[strand, first : first + len(bits)] = bits


def time_scoring(model: ModelSettings, stream: StreamSettings, device: torch.device, rounds: int) -> list[Timing]:
    """Time scoring a made genome into a file of tracks against bare kernels that read as many bases.

    What a burn-in costs is left out: it is a burn-in for each piece, and pieces are as long as the genome allows.
    """
    network = NextSymbolModel(model, seed=0).to(device).eval()
    kernel = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[model.cell](
        DNA.n_symbols, model.hidden, num_layers=model.layers, batch_first=True
    ).to(device)
    symbols = stream.lanes * stream.chunk * CHUNKS_A_LANE
    genome, everything = random_genome(symbols // STRANDS)
    inputs = torch.randn(stream.lanes, stream.chunk, DNA.n_symbols, device=device)
    one = torch.randn(1, symbols // ONE_LANE_SHARE, DNA.n_symbols, device=device)

    stream = dataclasses.replace(stream, burn_in=0, repair=False)

    def scored() -> None:
        score_along(network, genome, everything, stream, _OnDisk(everything.bases), seams=Seams())

    @torch.inference_mode()
    def side_by_side() -> None:
        state = None
        for _ in range(CHUNKS_A_LANE):
            _, state = kernel(inputs, state)

    @torch.inference_mode()
    def in_sequence() -> None:
        for _ in range(ONE_LANE_SHARE):
            kernel(one)

    name = f"nn.{type(kernel).__name__} forward"
    return [
        compare("score", f"{name}, same lanes", "bases", symbols, scored, side_by_side, rounds),
        compare("score", f"{name}, one lane", "bases", symbols, scored, in_sequence, rounds),
    ]
