"""Windows and sequence features against a loop over letters, and the labels of the control task."""

from itertools import product

import numpy as np
import pytest

from genolstm.alphabet import DNA, decode, encode, reverse_complement
from genolstm.probes.controls import (
    HOMOLOGY_K,
    TYPE_K,
    composition,
    control_labels,
    kmer_counts,
    one_hot,
    shared_with_training,
    windows,
    words,
)
from genolstm.regions import Sites


def sites_at(genome, rows):
    """Sites from rows of (contig index, position, strand)."""
    contig, position, strand = np.array(sorted(rows)).T
    zeros = np.zeros(len(rows), dtype=np.int8)
    return Sites(
        contigs=genome.names, contig=contig.astype(np.int32), position=position.astype(np.int64),
        strand=strand.astype(np.int8), label=zeros, part=zeros, block=np.arange(len(rows)),
    )  # fmt: skip


@pytest.fixture
def drawn(drawn_codes):
    """Thirty windows of 41 codes, one in twenty N."""
    return drawn_codes(3, 30 * 41, unknown=0.05).reshape(30, 41)


# ---- windows


def test_windows_read_along_the_strand_of_the_site(genome_of):
    genome = genome_of({"other": "TTTTT", "a": "ACGTTGCAAC"})
    found = windows(genome, sites_at(genome, [(1, 4, 1), (1, 4, -1)]), 2)
    assert [decode(row, DNA) for row in found] == ["GCAAC", "GTTGC"]


def test_windows_are_unknown_past_the_ends_of_their_contig(genome_of):
    genome = genome_of({"before": "AAAA", "a": "CGT", "after": "AAAA"})
    rows = [(1, 0, -1), (1, 0, 1), (1, 2, -1), (1, 2, 1)]
    found = [decode(row, DNA) for row in windows(genome, sites_at(genome, rows), 4)]
    assert found == ["NNACGNNNN", "NNNNCGTNN", "NNNNACGNN", "NNCGTNNNN"]


@pytest.mark.parametrize("flank", [1, 5, 50])
def test_windows_equal_a_loop_over_letters(tiny_genome, flank):
    rng = np.random.default_rng(1)
    rows = {
        (int(c), int(rng.integers(tiny_genome.lengths[c])), int(rng.choice([-1, 1])))
        for c in rng.integers(0, len(tiny_genome.names), 80)
    }
    sites = sites_at(tiny_genome, rows)
    found = windows(tiny_genome, sites, flank)
    for n in range(len(sites)):
        first, length = tiny_genome.starts[sites.contig[n]], tiny_genome.lengths[sites.contig[n]]
        text = decode(tiny_genome.all_codes[first : first + length], DNA)
        padded = "N" * flank + text + "N" * flank
        expected = padded[sites.position[n] : sites.position[n] + 2 * flank + 1]
        if sites.strand[n] < 0:
            expected = decode(reverse_complement(encode(expected, DNA)), DNA)
        assert decode(found[n], DNA) == expected


# ---- features of the sequence


def test_one_hot_has_a_column_for_each_place_and_base(drawn):
    found = one_hot(drawn, DNA.n_known)
    assert found.dtype == np.float32
    expected = [[float(letter == base) for letter in decode(row, DNA) for base in "ACGT"] for row in drawn]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_word_counts_equal_a_count_in_the_text(drawn, k):
    found = kmer_counts(drawn, k, DNA.n_known)
    assert found.dtype == np.float32
    for row, counts in zip(drawn, found, strict=True):
        text = decode(row, DNA)
        starts = [text[at : at + k] for at in range(len(text) - k + 1)]
        assert counts.tolist() == [starts.count("".join(word)) for word in product("ACGT", repeat=k)]


def test_word_is_its_number_in_base_four_or_minus_one_with_an_unknown():
    found = words(encode("ACGTNACG", DNA)[None], 3, DNA.n_known)
    assert found.tolist() == [[0 * 16 + 1 * 4 + 2, 1 * 16 + 2 * 4 + 3, -1, -1, -1, 6]]


def test_composition_is_the_share_of_each_base_on_either_side_without_the_site(drawn):
    found = composition(drawn, DNA.n_known)
    for row, shares in zip(drawn, found, strict=True):
        text = decode(row, DNA)
        halves = (text[:20].replace("N", ""), text[21:].replace("N", ""))  # an unknown base is in no denominator
        expected = [half.count(base) / len(half) for half in halves for base in "ACGT"]
        np.testing.assert_allclose(shares, expected, rtol=1e-6)


# ---- the control task


def test_same_word_around_the_site_has_the_same_control_label_and_only_that_word_counts(drawn_codes):
    codes = drawn_codes(1, 4000 * 41).reshape(4000, 41)
    codes[2000:, 16:24] = codes[:2000, 16:24]  # the eight around place 20
    labels = control_labels(codes, 0.3, DNA.n_known, np.random.default_rng(2))
    np.testing.assert_array_equal(labels[2000:], labels[:2000])
    assert labels.dtype == np.int8
    assert set(labels.tolist()) == {0, 1}
    for place in range(16, 24):  # and every one of the eight counts
        other = codes.copy()
        other[:, place] = (other[:, place] + 1) % 4
        assert (control_labels(other, 0.3, DNA.n_known, np.random.default_rng(2)) != labels).mean() > 0.2


@pytest.mark.parametrize("prevalence", [0.05, 0.3, 0.8])
def test_control_labels_have_about_the_prevalence_asked_for(drawn_codes, prevalence):
    codes = drawn_codes(4, 20_000 * 9).reshape(20_000, 9)
    labels = control_labels(codes, prevalence, DNA.n_known, np.random.default_rng(2))
    # 20,000 draws of about 17,000 distinct words: five standard errors
    assert abs(labels.mean() - prevalence) < 5 * np.sqrt(prevalence * (1 - prevalence) / 17_000)


def test_words_with_unknown_bases_share_one_control_label(drawn_codes):
    codes = drawn_codes(5, 200 * 41).reshape(200, 41)
    codes[:, 20] = DNA.unknown
    for seed in range(8):
        assert len(set(control_labels(codes, 0.5, DNA.n_known, np.random.default_rng(seed)).tolist())) == 1
    assert TYPE_K == 8


# ---- homology


def shared(codes, n_train):
    train = np.arange(len(codes)) < n_train
    return shared_with_training(codes, train, ~train, DNA.n_known)


def test_random_windows_share_nothing_with_training(drawn_codes):
    assert shared(drawn_codes(6, 400 * 61).reshape(400, 61), 300) == 0


@pytest.mark.parametrize("turn", [lambda codes: codes, lambda codes: np.stack([reverse_complement(c) for c in codes])])
def test_copied_windows_are_shared_on_either_strand(drawn_codes, turn):
    codes = drawn_codes(7, 100 * 61).reshape(100, 61)
    assert shared(np.concatenate([codes, turn(codes)]), 100) == 1
    part = drawn_codes(8, 100 * 61).reshape(100, 61)
    part[:25, 30:] = turn(codes)[:25, :HOMOLOGY_K]  # 31 bases, at another place, of one window in four
    assert shared(np.concatenate([codes, part]), 100) == 0.25
    part[:25, 30] = (part[:25, 30] + 1) % 4  # 30 bases are too few
    assert shared(np.concatenate([codes, part]), 100) == 0


def test_runs_of_unknown_bases_are_not_homology(drawn_codes):
    codes = drawn_codes(9, 40 * 61).reshape(40, 61)
    codes[:, 10:51] = DNA.unknown
    assert shared(codes, 20) == 0
