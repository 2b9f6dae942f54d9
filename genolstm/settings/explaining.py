"""How dependencies between bases are measured, how sequences are drawn, and how motifs are found."""

import math
from dataclasses import dataclass

from genolstm.errors import UsageError
from genolstm.settings.option import LARGEST_SEED, SAME_SEED, option, option_of
from genolstm.settings.quantities import parse_size
from genolstm.settings.reading import StreamSettings
from genolstm.settings.record import Settings


@dataclass(frozen=True, kw_only=True)
class DependencySettings(Settings):
    """How dependencies are read.

    window : bases on either side of a changed base whose predictions are compared.   tolerance : where the states of
    both readings differ by no more (see `stream.seams.max_state_difference`), the reading ends early; 0 reads all.
    batch : changes read side by side.   blocks : strongest blocks off the diagonal that are listed.   introns : tested
    in place of a map.   matches : pairs matched to each intron.   lanes, chunk, burn_in, exact : how the genome before
    the changes is read, see `StreamSettings`.
    """

    window: int = option(256, "Bases on either side of a changed base whose predictions are compared.", min=1)
    tolerance: float = option(
        5e-6, "A reading ends early where its state is as near as this to that of the genome as it is; 0: never.", min=0
    )
    batch: int = option(384, "Changes read side by side.", min=1)
    blocks: int = option(20, "Strongest blocks off the diagonal that are listed.", min=0)
    introns: int = option(
        0,
        "In place of a map, test whether donors and acceptors of this many introns are coupled; needs --annotation.",
        min=0,
    )
    matches: int = option(4, "GT..AG pairs at the same distance for each intron.", min=1, max=100)
    resamples: int = option(2_000, "Bootstrap resamples of intervals.", min=20)
    block_bp: int = option(10_000, "Window of genome resampled together.", min=1)
    lanes: int = option_of(StreamSettings, "lanes")
    chunk: int = 8
    burn_in: int = option_of(StreamSettings, "burn_in")
    exact: bool = option_of(StreamSettings, "exact")
    seed: int = option(1, SAME_SEED, min=0, max=LARGEST_SEED)

    def __post_init__(self) -> None:
        for name in ("window", "batch", "matches", "resamples", "block_bp"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")
        for name in ("blocks", "introns"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} must be at least 0, not {getattr(self, name)}.")
        if not 0 <= self.tolerance < math.inf:
            raise UsageError(f"tolerance must be at least 0, not {self.tolerance}.")
        _ = self.stream  # its own checks

    @property
    def stream(self) -> StreamSettings:
        """How the genome before the changes is read."""
        return StreamSettings(lanes=self.lanes, chunk=self.chunk, burn_in=self.burn_in, exact=self.exact)


@dataclass(frozen=True, kw_only=True)
class SampleSettings(Settings):
    """How sequences are drawn from a model.

    number : sequences.   length : symbols of each.   temperature : logits are divided by it; 0 takes the likeliest.
    batch : sequences drawn side by side; it changes none of them.
    """

    number: int = option(10, "Sequences to draw.", "--number", "-n", min=1)
    length: int = option(1_000, "Symbols of each sequence.", "--length", min=1, read=parse_size)
    temperature: float = option(
        1.0, "Above 1 more even, below 1 more of what is likely; 0 takes the likeliest symbol each time."
    )
    batch: int = option(256, "Sequences drawn side by side; it changes none of them.", min=1)
    seed: int = option(1, SAME_SEED, min=0, max=LARGEST_SEED)

    def __post_init__(self) -> None:
        for name in ("number", "length", "batch"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not 0 <= self.temperature < math.inf:
            raise UsageError(f"temperature must be at least 0, not {self.temperature:g}.")


@dataclass(frozen=True, kw_only=True)
class MotifSettings(Settings):
    """How motifs are found around the places where a model's evidence lies.

    seqlets : the strongest places at most, and never more than a tenth of all; the others give the background.
    reach : bases on either side of a place.   matches : background places of each.   motifs : reported at most.
    resamples, block_bp : of the bootstrap; blocks also divide the places into those that motifs are found on and those
    that they are judged on.
    """

    seqlets: int = option(2_000, "Strongest places at most; never more than a tenth of all.", min=1)
    reach: int = option(30, "Bases on either side of a place.", min=8, max=500)
    matches: int = option(4, "Background places of like composition for each place.", min=1, max=100)
    motifs: int = option(5, "Motifs of each target at most.", min=1, max=50)
    resamples: int = option(1_000, "Bootstrap resamples of intervals.", min=20)
    block_bp: int = option(10_000, "Window of genome resampled together.", min=1)
    seed: int = option(1, SAME_SEED, min=0, max=LARGEST_SEED)

    def __post_init__(self) -> None:
        for name in ("seqlets", "matches", "motifs", "resamples", "block_bp"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.reach < 8:
            raise UsageError(f"reach must be at least 8, not {self.reach}: words of 8 bases are looked for.")
