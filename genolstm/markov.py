"""Order-k and interpolated Markov models: the baseline of every bits per base.

A table of order k holds how often each k-mer of k + 1 known symbols stands in a set of sequences: a context of k
symbols and the symbol after it. A k-mer is numbered in base ``n_known``, its first symbol the most significant digit,
so that its context is the number divided by ``n_known``. Whatever is not counted (how much weight a table gets) is
fitted to stretches of the training text that the tables have not counted yet: deleted interpolation (Jelinek & Mercer
1980). Fitted to the counted text itself, repeats make long contexts seem certain.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import Alphabet, Codes
from genolstm.errors import InputError
from genolstm.readers.compiled import compiled

T = TypeVar("T")
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Kmers = NDArray[np.uint32]
Counts = Integers | Kmers

METHOD = 2  # of counting and fitting: a number of its own for all that changes a digit of the lines
MAX_KMERS = 4**13  # k-mers of the longest order: 12 for DNA, 5 for proteins
DENSE_PER_SYMBOL = 2  # a table with more k-mers than this per symbol is mostly zeros: only what occurs is kept
DENSE_AT_MOST = 4**9  # a table of this size costs nothing, however small the training text
SMALL_TABLE = 4**9  # up to here int64, for short k-mers can pass 2**32 in a large genome; beyond it uint32
CHUNK = 1 << 16  # symbols worked on at a time: their k-mers stay in the cache
BLOCKS = 32  # the training text is cut into as many, and every fourth is held out
EVERY, HELD = 4, 2
LONGEST_BLOCK = 1_000_000
SHORTEST_BLOCK = 64  # of a shorter text nothing is held out
FIT_SYMBOLS = 1 << 18  # held-out symbols that are used: a few hundred parameters need no more
MAGNITUDES, SIDES = 48, 16  # kinds of contexts: log2 of how often met, and 16ths that the commonest symbol holds
KINDS = MAGNITUDES * SIDES
STRENGTHS = np.exp2(np.arange(-7.0, 34.0, 1.5))  # prior observations tried; the largest leaves the next shorter context
BORROWED = 10_000  # average symbols of the whole order that are added to each bin, so that rare kinds take its strength
WORD_VALUES = 1 << 32  # words that there can be: two that are the same are hardly ever so by chance
EM_STEPS = 30
EM_SYMBOLS = 1 << 16
NEAR = 0.9  # of the weight is with the best single part at first
PRIOR_SYMBOLS = 100  # how many symbols the weights of all contexts are worth in the weights of some


class Columns(NamedTuple):
    """One order's rows of `Evidence`, to be written, each [n]; the order, and the k-mers and runs that are looked up.

    kmers, run : int64 [m] of all symbols, of which those with a run are known: n of them.
    """

    order: int
    kmers: Integers
    run: Integers
    seen: Floats
    total: Floats
    kind: Integers


class Table(Protocol):
    """Counts of the k-mers of one length."""

    def rows(self, contexts: Integers) -> Floats:
        """Counts of each symbol after some contexts: float64 [len(contexts), n_known]."""

    def look_up(self, columns: Columns) -> None:
        """Write the counts of some k-mers and their contexts: see `_dense_evidence`."""

    def shorter(self, edges: Kmers, n_kmers: int, *, dense: bool) -> "Table":
        """Counts of k-mers one symbol shorter: of the ends of these, and of some more, the edges."""


class DenseTable:
    """A count for every k-mer that there can be.

    counts : [n_kmers].
    """

    def __init__(self, n_kmers: int, n_known: int) -> None:
        self.counts: Counts = (
            np.zeros(n_kmers, dtype=np.uint32) if n_kmers > SMALL_TABLE else np.zeros(n_kmers, dtype=np.int64)
        )
        self.n_known = n_known

    def rows(self, contexts: Integers) -> Floats:
        """Counts of each symbol after some contexts: float64 [len(contexts), n_known]."""
        return self.counts.reshape(-1, self.n_known)[contexts].astype(np.float64)

    def look_up(self, columns: Columns) -> None:
        """Write the counts of some k-mers and their contexts: see `_dense_evidence`."""
        _dense_evidence(self.counts, self.n_known, *columns)

    def shorter(self, edges: Kmers, n_kmers: int, *, dense: bool) -> "DenseTable":  # noqa: ARG002 (never sparse)
        """Counts of k-mers one symbol shorter: of the ends of these, and of some more, the edges."""
        table = DenseTable(n_kmers, self.n_known)
        for same_start in self.counts.reshape(self.n_known, n_kmers):
            np.add(table.counts, same_start, out=table.counts, casting="unsafe")
        _count(table.counts, edges)
        return table


class SparseTable:
    """Counts of the k-mers that occur.

    kmers : uint32 [m], sorted.   times : uint32 [m], how often each occurs.   width, starts : the numbers are cut into
    intervals of this width; where the k-mers of each begin.
    """

    def __init__(self, kmers: Kmers, times: Kmers, n_kmers: int, n_known: int) -> None:
        self.kmers, self.times, self.n_known = kmers, times, n_known
        self.width = -(-n_kmers // DENSE_AT_MOST)
        cuts = np.arange(0, n_kmers + self.width, self.width).astype(np.uint32)
        self.starts = np.searchsorted(kmers, cuts)

    def rows(self, contexts: Integers) -> Floats:
        """Counts of each symbol after some contexts: float64 [len(contexts), n_known]."""
        rows = np.zeros((len(contexts), self.n_known))
        _sparse_rows(self.kmers, self.times, self.starts, self.width, contexts, rows)
        return rows

    def look_up(self, columns: Columns) -> None:
        """Write the counts of some k-mers and their contexts: see `_dense_evidence`."""
        _sparse_evidence(self.kmers, self.times, self.starts, self.width, self.n_known, *columns)

    def shorter(self, edges: Kmers, n_kmers: int, *, dense: bool) -> Table:
        """Counts of k-mers one symbol shorter: of the ends of these, and of some more, the edges."""
        if dense:
            table = DenseTable(n_kmers, self.n_known)
            _count_ends(table.counts, self.kmers, self.times)
            _count(table.counts, edges)
            return table
        edges.sort()
        bounds = np.searchsorted(self.kmers, (np.arange(self.n_known + 1) * n_kmers).astype(np.uint32))
        kmers, times = np.empty((2, len(self.kmers) + len(edges)), dtype=np.uint32)
        distinct = _merged(self.kmers, self.times, bounds, n_kmers, edges, kmers, times)
        return SparseTable(kmers[:distinct].copy(), times[:distinct].copy(), n_kmers, self.n_known)


@compiled
def _walk(
    codes: Codes, complement: Codes, n_known: int, state: Integers, longest: Kmers, edges: Kmers, orders: Codes
) -> tuple[int, int]:
    """Go on along a stretch, writing the k-mers of the longest order, and shorter ones that are the end of none longer.

    complement : [n_known], or of no symbol where there is one strand.   state : the longest order, the run of known
    symbols so far, and the last k-mer of either strand; the last three are updated.   orders : those of the edges.
    Gives how many k-mers and how many edges were written.
    """
    order, run, forward, other = state
    top, strands = n_known**order, len(complement)
    found = short = 0
    for code in codes:
        if code >= n_known:
            for k in range(min(run, order) if strands else 0):  # no symbol follows these: on the other strand, precedes
                edges[short], orders[short] = other // n_known ** (order - k), k
                short += 1
            run = forward = other = 0
            continue
        run += 1
        forward = forward % top * n_known + code
        if run > order:
            longest[found] = forward
            found += 1
        else:
            edges[short], orders[short] = forward, run - 1
            short += 1
        if strands:
            other = other // n_known + complement[code] * top
            if run > order:
                longest[found] = other
                found += 1
    state[1:] = run, forward, other
    return found, short


@compiled
def _count(counts: Counts, kmers: Kmers) -> None:
    for kmer in kmers:
        counts[kmer] += 1


@compiled
def _count_ends(counts: Counts, kmers: Kmers, times: Kmers) -> None:
    """Count k-mers without their first symbol, so many times each."""
    for place in range(len(kmers)):
        counts[kmers[place] % len(counts)] += times[place]


@compiled
def _tallied(kmers: Kmers, times: Kmers) -> int:
    """Move the distinct ones of sorted k-mers to the front, beside how often each occurs; gives how many there are."""
    distinct = 0
    for kmer in kmers:
        if not distinct or kmer != kmers[distinct - 1]:
            kmers[distinct], times[distinct] = kmer, 0
            distinct += 1
        times[distinct - 1] += 1
    return distinct


@compiled
def _merged(
    longer: Kmers, times: Kmers, bounds: Integers, n_kmers: int, edges: Kmers, kmers: Kmers, sums: Kmers
) -> int:
    """Tally k-mers without their first symbol, and some edges, all sorted; gives how many distinct ones were written.

    bounds : where those of each first symbol begin, and the end.   n_kmers : how many shorter ones there can be.
    """
    at, edge, distinct = bounds[:-1].copy(), 0, 0
    while True:
        least = np.int64(n_kmers)
        if edge < len(edges):
            least = np.int64(edges[edge])
        for first in range(len(at)):
            if at[first] < bounds[first + 1]:
                least = min(least, np.int64(longer[at[first]]) - first * n_kmers)
        if least == n_kmers:
            return distinct
        total = 0
        while edge < len(edges) and edges[edge] == least:
            edge += 1
            total += 1
        for first in range(len(at)):
            if at[first] < bounds[first + 1] and np.int64(longer[at[first]]) - first * n_kmers == least:
                total += times[at[first]]
                at[first] += 1
        kmers[distinct], sums[distinct] = least, total
        distinct += 1


@compiled
def _dense_evidence(
    counts: Counts, n_known: int, order: int, kmers: Integers, run: Integers, seen: Floats,
    total: Floats, kind: Integers,
) -> None:  # fmt: skip
    """Write count, context's count and context's kind of each k-mer that is known from end to end."""
    known = -1
    for place in range(len(kmers)):
        known += run[place] > 0
        if run[place] <= order:
            continue
        context = kmers[place] // n_known * n_known
        of_all = top = np.int64(0)
        for other in range(context, context + n_known):
            of_all += np.int64(counts[other])
            top = max(top, np.int64(counts[other]))
        seen[known], total[known], kind[known] = counts[kmers[place]], of_all, _kind(int(top), int(of_all))


@compiled
def _sparse_evidence(
    table: Kmers, times: Kmers, starts: Integers, width: int, n_known: int, order: int, kmers: Integers, run: Integers,
    seen: Floats, total: Floats, kind: Integers,
) -> None:  # fmt: skip
    """Do as `_dense_evidence` where only the k-mers that occur are kept."""
    known = -1
    for place in range(len(kmers)):
        known += run[place] > 0
        if run[place] <= order:
            continue
        context = kmers[place] // n_known * n_known
        of_all = top = np.int64(0)
        at = _first_from(table, starts, width, context)
        while at < len(table) and table[at] < context + n_known:
            of_all += np.int64(times[at])
            top = max(top, np.int64(times[at]))
            if table[at] == kmers[place]:
                seen[known] = times[at]
            at += 1
        total[known], kind[known] = of_all, _kind(int(top), int(of_all))


@compiled
def _sparse_rows(table: Kmers, times: Kmers, starts: Integers, width: int, contexts: Integers, rows: Floats) -> None:
    n_known = rows.shape[1]
    for row in range(len(contexts)):
        first = contexts[row] * n_known
        at = _first_from(table, starts, width, first)
        while at < len(table) and table[at] < first + n_known:
            rows[row, table[at] - first] = times[at]
            at += 1


@compiled
def _first_from(table: Kmers, starts: Integers, width: int, kmer: int) -> int:
    """Place of the first k-mer in a table that is not below one."""
    low, high = starts[kmer // width], starts[kmer // width + 1]
    while low < high:
        middle = (low + high) // 2
        if table[middle] < kmer:
            low = middle + 1
        else:
            high = middle
    return int(low)


@compiled
def _kind(top: int, total: int) -> int:
    """Kind of one context: see `_kinds`."""
    length, rest = 0, total
    while rest:
        length += 1
        rest >>= 1
    return length * SIDES + (min(SIDES * top // total, SIDES - 1) if total else 0)


@dataclass(frozen=True, kw_only=True)
class MarkovBits:
    """What Markov models need for one set of sequences, in bits per known symbol.

    symbols : how many known symbols were scored; both strands count where there are two.
    uniform : log2 of the number of known symbols.
    by_order : bits of the order-k model, k = 0, 1, ...
    interpolated : bits of the model that blends all orders.
    """

    symbols: int
    uniform: float
    by_order: tuple[float, ...]
    interpolated: float

    @property
    def best_order(self) -> int:
        """The k that needs the fewest bits on these very sequences: a choice in favour of the baseline."""
        return int(np.argmin(self.by_order))

    @property
    def best_bits(self) -> float:
        """Bits per symbol of the best order-k model."""
        return min(self.by_order)


def largest_order(alphabet: Alphabet) -> int:
    """Longest context that is counted: 12 for DNA, 5 for proteins."""
    order = 0
    while alphabet.n_known ** (order + 2) <= MAX_KMERS:
        order += 1
    return order


class MarkovCounts:
    """How often each k-mer of 1, 2, ... known symbols stands in some sequences, on both strands where there are two.

    expected_symbols : how many symbols will be counted; long k-mers of a short text are kept as those that occur.
    No k-mer spans an unknown symbol or two stretches. Only the longest are counted one by one, and of the others those
    that no longer one ends with: all the rest are their sums.
    """

    def __init__(
        self, alphabet: Alphabet, *, max_order: int | None = None, expected_symbols: int | None = None
    ) -> None:
        self.alphabet = alphabet
        self.max_order = largest_order(alphabet) if max_order is None else max_order
        most = MAX_KMERS if expected_symbols is None else max(DENSE_AT_MOST, DENSE_PER_SYMBOL * expected_symbols)
        self._sizes = [alphabet.n_known ** (order + 1) for order in range(self.max_order + 1)]
        self._dense = [size <= most for size in self._sizes]
        self._longest = DenseTable(self._sizes[-1], alphabet.n_known) if self._dense[-1] else None
        self._waiting: list[Kmers] = []
        self._edges: list[tuple[Kmers, Codes]] = []

    def add(self, codes: Codes, release: Callable[[], None] | None = None) -> None:
        """Count the k-mers of a stretch, on both strands, before any count is asked for. codes : uint8 [n].

        release : called after each chunk, where the codes are mapped from a file.
        """
        alphabet, state = self.alphabet, np.array([self.max_order, 0, 0, 0])
        complement = np.zeros(0, dtype=np.uint8) if alphabet.complement is None else alphabet.complement
        size = 2 * min(CHUNK, len(codes)) + self.max_order
        longest, edges = np.empty((2, size), dtype=np.uint32)
        orders, end = np.empty(size, dtype=np.uint8), np.array([alphabet.unknown], dtype=np.uint8)
        for chunk in [*(codes[start : start + CHUNK] for start in range(0, len(codes), CHUNK)), end]:
            found, short = _walk(chunk, complement, alphabet.n_known, state, longest, edges, orders)
            if short:
                self._edges.append((edges[:short].copy(), orders[:short].copy()))
            if self._longest:
                _count(self._longest.counts, longest[:found])
            elif found:
                self._waiting.append(longest[:found].copy())
            _release(release)

    @cached_property
    def tables(self) -> list[Table]:
        """Counts of the k-mers of 1, 2, ... symbols."""
        nothing = (np.zeros(0, dtype=np.uint32), np.zeros(0, dtype=np.uint8))
        edges, orders = map(np.concatenate, zip(nothing, *self._edges, strict=True))
        table: Table = self._longest or self._tally(edges[:0])
        self._edges, found = [], [table]
        for order in range(self.max_order - 1, -1, -1):
            found.append(found[-1].shorter(edges[orders == order], self._sizes[order], dense=self._dense[order]))
        return found[::-1]

    def _tally(self, nothing: Kmers) -> SparseTable:
        kmers = np.concatenate([nothing, *self._waiting])
        self._waiting = []
        kmers.sort()
        times = np.empty_like(kmers)
        distinct = _tallied(kmers, times)
        return SparseTable(kmers[:distinct].copy(), times[:distinct].copy(), self._sizes[-1], self.alphabet.n_known)


def _known_run(codes: Codes, warmup: int, alphabet: Alphabet) -> Integers:
    """Known symbols from the last unknown one up to each one past the first ``warmup``, it included: [n - warmup]."""
    places = np.arange(len(codes))
    unknown = np.where(codes < alphabet.n_known, -1, places)
    run: Integers = (places - np.maximum.accumulate(unknown))[warmup:]
    return run


def _back(codes: Codes, warmup: int, steps: int) -> Codes:
    """The symbol some steps before each one past the first ``warmup``, 0 where there is none: [n - warmup]."""
    if steps <= warmup:
        return codes[warmup - steps : len(codes) - steps]
    nothing = np.zeros(min(steps, len(codes)) - warmup, dtype=np.uint8)
    return np.concatenate([nothing, codes[: max(0, len(codes) - steps)]])


def _kmers(codes: Codes, warmup: int, alphabet: Alphabet, max_order: int) -> Iterator[tuple[int, Integers]]:
    """Order and k-mers that end at each symbol past the first ``warmup``; the array is used again for the next order.

    A k-mer that holds an unknown symbol, or begins before the codes, has no meaning: see `_known_run`.
    """
    kmers = np.zeros(len(codes) - warmup, dtype=np.int64)
    for order in range(max_order + 1):
        # an unknown symbol counts as the first: its k-mer stays in the table, and is never asked for
        digit = _back(codes, warmup, order) % alphabet.n_known
        kmers += digit * np.int64(alphabet.n_known**order)
        yield order, kmers


def count_markov(
    stretches: Iterable[Codes],
    alphabet: Alphabet,
    *,
    max_order: int | None = None,
    expected_symbols: int | None = None,
) -> MarkovCounts:
    """Count the k-mers of 1 to max_order + 1 symbols of some stretches, each uint8 [n]."""
    counts = MarkovCounts(alphabet, max_order=max_order, expected_symbols=expected_symbols)
    for codes in stretches:
        counts.add(codes)
    return counts


class Evidence(NamedTuple):
    """Counts in the tables for n symbols that came after their contexts.

    seen, total : float64 [orders, n], counts of symbol and context, and of the context before whatever symbol.
    kind : int64 [orders, n], what the context's counts are like: see `_kinds`.
    reach : int64 [n], symbols of context that there are before an unknown one or the stretch's start.
    word : int64 [n], number of the word of `word_length` symbols that ends here; -1 near an unknown one or the start.
    """

    seen: Floats
    total: Floats
    kind: Integers
    reach: Integers
    word: Integers


class Piece(NamedTuple):
    """Symbols [start, end) of some codes; what stands around them is the context of either strand."""

    codes: Codes
    start: int
    end: int


def _evidence(counts: MarkovCounts, piece: Piece) -> Iterator[Evidence]:
    """Evidence on the known symbols of a piece, both strands, a chunk at a time."""
    complement, longest = counts.alphabet.complement, counts.max_order
    for start in range(piece.start, piece.end, CHUNK):
        stop = min(start + CHUNK, piece.end)
        before = max(0, start - longest)
        yield _evidence_on(counts, piece.codes[before:stop], start - before)
        if complement is not None:
            after = min(len(piece.codes), stop + longest)
            yield _evidence_on(counts, complement[piece.codes[start:after]][::-1], after - stop)


def _evidence_of_all(counts: MarkovCounts, pieces: Sequence[Piece]) -> Iterator[Iterable[Evidence]]:
    """For each of some pieces, in order, what `_evidence` yields; short ones are looked up many at a time."""
    for group in _gathered(pieces, lambda piece: piece.end - piece.start, CHUNK // 4):
        if len(group) == 1:
            yield _evidence(counts, group[0])
        else:
            strands = [[_only(found, own) for own in mine] for found, mine in _evidence_together(counts, group)]
            yield from map(list, zip(*strands, strict=True))


def _only(evidence: Evidence, own: slice) -> Evidence:
    seen, total, kind, reach, word = evidence
    return Evidence(seen[:, own], total[:, own], kind[:, own], reach[own], word[own])


def _gathered(items: Sequence[T], symbols: Callable[[T], int], most: int = CHUNK) -> Iterator[list[T]]:
    """Items that follow each other in groups of so many symbols together at most; a longer one alone."""
    group: list[T] = []
    total = 0
    for item in items:
        if group and total + symbols(item) > most:
            yield group
            group, total = [], 0
        group.append(item)
        total += symbols(item)
    if group:
        yield group


def _evidence_together(counts: MarkovCounts, pieces: Sequence[Piece]) -> Iterator[tuple[Evidence, list[slice]]]:
    """Evidence of some short pieces, and where each of them stands in it: of each strand."""
    complement, longest = counts.alphabet.complement, counts.max_order
    windows = [(each.codes[max(0, each.start - longest) : each.end], min(each.start, longest)) for each in pieces]
    yield _evidence_on_all(counts, windows)
    if complement is not None:
        windows = []
        for codes, start, end in pieces:
            after = min(len(codes), end + longest)
            windows.append((complement[codes[start:after]][::-1], after - end))
        yield _evidence_on_all(counts, windows)


def _evidence_on_all(counts: MarkovCounts, windows: Sequence[tuple[Codes, int]]) -> tuple[Evidence, list[slice]]:
    """Evidence on windows, and the place in it of the known symbols of each past its warm-up; no context spans two."""
    joined, starts = _joined([codes for codes, _ in windows], counts.alphabet)
    evidence = _evidence_on(counts, joined, 0)
    known = np.flatnonzero(joined < counts.alphabet.n_known)
    begins = np.searchsorted(known, [start + warmup for start, (_, warmup) in zip(starts, windows, strict=True)])
    ends = np.searchsorted(known, [start + len(codes) for start, (codes, _) in zip(starts, windows, strict=True)])
    return evidence, [slice(*each) for each in zip(begins.tolist(), ends.tolist(), strict=True)]


def _joined(texts: Sequence[Codes], alphabet: Alphabet) -> tuple[Codes, list[int]]:
    """Texts end to end with an unknown symbol after each, and where each begins."""
    ends = np.cumsum([len(codes) + 1 for codes in texts])
    joined = np.full(int(ends[-1]), alphabet.unknown, dtype=np.uint8)
    starts = [0, *ends[:-1].tolist()]
    for start, codes in zip(starts, texts, strict=True):
        joined[start : start + len(codes)] = codes
    return joined, starts


def _evidence_on(counts: MarkovCounts, codes: Codes, warmup: int) -> Evidence:
    """Evidence on the known symbols of one strand past the first ``warmup``."""
    run = _known_run(codes, warmup, counts.alphabet)
    known = np.flatnonzero(run)
    shape = (counts.max_order + 1, len(known))
    seen, total, kind = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.int64)
    for order, kmers in _kmers(codes, warmup, counts.alphabet, counts.max_order):
        counts.tables[order].look_up(Columns(order, kmers, run, seen[order], total[order], kind[order]))
    reach = np.minimum(run[known] - 1, counts.max_order)
    return Evidence(seen, total, kind, reach, _words(codes, counts.alphabet)[warmup:][known])


def _words(codes: Codes, alphabet: Alphabet) -> Integers:
    """Number of the word that ends at each symbol, -1 where it would hold an unknown one or begin before the codes."""
    length = word_length(alphabet)
    words = np.zeros(len(codes), dtype=np.int64)
    for steps in range(length):
        words += (_back(codes, 0, steps) % alphabet.n_known) * np.int64(alphabet.n_known**steps)
    return np.where(_known_run(codes, 0, alphabet) >= length, words, -1)


def word_length(alphabet: Alphabet) -> int:
    """Symbols of a word that hardly ever comes twice by chance: 16 of DNA, 8 of proteins."""
    length = 1
    while alphabet.n_known**length < WORD_VALUES:
        length += 1
    return length


def _kinds(top: Floats, total: Floats) -> Integers:
    """Kind of a context from its commonest symbol's count and that of all, each [n]: how often met, and how one-sided.

    A context that was nearly always followed by one symbol is most often part of a repeat.
    """
    sides = np.minimum(SIDES * top // np.maximum(total, 1), SIDES - 1)
    return (np.frexp(total)[1] * SIDES + sides).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class MarkovModel:
    """Order-k models and their blend, of all orders k = 0 .. max_order of one set of counts.

    pseudocounts : [max_order + 1], what the order-k model adds to each count: p = (c + a) / (n + n_known a).
    strengths : [max_order + 1, KINDS], how many observations the next shorter context's opinion is worth.
    weights : [max_order + 2, max_order + 3], of the uniform, the order-k and the backing-off model, by how long the
    longest context is that was ever met (none, 0, 1, ...).
    """

    counts: MarkovCounts
    pseudocounts: Floats
    strengths: Floats
    weights: Floats


def fit_markov(
    stretches: Sequence[Codes],
    alphabet: Alphabet,
    *,
    max_order: int | None = None,
    release: Callable[[], None] | None = None,
) -> MarkovModel:
    """Count some stretches, and fit how much weight each context gets to blocks that were not counted yet.

    Every fourth of 32 blocks is held out while the rest is counted, then counted too. On the middle of these

    - each order-k model chooses the pseudocount of most likelihood, which may make it uniform;
    - each context backs off: p_k(x) = (c_k(x) + s p_{k-1}(x)) / (n_k + s), p_{-1} uniform (MacKay & Peto 1995), s being
      that of most likelihood for contexts of this order alike in how often they were met and how one-sided they are,
      where symbols that end the same 16 letters count as one;
    - the blend weighs the uniform, every order-k and the backing-off model, by expectation maximisation. Each of them
      alone is one of the weightings, so that on what was held out the blend loses to none of them.

    stretches : uint8 [n] each.   release : called now and then, where stretches are mapped from a file.
    A text too short to hold anything out is smoothed by one observation.
    """
    blocks = _blocks(stretches)
    counted = [stretches[block.stretch][block.start : block.end] for block in blocks if not block.held]
    held = [_middle(stretches[block.stretch], block) for block in blocks if block.held]
    evidence = _sample(_counted(counted, alphabet, max_order, release), held)
    _release(release)
    counts = _counted(stretches, alphabet, max_order, release)
    return _fitted(counts, evidence) if len(evidence.reach) else _unfitted(counts)


def _counted(
    stretches: Sequence[Codes], alphabet: Alphabet, max_order: int | None, release: Callable[[], None] | None
) -> MarkovCounts:
    """`count_markov`, of many short stretches at a time, with pages given back."""
    symbols = (1 if alphabet.complement is None else 2) * sum(map(len, stretches))
    counts = MarkovCounts(alphabet, max_order=max_order, expected_symbols=symbols)
    for group in _gathered(stretches, len):
        counts.add(group[0] if len(group) == 1 else _joined(group, alphabet)[0], release)
    return counts


class _Block(NamedTuple):
    stretch: int
    start: int
    end: int
    held: bool


def _blocks(stretches: Sequence[Codes]) -> list[_Block]:
    """Stretches cut into blocks, every fourth of them held out; neighbours that are not are one."""
    size = max(SHORTEST_BLOCK, min(LONGEST_BLOCK, sum(map(len, stretches)) // BLOCKS))
    blocks: list[_Block] = []
    number, filled = 0, 0  # block that is being filled, and how far: short stretches go into one
    for place, codes in enumerate(stretches):
        start = 0
        while start < len(codes):
            end = min(len(codes), start + size - filled)
            held = number % EVERY == HELD
            if blocks and start and blocks[-1].held == held:
                blocks[-1] = blocks[-1]._replace(end=end)
            else:
                blocks.append(_Block(place, start, end, held))
            filled += end - start
            if filled == size:
                number, filled = number + 1, 0
            start = end
    return blocks


def _middle(codes: Codes, block: _Block) -> Piece:
    """The middle half of a held-out block: what is repeated on the spot may reach across its ends."""
    margin = (block.end - block.start) // 4
    return Piece(codes, block.start + margin, block.end - margin)


def _release(release: Callable[[], None] | None) -> None:
    if release:
        release()


def _runs(held: Sequence[Piece]) -> list[Piece]:
    """The held-out symbols, or evenly spaced runs of them where there are many."""
    run = 1 << 12
    step = max(1, 2 * sum(piece.end - piece.start for piece in held) // FIT_SYMBOLS) * run
    runs = [
        Piece(codes, first, min(first + run, end)) for codes, start, end in held for first in range(start, end, step)
    ]
    # of very many short pieces each would give a run of its own
    return runs[:: max(1, sum(piece.end - piece.start for piece in runs) // FIT_SYMBOLS)]


def _sample(counts: MarkovCounts, held: Sequence[Piece]) -> Evidence:
    """Evidence on the held-out symbols, or on a sample of them."""
    runs = _runs(held)
    strands = 1 if counts.alphabet.complement is None else 2
    size = strands * sum(int((each.codes[each.start : each.end] < counts.alphabet.n_known).sum()) for each in runs)
    # less than half the memory of what is looked up: a fit needs no more digits
    by_order = [np.empty((counts.max_order + 1, size), each) for each in (np.float32, np.float32, np.int16)]
    sample = Evidence(*by_order, *(np.empty(size, each) for each in (np.int16, np.int64)))
    filled = 0
    for found in chain.from_iterable(_evidence_of_all(counts, runs)):
        there = slice(filled, filled + len(found.reach))
        for column, values in zip(sample, found, strict=True):
            column[..., there] = values
        filled = there.stop
    return sample


def _unfitted(counts: MarkovCounts) -> MarkovModel:
    """One observation of the next shorter context for every context, one of each symbol for every order."""
    orders = counts.max_order + 1
    weights = np.zeros((orders + 1, orders + 2))
    weights[:, -1] = 1
    return MarkovModel(counts=counts, pseudocounts=np.ones(orders), strengths=np.ones((orders, KINDS)), weights=weights)


def _fitted(counts: MarkovCounts, held: Evidence) -> MarkovModel:
    """Pseudocounts, strengths and weights of most likelihood on held-out symbols."""
    worth = _worth(held.word)
    model = _smoothed(counts, held, worth)
    thin = slice(None, None, max(1, len(held.reach) // EM_SYMBOLS))
    some = Evidence(held.seen[:, thin], held.total[:, thin], held.kind[:, thin], held.reach[thin], held.word[thin])
    return replace(model, weights=_best_weights(_parts(model, some), _longest_met(some)))


def _worth(word: Integers) -> Floats:
    """How much each symbol is worth in the choice of strengths, 1 in all for those that end the same word: [n].

    A satellite is one observation of how well its unit is predicted, however often it repeats the unit: taken for many,
    its few contexts that happen to be counted decide for all contexts of their kind.
    """
    _, place, times = np.unique(word, return_inverse=True, return_counts=True)
    worth: Floats = np.where(word < 0, 1.0, 1 / times[place])
    return worth


def _smoothed(counts: MarkovCounts, held: Evidence, worth: Floats) -> MarkovModel:
    """Pseudocounts and strengths of most likelihood on held-out symbols; only the backing-off model has weight."""
    orders, n_known = counts.max_order + 1, counts.alphabet.n_known
    pseudocounts, strengths = np.empty(orders), np.empty((orders, KINDS))
    opinion = uniform = np.full(len(held.reach), 1 / n_known)
    for order in range(orders):
        there = held.reach >= order
        seen, total, kind = held.seen[order, there], held.total[order, there], held.kind[order, there]
        # adding a to each count is backing off to a uniform opinion worth n_known * a observations
        pseudocounts[order] = _best_strengths(seen, total, kind, uniform[there], np.ones(len(seen)))[0] / n_known
        strengths[order] = _best_strengths(seen, total, kind, opinion[there], worth[there])[1]
        opinion = np.where(there, _backed_off(held, order, opinion, strengths[order]), opinion)
    return replace(_unfitted(counts), pseudocounts=pseudocounts, strengths=strengths)


def _best_strengths(
    seen: Floats, total: Floats, kind: Integers, opinion: Floats, worth: Floats
) -> tuple[float, Floats]:
    """Strength of most likelihood for the whole order, and for each kind of context: [KINDS].

    seen, total, kind, opinion, worth : [n] of held-out symbols; opinion is the next shorter context's probability.
    """
    # logs of float32 at half the cost, and arrays that are used again: new ones would cost more than what is computed
    had, of, guess = (column.astype(np.float32) for column in (seen, total, opinion))
    ratio, norm, weighed = np.empty_like(guess), np.empty_like(guess), np.empty(len(guess))
    kind = kind.astype(np.intp)
    likelihood = np.zeros((len(STRENGTHS), KINDS))
    for row, s in enumerate(STRENGTHS.astype(np.float32)):
        np.add(had, np.multiply(s, guess, out=ratio), out=ratio)
        np.divide(ratio, np.add(of, s, out=norm), out=ratio)
        np.multiply(worth, np.log(ratio, out=ratio), out=weighed)
        likelihood[row] = np.bincount(kind, weighed, minlength=KINDS)
    whole = likelihood.sum(axis=1, keepdims=True)
    by_kind = likelihood + BORROWED * whole / max(worth.sum(), 1)
    return float(STRENGTHS[whole.argmax()]), STRENGTHS[by_kind.argmax(axis=0)]


def _backed_off(evidence: Evidence, order: int, opinion: Floats, strengths: Floats) -> Floats:
    seen, total = evidence.seen[order], evidence.total[order]
    strength = strengths[evidence.kind[order]]
    blend: Floats = np.divide(seen + strength * opinion, total + strength)
    return blend


def _longest_met(evidence: Evidence) -> Integers:
    """One more than the length of the longest context that was ever met, 0 for none: [n]."""
    met: Integers = (evidence.total > 0).sum(axis=0, dtype=np.int64)  # shorter contexts were then met too
    return met


def _parts(model: MarkovModel, evidence: Evidence) -> Floats:
    """Probability of each symbol by the uniform, each order-k, and the backing-off model: [orders + 2, n].

    A symbol that has only j symbols before it is judged by order j, whichever longer order is asked.
    """
    orders, n_known = len(model.pseudocounts), model.counts.alphabet.n_known
    parts = np.full((orders + 2, len(evidence.reach)), 1 / n_known)
    for order in range(orders):
        there = evidence.reach >= order
        added = model.pseudocounts[order]
        plain = (evidence.seen[order] + added) / (evidence.total[order] + n_known * added)
        parts[1 + order] = np.where(there, plain, parts[order])
        blend = _backed_off(evidence, order, parts[-1], model.strengths[order])
        parts[-1] = np.where(there, blend, parts[-1])
    return parts


def _best_weights(parts: Floats, group: Integers) -> Floats:
    """Weights of most likelihood by expectation maximisation, for each group of symbols: [groups, parts].

    It begins near the part that is best alone, and never grows worse (Dempster et al. 1977).

    parts : [parts, n] probabilities of held-out symbols.   group : [n], 0 .. parts - 2.
    """
    groups = len(parts) - 1
    near_best = np.full(len(parts), (1 - NEAR) / len(parts))
    near_best[np.log(parts).sum(axis=1).argmax()] += NEAR
    overall = _maximised(parts, near_best, 0)
    weights = np.tile(overall, (groups, 1))
    for each in range(groups):
        mine = parts[:, group == each]
        if mine.shape[1]:
            weights[each] = _maximised(mine, overall, PRIOR_SYMBOLS)
    return weights


def _maximised(parts: Floats, start: Floats, prior: float) -> Floats:
    """Mixture weights [parts] after some steps of expectation maximisation; ``prior`` symbols speak for the start."""
    weights = start
    for _ in range(EM_STEPS):
        blamed = weights * (parts @ (1 / (weights @ parts)))
        weights = (blamed + prior * start) / (parts.shape[1] + prior)
    return weights


def next_symbol_probabilities(model: MarkovModel, context: Codes) -> Floats:
    """The blend's opinion after one context, codes [any length] with the nearest symbol last: [n_known]."""
    counts, n_known = model.counts, model.counts.alphabet.n_known
    each = [np.append(context, np.uint8(symbol)) for symbol in range(n_known)]
    return np.array([_blend(model, _evidence_on(counts, codes, len(context)))[0] for codes in each])


def log2_probabilities(model: MarkovModel, codes: Codes) -> Floats:
    """log2 P of each symbol given those before it, one strand, by the blend; 0 where it is unknown: [n].

    codes : uint8 [n]; no context reaches over an unknown symbol.
    """
    found = np.zeros(len(codes))
    known = np.flatnonzero(codes < model.counts.alphabet.n_known)
    if len(known):
        found[known] = np.log2(_blend(model, _evidence_on(model.counts, codes, 0)))
    return found


def next_symbols(model: MarkovModel, contexts: Codes) -> Floats:
    """The blend's opinion after each of some contexts of known symbols, the nearest last: [n, n_known].

    contexts : uint8 [n, m].
    """
    counts, n_known, (n, given) = model.counts, model.counts.alphabet.n_known, contexts.shape
    shape = (counts.max_order + 1, n * n_known)
    seen, total, kind = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.int64)
    context = np.zeros(n, dtype=np.int64)
    for order in range(min(given, counts.max_order) + 1):
        if order:
            context = context + contexts[:, given - order] * np.int64(n_known ** (order - 1))
        rows = counts.tables[order].rows(context)
        of_all = rows.sum(axis=1)
        seen[order], total[order] = rows.ravel(), np.repeat(of_all, n_known)
        kind[order] = np.repeat(_kinds(rows.max(axis=1), of_all), n_known)
    reach = np.full(n * n_known, min(given, counts.max_order))
    word = np.full(n * n_known, -1)  # of the fit alone
    return _blend(model, Evidence(seen, total, kind, reach, word)).reshape(n, n_known)


def _blend(model: MarkovModel, evidence: Evidence) -> Floats:
    """Probability of each symbol by the blend: [n]."""
    return _mixed(model, _parts(model, evidence), evidence)


def _mixed(model: MarkovModel, parts: Floats, evidence: Evidence) -> Floats:
    mixed: Floats = np.einsum("np,pn->n", model.weights[_longest_met(evidence)], parts)
    return mixed


def bits_of_pieces(model: MarkovModel, pieces: Sequence[Piece]) -> Iterator[tuple[int, Floats]]:
    """For each piece its known symbols, both strands, and their bits by every order-k model and the blend [orders + 1].

    Many short pieces cost little more than one long one.
    """
    for group in _gathered(pieces, lambda piece: piece.end - piece.start):
        alone = ((each, [slice(None)]) for each in _evidence(model.counts, group[0]))  # a chunk at a time
        found = alone if len(group) == 1 else _evidence_together(model.counts, group)
        symbols, bits = [0] * len(group), np.zeros((len(group), len(model.pseudocounts) + 1))
        for evidence, mine in found:
            logs = _log2_by_line(model, evidence)
            for place, own in enumerate(mine):
                symbols[place] += logs[0, own].size
                bits[place] -= logs[:, own].sum(axis=1)
        yield from zip(symbols, bits, strict=True)


def _log2_by_line(model: MarkovModel, evidence: Evidence) -> Floats:
    """log2 P of each symbol by every order-k model and the blend: [orders + 1, n]."""
    parts = _parts(model, evidence)
    return np.log2(np.vstack([parts[1:-1], _mixed(model, parts, evidence)]))


def markov_bits(model: MarkovModel, stretches: Iterable[Codes]) -> MarkovBits:
    """Score stretches, uint8 [n] each; a context that is cut short is used as far as it goes.

    Raises InputError where there is nothing to score.
    """
    scored = list(bits_of_pieces(model, [Piece(codes, 0, len(codes)) for codes in stretches]))
    bits = sum((bits for _, bits in scored), np.zeros(len(model.pseudocounts) + 1))
    return summed_bits(model.counts.alphabet, sum(symbols for symbols, _ in scored), bits)


def summed_bits(alphabet: Alphabet, symbols: int, bits: Floats) -> MarkovBits:
    """Bits per symbol from their sums, [orders + 1]. Raises InputError where there is no symbol."""
    if not symbols:
        raise InputError(f"there is no known symbol to score, only {alphabet.unknown_letter}; choose other contigs.")
    *by_order, interpolated = (bits / symbols).tolist()
    return MarkovBits(
        symbols=symbols,
        uniform=float(np.log2(alphabet.n_known)),
        by_order=tuple(by_order),
        interpolated=interpolated,
    )
