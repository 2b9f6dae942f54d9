import math

import numpy as np
import pytest

from genolstm.errors import InputError
from genolstm.settings.export import Scale
from genolstm.writers.bed import BedRows, bed_scores, write_bed

ODDS = np.array([-800.0, -2.0, 0.0, 3.0, 800.0, np.nan, np.inf, -np.inf])


def rows(**changed):
    columns = {
        "contig": ["a", "b"], "start": np.array([1, 5]), "end": np.array([2, 9]), "name": ["x\ty", ""],
        "score": np.array([0, 1000]), "strand": np.array([-1, 0], np.int8),
    } | changed  # fmt: skip
    return BedRows(**columns)


def test_log_odds_become_a_thousand_times_their_probability():
    expected = [round(1000 / (1 + math.exp(-each))) for each in (-2.0, 0.0, 3.0)]
    assert bed_scores(ODDS, Scale.LOG_ODDS).tolist() == [0, *expected, 1000, 0, 1000, 0]


@pytest.mark.parametrize(
    ("scale", "values", "expected"),
    [
        (Scale.FRACTION, [0.0, 0.2504, 1.0, 1.7, -0.1, np.nan], [0, 250, 1000, 1000, 0, 0]),
        (Scale.COUNT, [0, 7, 999, 4000], [0, 7, 999, 1000]),
        (Scale.RANGE, [2.0, 3.0, 4.0, 6.0], [0, 250, 500, 1000]),
    ],
)
def test_each_scale_gives_whole_numbers_from_0_to_1000(scale, values, expected):
    found = bed_scores(np.array(values), scale, (2.0, 6.0))
    assert found.dtype == np.int64
    assert found.tolist() == expected


def test_values_that_are_all_alike_have_a_range_of_nothing():
    assert bed_scores(np.full(3, 5.0), Scale.RANGE, (5.0, 5.0)).tolist() == [0, 0, 0]


def test_six_columns_have_no_header_and_names_cannot_break_a_row(tmp_path):
    out = tmp_path / "x.bed"
    assert write_bed(out, [rows()]) == 2
    assert out.read_text() == "a\t1\t2\tx y\t0\t-\nb\t5\t9\t.\t1000\t.\n"


def test_further_columns_follow_under_a_comment_that_names_them(tmp_path):
    out = tmp_path / "x.bed"
    further = (np.array([0.5, np.nan]), ["train", "test"])
    assert write_bed(out, [rows(further=further)], further=["odds", "part"]) == 2
    assert out.read_text() == (
        "#contig\tstart\tend\tname\tscore\tstrand\todds\tpart\na\t1\t2\tx y\t0\t-\t0.5\ttrain\n"
        "b\t5\t9\t.\t1000\t.\tNA\ttest\n"
    )


@pytest.mark.parametrize("contig", ["#a", "track", "browser", "a b"])
def test_contigs_that_would_be_read_as_something_else_are_refused(tmp_path, contig):
    out = tmp_path / "x.bed"
    with pytest.raises(InputError, match=f"contig '{contig}' cannot be written as BED"):
        write_bed(out, [rows(contig=["a", contig])])
    assert not list(tmp_path.iterdir())
