"""What every pass along a genome needs: the model, the genome, how it is cut, and which processes divide the work."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from genolstm.devices import refuse_precision
from genolstm.model import NextSymbolModel
from genolstm.ranks import ALONE, Ranks
from genolstm.settings.reading import StreamSettings
from genolstm.store.genome import Genome


@dataclass(frozen=True)
class GenomeReader:
    """A model, the genome it reads, and how it is read; the same call in every process of several.

    settings : lanes, chunk, burn-in, exactness, number format: the model is a view that reads in it.   ranks : each
    process reads contigs and strands of its own, and rank 0 gets what all have found.   on_progress : called with the
    fraction of a pass that is done, and the symbols that all processes have read in it.
    Raises UsageError for a number format that the model's device lacks.
    """

    model: NextSymbolModel
    genome: Genome
    settings: StreamSettings
    ranks: Ranks = ALONE
    on_progress: Callable[[float, int], None] | None = None

    def __post_init__(self) -> None:
        refuse_precision(self.settings.precision, self.device)
        object.__setattr__(self, "model", self.model.read_in(self.settings.precision))

    @property
    def device(self) -> torch.device:
        """Device of the model's weights."""
        return next(self.model.parameters()).device

    @property
    def strands(self) -> int:
        """Strands that are read: 2 of DNA, 1 of proteins."""
        return 1 if self.genome.alphabet.complement is None else 2

    def state_width(self, *, memories: bool) -> int:
        """Numbers in one state: layers x H, twice that with memories (h, then c)."""
        return self.model.settings.layers * self.model.settings.hidden * (2 if memories else 1)

    def report(self, read: int, to_read: int) -> None:
        """Report progress. read, to_read : symbols of this process, of one pass."""
        if self.on_progress:
            self.on_progress(min(1.0, read / max(1, to_read)), read * self.ranks.size)


def part_of(progress: Callable[[float, int], None], place: int, of: int) -> Callable[[float, int], None]:
    """Progress of one pass among several of equal length. place : of this pass, from 0.   of : how many there are."""

    def on_progress(fraction: float, symbols: int) -> None:
        per_pass = symbols / max(fraction, 1e-9)
        progress((place + fraction) / of, round((place + fraction) * per_pass))

    return on_progress
