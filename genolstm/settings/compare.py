"""How results are compared."""

from dataclasses import dataclass

from genolstm.settings.option import LARGEST_SEED, SAME_SEED, option
from genolstm.settings.record import Settings


@dataclass(frozen=True, kw_only=True)
class CompareSettings(Settings):
    """Resamples of blocks (and of seeds, where a group has several files), and the seed of their draws."""

    resamples: int = option(2_000, "Bootstrap resamples.", min=100)
    seed: int = option(1, SAME_SEED, min=0, max=LARGEST_SEED)
