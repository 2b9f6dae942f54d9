"""Markov baselines against a dictionary oracle, closed forms, laws, and the figures known for a real genome."""

import gzip
import itertools
import math
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genolstm import markov
from genolstm.alphabet import DNA, PROTEIN, encode, reverse_complement
from genolstm.errors import InputError
from genolstm.markov import (
    SIDES,
    MarkovCounts,
    Piece,
    bits_of_pieces,
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


def fitted(stretches, alphabet=DNA, max_order=3):
    return fit_markov(stretches, alphabet, max_order=max_order)


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


def oracle_kind(row):
    n = sum(row.values())
    return n.bit_length() * SIDES + (min(SIDES - 1, SIDES * max(row.values()) // n) if n else 0)


def oracle_parts(model, counts, context, code, n_known):
    """Probabilities by the uniform, every order-k and the backing-off model, and how many contexts were ever met."""
    parts, p, met = [1 / n_known], 1 / n_known, 0
    for k in range(model.counts.max_order + 1):
        if k > len(context):
            parts.append(parts[-1])
            continue
        row, a = counts.get(context[len(context) - k :], Counter()), model.pseudocounts[k]
        n = sum(row.values())
        met += n > 0
        parts.append((row[code] + a) / (n + n_known * a))
        strength = model.strengths[k, oracle_kind(row)]
        p = (row[code] + strength * p) / (n + strength)
    return [*parts, p], met


def oracle_bits(model, train, test, alphabet):
    max_order = model.counts.max_order
    counts = oracle_counts(train, alphabet, max_order)
    by_order, blend, n = np.zeros(max_order + 1), 0.0, 0
    for context, code in symbols_with_contexts(test, alphabet, max_order):
        parts, met = oracle_parts(model, counts, context, code, alphabet.n_known)
        by_order -= np.log2(parts[1:-1])
        blend -= math.log2(model.weights[met] @ parts)
        n += 1
    return n, by_order / n, blend / n


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("alphabet", [DNA, PROTEIN], ids=lambda alphabet: alphabet.name)
def test_bits_equal_those_of_a_dictionary_symbol_by_symbol(seed, alphabet):
    train = random_stretches(seed, [400, 3, 0, 1, 90, 5], alphabet=alphabet)
    test = random_stretches(seed + 100, [150, 2, 1, 0, 40], unknown=0.1, alphabet=alphabet)
    max_order = 4 if alphabet is DNA else 2
    model = fitted(train, alphabet, max_order)
    bits = markov_bits(model, test)
    n, by_order, blend = oracle_bits(model, train, test, alphabet)
    assert bits.symbols == n
    np.testing.assert_allclose(bits.by_order, by_order, rtol=1e-12)
    assert bits.interpolated == pytest.approx(blend, rel=1e-12)


@pytest.mark.parametrize("max_order", [0, 1, 2, 5])
@pytest.mark.parametrize("symbols", [None, 0], ids=["dense", "sparse"])
def test_counts_of_both_strands_equal_those_of_counting_each(max_order, symbols, monkeypatch):
    monkeypatch.setattr("genolstm.markov.DENSE_AT_MOST", 16)  # what is longer than 2 is then sparse
    monkeypatch.setattr("genolstm.markov.CHUNK", 37)
    stretches = random_stretches(7, [60, 1, 2, 200, 4, 0, 150])
    counts = count_markov(stretches, DNA, max_order=max_order, expected_symbols=symbols)
    assert_counts_are_those_of(counts, stretches)


def assert_counts_are_those_of(counts, stretches):
    expected = oracle_counts(stretches, DNA, counts.max_order)
    for order in range(counts.max_order + 1):
        contexts = list(np.ndindex(*[4] * order))
        rows = counts.tables[order].rows(np.arange(len(contexts)))
        assert rows.tolist() == [[expected[context][x] for x in range(4)] for context in contexts]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), lengths=st.lists(st.integers(0, 900), min_size=1, max_size=6))
def test_what_was_held_out_for_the_fit_is_counted_in_the_end_like_all_else(seed, lengths):
    stretches = random_stretches(seed, lengths, unknown=0.02)
    assert_counts_are_those_of(fitted(stretches, max_order=4).counts, stretches)


def test_counting_gives_pages_back(monkeypatch):
    monkeypatch.setattr("genolstm.markov.CHUNK", 200)
    released = []
    fit_markov([encode("ACGT" * 500, DNA)], DNA, max_order=2, release=lambda: released.append(1))
    assert len(released) > 8


def test_uniform_random_dna_needs_two_bits():
    rng = np.random.default_rng(0)
    train, test = (rng.integers(0, 4, 200_000).astype(np.uint8) for _ in range(2))
    bits = markov_bits(fitted([train], max_order=8), [test])
    assert bits.uniform == 2
    assert bits.by_order[:5] == pytest.approx([2.0] * 5, abs=2e-3)
    assert bits.interpolated == pytest.approx(2.0, abs=2e-3)


def test_periodic_sequence_needs_no_bits_once_the_context_tells_the_phase():
    codes = np.tile(encode("AACAACGT", DNA), 2000)
    bits = markov_bits(fitted([codes], max_order=6), [codes])
    assert bits.by_order[0] > 1.5
    assert bits.by_order[6] < 0.01
    assert bits.interpolated < 0.01


def test_order_zero_is_the_entropy_of_the_composition():
    codes = np.random.default_rng(1).choice(4, 300_000, p=[0.4, 0.1, 0.1, 0.4]).astype(np.uint8)
    bits = markov_bits(fitted([codes], max_order=1), [codes])
    at = np.mean((codes == 0) | (codes == 3))  # both strands: A as often as T
    assert bits.by_order[0] == pytest.approx(-at * np.log2(at / 2) - (1 - at) * np.log2((1 - at) / 2), abs=1e-6)


def test_pieces_of_a_stretch_add_up_to_it_and_are_read_in_its_context():
    codes = random_stretches(5, [700], unknown=0.01)[0]
    model = fitted([repetitive_dna(1, 5000)], max_order=5)
    cuts = [0, 3, 100, 101, 650, 700]
    parts = list(bits_of_pieces(model, [Piece(codes, start, end) for start, end in itertools.pairwise(cuts)]))
    symbols, bits = next(bits_of_pieces(model, [Piece(codes, 0, 700)]))
    assert sum(n for n, _ in parts) == symbols == 2 * int((codes < 4).sum())
    np.testing.assert_allclose(sum(each for _, each in parts), bits, rtol=1e-12)


def test_pieces_scored_together_have_the_very_bits_that_each_has_alone():
    model = fitted([repetitive_dna(1, 5000)], max_order=7)
    texts = random_stretches(7, [700, 40, 1, 5, 300, 80_000, 60, 12], unknown=0.02)
    pieces = [Piece(codes, 0, len(codes)) for codes in texts] + [Piece(texts[0], 3, 90), Piece(texts[4], 290, 300)]
    alone = [next(bits_of_pieces(model, [piece])) for piece in pieces]
    for (symbols, bits), (of_it, bits_of_it) in zip(bits_of_pieces(model, pieces), alone, strict=True):
        assert symbols == of_it
        np.testing.assert_array_equal(bits, bits_of_it)


def test_many_short_stretches_are_counted_as_each_by_itself():
    texts = random_stretches(9, [400] * 20 + [1, 2, 7], unknown=0.02)
    found = fit_markov(texts, DNA, max_order=6).counts
    alone = MarkovCounts(DNA, max_order=6, expected_symbols=2 * sum(map(len, texts)))
    for codes in texts:
        alone.add(codes)
    contexts = np.arange(4**6)
    for order in range(7):
        asked = contexts[: 4**order]
        np.testing.assert_array_equal(found.tables[order].rows(asked), alone.tables[order].rows(asked))


def test_a_fit_needs_no_more_of_many_short_stretches_than_of_a_long_one(monkeypatch):
    asked, used = 1 << 13, []
    monkeypatch.setattr(markov, "FIT_SYMBOLS", asked)
    monkeypatch.setattr(markov, "_fitted", lambda _, evidence: used.append(len(evidence.reach)))
    (text,) = random_stretches(5, [400_000], unknown=0)
    for length in (400_000, 4_000, 500):
        fit_markov(np.split(text, range(length, len(text), length)), DNA, max_order=3)
    assert all(asked / 2 < each <= 4 * asked for each in used), used


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_reading_every_stretch_from_the_other_strand_changes_nothing(seed):
    train, test = random_stretches(seed, [300, 20]), random_stretches(seed + 1, [100, 8])
    model = fitted(train)  # fitted from the other strand other blocks are held out
    forward, reverse = markov_bits(model, test), markov_bits(model, map(reverse_complement, test))
    assert forward.by_order == pytest.approx(reverse.by_order, rel=1e-12)
    assert forward.interpolated == pytest.approx(reverse.interpolated, rel=1e-12)


def test_unknown_symbols_are_no_targets_and_cut_the_context():
    train = random_stretches(2, [500], unknown=0)
    apart = [encode("ACGTAC", DNA), encode("GGATC", DNA)]
    joined = [encode("NNACGTACNGGATCNNN", DNA)]
    model = fitted(train)
    one, other = markov_bits(model, apart), markov_bits(model, joined)
    assert one.by_order == pytest.approx(other.by_order, rel=1e-12)
    assert one.interpolated == pytest.approx(other.interpolated, rel=1e-12)
    assert one.symbols == other.symbols == 2 * 11


def test_contexts_do_not_cross_stretches():
    counts = count_markov([encode("AC", PROTEIN), encode("DE", PROTEIN)], PROTEIN, max_order=1)
    assert counts.tables[1].rows(np.arange(20)).sum() == 2  # AC and DE, not CD


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
    assert markov_bits(model, [codes]).interpolated == pytest.approx(np.mean(bits), rel=1e-12)


NOISE = 0.002  # bits/base


def genome_with(seed, n, *, repeats):
    """Random DNA of uneven composition, a fraction of it copies of a few elements, each with errors of its own."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(4, n, p=[0.33, 0.17, 0.17, 0.33]).astype(np.uint8)
    elements = [codes[at : at + 100 * size].copy() for size, at in enumerate(rng.integers(0, n // 2, 5), 1)]
    copied = 0
    while copied < repeats * n:
        element = elements[rng.integers(len(elements))].copy()
        wrong = rng.random(len(element)) < 0.05
        element[wrong] = rng.integers(0, 4, wrong.sum())
        at = rng.integers(0, n - len(element))
        codes[at : at + len(element)] = element if rng.random() < 0.5 else reverse_complement(element)
        copied += len(element)
    return codes


def assert_blend_loses_to_none(bits):
    assert bits.interpolated <= min(*bits.by_order, bits.uniform) + NOISE


@pytest.mark.parametrize("repeats", [0, 0.1, 0.5, 2])
@pytest.mark.parametrize("seed", range(3))
def test_blend_loses_to_none_of_its_parts_with_and_without_repeats(seed, repeats):
    codes = genome_with(seed, 200_000, repeats=repeats)
    assert_blend_loses_to_none(markov_bits(fitted([codes[:160_000]], max_order=10), [codes[160_000:]]))


@pytest.mark.parametrize("seed", range(3))
def test_blend_does_not_believe_what_is_repeated_on_the_spot(seed):
    """Satellites: each block repeats a unit of its own: what is counted looks surer than what is new."""
    rng = np.random.default_rng(seed)
    blocks = [np.tile(rng.integers(0, 4, 20).astype(np.uint8), 50) for _ in range(800)]
    blocks[::2] = [rng.integers(0, 4, 1000).astype(np.uint8) for _ in blocks[::2]]
    codes = np.concatenate(blocks)
    bits = markov_bits(fitted([codes[:640_000]], max_order=10), [codes[640_000:]])
    # few and long runs: what is held out for the fit tells less than its length promises
    assert bits.interpolated < 2 + 5 * NOISE


def genome_of_satellites(seed, n):
    """Half random DNA, half arrays of up to 3,000 bases, each of a unit of its own of 5 to 180 bases, with errors."""
    rng = np.random.default_rng(seed)
    pieces = []
    while sum(map(len, pieces)) < n:
        size = int(rng.integers(300, 3000))
        if rng.random() < 0.5:
            pieces.append(rng.choice(4, size, p=[0.3, 0.2, 0.2, 0.3]).astype(np.uint8))
            continue
        unit = rng.integers(0, 4, int(rng.integers(5, 181))).astype(np.uint8)
        array = np.tile(unit, size // len(unit) + 1)
        wrong = rng.random(len(array)) < 0.02
        array[wrong] = rng.integers(0, 4, wrong.sum())
        pieces.append(array)
    return np.concatenate(pieces)[:n]


@pytest.mark.parametrize("seed", range(3))
def test_blend_loses_to_none_of_its_parts_where_each_satellite_is_new(seed):
    codes = genome_of_satellites(seed, 600_000)
    assert_blend_loses_to_none(markov_bits(fitted([codes[:480_000]], max_order=10), [codes[480_000:]]))


@pytest.mark.parametrize("seed", range(2))
def test_blend_of_random_dna_is_its_composition(seed):
    codes = np.random.default_rng(seed).choice(4, 120_000, p=[0.3, 0.2, 0.2, 0.3]).astype(np.uint8)
    bits = markov_bits(fitted([codes[:96_000]], max_order=10), [codes[96_000:]])
    assert bits.interpolated <= bits.by_order[0] + 0.4 * NOISE


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), n=st.sampled_from([5000, 30_000]))
def test_blend_of_a_short_text_is_hardly_ever_worse_than_the_best_single_order(seed, n):
    codes = repetitive_dna(seed, 2 * n)
    bits = markov_bits(fitted([codes[:n]], max_order=7), [codes[n:]])
    assert bits.interpolated <= bits.best_bits + 0.02
    assert bits.best_bits == bits.by_order[bits.best_order]


def test_long_contexts_of_a_short_text_cost_no_memory():
    counts = fit_markov([genome_with(1, 50_000, repeats=0.1)], DNA).counts
    assert counts.max_order == 12
    held = sum(array.nbytes for table in counts.tables for array in vars(table).values() if hasattr(array, "nbytes"))
    assert held < 20e6  # the whole tables are 360 MB


def test_a_model_of_nothing_is_uniform():
    bits = markov_bits(fitted([np.array([4, 4], dtype=np.uint8)]), [encode("ACGT", DNA)])
    assert [*bits.by_order, bits.interpolated] == pytest.approx([2.0] * 5)


def test_nothing_to_score_is_told():
    with pytest.raises(InputError, match="no known symbol to score, only N"):
        markov_bits(fitted(random_stretches(0, [50])), [encode("NN", DNA)])


def test_orders_are_the_same_however_short_the_text():
    assert (largest_order(DNA), largest_order(PROTEIN)) == (12, 5)
    assert count_markov([encode("ACGT", DNA)], DNA, expected_symbols=8).max_order == 12


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
    model = fit_markov([contigs["I"], contigs["II"]], DNA)
    bits = markov_bits(model, [contigs["III"]])
    assert bits.best_order == 7
    assert bits.best_bits == pytest.approx(1.9227, abs=0.003)  # add-one counts, an independent script
    assert bits.by_order[0] == pytest.approx(1.9446, abs=0.003)
    assert bits.by_order[10] > bits.by_order[7]
    assert bits.interpolated < bits.best_bits - 0.01  # repeats: only long contexts with few counts know them


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("name", ["dmel_chr2R/dm3_chr2R.fa.gz", "bismark/NC_010473.fa.gz", "yeast_atac/genome.fa.gz"])
def test_blend_of_a_real_genome_loses_to_none_of_its_parts(name):
    path = POMBE.parents[1] / name
    if not path.exists():
        pytest.skip(f"{path} is absent: the real genomes are not part of the project")
    codes = np.concatenate(list(read_contigs(path).values()))[:1_000_000]
    assert_blend_loses_to_none(
        markov_bits(fit_markov([codes[:650_000], codes[700_000:]], DNA), [codes[650_000:700_000]])
    )


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("organism", ["at", "ce", "dm"])
def test_blend_of_gene_flanks_of_other_organisms_loses_to_none_of_its_parts(organism):
    path = POMBE.parents[1] / "splice_flanks" / f"eie.{organism}.txt.gz"
    if not path.exists():
        pytest.skip(f"{path} is absent: the real genomes are not part of the project")
    letters = "".join(max(line.split(), key=len) for line in gzip.decompress(path.read_bytes()).decode().splitlines())
    codes = encode(letters[:1_000_000].upper(), DNA)
    assert_blend_loses_to_none(
        markov_bits(fit_markov([codes[:650_000], codes[700_000:]], DNA), [codes[650_000:700_000]])
    )
