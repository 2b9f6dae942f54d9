"""The text that was read, and what finds a place in it again: an index of windows and counts of contexts.

Symbols are DNA codes 0..3, complement 3 - s; anything else is a break that no window and no context spans.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.readers.compiled import compiled

LONGEST = 32  # symbols of a window: a key has 64 bits
LONGEST_CONTEXT = 24
LONGEST_DENSE = 12  # contexts up to this order have a row of counts each; longer ones share hashed slots
BREAK = 4  # stands in the text between stretches
FEWEST_BITS, MOST_BITS = 10, 31  # of the number of entries of a table
SLOT_BYTES, DENSE_BYTES = 4, 4 * 2
FULL_DENSE, FULL_SLOT = np.uint16(65_535), np.uint32(15)  # counts that are halved before they grow

# odd multipliers (Knuth's multiplicative hashing): the golden ratio, and one of splitmix64 for the check
GOLDEN, MIXING = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
ONE, TWO, THREE = np.uint64(1), np.uint64(2), np.uint64(3)
TOP, WIDTH = np.uint64(62), np.uint64(64)
CHECK_SHIFT = np.uint64(48)


Whole = Any  # an int to Python, an int64 to Numba


class Memory(NamedTuple):
    """What was read. text : uint8 [capacity].   length : int64 [1], symbols of the text so far.

    lengths : int64 [lengths], symbols of a window.   ends : uint32 [lengths, entries], the place after the latest
    window with a hash; 0 where there was none.
    orders : int64 [orders], symbols of a context.   dense_first : int64 [orders], first row of an order's counts, -1
    where it is hashed.   dense : uint16 [rows, 4].   slots : uint32 [hashed orders, entries], each a check of 16 bits
    and four counts of 4 bits.   slot_row : int64 [orders], row of an order in `slots`, -1 where it is dense.
    ends_shift, slots_shift : 64 less the bits of the number of entries.
    """

    text: NDArray[np.uint8]
    length: NDArray[np.int64]
    lengths: NDArray[np.int64]
    ends: NDArray[np.uint32]
    orders: NDArray[np.int64]
    dense_first: NDArray[np.int64]
    dense: NDArray[np.uint16]
    slots: NDArray[np.uint32]
    slot_row: NDArray[np.int64]
    ends_shift: np.uint64
    slots_shift: np.uint64


class Head(NamedTuple):
    """The last symbols before a place, as keys of two bits a symbol.

    keys : uint64 [2], the last 32 symbols, the newest lowest; and their reverse complement, the newest's highest.
    known : int64 [1], how many symbols in a row were known.
    """

    keys: NDArray[np.uint64]
    known: NDArray[np.int64]


def empty_head() -> Head:
    """Before the first symbol."""
    return Head(np.zeros(2, dtype=np.uint64), np.zeros(1, dtype=np.int64))


def entries_bits(symbols: int, most: int = MOST_BITS) -> int:
    """Bits of the number of entries of a table that has an entry for each of some symbols, at most `most`."""
    return int(min(max(FEWEST_BITS, int(symbols).bit_length()), most))


def memory_bytes(lengths: tuple[int, ...], orders: tuple[int, ...], capacity: int, index_bits: int) -> int:
    """Bytes of a `Memory`: its text, an index for each length, and the counts of each order."""
    dense: int = sum(4**order for order in orders if order <= LONGEST_DENSE)
    hashed = sum(order > LONGEST_DENSE for order in orders)
    slots = entries_bits(2 * capacity, index_bits)
    tables = len(lengths) * 2 ** entries_bits(capacity, index_bits) + hashed * 2**slots
    size: int = capacity + DENSE_BYTES * dense + SLOT_BYTES * tables
    return size


def empty_memory(lengths: tuple[int, ...], orders: tuple[int, ...], capacity: int, index_bits: int) -> Memory:
    """A memory that has room for some symbols. index_bits : most entries of a table, as a power of two."""
    dense_first, slot_row, rows, hashed = [], [], 0, 0
    for order in orders:
        dense_first.append(rows if order <= LONGEST_DENSE else -1)
        slot_row.append(-1 if order <= LONGEST_DENSE else hashed)
        rows += 4**order if order <= LONGEST_DENSE else 0
        hashed += order > LONGEST_DENSE
    ends_bits, slots_bits = entries_bits(capacity, index_bits), entries_bits(2 * capacity, index_bits)  # both strands
    return Memory(
        text=np.zeros(capacity, dtype=np.uint8),
        length=np.zeros(1, dtype=np.int64),
        lengths=np.array(lengths, dtype=np.int64),
        ends=np.zeros((len(lengths), 2**ends_bits), dtype=np.uint32),
        orders=np.array(orders, dtype=np.int64),
        dense_first=np.array(dense_first, dtype=np.int64),
        dense=np.zeros((rows, 4), dtype=np.uint16),
        slots=np.zeros((hashed, 2**slots_bits if hashed else 1), dtype=np.uint32),
        slot_row=np.array(slot_row, dtype=np.int64),
        ends_shift=np.uint64(64 - ends_bits),
        slots_shift=np.uint64(64 - slots_bits),
    )


@compiled
def place_of(key: np.uint64, shift: np.uint64) -> np.uint64:
    """Entry of a key in a table. shift : 64 less the bits of the number of entries."""
    return (key * GOLDEN) >> shift


@compiled
def check_of(key: np.uint64) -> np.uint32:
    """16 bits that tell keys of one entry apart."""
    return np.uint32((key * MIXING) >> CHECK_SHIFT)


@compiled
def last_symbols(key: np.uint64, symbols: Whole) -> np.uint64:
    """The newest symbols of a forward key."""
    return key if symbols >= LONGEST else key & ((ONE << np.uint64(2 * symbols)) - ONE)


@compiled
def paired_symbols(key: np.uint64, symbols: Whole) -> np.uint64:
    """Reverse complement of the newest symbols, from a backward key."""
    return key >> np.uint64(64 - 2 * symbols)


@compiled
def next_keys(forward: np.uint64, backward: np.uint64, symbol: Whole) -> tuple[np.uint64, np.uint64]:
    """Both keys of a head after one more known symbol."""
    code = np.uint64(symbol)
    return (forward << TWO) | code, (backward >> TWO) | ((THREE - code) << TOP)


@compiled
def advance(head: Head, symbol: Whole) -> None:
    """Read one symbol."""
    if symbol > 3:
        head.known[0] = 0
        return
    head.keys[0], head.keys[1] = next_keys(head.keys[0], head.keys[1], symbol)
    head.known[0] += 1


@compiled
def index_windows(memory: Memory, head: Head) -> None:
    """Note the windows that end here, before the next symbol is known."""
    for row in range(len(memory.lengths)):
        if head.known[0] >= memory.lengths[row]:
            key = last_symbols(head.keys[0], memory.lengths[row])
            memory.ends[row, place_of(key, memory.ends_shift)] = memory.length[0]


@compiled
def count_up(memory: Memory, row: Whole, context: np.uint64, symbol: Whole) -> None:
    """Count one symbol after one context."""
    if memory.dense_first[row] >= 0:
        counts = memory.dense[memory.dense_first[row] + np.int64(context)]
        if counts[symbol] == FULL_DENSE:
            for each in range(4):
                counts[each] >>= 1
        counts[symbol] += 1
        return
    table = memory.slots[memory.slot_row[row]]
    at, check = place_of(context, memory.slots_shift), check_of(context)
    word = table[at]
    if word >> np.uint32(16) != check:
        if (word & np.uint32(0xEEEE)) != 0 or _ones(word) > 1:  # of another context, which was met more than once
            table[at] = (word & np.uint32(0xFFFF0000)) | _halved(word)
            return
        word = check << np.uint32(16)
    shift = np.uint32(4 * symbol)
    if (word >> shift) & FULL_SLOT == FULL_SLOT:
        word = (word & np.uint32(0xFFFF0000)) | _halved(word)
    table[at] = word + (np.uint32(1) << shift)


@compiled
def _halved(word: np.uint32) -> np.uint32:
    return (word >> np.uint32(1)) & np.uint32(0x7777)


@compiled
def _ones(word: np.uint32) -> Whole:
    return int((word & 1) + ((word >> 4) & 1) + ((word >> 8) & 1) + ((word >> 12) & 1))


@compiled
def count_contexts(memory: Memory, row: Whole, forward: np.uint64, backward: np.uint64, symbol: Whole) -> None:
    """Count a known symbol after its context, and on the other strand what precedes it, of one order.

    forward, backward : keys of the head before the symbol.
    """
    order = memory.orders[row]
    count_up(memory, row, last_symbols(forward, order), symbol)
    after, paired = next_keys(forward, backward, symbol)
    before = np.int64((after >> np.uint64(2 * order)) & THREE)
    count_up(memory, row, paired_symbols(paired, order), 3 - before)


@compiled
def append(memory: Memory, symbol: Whole) -> None:
    """Put one symbol to the text; `index_windows` and the counts came before."""
    memory.text[memory.length[0]] = symbol
    memory.length[0] += 1


@compiled
def memorise(memory: Memory, head: Head, codes: NDArray[np.uint8]) -> None:
    """Read symbols that are not scored, uint8 [n]: order by order: a cache holds one table, not all."""
    for row in range(len(memory.orders)):
        forward, backward, known = head.keys[0], head.keys[1], head.known[0]  # no array, which each count might change
        for symbol in codes:
            if symbol > 3:
                known = 0
                continue
            if known >= memory.orders[row]:
                count_contexts(memory, row, forward, backward, np.int64(symbol))
            forward, backward = next_keys(forward, backward, symbol)
            known += 1
    for symbol in codes:
        index_windows(memory, head)
        append(memory, symbol)
        advance(head, symbol)
