"""What a rate means for a genome: bases to be read, and how long that takes."""

from typing import NamedTuple

import torch

from genolstm.regions import N_STRANDS
from genolstm.settings.reading import StreamSettings
from genolstm.strands import Rows
from genolstm.stream.pieces import pieces_of


class Estimate(NamedTuple):
    """Time that a part takes for a genome. symbols : to be read, burn-ins included.   seconds : at the part's rate."""

    part: str
    reads: str
    symbols: int
    seconds: float


def of_one_pass(part: str, bases: int, rate: float, *, strands: int = N_STRANDS) -> Estimate:
    """Every base read once: training sees a genome on both strands, a FASTA is read as it stands."""
    read = "both strands once" if strands == N_STRANDS else "the sequence once"
    return Estimate(part, read, strands * bases, strands * bases / rate)


def of_reading(part: str, bases: int, rate: float, stream: StreamSettings) -> Estimate:
    """Both strands of one contig of that many bases, cut into pieces as on a CPU, each with the longest burn-in."""
    none = torch.zeros(N_STRANDS, dtype=torch.int64)
    rows = Rows(origin=none, sign=none, length=none + bases, warmup=none, unknown_past=none)
    symbols = sum(piece.end - piece.first for piece in pieces_of(rows, stream))
    return Estimate(part, "both strands and burn-ins", symbols, symbols / rate)
