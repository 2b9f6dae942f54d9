"""Translation by table against Biopython's."""

import warnings

import numpy as np
import pytest
from Bio.Data import CodonTable
from Bio.Seq import Seq
from hypothesis import given
from hypothesis import strategies as st

from genolstm.alphabet import DNA, PROTEIN, decode, encode
from genolstm.errors import UsageError
from genolstm.readers.genetic_codes import CODONS, codons_of, genetic_code


@given(st.text(alphabet="ACGT", max_size=90), st.sampled_from(sorted(CodonTable.unambiguous_dna_by_id)))
def test_translation_is_that_of_biopython(text, number):
    text = text[: len(text) // 3 * 3]
    code = genetic_code(number)
    codons = codons_of(encode(text, DNA))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Biopython warns of stop codons that are also read as residues
        theirs = str(Seq(text).translate(table=number))
    ours = decode(code.residues[codons], PROTEIN).replace("X", "*")
    # where a stop may also be read as a residue, Biopython writes the residue or the stop, as the table has it
    both = code.stops[codons] & ~code.always_stops[codons]
    assert [a for a, skip in zip(ours, both, strict=True) if not skip] == [
        b for b, skip in zip(theirs, both, strict=True) if not skip
    ]


@pytest.mark.parametrize("number", sorted(CodonTable.unambiguous_dna_by_id))
def test_starts_and_stops_are_those_of_biopython(number):
    code, table = genetic_code(number), CodonTable.unambiguous_dna_by_id[number]
    assert {CODONS[place] for place in np.flatnonzero(code.starts)} == set(table.start_codons)
    assert {CODONS[place] for place in np.flatnonzero(code.stops)} == set(table.stop_codons)


def test_a_number_that_is_no_code_is_refused():
    with pytest.raises(UsageError, match=r"99 is no genetic code; NCBI's tables are 1, 2, 3"):
        genetic_code(99)
