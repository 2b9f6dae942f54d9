"""Tables of text."""

import numpy as np
import pytest

from genolstm.errors import InputError
from genolstm.writers.tables import write_table


def test_columns_stand_beside_each_other(tmp_path):
    path = tmp_path / "t.tsv"
    columns = [("contig", ["I", "II"]), ("start", np.array([1, 10**12])), ("x", np.array([np.nan, 1 / 3]))]
    write_table(path, columns)
    assert path.read_text() == "contig\tstart\tx\nI\t1\t.\nII\t1000000000000\t0.333333\n"
    write_table(path, columns, header=False)
    assert path.read_text().startswith("I\t1")
    assert [each.name for each in tmp_path.iterdir()] == ["t.tsv"]


def test_columns_of_different_lengths_leave_nothing_behind(tmp_path):
    with pytest.raises(ValueError, match="zip"):
        write_table(tmp_path / "t.tsv", [("a", [1, 2]), ("b", [1])])
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="its folder is gone"):
        write_table(tmp_path / "gone" / "t.tsv", [("a", ["1"])])
