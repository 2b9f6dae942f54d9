"""Markov baselines against a dictionary oracle, closed forms, laws, and the figures known for a real genome."""

import gzip
import math
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genolstm.alphabet import DNA, PROTEIN, encode, reverse_complement
from genolstm.errors import InputError
from genolstm.markov import (
    BORROWED,
    SHARES,
    STRENGTHS,
    MarkovCounter,
    count_markov,
    fit_markov,
    largest_order,
    markov_bits,
    next_symbol_probabilities,
)

POMBE = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "pombe" / "genome.fa.gz"


def random_stretches(seed, lengths, *, unknown=0.05, alphabet=DNA):
    rng = np.random.default_rng(seed)
    frequencies = rng.dirichlet(np.full(alphabet.n_known, 2.0)) * (1 - unknown)
    return [rng.choice(alphabet.n_symbols, n, p=[*frequencies, unknown]).astype(np.uint8) for n in lengths]


def repetitive_dna(seed, n):
    """DNA of a few words in random order, so that contexts of all lengths say something."""
    rng = np.random.default_rng(seed)
    words = [rng.integers(0, 4, size).astype(np.uint8) for size in (1, 2, 5, 9)]
    return np.concatenate([words[i] for i in rng.integers(0, len(words), n)])[:n]


def whole(stretches):
    return [[codes] for codes in stretches]


def fitted(stretches, alphabet=DNA, max_order=3):
    return fit_markov(count_markov(whole(stretches), alphabet, max_order=max_order))


# The oracle: every symbol of every strand, one at a time, with dictionaries of tuples.


def symbols_with_contexts(stretches, alphabet, max_order):
    for codes in stretches:
        for strand in [codes] if alphabet.complement is None else [codes, reverse_complement(codes, alphabet)]:
            context = []
            for code in strand.tolist():
                if code == alphabet.unknown:
                    context = []
                    continue
                yield tuple(context[len(context) - min(max_order, len(context)) :]), code
                context.append(code)


def oracle_counts(stretches, alphabet, max_order):
    counts = defaultdict(Counter)
    for context, code in symbols_with_contexts(stretches, alphabet, max_order):
        for k in range(len(context) + 1):
            counts[context[len(context) - k :]][code] += 1
    return counts


def oracle_bin(row):
    n = sum(row.values())
    return n.bit_length() * SHARES + (min(SHARES - 1, SHARES * max(row.values()) // n) if n else 0)


def oracle_blend(counts, context, code, strengths, n_known, *, left_out=0):
    p = 1 / n_known
    for k in range(len(context) + 1):
        row = Counter(counts.get(context[len(context) - k :], Counter()))
        row[code] -= left_out
        strength = strengths[k][oracle_bin(row)]
        p = (row[code] + strength * p) / (sum(row.values()) + strength)
    return p


def oracle_bits(model, train, test, alphabet):
    max_order = model.counts.max_order
    counts = oracle_counts(train, alphabet, max_order)
    by_order, blend, n = np.zeros(max_order + 1), 0.0, 0
    for context, code in symbols_with_contexts(test, alphabet, max_order):
        for k in range(max_order + 1):
            used = context[len(context) - min(k, len(context)) :]
            row, a = counts.get(used, Counter()), model.pseudocounts[len(used)]
            by_order[k] -= math.log2((row[code] + a) / (sum(row.values()) + alphabet.n_known * a))
        blend -= math.log2(oracle_blend(counts, context, code, model.strengths, alphabet.n_known))
        n += 1
    return n, by_order / n, blend / n


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("alphabet", [DNA, PROTEIN], ids=lambda alphabet: alphabet.name)
def test_bits_equal_those_of_a_dictionary_symbol_by_symbol(seed, alphabet):
    train = random_stretches(seed, [400, 3, 0, 1, 90, 5], alphabet=alphabet)
    test = random_stretches(seed + 100, [150, 2, 1, 0, 40], unknown=0.1, alphabet=alphabet)
    max_order = 4 if alphabet is DNA else 2
    model = fitted(train, alphabet, max_order)
    bits = markov_bits(model, whole(test))
    n, by_order, blend = oracle_bits(model, train, test, alphabet)
    assert bits.symbols == n
    np.testing.assert_allclose(bits.by_order, by_order, rtol=1e-12)
    assert bits.interpolated == pytest.approx(blend, rel=1e-12)


@pytest.mark.parametrize("max_order", [0, 1, 2, 5])
def test_counts_of_both_strands_equal_those_of_counting_each(max_order):
    stretches = random_stretches(7, [60, 1, 2, 200, 4])
    counts = count_markov(whole(stretches), DNA, max_order=max_order)
    expected = oracle_counts(stretches, DNA, max_order)
    for order in range(max_order + 1):
        for context in np.ndindex(*[4] * order):
            number = sum(code * 4 ** (order - 1 - i) for i, code in enumerate(context))
            row = [expected[tuple(int(code) for code in context)][x] for x in range(4)]
            assert counts.rows(order, np.array([number]))[0].tolist() == row


def test_fitted_values_have_the_highest_leave_one_out_likelihood():
    stretches, order, uniform = random_stretches(3, [1500]), 4, 1 / 4
    model = fitted(stretches, max_order=order)
    counts = oracle_counts(stretches, DNA, order)
    words = Counter(symbols_with_contexts(stretches, DNA, order))
    plain, binned, n_words = np.zeros(len(STRENGTHS)), defaultdict(lambda: np.zeros(len(STRENGTHS))), 0
    for (context, code), times in words.items():
        if len(context) < order:
            continue
        row = counts[context].copy()
        row[code] -= 1
        shorter = oracle_blend(counts, context[1:], code, model.strengths, 4, left_out=1)
        n = sum(row.values())
        plain += times * np.log((row[code] + STRENGTHS * uniform) / (n + STRENGTHS))
        binned[oracle_bin(row)] += times * np.log((row[code] + STRENGTHS * shorter) / (n + STRENGTHS))
        n_words += times
    assert plain[model.pseudocounts[order] * 4 == STRENGTHS] == pytest.approx(plain.max(), rel=1e-12)
    order_mean = sum(binned.values()) / n_words
    for where, likelihood in binned.items():
        likelihood = likelihood + BORROWED * order_mean
        chosen = model.strengths[order, where] == STRENGTHS
        assert likelihood[chosen] == pytest.approx(likelihood.max(), rel=1e-12)


def test_uniform_random_dna_needs_two_bits():
    rng = np.random.default_rng(0)
    train, test = (rng.integers(0, 4, 200_000).astype(np.uint8) for _ in range(2))
    bits = markov_bits(fitted([train], max_order=8), whole([test]))
    assert bits.uniform == 2
    assert bits.by_order[:5] == pytest.approx([2.0] * 5, abs=2e-3)
    assert bits.interpolated == pytest.approx(2.0, abs=2e-3)


def test_periodic_sequence_needs_no_bits_once_the_context_tells_the_phase():
    codes = np.tile(encode("AACAACGT", DNA), 2000)
    bits = markov_bits(fitted([codes], max_order=6), whole([codes]))
    assert bits.by_order[0] > 1.5
    assert bits.by_order[6] < 0.01
    assert bits.interpolated < 0.01


def test_order_zero_is_the_entropy_of_the_composition():
    codes = np.random.default_rng(1).choice(4, 300_000, p=[0.4, 0.1, 0.1, 0.4]).astype(np.uint8)
    bits = markov_bits(fitted([codes], max_order=1), whole([codes]))
    at = np.mean((codes == 0) | (codes == 3))  # both strands: A as often as T
    assert bits.by_order[0] == pytest.approx(-at * np.log2(at / 2) - (1 - at) * np.log2((1 - at) / 2), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), cuts=st.lists(st.integers(0, 400), max_size=12))
def test_splitting_stretches_into_blocks_changes_nothing(seed, cuts):
    stretches = random_stretches(seed, [400, 30])
    blocks = [np.split(codes, sorted(min(cut, len(codes)) for cut in cuts)) for codes in stretches]
    one = count_markov(whole(stretches), DNA, max_order=4)
    many = count_markov(blocks, DNA, max_order=4)
    assert all(np.array_equal(a, b) for a, b in zip(one.tables, many.tables, strict=True))


def test_a_buffer_that_the_reader_uses_again_is_counted_as_it_was():
    counter, buffer = MarkovCounter(DNA, max_order=1), np.empty(2, dtype=np.uint8)
    for text in ("AC", "GG", "TA"):
        buffer[:] = encode(text, DNA)
        counter.add(buffer)
    expected = count_markov([[encode("ACGGTA", DNA)]], DNA, max_order=1)
    assert np.array_equal(counter.finish().tables[1], expected.tables[1])


def test_stretches_longer_than_a_counting_chunk_lose_no_word():
    codes = random_stretches(5, [200_001], unknown=0.001)[0]
    counts = count_markov([np.array_split(codes, 7)], DNA, max_order=3)
    expected = np.zeros(256, dtype=np.int64)
    for strand in (codes, reverse_complement(codes)):
        windows = np.lib.stride_tricks.sliding_window_view(strand, 4).astype(np.int64)
        windows = windows[(windows < 4).all(axis=1)]
        expected += np.bincount(windows @ [64, 16, 4, 1], minlength=256)
    assert np.array_equal(counts.tables[3], expected)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_reading_every_stretch_from_the_other_strand_changes_nothing(seed):
    train, test = random_stretches(seed, [300, 20]), random_stretches(seed + 1, [100, 8])
    forward = markov_bits(fitted(train), whole(test))
    reverse = markov_bits(fitted([reverse_complement(codes) for codes in train]), whole(map(reverse_complement, test)))
    assert forward == reverse


def test_unknown_symbols_are_no_targets_and_cut_the_context():
    train = random_stretches(2, [500], unknown=0)
    apart = [encode("ACGTAC", DNA), encode("GGATC", DNA)]
    joined = [encode("NNACGTACNGGATCNNN", DNA)]
    model = fitted(train)
    assert markov_bits(model, whole(apart)) == markov_bits(model, whole(joined))
    assert markov_bits(model, whole(joined)).symbols == 2 * 11


def test_contexts_do_not_cross_stretches():
    counter = MarkovCounter(PROTEIN, max_order=1)
    counter.add(encode("AC", PROTEIN))
    counter.start()
    counter.add(encode("DE", PROTEIN))
    assert counter.finish().tables[1].sum() == 2  # AC and DE, not CD


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 100), text=st.text("ACGTN", max_size=8))
def test_probabilities_after_any_context_sum_to_one_and_none_is_zero(seed, text):
    probabilities = next_symbol_probabilities(fitted([repetitive_dna(seed, 300)], max_order=5), encode(text, DNA))
    assert probabilities.sum() == pytest.approx(1, abs=1e-12)
    assert (probabilities > 0).all()


def test_bits_of_a_text_are_those_of_its_symbols_one_by_one():
    model = fitted(random_stretches(4, [800], alphabet=PROTEIN), PROTEIN, max_order=2)
    codes = encode("MKVLXAAGTW", PROTEIN)
    known = [i for i, code in enumerate(codes) if code != PROTEIN.unknown]
    bits = [-np.log2(next_symbol_probabilities(model, codes[:i])[codes[i]]) for i in known]
    assert markov_bits(model, whole([codes])).interpolated == pytest.approx(np.mean(bits), rel=1e-12)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), n=st.sampled_from([5000, 30_000]))
def test_blend_is_hardly_ever_worse_than_the_best_single_order(seed, n):
    codes = repetitive_dna(seed, 2 * n)
    bits = markov_bits(fitted([codes[:n]], max_order=7), whole([codes[n:]]))
    assert bits.interpolated <= bits.best_bits + 0.02
    assert bits.best_bits == bits.by_order[bits.best_order]


def test_a_model_of_nothing_is_uniform():
    bits = markov_bits(fitted([np.array([4, 4], dtype=np.uint8)]), whole([encode("ACGT", DNA)]))
    assert [*bits.by_order, bits.interpolated] == pytest.approx([2.0] * 5)


def test_nothing_to_score_is_told():
    with pytest.raises(InputError, match="no known symbol to score, only N"):
        markov_bits(fitted(random_stretches(0, [50])), whole([encode("NN", DNA)]))


@pytest.mark.parametrize(
    ("alphabet", "expected_symbols", "order"),
    [
        (DNA, None, 12),
        (PROTEIN, None, 5),
        (DNA, 10**9, 12),
        (DNA, 1_000_000, 11),
        (DNA, 30_000, 9),
        (DNA, 0, 8),
        (PROTEIN, 0, 3),
    ],
)
def test_largest_order_fits_memory_and_the_training_set(alphabet, expected_symbols, order):
    assert largest_order(alphabet, expected_symbols=expected_symbols) == order


def read_contigs(path):
    code = np.full(256, DNA.unknown, dtype=np.uint8)
    code[np.frombuffer(b"ACGT", dtype=np.uint8)] = range(4)
    records = (record.partition(b"\n") for record in gzip.decompress(path.read_bytes()).upper().split(b">")[1:])
    return {
        name.split()[0].decode(): code[np.frombuffer(letters.replace(b"\n", b""), dtype=np.uint8)]
        for name, _, letters in records
    }


@pytest.mark.slow
@pytest.mark.realdata
def test_pombe_chromosome_three_after_one_and_two():
    if not POMBE.exists():
        pytest.skip(f"{POMBE} is absent: the real genomes are not part of the project")
    contigs = read_contigs(POMBE)
    model = fit_markov(count_markov(whole([contigs["I"], contigs["II"]]), DNA))
    bits = markov_bits(model, whole([contigs["III"]]))
    assert bits.best_order == 7
    assert bits.best_bits == pytest.approx(1.9227, abs=0.003)  # add-one counts, an independent script
    assert bits.by_order[0] == pytest.approx(1.9446, abs=0.003)
    assert bits.by_order[10] > bits.by_order[7]
    assert bits.interpolated < bits.best_bits - 0.01  # repeats: only long contexts with few counts know them
