"""Candidates of a natural ratio counted on the genome, against a loop over every place."""

import numpy as np
import pytest

from genolstm.alphabet import reverse_complement
from genolstm.probes import natural_ratio
from genolstm.probes.controls import around_sites
from genolstm.probes.natural_ratio import kmers_of_positives, shared_kmer
from genolstm.regions import Region, Sites, stretches_of

LETTERS = "ACGTN"


@pytest.fixture(scope="module")
def genome(genome_of, drawn_codes):
    return genome_of({"a": drawn_codes(1, 900, unknown=0.03), "b": drawn_codes(2, 500)})


def sites_of(genome, rows):
    contig, position, strand = np.array(sorted(rows)).T
    nothing = np.zeros(len(rows), dtype=np.int8)
    return Sites(
        contigs=genome.names, contig=contig.astype(np.int32), position=position, strand=strand.astype(np.int8),
        label=nothing, part=nothing, block=nothing.astype(np.int64),
    )  # fmt: skip


def text_of(genome, name):
    first = int(genome.starts[genome.names.index(name)])
    return genome.all_codes[first : first + genome.length_of[name]]


def word_at(genome, name, position, strand, first, length):
    """The k-mer beside a place along its strand, as text; '' past the contig's ends or with an N."""
    codes = text_of(genome, name)
    if strand < 0:
        codes, position = reverse_complement(codes), len(codes) - 1 - position
    low = position + first
    word = "".join(LETTERS[each] for each in codes[max(low, 0) : low + length]) if low >= 0 else ""
    return word if len(word) == length and "N" not in word else ""


@pytest.mark.parametrize(("first", "length"), [(0, 2), (-1, 2), (-1, 3), (-3, 4), (1, 2), (-5, 3)])
@pytest.mark.parametrize("strands", [(1,), (-1,), (-1, 1)])
def test_candidates_are_those_of_a_loop_over_every_place(genome, first, length, strands, monkeypatch):
    monkeypatch.setattr(natural_ratio, "SLAB", 64)
    positives = sites_of(genome, [(0, 100 + 7 * n, strands[n % len(strands)]) for n in range(6)])
    kind = kmers_of_positives(genome, positives, first, length)
    words = {
        word_at(genome, "a", int(p), int(s), first, length)
        for p, s in zip(positives.position, positives.strand, strict=True)
    } - {""}
    regions = [Region(contig="a", start=0, end=400), Region(contig="a", start=500, end=900),
               Region(contig="b", start=3, end=499)]  # fmt: skip
    expected = sum(
        word_at(genome, region.contig, position, strand, first, length) in words
        for region in regions for position in range(region.start, region.end) for strand in strands
    )  # fmt: skip
    assert kind.places_in(genome, stretches_of(regions, genome.names)) == expected
    assert expected > 20


def test_a_kmer_that_all_sites_share_is_found_around_the_site(genome):
    both = [
        (index, position, strand)
        for index, name in enumerate(genome.names) for position in range(20, 400) for strand in (1, -1)
        if word_at(genome, name, position, strand, -1, 2) == "AG"
    ]  # fmt: skip
    sites = sites_of(genome, both)
    assert shared_kmer(around_sites(genome, sites, 6), 4) == (-1, 2)
    kind = kmers_of_positives(genome, sites, -1, 2)
    assert kind.described() == "that have AG at -1 of the site, on both strands"
    others = sites_of(genome, [(0, position, 1) for position in range(20, 400)])
    assert shared_kmer(around_sites(genome, others, 6), 4) is None
