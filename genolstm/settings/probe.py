"""How hidden states are probed for places in DNA: splice sites, open chromatin."""

import re
from dataclasses import dataclass
from enum import StrEnum

from genolstm.errors import UsageError
from genolstm.settings.record import Settings

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

    @property
    def offset_sets(self) -> tuple[tuple[int, ...], ...]:
        """Offsets that are read together: those named, or those of the sweep, of which the best on validation wins."""
        return OFFSET_SETS if self.offsets == "sweep" else (parse_offsets(self.offsets),)

    @property
    def offsets_to_read(self) -> tuple[int, ...]:
        """Every offset at which states are needed."""
        return tuple(sorted({offset for each in self.offset_sets for offset in each}))

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
