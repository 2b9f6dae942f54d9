"""Tables of any length as text."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genolstm.errors import InputError
from genolstm.writers.rows import MISSING, spelled, write_rows


@given(arrays(np.float32, st.integers(0, 20), elements=st.floats(width=32)))
def test_float32_comes_back_to_the_same_bits(values):
    back = [np.nan if word == MISSING else float(word) for word in spelled(values)]
    np.testing.assert_array_equal(np.array(back, dtype=np.float32), values)


@given(arrays(np.float64, st.integers(0, 20), elements=st.floats()))
def test_float64_comes_back_to_the_same_bits(values):
    back = [np.nan if word == MISSING else float(word) for word in spelled(values)]
    np.testing.assert_array_equal(np.array(back), values)


def test_float32_is_as_short_as_it_can_be():
    assert list(spelled(np.array([0.1, 1 / 3, np.nan, 2], dtype=np.float32))) == ["0.1", "0.33333334", "NA", "2.0"]


def test_a_name_with_a_tab_does_not_break_its_row(tmp_path):
    path = tmp_path / "t.tsv"
    assert write_rows(path, ["name", "n"], [[["a\tb\nc"], np.array([1])], [["d"], np.array([2])]]) == 2
    assert path.read_text() == "name\tn\na b c\t1\nd\t2\n"


def test_gz_is_bgzip_which_gzip_reads(tmp_path):
    path = tmp_path / "t.tsv.gz"
    write_rows(path, None, [[np.arange(3)]])
    assert gzip.decompress(path.read_bytes()) == b"0\n1\n2\n"
    assert b"BC\x02\x00" in path.read_bytes()[:18]


def test_failure_on_the_way_leaves_nothing(tmp_path):
    def slabs():
        yield [np.arange(3)]
        raise InputError("no more")

    with pytest.raises(InputError, match="no more"):
        write_rows(tmp_path / "t.tsv", ["n"], slabs())
    with pytest.raises(InputError, match="its folder is gone"):
        write_rows(tmp_path / "gone" / "t.tsv", ["n"], [])
    assert list(tmp_path.iterdir()) == []
