"""Recall: what it must cost, what it must never know beforehand, and its kernels beside their slow twin."""

import numpy as np
import pytest
from slow_recall import SlowRecall

from genolstm.alphabet import DNA
from genolstm.recall.memory import BREAK, empty_head, empty_memory, memorise, memory_bytes
from genolstm.recall.mixing import FLOOR, Found, new_copies, new_mixers, read

LENGTHS, ORDERS = (8, 12, 20, 32), (2, 5, 11, 13, 16, 24)


def reverse_complement(codes):
    return DNA.complement[codes[::-1]]


def random_codes(symbols, seed=0):
    return np.random.default_rng(seed).integers(0, 4, symbols).astype(np.uint8)


def nothing_found(symbols):
    return Found(
        np.zeros((symbols, 3), np.float32),
        np.zeros(symbols, np.int32),
        np.zeros(symbols, np.int64),
        np.zeros(symbols, np.bool_),
    )


class Reading:
    """A memory with its experts, read on piece by piece."""

    def __init__(self, capacity, lengths=LENGTHS, orders=ORDERS, bits=31):
        self.memory = empty_memory(lengths, orders, capacity, bits)
        self.copies = new_copies(len(lengths))
        self.mixers = new_mixers(2 * len(lengths), len(orders))
        self.head = empty_head()

    def memorise(self, codes):
        memorise(self.memory, empty_head(), np.append(codes, np.uint8(BREAK)))
        return self

    def read(self, codes, log_p=None, *, growing=True, learning=True):
        log_p = np.zeros((0, 4), np.float32) if log_p is None else log_p
        found = nothing_found(len(codes))
        read(codes, log_p, self.memory, self.head, self.copies, self.mixers, growing, learning, found)
        return found


def uniform(symbols):
    return np.full((symbols, 4), np.log(0.25), dtype=np.float32)


def some_network(symbols, seed=5):
    log_p = np.random.default_rng(seed).normal(size=(symbols, 4))
    return (log_p - np.log(np.exp(log_p).sum(axis=1, keepdims=True))).astype(np.float32)


def repetitive(seed=1):
    """Copies along and against the text, with changes, unknown symbols and a short unit that repeats."""
    x = random_codes(1_500, seed)
    changed = x[200:900].copy()
    changed[::37] = (changed[::37] + 1) % 4
    unit = np.tile(x[:7], 60)
    return np.concatenate([x, changed, [4, 4], reverse_complement(x[300:1_200]), unit, x[::-1][:300], x[:400]]).astype(
        np.uint8
    )


@pytest.mark.parametrize("growing", [False, True], ids=["frozen", "online"])
@pytest.mark.parametrize("with_network", [False, True])
@pytest.mark.parametrize("bits", [10, 31], ids=["crowded", "roomy"])
def test_the_kernels_give_the_bits_of_the_slow_twin(growing, with_network, bits):
    text, codes = repetitive(seed=2), repetitive(seed=1)
    text[500:1_100] = codes[100:700]
    log_p = some_network(len(codes)) if with_network else None
    fast = Reading(len(text) + 1 + len(codes), bits=bits).memorise(text)
    slow = SlowRecall(fast.memory)
    slow.read_text([*text.tolist(), BREAK])
    slow.recent = []
    found = fast.read(codes, log_p, growing=growing, learning=True)
    expected = np.array(slow.read(codes.tolist(), log_p, growing=growing, learning=True))
    np.testing.assert_allclose(found.bits, expected, rtol=2e-6, atol=1e-6)
    assert np.nanmean(found.bits[:, 0]) < 1.5  # the copies were found, so that there was something to compare


def test_random_symbols_cost_two_bits_and_their_reverse_complement_next_to_nothing():
    x = random_codes(150_000)
    reading = Reading(2 * len(x) + 2, lengths=(12, 16, 20, 32), orders=(2, 3, 4, 6, 8, 9, 10, 11, 12, 16, 20, 24))
    both = np.concatenate([x, reverse_complement(x)])
    bits = reading.read(both, uniform(len(both))).bits.astype(np.float64)
    assert bits[: len(x), :2].mean(axis=0) == pytest.approx(2, abs=1e-3)
    assert (bits[len(x) :, :2].mean(axis=0) < 2e-3).all()


@pytest.mark.parametrize("turned", [False, True], ids=["along", "against"])
def test_a_planted_repeat_is_copied_from_where_it_lies(turned):
    text = random_codes(50_000)
    repeat = reverse_complement(text[20_000:23_000]) if turned else text[20_000:23_000]
    codes = np.concatenate([random_codes(5_000, 1), repeat, random_codes(5_000, 2)])
    reading = Reading(len(text) + 1, lengths=(12, 20), orders=()).memorise(text)
    found = reading.read(codes, uniform(len(codes)), growing=False)
    inside = slice(5_100, 8_000)
    assert found.bits[inside, 0].mean() < 0.1
    assert found.bits[:5_000, 0].mean() == pytest.approx(2, abs=0.02)
    steps = np.arange(100, 3_000)
    np.testing.assert_array_equal(found.source[inside], 22_999 - steps if turned else 20_000 + steps)
    np.testing.assert_array_equal(found.matched[inside] >= 32, True)
    assert (found.reverse[inside] == turned).all()


def test_probabilities_sum_to_one_at_every_symbol():
    """Whatever the symbol is, it is costed before it is known: its four possible costs are those of probabilities."""
    codes = repetitive()
    for t in (40, 700, 1_530, 1_990, 2_300, 2_900, 3_400):
        costs = []
        for symbol in range(4):
            other = codes[: t + 1].copy()
            other[t] = symbol
            costs.append(Reading(len(codes)).read(other, some_network(t + 1)).bits[t])
        total = (2.0 ** -np.array(costs, dtype=np.float64)).sum(axis=0)
        assert total == pytest.approx(1, abs=1e-6)


def test_changing_a_symbol_changes_no_cost_before_it():
    codes, changed = repetitive(), repetitive()
    changed[2_000:] = random_codes(len(codes) - 2_000, 9)
    one, other = (Reading(len(codes)).read(each, some_network(len(codes))).bits for each in (codes, changed))
    np.testing.assert_array_equal(one[:2_000], other[:2_000])
    assert (one[2_000:] != other[2_000:]).any()


def test_reading_in_pieces_is_reading_whole():
    codes, log_p = repetitive(), some_network(len(repetitive()))
    whole = Reading(len(codes)).read(codes, log_p)
    pieces = Reading(len(codes))
    cut = np.split(np.arange(len(codes)), [1, 777, 1_502])
    found = [pieces.read(codes[part], log_p[part]) for part in cut]
    for name in Found._fields:
        np.testing.assert_array_equal(np.concatenate([getattr(each, name) for each in found]), getattr(whole, name))


def test_frozen_recall_neither_learns_nor_remembers():
    text, codes = repetitive(2), repetitive()
    reading = Reading(len(text) + 1).memorise(text)
    before = [
        array.copy() for array in (*reading.mixers, reading.copies.hits, reading.memory.ends, reading.memory.slots)
    ]
    first = reading.read(codes, growing=False, learning=False).bits
    again = [*reading.mixers, reading.copies.hits, reading.memory.ends, reading.memory.slots]
    for one, other in zip(before, again, strict=True):
        np.testing.assert_array_equal(one, other)
    reading.copies.place[:], reading.head.known[:] = -1, 0
    np.testing.assert_array_equal(reading.read(codes, growing=False, learning=False).bits, first)


def test_nothing_is_copied_across_an_unknown_symbol():
    text = random_codes(10_000)
    codes = np.concatenate([text[:200], [4], text[201:600]]).astype(np.uint8)
    found = Reading(len(text) + 1, lengths=(12,), orders=()).memorise(text).read(codes, growing=False)
    assert found.source[199] == 199
    assert np.isnan(found.bits[200]).all()
    assert (found.source[201:213] == -1).all()  # twelve symbols have to be read again
    assert found.source[213] == 213


def test_the_memory_is_as_large_as_is_told():
    memory = empty_memory(LENGTHS, ORDERS, 5_000, 12)
    held = memory.text.nbytes + memory.ends.nbytes + memory.dense.nbytes + memory.slots.nbytes
    assert held == memory_bytes(LENGTHS, ORDERS, 5_000, 12)


def test_no_probability_falls_below_the_floor():
    text = random_codes(5_000)
    reading = Reading(2 * len(text) + 2, lengths=(12,), orders=()).memorise(text)
    codes = text.copy()
    codes[4_000] = (codes[4_000] + 1) % 4
    assert reading.read(codes).bits.max() <= -np.log2(FLOOR) + 1e-6
