"""Where polypeptides are probed: places that have read codon t and nothing more, and what is true there."""

import numpy as np
import pytest
from Bio.Seq import Seq
from Bio.SeqUtils.ProtParam import ProteinAnalysis

from genolstm.alphabet import DNA, PROTEIN, decode, encode
from genolstm.probes.protein_chains import Chains
from genolstm.probes.protein_controls import (
    last_symbols,
    length_in_codons,
    nearest_bases,
    prefix_composition,
    recent_composition,
    recent_kmers,
)
from genolstm.probes.protein_genes import coding_genes
from genolstm.probes.protein_places import AHEAD, FRAME, drawn_residues, frame_places, prefix_places
from genolstm.readers.annotation import Transcript
from genolstm.readers.genetic_codes import genetic_code


def chains_of(proteins, *, genes=(), genome=None, contig=None):
    count = len(proteins)
    return Chains(
        names=tuple(f"p{number}" for number in range(count)),
        proteins=tuple(proteins),
        part=np.arange(count, dtype=np.int8) % 3,
        cluster=np.arange(count),
        contig=np.arange(count, dtype=np.int32) if contig is None else contig,
        strand=np.array([gene.strand for gene in genes] or [1] * count, dtype=np.int8),
        sequence=(lambda number: genes[number].mrna(genome)) if genes else (lambda number: proteins[number]),
        begins=np.array([gene.coding_start for gene in genes] or [0] * count, dtype=np.int64),
        step=3 if genes else 1,
        genes=tuple(genes),
    )


@pytest.fixture
def made_genes(genome_of):
    """Genome with a spliced gene of 50 codons on either strand, and its chains."""
    rng = np.random.default_rng(7)
    sense = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT" if a + b + c not in {"TAA", "TAG", "TGA"}]
    coding = ["ATG" + "".join(rng.choice(sense, 49)) + "TAA" for _ in range(2)]
    pieces = ["CCACC" + each[:40] + "GTAAAACAG" + each[40:] + "GGA" for each in coding]
    text = pieces[0] + str(Seq(pieces[1]).reverse_complement())
    genome = genome_of({"I": text})
    length = len(pieces[0])
    exons = np.array([[0, 45], [54, length]])
    cds = np.array([[5, 45], [54, length - 3]])
    transcripts = [
        Transcript(name="f", gene="f", contig="I", strand="+", biotype="mRNA", exons=exons, coding=cds),
        Transcript(
            name="r", gene="r", contig="I", strand="-", biotype="mRNA",
            exons=2 * length - exons[::-1, ::-1], coding=2 * length - cds[::-1, ::-1],
        ),
    ]  # fmt: skip
    genes, skipped = coding_genes(genome, transcripts, genetic_code(1))
    assert len(genes) == 2, skipped
    chains = chains_of([gene.protein for gene in genes], genes=genes, genome=genome, contig=np.zeros(2, dtype=np.int32))
    return genome, text, chains


def test_positions_are_drawn_once_each_from_where_every_target_is_known(drawn_codes):
    chains = chains_of([drawn_codes(seed, n, alphabet=PROTEIN) for seed, n in enumerate([40, 43, 300])])
    chain, residues = drawn_residues(chains, positions=8, shortest=10, ahead=30, rng=np.random.default_rng(1))
    assert np.bincount(chain).tolist() == [1, 4, 8]
    assert len(set(zip(chain.tolist(), residues.tolist(), strict=True))) == 13
    assert residues[chain == 0].tolist() == [10]
    assert residues[chain == 1].tolist() == [10, 11, 12, 13]
    assert residues.min() >= 10
    assert (residues <= chains.lengths[chain] - 30).all()


def test_truths_are_those_of_biopython_and_sites_are_sorted(drawn_codes):
    proteins = [drawn_codes(seed, 90, alphabet=PROTEIN) for seed in range(3)]
    chains = chains_of(proteins)
    rng = np.random.default_rng(1)
    chain, residues = drawn_residues(chains, positions=6, shortest=10, ahead=30, rng=rng)
    places, unknown = prefix_places(chains, ("p0", "p1", "p2"), chain[::-1], residues[::-1], ahead=30)
    assert unknown == 0
    assert (places.sites.position == places.residues - 1).all()
    for row, (number, t) in enumerate(zip(places.chain, places.residues, strict=True)):
        text = decode(proteins[number], PROTEIN)
        read = ProteinAnalysis(text[:t])
        assert places.truth["charge"][row] == pytest.approx(read.charge_at_pH(7.0), abs=1e-5)
        assert places.truth["charge_per_residue"][row] == pytest.approx(read.charge_at_pH(7.0) / t, abs=1e-6)
        assert places.truth["hydropathy"][row] == pytest.approx(read.gravy(), abs=1e-6)
        assert places.truth[AHEAD][row] == pytest.approx(ProteinAnalysis(text[t : t + 30]).gravy(), abs=1e-6)
        assert places.sites.block[row] == chains.cluster[number]


def test_places_without_a_truth_are_left_out_and_counted():
    protein = encode("X" * 12 + "A" * 40 + "X" * 40, PROTEIN)
    chains = chains_of([protein])
    residues = np.array([11, 13, 51, 53])  # nothing read, known, one known ahead, nothing ahead
    places, unknown = prefix_places(chains, ("p0",), np.zeros(4, dtype=np.int64), residues, ahead=30)
    assert places.residues.tolist() == [13, 51]
    assert unknown == 2


def test_a_place_is_the_last_base_of_its_codon_on_both_strands(made_genes):
    genome, text, chains = made_genes
    chain, residues = drawn_residues(chains, positions=8, shortest=10, ahead=30, rng=np.random.default_rng(1))
    places, _ = prefix_places(chains, genome.names, chain, residues, ahead=30)
    assert set(places.chain.tolist()) == {0, 1}
    assert set(places.sites.strand.tolist()) == {1, -1}
    for row, (number, t, place) in enumerate(zip(places.chain, places.residues, places.place, strict=True)):
        mrna = decode(chains.sequence(int(number)), DNA)
        prefix = mrna[5 : place + 1]
        assert len(prefix) == 3 * t
        assert str(Seq(prefix).translate()) == decode(chains.proteins[number][:t], PROTEIN)
        base = text[places.sites.position[row]]
        assert mrna[place] == (base if chains.strand[number] > 0 else str(Seq(base).complement()))


def test_frames_are_bases_of_the_codon_drawn(made_genes):
    genome, _, chains = made_genes
    chain = np.repeat([0, 1], 100)
    residues = np.full(200, 20, dtype=np.int64)
    places = frame_places(chains, genome.names, chain, residues, np.random.default_rng(1))
    frame = places.truth[FRAME]
    assert np.bincount(frame).min() > 40
    assert (places.place == chains.begins[places.chain] + 3 * 19 + frame).all()
    np.testing.assert_array_equal(places.sites.label, frame)


def test_prefix_composition_counts_the_known_residues_of_the_prefix(drawn_codes):
    proteins = tuple(drawn_codes(seed, 60, unknown=0.1, alphabet=PROTEIN) for seed in range(2))
    chain, residues = np.array([1, 0, 1]), np.array([60, 7, 1])
    found = prefix_composition(proteins, chain, residues)
    for row in range(3):
        read = proteins[chain[row]][: residues[row]]
        counts = np.bincount(read[read < 20], minlength=20)
        np.testing.assert_allclose(found[row, :20], counts)
        np.testing.assert_allclose(found[row, 20:40], counts / max(1, counts.sum()), rtol=1e-6)
        np.testing.assert_allclose(found[row, 40:], [residues[row], 1 / residues[row]], rtol=1e-6)


def test_controls_see_the_last_symbols_and_nothing_else():
    sequence = encode("ACGTACGTTT", DNA)
    last = last_symbols(sequence, np.array([2, 9]), 5, DNA.unknown)
    assert [decode(row, DNA) for row in last] == ["NNACG", "CGTTT"]
    np.testing.assert_allclose(recent_composition(last, 4), [[1 / 3, 1 / 3, 1 / 3, 0], [0, 0.2, 0.2, 0.6]], rtol=1e-6)
    words = recent_kmers(last, 4)
    assert words.shape == (2, 64 + 256)
    assert words.sum(axis=1).tolist() == [1, 5]  # ACG; CGT, GTT, TTT, CGTT, GTTT
    near = nearest_bases(last, 2, 4)
    np.testing.assert_array_equal(near, [[0, 1, 0, 0, 0, 0, 1, 0], [0, 0, 0, 1, 0, 0, 0, 1]])
    assert recent_kmers(np.zeros((1, 5), dtype=np.uint8), 20).shape == (1, 400)


def test_length_of_bases_tells_what_is_left_over_whole_codons():
    left = length_in_codons(np.array([30, 31, 32]))[:, -3:]
    np.testing.assert_array_equal(left, np.eye(3))
