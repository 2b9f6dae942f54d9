"""Every default, once: frozen, complete, validated at birth, and saved in each result file."""

import dataclasses
import math
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
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


class Precision(StrEnum):
    """Number format of the matrix products; weights and losses stay in float32."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


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
    checkpoint_minutes : between two resumable checkpoints.
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
    seed: int = 1

    @property
    def look_bases(self) -> int:
        """Symbols that one look reads: fewer in a short training, which looks would else outlast."""
        return min(self.valid_bases, max(100_000, self.bases // 50)) if self.bases else self.valid_bases

    def __post_init__(self) -> None:
        object.__setattr__(self, "precision", Precision(self.precision))
        for name in ("train_contigs", "valid_contigs", "test_contigs"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
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


@dataclass(frozen=True, kw_only=True)
class StreamSettings(Settings):
    """How whole contigs are read by a trained model.

    lanes : pieces read side by side.   chunk : symbols a step.   burn_in : symbols read before a piece to build its
    state.
    """

    lanes: int = 64
    chunk: int = 512
    burn_in: int = 1024

    def __post_init__(self) -> None:
        for name, least in (("lanes", 1), ("chunk", 1), ("burn_in", 0)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} must be at least {least}, not {getattr(self, name)}.")


# what a sweep tries: states read once, and read at several places together (a donor is spelled out over six bases)
OFFSET_SETS: tuple[tuple[int, ...], ...] = (
    (0,), (2,), (4,), (6,), (10,), (0, 2, 4), (0, 2, 4, 6), (0, 2, 4, 6, 10),
)  # fmt: skip


def parse_offsets(text: str) -> tuple[int, ...]:
    """Read '0,2,4'. Raises UsageError for anything but whole numbers of 0 or more."""
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise UsageError(f"offsets '{text}' are neither 'sweep' nor whole numbers of 0 or more, as in 0,2,4.")
    return tuple(sorted({int(part) for part in text.split(",")}))


class DecoySource(StrEnum):
    """Where decoys may lie: in spans of mRNA on the same strand, or anywhere on the contig on either strand."""

    GENES = "genes"
    CONTIG = "contig"


class States(StrEnum):
    """Which states are probed: the hidden state alone, or the memory beside it."""

    HIDDEN = "h"
    BOTH = "h+c"


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
    """Read a number that may carry a suffix: '40M' is 40,000,000. Raises UsageError."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise UsageError(f"'{text}' is not a number; write for example 40M, 1.5G, 200k or 1,000,000.")
    return round(float(match[1].replace(",", "").replace("_", "")) * _FACTOR[match[2].lower()])
