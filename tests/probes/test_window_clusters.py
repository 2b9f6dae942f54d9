"""Clusters of windows against sets of their 31-mers as text; parts that hold whole clusters."""

import numpy as np
import pytest

from genolstm.alphabet import DNA, decode
from genolstm.probes.window_clusters import clusters_of_windows, drawn_parts, near_other_parts
from genolstm.regions import Part

WIDTH = 50


def sets_of(codes):
    """Both strands' 31-mers of each window without an N, as text."""
    found = []
    for row in codes:
        text = decode(row, DNA)
        flipped = text[::-1].translate(str.maketrans("ACGT", "TGCA"))
        found.append({each[at : at + 31] for each in (text, flipped) for at in range(WIDTH - 30)})
    return [{kmer for kmer in each if "N" not in kmer} for each in found]


def components(sets):
    """Clusters by walking from window to window, numbered as met."""
    cluster = [-1] * len(sets)
    for first in range(len(sets)):
        if cluster[first] >= 0:
            continue
        number, left = max(cluster) + 1, [first]
        while left:
            here = left.pop()
            cluster[here] = number
            left += [other for other in range(len(sets)) if cluster[other] < 0 and sets[here] & sets[other]]
    return cluster


def overlapping_windows(seed):
    """Windows of a long sequence at drawn places, some flipped, some with an N."""
    rng = np.random.default_rng(seed)
    genome = rng.integers(0, 4, 1500).astype(np.uint8)
    starts = rng.integers(0, 1450, 40)
    codes = genome[starts[:, None] + np.arange(WIDTH)]
    flipped = rng.random(40) < 0.3
    codes[flipped] = DNA.complement[codes[flipped]][:, ::-1]
    codes[rng.random(codes.shape) < 0.005] = DNA.unknown
    return codes


@pytest.mark.parametrize("seed", range(5))
def test_clusters_are_the_windows_that_chains_of_common_31mers_join(seed, monkeypatch):
    monkeypatch.setattr("genolstm.probes.window_clusters.ROWS", 7)
    codes = overlapping_windows(seed)
    found = clusters_of_windows(codes, DNA.n_known)
    assert found.tolist() == components(sets_of(codes))
    assert 1 < found.max() + 1 < len(codes)


def test_drawn_parts_hold_whole_clusters_and_their_fractions():
    rng = np.random.default_rng(1)
    cluster = rng.integers(0, 300, 2_000)
    part = drawn_parts(cluster, 0.15, 0.2, np.random.default_rng(2))
    for each in np.unique(cluster):
        assert len(set(part[cluster == each])) == 1
    assert 0.19 < (part == Part.TEST).mean() <= 0.2
    assert 0.14 < (part == Part.VALID).mean() <= 0.15
    np.testing.assert_array_equal(part, drawn_parts(cluster, 0.15, 0.2, np.random.default_rng(2)))
    assert (part != drawn_parts(cluster, 0.15, 0.2, np.random.default_rng(3))).any()


def test_a_cluster_that_fits_nowhere_else_is_for_training():
    cluster = np.array([0] * 60 + list(range(1, 41)))
    part = drawn_parts(cluster, 0.15, 0.2, np.random.default_rng(1))
    assert set(part[:60]) == {Part.TRAIN}
    assert set(part) == set(Part)


def test_windows_near_a_test_window_are_found_in_other_parts():
    cluster = np.array([0, 0, 1, 1, 2, 2, 3, 4, 4, 4])
    part = np.array([0, 2, 0, 1, 1, 2, 0, 0, 1, 2])
    near = near_other_parts(cluster, part.astype(np.int8))
    assert np.flatnonzero(near[Part.TEST]).tolist() == [0, 4, 7, 8]
    assert np.flatnonzero(near[Part.VALID]).tolist() == [2]
