"""Tables of known gates."""

import gzip

import pytest

from genolstm.errors import InputError
from genolstm.readers.rate_tables import read_rates

HEADER = "contig\tposition\tstrand\trate_per_hour\tsteady_fraction\n"


def test_rows_are_sorted_and_further_columns_left_alone(tmp_path):
    path = tmp_path / "t.tsv.gz"
    path.write_bytes(gzip.compress(f"{HEADER}II\t9\t.\t0.5\t0.25\nI\t4\t.\t1\t1\nII\t3\t.\t2\t0\n\n".encode()))
    table = read_rates(path, "hour")
    assert table.contigs == ("II", "I")
    assert table.contig.tolist() == [0, 0, 1]
    assert table.position.tolist() == [3, 9, 4]
    assert table.rate.tolist() == [2, 0.5, 1]
    assert table.steady.tolist() == [0, 0.25, 1]


@pytest.mark.parametrize(
    ("text", "unit", "sentence"),
    [
        ("", "hour", "has no column 'contig'; its first line must name contig, position, rate_per_hour"),
        (HEADER, "division", "has no column 'rate_per_division'"),
        (HEADER, "hour", "has a header but no CpGs"),
        (HEADER + "I\t4\n", "hour", "line 2 has 2 fields, fewer than the header"),
        (HEADER + "I\tx\t.\t1\t1\n", "hour", r"line 2 holds 'I\tx\t.\t1\t1', where numbers are needed"),
        (HEADER + "I\t4\t.\t0\t1\n", "hour", "line 2: position 4, rate 0 or steady fraction 1 cannot be"),
        (HEADER + "I\t4\t.\t1\t1.5\n", "hour", "fraction 1.5 cannot be"),
        (HEADER + "I\t4\t.\tnan\t0.5\n", "hour", "rate nan or"),
        (HEADER + "I\t4\t.\t1\t1\nI\t4\t.\t1\t1\n", "hour", "names I position 4 twice"),
    ],
)
def test_tables_that_make_no_sense_are_refused(tmp_path, text, unit, sentence):
    path = tmp_path / "t.tsv"
    path.write_text(text)
    with pytest.raises(InputError) as problem:
        read_rates(path, unit)
    assert sentence in str(problem.value)
    assert str(path) in str(problem.value)


def test_missing_table_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_rates(tmp_path / "gone.tsv", "hour")
