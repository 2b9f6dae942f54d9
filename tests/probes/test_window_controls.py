"""Features of a window's own sequence, and labels that mean nothing, against loops and Biopython."""

import numpy as np
import pytest
from Bio.Seq import reverse_complement
from Bio.SeqUtils import gc_fraction

from genolstm.alphabet import DNA
from genolstm.probes.window_controls import (
    canonical_kmer_counts,
    gc_features,
    gc_matched,
    gc_share,
    one_hot_bins,
    shifted,
    strandless_words,
    window_codes,
)
from genolstm.states.windows import Windows

LETTERS = np.array(list(DNA.letters))


@pytest.fixture
def codes(drawn_codes):
    return drawn_codes(4, 37 * 30).reshape(37, 30)


def test_codes_are_those_of_each_window(genome_of, drawn_codes):
    contigs = {"a": drawn_codes(1, 50), "b": drawn_codes(2, 70)}
    found = window_codes(genome_of(contigs), Windows(np.array([0, 1, 1]), np.array([10, 0, 50]), 20))
    np.testing.assert_array_equal(found, [contigs["a"][10:30], contigs["b"][:20], contigs["b"][50:]])


def test_gc_equals_biopython(codes):
    expected = [gc_fraction("".join(LETTERS[row])) for row in codes]
    assert gc_share(codes) == pytest.approx(expected)
    assert gc_features(codes) == pytest.approx(np.stack([expected, np.square(expected)], axis=1), abs=1e-6)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_words_and_their_reverse_complements_share_a_column(codes, k, monkeypatch):
    monkeypatch.setattr("genolstm.probes.window_controls.ROWS", 10)
    column, width = strandless_words(k)
    assert width == {1: 2, 2: 10, 3: 32, 4: 136}[k]
    counts = canonical_kmer_counts(codes, k)
    expected = np.zeros((len(codes), width))
    for row, window in enumerate(codes):
        text = "".join(LETTERS[window])
        for word in (text[place : place + k] for place in range(len(text) - k + 1)):
            number = sum(DNA.letters.index(letter) * 4 ** (k - 1 - place) for place, letter in enumerate(word))
            expected[row, column[number]] += 1
            flipped = reverse_complement(word)
            other = sum(DNA.letters.index(letter) * 4 ** (k - 1 - place) for place, letter in enumerate(flipped))
            assert column[number] == column[other]
    np.testing.assert_array_equal(counts, expected)
    both = canonical_kmer_counts(DNA.complement[codes][:, ::-1], k)
    np.testing.assert_array_equal(counts, both)


@pytest.mark.parametrize("bin_bp", [1, 7, 10, 30, 99])
def test_bins_hold_the_share_of_each_base(codes, bin_bp):
    expected = [
        [(window[first : first + bin_bp] == base).mean() for first in range(0, 30, bin_bp) for base in range(4)]
        for window in codes
    ]
    np.testing.assert_allclose(one_hot_bins(codes, bin_bp), expected, rtol=1e-6)


def test_labels_move_round_within_their_contig_and_part_alone():
    contig, part = np.repeat([0, 1, 2], [40, 60, 20]), np.repeat([0, 0, 2, 2], [40, 30, 30, 20]).astype(np.int8)
    order = shifted(contig, part, np.random.default_rng(1))
    np.testing.assert_array_equal(contig[order], contig)
    np.testing.assert_array_equal(part[order], part)
    assert sorted(order) == list(range(120))
    for first, last in ((0, 40), (40, 70), (70, 100), (100, 120)):
        away = (np.arange(first, last) - order[first:last]) % (last - first)
        assert len(set(away)) == 1
        assert 0.25 <= away[0] / (last - first) <= 0.75


def test_matched_windows_have_the_same_gc_and_are_drawn_once():
    rng = np.random.default_rng(1)
    share = np.round(rng.normal(0.4, 0.05, 4_000), 3)
    label = (rng.random(4_000) < 0.02 + 0.3 * (share > 0.47)).astype(np.int8)
    rows = gc_matched(label, share, 3, np.random.default_rng(2)).rows
    assert len(set(rows.tolist())) == len(rows)
    positive, negative = rows[label[rows] == 1], rows[label[rows] == 0]
    assert len(negative) <= 3 * len(positive)
    bins = [np.unique(np.floor(share[each] / 0.02), return_counts=True) for each in (positive, negative)]
    np.testing.assert_array_equal(bins[0][0], bins[1][0])
    everywhere = np.floor(share[label == 0] / 0.02)
    for gc, n_positive, n_negative in zip(bins[0][0], bins[0][1], bins[1][1], strict=True):
        assert n_negative == min(3 * n_positive, (everywhere == gc).sum())


def test_open_windows_without_their_like_are_left_out():
    rows = gc_matched(np.array([1, 1, 0], dtype=np.int8), np.array([0.5, 0.9, 0.5]), 5, np.random.default_rng(1)).rows
    assert rows.tolist() == [0, 2]
