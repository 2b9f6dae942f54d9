"""Rows on the genome as BED."""

import numpy as np
import pytest

from genolstm.errors import UsageError
from genolstm.export.intervals import bed_score, bed_slabs
from genolstm.regions import Region
from genolstm.store.places import Places, Span
from genolstm.store.tables import Column, Table

CONTIG, START = np.array([1, 0, 0, 1]), np.array([5, 90, 10, 2])
FORGET = np.array([0.25, 2.0, np.nan, 0.5])
STRAND = np.array([1, -1, 0, 1], dtype=np.int8)


def table(places=True):
    def of(first, stop):
        rows = slice(first, stop)
        return Span(CONTIG[rows], START[rows], START[rows] + 3, STRAND[rows])

    columns = (Column("forget", "", "", lambda first, stop: FORGET[first:stop]),)
    where = Places(of, single=False, stranded=True) if places else None
    return Table(name="resets", rows=4, columns=columns, places=where, contigs=("b", "a"))


def rows_of(region=None):
    return [row for slab in bed_slabs(table(), region) for row in zip(*map(list, slab), strict=True)]


def test_rows_are_sorted_by_contig_of_the_genome_and_start():
    assert [row[:3] for row in rows_of()] == [("b", 10, 13), ("b", 90, 93), ("a", 2, 5), ("a", 5, 8)]


def test_score_is_a_whole_number_from_0_to_1000_and_told():
    assert [row[4] for row in rows_of()] == [0, 1000, 500, 250]
    assert bed_score(table()) == "1000 x mean forget gate"


def test_strand_follows_its_row():
    assert [row[5] for row in rows_of()] == [".", "-", "+", "+"]


def test_region_keeps_what_overlaps_it():
    assert [row[:2] for row in rows_of(Region(contig="a", start=4, end=6))] == [("a", 2), ("a", 5)]
    assert rows_of(Region(contig="a", start=8, end=9)) == []


def test_rows_without_places_are_refused():
    with pytest.raises(UsageError, match=r"have no place on the genome: write them as \.tsv"):
        list(bed_slabs(table(places=False), None))
