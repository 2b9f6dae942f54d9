"""A network with recall along a genome: what copies and counts of the text that was read add to it.

Frozen: the text is the model's training sequence, weights and hit rates are fitted in two passes over its validation
part, and nothing moves while the rest is scored. Online, apart from it: from there on the text takes in all that has
been scored on that strand, and weights and rates go on learning. Each stretch and strand is read base by base from one
end to the other. What was trained on is never scored: it would find itself.
"""

import dataclasses
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import Codes
from genolstm.errors import InputError, UsageError
from genolstm.ranks import ALONE
from genolstm.recall.memory import (
    BREAK,
    LONGEST,
    Head,
    Memory,
    advance,
    empty_head,
    empty_memory,
    memorise,
    memory_bytes,
)
from genolstm.recall.mixing import Copies, Found, Mixers, new_copies, new_mixers, read
from genolstm.regions import Part, Stretches
from genolstm.scoring.along_genome import score_along, starts_of
from genolstm.scoring.beside_markov import shared
from genolstm.scoring.blocks import BLOCK_BP, mean_difference
from genolstm.seeds import spawn
from genolstm.seen import Seen
from genolstm.settings.recall import RecallMode, RecallSettings
from genolstm.store.genome import Genome
from genolstm.store.recall import RecallBits
from genolstm.store.spool import open_spool
from genolstm.stream.reader import GenomeReader
from genolstm.stream.seams import Seams

log = logging.getLogger(__name__)

FIT_PASSES = 2
FITTED_AT_MOST = 4_000_000  # bases of the validation part
SLAB = 1 << 18  # bases read at a time
WINDOW_BP = 10_000
BEST_WINDOWS = 0.05  # the share of windows whose part of the gain is told
UNTRAINED = "not trained on"  # the part that is all that was read
NETWORK, MIXED, WITHOUT, COUNTS = range(4)  # the lines of bits
LINES = 4
FROZEN, ONLINE = RecallMode.FROZEN, RecallMode.ONLINE


class LogProbabilities(Protocol):
    """Natural log probabilities of every known symbol along stretches, as `score_along` writes them."""

    def read(self, strand: int, first: int, end: int, /) -> NDArray[np.float32]: ...  # noqa: D102


class RecallTracks(Protocol):
    """Where tracks go: bits gained over the network, symbols matched, and bases between a base and its copy."""

    def write_recall(  # noqa: D102
        self, strand: int, first: int, gain: NDArray[np.float32], matched: NDArray[np.float32],
        distance: NDArray[np.float32], /,
    ) -> None: ...  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RecallPlan:
    """What recall will read. training : its text to begin with.   valid : what weights are fitted on.

    scored : what is asked for less what was trained on.   test : held out for testing.   modes : one after the other.
    """

    settings: RecallSettings
    training: Stretches
    valid: Stretches
    scored: Stretches
    test: Stretches
    modes: tuple[RecallMode, ...]

    @property
    def capacity(self) -> int:
        """Symbols of text that there must be room for, breaks included; in either mode the same."""
        return 2 + sum(each.bases + len(each.start) for each in (self.training, self.scored))

    @property
    def bytes(self) -> int:
        """Memory of the text, its index and its counts."""
        return self.bytes_with(self.settings.recall_index_bits)

    def bytes_with(self, index_bits: int) -> int:
        """The same with another limit on the entries of a table."""
        return memory_bytes(self.settings.recall_lengths, self.settings.recall_orders, self.capacity, index_bits)


def plan_recall(
    seen: Seen, genome: Genome, stretches: Stretches, settings: RecallSettings, *, genome_name: str, model_name: str
) -> RecallPlan:
    """What recall will read of a genome; what it must do without is logged.

    Raises UsageError for proteins, InputError where frozen recall lacks the training sequence or a validation part, or
    where there is nothing but training sequence to score.
    """
    if genome.alphabet.complement is None:
        raise UsageError(f"--recall is for DNA, and {genome_name} holds {genome.alphabet.name}; leave it out.")
    training, valid = seen.split.of(Part.TRAIN), _first_bases(seen.split.of(Part.VALID), FITTED_AT_MOST)
    frozen = settings.recall is FROZEN
    remedy = "give the genome that it was trained on, or --recall online"
    if not seen.complete and frozen:
        raise InputError(
            f"--recall frozen looks in what {model_name} was trained on, and {genome_name} does not hold"
            f" {'all of that' if training.bases else 'any of it'}; {remedy}."
        )
    if not valid.bases and frozen:
        raise InputError(
            f"{model_name} has no validation part in {genome_name} on which to fit the weights of recall; {remedy}, or"
            " train with --valid-contigs."
        )
    scored = _without(stretches, training)
    if not scored.bases:
        raise InputError(
            f"all that is asked for of {genome_name} was trained on, where recall would find the sequence itself; ask"
            " for other regions, or leave --recall out."
        )
    modes = (FROZEN,) if frozen else (FROZEN, ONLINE) if seen.complete and valid.bases else (ONLINE,)
    if modes == (ONLINE,):
        log.warning(
            "recall begins %s, with weights that were fitted to nothing: %s; its first bases pay for what it learns",
            f"with {training.bases:,} bases of the model's training sequence" if training.bases else "with no text",
            f"{genome_name} is not the genome of {model_name}" if not seen.complete else "there is no validation part",
        )
    return RecallPlan(
        settings=settings, training=training, valid=valid, scored=scored,
        test=shared(scored, seen.split.of(Part.TEST)), modes=modes,
    )  # fmt: skip


def _first_bases(stretches: Stretches, most: int) -> Stretches:
    """The first of some stretches, `most` bases of them at most."""
    before = np.cumsum(stretches.end - stretches.start) - (stretches.end - stretches.start)
    kept = dataclasses.replace(stretches, end=np.minimum(stretches.end, stretches.start + np.maximum(most - before, 0)))
    return kept.only(kept.end > kept.start)


def _without(some: Stretches, others: Stretches) -> Stretches:
    """What of some stretches lies in none of some others; both sorted and disjoint."""
    rows = []
    for contig, start, end, part in zip(
        some.contig.tolist(), some.start.tolist(), some.end.tolist(), some.part.tolist(), strict=True
    ):
        mine = others.contig == contig
        at = start
        for low, high in zip(others.start[mine].tolist(), others.end[mine].tolist(), strict=True):
            if high <= at or low >= end:
                continue
            if low > at:
                rows.append((contig, at, low, part))
            at = max(at, high)
        if at < end:
            rows.append((contig, at, end, part))
    table = np.array(rows, dtype=np.int64).reshape(len(rows), 4)
    return dataclasses.replace(
        some, contig=table[:, 0].astype(np.int32), start=table[:, 1], end=table[:, 2], part=table[:, 3].astype(np.int8)
    )


class _Slab(NamedTuple):
    """Part of a stretch. first : place among the bases of all stretches.   start, end : within the contig."""

    contig: int
    first: int
    start: int
    end: int


class _Text:
    """A memory, and where on the genome each part of its text lies."""

    def __init__(self, genome: Genome, plan: RecallPlan) -> None:
        settings = plan.settings
        self.genome, self.training = genome, plan.training
        self.memory: Memory = empty_memory(
            settings.recall_lengths, settings.recall_orders, plan.capacity, settings.recall_index_bits
        )
        self.first: list[int] = []  # of each part, in the text
        self.address: list[int] = []  # of its first symbol, in the genome's codes
        self.sign: list[int] = []
        self.restart()

    def restart(self) -> None:
        """Read the training sequence, and nothing else, in the memory that is there."""
        for array in (self.memory.length, self.memory.ends, self.memory.dense, self.memory.slots):
            array[:] = 0
        self.first, self.address, self.sign = [], [], []
        for contig, start, end in _rows(self.training):
            self.begin(int(self.genome.starts[contig]) + start, 1)
            head = empty_head()
            for at in range(start, end, SLAB):
                memorise(self.memory, head, self.codes(contig, at, min(end, at + SLAB), 0))
            self.break_off(head)
        if not self.first:
            self.begin(0, 1)

    def begin(self, address: int, sign: int) -> None:
        """Note that the text goes on with what lies at an address."""
        self.first.append(int(self.memory.length[0]))
        self.address.append(address)
        self.sign.append(sign)

    def break_off(self, head: Head) -> None:
        """End a part, so that no window spans two."""
        memorise(self.memory, head, np.array([BREAK], dtype=np.uint8))

    def codes(self, contig: int, start: int, end: int, strand: int) -> Codes:
        """Codes of some bases of a contig, as they are read along a strand."""
        first = int(self.genome.starts[contig])
        codes = self.genome.all_codes[first + start : first + end]
        if strand == 0:
            return np.ascontiguousarray(codes)
        complement = self.genome.alphabet.complement
        if complement is None:
            raise ValueError("there is no other strand")
        return np.ascontiguousarray(complement[codes[::-1]])

    def distance(self, source: NDArray[np.int64], contig: int, address: NDArray[np.int64]) -> NDArray[np.float32]:
        """Bases between some places and those that they were expected from; NaN on another contig or without one."""
        part = np.searchsorted(self.first, source, side="right") - 1
        first, begins, sign = (np.array(each)[part] for each in (self.first, self.address, self.sign))
        there = begins + sign * (source - first)
        start, length = int(self.genome.starts[contig]), int(self.genome.lengths[contig])
        known = (source >= 0) & (there >= start) & (there < start + length)
        return np.where(known, np.abs(there - address), np.nan).astype(np.float32)


def _rows(stretches: Stretches) -> Iterator[tuple[int, int, int]]:
    return zip(stretches.contig.tolist(), stretches.start.tolist(), stretches.end.tolist(), strict=True)


class _Fitted(NamedTuple):
    copies: Copies
    mixers: Mixers

    def copy(self) -> "_Fitted":
        return _Fitted(
            Copies._make(each.copy() for each in self.copies), Mixers._make(each.copy() for each in self.mixers)
        )


def new_fitted(settings: RecallSettings) -> _Fitted:
    """Rates and weights as they begin."""
    return _Fitted(
        new_copies(len(settings.recall_lengths)),
        new_mixers(2 * len(settings.recall_lengths), len(settings.recall_orders)),
    )


def _read_strand(
    text: _Text, fitted: _Fitted, stretches: Stretches, within: Stretches, log_p: LogProbabilities, strand: int, *,
    growing: bool, learning: bool,
) -> Iterator[tuple[_Slab, NDArray[np.float32], Found]]:  # fmt: skip
    """Read stretches along one strand, base by base, in the order of the genome; both results along the strand.

    within : the stretches that `log_p` is of, and places count.   Yields the slab, the network's log probabilities
    of its symbols [n, 4], and what was found.
    """
    places = starts_of(within)
    for contig, start, end in _rows(stretches):
        (home,) = np.flatnonzero((within.contig == contig) & (within.start <= start) & (within.end >= end))
        shift = int(places[home]) - int(within.start[home])
        head = _primed(text, contig, start, end, strand)
        fitted.copies.place[:] = -1
        if growing:
            address = int(text.genome.starts[contig])
            text.begin(address + (start if strand == 0 else end - 1), 1 - 2 * strand)
        edges = list(range(start, end, SLAB))
        for at in edges if strand == 0 else edges[::-1]:
            slab = _Slab(contig, shift + at, at, min(end, at + SLAB))
            codes = text.codes(contig, slab.start, slab.end, strand)
            values = log_p.read(strand, slab.first, slab.first + len(codes))
            values = np.ascontiguousarray(values if strand == 0 else values[::-1])
            found = _nothing_found(len(codes), len(fitted.mixers.first))
            read(codes, values, text.memory, head, fitted.copies, fitted.mixers, growing, learning, found)
            yield slab, values, found
            text.genome.release()
        if growing:
            text.break_off(head)


def _nothing_found(symbols: int, mixers: int) -> Found:
    return Found(
        np.zeros((symbols, mixers), np.float32), np.zeros(symbols, np.int32), np.zeros(symbols, np.int64),
        np.zeros(symbols, np.bool_),
    )  # fmt: skip


def _primed(text: _Text, contig: int, start: int, end: int, strand: int) -> Head:
    """The last symbols before a stretch, on its contig and strand."""
    length, head = int(text.genome.lengths[contig]), empty_head()
    before = (max(0, start - LONGEST), start) if strand == 0 else (end, min(length, end + LONGEST))
    for symbol in text.codes(contig, *before, strand).tolist():
        advance(head, symbol)
    return head


def fit_recall(text: _Text, reader: GenomeReader, plan: RecallPlan, beside: Path) -> _Fitted:
    """Weights and rates after two passes over the validation part, both strands."""
    fitted = new_fitted(plan.settings)
    if FROZEN not in plan.modes:
        return fitted
    alone = dataclasses.replace(reader, ranks=ALONE, on_progress=None)
    with open_spool(beside, plan.valid.bases, (4,)) as log_p:
        score_along(alone, plan.valid, _Unkept(), seams=Seams(), log_probabilities=[log_p])
        for _ in range(FIT_PASSES):
            for strand in range(2):
                for _ in _read_strand(
                    text, fitted, plan.valid, plan.valid, log_p, strand, growing=False, learning=True
                ):
                    pass
    log.info("weights of recall fitted on %s bases of the validation part", f"{plan.valid.bases:,}")
    return fitted


class _Unkept:
    """A sink that keeps nothing."""

    def write(self, strand: int, first: int, values: NDArray[np.float32], /) -> None: ...


@dataclass
class _Sums:
    """Bits of the lines in every window of 10 kb, both strands. symbols : [windows].   bits : [windows, LINES]."""

    first: NDArray[np.int64]  # number of each contig's first window
    symbols: NDArray[np.int64] = field(init=False)
    bits: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.symbols = np.zeros(int(self.first[-1]), dtype=np.int64)
        self.bits = np.zeros((int(self.first[-1]), LINES))

    def add(self, contig: int, position: NDArray[np.int64], bits: NDArray[np.float64]) -> None:
        """Add known bases of a contig. bits : [n, LINES]."""
        window = self.first[contig] + position // WINDOW_BP
        low = int(window.min(initial=len(self.symbols)))
        counted = np.bincount(window - low) if len(window) else np.zeros(0, dtype=np.int64)
        self.symbols[low : low + len(counted)] += counted
        for line in range(LINES):
            self.bits[low : low + len(counted), line] += np.bincount(window - low, bits[:, line])


def recall_along(
    reader: GenomeReader,
    plan: RecallPlan,
    stretches: Stretches,
    log_p: LogProbabilities,
    *,
    beside: Path,
    tracks: RecallTracks | None = None,
    seed: int = 0,
) -> tuple[RecallBits, ...]:
    """Bits of what was not trained on, by the network, by recall, and by both; a row for each mode and part.

    stretches : of which `log_p` holds the network's log probabilities, written by `score_along`.   beside : an output,
    in the folder of which those of the validation part are kept meanwhile.   tracks : of the last mode.   seed : of the
    bootstrap over blocks of 100 kb.
    """
    genome = reader.genome
    log.info(
        "recall: windows of %s, contexts of %s; %.2f GB of memory",
        ", ".join(map(str, plan.settings.recall_lengths)), ", ".join(map(str, plan.settings.recall_orders)) or "none",
        plan.bytes / 1e9,
    )  # fmt: skip
    text = _Text(genome, plan)
    fitted = fit_recall(text, reader, plan, beside)
    rows: list[RecallBits] = []
    for mode in plan.modes:
        windows = np.append(0, np.cumsum(-(-genome.lengths // WINDOW_BP)))
        sums = {UNTRAINED: _Sums(windows), Part.TEST.name.lower(): _Sums(windows)}
        for strand in range(reader.strands):
            growing = mode is ONLINE
            if growing and strand:
                text.restart()  # of this strand nothing was read yet
            own = fitted.copy()
            for slab, values, found in _read_strand(
                text, own, plan.scored, stretches, log_p, strand, growing=growing, learning=growing
            ):
                _add(sums, text, slab, values, found, plan, strand, tracks if mode is plan.modes[-1] else None)
        rows += [
            _row(str(mode), part, each, seed) for part, each in sums.items() if each.symbols.any()
        ]  # fmt: skip
    return tuple(rows)


def recall_test_part(reader: GenomeReader, plan: RecallPlan, *, beside: Path, seed: int) -> tuple[RecallBits, ...]:
    """Bits of what a plan scores, by the network, by recall, and by both; one process reads it all.

    beside, seed : as for `recall_along`.
    """
    alone = dataclasses.replace(reader, ranks=ALONE)
    with open_spool(beside, plan.scored.bases, (4,)) as log_p:
        score_along(alone, plan.scored, _Unkept(), seams=Seams(), log_probabilities=[log_p])
        rows = recall_along(alone, plan, plan.scored, log_p, beside=beside, seed=seed)
    return tuple(row for row in rows if row.part == Part.TEST.name.lower())


def _add(
    sums: dict[str, _Sums], text: _Text, slab: _Slab, values: NDArray[np.float32], found: Found, plan: RecallPlan,
    strand: int, tracks: RecallTracks | None,
) -> None:  # fmt: skip
    """Add a slab to the sums, and its gains to the tracks."""
    codes = text.codes(slab.contig, slab.start, slab.end, strand)
    position = np.arange(slab.start, slab.end) if strand == 0 else np.arange(slab.end - 1, slab.start - 1, -1)
    known = codes < values.shape[1]
    symbol = np.where(known, codes, 0)
    network = -np.take_along_axis(values, symbol[:, None].astype(np.int64), axis=1)[:, 0] / np.log(2)
    bits = np.column_stack([network, found.bits]).astype(np.float64)
    sums[UNTRAINED].add(slab.contig, position[known], bits[known])
    in_test = plan.test.part_at(np.full(len(codes), slab.contig, dtype=np.int32), position) >= 0
    sums[Part.TEST.name.lower()].add(slab.contig, position[known & in_test], bits[known & in_test])
    if tracks is None:
        return
    gain = np.where(known, network - found.bits[:, 0], np.nan).astype(np.float32)
    address = int(text.genome.starts[slab.contig]) + position
    distance = text.distance(found.source, slab.contig, address)
    along = slice(None) if strand == 0 else slice(None, None, -1)
    tracks.write_recall(strand, slab.first, gain[along], found.matched.astype(np.float32)[along], distance[along])


def _row(mode: str, part: str, sums: _Sums, seed: int) -> RecallBits:
    """Means over all windows, how the gain is spread over them, and whether there is one."""
    used = sums.symbols > 0
    symbols, total = sums.symbols[used], sums.bits.sum(axis=0)
    gain = sums.bits[used, NETWORK] - sums.bits[used, MIXED]
    best = np.sort(gain)[::-1][: max(1, round(BEST_WINDOWS * len(gain)))].sum()
    baseline = NETWORK if total[NETWORK] <= total[WITHOUT] else WITHOUT
    block = np.arange(len(used)) // (BLOCK_BP // WINDOW_BP)
    n_blocks = int(block[-1]) + 1
    ours, theirs = (np.bincount(block, sums.bits[:, line], n_blocks).astype(np.float64) for line in (MIXED, baseline))
    of_block = np.bincount(block, sums.symbols, n_blocks).astype(np.int64)
    difference = mean_difference(ours, theirs, of_block, spawn(seed, "bootstrap of recall"))
    means = total / symbols.sum()
    return RecallBits(
        mode=mode, part=part, symbols=int(symbols.sum()), network=means[NETWORK], mixed=means[MIXED],
        without_network=means[WITHOUT], counts=means[COUNTS], windows=len(symbols),
        median_gain=float(np.median(gain / symbols)),
        top_fraction=float(best / gain.sum()) if gain.sum() > 0 else float("nan"),
        difference=difference.value, low=difference.low, high=difference.high,
    )  # fmt: skip
