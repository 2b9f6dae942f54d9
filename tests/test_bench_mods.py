"""The made reads that `genolstm bench mods` times, and what both readers find in them."""

import json
import sys
from contextlib import suppress

import numpy as np
import pysam
import pytest

from genolstm.alphabet import DNA, decode
from genolstm.bench import made, mods
from genolstm.cli.app import main
from genolstm.methylation.counting import as_reference
from genolstm.readers.modification_loop import plain_loop
from genolstm.readers.modifications import count_calls
from genolstm.readers.motifs import motif_sites, parse_motif
from genolstm.settings.methylation import CountSettings
from genolstm.writers.bam import write_bam


@pytest.fixture
def made_bam(tmp_path):
    genome, _ = made.random_genome(20_000)
    write_bam(tmp_path / "made.bam", genome.length_of, mods.made_reads(genome, 12, 1000))
    return genome, tmp_path / "made.bam"


def test_both_readers_count_the_same_calls(made_bam):
    genome, path = made_bam
    reference, settings = as_reference(genome), CountSettings()
    found = count_calls(path, reference, motif_sites(reference, parse_motif("CG,0", "C")), settings)
    assert found.used == 12
    plain = plain_loop(path, "m", settings.threshold)
    every = zip(found.position, found.strand, found.modified[:, 0], found.covered[:, 0], strict=True)
    told = {(0, int(at), int(strand < 0)): [int(one), int(reads)] for at, strand, one, reads in every}
    assert told.items() <= plain.items()  # which counts calls off the motif too, beside indels
    assert sum(reads for _, reads in told.values()) > 0.9 * sum(reads for _, reads in plain.values()) > 200


def test_made_reads_are_the_genome_but_for_indels(made_bam):
    genome, path = made_bam
    letters = decode(genome.all_codes, DNA)
    strands, operations = set(), set()
    with pysam.AlignmentFile(str(path)) as file:
        for read in file:
            strands.add(read.is_reverse)
            operations |= {operation for operation, _ in read.cigartuples}
            pairs = read.get_aligned_pairs(matches_only=True)
            same = np.mean([read.query_sequence[query] == letters[at] for query, at in pairs])
            assert same == 1
            assert read.get_tag("MN") == len(read.query_sequence)
            called = {query for listed in read.modified_bases.values() for query, _ in listed}
            word = read.query_sequence
            assert {word[query - read.is_reverse : query + 2 - read.is_reverse] for query in called} == {"CG"}
    assert (strands, operations) == ({False, True}, {pysam.CMATCH, pysam.CINS, pysam.CDEL})


def test_modified_bases_are_timed_beside_the_plain_loop(monkeypatch, capsys):
    monkeypatch.setattr(mods, "GENOME_BASES", 20_000)
    monkeypatch.setattr(mods, "READS", 4)
    monkeypatch.setattr(mods, "READ_BASES", 1000)
    monkeypatch.setattr(sys, "argv", ["genolstm", "bench", "mods", "--rounds", "1", "-t", "1", "-q", "--json"])
    with suppress(SystemExit):  # 0, as what it prints shows
        main()
    (told,) = json.loads(capsys.readouterr().out)["timings"]
    assert (told["part"], told["unit"]) == ("mods", "bases")
    assert told["baseline"] == "pysam modified_bases + get_aligned_pairs loop"
    assert told["rate"] > 0
