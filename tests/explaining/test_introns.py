"""Donors and acceptors: which pairs are compared, from which reading each value is, and what the verdict follows."""

import numpy as np
import pytest

from genolstm.alphabet import DNA, decode
from genolstm.errors import InputError
from genolstm.explaining.introns import (
    COUPLED,
    LESS,
    UNCOUPLED,
    UNKNOWN,
    Couplings,
    Pairs,
    coupling_test,
    introns_in,
    matched_pairs,
    means_of_matched,
)
from genolstm.readers.annotation import Transcript
from genolstm.settings.explaining import DependencySettings

SETTINGS = DependencySettings(window=80, introns=100, matches=3, block_bp=100)


def transcript(name, strand, *exons, coding=True):
    spans = np.array(exons, dtype=np.int64)
    return Transcript(name=name, gene=name, contig="c", strand=strand, biotype="mRNA", exons=spans,
                      coding=spans if coding else spans[:0])  # fmt: skip


@pytest.fixture(scope="module")
def genome(genome_of):
    """A contig with a forward intron at 100..150, a reverse one at 300..340, and one that begins with GA."""
    letters = list(decode(np.random.default_rng(4).integers(0, 4, 4000).astype(np.uint8), DNA))
    for at, text in ((100, "GT"), (148, "AG"), (300, "CT"), (338, "AC"), (500, "GA"), (548, "AG")):
        letters[at : at + 2] = text
    return genome_of({"c": "".join(letters)})


@pytest.fixture(scope="module")
def genes():
    return [
        transcript("f", "+", (50, 100), (150, 200)), transcript("r", "-", (250, 300), (340, 400)),
        transcript("odd", "+", (450, 500), (550, 600)), transcript("nc", "+", (50, 100), (150, 200), coding=False),
        transcript("long", "+", (10, 20), (900, 950)),
    ]  # fmt: skip


def test_introns_are_told_by_their_letters_on_either_strand(genome, genes, stretches_of):
    found = introns_in(genes, genome, stretches_of(genome), SETTINGS)
    assert [tuple(map(int, row)) for row in zip(*found[:4], strict=True)] == [(0, 100, 149, 1), (0, 339, 300, -1)]


def test_introns_outside_the_regions_are_refused(genome, genes, stretches_of):
    with pytest.raises(InputError, match="no intron of the annotation lies in the regions"):
        introns_in(genes, genome, stretches_of(genome, [("c", 1000, 2000, 2)]), SETTINGS)


def test_matched_pairs_carry_the_same_letters_at_the_same_distance(genome, genes, stretches_of):
    stretches = stretches_of(genome)
    introns = introns_in(genes, genome, stretches, SETTINGS)
    found = matched_pairs(introns, genome, stretches, SETTINGS)
    assert np.bincount(found.of).tolist() == [3, 3]
    for donor, acceptor, strand, of in zip(found.donor, found.acceptor, found.strand, found.of, strict=True):
        assert acceptor - donor == introns.acceptor[of] - introns.donor[of]
        assert strand == introns.strand[of]
        assert donor not in introns.donor
        pieces = (donor, donor + 2), (acceptor - 1, acceptor + 1)
        if strand < 0:
            pieces = (donor - 1, donor + 1), (acceptor, acceptor + 2)
        told = [decode(genome.all_codes[a:b], DNA) for a, b in pieces]
        assert told == (["GT", "AG"] if strand > 0 else ["AC", "CT"])


def test_couplings_are_taken_at_both_bases_of_the_other_end(genome, genes, stretches_of):
    stretches = stretches_of(genome)
    introns = introns_in(genes, genome, stretches, SETTINGS)
    sink = Couplings(genome, stretches, introns)
    assert np.flatnonzero(sink.chosen[0]).tolist() == [100, 300]  # the donor of '+', the acceptor of '-'
    assert np.flatnonzero(sink.chosen[1]).tolist() == [149, 339]
    rows = np.zeros((4, 80), dtype=np.float32)
    rows[0, [47, 48]] = 1, 3  # from the donor at 100: at 148 and 149
    rows[1, [47, 48]] = 5, 7  # from the acceptor at 149: at 101 and 100
    rows[2, [37, 38]] = 2, 2
    rows[3, [37, 38]] = 4, 4
    sink.write(0, np.array([100, 300]), rows[[0, 2]])
    sink.write(1, np.array([149, 339]), rows[[1, 3]])
    np.testing.assert_allclose(sink.coupling(), [4, 3])


@pytest.mark.parametrize(("shift", "verdict"), [(0.5, COUPLED), (0.0, UNCOUPLED), (-0.5, LESS)])
def test_verdict_follows_the_interval(shift, verdict):
    rng = np.random.default_rng(2)
    place = np.arange(400) * 50
    introns = Pairs(np.zeros(400, np.int64), place, place + 40, np.ones(400, np.int64), np.arange(400))
    matched = rng.normal(1, 0.2, 400)
    found = coupling_test("trained", introns, matched + shift + rng.normal(0, 0.2, 400), matched, 1200, SETTINGS)
    assert found.verdict == verdict
    assert found.low < found.difference < found.high
    assert (found.low < shift < found.high) or verdict != UNCOUPLED
    few = Pairs(*(column[:2] for column in introns))
    assert coupling_test("trained", few, matched[:2], matched[:2], 6, SETTINGS).verdict == UNKNOWN


def test_means_are_of_each_introns_own_pairs():
    pairs = Pairs(*(np.zeros(3, np.int64),) * 4, np.array([0, 0, 2]))
    np.testing.assert_allclose(means_of_matched(pairs, np.array([1.0, 3.0, 5.0]), 3), [2, np.nan, 5])
