"""A network with recall along a genome: what copies and counts of the text that was read add to it.

Frozen: the text is the model's training sequence, weights and hit rates are fitted in two passes over its validation
part, and nothing moves while the rest is scored. Online, apart from it: from there on the text takes in all that has
been scored on that strand, and weights and rates go on learning. Each stretch and strand is read base by base from one
end to the other. What was trained on is never scored: it would find itself.
"""

import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
from genolstm.scoring.recall_sums import COLUMNS, PARTS, READ, TESTED, RowSums, recall_bits, summed
from genolstm.seen import Seen
from genolstm.settings.recall import RecallMode, RecallSettings
from genolstm.store.genome import Genome
from genolstm.store.recall import FORWARD, TEST, WINDOW_BP, RecallBits
from genolstm.store.spool import Spool, open_spool
from genolstm.stream.reader import GenomeReader
from genolstm.stream.seams import Seams
from genolstm.stream.sharding import gather_rows, owners_of

log = logging.getLogger(__name__)

FIT_PASSES = 2
FITTED_AT_MOST = 4_000_000  # bases of the validation part
SLAB = 1 << 18  # bases read at a time
STRANDS = 2  # of DNA
TRACKS = 3  # gain, matched symbols, distance
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
    can_fit = _any_known(genome, valid)
    frozen = settings.recall is FROZEN
    remedy = "give the genome that it was trained on, or --recall online"
    if not seen.complete and frozen:
        raise InputError(
            f"--recall frozen looks in what {model_name} was trained on, and {genome_name} does not hold"
            f" {'all of that' if training.bases else 'any of it'}; {remedy}."
        )
    if not can_fit and frozen:
        raise InputError(
            f"{model_name} has no validation part with a known base in {genome_name}, on which to fit the weights of"
            f" recall; {remedy}, or train with --valid-contigs."
        )
    scored = _without(stretches, training)
    if not scored.bases:
        raise InputError(
            f"all that is asked for of {genome_name} was trained on, where recall would find the sequence itself; ask"
            " for other regions, or leave --recall out."
        )
    modes = (FROZEN,) if frozen else (FROZEN, ONLINE) if seen.complete and can_fit else (ONLINE,)
    if modes == (ONLINE,):
        log.warning(
            "recall begins %s, with weights that were fitted to nothing: %s; its first bases pay for what it learns",
            f"with {training.bases:,} bases of the model's training sequence" if training.bases else "with no text",
            f"{genome_name} is not the genome of {model_name}"
            if not seen.complete
            else "there is no validation part with a known base",
        )
    return RecallPlan(
        settings=settings, training=training, valid=valid, scored=scored,
        test=shared(scored, seen.split.of(Part.TEST)), modes=modes,
    )  # fmt: skip


def _any_known(genome: Genome, stretches: Stretches) -> bool:
    """Whether some stretches hold a known symbol: a contig of N alone is nothing to fit weights on."""
    first, codes = genome.starts, genome.all_codes
    of_each = (codes[first[contig] + start : first[contig] + end] for contig, start, end in _spans(stretches))
    return any(bool((each != genome.alphabet.unknown).any()) for each in of_each)


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
        for contig, start, end in _spans(self.training):
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


def _spans(stretches: Stretches) -> Iterator[tuple[int, int, int]]:
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


class _Row(NamedTuple):
    """A stretch along one strand, which is read from one end to the other.

    number : its place among all rows.   home : number of the stretch of the network's log probabilities that it lies
    in.   shift : from a place in the contig to one along these stretches.
    """

    number: int
    strand: int
    contig: int
    start: int
    end: int
    home: int
    shift: int


def _rows_of(stretches: Stretches, within: Stretches, strands: int) -> list[_Row]:
    """Every stretch along every strand, forward first, in the order of the genome.

    within : the stretches that log probabilities are of, and places count.
    """
    places, found = starts_of(within), list[_Row]()
    for strand in range(strands):
        for contig, start, end in _spans(stretches):
            (home,) = np.flatnonzero((within.contig == contig) & (within.start <= start) & (within.end >= end))
            shift = int(places[home]) - int(within.start[home])
            found.append(_Row(len(found), strand, contig, start, end, int(home), shift))
    return found


def _read_row(
    text: _Text, fitted: _Fitted, row: _Row, log_p: LogProbabilities, *, growing: bool, learning: bool,
    on_symbols: Callable[[int], None],
) -> Iterator[tuple[_Slab, NDArray[np.float32], Found]]:  # fmt: skip
    """Read one row, base by base; results are along its strand. on_symbols : called with how many were read.

    Yields the slab, the network's log probabilities of its symbols [n, 4], and what was found.
    """
    strand, contig, start, end = row.strand, row.contig, row.start, row.end
    head = _primed(text, contig, start, end, strand)
    fitted.copies.place[:] = -1
    if growing:
        address = int(text.genome.starts[contig])
        text.begin(address + (start if strand == 0 else end - 1), 1 - 2 * strand)
    edges = list(range(start, end, SLAB))
    for at in edges if strand == 0 else edges[::-1]:
        slab = _Slab(contig, row.shift + at, at, min(end, at + SLAB))
        codes = text.codes(contig, slab.start, slab.end, strand)
        values = log_p.read(strand, slab.first, slab.first + len(codes))
        values = np.ascontiguousarray(values if strand == 0 else values[::-1])
        found = _nothing_found(len(codes), len(fitted.mixers.first))
        read(codes, values, text.memory, head, fitted.copies, fitted.mixers, growing, learning, found)
        yield slab, values, found
        text.genome.release()
        on_symbols(len(codes))
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


def fit_recall(
    text: _Text, reader: GenomeReader, plan: RecallPlan, beside: Path, on_symbols: Callable[[int], None]
) -> _Fitted:
    """Weights and rates after two passes over the validation part, both strands. on_symbols : as of `_read_row`."""
    fitted = new_fitted(plan.settings)
    alone = dataclasses.replace(reader, ranks=ALONE, on_progress=None)
    with open_spool(beside, plan.valid.bases, (4,)) as log_p:
        score_along(alone, plan.valid, _Unkept(), seams=Seams(), log_probabilities=[log_p])
        for _ in range(FIT_PASSES):
            for row in _rows_of(plan.valid, plan.valid, STRANDS):
                for _ in _read_row(text, fitted, row, log_p, growing=False, learning=True, on_symbols=on_symbols):
                    pass
    log.info("weights of recall fitted on %s bases of the validation part", f"{plan.valid.bases:,}")
    return fitted


class _Unkept:
    """A sink that keeps nothing."""

    def write(self, strand: int, first: int, values: NDArray[np.float32], /) -> None: ...


class _Columns:
    """Tracks of recall on their way to rank 0, which writes them. held : where another process keeps its rows'."""

    def __init__(self, tracks: RecallTracks | None, held: Spool | None) -> None:
        self.tracks, self.held = tracks, held
        self.wanted = tracks is not None or held is not None

    def write_recall(
        self, strand: int, first: int, gain: NDArray[np.float32], matched: NDArray[np.float32],
        distance: NDArray[np.float32],
    ) -> None:  # fmt: skip
        """Write tracks of some bases."""
        if self.held is not None:
            self.held.write(strand, first, np.column_stack([gain, matched, distance]))
        elif self.tracks is not None:
            self.tracks.write_recall(strand, first, gain, matched, distance)

    def write(self, strand: int, first: int, values: NDArray[np.float32]) -> None:
        """Write what another process has kept, [n, TRACKS]."""
        self.write_recall(strand, first, *np.ascontiguousarray(values.T))

    def read(self, strand: int, first: int, end: int) -> NDArray[np.float32]:
        """Read what this process has kept, [n, TRACKS]."""
        if self.held is None:
            raise ValueError("rank 0 keeps no tracks")
        return self.held.read(strand, first, end)


@contextmanager
def _columns(
    reader: GenomeReader, stretches: Stretches, tracks: RecallTracks | None, beside: Path
) -> Iterator[_Columns]:
    """Where a process puts its tracks; NaN where recall does not read."""
    if reader.ranks.is_main_process:
        yield _Columns(tracks, None)
        return
    places = starts_of(stretches)
    with open_spool(beside, stretches.bases, (TRACKS,)) as held:
        for row in np.flatnonzero(owners_of(reader, stretches, warmup=True) == reader.ranks.rank).tolist():
            strand, stretch = divmod(row, len(stretches.start))
            for first in range(int(places[stretch]), int(places[stretch + 1]), SLAB):
                count = min(SLAB, int(places[stretch + 1]) - first)
                held.write(strand, first, np.full((count, TRACKS), np.nan, dtype=np.float32))
        yield _Columns(None, held)


class _Count:
    """Counts symbols that are read, and tells how far that is. total : of this process."""

    def __init__(self, total: int, on_progress: Callable[[float, int], None] | None) -> None:
        self.total, self.on_progress, self.done = total, on_progress, 0

    def __call__(self, symbols: int) -> None:
        self.done += symbols
        if self.on_progress:
            self.on_progress(min(1.0, self.done / max(1, self.total)), self.done)


def recall_along(
    reader: GenomeReader,
    plan: RecallPlan,
    stretches: Stretches,
    log_p: Spool,
    *,
    beside: Path,
    tracks: RecallTracks | None = None,
    seed: int = 0,
    on_progress: Callable[[float, int], None] | None = None,
) -> tuple[RecallBits, ...]:
    """Bits of what was not trained on, by the network, by recall, and by both; a row for each mode and part.

    Of several processes each reads frozen the contigs and strands that its network has scored, in a memory of its own;
    rank 0 alone reads online, where each base depends on all before it. The numbers are the same to the last bit, and
    only rank 0 gets them.

    stretches : of which `log_p` holds the network's log probabilities, written by `score_along`.   beside : an output,
    in the folder of which what is needed meanwhile is kept.   tracks : of the last mode.   seed : of the bootstrap over
    blocks of 100 kb.   on_progress : called with the fraction that is done, and the symbols this process has read.
    """
    genome, ranks = reader.genome, reader.ranks
    owner = owners_of(reader, stretches, warmup=True)
    rows = _rows_of(plan.scored, stretches, reader.strands)
    own = {
        FROZEN: [row for row in rows if owner[row.strand * len(stretches.start) + row.home] == ranks.rank],
        ONLINE: rows if ranks.is_main_process else [],
    }
    count = _Count(
        sum(row.end - row.start for mode in plan.modes for row in own[mode])
        + (FIT_PASSES * STRANDS * plan.valid.bases if FROZEN in plan.modes and ranks.is_main_process else 0),
        on_progress,
    )
    log.info(
        "recall: windows of %s, contexts of %s; %.2f GB of memory%s",
        ", ".join(map(str, plan.settings.recall_lengths)), ", ".join(map(str, plan.settings.recall_orders)) or "none",
        plan.bytes / 1e9, f" in each of {ranks.size} processes" if ranks.size > 1 and FROZEN in plan.modes else "",
    )  # fmt: skip
    fitted = new_fitted(plan.settings)
    text = _Text(genome, plan) if ranks.is_main_process or any(own[mode] for mode in plan.modes) else None
    if FROZEN in plan.modes:
        if ranks.is_main_process and text:
            fitted = fit_recall(text, reader, plan, beside, count)
        ranks.share([*fitted.copies, *fitted.mixers])
    found: list[RecallBits] = []
    with _columns(reader, stretches, tracks, beside) as columns:
        for mode in plan.modes:
            drawn = columns if mode is plan.modes[-1] else _Columns(None, None)
            if mode is ONLINE:
                gather_rows(reader, stretches, log_p, starts_of(stretches), shape=log_p.shape)
            tables = list(_read_rows(text, fitted, plan, own[mode], log_p, drawn, count, growing=mode is ONLINE))
            table = ranks.gathered(np.concatenate([np.zeros((0, COLUMNS)), *tables]))
            if mode is FROZEN and drawn is columns:
                gather_rows(reader, stretches, columns, starts_of(stretches), shape=(TRACKS,))
            if ranks.is_main_process:
                windows = int(np.sum(-(-genome.lengths // WINDOW_BP)))
                sums = {name: summed(table, part, windows) for part, name in enumerate(PARTS)}
                sums[FORWARD] = summed(table[table[:, 0] < len(plan.scored.start)], TESTED, windows)
                found += [recall_bits(str(mode), name, each, seed) for name, each in sums.items() if each.symbols.any()]
    return tuple(found)


def _read_rows(
    text: "_Text | None", fitted: _Fitted, plan: RecallPlan, rows: Sequence[_Row], log_p: LogProbabilities,
    tracks: _Columns, count: _Count, *, growing: bool,
) -> Iterator[NDArray[np.float64]]:  # fmt: skip
    """Sums of some rows, a table each. growing : the text takes in what was read on the strand, and weights follow."""
    own, strand = fitted.copy(), 0
    if text is None:
        return
    for row in rows:
        if growing and row.strand != strand:
            text.restart()  # of this strand nothing was read yet
        if not growing or row.strand != strand:
            own, strand = fitted.copy(), row.strand
        yield _read_and_sum(text, own, plan, row, log_p, tracks, count, growing=growing)


def recall_test_part(
    reader: GenomeReader, plan: RecallPlan, *, beside: Path, seed: int,
    on_progress: Callable[[float, int], None] | None = None,
) -> tuple[RecallBits, ...]:  # fmt: skip
    """Bits of what a plan scores, by the network, by recall, and by both; one process reads it all.

    beside, seed, on_progress : as for `recall_along`.
    """
    alone = dataclasses.replace(reader, ranks=ALONE)
    with open_spool(beside, plan.scored.bases, (4,)) as log_p:
        score_along(alone, plan.scored, _Unkept(), seams=Seams(), log_probabilities=[log_p])
        rows = recall_along(alone, plan, plan.scored, log_p, beside=beside, seed=seed, on_progress=on_progress)
    return tuple(row for row in rows if row.part == TEST)


def _read_and_sum(
    text: _Text, fitted: _Fitted, plan: RecallPlan, row: _Row, log_p: LogProbabilities, tracks: _Columns,
    count: _Count, *, growing: bool,
) -> NDArray[np.float64]:  # fmt: skip
    """Sums of one row, as `RowSums.table`; its gains go to the tracks."""
    genome, strand = text.genome, row.strand
    sums = RowSums(int(genome.lengths[row.contig]))
    read_ = _read_row(text, fitted, row, log_p, growing=growing, learning=growing, on_symbols=count)
    for slab, values, found in read_:
        codes = text.codes(slab.contig, slab.start, slab.end, strand)
        position = np.arange(slab.start, slab.end) if strand == 0 else np.arange(slab.end - 1, slab.start - 1, -1)
        known = codes < values.shape[1]
        symbol = np.where(known, codes, 0)
        network = -np.take_along_axis(values, symbol[:, None].astype(np.int64), axis=1)[:, 0] / np.log(2)
        bits = np.column_stack([network, found.bits]).astype(np.float64)
        sums.add(READ, position[known], bits[known])
        in_test = plan.test.part_at(np.full(len(codes), slab.contig, dtype=np.int32), position) >= 0
        sums.add(TESTED, position[known & in_test], bits[known & in_test])
        if not tracks.wanted:
            continue
        gain = np.where(known, network - found.bits[:, 0], np.nan).astype(np.float32)
        distance = text.distance(found.source, slab.contig, int(genome.starts[slab.contig]) + position)
        along = slice(None) if strand == 0 else slice(None, None, -1)
        tracks.write_recall(strand, slab.first, gain[along], found.matched.astype(np.float32)[along], distance[along])
    windows = -(-genome.lengths // WINDOW_BP)
    return sums.table(row.number, int(windows[: row.contig].sum()))
