"""How a fitted probe is applied along a genome."""

from dataclasses import dataclass

from genolstm.errors import UsageError
from genolstm.settings.option import LARGEST_SEED, SAME_SEED, option, option_of
from genolstm.settings.probe import ProbeSettings
from genolstm.settings.record import Settings


@dataclass(frozen=True, kw_only=True)
class PredictSettings(Settings):
    """Which candidates are predicted, at which ratio of true ones, and which are written.

    every_base : of a probe of points, every base of both strands is a candidate.   step : of a probe of windows, bases
    from one to the next; 0 for their width.   natural_ratio : true sites among all candidates; 0 for the probe's own.
    min_score : probability below which candidates are left out of the table and the BED.   min_intron : as in
    `ProbeSettings`, of the annotation that predictions are judged by.   resamples, block_bp : of intervals.
    """

    every_base: bool = option(False, "Of a probe of points: every base of both strands is a candidate.")
    step: int = option(0, "Of a probe of windows: bases from one window to the next; 0 for their width.", min=0)
    natural_ratio: float = option(
        0.0, "True sites among all candidates (0 to 1); 0 takes what the probe has counted.", min=0, max=1
    )
    min_score: float = option(
        0.0, "Leave candidates of a lower probability (0 to 1) out of the table and the BED.", min=0, max=1
    )
    min_intron: int = option_of(ProbeSettings, "min_intron")
    resamples: int = option(200, "Bootstrap resamples of intervals, with --annotation or --labels.", min=20)
    block_bp: int = option_of(ProbeSettings, "block_bp")
    seed: int = option(1, SAME_SEED, min=0, max=LARGEST_SEED)

    def __post_init__(self) -> None:
        for name, least in (("step", 0), ("min_intron", 1), ("resamples", 20), ("block_bp", 1)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} must be at least {least}, not {getattr(self, name)}.")
        for name in ("natural_ratio", "min_score"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 0 and below 1, not {getattr(self, name)}.")
