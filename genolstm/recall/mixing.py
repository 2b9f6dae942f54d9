"""Copy experts, count experts and a network's log probabilities, mixed symbol by symbol.

Every symbol is costed before anything learns it. An expert's log probabilities, less their mean over the symbols, are
added up under weights that are learned on the coding loss (logistic mixing; Mahoney 2005), and normalised:

    z[a] = sum over experts of (weight[expert, bucket] + gate[expert, class]) * centred log p[a]
    P[a] = (1 - 4 FLOOR) softmax(z)[a] + FLOOR

The bucket of an expert says how sure it is, the class how sure the surest copy expert is.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.readers.compiled import compiled
from genolstm.recall.memory import (
    FULL_SLOT,
    LONGEST,
    Head,
    Memory,
    Whole,
    advance,
    append,
    check_of,
    count_contexts,
    index_windows,
    last_symbols,
    paired_symbols,
    place_of,
)

FLOOR = 2.0**-18  # of a probability
MISSES_LOOKED_AT = 16
MOST_MISSES = 8  # among them; beyond, a copy is dropped
MISS_BITS = np.uint32(0xFFFF)
MATCHED = np.array([16, 20, 24, 32, 48, 64, 128, 256, 512], dtype=np.int64)  # bounds of classes of matched symbols
AGES = 6  # classes of how many symbols ago the latest miss was: 0, 1, 2-3, 4-7, 8-15, 16-31
BUCKETS = len(MATCHED) + 1 + AGES * (MOST_MISSES + 1)
FIRST_HITS, FIRST_TRIALS = 1.6, 2.0
MOST_TRIALS = 4_000.0  # then hits and trials are halved
LEAST_RATE, LARGEST_RATE = 0.1, 0.9995
RATE_CLASSES = np.array([0.5, 0.7, 0.85, 0.95, 0.985, 0.996], dtype=np.float64)  # bounds, of the surest copy expert
CLASSES = len(RATE_CLASSES) + 2  # and one for no copy expert at all
SURE = np.array([0.4, 0.6, 0.8], dtype=np.float64)  # bounds of the network's largest probability
ADDED_SHORT, ADDED_LONG = 0.4, 1 / 16  # to every count, of dense and of hashed contexts
STEP, GATE_STEP = 0.02, 0.02  # of Adagrad (Duchi et al. 2011), for weights and gates
SMALL = 1e-2  # to begin the sums of squared gradients with


class Copies(NamedTuple):
    """Copy experts: for each window length one along the text and one against it.

    place : int64 [copies], of the symbol in the text that is expected next, -1 for none.   matched : int64 [copies],
    symbols since the last miss, up to 32 of which were met before it was found.   misses : uint32 [copies], the last
    32 symbols, the newest lowest, 1 where it missed.   hits, trials, advantage : float64 [copies, BUCKETS]; advantage
    is the log odds of the expected symbol against each of the others.
    """

    place: NDArray[np.int64]
    matched: NDArray[np.int64]
    misses: NDArray[np.uint32]
    hits: NDArray[np.float64]
    trials: NDArray[np.float64]
    advantage: NDArray[np.float64]


class Mixers(NamedTuple):
    """Weights of each mixer. first : int64 [mixers], each takes the experts from this one on, in the order network,
    copies, counts.   weight, weight_squares : float64 [mixers, experts, BUCKETS].   gate, gate_squares : float64
    [mixers, experts, CLASSES].   logs : float64 [2, 65,536], log of a count of a dense and of a hashed context.
    """  # noqa: D205

    first: NDArray[np.int64]
    weight: NDArray[np.float64]
    weight_squares: NDArray[np.float64]
    gate: NDArray[np.float64]
    gate_squares: NDArray[np.float64]
    logs: NDArray[np.float64]


class Opinions(NamedTuple):
    """What the experts say of the next symbol. centred : float64 [experts, 4], log probabilities less their mean.

    bucket : int64 [experts].   active : int64 [experts], those that say anything, in their order.   told : int64 [3],
    how many these are, the class of the gates, and the copy expert of the longest match, -1 without.
    """

    centred: NDArray[np.float64]
    bucket: NDArray[np.int64]
    active: NDArray[np.int64]
    told: NDArray[np.int64]


class Found(NamedTuple):
    """What is told of each symbol. bits : float32 [n, mixers], NaN where it is unknown.

    matched : int32 [n], symbols that the longest match had met, 0 without.   source : int64 [n], place in the text
    that it expected the symbol from, -1 without.   reverse : bool [n], whether against the text.
    """

    bits: NDArray[np.float32]
    matched: NDArray[np.int32]
    source: NDArray[np.int64]
    reverse: NDArray[np.bool_]


def new_copies(lengths: int) -> Copies:
    """Copy experts that follow nothing yet."""
    copies = 2 * lengths
    rate = FIRST_HITS / FIRST_TRIALS
    return Copies(
        place=np.full(copies, -1, dtype=np.int64),
        matched=np.zeros(copies, dtype=np.int64),
        misses=np.zeros(copies, dtype=np.uint32),
        hits=np.full((copies, BUCKETS), FIRST_HITS),
        trials=np.full((copies, BUCKETS), FIRST_TRIALS),
        advantage=np.full((copies, BUCKETS), np.log(3 * rate / (1 - rate))),
    )


def new_mixers(copies: int, counts: int) -> Mixers:
    """Three mixers: of all experts, of all but the network, and of the counts alone."""
    experts = 1 + copies + counts
    weight = np.full((3, experts, BUCKETS), 0.05)
    weight[:, 0] = 1
    return Mixers(
        first=np.array([0, 1, 1 + copies], dtype=np.int64),
        weight=weight,
        weight_squares=np.full(weight.shape, SMALL),
        gate=np.zeros((3, experts, CLASSES)),
        gate_squares=np.full((3, experts, CLASSES), SMALL),
        logs=np.log(np.arange(65_536)[None] + np.array([[ADDED_SHORT], [ADDED_LONG]])),
    )


@compiled
def class_of(value: float, bounds: NDArray[Any]) -> Whole:
    """How many sorted bounds a value reaches."""
    found = 0
    for bound in bounds:
        if value < bound:
            break
        found += 1
    return found


@compiled
def _bits_set(word: np.uint32) -> Whole:
    found = 0
    while word:
        word &= word - np.uint32(1)
        found += 1
    return found


@compiled
def _age_class(misses: np.uint32) -> Whole:
    """Class of how many symbols ago the latest miss was."""
    age = 0
    while not (misses >> np.uint32(age)) & np.uint32(1):
        age += 1
    found = 0
    while age:
        age >>= 1
        found += 1
    return found


@compiled
def copy_bucket(matched: Whole, misses: np.uint32) -> Whole:
    """Bucket of a copy expert: by the length of its match while without a miss, else by misses and the latest's age."""
    if misses == 0:
        return class_of(matched, MATCHED)
    return len(MATCHED) + 1 + AGES * _bits_set(misses & MISS_BITS) + _age_class(misses)


@compiled
def _agreed(memory: Memory, head: Head, place: Whole, step: Whole) -> Whole:
    """How many of the last symbols, 32 at most, agree with those of the text before an expected place."""
    key, end = head.keys[0], memory.length[0]
    most = min(LONGEST, head.known[0])
    for back in range(most):
        at = place - step * (back + 1)
        if at < 0 or at >= end:
            return back
        symbol = np.int64((key >> np.uint64(2 * back)) & np.uint64(3))
        there = np.int64(memory.text[at])
        if there != (symbol if step > 0 else 3 - symbol):
            return back
    return most


@compiled
def find_copies(memory: Memory, head: Head, copies: Copies) -> None:
    """Look for a place to copy from where an expert has none, or a longer match where it has met fewer than 32."""
    for row in range(len(memory.lengths)):
        length = memory.lengths[row]
        if head.known[0] < length:
            continue
        for side in range(2):
            copy = 2 * row + side
            if copies.place[copy] >= 0 and copies.matched[copy] >= LONGEST:
                continue
            key = last_symbols(head.keys[0], length) if side == 0 else paired_symbols(head.keys[1], length)
            end = np.int64(memory.ends[row, place_of(key, memory.ends_shift)])
            place, step = (end, 1) if side == 0 else (end - length - 1, -1)
            if end == 0 or place < 0 or place == copies.place[copy]:
                continue
            agreed = _agreed(memory, head, place, step)
            if agreed >= length and (copies.place[copy] < 0 or agreed > copies.matched[copy]):
                copies.place[copy], copies.matched[copy] = place, agreed
                copies.misses[copy] = 0


@compiled
def expected_symbol(memory: Memory, copies: Copies, copy: Whole) -> Whole:
    """Symbol that a copy expert expects, -1 where it follows nothing or stands at a break."""
    place = copies.place[copy]
    if place < 0 or memory.text[place] > 3:
        return -1
    symbol = np.int64(memory.text[place])
    return symbol if copy & 1 == 0 else 3 - symbol


@compiled
def follow_copies(memory: Memory, copies: Copies, symbol: Whole) -> None:
    """Take each expert one symbol on; drop those that miss too often, and all at an unknown symbol."""
    for copy in range(len(copies.place)):
        place = copies.place[copy]
        if place < 0:
            continue
        expected = expected_symbol(memory, copies, copy)
        if symbol > 3 or expected < 0:
            copies.place[copy] = -1
            continue
        missed = expected != symbol
        copies.misses[copy] = (copies.misses[copy] << np.uint32(1)) | np.uint32(missed)
        copies.matched[copy] = 0 if missed else copies.matched[copy] + 1
        copies.place[copy] = place + 1 - 2 * (copy & 1)
        if _bits_set(copies.misses[copy] & MISS_BITS) > MOST_MISSES:
            copies.place[copy] = -1


@compiled
def learn_rate(copies: Copies, copy: Whole, bucket: Whole, hit: bool) -> None:  # noqa: FBT001
    """Count one expected symbol that came or did not."""
    if copies.trials[copy, bucket] >= MOST_TRIALS:
        copies.hits[copy, bucket] /= 2
        copies.trials[copy, bucket] /= 2
    copies.trials[copy, bucket] += 1
    if hit:
        copies.hits[copy, bucket] += 1
    rate = np.minimum(np.maximum(copies.hits[copy, bucket] / copies.trials[copy, bucket], LEAST_RATE), LARGEST_RATE)
    copies.advantage[copy, bucket] = np.log(3 * rate / (1 - rate))


@compiled
def counts_after(memory: Memory, row: Whole, head: Head, counts: NDArray[np.int64]) -> Whole:
    """Counts of each symbol after the last ones, in place; returns their sum."""
    context = last_symbols(head.keys[0], memory.orders[row])
    if memory.dense_first[row] >= 0:
        found = memory.dense[memory.dense_first[row] + np.int64(context)]
        for each in range(4):
            counts[each] = found[each]
    else:
        table = memory.slots[memory.slot_row[row]]
        word = table[place_of(context, memory.slots_shift)]
        if word >> np.uint32(16) != check_of(context):
            return 0
        for each in range(4):
            counts[each] = np.int64((word >> np.uint32(4 * each)) & FULL_SLOT)
    return counts[0] + counts[1] + counts[2] + counts[3]


@compiled
def count_bucket(total: Whole, largest: Whole) -> Whole:
    """Bucket of a count expert: by powers of two of how often its context was met, and whether one symbol had all."""
    power = 0
    while total > 1 and power < 9:
        total >>= 1
        power += 1
    return 2 * power + (1 if total and largest == 0 else 0)


@compiled
def _agree(opinions: Opinions, expert: Whole, bucket: Whole) -> None:
    """Add an expert to those that say anything."""
    opinions.bucket[expert] = bucket
    opinions.active[opinions.told[0]] = expert
    opinions.told[0] += 1


@compiled
def ask_network(log_p: NDArray[np.float32], opinions: Opinions) -> None:
    """The network's opinion. log_p : [4]."""
    mean = (log_p[0] + log_p[1] + log_p[2] + log_p[3]) / 4.0
    largest = max(max(log_p[0], log_p[1]), max(log_p[2], log_p[3]))
    for a in range(4):
        opinions.centred[0, a] = log_p[a] - mean
    _agree(opinions, 0, class_of(np.exp(largest), SURE))


@compiled
def ask_copies(memory: Memory, copies: Copies, opinions: Opinions) -> None:
    """The opinions of copy experts, the class of the surest, and which has the longest match."""
    surest, longest = 0.0, -1
    for copy in range(len(copies.place)):
        expected = expected_symbol(memory, copies, copy)
        if expected < 0:
            continue
        bucket = copy_bucket(copies.matched[copy], copies.misses[copy])
        advantage = copies.advantage[copy, bucket]
        for a in range(4):
            opinions.centred[1 + copy, a] = -advantage / 4
        opinions.centred[1 + copy, expected] += advantage
        _agree(opinions, 1 + copy, bucket)
        surest = max(surest, advantage)
        if longest < 0 or copies.matched[copy] > copies.matched[longest]:
            longest = copy
    opinions.told[1] = 0 if longest < 0 else 1 + class_of(1 - 3 / (3 + np.exp(surest)), RATE_CLASSES)
    opinions.told[2] = longest


@compiled
def ask_counts(
    memory: Memory, head: Head, logs: NDArray[np.float64], first: Whole, counts: NDArray[np.int64], opinions: Opinions
) -> None:
    """The opinions of count experts, of which the first has number `first`. counts : int64 [4], overwritten."""
    for row in range(len(memory.orders)):
        if head.known[0] < memory.orders[row]:
            continue
        total = counts_after(memory, row, head, counts)
        if total == 0:
            continue
        kind = 0 if memory.dense_first[row] >= 0 else 1
        mean, most = 0.0, 0
        for a in range(4):
            opinions.centred[first + row, a] = logs[kind, counts[a]]
            mean += opinions.centred[first + row, a] / 4
            most = max(most, counts[a])
        for a in range(4):
            opinions.centred[first + row, a] -= mean
        _agree(opinions, first + row, count_bucket(total, total - most))


@compiled
def mix(mixers: Mixers, mixer: Whole, opinions: Opinions, p: NDArray[np.float64]) -> Whole:
    """Probability of each symbol by one mixer, in place; returns the first of its active experts."""
    active, from_ = opinions.active, opinions.told[0]
    while from_ > 0 and active[from_ - 1] >= mixers.first[mixer]:
        from_ -= 1
    z0, z1, z2, z3 = 0.0, 0.0, 0.0, 0.0
    for expert in active[from_ : opinions.told[0]]:
        weight = mixers.weight[mixer, expert, opinions.bucket[expert]] + mixers.gate[mixer, expert, opinions.told[1]]
        z0 += weight * opinions.centred[expert, 0]
        z1 += weight * opinions.centred[expert, 1]
        z2 += weight * opinions.centred[expert, 2]
        z3 += weight * opinions.centred[expert, 3]
    top = max(max(z0, z1), max(z2, z3))
    p[0], p[1], p[2], p[3] = np.exp(z0 - top), np.exp(z1 - top), np.exp(z2 - top), np.exp(z3 - top)
    total = p[0] + p[1] + p[2] + p[3]
    for a in range(4):
        p[a] = (1 - 4 * FLOOR) * p[a] / total + FLOOR
    return from_


@compiled
def learn_weights(
    mixers: Mixers, mixer: Whole, opinions: Opinions, from_: Whole, p: NDArray[np.float64], symbol: Whole
) -> None:
    """One step of Adagrad on the bits of a symbol. p : what `mix` gave, overwritten with the slope along z."""
    p[symbol] -= 1
    gate_class = opinions.told[1]
    for expert in opinions.active[from_ : opinions.told[0]]:
        c, bucket = opinions.centred[expert], opinions.bucket[expert]
        slope = p[0] * c[0] + p[1] * c[1] + p[2] * c[2] + p[3] * c[3]
        square = slope * slope
        mixers.weight_squares[mixer, expert, bucket] += square
        mixers.weight[mixer, expert, bucket] -= STEP * slope / np.sqrt(mixers.weight_squares[mixer, expert, bucket])
        mixers.gate_squares[mixer, expert, gate_class] += square
        mixers.gate[mixer, expert, gate_class] -= (
            GATE_STEP * slope / np.sqrt(mixers.gate_squares[mixer, expert, gate_class])
        )


@compiled
def learn_rates(memory: Memory, copies: Copies, opinions: Opinions, symbol: Whole) -> None:
    """Count for each copy expert whether what it expected came."""
    for copy in range(len(copies.place)):
        expected = expected_symbol(memory, copies, copy)
        if expected >= 0:
            learn_rate(copies, copy, opinions.bucket[1 + copy], expected == symbol)


@compiled
def read(
    codes: NDArray[np.uint8],
    log_p: NDArray[np.float32],
    memory: Memory,
    head: Head,
    copies: Copies,
    mixers: Mixers,
    growing: bool,  # noqa: FBT001
    learning: bool,  # noqa: FBT001
    found: Found,
) -> None:
    """Cost some symbols, uint8 [n], one after the other, and fill in `found`.

    log_p : [n, 4], the network's natural log probabilities; [0, 4] for none.   growing : the memory takes in each
    symbol once it was costed.   learning : weights and rates follow.
    """
    first_count = 1 + len(copies.place)
    experts = first_count + len(memory.orders)
    opinions = Opinions(
        np.zeros((experts, 4)), np.zeros(experts, np.int64), np.zeros(experts, np.int64), np.zeros(3, np.int64)
    )
    counts, p = np.zeros(4, dtype=np.int64), np.zeros(4)
    for t in range(len(codes)):
        symbol = np.int64(codes[t])
        find_copies(memory, head, copies)
        opinions.told[0] = 0
        if len(log_p):
            ask_network(log_p[t], opinions)
        ask_copies(memory, copies, opinions)
        ask_counts(memory, head, mixers.logs, first_count, counts, opinions)
        longest = opinions.told[2]
        found.matched[t] = copies.matched[longest] if longest >= 0 else 0
        found.source[t] = copies.place[longest] if longest >= 0 else -1
        found.reverse[t] = longest >= 0 and longest & 1 == 1
        for mixer in range(len(mixers.first)):
            if symbol > 3:
                found.bits[t, mixer] = np.nan
                continue
            from_ = mix(mixers, mixer, opinions, p)
            found.bits[t, mixer] = -np.log2(p[symbol])
            if learning:
                learn_weights(mixers, mixer, opinions, from_, p, symbol)
        if learning and symbol <= 3:
            learn_rates(memory, copies, opinions, symbol)
        if growing:
            index_windows(memory, head)
            append(memory, symbol)
            for row in range(len(memory.orders)):
                if symbol <= 3 and head.known[0] >= memory.orders[row]:
                    count_contexts(memory, row, head.keys[0], head.keys[1], symbol)
        follow_copies(memory, copies, symbol)
        advance(head, symbol)
