"""Every default, once: frozen, complete, validated at birth, and saved in each result file."""

import dataclasses
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from genolstm.errors import InputError, UsageError

_SIZE = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?)([kKmMgG]?)")
_PLAIN: dict[type, tuple[tuple[type, ...], str]] = {  # type of a default -> what JSON or TOML may give for it
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "text"),
    tuple: ((list, tuple), "a list"),
}
_FACTOR = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


class AlphabetName(StrEnum):
    """The keys of ``alphabet.ALPHABETS``."""

    DNA = "dna"
    PROTEIN = "protein"


class CellName(StrEnum):
    """The rows of the family table (``cells.rules.FAMILY``)."""

    RNN = "rnn"
    LSTM = "lstm"
    GRU = "gru"
    TIED = "tied"
    METHYLATION = "methylation"
    EBBINGHAUS = "ebbinghaus"
    VOLATILITY = "volatility"
    GARCH = "garch"


class TrainableCell(StrEnum):
    """Cells that make a next-symbol model."""

    LSTM = "lstm"
    GRU = "gru"
    RNN = "rnn"
    TIED = "tied"


class Size(StrEnum):
    """Named shapes: layers x units."""

    SMALL = "small"
    BASE = "base"
    LARGE = "large"


SIZES: dict[Size, tuple[int, int]] = {Size.SMALL: (1, 128), Size.BASE: (1, 512), Size.LARGE: (2, 1024)}


CUDA_LANES, CUDA_CHUNK = 128, 128  # what stands for TrainSettings.lanes and .chunk on a GPU, which small steps starve


class DeviceName(StrEnum):
    """Where to compute."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


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


class Precision(StrEnum):
    """Number format of the matrix products; weights and losses stay in float32."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


class AuxiliaryTask(StrEnum):
    """What a protein model can be trained to tell beside the next residue, of the residues read so far."""

    CHARGE = "charge"
    HYDROPATHY = "hydropathy"


class Settings:
    """What every settings record can do."""

    @classmethod
    def from_json(cls, values: Mapping[str, Any], *, where: str) -> Self:
        """Rebuild from plain values. Raises InputError for a key that is unknown; `where` says which file."""
        known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        for key in values:
            if key not in known:
                raise InputError(f"{where} has the unknown key '{key}'; known are {', '.join(sorted(known))}.")
            _check_type(key, values[key], getattr(cls, key), where)
        try:
            return cls(**values)
        except (TypeError, ValueError) as problem:
            raise InputError(f"{where}: {problem}.") from problem

    def to_json(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return dataclasses.asdict(self)  # type: ignore[call-overload, no-any-return]


def _check_type(key: str, value: object, default: object, where: str) -> None:
    """Hold a plain value against the type of its default. Raises InputError."""
    wanted, said = _PLAIN[next(kind for kind in _PLAIN if isinstance(default, kind))]
    # True is an int to Python, but not a number to a person
    if not isinstance(value, wanted) or (isinstance(value, bool) and not isinstance(default, bool)):
        raise InputError(f"{where}: {key} must be {said}, not {value!r}.")


@dataclass(frozen=True, kw_only=True)
class ModelSettings(Settings):
    """Everything that rebuilds the network without its weights.

    forget_bias : effective bias of the forget gate at the start, a number or 'chrono:T' (Tallec & Ollivier 2018).
    """

    alphabet: AlphabetName = AlphabetName.DNA
    cell: TrainableCell = TrainableCell.LSTM
    layers: int = 1
    hidden: int = 128
    forget_bias: str = "3"

    def __post_init__(self) -> None:
        object.__setattr__(self, "alphabet", AlphabetName(self.alphabet))
        object.__setattr__(self, "cell", TrainableCell(self.cell))
        for name in ("layers", "hidden"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")
        forget_bias_or_horizon(self.forget_bias)


def forget_bias_or_horizon(text: str) -> tuple[float | None, float | None]:
    """Read 'B' as (B, None) and 'chrono:T' as (None, T), T > 2 in symbols. Raises UsageError."""
    chrono = text.startswith("chrono:")
    with suppress(ValueError):
        value = float(text.removeprefix("chrono:"))
        if math.isfinite(value) and (value > 2 or not chrono):
            return (None, value) if chrono else (value, None)
    raise UsageError(f"forget bias '{text}' is neither a number nor chrono:T with T above 2, as in chrono:1000.")


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Settings):
    """How a model is trained.

    lanes : stretches of genome read side by side.   chunk : symbols between weight updates; gradients do not reach
    further. Small lanes x chunk learn more from each base; a GPU needs more lanes to be fast (CUDA_LANES, CUDA_CHUNK).
    bases, minutes : stop at whichever comes first; 0 means no such limit.   learning_rate : peak, after the warm-up.
    valid_bases : symbols of the validation part that each look reads at most (both strands).
    early_stop : looks without a better validation loss before stopping; 0 never stops early.
    checkpoint_minutes : between two resumable checkpoints.   clusters : file of protein clusters that are never split,
    '' for our own.   multitask : what else each state is trained to tell, see `training.multitask`; multitask_weight :
    of its error beside the bits.
    """

    lanes: int = 16
    chunk: int = 64
    bases: int = 40_000_000
    minutes: float = 0.0
    learning_rate: float = 3e-3
    warmup_share: float = 0.02
    final_share: float = 0.02  # the cosine ends at this share of the peak learning rate
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    precision: Precision = Precision.FP32
    valid_looks: int = 10
    valid_bases: int = 1_000_000
    early_stop: int = 0
    checkpoint_minutes: float = 10.0
    train_contigs: tuple[str, ...] = ()
    valid_contigs: tuple[str, ...] = ()
    test_contigs: tuple[str, ...] = ()
    clusters: str = ""
    multitask: tuple[AuxiliaryTask, ...] = ()
    multitask_weight: float = 0.3
    seed: int = 1

    @property
    def look_bases(self) -> int:
        """Symbols that one look reads: fewer in a short training, which looks would else outlast."""
        return min(self.valid_bases, max(100_000, self.bases // 50)) if self.bases else self.valid_bases

    def __post_init__(self) -> None:
        object.__setattr__(self, "precision", Precision(self.precision))
        for name in ("train_contigs", "valid_contigs", "test_contigs"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "multitask", auxiliary_tasks(self.multitask))
        if not 0 <= self.multitask_weight < math.inf:
            raise UsageError(f"multitask weight must be 0 or more, not {self.multitask_weight}.")
        for name in ("lanes", "chunk", "valid_looks", "valid_bases"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")
        for name in ("learning_rate", "clip_norm"):
            if not 0 < getattr(self, name) < math.inf:
                raise UsageError(f"{name} must be above 0, not {getattr(self, name)}.")
        for name in ("warmup_share", "final_share", "weight_decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} must lie between 0 and 1, not {getattr(self, name)}.")
        if self.bases <= 0 and self.minutes <= 0:
            raise UsageError("training needs an end: give --bases or --minutes.")


def auxiliary_tasks(names: Iterable[str]) -> tuple[AuxiliaryTask, ...]:
    """Read names of auxiliary tasks. Raises UsageError for one that is unknown or stands twice."""
    names = tuple(names)
    for name in names:
        if name not in set(AuxiliaryTask):
            raise UsageError(f"multitask '{name}' is not known; known are {', '.join(AuxiliaryTask)}.")
        if names.count(name) > 1:
            raise UsageError(f"multitask '{name}' is named twice; name it once.")
    return tuple(AuxiliaryTask(name) for name in names)


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


# what a sweep tries: states read once, and read at several places together (a donor is spelled out over six bases)
OFFSET_SETS: tuple[tuple[int, ...], ...] = (
    (0,), (2,), (4,), (6,), (10,), (0, 2, 4), (0, 2, 4, 6), (0, 2, 4, 6, 10),
)  # fmt: skip


def parse_offsets(text: str) -> tuple[int, ...]:
    """Read '0,2,4'. Raises UsageError for anything but whole numbers of 0 or more."""
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise UsageError(f"offsets '{text}' are neither 'sweep' nor whole numbers of 0 or more, as in 0,2,4.")
    return tuple(sorted({int(part) for part in text.split(",")}))


MIN_PROTEIN_WINDOW = 4  # symbols of the longest word that is counted


class DecoySource(StrEnum):
    """Where decoys may lie: in spans of mRNA on the same strand, or anywhere on the contig on either strand."""

    GENES = "genes"
    CONTIG = "contig"


class States(StrEnum):
    """Which states are probed: the hidden state alone, or the memory beside it."""

    HIDDEN = "h"
    BOTH = "h+c"


@dataclass(frozen=True, kw_only=True)
class HomologySettings(Settings):
    """What makes two proteins relatives.

    groups : letters that a word takes for one; word : letters of a word.   near : residues within which the second word
    on a diagonal must follow.   most_places, most_times_mean : a word that stands at more places than both (the second
    times the mean of all words) starts no candidate.   link_score : BLOSUM62 score of a gapless segment that links two
    proteins.   candidate_score : the lower one from which pairs across a split are aligned.   aligned_pairs : of them,
    at most.   shortest : residues that an alignment must have for its identity to be told.
    """

    groups: str = "A C DE FYW G H ILVM KR N P Q ST"
    word: int = 5
    near: int = 80
    most_places: int = 200
    most_times_mean: float = 20.0
    link_score: int = 65
    candidate_score: int = 40
    aligned_pairs: int = 2_000
    shortest: int = 50

    def __post_init__(self) -> None:
        letters = self.groups.replace(" ", "")
        if sorted(letters) != sorted(set(letters)) or not letters.isalpha():
            raise UsageError(f"groups '{self.groups}' must be letters of amino acids, each once, with blanks between.")
        for name in ("word", "near", "most_places", "link_score", "candidate_score", "aligned_pairs", "shortest"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not 0 < self.most_times_mean < math.inf:
            raise UsageError(f"most_times_mean must be above 0, not {self.most_times_mean}.")


@dataclass(frozen=True, kw_only=True)
class ProbeSettings(Settings):
    """How hidden states are probed.

    decoys : negatives per true site.   offsets : 'sweep', or symbols after the dinucleotide, read together, as '0,2,4'.
    states : 'h', or 'h+c' to read the memory c beside the hidden state.   twins : untrained models of the same shape.
    window : bases on each side of the site that the one-hot and k-mer controls see.   block_bp : bootstrap block.
    max_sites : true sites of each target and part used at most, drawn by the seed.   min_intron : bases; shorter
    gaps are frameshifts.
    """

    decoys: int = 10
    decoys_from: DecoySource = DecoySource.GENES
    offsets: str = "sweep"
    states: States = States.HIDDEN
    twins: int = 3
    window: int = 50
    kmer: int = 4
    block_bp: int = 100_000
    resamples: int = 1_000
    max_sites: int = 5_000
    min_intron: int = 20
    valid_share: float = 0.15
    train_contigs: tuple[str, ...] = ()
    test_contigs: tuple[str, ...] = ()
    seed: int = 1

    def __post_init__(self) -> None:
        if self.offsets != "sweep":
            parse_offsets(self.offsets)
        object.__setattr__(self, "decoys_from", DecoySource(self.decoys_from))
        object.__setattr__(self, "states", States(self.states))
        for name in ("train_contigs", "test_contigs"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("decoys", "twins", "window", "kmer", "block_bp", "resamples", "max_sites"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")


def parse_kmers(text: str) -> tuple[int, ...]:
    """Read '3,4,6'. Raises UsageError for anything but word lengths from 1 to 7, the largest that a probe can hold."""
    if re.fullmatch(r"[1-7](,[1-7])*", text):
        return tuple(sorted({int(part) for part in text.split(",")}))
    raise UsageError(f"k-mers '{text}' are not word lengths from 1 to 7 with commas between, as in 3,4,6.")


@dataclass(frozen=True, kw_only=True)
class AccessibilitySettings(Settings):
    """How hidden states are probed for open chromatin.

    window : bp.   peak_share : of a window that lies in peaks when it is called open.   top_share : of the windows
    of each part, called open by their signal where no peaks are given.   mappable_bp : a window is left out when no
    read lies in it or within this distance.   states : 'h', or 'h+c' to pool the memory c beside the hidden
    state.   twins : untrained models of the same shape.   kmers : word lengths of the word-count controls, as
    '3,4,6'.   bin_bp : of the one-hot control.   matches : closed windows of the same GC for each open one in the
    second score.   block_bp : bootstrap block. max_windows : of each part used at most, drawn by the
    seed.   valid_share : of training contigs that are named. edge_reach, edge_step : bp shown on either side of the
    edges of peaks, and between two points.   edge_near : bp on either side over which the forget gate is
    tested.   edge_word : letters that matched positions share. edge_matches : positions matched to each edge.
    """

    window: int = 200
    peak_share: float = 0.5
    top_share: float = 0.03
    mappable_bp: int = 1_000
    states: States = States.HIDDEN
    twins: int = 3
    kmers: str = "3,4,6"
    bin_bp: int = 10
    matches: int = 5
    block_bp: int = 100_000
    resamples: int = 1_000
    max_windows: int = 100_000
    valid_share: float = 0.15
    exclude_contigs: tuple[str, ...] = ()
    train_contigs: tuple[str, ...] = ()
    valid_contigs: tuple[str, ...] = ()
    test_contigs: tuple[str, ...] = ()
    edge_reach: int = 500
    edge_step: int = 20
    edge_near: int = 50
    edge_word: int = 6
    edge_matches: int = 5
    permutations: int = 10_000
    seed: int = 1

    def __post_init__(self) -> None:
        parse_kmers(self.kmers)
        object.__setattr__(self, "states", States(self.states))
        for name in ("exclude_contigs", "train_contigs", "valid_contigs", "test_contigs"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in (
            "window", "twins", "bin_bp", "matches", "block_bp", "resamples", "max_windows", "edge_reach", "edge_step",
            "edge_word", "edge_matches", "permutations",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.window <= max(parse_kmers(self.kmers)):
            raise UsageError(f"a window of {self.window} bp holds no word of {max(parse_kmers(self.kmers))} letters.")
        if self.mappable_bp < 0 or not 0 <= self.edge_near <= self.edge_reach:
            raise UsageError("mappable_bp must be at least 0, and edge_near lie between 0 and edge_reach.")
        for name in ("peak_share", "top_share"):
            if not 0 < getattr(self, name) <= 1:
                raise UsageError(f"{name} must be above 0 and at most 1, not {getattr(self, name)}.")


@dataclass(frozen=True, kw_only=True)
class ProteinProbeSettings(Settings):
    """How hidden states are probed for what the polypeptide made so far is like.

    positions : places drawn in each protein.   shortest : residues that a prefix has at least.   ahead : residues that
    follow, of which the hydropathy is asked.   states : 'h', or 'h+c' to read the memory c beside the hidden state.
    twins : untrained models of the same shape.   window : symbols up to the place that the word-count controls see.
    near : bases up to the place that the one-hot control of the codon frame sees.   genetic_code : number of NCBI's
    table.   max_proteins : of each part used at most, drawn by the seed.   valid_share, test_share : of proteins that
    the model does not know by name, in whole clusters; valid_share also of training contigs that are named, drawn in
    blocks of block_bp.
    """

    positions: int = 8
    shortest: int = 10
    ahead: int = 30
    states: States = States.BOTH
    twins: int = 3
    window: int = 30
    near: int = 10
    genetic_code: int = 1
    resamples: int = 1_000
    max_proteins: int = 2_000
    valid_share: float = 0.15
    test_share: float = 0.2
    block_bp: int = 100_000
    train_contigs: tuple[str, ...] = ()
    test_contigs: tuple[str, ...] = ()
    seed: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "states", States(self.states))
        for name in ("train_contigs", "test_contigs"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in (
            "positions", "shortest", "ahead", "twins", "near", "genetic_code", "resamples", "max_proteins", "block_bp",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.window < MIN_PROTEIN_WINDOW:
            raise UsageError(f"window must be at least {MIN_PROTEIN_WINDOW}, the longest word, not {self.window}.")
        for name in ("valid_share", "test_share"):
            if not 0 < getattr(self, name) < 0.5:
                raise UsageError(f"{name} must lie between 0 and 0.5, not {getattr(self, name)}.")


class FitModel(StrEnum):
    """How much a CpG's fit may know: its own reads alone, or its neighbours and spacing too."""

    SITE = "site"
    POOLED = "pooled"


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
    """Read '0.016' as that and 'estimate' as None; a share in [0, 1). Raises UsageError."""
    if text == ESTIMATE:
        return None
    with suppress(ValueError):
        if 0 <= float(text) < 1:
            return float(text)
    raise UsageError(f"{name} '{text}' is neither a share from 0 to below 1 nor '{ESTIMATE}'.")


def parse_numbers(text: str, name: str) -> tuple[float, ...]:
    """Read '0,1,4,16'. Raises UsageError for anything but finite numbers with commas between."""
    with suppress(ValueError):
        values = tuple(float(part) for part in text.split(","))
        if all(math.isfinite(value) for value in values):
            return values
    raise UsageError(f"{name} '{text}' are not numbers with commas between, as in 0,1,4,16.")


@dataclass(frozen=True, kw_only=True)
class MethylationSettings(Settings):
    """How the methylation cell is fitted to read counts.

    times : of the samples, increasing, in `unit`.   time_offset : added to each: how old the youngest strand is.
    conversion_error : chance that an unmethylated base is read as methylated, known from a spike-in: reads over time
    cannot tell it from fast CpGs with a low g.   dispersion : correlation of the reads of one CpG and sample under
    beta-binomial, a share or 'estimate'.   rate_low, rate_high, steady_low, steady_high :
    bounds of k and g, by default those of the published chr21 fit.   level : of the profile-likelihood intervals.
    min_reads : fewer are flagged.
    """

    model: FitModel = FitModel.SITE
    times: tuple[float, ...] = ()
    time_offset: float = 0.0
    unit: TimeUnit = TimeUnit.HOURS
    start: StartState = StartState.ZERO
    state: StrandState = StrandState.STRAND
    likelihood: ReadLikelihood = ReadLikelihood.BINOMIAL
    conversion_error: float = 0.0
    dispersion: str = ESTIMATE
    rate_low: float = 0.01
    rate_high: float = 10.0
    steady_low: float = 0.0
    steady_high: float = 1.0
    level: float = 0.95
    min_reads: int = 10
    seed: int = 1

    def __post_init__(self) -> None:
        for name, kind in (
            ("model", FitModel), ("unit", TimeUnit), ("start", StartState), ("state", StrandState),
            ("likelihood", ReadLikelihood),
        ):  # fmt: skip
            object.__setattr__(self, name, kind(getattr(self, name)))
        object.__setattr__(self, "times", _ages(self.times, self.time_offset))
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

    width : units of each of its two LSTMs.   epochs : passes over the CpGs.   folds : networks; a CpG is judged by one
    that was not trained on it, so at least 2, or 1 for none such.   stretch : CpGs dealt to a fold together.
    core, margin : CpGs of a window that are answered for, and read on each side of them.   batch : windows a step at
    most.
    draws : of each CpG's posterior that the file keeps.   components : of hidden states, where there are any.
    """

    width: int = 48
    epochs: int = 8
    folds: int = 2
    stretch: int = 2_000
    core: int = 128
    margin: int = 32
    batch: int = 16
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    draws: int = 64
    components: int = 16

    def __post_init__(self) -> None:
        for name in ("width", "epochs", "folds", "stretch", "core", "margin", "batch", "draws", "components"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not 0 < self.learning_rate < math.inf:
            raise UsageError(f"learning rate must be above 0, not {self.learning_rate}.")


@dataclass(frozen=True, kw_only=True)
class SimulateSettings(Settings):
    """How read counts are made from known gates.

    sites : CpGs on one contig, `spacing_bp` apart on average.   coverage : mean reads of a CpG and sample; the same
    everywhere with even_coverage.   spread : standard deviation of ln k and logit g among CpGs; coupling_bp : distance
    over which neighbours share them, 0 for not at all.   start_fraction : state when the clock starts.
    """

    sites: int = 1_000
    times: tuple[float, ...] = (0.0, 1.0, 4.0, 16.0)
    time_offset: float = 0.0
    unit: TimeUnit = TimeUnit.HOURS
    state: StrandState = StrandState.STRAND
    coverage: float = 10.0
    even_coverage: bool = False
    start_fraction: float = 0.0
    conversion_error: float = 0.0
    dispersion: float = 0.0
    spread: float = 0.0
    coupling_bp: float = 0.0
    spacing_bp: float = 100.0
    seed: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "unit", TimeUnit(self.unit))
        object.__setattr__(self, "state", StrandState(self.state))
        object.__setattr__(self, "times", _ages(self.times, self.time_offset))
        if self.sites < 1:
            raise UsageError(f"sites must be at least 1, not {self.sites}.")
        for name in ("coverage", "spread", "coupling_bp"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"{name.replace('_', ' ')} must be 0 or more, not {getattr(self, name)}.")
        if not 2 <= self.spacing_bp < math.inf:
            raise UsageError(f"spacing bp must be at least 2, the length of a CpG, not {self.spacing_bp}.")
        for name in ("conversion_error", "dispersion"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name.replace('_', ' ')} must lie from 0 to below 1, not {getattr(self, name)}.")
        if not 0 <= self.start_fraction <= 1:
            raise UsageError(f"start fraction must lie between 0 and 1, not {self.start_fraction}.")

    @property
    def elapsed(self) -> tuple[float, ...]:
        """Time since the clock started, of each sample."""
        return tuple(time + self.time_offset for time in self.times)


def _ages(times: tuple[float, ...], offset: float) -> tuple[float, ...]:
    """Check times of samples and what is added to each. Raises UsageError."""
    times = tuple(float(time) for time in times)
    if any(after <= before for before, after in pairwise(times)):
        raise UsageError(f"times {_joined(times)} do not increase; give one for each sample, in order of age.")
    if times and times[0] + offset < 0:
        raise UsageError(
            f"time offset {offset:g} puts the first sample at {times[0] + offset:g}, before the clock starts;"
            " give a larger offset."
        )
    return times


@dataclass(frozen=True, kw_only=True)
class HeldOutSettings(Settings):
    """What a fit is judged by.

    hold_out : 'none', 'reads:SHARE' of every CpG, or 'sample:K' for the K-th sample whole (1 is the first).
    block_bp : genome resampled together.
    """

    hold_out: str = "none"
    block_bp: int = 100_000
    resamples: int = 1_000

    def __post_init__(self) -> None:
        _ = self.share, self.sample
        for name in ("block_bp", "resamples"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")

    @property
    def share(self) -> float | None:
        """Share of reads held out, or None. Raises UsageError for words that are neither."""
        word, _, number = self.hold_out.partition(":")
        if self.hold_out == "none" or (word == "sample" and number.isdigit() and int(number) > 0):
            return None
        with suppress(ValueError):
            if word == "reads" and 0 < float(number) < 1:
                return float(number)
        raise UsageError(f"hold-out '{self.hold_out}' is not none, reads:SHARE as reads:0.2, or sample:K as sample:2.")

    @property
    def sample(self) -> int | None:
        """Index of the sample held out, or None."""
        word, _, number = self.hold_out.partition(":")
        return int(number) - 1 if word == "sample" and number.isdigit() else None


def _joined(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:g}" for value in values)


class Assay(StrEnum):
    """What a track counts: where Tn5 has cut, or how many reads cover each base."""

    ATAC = "atac"
    COVERAGE = "coverage"


class Shift(StrEnum):
    """Whether cut sites are still to be shifted; auto: yes, but for fragments with a barcode column."""

    AUTO = "auto"
    APPLY = "apply"
    DONE = "done"


@dataclass(frozen=True, kw_only=True)
class TrackSettings(Settings):
    """Which reads a track counts, and at which base.

    min_mapq : mapping quality that a read needs.   proper_pairs : count only reads of proper pairs.
    keep_duplicates : count duplicates too.   shift : see `Shift`.
    forward_shift, reverse_shift : bp from the 5' end of a read to the base counted as cut: a forward read on
    [start, end) cuts at start + 4, a reverse read at end - 5, which is 4 bases inside its last base. Tn5 leaves 9 bp
    of overlap, so both name the middle base of the same cut (Buenrostro et al. 2013, +4/-5).
    """

    assay: Assay = Assay.ATAC
    min_mapq: int = 10
    proper_pairs: bool = False
    keep_duplicates: bool = False
    shift: Shift = Shift.AUTO
    forward_shift: int = 4
    reverse_shift: int = -5

    def __post_init__(self) -> None:
        object.__setattr__(self, "assay", Assay(self.assay))
        object.__setattr__(self, "shift", Shift(self.shift))
        if not 0 <= self.min_mapq <= 255:
            raise UsageError(f"the mapping quality must lie within 0 and 255, not be {self.min_mapq}.")
        if self.assay is Assay.COVERAGE and self.shift is not Shift.AUTO:
            raise UsageError("--shift moves read ends to Tn5 cuts, and coverage counts whole reads: leave it out.")


BASE_OF_CODE = {"m": "C", "h": "C", "a": "A"}  # 5mC, 5hmC, 6mA, as MM tags spell them
HIGHEST_LEVEL = 511 / 512  # the probability that ML's highest value, 255, stands for


@dataclass(frozen=True, kw_only=True)
class CountSettings(Settings):
    """How modified-base reads become counts.

    code : modifications that count as modified: m, h or a; more than one together, as mh.
    motif : IUPAC word and the offset of its modified base, as 'CG,0'.   threshold : probability from which a call
    counts, as modified or as canonical.   merge_strands : add the reverse strand's counts of a palindromic motif to
    the forward strand's.   min_mapq : mapping quality that a read needs.
    """

    code: str = "m"
    motif: str = "CG,0"
    threshold: float = 0.8
    merge_strands: bool = False
    min_mapq: int = 10

    def __post_init__(self) -> None:
        if not self.code or set(self.code) - set(BASE_OF_CODE) or len(set(self.code)) < len(self.code):
            raise UsageError(f"code '{self.code}' is not one of m, h, a, or some of them together, as mh.")
        if len(self.bases) > 1:
            raise UsageError(f"code '{self.code}' holds modifications of {' and '.join(self.bases)}; count them apart.")
        if not 0.5 <= self.threshold <= HIGHEST_LEVEL:
            raise UsageError(
                f"threshold {self.threshold:g} must lie within 0.5 and {HIGHEST_LEVEL:.4f}, the highest probability"
                " that ML can tell."
            )
        if not 0 <= self.min_mapq <= 255:
            raise UsageError(f"min mapq {self.min_mapq} must lie within 0 and 255, as mapping qualities do.")

    @property
    def bases(self) -> str:
        """Letters that the codes modify, each once."""
        return "".join(sorted({BASE_OF_CODE[code] for code in self.code}))


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


def read_settings_file(path: Path) -> dict[str, Any]:
    """Read the keys of a TOML settings file. Raises InputError for a file that is missing or no TOML."""
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError as problem:
        raise InputError(f"settings file {path} does not exist; correct the path.") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise InputError(f"settings file {path} is not TOML: {problem}.") from problem


def parse_size(text: str) -> int:
    """Read a whole number that may carry a suffix: '40M' is 40,000,000. Raises UsageError."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise UsageError(f"'{text}' is not a number; write for example 40M, 1.5G, 200k or 1,000,000.")
    number = Decimal(match[1].replace(",", "").replace("_", "")) * _FACTOR[match[2].lower()]
    if number != int(number):
        raise UsageError(f"'{text}' is not a whole number; write for example 40M, 1.5G, 200k or 1,000,000.")
    return int(number)


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
