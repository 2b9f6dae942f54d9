"""The studies, and how they are run."""

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from genolstm.errors import UsageError
from genolstm.settings.record import Settings


class StudyName(StrEnum):
    """The studies, in the order in which `study all` runs them."""

    HALF_LIFE = "half-life"
    VANISHING = "vanishing"
    COPY = "copy"
    BRACKETS = "brackets"
    COUNTING = "counting"
    FORGETTING = "forgetting"
    VOLATILITY = "volatility"
    PARSIMONY = "parsimony"
    KNOCKOUT = "knockout"
    TELEMETRY = "telemetry"


@dataclass(frozen=True, kw_only=True)
class StudySettings(Settings):
    """How the studies are run.

    quick : smaller sizes, fewer steps and seeds: all studies in five minutes on two cores.   repeats : networks trained
    from seeds of their own behind each interval, where not quick.
    prices, exogenous : CSV files of date and close for `volatility`, in place of the series it knows; '' for none.
    biases : forget biases that `half-life` measures.   chrono : horizon T of its 'chrono:T', steps.
    lags : steps between what `vanishing` shows and when it asks, increasing.   delays : blanks between the symbols and
    the cue of `copy`, increasing.   distances : symbols from an opening bracket to its closing one, increasing.
    Of all three () takes the study's own, fewer where quick.   length : symbols of each sequence of `copy`, with blanks
    in front; 0: as many as its delay needs.   window : symbols that the windowed Transformer of `copy` and `brackets`
    sees in one layer, its own included.   longest : largest n of a^n b^n that `counting` trains on.
    """

    quick: bool = False
    repeats: int = 5
    seed: int = 1
    prices: str = ""
    exogenous: str = ""
    biases: tuple[float, ...] = (0.0, 1.0, 2.0, 3.0, 5.0)
    chrono: int = 100
    lags: tuple[int, ...] = ()
    delays: tuple[int, ...] = ()
    distances: tuple[int, ...] = ()
    length: int = 0
    window: int = 16
    longest: int = 20

    def __post_init__(self) -> None:
        if self.repeats < 2:
            raise UsageError(f"repeats must be at least 2, not {self.repeats}: one network gives no interval.")
        for name in ("biases", "lags", "delays", "distances"):
            values = tuple(getattr(self, name))
            object.__setattr__(self, name, values)
            if any(later <= earlier for earlier, later in pairwise(values)):
                raise UsageError(f"{name} must increase, unlike {','.join(map('{:g}'.format, values))}.")
        for name, least in {"lags": 1, "delays": 1, "distances": 2}.items():
            if any(value < least for value in getattr(self, name)):
                raise UsageError(f"{name} must be at least {least}, not {min(getattr(self, name))}.")
        if not self.biases or any(abs(bias) > LARGEST_BIAS for bias in self.biases):
            raise UsageError(f"biases must lie within -{LARGEST_BIAS} and {LARGEST_BIAS}.")
        for name, least in {"chrono": 3, "window": 2, "longest": 5, "length": 0}.items():
            if getattr(self, name) < least:
                raise UsageError(f"{name} must be at least {least}, not {getattr(self, name)}.")


LARGEST_BIAS = 8  # half-lives of 2,000 steps: longer ones would be measured for minutes
STUDY_OPTIONS: dict[str, tuple[StudyName, ...]] = {  # options of `study` that are not for every study
    "biases": (StudyName.HALF_LIFE,),
    "chrono": (StudyName.HALF_LIFE,),
    "lags": (StudyName.VANISHING,),
    "delays": (StudyName.COPY,),
    "length": (StudyName.COPY,),
    "distances": (StudyName.BRACKETS,),
    "window": (StudyName.COPY, StudyName.BRACKETS),
    "longest": (StudyName.COUNTING,),
    "prices": (StudyName.VOLATILITY,),
    "exogenous": (StudyName.VOLATILITY,),
}
