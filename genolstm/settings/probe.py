"""How hidden states are probed for places in DNA: splice sites, open chromatin."""

import re
from dataclasses import dataclass
from enum import StrEnum

from genolstm.errors import UsageError
from genolstm.settings.option import LARGEST_SEED, SAME_SEED, option, option_of
from genolstm.settings.quantities import parse_names
from genolstm.settings.reading import FormatSettings
from genolstm.settings.record import Settings
from genolstm.settings.site_reading import SiteReading, parse_reading
from genolstm.settings.train import Precision

SHORTEST_WINDOW = 31  # bp: what a test window shares with training is counted in 31-mers
# states at a grid around the site, and pools of the own pass before it: what a grid cannot follow, as the branch site
# of an intron, which lies anywhere in the thirty bases before its acceptor, is still in a mean or a maximum
WIDE = parse_reading(
    "-40,-30,-24,-20,-16,-12,-8,-4,0,2,4,6,10,16,24,32,50,"
    "mean:-28:-15,mean:-16:-7,mean:-28:-5,mean:-10:-1,max:-28:-5,max:-16:-3"
)
# what a sweep tries: states at one offset, at several together (a donor extends over six bases), and around the site
SWEPT: tuple[SiteReading, ...] = (
    *map(parse_reading, ("0", "2", "4", "6", "10", "0,2,4", "0,2,4,6", "0,2,4,6,10")),
    SiteReading(WIDE.offsets),
    WIDE,
)


def readings_of(offsets: str) -> tuple[SiteReading, ...]:
    """What is tried at points, the best of it on validation taken. offsets : 'wide', 'sweep', or offsets and pools.

    Raises UsageError for anything else.
    """
    named = {"wide": (WIDE,), "sweep": SWEPT}
    return named[offsets] if offsets in named else (parse_reading(offsets),)


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

    decoys : negatives per true site.   offsets : 'wide', 'sweep', or symbols after the dinucleotide, read together, as
    '0,2,4'; below 0 the states before a pass has reached it.   components : principal components taken of each offset
    and pass, and of each pool; 0 for the states themselves.   nn : beside the probe, boosted trees on the same states.
    states : 'h', or 'h+c' to read the memory c beside the hidden state.   twins : random-init models of its shape.
    window : bases on each side of the site that the one-hot and k-mer controls see.   block_bp : bootstrap block.
    max_sites : true sites of each target and part used at most, drawn by the seed.   min_intron : bases; shorter
    gaps are frameshifts.
    """

    decoys: int = option(10, "Other GT or AG for each true site.", min=1)
    decoys_from: DecoySource = option(
        DecoySource.GENES, "genes: mRNA spans, same strand; contig: anywhere, either strand."
    )
    offsets: str = option(
        "wide",
        "wide: 17 offsets from -40 to 50, and pools of the states before the site; sweep: narrow ones too, the best on"
        " validation; or bases read beyond the site, as 0,2,4 or -4,0,mean:-28:-15.",
    )
    components: int = option(
        160, "Principal components of each offset and strand, learned on training sites; 0: all states.", min=0
    )
    nn: bool = option(True, "Also boosted trees on the same states: what a linear probe leaves unread.", "--nn/--no-nn")
    states: States = option(States.HIDDEN, "Hidden state h, or h and the memory c.")
    twins: int = option(3, "Random-init models of the same shape.", min=1)
    window: int = option(50, "Bases on each side that sequence controls see.", "--control-window", min=16)
    kmer: int = option(4, "Length of k-mers of the k-mer control.", min=1, max=6)
    block_bp: int = option(100_000, "Window of genome resampled together.", min=1)
    resamples: int = option(1_000, "Bootstrap resamples.", min=20)
    max_sites: int = option(5_000, "True sites of each kind and part used at most.", min=1)
    min_intron: int = option(20, "Shorter gaps are not taken for introns.", min=4)
    valid_share: float = 0.15
    train_contigs: tuple[str, ...] = option((), "Fit probes on these (comma separated).", read=parse_names)
    test_contigs: tuple[str, ...] = option((), "Test on these; the model must not have seen them.", read=parse_names)
    precision: Precision = option_of(FormatSettings, "precision")
    seed: int = option(1, SAME_SEED, min=0, max=LARGEST_SEED)

    @property
    def readings(self) -> tuple[SiteReading, ...]:
        """What is read at each site, or tried there; see `readings_of`."""
        return readings_of(self.offsets)

    def __post_init__(self) -> None:
        readings_of(self.offsets)
        object.__setattr__(self, "decoys_from", DecoySource(self.decoys_from))
        object.__setattr__(self, "states", States(self.states))
        object.__setattr__(self, "precision", Precision(self.precision))
        for name in ("train_contigs", "test_contigs"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("decoys", "twins", "window", "kmer", "block_bp", "resamples", "max_sites"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")


def parse_kmers(text: str) -> tuple[int, ...]:
    """Read '3,4,6'. Raises UsageError for anything but lengths from 1 to 7, the largest that a probe can hold."""
    if re.fullmatch(r"[1-7](,[1-7])*", text):
        return tuple(sorted({int(part) for part in text.split(",")}))
    raise UsageError(f"k-mers '{text}' are not lengths from 1 to 7 with commas between, as in 3,4,6.")


@dataclass(frozen=True, kw_only=True)
class AccessibilitySettings(Settings):
    """How hidden states are probed for open chromatin.

    window : bp.   peak_share : fraction of a window that lies in peaks when it is called open.   top_share : fraction
    of the windows of each part, called open by their signal where no peaks are given.   mappable_bp : a window is left
    out when no read lies in it or within this distance.   ends : beside mean and maximum, each pass's first and last
    state in the window.   nn : as in `ProbeSettings`.   states : 'h', or 'h+c' to pool the memory c beside the hidden
    state.   twins : random-init models of the same shape.   kmers : lengths of k-mers of the k-mer controls, as
    '3,4,6'.   bin_bp : of the one-hot control.   matches : closed windows of the same GC for each open one in the
    second score.   block_bp : bootstrap block. max_windows : of each part used at most, drawn by the seed.
    valid_share : fraction of training contigs that are named. edge_reach, edge_step : bp shown on either side of the
    edges of peaks, and between two points.   edge_near : bp on either side over which the forget gate is tested.
    edge_word : length of the k-mer in which matched positions agree. edge_matches : positions matched to each edge.
    """

    window: int = option(200, "Bases of a window.", min=SHORTEST_WINDOW)
    peak_share: float = 0.5
    top_share: float = option(0.03, "Fraction of each part's windows that are open where no peaks are given.")
    mappable_bp: int = 1_000
    ends: bool = option(False, "Beside mean and maximum, the states at the two ends of each window.")
    nn: bool = option_of(ProbeSettings, "nn")
    states: States = option_of(ProbeSettings, "states")
    twins: int = option_of(ProbeSettings, "twins")
    kmers: str = option("3,4,6", "Lengths of k-mers of the k-mer controls.")
    bin_bp: int = 10
    matches: int = option(5, "Closed windows of the same GC for each open one, second score.", min=1)
    block_bp: int = option_of(ProbeSettings, "block_bp")
    resamples: int = option_of(ProbeSettings, "resamples")
    max_windows: int = option(100_000, "Windows of each part used at most.", min=1)
    valid_share: float = 0.15
    exclude_contigs: tuple[str, ...] = option((), "Leave these out (comma separated).", read=parse_names)
    train_contigs: tuple[str, ...] = option_of(ProbeSettings, "train_contigs")
    valid_contigs: tuple[str, ...] = option((), "Choose penalties of the probes on these.", read=parse_names)
    test_contigs: tuple[str, ...] = option_of(ProbeSettings, "test_contigs")
    edge_reach: int = 500
    edge_step: int = 20
    edge_near: int = 50
    edge_word: int = 6
    edge_matches: int = 5
    permutations: int = option(10_000, "Of the test of forgetting at the edges of peaks.", min=1)
    precision: Precision = option_of(FormatSettings, "precision")
    seed: int = option(1, SAME_SEED, min=0, max=LARGEST_SEED)

    def __post_init__(self) -> None:
        parse_kmers(self.kmers)
        object.__setattr__(self, "states", States(self.states))
        object.__setattr__(self, "precision", Precision(self.precision))
        for name in ("exclude_contigs", "train_contigs", "valid_contigs", "test_contigs"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in (
            "window", "twins", "bin_bp", "matches", "block_bp", "resamples", "max_windows", "edge_reach", "edge_step",
            "edge_word", "edge_matches", "permutations",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.window <= max(parse_kmers(self.kmers)):
            raise UsageError(f"a window of {self.window} bp holds no {max(parse_kmers(self.kmers))}-mer.")
        if self.window < SHORTEST_WINDOW:
            raise UsageError(
                f"a window of {self.window} bp holds no {SHORTEST_WINDOW}-mer, in which is counted what a test window"
                f" shares with training; give at least {SHORTEST_WINDOW}."
            )
        if self.mappable_bp < 0 or not 0 <= self.edge_near <= self.edge_reach:
            raise UsageError("mappable_bp must be at least 0, and edge_near lie between 0 and edge_reach.")
        for name in ("peak_share", "top_share"):
            if not 0 < getattr(self, name) <= 1:
                raise UsageError(f"{name} must be above 0 and at most 1, not {getattr(self, name)}.")
