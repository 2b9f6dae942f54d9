"""Order-k and interpolated Markov models: the line that every bits per base stands beside.

Everything here is done with word counts. The order-k table holds how often each word of k + 1 known symbols stands in a
set of sequences: a context of k symbols and the symbol after it, so that ``table.reshape(-1, n_known)`` has one row per
context. A word is numbered in base ``n_known``, its first symbol the most significant digit. A model is fitted to such
counts, and the bits it needs for other sequences depend on those only through *their* counts: scoring is counting, then
one weighted sum.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import Alphabet, Codes
from genolstm.errors import InputError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Table = NDArray[np.uint32] | NDArray[np.int64]

MAX_WORDS = 4**13  # words of the largest table: order 12 for DNA, 268 MB of uint32
MIN_WORDS = 4**9  # a table of this size costs nothing, however small the training set
SMALL_TABLE = 4**11  # up to here int64, for short words can pass 2**32 in a large genome; beyond it uint32
WORDS_PER_SYMBOL = 64  # a table with more words than this per training symbol holds next to nothing but zeros
CHUNK = 1 << 16  # symbols counted at a time: their word numbers stay in the cache
CONTEXTS = 1 << 17  # contexts worked on at a time
MAGNITUDES, SHARES = 64, 16  # bins of contexts: log2 of the count, and 16ths of it that the commonest symbol holds
STRENGTHS = np.exp2(np.arange(-8.0, 21.0))  # prior observations tried for each order and bin
FIT_CONTEXTS = 1 << 19  # one number per bin needs no more contexts than this
BORROWED = 300  # average occurrences of the whole order that are added to each bin, so that rare bins take its strength


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


@dataclass(frozen=True, kw_only=True)
class MarkovCounts:
    """How often each word of 1, 2, ... known symbols stands in a set of sequences, on both strands where there are two.

    tables : table k is [n_known ** (k + 1)]; no word spans an unknown symbol or two stretches.
    """

    alphabet: Alphabet
    tables: tuple[Table, ...]

    @property
    def max_order(self) -> int:
        """The longest context counted, in symbols."""
        return len(self.tables) - 1

    @property
    def symbols(self) -> int:
        """How many known symbols there are, each strand's counted."""
        return int(self.tables[0].sum())

    def rows(self, order: int, contexts: Integers) -> Floats:
        """Give the counts of each symbol after some contexts of ``order`` symbols: [len(contexts), n_known]."""
        return self.tables[order].reshape(-1, self.alphabet.n_known)[contexts].astype(np.float64)

    def cut_rows(self, order: int, contexts: Integers) -> Floats:
        """Give the share of ``rows`` where a start or an unknown symbol cuts the context right before: same shape."""
        rows = self.rows(order, contexts)
        if order == self.max_order:
            return np.zeros_like(rows)  # nothing longer has been counted
        longer = self.tables[order + 1].reshape(self.alphabet.n_known, -1, self.alphabet.n_known)
        cut: Floats = rows - longer[:, contexts].sum(axis=0)
        return cut

    def met(self, order: int) -> Integers:
        """Contexts of ``order`` symbols that occur at all, sorted."""
        return np.flatnonzero(self.tables[order].reshape(-1, self.alphabet.n_known).any(axis=1))

    def n_contexts(self, order: int) -> int:
        """How many contexts of ``order`` symbols there can be."""
        return int(self.alphabet.n_known**order)


def largest_order(alphabet: Alphabet, *, expected_symbols: int | None = None) -> int:
    """Longest context worth a table: 12 for DNA, 5 for proteins; down to 8 and 3 for a training set of few symbols."""
    words = MAX_WORDS if expected_symbols is None else WORDS_PER_SYMBOL * expected_symbols
    words = min(max(words, MIN_WORDS), MAX_WORDS)
    order = 0
    while alphabet.n_known ** (order + 2) <= words:
        order += 1
    return order


class MarkovCounter:
    """Counts words of every length while sequences stream past in blocks of any size."""

    def __init__(self, alphabet: Alphabet, *, max_order: int | None = None) -> None:
        self.alphabet = alphabet
        self.max_order = largest_order(alphabet) if max_order is None else max_order
        # heads[k]: words of k + 1 symbols that begin a run of known symbols, so that no longer word ends where they end
        self._heads: list[Table] = [_zeros(alphabet.n_known ** (k + 1)) for k in range(self.max_order + 1)]
        self._waiting: list[Codes] = []
        self._n_waiting = 0
        self._start = np.array([alphabet.unknown], dtype=np.uint8)
        self._before = np.repeat(self._start, self.max_order)  # the last symbols of what has been counted

    def start(self) -> None:
        """Begin a new stretch: the next block's contexts do not reach into what came before."""
        self.add(self._start)  # an unknown symbol breaks every context and is never counted

    def add(self, codes: Codes) -> None:
        """Take the next block of the current stretch, uint8 [n]."""
        self._waiting.append(codes.copy() if len(codes) < CHUNK else codes)  # readers may use their buffer again
        self._n_waiting += len(codes)
        if self._n_waiting >= CHUNK:
            self._count_waiting()

    def finish(self) -> MarkovCounts:
        """Give the counts of all orders and both strands; the counter's tables are handed over, so this ends it."""
        self._count_waiting()
        tables, n_known = self._heads, self.alphabet.n_known
        for order in range(self.max_order, 0, -1):
            longer = tables[order].reshape(n_known, -1)
            tables[order - 1] += longer.sum(axis=0, dtype=tables[order - 1].dtype)
        if self.alphabet.complement is not None:
            for order, table in enumerate(tables):
                _add_other_strand(table, order + 1, self.alphabet.complement[:n_known].astype(np.int64))
        self._heads = []
        return MarkovCounts(alphabet=self.alphabet, tables=tuple(tables))

    def _count_waiting(self) -> None:
        codes = np.concatenate([self._before, *self._waiting])
        self._waiting, self._n_waiting = [], 0
        for first in range(self.max_order, len(codes), CHUNK):
            self._count(codes[first - self.max_order : first + CHUNK])
        self._before = codes[len(codes) - self.max_order :].copy()

    def _count(self, codes: Codes) -> None:
        """Count every word that ends after the first max_order symbols of ``codes``."""
        k, n_known = self.max_order, self.alphabet.n_known
        words = _words((codes[first : len(codes) - k + first] for first in range(k + 1)), n_known)
        known = codes < n_known
        if known.all():
            _tally(self._heads[k], words)
            return
        places = np.arange(len(codes))
        # known symbols from the last unknown one up to here, this one included
        run = (places - np.maximum.accumulate(np.where(known, -1, places)))[k:]
        _tally(self._heads[k], words[run > k])
        for length in np.unique(run[(run > 0) & (run <= k)]):
            ends = np.flatnonzero(run == length) + k
            _tally(self._heads[length - 1], _words((codes[ends - back] for back in range(length)[::-1]), n_known))


def _zeros(n_words: int) -> Table:
    return np.zeros(n_words, dtype=np.uint32) if n_words > SMALL_TABLE else np.zeros(n_words, dtype=np.int64)


def _tally(table: Table, words: Integers) -> None:
    np.add.at(table, words, table.dtype.type(1))  # with a scalar of the table's own type NumPy takes its fast path


def _words(symbols: Iterable[Codes], n_known: int) -> Integers:
    """Give the numbers of n words from their first symbols, second symbols, ..., each [n]: [n]."""
    first, *others = symbols
    words = first.astype(np.int64)
    for digit in others:
        words *= n_known
        words += digit
    return words


def _add_other_strand(table: Table, length: int, complement: Integers) -> None:
    """Add to each word's count that of its reverse complement, in place.

    table : [n_known ** length].   complement : [n_known].
    A strand's words are the reverse complements of the other's, whatever breaks them, so this is exact at every edge.
    """
    n_known = len(complement)
    head, tail = length // 2, length - length // 2
    heads, tails = n_known**head, n_known**tail
    head_flipped, tail_flipped = _reverse_complements(head, complement), _reverse_complements(tail, complement)
    step = max(1, CONTEXTS // tails)
    for first in range(0, heads, step):
        rows = np.arange(first, min(first + step, heads))
        words = (rows[:, None] * tails + np.arange(tails)).ravel()
        flipped = (tail_flipped * heads + head_flipped[rows, None]).ravel()
        table[words[words == flipped]] *= 2
        once = words < flipped  # each pair is met twice
        words, flipped = words[once], flipped[once]
        both = table[words] + table[flipped]
        table[words] = both
        table[flipped] = both


def _reverse_complements(length: int, complement: Integers) -> Integers:
    """Word number of the reverse complement of each word of ``length`` symbols: [n_known ** length]."""
    flipped = np.zeros(1, dtype=np.int64)
    for _ in range(length):
        flipped = (flipped * len(complement) + complement[:, None]).ravel()
    return flipped


def count_markov(
    stretches: Iterable[Iterable[Codes]], alphabet: Alphabet, *, max_order: int | None = None
) -> MarkovCounts:
    """Count words of 1 to max_order + 1 symbols; a stretch is an iterable of blocks of codes, uint8 [any length]."""
    counter = MarkovCounter(alphabet, max_order=max_order)
    for stretch in stretches:
        counter.start()
        for block in stretch:
            counter.add(block)
    return counter.finish()


@dataclass(frozen=True, kw_only=True)
class MarkovModel:
    """Order-k models and their blend, of all orders k = 0 .. max_order of one set of counts.

    pseudocounts : [max_order + 1] what the order-k model adds to each count: p = (c + a) / (n + n_known a).
    strengths : [max_order + 1, MAGNITUDES * SHARES] how many observations the next shorter context's opinion is worth.
    """

    counts: MarkovCounts
    pseudocounts: Floats
    strengths: Floats


def fit_markov(counts: MarkovCounts) -> MarkovModel:
    """Choose pseudocounts and strengths that predict each training symbol best from all the others (leave one out).

    The blend is p_k(x) = (c_k(x) + s p_{k-1}(x)) / (n_k + s), p_{-1} uniform (MacKay & Peto 1995), with one strength s
    for all contexts of an order that are alike in count and in how far one symbol prevails (Jelinek & Mercer 1980).
    The bins matter: a context that was nearly always followed by one symbol is most often part of a repeat.
    """
    n_orders, uniform = counts.max_order + 1, _uniform(counts.alphabet)
    pseudocounts, strengths = np.empty(n_orders), np.empty((n_orders, MAGNITUDES * SHARES))
    shorter = uniform
    for order in range(n_orders):
        # adding a to each count is the blend with a uniform opinion worth n_known * a observations
        pseudocounts[order] = _best_strengths(counts, order, uniform)[0] / counts.alphabet.n_known
        strengths[order] = _best_strengths(counts, order, shorter)[1]
        if order < counts.max_order:
            longer = np.empty((counts.n_contexts(order), counts.alphabet.n_known))
            for part in _parts(np.arange(len(longer))):
                rows, opinion = counts.rows(order, part), shorter[part % len(shorter)]
                longer[part] = _blend(rows, opinion, strengths[order], leave_one_out=True)
            shorter = longer
    return MarkovModel(counts=counts, pseudocounts=pseudocounts, strengths=strengths)


def _best_strengths(counts: MarkovCounts, order: int, shorter: Floats) -> tuple[float, Floats]:
    """Find the strength of most leave-one-out likelihood for the whole order, and for each bin: [MAGNITUDES * SHARES].

    shorter : [n_known ** (order - 1), n_known] leave-one-out opinion of each context without its first symbol.
    """
    met = counts.met(order)
    contexts = met[:: 1 + len(met) // FIT_CONTEXTS]
    rows = counts.rows(order, contexts)
    present = rows > 0
    seen, totals, bins = (np.broadcast_to(a, rows.shape)[present] for a in _evidence(rows, leave_one_out=True))
    times, opinion = rows[present], shorter[contexts % len(shorter)][present]
    likelihood = np.array(
        [
            np.bincount(bins, times * np.log((seen + s * opinion) / (totals + s)), minlength=MAGNITUDES * SHARES)
            for s in STRENGTHS
        ]
    )  # [strengths, bins]
    whole = likelihood.sum(axis=1, keepdims=True)
    binned = likelihood + BORROWED * whole / max(times.sum(), 1)
    return float(STRENGTHS[whole.argmax()]), STRENGTHS[binned.argmax(axis=0)]


def _evidence(rows: Floats, *, leave_one_out: bool = False) -> tuple[Floats, Floats, Integers]:
    """Give what a context's counts [m, n_known] say: counts, their sum, and the context's bin.

    With ``leave_one_out`` a symbol's entry has forgotten one occurrence of it; where there is none it means nothing.
    """
    totals, ordered = rows.sum(axis=1, keepdims=True), np.sort(rows, axis=1)
    seen, top = rows, ordered[:, -1:]
    if leave_one_out:
        seen, totals = np.maximum(rows - 1, 0), np.maximum(totals - 1, 0)
        top = np.where(rows == top, np.maximum(ordered[:, -2:-1], seen), top)
    share = np.minimum(SHARES * top // np.maximum(totals, 1), SHARES - 1)
    return seen, totals, (np.frexp(totals)[1] * SHARES + share).astype(np.int64)


def _blend(rows: Floats, shorter: Floats, strengths: Floats, *, leave_one_out: bool = False) -> Floats:
    """Probabilities after contexts with counts ``rows``, from those after the next shorter contexts: [m, n_known]."""
    seen, totals, bins = _evidence(rows, leave_one_out=leave_one_out)
    strength = strengths[bins]
    return np.divide(seen + strength * shorter, totals + strength)


def _uniform(alphabet: Alphabet) -> Floats:
    return np.full((1, alphabet.n_known), 1 / alphabet.n_known)


def _parts(contexts: Integers) -> Iterator[Integers]:
    for first in range(0, len(contexts), CONTEXTS):
        yield contexts[first : first + CONTEXTS]


def next_symbol_probabilities(model: MarkovModel, context: Codes) -> Floats:
    """Give the blend's opinion after one context, codes [any length] with the nearest symbol last: [n_known]."""
    counts, probabilities, number = model.counts, _uniform(model.counts.alphabet), 0
    for order in range(counts.max_order + 1):
        rows = counts.rows(order, np.array([number]))
        probabilities = _blend(rows, probabilities, model.strengths[order])
        if order == len(context) or context[-1 - order] >= counts.alphabet.n_known:
            break  # a stretch begins here, or an unknown symbol
        number += int(context[-1 - order]) * counts.n_contexts(order)
    return probabilities.ravel()


def markov_bits(model: MarkovModel, stretches: Iterable[Iterable[Codes]]) -> MarkovBits:
    """Score stretches, each an iterable of blocks of codes; a context that is cut short is used as far as it goes."""
    alphabet, max_order = model.counts.alphabet, model.counts.max_order
    scored = count_markov(stretches, alphabet, max_order=max_order)
    if scored.symbols == 0:
        raise InputError(f"there is no known symbol to score, only {alphabet.unknown_letter}; choose other contigs.")
    shorter, bits = _uniform(alphabet), np.empty((max_order + 1, 2, 2))
    for order in range(max_order + 1):
        shorter, bits[order] = _score_order(model, scored, order, shorter)
    anywhere, cut = bits[:, 0], bits[:, 1]  # each [orders, (plain, blend)]
    # a symbol that has only j symbols before it is scored by order j, whichever longer order was asked for
    per_symbol = (anywhere + np.cumsum(cut, axis=0) - cut) / scored.symbols
    return MarkovBits(
        symbols=scored.symbols,
        uniform=float(np.log2(alphabet.n_known)),
        by_order=tuple(per_symbol[:, 0].tolist()),
        interpolated=float(per_symbol[-1, 1]),
    )


def _score_order(model: MarkovModel, scored: MarkovCounts, order: int, shorter: Floats) -> tuple[Floats, Floats]:
    """Give the blend of one order, [contexts, n_known], and bits [(anywhere, where it is cut), (plain, blend)].

    shorter : the blend of the order before.   The longest order's blend is not kept: it is needed only where scored.
    """
    counts, n_known, longest = model.counts, model.counts.alphabet.n_known, order == scored.max_order
    contexts = scored.met(order) if longest else np.arange(counts.n_contexts(order))
    blends, bits = np.empty((0 if longest else len(contexts), n_known)), np.zeros((2, 2))
    for part in _parts(contexts):
        rows = counts.rows(order, part)
        blend = _blend(rows, shorter[part % len(shorter)], model.strengths[order])
        plain = rows + model.pseudocounts[order]
        plain /= plain.sum(axis=1, keepdims=True)
        for place, times in enumerate((scored.rows(order, part), scored.cut_rows(order, part))):
            used = times > 0
            bits[place] -= [float((times[used] * np.log2(p[used])).sum()) for p in (plain, blend)]
        if not longest:
            blends[part] = blend
    return blends, bits
