"""Relatives end in one cluster, and what is left across a split is told as Biopython's aligner has it."""

import gzip

import numpy as np
import pytest
from Bio.Align import PairwiseAligner, substitution_matrices

from genolstm import homology
from genolstm.alphabet import PROTEIN, decode, encode
from genolstm.homology import clusters_of, largest_identity
from genolstm.settings.protein import HomologySettings


def drawn(seed, length=300):
    return np.random.default_rng(seed).integers(0, PROTEIN.n_known, length).astype(np.uint8)


def relative(codes, share, seed):
    """A copy of which this share of the residues was drawn anew."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(len(codes)) < share, rng.integers(0, PROTEIN.n_known, len(codes)), codes).astype(
        np.uint8
    )


def linked(proteins, settings=None):
    """Pairs that the rule links, found by a plain loop over every pair and diagonal."""
    settings = settings or HomologySettings()
    group = {letter: number for number, letters in enumerate(settings.groups.split()) for letter in letters}
    matrix = substitution_matrices.load("BLOSUM62")
    found = set()
    for one in range(len(proteins)):
        for other in range(one + 1, len(proteins)):
            a, b = decode(proteins[one], PROTEIN), decode(proteins[other], PROTEIN)
            for shift in range(-len(a) + 1, len(b)):
                first, last = max(0, -shift), min(len(a), len(b) - shift)
                hits = [
                    at
                    for at in range(first, last - settings.word + 1)
                    if all(
                        a[at + k] in group and group[a[at + k]] == group.get(b[at + shift + k])
                        for k in range(settings.word)
                    )
                ]
                two = any(settings.word <= y - x <= settings.near for x in hits for y in hits)
                running = best = 0
                for at in range(first, last):
                    score = -1 if "X" in (a[at], b[at + shift]) else matrix[a[at], b[at + shift]]
                    running = max(0, running + score)
                    best = max(best, running)
                if two and best >= settings.link_score:
                    found.add((one, other))
    return found


def test_no_pair_that_a_plain_loop_links_has_two_clusters_and_each_cluster_holds_together():
    families = [drawn(seed, 80) for seed in range(4)]
    proteins = [relative(family, share, 10 * n) for n, family in enumerate(families) for share in (0, 0.3, 0.55, 0.7)]
    proteins.append(np.concatenate([families[0], families[1]]))  # joins two families
    pairs, cluster = linked(proteins), clusters_of(proteins)
    assert len(pairs) > 8
    joined = {number: {number} for number in range(len(proteins))}
    for one, other in pairs:
        both = joined[one] | joined[other]
        for member in both:
            joined[member] = both
    assert {frozenset(np.flatnonzero(cluster == each).tolist()) for each in cluster} == set(
        map(frozenset, joined.values())
    )


def test_clusters_are_numbered_as_they_are_met():
    a, b = drawn(1), drawn(2)
    assert clusters_of([a, b, relative(a, 0.3, 3), drawn(4), relative(b, 0.3, 5)]).tolist() == [0, 1, 0, 2, 1]


def test_planted_relatives_of_half_the_residues_are_found_and_strangers_are_not():
    parents = [drawn(seed) for seed in range(30)]
    children = [relative(parent, 0.5, 100 + seed) for seed, parent in enumerate(parents)]
    cluster = clusters_of([*parents, *children])
    assert cluster.tolist() == [*range(30), *range(30)]


def test_shift_by_one_residue_does_not_hide_a_relative():
    parent = drawn(1)
    assert len(set(clusters_of([parent, parent[7:], np.concatenate([drawn(2, 60), parent])]).tolist())) == 1


def test_low_complexity_and_unknown_residues_link_nothing():
    repeat = encode("Q" * 200 + "SPSPSPSPSPSPSPSPSPSP" * 5, PROTEIN)
    unknown = np.full(300, PROTEIN.unknown, np.uint8)
    proteins = [
        np.concatenate([drawn(seed, 100), tail]) for seed, tail in enumerate((repeat, repeat, unknown, unknown))
    ]
    assert len(set(clusters_of(proteins).tolist())) == 4


def test_words_that_very_many_places_share_start_no_candidate():
    shared, near = drawn(1, 60), HomologySettings(most_places=5, most_times_mean=1e-9)
    proteins = [np.concatenate([drawn(seed, 50), shared]) for seed in range(2, 10)]
    assert len(set(clusters_of(proteins).tolist())) == 1
    assert len(set(clusters_of(proteins, near).tolist())) == 8


@pytest.mark.parametrize("proteins", [[], [np.zeros(0, np.uint8)], [encode("MK", PROTEIN), np.zeros(0, np.uint8)]])
def test_next_to_nothing_is_its_own_cluster(proteins):
    assert clusters_of(proteins).tolist() == list(range(len(proteins)))


def test_largest_identity_is_that_of_biopythons_alignment():
    parent, stranger = drawn(1), drawn(2)
    child = relative(np.delete(parent, slice(100, 104)), 0.4, 3)  # with a gap
    found = largest_identity([stranger, parent], [drawn(4), child])
    aligner = PairwiseAligner(mode="local")
    aligner.substitution_matrix = substitution_matrices.load("BLOSUM62")
    aligner.open_gap_score, aligner.extend_gap_score = -11, -1
    counts = aligner.align(decode(parent, PROTEIN), decode(child, PROTEIN))[0].counts()
    assert (found.one, found.other) == (1, 1)
    assert found.aligned_residues == counts.aligned
    assert found.identity == pytest.approx(counts.identities / counts.aligned, abs=1e-12)


def test_largest_identity_names_the_closest_pair_and_leaves_short_alignments_out():
    family = drawn(1)
    ones, others = [drawn(9), relative(family, 0.3, 2)], [relative(family, 0.5, 3), relative(family, 0.1, 4), drawn(8)]
    found = largest_identity(ones, others)
    assert (found.one, found.other) == (1, 1)
    assert 0.55 < found.identity < 0.75
    short = largest_identity([family[:40]], [family[:40]])
    assert (short.identity, short.aligned_residues, short.one, short.aligned_pairs) == (0.0, 0, -1, 1)
    assert largest_identity([], others).one == -1


def test_what_is_aligned_is_a_lower_bar_than_what_links():
    parent, settings = drawn(1), HomologySettings(link_score=10_000)
    child = relative(parent, 0.5, 2)
    assert clusters_of([parent, child], settings).tolist() == [0, 1]
    found = largest_identity([parent], [child], settings)
    assert 0.4 < found.identity < 0.7
    assert found.aligned_pairs == 1


@pytest.mark.realdata
@pytest.mark.slow
def test_pombe_proteome_splits_with_no_close_relatives_on_two_sides(real_data):
    with gzip.open(real_data / "pombe" / "proteins.fa.gz", "rt") as stream:
        records = stream.read()[1:].split("\n>")
    proteins = [encode("".join(record.splitlines()[1:]), PROTEIN) for record in records]
    cluster = clusters_of(proteins)
    assert len(cluster) == 5110
    assert np.bincount(cluster).max() < 0.05 * len(cluster)
    held = cluster % 20 == 0
    sides = ([p for p, mine in zip(proteins, held, strict=True) if mine == side] for side in (True, False))
    found = largest_identity(*sides)
    assert 0.2 < found.identity < 0.5
    assert found.aligned_pairs > 50


def test_chain_beyond_the_packed_positions_is_refused(monkeypatch):
    monkeypatch.setattr(homology, "LONGEST", 100)
    with pytest.raises(ValueError, match="longer than 100"):
        clusters_of([drawn(1, 150)])
