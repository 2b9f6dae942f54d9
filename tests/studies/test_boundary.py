"""Bits around splice sites: places, orientation, and effects that are planted in the bits themselves."""

import numpy as np
import pytest

from genolstm.alphabet import DNA
from genolstm.errors import UsageError
from genolstm.figures.studies import pictures_of
from genolstm.figures.style import save
from genolstm.markov import count_markov
from genolstm.settings.study import StudySettings
from genolstm.studies import boundary
from genolstm.studies.boundary import ACCEPTOR, DINUCLEOTIDE, DONOR


def random_strand(rng, bases=60_000, sites=120):
    codes = rng.integers(4, size=bases).astype(np.uint8)
    places = np.sort(rng.choice(np.arange(100, bases - 100, 150), sites, replace=False))
    for kind, shift in ((DONOR, 0), (ACCEPTOR, 75)):
        codes[(places + shift)[:, None] + np.arange(2)] = DINUCLEOTIDE[kind]
    sites = {DONOR: places, ACCEPTOR: places + 75}
    return boundary.Strand(codes, np.full(bases, 2.0), sites)


def test_only_a_saving_that_was_planted_is_found():
    rng = np.random.default_rng(1)
    strand = random_strand(rng)
    bits = strand.bits + 0.1 * rng.normal(size=len(strand.bits))
    bits[strand.sites[ACCEPTOR]] -= 0.5
    markov = count_markov([strand.codes], DNA, max_order=boundary.MARKOV_ORDER)
    found = {
        kind: boundary.around([strand._replace(bits=bits)], kind, rng, markov, kmer=4, block=1000)
        for kind in DINUCLEOTIDE
    }
    acceptor, donor = (boundary._foreseen(found[kind], rng) for kind in (ACCEPTOR, DONOR))
    assert acceptor.value == pytest.approx(-0.5, abs=0.05)
    assert donor.low < 0 < donor.high
    profile = (found[ACCEPTOR].true - found[ACCEPTOR].matched).mean(axis=0)
    assert boundary.OFFSETS[profile.argmin()] == 0
    assert np.abs(np.delete(profile, profile.argmin())).max() < 0.1


def test_markov_bits_are_those_of_counted_words():
    rng = np.random.default_rng(2)
    codes = rng.integers(4, size=3000).astype(np.uint8)
    counts = count_markov([codes], DNA, max_order=boundary.MARKOV_ORDER)
    both = ["".join("ACGT"[base] for base in codes), "".join("TGCA"[base] for base in codes[::-1])]
    places = np.array([50, 700, 2999])

    def times(word):
        return sum(text[at : at + len(word)] == word for text in both for at in range(len(text) - len(word) + 1))

    for place, found in zip(places, boundary._markov_bits(counts, codes, places), strict=True):
        context, base = both[0][place - 6 : place], both[0][place]
        row = [times(context + letter) + 1 for letter in "ACGT"]
        assert found == pytest.approx(-np.log2(row["ACGT".index(base)] / sum(row)))


def test_a_reverse_strand_site_is_the_forward_one_of_the_reverse_complement():
    rng = np.random.default_rng(3)
    forward = random_strand(rng, 2000, 8)
    reverse = np.asarray(DNA.complement)[forward.codes][::-1]
    places = {kind: set((1000 + 2000 - 2 - at).tolist()) for kind, at in forward.sites.items()}
    bits = np.arange(2000.0)
    back = boundary.as_read(reverse, bits[::-1], places, 1000, forward=False)
    np.testing.assert_array_equal(back.codes, forward.codes)
    np.testing.assert_array_equal(back.bits, bits)
    for kind, at in forward.sites.items():
        np.testing.assert_array_equal(back.sites[kind], at)


def test_made_sites_have_their_letters_and_acceptors_their_branch_site():
    codes, sites = boundary.made_genome(np.random.default_rng(4), 50)
    flat = codes.ravel()
    for kind, places in sites.items():
        assert (flat[places[:, None] + np.arange(2)] == DINUCLEOTIDE[kind]).all()
    before = sites[ACCEPTOR] - boundary.TO_ACCEPTOR - len(boundary.BRANCH)
    assert (flat[before[:, None] + np.arange(len(boundary.BRANCH))] == boundary.BRANCH).all()


def test_files_that_belong_together_are_asked_for():
    with pytest.raises(UsageError, match="belong together; give --genome, --annotation too"):
        boundary.given_genome(StudySettings(scores="s.h5"))


@pytest.mark.slow
def test_a_quick_study_finds_the_announced_acceptor_alone_and_is_drawn(monkeypatch, tmp_path):
    monkeypatch.setattr(boundary, "QUICK_STEPS", 60)
    found = boundary.study(StudySettings(quick=True), lambda _: None)
    assert [claim.holds for claim in found.claims] == [True, True]
    for picture in pictures_of(found):
        save(picture.figure, tmp_path / f"{picture.name}.png")
