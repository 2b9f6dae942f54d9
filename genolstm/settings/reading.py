"""How a trained model reads whole contigs: for bits, for gates, for variants."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from genolstm.errors import UsageError
from genolstm.settings.option import LARGEST_SEED, SAME_SEED, option, option_of
from genolstm.settings.quantities import parse_size
from genolstm.settings.record import Settings
from genolstm.settings.train import Precision

# number format of the matrix products -> largest difference of states (`stream.seams.max_state_difference`) at a seam
# that is not read again. Rounding alone leaves 2e-7 to 1e-6 between two passes over the same symbols in fp32; in bf16
# (8 bits of mantissa, of c too) 0.01 at half of the places of a trained 1x256, and 0.03 at most of them; in tf32 and
# fp16 (10 bits, emulated: a trained 1x256 after 12,288 symbols, 8 places) 6e-5 to 2.4e-3, for ever
SEAM_TOLERANCE: Mapping[Precision, float] = {
    Precision.FP32: 5e-6,
    Precision.TF32: 0.01,
    Precision.FP16: 0.01,
    Precision.BF16: 0.05,
}


@dataclass(frozen=True, kw_only=True)
class StreamSettings(Settings):
    """How whole contigs are read by a trained model.

    lanes : pieces read side by side, at most.   chunk : symbols a step.   burn_in : symbols read before a piece to
    build its state, at most: how soon the model forgets is measured, see `stream.burn_in_check`.   least_burn_in : what
    a reader needs of the symbols before a piece.   exact : one lane for each contig and strand, no pieces.
    repair : read pieces again from the true state where the burned-in one differs from it by more than `tolerance`.
    tolerance : largest difference of any unit, of h as it is and of c relative to 1 + |c|; a coarser number format than
    fp32 leaves at least its own, see SEAM_TOLERANCE.   precision : number format of the matrix products.
    """

    on_gpu = MappingProxyType({"lanes": 512})  # a step of one lane takes as long there as one of hundreds

    lanes: int = option(64, "Pieces of genome read side by side; 512 on a GPU unless given.", min=1)
    chunk: int = option(512, "Bases that every lane reads in one step.", min=1)
    burn_in: int = option(
        16_384, "Most bases read before a piece to build its state; fewer where the model is found to forget.", min=0
    )
    least_burn_in: int = 0
    exact: bool = option(False, "One lane for each contig and strand, from end to end: no seams, but slower.")
    repair: bool = True
    tolerance: float = option(
        SEAM_TOLERANCE[Precision.FP32], "Largest difference of states at a seam that is not read again."
    )
    precision: Precision = Precision.FP32

    def __post_init__(self) -> None:
        for name, least in (("lanes", 1), ("chunk", 1), ("burn_in", 0), ("least_burn_in", 0)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} must be at least {least}, not {getattr(self, name)}.")
        if not 0 < self.tolerance < math.inf:
            raise UsageError(f"tolerance must be above 0, not {self.tolerance}.")
        object.__setattr__(self, "precision", Precision(self.precision))
        if self.precision is not Precision.FP32:
            object.__setattr__(self, "tolerance", max(self.tolerance, SEAM_TOLERANCE[self.precision]))


@dataclass(frozen=True, kw_only=True)
class FormatSettings(StreamSettings):
    """The same, of a command whose results may be read in another number format."""

    precision: Precision = option(
        Precision.FP32,
        "Number format of the network's matrix products; bf16 is faster where the processor has it, tf32 and fp16 on"
        " CUDA, and good for means: single bases may differ by bits.",
    )


class SitePool(StrEnum):
    """What is kept of the states after each base of a site."""

    LAST = "last"
    MEAN = "mean"
    MAX = "max"


def parse_pools(text: str) -> tuple[SitePool, ...]:
    """Read 'mean,max'; each once, in the order of `SitePool`. Raises UsageError for another word, and for none."""
    words = {word.strip() for word in text.split(",")}
    if unknown := sorted(words - set(SitePool)):
        raise UsageError(f"'{unknown[0]}' is no pool; name last, mean or max, with commas between.")
    return tuple(pool for pool in SitePool if pool in words)


def parse_layers(text: str | None) -> tuple[int, ...]:
    """Read '0,1'; each once, by number; () for nothing. Raises UsageError for anything but whole numbers."""
    if not text:
        return ()
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise UsageError(f"layers '{text}' are not whole numbers from 0, with commas between, as in 0,1.")
    return tuple(sorted({int(part) for part in text.split(",")}))


@dataclass(frozen=True, kw_only=True)
class EmbedSettings(Settings):
    """What is kept of the states at a site.

    pool : kinds; 'last' is the state when a pass has read the whole site, mean and max are over the states after each
    of its bases, in each pass.   layers : numbers from 0, which reads the bases; () for all.
    """

    pool: tuple[SitePool, ...] = option(
        (SitePool.LAST,),
        "States of a site: last (it was read), or mean or max over its bases; several with commas between.",
        read=parse_pools,
    )
    layers: tuple[int, ...] = option(
        (), "Layers to keep, from 0, which reads the bases (comma separated); all when left out.", read=parse_layers
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "pool", parse_pools(",".join(self.pool)))
        object.__setattr__(self, "layers", parse_layers(",".join(map(str, self.layers))))

    def kept_layers(self, layers: int) -> tuple[int, ...]:
        """Numbers of the layers that are kept, of a model with so many. Raises UsageError for one that it lacks."""
        if beyond := [layer for layer in self.layers if layer >= layers]:
            has = f"layers 0 to {layers - 1}" if layers > 1 else "layer 0 alone"
            raise UsageError(f"the model has no layer {beyond[0]}: it has {has}.")
        return self.layers or tuple(range(layers))


@dataclass(frozen=True, kw_only=True)
class GatesSettings(Settings):
    """How gates are sampled along a genome, and how they are tested.

    every : bases between samples of the tracks, which need the forget gate alone.   units_every : bases between samples
    of all gates of each unit.   memory_bases : symbols that the functional memory curve reads for each K, both strands;
    0 leaves it out.   reset_share : a reset is a local minimum of the mean forget gate in this lowest fraction of the
    samples. reach : bases shown on either side of a boundary.   near : bases on either side over which its gates are
    averaged. match_kmer : length of the k-mer, its last letter at the position, in which a matched position agrees.
    matches : positions matched to each boundary.   permutations : of the test.   resamples : of bootstraps.   block_bp
    : bases resampled together.
    """

    every: int = option(100, "Bases between samples of the tracks; 1 takes all.", min=1)
    units_every: int = option(100, "Bases between samples of what each unit's gates do; 1 takes all.", min=1)
    memory_bases: int = option(
        300_000, "Bases read for each K of the functional memory curve; 0 leaves it out.", read=parse_size
    )
    reset_share: float = option(0.001, "A reset lies in this lowest fraction of the mean forget gate.")
    reach: int = option(50, "Bases shown on either side of a boundary.", min=1)
    near: int = option(10, "Bases on either side of a boundary over which gates are averaged.", min=0)
    match_kmer: int = option(6, "Length of the k-mer that ends at a boundary and its matches.", min=1, max=10)
    matches: int = option(5, "Matched positions for each boundary.", min=1, max=100)
    permutations: int = option(10_000, "Of the test of boundaries.", min=1)
    resamples: int = option(1_000, "Bootstrap resamples of intervals.", min=20)
    block_bp: int = option(100_000, "Window of genome resampled together, for boundaries.", min=1)
    seed: int = option(1, SAME_SEED, min=0, max=LARGEST_SEED)

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


@dataclass(frozen=True, kw_only=True)
class VariantSettings(Settings):
    """How variants are scored.

    window : reference bases after an allele, in reading direction, that count beside the allele's own.   batch :
    alleles read side by side.   markov : the same ratio by a Markov model beside it.   background : changes drawn for
    each of the 96 kinds, of which percentiles are told.   seed : of these draws.
    lanes, chunk, burn_in, exact : how the genome before the variants is read, see `StreamSettings`; an allele is read
    from the last chunk that begins before it, so that short chunks save work.
    """

    on_gpu = MappingProxyType({"lanes": 512, "chunk": 64, "batch": 4096})  # few long steps

    window: int = option(64, "Bases after an allele that count, on either strand.", min=0)
    batch: int = option(256, "Alleles read side by side; 4096 on a GPU unless given.", min=1)
    markov: bool = option(
        True, "Also the same ratio under the interpolated Markov model, as MARKOV_LLR.", "--markov/--no-markov"
    )
    background: int = option(
        0,
        "Changes of each substitution and trinucleotide, drawn on held-out sequence, for percentiles; 0: none.",
        min=0,
    )
    seed: int = option(1, SAME_SEED, min=0, max=LARGEST_SEED)
    lanes: int = option_of(StreamSettings, "lanes")
    chunk: int = 16
    burn_in: int = option_of(StreamSettings, "burn_in")
    exact: bool = option_of(StreamSettings, "exact")

    def __post_init__(self) -> None:
        for name, least in (("window", 0), ("batch", 1), ("background", 0)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} must be at least {least}, not {getattr(self, name)}.")
        _ = self.stream  # its own checks

    @property
    def stream(self) -> StreamSettings:
        """How the genome before the variants is read."""
        return StreamSettings(lanes=self.lanes, chunk=self.chunk, burn_in=self.burn_in, exact=self.exact)
