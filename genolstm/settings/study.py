"""The studies, and how they are run."""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import pairwise
from pathlib import Path

from genolstm.errors import UsageError
from genolstm.settings.option import LARGEST_SEED, SAME_SEED, option
from genolstm.settings.quantities import parse_numbers, parse_whole_numbers
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
    LONG_LAGS = "long-lags"
    SOURCE_CODE = "source-code"
    BOUNDARY = "boundary"
    CHROMATIN = "chromatin"


@dataclass(frozen=True, kw_only=True)
class StudySettings(Settings):
    """How the studies are run.

    quick : smaller sizes, fewer steps and seeds: all studies in five minutes on two cores.   repeats : networks trained
    from seeds of their own behind each interval, where not quick.
    prices : CSV of date and close for `volatility`, in place of its own series; exogenous : CSV of date and columns of
    either sign beside them.   log : CSV of session, time and action for `telemetry`.   scores, genome, annotation :
    score file, genome file and genes for `boundary`.   gates : gates file with boundaries for `chromatin`.   '' for
    none of these.
    biases : forget biases that `half-life` measures.   chrono : horizon T of its 'chrono:T', steps.
    lags : steps from the symbol of `vanishing` to the question, increasing.   delays : blanks between the symbols and
    the cue of `copy`, increasing.   distances : symbols from an opening bracket to its closing one, increasing.
    Of all three () takes the study's own, fewer where quick.   length : symbols of each sequence of `copy`, with blanks
    in front; 0: as many as its delay needs.   window : symbols that the windowed Transformer of `copy` and `brackets`
    sees in one layer, its own included.   longest : largest n of a^n b^n that `counting` trains on.
    """

    quick: bool = option(False, "Smaller sizes, fewer steps and seeds: all of them in five minutes.")
    repeats: int = option(5, "Networks trained from seeds of their own behind each interval.")
    seed: int = option(1, SAME_SEED, min=0, max=LARGEST_SEED)
    prices: str = option(
        "", "volatility: CSV of date and close, in place of the S&P 500.", read=str, kind=Path, shown=None
    )
    exogenous: str = option(
        "", "volatility: CSV of date and signed columns that may steer the gates.", read=str, kind=Path, shown=None
    )
    log: str = option(
        "", "telemetry: CSV of session, time and action, in place of made logs.", read=str, kind=Path, shown=None
    )
    scores: str = option("", "boundary: file of 'genolstm score'.", read=str, kind=Path, shown=None)
    genome: str = option("", "boundary: the genome that was scored.", read=str, kind=Path, shown=None)
    annotation: str = option("", "boundary: GTF or GFF3 of that genome.", read=str, kind=Path, shown=None)
    gates: str = option(
        "", "chromatin: file of 'genolstm gates --boundaries peaks.bed'.", read=str, kind=Path, shown=None
    )
    biases: tuple[float, ...] = option(
        (0.0, 1.0, 2.0, 3.0, 5.0), "half-life: forget biases.", read=partial(parse_numbers, name="biases")
    )
    chrono: int = option(100, "half-life: horizon T of 'chrono:T', in steps.")
    lags: tuple[int, ...] = option(
        (),
        "vanishing: steps from the symbol to the question, as 5,20,80.",
        read=partial(parse_whole_numbers, name="lags"),
        shown=None,
    )
    delays: tuple[int, ...] = option(
        (),
        "copy: blanks between symbols and cue, as 10,50,200.",
        read=partial(parse_whole_numbers, name="delays"),
        shown=None,
    )
    distances: tuple[int, ...] = option(
        (),
        "brackets: symbols from an opening brace to its closing one.",
        read=partial(parse_whole_numbers, name="distances"),
        shown=None,
    )
    length: int = option(0, "copy: symbols in each sequence; 0 takes what its delay needs.")
    window: int = option(16, "copy, brackets: symbols that a layer of the windowed Transformer sees.")
    longest: int = option(20, "counting: largest n of a^n b^n in training.")

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
STUDY_FILES = (
    "prices",
    "exogenous",
    "log",
    "scores",
    "genome",
    "annotation",
    "gates",
)  # options that name a file to read
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
    "log": (StudyName.TELEMETRY,),
    "scores": (StudyName.BOUNDARY,),
    "genome": (StudyName.BOUNDARY,),
    "annotation": (StudyName.BOUNDARY,),
    "gates": (StudyName.CHROMATIN,),
}
