"""How hidden states are probed for sites or windows that a user labels."""

from dataclasses import dataclass
from enum import StrEnum

from genolstm.errors import UsageError
from genolstm.settings.option import LARGEST_SEED, SAME_SEED, option, option_of
from genolstm.settings.probe import (
    SHORTEST_WINDOW,
    AccessibilitySettings,
    ProbeSettings,
    States,
    parse_kmers,
    readings_of,
)
from genolstm.settings.reading import FormatSettings
from genolstm.settings.record import Settings
from genolstm.settings.site_reading import SiteReading
from genolstm.settings.train import Precision

DEFAULT_GRID = 200  # bp of the windows of a signal, where none are named


class LabelColumn(StrEnum):
    """Column of a BED file that holds the labels."""

    NAME = "name"
    SCORE = "score"


class LabelKind(StrEnum):
    """What labels are. auto: numbers that are not whole, or of more than ten kinds, are values, all others classes."""

    AUTO = "auto"
    CLASSES = "classes"
    VALUES = "values"


@dataclass(frozen=True, kw_only=True)
class SitesSettings(Settings):
    """How hidden states are probed for labelled sites or windows.

    label : column of a BED file.   labels_as : what labels are.   positive : of two classes the one to be found; ''
    for '1', or the rarer.   window : bp taken around the middle of each interval, or of the grid over a signal; 0 for
    intervals as they are.   offsets, components, kmer, flank : of points; what is read at each, principal components
    of that, the k-mer control, and bases on each side that sequence controls see.   ends, kmers, bin_bp, matches :
    of windows, as in `AccessibilitySettings`.   ratio, margin, match_kmer : negatives drawn for each positive, bp that
    they keep from positives, and bases around a point that they share with one.   valid_share, test_share : of windows
    of a FASTA that names no parts, in whole clusters; the first also of training contigs that are named.   Others as
    in `ProbeSettings`.
    """

    label: LabelColumn = option(LabelColumn.NAME, "Column of a BED file that holds the labels.")
    labels_as: LabelKind = option(LabelKind.AUTO, "auto: numbers not whole, or of more than ten kinds, are values.")
    positive: str = option("", "Of two classes the one to be found; without, '1' or the rarer.")
    window: int = option(
        0, f"Bases around the middle of each interval; of a bigWig, of its grid ({DEFAULT_GRID}).", min=0
    )
    offsets: str = option_of(ProbeSettings, "offsets")
    components: int = option_of(ProbeSettings, "components")
    nn: bool = option_of(ProbeSettings, "nn")
    ends: bool = option_of(AccessibilitySettings, "ends")
    states: States = option_of(ProbeSettings, "states")
    twins: int = option_of(ProbeSettings, "twins")
    flank: int = option(50, "Bases on each side of a point that sequence controls see.", min=16)
    kmer: int = option(4, "Of points, length of k-mers of the k-mer control.", min=1, max=6)
    kmers: str = option("3,4,6", "Of windows, lengths of k-mers of the k-mer controls.")
    bin_bp: int = 10
    matches: int = option_of(AccessibilitySettings, "matches")
    ratio: int = option(10, "Negatives drawn for each positive, with --negatives matched.", min=1)
    margin: int = option(100, "Bases that drawn negatives keep from positives.", min=0)
    match_kmer: int = option(3, "Bases around a point that drawn negatives share with a positive.", min=1, max=7)
    block_bp: int = option_of(ProbeSettings, "block_bp")
    resamples: int = option_of(ProbeSettings, "resamples")
    max_sites: int = option(100_000, "Sites of each part used at most.", min=1)
    valid_share: float = 0.15
    test_share: float = 0.2
    train_contigs: tuple[str, ...] = option_of(ProbeSettings, "train_contigs")
    valid_contigs: tuple[str, ...] = option_of(AccessibilitySettings, "valid_contigs")
    test_contigs: tuple[str, ...] = option_of(ProbeSettings, "test_contigs")
    precision: Precision = option_of(FormatSettings, "precision")
    seed: int = option(1, SAME_SEED, min=0, max=LARGEST_SEED)

    @property
    def readings(self) -> tuple[SiteReading, ...]:
        """What is read at points, or tried there; see `readings_of`."""
        return readings_of(self.offsets)

    def __post_init__(self) -> None:
        readings_of(self.offsets)
        parse_kmers(self.kmers)
        object.__setattr__(self, "label", LabelColumn(self.label))
        object.__setattr__(self, "labels_as", LabelKind(self.labels_as))
        object.__setattr__(self, "states", States(self.states))
        object.__setattr__(self, "precision", Precision(self.precision))
        for name in ("train_contigs", "valid_contigs", "test_contigs"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in (
            "twins", "flank", "kmer", "bin_bp", "matches", "ratio", "match_kmer", "block_bp", "resamples", "max_sites",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.window < 0 or self.margin < 0:
            raise UsageError("window and margin must be at least 0.")
        if 0 < self.window < SHORTEST_WINDOW:
            raise UsageError(f"a window of {self.window} bp holds no 31-mer; give at least {SHORTEST_WINDOW}.")
