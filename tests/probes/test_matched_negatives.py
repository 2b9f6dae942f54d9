"""Drawn negatives: like their positives, on the same contigs and in the same parts, clear of all of them."""

import numpy as np
import pytest

from genolstm.probes.matched_negatives import points_like, windows_like
from genolstm.probes.window_controls import GC_WIDTH
from genolstm.regions import Part, Sites, split_genome
from genolstm.seeds import spawn
from genolstm.settings.sites import SitesSettings

WIDTH = 50


@pytest.fixture(scope="module")
def genome(genome_of):
    rng = np.random.default_rng(1)
    return genome_of({name: "".join(rng.choice(list("ACGT"), 20_000)) for name in ("I", "II", "III")})


@pytest.fixture(scope="module")
def split(genome):
    return split_genome(genome.length_of, spawn(1, "split"), valid_contigs=["II"], test_contigs=["III"])


def gc_of(genome, contig, start):
    codes = genome.all_codes[int(genome.starts[contig]) + start : int(genome.starts[contig]) + start + WIDTH]
    return np.isin(codes, [1, 2]).mean()


def test_windows_have_contig_part_and_gc_of_positives_and_lie_apart(genome, split):
    rng = np.random.default_rng(2)
    contig = np.repeat(np.arange(3), 10)
    start = np.concatenate([np.sort(rng.choice(np.arange(0, 19_900, 100), 10, replace=False)) for _ in range(3)])
    part = split.part_at(contig.astype(np.int32), start)
    settings = SitesSettings(ratio=3, margin=60)
    found = windows_like(
        contig, start, part, WIDTH, lambda each: np.sort(start[contig == each]), genome, split, settings,
        np.random.default_rng(3),
    )  # fmt: skip
    assert 60 < len(found[0]) <= 90
    assert len(set(zip(*(column.tolist() for column in found), strict=True))) == len(found[0])

    def classes(contigs, starts):
        gc = [int(np.floor(gc_of(genome, *place) / GC_WIDTH)) for place in zip(contigs, starts, strict=True)]
        return list(zip(contigs.tolist(), gc, strict=True))

    theirs, ours = classes(contig, start), classes(*found)
    assert all(ours.count(each) <= 3 * theirs.count(each) for each in set(ours))
    for each, place in zip(*found, strict=True):
        gaps = [max(place - other - WIDTH, other - place - WIDTH) for other in start[contig == each]]
        assert min(gaps) >= 60


def test_points_keep_clear_of_positives_that_are_not_used(genome, split):
    place = np.array([5_000, 9_000])
    n = len(place)
    positives = Sites(
        contigs=genome.names, contig=np.zeros(n, np.int32), position=place, strand=np.array([1, -1], np.int8),
        label=np.ones(n, np.int8), part=np.full(n, Part.TRAIN, np.int8), block=np.zeros(n, np.int64),
    )  # fmt: skip
    every = np.arange(0, 20_000, 500)
    settings = SitesSettings(ratio=5, margin=200, match_kmer=1)
    contig, position, strand = points_like(
        positives, lambda _: every, genome, split, settings, 10, np.random.default_rng(4)
    )
    assert (contig == 0).all()
    assert sorted(strand.tolist()) == [-1] * 5 + [1] * 5
    assert np.abs(position[:, None] - every).min() >= 200
