"""How a trained model reads whole contigs: for bits, for gates, for variants."""

import math
from dataclasses import dataclass

from genolstm.errors import UsageError
from genolstm.settings.record import Settings


@dataclass(frozen=True, kw_only=True)
class StreamSettings(Settings):
    """How whole contigs are read by a trained model.

    lanes : pieces read side by side.   chunk : symbols a step.   burn_in : symbols read before a piece to build its
    state.   exact : one lane for each contig and strand, no pieces.
    repair : read pieces again from the true state where the burned-in one differs from it by more than `tolerance`.
    tolerance : largest difference of any unit, of h as it is and of c as a share of 1 + |c|.
    """

    lanes: int = 64
    chunk: int = 512
    burn_in: int = 16_384
    exact: bool = False
    repair: bool = True
    tolerance: float = 5e-6

    def __post_init__(self) -> None:
        for name, least in (("lanes", 1), ("chunk", 1), ("burn_in", 0)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} must be at least {least}, not {getattr(self, name)}.")
        if not 0 < self.tolerance < math.inf:
            raise UsageError(f"tolerance must be above 0, not {self.tolerance}.")


@dataclass(frozen=True, kw_only=True)
class GatesSettings(Settings):
    """How gates are sampled along a genome, and what is asked of them.

    every : bases between samples of the tracks, which need the forget gate alone.   units_every : bases between
    samples of all gates of each unit.   memory_bases : symbols that the functional memory curve reads for each K,
    both strands; 0 leaves it out.   reset_share : a reset is a local minimum of the mean forget gate in this lowest
    share of the samples. reach : bases shown on either side of a boundary.   near : bases on either side over which
    its gates are averaged. match_kmer : letters, the last of them at the position, that a matched position
    shares.   matches : positions matched to each boundary.   permutations : of the test.   resamples : of
    bootstraps.   block_bp : bases resampled together.
    """

    every: int = 100
    units_every: int = 100
    memory_bases: int = 300_000
    reset_share: float = 0.001
    reach: int = 50
    near: int = 10
    match_kmer: int = 6
    matches: int = 5
    permutations: int = 10_000
    resamples: int = 1_000
    block_bp: int = 100_000
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("every", "units_every", "reach", "match_kmer", "matches", "permutations", "resamples", "block_bp"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.memory_bases < 0:
            raise UsageError(f"memory bases must be at least 0, not {self.memory_bases}.")
        if not 0 <= self.near <= self.reach:
            raise UsageError(f"near must lie between 0 and the reach of {self.reach}, not be {self.near}.")
        if not 0 < self.reset_share < 1:
            raise UsageError(f"the reset share must lie between 0 and 1, not be {self.reset_share}.")


@dataclass(frozen=True, kw_only=True)
class VariantSettings(Settings):
    """How variants are scored.

    window : reference bases after an allele, in reading direction, that count beside the allele's own.   batch :
    alleles read side by side.   lanes, chunk, burn_in, exact : how the genome before the variants is read, see
    `StreamSettings`; an allele is read from the last chunk that begins before it, so that short chunks save work.
    """

    window: int = 64
    batch: int = 256
    lanes: int = StreamSettings.lanes
    chunk: int = 16
    burn_in: int = StreamSettings.burn_in
    exact: bool = StreamSettings.exact

    def __post_init__(self) -> None:
        for name, least in (("window", 0), ("batch", 1)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} must be at least {least}, not {getattr(self, name)}.")
        _ = self.stream  # its own checks

    @property
    def stream(self) -> StreamSettings:
        """How the genome before the variants is read."""
        return StreamSettings(lanes=self.lanes, chunk=self.chunk, burn_in=self.burn_in, exact=self.exact)
