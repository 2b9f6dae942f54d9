"""Rows dealt to processes: each read once, by one of them, as evenly as whole rows allow."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genolstm.alphabet import PROTEIN
from genolstm.model import NextSymbolModel
from genolstm.ranks import ALONE, Ranks
from genolstm.settings.model import ModelSettings
from genolstm.settings.reading import StreamSettings
from genolstm.strands import rows_of
from genolstm.stream.pieces import pieces_of
from genolstm.stream.reading import read_stretches
from genolstm.stream.sharding import own_pieces, owners_at, owners_of

SETTINGS = StreamSettings(lanes=3, chunk=32, burn_in=64, repair=False)


@given(lengths=st.lists(st.integers(0, 10_000), max_size=40), size=st.integers(1, 7))
def test_every_row_has_one_owner_and_nobody_has_a_whole_row_too_many(lengths, size):
    lengths = np.array(lengths, dtype=np.int64)
    owner = Ranks(rank=0, size=size).dealt(lengths)
    assert all(np.array_equal(Ranks(rank=rank, size=size).dealt(lengths), owner) for rank in range(size))
    loads = np.bincount(owner, weights=lengths, minlength=size)
    assert len(loads) == size
    for rank in range(size):
        last = lengths[owner == rank].min() if rank in owner else 0  # dealt last; before it nobody had less
        assert loads[rank] - last <= loads.min()


def test_one_process_has_every_row_and_cuts_them_as_ever(tiny_genome, stretches_of):
    stretches = stretches_of(tiny_genome)
    owner = owners_of(ALONE, tiny_genome, stretches, None)
    assert not owner.any()
    rows = rows_of(tiny_genome, stretches)
    assert own_pieces(rows, SETTINGS, owner == 0) == pieces_of(rows, SETTINGS)


@pytest.mark.parametrize("size", [2, 3, 12])
def test_processes_read_every_symbol_once_between_them(tiny_genome, stretches_of, size):
    stretches = stretches_of(tiny_genome)
    model = NextSymbolModel(ModelSettings(hidden=4), seed=1).eval()
    read, readers = Counter(), {}
    for rank in range(size):
        ranks = Ranks(rank=rank, size=size)
        for block in read_stretches(model, tiny_genome, stretches, SETTINGS, ranks=ranks):
            for lane, row in enumerate(block.row.tolist()):
                count = int(block.scored[lane].sum())
                read[row] += count
                if count:
                    readers.setdefault(row, set()).add(rank)
    lengths = np.tile(tiny_genome.lengths, 2)
    assert [read[row] for row in range(len(lengths))] == lengths.tolist()
    assert all(len(each) == 1 for each in readers.values())
    owner = owners_of(Ranks(size=size), tiny_genome, stretches, None)
    assert {row: {owner[row]} for row in readers} == readers


def test_the_owner_of_a_place_is_who_reads_its_stretch_along_that_strand(tiny_genome, stretches_of):
    rows = [("I", 10, 900, 0), ("I", 1000, 2500, 0), ("II", 0, 1700, 0), ("MT", 5, 60, 0)]
    stretches, ranks = stretches_of(tiny_genome, rows), Ranks(size=3)
    owner = owners_of(ranks, tiny_genome, stretches, None)
    for row, (contig, start, end, _) in enumerate(rows):
        address = tiny_genome.starts[tiny_genome.names.index(contig)] + np.array([start, end - 1])
        for strand in (0, 1):
            found = owners_at(ranks, tiny_genome, stretches, None, address, np.full(2, bool(strand)))
            assert found.tolist() == [owner[row + strand * len(rows)]] * 2


def test_proteins_have_one_strand_to_deal(genome_of, stretches_of):
    proteome = genome_of({"p": "MKV" * 30, "q": "MAA" * 20}, PROTEIN)
    assert sorted(owners_of(Ranks(size=2), proteome, stretches_of(proteome), None).tolist()) == [0, 1]


def test_what_is_read_before_a_stretch_counts_when_rows_are_dealt(tiny_genome, stretches_of):
    stretches = stretches_of(tiny_genome, [("I", 0, 100, 0), ("II", 0, 90, 0), ("III", 0, 80, 0)])
    exact = StreamSettings(exact=True)
    # along the forward strand 100, 90 and 80; from the contigs' ends, along the reverse one, 3000, 1700 and 411
    assert owners_of(Ranks(size=2), tiny_genome, stretches, exact).tolist() == [1, 1, 1, 0, 1, 1]
    assert owners_of(Ranks(size=2), tiny_genome, stretches, None).tolist() == [0, 0, 0, 1, 1, 1]


def test_alone_nothing_is_gathered_or_put_together():
    values = np.arange(6.0).reshape(3, 2)
    assert ALONE.gathered(values) is values
    ALONE.gather_into(values, np.zeros(3, dtype=np.int64))
    assert np.array_equal(values, np.arange(6.0).reshape(3, 2))
    assert torch.distributed.is_initialized() is False
