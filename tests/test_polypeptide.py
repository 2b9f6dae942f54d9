"""Charge and hydropathy of prefixes against Biopython's, letter by letter and prefix by prefix."""

import time

import numpy as np
import pytest
from Bio.SeqUtils import IsoelectricPoint, ProtParamData
from Bio.SeqUtils.ProtParam import ProteinAnalysis
from hypothesis import given
from hypothesis import strategies as st

from genolstm import polypeptide
from genolstm.alphabet import PROTEIN, decode, encode
from genolstm.polypeptide import hydropathy_ahead, mean_hydropathy, net_charge, without_value

RESIDUES = PROTEIN.letters[:-1]
chains = st.text(alphabet=RESIDUES, min_size=1, max_size=80)


def test_constants_are_those_of_biopython():
    positive = {"Nterm": polypeptide.AMINO_END_PK} | polypeptide.POSITIVE_PK
    negative = {"Cterm": polypeptide.CARBOXYL_END_PK} | polypeptide.NEGATIVE_PK
    assert positive == IsoelectricPoint.positive_pKs
    assert negative == IsoelectricPoint.negative_pKs
    assert IsoelectricPoint.pKnterminal == polypeptide.AMINO_END_PK_OF
    assert IsoelectricPoint.pKcterminal == polypeptide.CARBOXYL_END_PK_OF
    assert {letter: tenths / 10 for letter, tenths in polypeptide.HYDROPATHY_TENTHS.items()} == ProtParamData.kd


@given(chains)
def test_every_prefix_of_a_chain_is_as_biopython_has_it(chain):
    codes = encode(chain, PROTEIN)
    prefixes = [ProteinAnalysis(chain[:end]) for end in range(1, len(chain) + 1)]
    np.testing.assert_allclose(net_charge(codes), [each.charge_at_pH(7.0) for each in prefixes], rtol=0, atol=1e-9)
    np.testing.assert_allclose(mean_hydropathy(codes), [each.gravy() for each in prefixes], rtol=0, atol=1e-9)


@given(chains, st.integers(1, 40))
def test_hydropathy_ahead_is_that_of_the_next_residues_alone(chain, width):
    ahead = hydropathy_ahead(encode(chain, PROTEIN), width)
    assert len(ahead) == len(chain)
    for last in range(len(chain)):
        following = chain[last + 1 : last + 1 + width]
        if len(following) < width:
            assert np.isnan(ahead[last])
        else:
            assert ahead[last] == pytest.approx(ProteinAnalysis(following).gravy(), abs=1e-9)


@given(st.text(alphabet=PROTEIN.letters, min_size=1, max_size=60))
def test_unknown_residues_are_in_no_sum_and_in_no_denominator(chain):
    codes = encode(chain, PROTEIN)
    hydropathy, charge = mean_hydropathy(codes), net_charge(codes)
    for end in range(1, len(chain) + 1):
        known = chain[:end].replace("X", "")
        if known:
            assert hydropathy[end - 1] == pytest.approx(ProteinAnalysis(known).gravy(), abs=1e-9)
        else:
            assert np.isnan(hydropathy[end - 1])
        # Biopython has no charge for X either, but says nothing of it; the ends' pK are the usual ones there
        assert charge[end - 1] == pytest.approx(ProteinAnalysis(chain[:end]).charge_at_pH(7.0), abs=1e-9)
    assert without_value(codes) == chain.count("X")


def test_nothing_gives_nothing():
    nothing = encode("", PROTEIN)
    assert len(net_charge(nothing)) == len(mean_hydropathy(nothing)) == len(hydropathy_ahead(nothing)) == 0
    assert without_value(nothing) == 0


@pytest.mark.realdata
@pytest.mark.slow
def test_ten_thousand_prefixes_of_real_and_random_proteins(real_data):
    rng = np.random.default_rng(5)
    import gzip

    from Bio import SeqIO

    with gzip.open(real_data / "pombe" / "proteins.fa.gz", "rt") as file:
        real = [str(record.seq).rstrip("*") for record in SeqIO.parse(file, "fasta")]
    real = [chain for chain in real if set(chain) <= set(RESIDUES)]
    chosen = [real[place] for place in rng.integers(0, len(real), 5_000)]
    chosen += [decode(rng.integers(0, 20, rng.integers(1, 2_000)), PROTEIN) for _ in range(5_000)]
    ends = [int(rng.integers(1, len(chain) + 1)) for chain in chosen]
    began = time.perf_counter()
    theirs = np.array(
        [
            (each.charge_at_pH(7.0), each.gravy())
            for each in (ProteinAnalysis(chain[:end]) for chain, end in zip(chosen, ends, strict=True))
        ]
    )
    seconds_each = (time.perf_counter() - began) / len(chosen)
    coded = [encode(chain, PROTEIN) for chain in chosen]
    began = time.perf_counter()
    ours = [(net_charge(codes), mean_hydropathy(codes)) for codes in coded]
    ours_each = (time.perf_counter() - began) / sum(map(len, coded))
    at_ends = np.array([(c[end - 1], h[end - 1]) for (c, h), end in zip(ours, ends, strict=True)])
    np.testing.assert_allclose(at_ends, theirs, rtol=0, atol=1e-9)
    assert seconds_each / ours_each > 100, "times as fast as ProtParam, per prefix"
