"""Motifs and where they stand on both strands, against a search letter by letter."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_calls import reference_of

from genolstm.errors import UsageError
from genolstm.readers import motifs
from genolstm.readers.motifs import IUPAC, motif_sites, parse_motif

PAIRED = str.maketrans("ACGTN", "TGCAN")


def places(sequence, word, offset):
    """Places of a motif's base on the forward strand, by a regular expression."""
    pattern = "".join(f"[{IUPAC[letter]}]" for letter in word)
    return [match.start() + offset for match in re.finditer(f"(?={pattern})", sequence)]


@given(
    sequences=st.lists(st.text("ACGTN", max_size=40), min_size=1, max_size=3),
    motif=st.sampled_from(["CG,0", "GATC,1", "CHH,0", "CHG,0", "CCWGG,1", "C,0", "NCG,1", "DRACH,2"]),
)
def test_sites_are_those_of_a_search_on_both_strands(sequences, motif):
    motif = parse_motif(motif, "AC")
    found = motif_sites(reference_of({str(place): each for place, each in enumerate(sequences)}), motif)
    for contig, sequence in enumerate(sequences):
        assert found.at(contig, 1).tolist() == places(sequence, motif.letters, motif.offset)
        opposite = sequence.translate(PAIRED)[::-1]
        expected = [len(sequence) - 1 - at for at in places(opposite, motif.letters, motif.offset)]
        assert found.at(contig, -1).tolist() == sorted(expected)
    assert len(found.position) == found.first[-1]


def test_pieces_of_a_long_contig_lose_no_site(monkeypatch):
    sequence = "".join(np.random.default_rng(1).choice(list("ACGT"), 2000))
    reference, motif = reference_of({"I": sequence}), parse_motif("GATC,1", "A")
    whole = motif_sites(reference, motif)
    for size in (1, 3, 4, 7, 1999):
        monkeypatch.setattr(motifs, "SEARCH_BASES", size)
        np.testing.assert_array_equal(motif_sites(reference, motif).position, whole.position)


def test_palindromes_know_where_their_other_strand_is():
    assert [parse_motif(text, "AC").is_palindrome for text in ("CG,0", "GATC,1", "CCWGG,1", "CHG,0", "C,0")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert [parse_motif(text, "AC").shift for text in ("CG,0", "GATC,1", "CCWGG,1")] == [1, 1, 2]


def test_lower_case_is_read_as_upper():
    assert str(parse_motif("gatc,1", "A")) == "GATC,1"


@pytest.mark.parametrize("text", ["CG", "CG,", "CG,2", ",0", "CX,0", "CG,-1", "CG,0,1", ""])
def test_text_that_is_no_motif_is_refused(text):
    with pytest.raises(UsageError, match="is not IUPAC letters and an offset within them, as in CG,0 or GATC,1"):
        parse_motif(text, "C")


def test_motif_needs_the_base_that_the_code_modifies():
    with pytest.raises(UsageError, match="motif 'GATC,0' has G at its offset, where the modification sits on A"):
        parse_motif("GATC,0", "A")
    with pytest.raises(UsageError, match="has Y at its offset"):
        parse_motif("YG,0", "C")
