"""How reads of CpGs are counted, how the methylation cell is fitted to them, simulated and judged."""

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from genolstm.errors import UsageError
from genolstm.settings.option import LARGEST_SEED, SAME_SEED, option, option_of
from genolstm.settings.quantities import parse_numbers, parse_whole_numbers
from genolstm.settings.record import Settings


class FitModel(StrEnum):
    """What a CpG's fit may use: its own reads, its neighbours' reads (a network), or its neighbours' kinetics."""

    SITE = "site"
    POOLED = "pooled"
    KINETIC = "kinetic"


class KineticForm(StrEnum):
    """How a nascent strand nears its steady fraction: one cell, or a known mixture of cells with one shared number."""

    AUTO = "auto"
    SINGLE = "single"
    LAG = "lag"
    TWO_POOLS = "two-pools"
    AGES = "ages"
    RATES = "rates"
    COUPLED = "coupled"


class StrandState(StrEnum):
    """Whose methylation the state is: that of a newly made strand, or the mean of a duplex and its kept strand."""

    STRAND = "strand"
    DUPLEX = "duplex"


class StartState(StrEnum):
    """What the state is when its clock starts: 0, as on a nascent strand, or fitted for each CpG."""

    ZERO = "zero"
    FREE = "free"


class ReadLikelihood(StrEnum):
    """How the reads of a CpG scatter about its methylation."""

    BINOMIAL = "binomial"
    BETA_BINOMIAL = "beta-binomial"


class TimeUnit(StrEnum):
    """What the times of samples are counted in."""

    HOURS = "hours"
    DIVISIONS = "divisions"


ESTIMATE = "estimate"  # in place of a number: found from the reads, one for all CpGs


def number_or_estimate(text: str, name: str) -> float | None:
    """Read '0.016' as that and 'estimate' as None; a fraction in [0, 1). Raises UsageError."""
    if text == ESTIMATE:
        return None
    with suppress(ValueError):
        if 0 <= float(text) < 1:
            return float(text)
    raise UsageError(f"{name} '{text}' is neither a fraction from 0 to below 1 nor '{ESTIMATE}'.")


def parse_times(text: str) -> tuple[float, ...]:
    """Read '0,1,4,16'. Raises UsageError."""
    return parse_numbers(text, "times")


def _parse_own_times(text: str) -> tuple[float, ...]:
    """The same; nothing where a table of samples gives the times."""
    return parse_times(text) if text else ()


def _numbers(text: str) -> tuple[float, ...]:
    return parse_numbers(text, "values") if text else ()


@dataclass(frozen=True, kw_only=True)
class MethylationSettings(Settings):
    """How the methylation cell is fitted to read counts.

    form : course of the state, see `methylation.kinetic_form`.   sample_effects : see `methylation.sample_effects`.
    times : of the samples, in order, in `unit`; replicates have the same.   time_offset : added to each: how old the
    youngest strand is.
    conversion_error : probability that an unmethylated base is read as methylated, known from a spike-in: reads over
    time cannot distinguish it from fast CpGs with a low g.   dispersion : correlation of the reads of one CpG and
    sample under beta-binomial, a fraction or 'estimate'.   rate_low, rate_high, steady_low, steady_high :
    bounds of k and g, by default those of the published chr21 fit.   level : of the profile-likelihood intervals.
    min_reads : fewer are flagged.
    """

    model: FitModel = option(
        FitModel.SITE, "site: each CpG alone; pooled: a network gives it a prior; kinetic: neighbours' gates do."
    )
    form: KineticForm = option(
        KineticForm.AUTO,
        "Course: single; lag; two-pools; ages or rates (of molecules); coupled (neighbours speed gain; kinetic only);"
        " auto: two-pools for the kinetic model, else single.",
    )
    sample_effects: bool = option(
        False, "Kinetic: fit what each sample adds at once: shift of age, strands that are not new, misread bases."
    )
    times: tuple[float, ...] = option(
        (), "Time of each sample, as 0,1,4,16; needed without --samples.", read=_parse_own_times
    )
    time_offset: float = option(0.0, "Added to every time: the age of the strands at time 0.")
    unit: TimeUnit = option(TimeUnit.HOURS, "What times are counted in; divisions also gives mu and delta.")
    start: StartState = option(StartState.ZERO, "zero: unmethylated at age 0, as a nascent strand; free: fitted.")
    state: StrandState = option(
        StrandState.STRAND, "Whose methylation: a new strand's, or a duplex's mean (mu, delta)."
    )
    likelihood: ReadLikelihood = option(ReadLikelihood.BINOMIAL, "How reads scatter about the methylation.")
    conversion_error: float = option(0.0, "Probability that an unmethylated base is read as methylated.")
    dispersion: str = option(ESTIMATE, "Beta-binomial: correlation of reads of one CpG and sample; or estimate.")
    rate_low: float = option(0.01, "Lower bound of the rate k, per unit of time.")
    rate_high: float = option(10.0, "Upper bound of k.")
    steady_low: float = option(0.0, "Lower bound of the steady fraction g.")
    steady_high: float = option(1.0, "Upper bound of g.")
    level: float = option(0.95, "Level of the intervals.")
    min_reads: int = option(10, "CpGs with fewer are flagged.", min=1)
    seed: int = option(1, SAME_SEED, min=0, max=LARGEST_SEED)

    def __post_init__(self) -> None:
        for name, kind in (
            ("model", FitModel), ("unit", TimeUnit), ("start", StartState), ("state", StrandState),
            ("likelihood", ReadLikelihood), ("form", KineticForm),
        ):  # fmt: skip
            object.__setattr__(self, name, kind(getattr(self, name)))
        object.__setattr__(self, "times", _ages(self.times, self.time_offset, replicates=True))
        if self.model is FitModel.SITE and self.form not in {KineticForm.AUTO, KineticForm.SINGLE}:
            raise UsageError(
                f"form '{self.form}' needs --model kinetic or pooled: reads of one CpG alone do not determine it."
            )
        if self.model is not FitModel.KINETIC and (self.sample_effects or self.form is KineticForm.COUPLED):
            told = "--sample-effects" if self.sample_effects else "form 'coupled'"
            raise UsageError(f"{told} needs --model kinetic.")
        if self.sample_effects and self.form is KineticForm.COUPLED:
            raise UsageError("--sample-effects are not fitted with form 'coupled': give one of the two.")
        if not 0 <= self.conversion_error < 1:
            raise UsageError(f"conversion error must lie from 0 to below 1, not {self.conversion_error:g}.")
        number_or_estimate(self.dispersion, "dispersion")
        if not 0 < self.rate_low < self.rate_high < math.inf:
            raise UsageError(f"rate bounds {self.rate_low:g},{self.rate_high:g} must be above 0 and increase.")
        if not 0 <= self.steady_low < self.steady_high <= 1:
            raise UsageError(f"steady bounds {self.steady_low:g},{self.steady_high:g} must increase within 0 to 1.")
        if not 0 < self.level < 1:
            raise UsageError(f"level {self.level:g} must lie between 0 and 1, as 0.95.")
        if self.min_reads < 1:
            raise UsageError(f"min reads must be at least 1, not {self.min_reads}.")

    @property
    def elapsed(self) -> tuple[float, ...]:
        """Time since the clock started, of each sample."""
        return tuple(time + self.time_offset for time in self.times)


@dataclass(frozen=True, kw_only=True)
class PooledSettings(Settings):
    """How the network of the pooled methylation model is trained.

    width : units of each of its two LSTMs.   epochs : passes over the CpGs.   folds : networks; a CpG's prior comes
    from one that was not trained on it, so at least 2; 1 trains on all.   stretch : CpGs dealt to a fold together.
    core, margin : CpGs of a window that are predicted, and context on each side of them.   batch : windows a step at
    most. draws : of each CpG's posterior that the file keeps.   components : of hidden states, where there are any.
    """

    width: int = option(48, "Pooled: units of each of the network's two LSTMs.", min=1)
    epochs: int = option(8, "Pooled: passes over the CpGs.", min=1)
    folds: int = option(2, "Pooled: networks; each predicts CpGs that it was not trained on.", min=1)
    stretch: int = 2_000
    core: int = 128
    margin: int = 32
    batch: int = 16
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    draws: int = option(64, "Pooled: draws of each CpG's posterior to keep.", min=1)
    components: int = option(16, "Pooled: principal components of --hidden-states to use.", min=1)

    def __post_init__(self) -> None:
        for name in ("width", "epochs", "folds", "stretch", "core", "margin", "batch", "draws", "components"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not 0 < self.learning_rate < math.inf:
            raise UsageError(f"learning rate must be above 0, not {self.learning_rate}.")


# of what is simulated: counts are int32, rates and positions must stay numbers
MOST_COVERAGE, MOST_SPREAD, MOST_BP = 1_000_000, 20, 1_000_000


@dataclass(frozen=True, kw_only=True)
class SimulateSettings(Settings):
    """How read counts are made from known gates.

    sites : CpGs on one contig, `spacing_bp` apart on average.   coverage : mean reads of a CpG and sample; the same
    everywhere with even_coverage.   spread : standard deviation of ln k and logit g among CpGs; coupling_bp : distance
    over which neighbours are correlated, 0 for not at all.   start_fraction : state when the clock starts.
    molecule_bp, concordance : length of molecules, and how much the calls of one go together.   recruitment,
    recruitment_bp : how much the methylation of neighbours speeds gain, see `methylation.coupled`.   age_shifts,
    old_strands, misread : of each sample, what it adds at once, as `methylation.sample_effects` has them.
    """

    sites: int = option(1_000, "CpGs to make.", min=1)
    times: tuple[float, ...] = option((0.0, 1.0, 4.0, 16.0), "Time of each sample.", read=parse_times)
    time_offset: float = option(0.0, "Added to every time.")
    unit: TimeUnit = option(TimeUnit.HOURS, "What times count.")
    state: StrandState = option(StrandState.STRAND, "What mu and delta move: a new strand, or a duplex's mean.")
    coverage: float = option(10.0, "Mean reads of a CpG and sample.", min=0)
    even_coverage: bool = option(False, "The same number of reads everywhere, not Poisson's.")
    start_fraction: float = option(0.0, "State at age 0.")
    conversion_error: float = option_of(MethylationSettings, "conversion_error")
    dispersion: float = option(0.0, "Correlation of the reads of one CpG and sample.")
    spread: float = option(0.0, "Standard deviation of ln k and logit g among CpGs.", min=0)
    coupling_bp: float = option(0.0, "Distance over which neighbours are correlated; 0: not at all.", min=0)
    spacing_bp: float = option(100.0, "Mean distance between CpGs.", min=2)
    molecule_bp: float = option(0.0, "Length of molecules, each read at all its CpGs; 0: no two CpGs share one.", min=0)
    concordance: float = option(0.5, "Correlation (of a latent normal) of the calls of one molecule.")
    recruitment: float = option(0.0, "Methylated neighbours speed gain: by 1 + this * their fraction squared.", min=0)
    recruitment_bp: float = option(200.0, "Distance over which they do.", min=1)
    age_shifts: tuple[float, ...] = option((), "Added to each sample's true age, as 0,0.3,0,0.", read=_numbers)
    old_strands: tuple[float, ...] = option((), "Fraction of each sample's strands that are not new.", read=_numbers)
    misread: tuple[float, ...] = option((), "More conversion error of each sample.", read=_numbers)
    seed: int = option(1, SAME_SEED, min=0, max=LARGEST_SEED)

    def __post_init__(self) -> None:
        object.__setattr__(self, "unit", TimeUnit(self.unit))
        object.__setattr__(self, "state", StrandState(self.state))
        object.__setattr__(self, "times", _ages(self.times, self.time_offset))
        self._check_effects()
        if self.sites < 1:
            raise UsageError(f"sites must be at least 1, not {self.sites}.")
        for name, most in (("coverage", MOST_COVERAGE), ("spread", MOST_SPREAD), ("coupling_bp", MOST_BP)):
            if not 0 <= getattr(self, name) <= most:
                raise UsageError(f"{name.replace('_', ' ')} must lie from 0 to {most:,}, not be {getattr(self, name)}.")
        if not 2 <= self.spacing_bp <= MOST_BP:
            raise UsageError(
                f"spacing bp must lie from 2, the length of a CpG, to {MOST_BP:,}, not be {self.spacing_bp}."
            )
        for name in ("conversion_error", "dispersion", "concordance"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name.replace('_', ' ')} must lie from 0 to below 1, not {getattr(self, name)}.")
        if not 0 <= self.start_fraction <= 1:
            raise UsageError(f"start fraction must lie between 0 and 1, not {self.start_fraction}.")
        if self.dispersion and self.molecule_bp:
            raise UsageError("give --dispersion or --molecule-bp: calls of a molecule are correlated by themselves.")
        if self.recruitment and self.start_fraction:
            raise UsageError("recruitment is of strands that start unmethylated: leave out --start-fraction.")

    def _check_effects(self) -> None:
        """Effects of samples are given for all of them or none, and leave ages at 0 at least. Raises UsageError."""
        for name in ("age_shifts", "old_strands", "misread"):
            values = tuple(float(each) for each in getattr(self, name))
            object.__setattr__(self, name, values)
            told = name.replace("_", " ")
            if values and len(values) != len(self.times):
                raise UsageError(f"{told}: {len(values)} were given for {len(self.times)} times; give one for each.")
            if name != "age_shifts" and any(not 0 <= each < 1 for each in values):
                raise UsageError(f"{told} must lie from 0 to below 1.")
        if any(age + shift < 0 for age, shift in zip(self.elapsed, self.age_shifts, strict=False)):
            raise UsageError("age shifts put a sample before the clock starts; give smaller ones.")

    @property
    def elapsed(self) -> tuple[float, ...]:
        """Time since the clock started, of each sample."""
        return tuple(time + self.time_offset for time in self.times)


def _ages(times: tuple[float, ...], offset: float, *, replicates: bool = False) -> tuple[float, ...]:
    """Check times of samples and what is added to each; only replicates share a time. Raises UsageError."""
    times = tuple(float(time) for time in times)
    if any(after < before or (after == before and not replicates) for before, after in pairwise(times)):
        raise UsageError(f"times {_joined(times)} do not increase; give one for each sample, in order of age.")
    if times and times[0] + offset < 0:
        raise UsageError(
            f"time offset {offset:g} puts the first sample at {times[0] + offset:g}, before the clock starts;"
            " give a larger offset."
        )
    return times


@dataclass(frozen=True, kw_only=True)
class ContrastSettings(Settings):
    """How two groups of samples are compared. fdr : false discovery rate at which sites are counted as different."""

    time_offset: float = option_of(MethylationSettings, "time_offset")
    unit: TimeUnit = option_of(MethylationSettings, "unit")
    likelihood: ReadLikelihood = option(ReadLikelihood.BETA_BINOMIAL, "How reads scatter about the methylation.")
    conversion_error: float = option_of(MethylationSettings, "conversion_error")
    dispersion: str = option_of(MethylationSettings, "dispersion")
    rate_low: float = option_of(MethylationSettings, "rate_low")
    rate_high: float = option_of(MethylationSettings, "rate_high")
    level: float = option_of(MethylationSettings, "level")
    min_reads: int = option(20, "Sites with fewer in a group are left out.", min=1)
    fdr: float = option(0.05, "False discovery rate at which sites are counted as different.", min=0, max=1)

    def fit_settings(self, times: tuple[float, ...]) -> MethylationSettings:
        """Settings of the fit of one group, whose samples have these times. Raises UsageError."""
        return MethylationSettings(
            times=times, time_offset=self.time_offset, unit=self.unit, likelihood=self.likelihood,
            conversion_error=self.conversion_error, dispersion=self.dispersion, rate_low=self.rate_low,
            rate_high=self.rate_high, level=self.level, min_reads=self.min_reads,
        )  # fmt: skip


class HoldOut(NamedTuple):
    """Reads that models are judged on. kind : of HOLD_OUTS.   value : time, fraction, region or number of a sample."""

    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


TIME, READS, REGION, SAMPLE = HOLD_OUTS = ("time", "reads", "region", "sample")  # reports lead with whole times
ALL_TIMES = "all"
NEXT_HOLD_OUT = re.compile(rf",(?=(?:{'|'.join(HOLD_OUTS)}):)")  # regions hold commas of their own


def parse_hold_outs(text: str) -> tuple[HoldOut, ...]:
    """Read 'time:4,reads:0.2' in the order of reports; () for 'none'. Raises UsageError."""
    if text == "none":
        return ()
    found = []
    for each in NEXT_HOLD_OUT.split(text):
        kind, _, value = each.partition(":")
        if not _holds_out(kind, value):
            raise UsageError(
                f"hold-out '{each}' is not none, time:T as time:4 or time:all, reads:FRACTION as reads:0.2,"
                " region:CONTIG:FIRST-LAST, or sample:K as sample:2; put commas between several."
            )
        found.append(HoldOut(kind, value))
    return tuple(sorted(dict.fromkeys(found), key=lambda each: HOLD_OUTS.index(each.kind)))


def _holds_out(kind: str, value: str) -> bool:
    if kind == REGION:
        return bool(value)
    if kind == SAMPLE:
        return value.isdigit() and int(value) > 0
    if kind == TIME and value == ALL_TIMES:
        return True
    with suppress(ValueError):
        number = float(value)
        return math.isfinite(number) if kind == TIME else kind == READS and 0 < number < 1
    return False


def parse_distances(text: str) -> tuple[int, ...]:
    """Read '300,2000', distances in bp. Raises UsageError."""
    return parse_whole_numbers(text, "thin distances") if text else ()


@dataclass(frozen=True, kw_only=True)
class HeldOutSettings(Settings):
    """Held-out reads on which a fit and its baselines are scored.

    hold_out : 'none', or one or several of 'time:T' (all samples of that time; time:all, each in turn),
    'reads:FRACTION' of every CpG, 'region:CONTIG:FIRST-LAST' (all reads of its CpGs), 'sample:K' for the K-th sample
    (1 is the first), with commas between.
    thin : distances in bp; the scores are repeated on CpGs at least so far apart, which share fewer molecules.
    block_bp : genome resampled together; shorter where the sites span fewer than 20 such blocks.
    """

    hold_out: str = option("none", "First score on held-out reads: time:4, time:all, reads:0.2, region:I:1-9,000.")
    thin: tuple[int, ...] = option(
        (), "Also score on CpGs at least so many bp apart, as 300,2000.", read=parse_distances
    )
    block_bp: int = option(100_000, "Genome that the bootstrap of --hold-out draws together, at most.", min=1)
    resamples: int = option(1_000, "Bootstrap resamples of --hold-out.", min=20)

    def __post_init__(self) -> None:
        if not self.held and self.thin:
            raise UsageError("--thin repeats the scores of --hold-out: give that too.")
        object.__setattr__(self, "thin", tuple(int(each) for each in self.thin))
        if any(each < 1 for each in self.thin):
            raise UsageError(f"thin distances must be at least 1 bp, unlike {_joined(self.thin)}.")
        for name in ("block_bp", "resamples"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")

    @property
    def held(self) -> tuple[HoldOut, ...]:
        """What is held out, each judged by itself, whole times first. Raises UsageError for any other text."""
        return parse_hold_outs(self.hold_out)


def _joined(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in values)


BASE_OF_CODE = {"m": "C", "h": "C", "a": "A"}  # 5mC, 5hmC, 6mA, as MM tags spell them
HIGHEST_LEVEL = 511 / 512  # the probability that ML's highest value, 255, stands for


class CountUnit(StrEnum):
    """What is counted where both reads of a fragment call the same base: one molecule, or two reads."""

    MOLECULES = "molecules"
    READS = "reads"


@dataclass(frozen=True, kw_only=True)
class CountSettings(Settings):
    """How modified-base reads become counts.

    code : modifications that count as modified: m, h or a; more than one together, as mh.
    motif : IUPAC motif and the offset of its modified base, as 'CG,0'.   threshold : probability from which a call
    counts, as modified or as canonical.   merge_strands : add the reverse strand's counts of a palindromic motif to
    the forward strand's.   min_mapq : mapping quality that a read needs.   count : molecules, of which a base
    that both reads of a pair call counts once, by the first read's call, as Bismark does; or reads.
    """

    code: str = option("m", "Modification: m 5mC, h 5hmC, a 6mA; mh takes 5mC and 5hmC as one.")
    motif: str = option("CG,0", "IUPAC motif and the offset of the modified base, as CG,0 or GATC,1.")
    threshold: float = option(0.8, "Probability from which a call counts, modified or canonical.")
    merge_strands: bool = option(False, "Add both strands of a palindromic motif, at the forward base.")
    min_mapq: int = option(10, "Mapping quality that a read needs.", min=0)
    count: CountUnit = option(
        CountUnit.MOLECULES, "A base that both reads of a pair call counts once (molecules) or twice (reads)."
    )

    def __post_init__(self) -> None:
        if not self.code or set(self.code) - set(BASE_OF_CODE) or len(set(self.code)) < len(self.code):
            raise UsageError(f"code '{self.code}' is not one of m, h, a, or some of them together, as mh.")
        if len(self.bases) > 1:
            raise UsageError(f"code '{self.code}' holds modifications of {' and '.join(self.bases)}; count them apart.")
        if not 0.5 <= self.threshold <= HIGHEST_LEVEL:
            raise UsageError(
                f"threshold {self.threshold:g} must lie within 0.5 and {HIGHEST_LEVEL:.4f}, the highest probability"
                " that ML can encode."
            )
        if not 0 <= self.min_mapq <= 255:
            raise UsageError(f"min mapq {self.min_mapq} must lie within 0 and 255, as mapping qualities do.")

    @property
    def bases(self) -> str:
        """Letters that the codes modify, each once."""
        return "".join(sorted({BASE_OF_CODE[code] for code in self.code}))
