"""Rows on the genome as BED."""

import numpy as np
import pytest

from genolstm.errors import UsageError
from genolstm.export.intervals import bed_slabs, further_columns, scoring_of
from genolstm.regions import Region
from genolstm.settings.export import Scale
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
    return [row for slab in bed_slabs(table(), region) for row in zip(*map(list, slab[:6]), strict=True)]


def test_rows_are_sorted_by_contig_of_the_genome_and_start():
    assert [row[:3] for row in rows_of()] == [("b", 10, 13), ("b", 90, 93), ("a", 2, 5), ("a", 5, 8)]


def test_score_is_a_whole_number_from_0_to_1000_and_told():
    assert [row[4] for row in rows_of()] == [0, 1000, 500, 250]
    assert scoring_of(table()).meaning == "of column forget (mean forget gate): 1000 x value, at most 1000"


def test_strand_follows_its_row():
    assert [row[5] for row in rows_of()] == [0, -1, 1, 1]


def test_region_keeps_what_overlaps_it():
    assert [row[:2] for row in rows_of(Region(contig="a", start=4, end=6))] == [("a", 2), ("a", 5)]
    assert rows_of(Region(contig="a", start=8, end=9)) == []


def test_rows_without_places_are_refused():
    with pytest.raises(UsageError, match=r"have no place on the genome: write them as \.tsv"):
        list(bed_slabs(table(places=False), None))


def probe_table(**columns):
    def reader(values):
        return lambda first, stop: values[first:stop]

    def of(first, stop):
        rows = slice(first, stop)
        return Span(CONTIG[rows], START[rows], START[rows] + 3, STRAND[rows])

    named = tuple(
        Column(name, "log odds" if "log_odds" in name else "", "what it is", reader(values))
        for name, values in columns.items()
    )
    where = Places(of, single=False, stranded=True)
    return Table(name="donor/sites", rows=4, columns=named, places=where, contigs=("b", "a"))


def test_trained_log_odds_come_before_those_of_controls():
    odds = np.array([0.0, 2.0, -2.0, 9.0], np.float32)
    found = scoring_of(probe_table(untrained_1_log_odds=-odds, trained_log_odds=odds))
    assert found.meaning == (
        "of column trained_log_odds (probability of a true site by the probe of the trained model):"
        " 1000 x probability (the logistic function of the log odds)"
    )
    assert found.scores(1, 3).tolist() == [881, 119]
    assert scoring_of(probe_table(untrained_1_log_odds=-odds), "untrained_1_log_odds").scores(1, 3).tolist() == [
        119, 881,
    ]  # fmt: skip


def test_several_classes_are_scored_by_their_likeliest_or_by_one_that_is_named():
    odds = {"a": [1.0, 0.0, 0.0, 5.0], "b": [0.0, 2.0, 0.0, 0.0], "c": [0.0, 0.0, 0.0, 0.0]}
    columns = {f"trained_class_log_odds_{name}": np.array(values) for name, values in odds.items()}
    probability = np.exp(list(odds.values())) / np.exp(list(odds.values())).sum(axis=0)
    found = scoring_of(probe_table(**columns))
    assert found.scores(0, 4).tolist() == np.rint(1000 * probability.max(axis=0)).tolist()
    assert found.meaning == "1000 x probability of the likeliest class, of columns trained_class_log_odds_*"
    plain = {name.removeprefix("trained_"): values for name, values in columns.items()}  # as predictions name them
    assert scoring_of(probe_table(**plain)).scores(0, 4).tolist() == found.scores(0, 4).tolist()
    of_b = scoring_of(probe_table(**columns), "trained_class_log_odds_b")
    assert of_b.scores(0, 4).tolist() == np.rint(1000 * probability[1]).tolist()


def test_a_column_of_no_known_scale_goes_from_its_lowest_to_its_highest():
    found = scoring_of(probe_table(shift=np.array([1.0, np.nan, 3.0, 2.0])), "shift")
    assert found.meaning == "of column shift (what it is): 0 at the lowest value, 1000 at the highest (1 and 3)"
    assert found.scores(0, 4).tolist() == [0, 0, 1000, 500]


def test_a_table_without_a_known_column_has_score_0_and_says_so():
    found = scoring_of(probe_table(shift=np.arange(4.0)))
    assert found.scores(0, 4).tolist() == [0, 0, 0, 0]
    assert "name one with --score-column" in found.meaning


def test_columns_that_are_kept_stay_with_their_rows():
    made = probe_table(label=np.array([4, 3, 2, 1]), word=["d", "c", "b", "a"])
    (slab,) = bed_slabs(made, None, further=further_columns(made, ["all"]))
    assert slab.start.tolist() == [10, 90, 2, 5]
    assert slab.further[0].tolist() == [2, 3, 1, 4]
    assert slab.further[1] == ["b", "c", "a", "d"]


@pytest.mark.parametrize(
    ("column", "scale", "words"),
    [
        ("missing", None, r"table 'donor/sites' has no column 'missing'; it has word"),
        ("word", None, "column 'word' of table 'donor/sites' holds text: name one of numbers"),
        (None, Scale.COUNT, "--score-scale needs the column that it is of"),
    ],
)
def test_scores_that_cannot_be_are_refused(column, scale, words):
    with pytest.raises(UsageError, match=words):
        scoring_of(probe_table(word=["d", "c", "b", "a"]), column, scale)


def test_a_column_to_keep_that_is_not_there_is_refused():
    with pytest.raises(UsageError, match="has no column 'x' to keep; it has label"):
        further_columns(probe_table(label=np.arange(4)), ["label", "x"])
