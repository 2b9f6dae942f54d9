"""What rebuilds a network without its weights: alphabet, cell, shape, forget bias."""

import math
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from genolstm.errors import UsageError
from genolstm.settings.option import option
from genolstm.settings.record import Settings


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


@dataclass(frozen=True, kw_only=True)
class SizeSettings(Settings):
    """The named shape of a new model; None follows the device."""

    size: Size | None = option(None, "small 1x128, base 1x512, large 2x1024; default small on a CPU, base on a GPU.")


@dataclass(frozen=True, kw_only=True)
class ModelSettings(Settings):
    """Everything that rebuilds the network without its weights.

    forget_bias : effective bias of the forget gate at the start, a number or 'chrono:T' (Tallec & Ollivier 2018).
    """

    alphabet: AlphabetName = AlphabetName.DNA
    cell: TrainableCell = option(TrainableCell.LSTM, "Which memory cell.")
    layers: int = option(1, "Layers; overrides --size.", min=1, shown=None)
    hidden: int = option(128, "Units a layer; overrides --size.", min=1, shown=None)
    forget_bias: str = option("3", "Effective forget bias, or chrono:T for memories of 1 to T bases.")

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
