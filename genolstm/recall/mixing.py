"""Copy experts, count experts and a network's log probabilities, mixed symbol by symbol.

Every symbol is costed before anything learns it. An expert's log probabilities, less their mean over the symbols, are
added up under weights that are learned on the coding loss (logistic mixing; Mahoney 2005), and normalised:

    z[a] = sum over experts of (weight[expert, bucket] + gate[expert, class]) * centred log p[a]
    P[a] = (1 - 4 FLOOR) softmax(z)[a] + FLOOR

The bucket of an expert says how sure it is, the class how sure the surest copy expert is.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.readers.compiled import compiled
from genolstm.recall.memory import (
    FULL_SLOT,
    LONGEST,
    Head,
    Memory,
    advance,
    append,
    check_of,
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
def class_of(value: float, bounds: NDArray[np.float64]) -> int:
    """How many sorted bounds a value reaches."""
    found = 0
    for bound in bounds:
        if value < bound:
            break
        found += 1
    return found


@compiled
def _bits_set(word: np.uint32) -> int:
    found = 0
    while word:
        word &= word - np.uint32(1)
        found += 1
    return found


@compiled
def _age_class(misses: np.uint32) -> int:
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
def copy_bucket(matched: int, misses: np.uint32) -> int:
    """Bucket of a copy expert: by the length of its match while without a miss, else by misses and the latest's age."""
    if misses == 0:
        return class_of(matched, MATCHED)
    return len(MATCHED) + 1 + AGES * _bits_set(misses & MISS_BITS) + _age_class(misses)


@compiled
def _agreed(memory: Memory, head: Head, place: int, step: int) -> int:
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
def follow_copies(memory: Memory, copies: Copies, symbol: int) -> None:
    """Take each expert one symbol on; drop those that miss too often, and all at an unknown symbol."""
    for copy in range(len(copies.place)):
        place = copies.place[copy]
        if place < 0:
            continue
        expected, step = np.int64(memory.text[place]), 1 - 2 * (copy & 1)
        if symbol > 3 or expected > 3:
            copies.place[copy] = -1
            continue
        missed = (expected if step > 0 else 3 - expected) != symbol
        copies.misses[copy] = (copies.misses[copy] << np.uint32(1)) | np.uint32(missed)
        copies.matched[copy] = 0 if missed else copies.matched[copy] + 1
        copies.place[copy] = place + step
        if _bits_set(copies.misses[copy] & MISS_BITS) > MOST_MISSES:
            copies.place[copy] = -1


@compiled
def learn_rate(copies: Copies, copy: int, bucket: int, hit: bool) -> None:  # noqa: FBT001
    """Count one expected symbol that came or did not."""
    if copies.trials[copy, bucket] >= MOST_TRIALS:
        copies.hits[copy, bucket] /= 2
        copies.trials[copy, bucket] /= 2
    copies.trials[copy, bucket] += 1
    if hit:
        copies.hits[copy, bucket] += 1
    rate = min(max(copies.hits[copy, bucket] / copies.trials[copy, bucket], LEAST_RATE), LARGEST_RATE)
    copies.advantage[copy, bucket] = np.log(3 * rate / (1 - rate))


@compiled
def counts_after(memory: Memory, row: int, head: Head, counts: NDArray[np.int64]) -> int:
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
def count_bucket(total: int, largest: int) -> int:
    """Bucket of a count expert: by powers of two of how often its context was met, and whether one symbol had all."""
    power = 0
    while total > 1 and power < 9:
        total >>= 1
        power += 1
    return 2 * power + (1 if total and largest == 0 else 0)


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
    n_copies, n_counts, n_mixers = len(copies.place), len(memory.orders), len(mixers.first)
    experts = 1 + n_copies + n_counts
    centred = np.zeros((experts, 4))
    bucket = np.zeros(experts, dtype=np.int64)
    active = np.zeros(experts, dtype=np.int64)
    counts = np.zeros(4, dtype=np.int64)
    p = np.zeros(4)
    for t in range(len(codes)):
        symbol = np.int64(codes[t])
        find_copies(memory, head, copies)
        n_active, surest, longest = 0, -1.0, -1
        # the experts' opinions
        if len(log_p):
            mean = (log_p[t, 0] + log_p[t, 1] + log_p[t, 2] + log_p[t, 3]) / 4.0
            largest = log_p[t, 0]
            for a in range(4):
                centred[0, a] = log_p[t, a] - mean
                largest = max(largest, log_p[t, a])
            bucket[0] = class_of(np.exp(largest), SURE)
            active[0] = 0
            n_active = 1
        for copy in range(n_copies):
            place = copies.place[copy]
            if place < 0 or memory.text[place] > 3:
                continue
            expert = 1 + copy
            bucket[expert] = copy_bucket(copies.matched[copy], copies.misses[copy])
            advantage = copies.advantage[copy, bucket[expert]]
            expected = np.int64(memory.text[place]) if copy & 1 == 0 else 3 - np.int64(memory.text[place])
            for a in range(4):
                centred[expert, a] = -advantage / 4
            centred[expert, expected] += advantage
            active[n_active] = expert
            n_active += 1
            if advantage > surest:
                surest = advantage
            if longest < 0 or copies.matched[copy] > copies.matched[longest]:
                longest = copy
        for row in range(n_counts):
            if head.known[0] < memory.orders[row]:
                continue
            total = counts_after(memory, row, head, counts)
            if total == 0:
                continue
            expert = 1 + n_copies + row
            kind = 0 if memory.dense_first[row] >= 0 else 1
            mean = 0.0
            for a in range(4):
                centred[expert, a] = mixers.logs[kind, counts[a]]
                mean += centred[expert, a] / 4
            most = 0
            for a in range(4):
                centred[expert, a] -= mean
                most = max(most, counts[a])
            bucket[expert] = count_bucket(total, total - most)
            active[n_active] = expert
            n_active += 1
        # the surest copy's class: rates are compared by their advantage
        gate_class = 0
        if surest >= 0 or longest >= 0:
            rate = 1 - 3 / (3 + np.exp(surest))
            gate_class = 1 + class_of(rate, RATE_CLASSES)
        # mixing, coding, learning
        for mixer in range(n_mixers):
            if symbol > 3:
                found.bits[t, mixer] = np.nan
                continue
            from_ = n_active
            while from_ > 0 and active[from_ - 1] >= mixers.first[mixer]:
                from_ -= 1
            z0, z1, z2, z3 = 0.0, 0.0, 0.0, 0.0
            for each in range(from_, n_active):
                expert = active[each]
                w = mixers.weight[mixer, expert, bucket[expert]] + mixers.gate[mixer, expert, gate_class]
                z0 += w * centred[expert, 0]
                z1 += w * centred[expert, 1]
                z2 += w * centred[expert, 2]
                z3 += w * centred[expert, 3]
            top = max(max(z0, z1), max(z2, z3))
            p[0], p[1], p[2], p[3] = np.exp(z0 - top), np.exp(z1 - top), np.exp(z2 - top), np.exp(z3 - top)
            total_p = p[0] + p[1] + p[2] + p[3]
            for a in range(4):
                p[a] = (1 - 4 * FLOOR) * p[a] / total_p + FLOOR
            found.bits[t, mixer] = -np.log2(p[symbol])
            if not learning:
                continue
            p[symbol] -= 1
            for each in range(from_, n_active):
                expert = active[each]
                slope = (
                    p[0] * centred[expert, 0] + p[1] * centred[expert, 1]
                    + p[2] * centred[expert, 2] + p[3] * centred[expert, 3]
                )  # fmt: skip
                b = bucket[expert]
                mixers.weight_squares[mixer, expert, b] += slope * slope
                mixers.weight[mixer, expert, b] -= STEP * slope / np.sqrt(mixers.weight_squares[mixer, expert, b])
                mixers.gate_squares[mixer, expert, gate_class] += slope * slope
                mixers.gate[mixer, expert, gate_class] -= (
                    GATE_STEP * slope / np.sqrt(mixers.gate_squares[mixer, expert, gate_class])
                )
        # what is told of the longest match
        found.matched[t] = copies.matched[longest] if longest >= 0 else 0
        found.source[t] = copies.place[longest] if longest >= 0 else -1
        found.reverse[t] = longest >= 0 and longest & 1 == 1
        if learning and symbol <= 3:
            for copy in range(n_copies):
                place = copies.place[copy]
                if place >= 0 and memory.text[place] <= 3:
                    expected = np.int64(memory.text[place]) if copy & 1 == 0 else 3 - np.int64(memory.text[place])
                    learn_rate(copies, copy, bucket[1 + copy], expected == symbol)
        if growing:
            index_windows(memory, head)
            append(memory, head, symbol)
        follow_copies(memory, copies, symbol)
        advance(head, symbol)
