"""Counts per base: the same as counting in one array, wherever bins and blocks end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolstm.readers import compiled as compiled_module
from genolstm.readers import tally as tally_module
from genolstm.readers.tally import Tally, laid_out, no_stretches

LENGTHS = {"a": 40, "b": 1, "c": 23}
TOTAL = sum(LENGTHS.values())
FIRST = np.cumsum([0, *LENGTHS.values()])


def spans():
    def within(contig):
        low, high = int(FIRST[contig]), int(FIRST[contig + 1])
        return st.tuples(st.integers(low, high - 1), st.integers(low + 1, high)).map(lambda p: (min(p), max(p)))

    return st.lists(st.integers(0, 2).flatmap(within).filter(lambda p: p[0] < p[1]), max_size=60)


def dense(runs):
    values = np.zeros(TOTAL, np.int64)
    for block in runs:
        for contig, start, length, count in zip(*block, strict=True):
            assert count > 0
            assert start + length <= LENGTHS["abc"[contig]]
            values[FIRST[contig] + start :][:length] += count
    return values


@given(spans=spans(), masked=spans(), bits=st.integers(1, 7), held=st.integers(1, 40), pieces=st.integers(1, 9))
def test_counts_equal_those_of_one_array(spans, masked, bits, held, pieces, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp()
    expected = np.zeros(TOTAL, np.int64)
    for start, end in spans:
        expected[start:end] += 1
    inside = np.zeros(TOTAL, bool)
    for start, end in masked:
        inside[start:end] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(int)))
    starts, ends = np.array(spans, np.int64).reshape(-1, 2).T
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tally_module, "BIN_BITS", bits)
        patch.setattr(tally_module, "BIN_BP", 1 << bits)
        patch.setattr(tally_module, "HELD", held)
        with Tally(LENGTHS, edges.reshape(-1, 2), folder) as tally:
            for first in range(0, len(spans), pieces):
                tally.add_spans(starts[first : first + pieces], ends[first : first + pieces])
            blocks = list(tally.runs())
            intervals = tally.blacklisted_intervals()
        with Tally(LENGTHS, edges.reshape(-1, 2), folder) as tally:
            dropped = sum(tally.add_cuts(starts[first : first + pieces]) for first in range(0, len(spans), pieces))
            cuts = dense(tally.runs())
    assert np.array_equal(dense(blocks), np.where(inside, 0, expected))
    columns = [np.concatenate([block[column] for block in blocks] or [np.empty(0)]) for column in range(4)]
    touching = (columns[0][1:] == columns[0][:-1]) & ((columns[1] + columns[2])[:-1] == columns[1][1:])
    assert not (touching & (columns[3][1:] == columns[3][:-1])).any()  # runs are as long as they can be
    where = np.bincount(starts, minlength=TOTAL)
    assert np.array_equal(cuts, np.where(inside, 0, where))
    assert dropped == where[inside].sum()
    rebuilt = np.zeros(TOTAL, bool)
    for contig, start, end in zip(*intervals, strict=True):
        assert 0 <= start < end <= LENGTHS["abc"[contig]]
        rebuilt[FIRST[contig] + start : FIRST[contig] + end] = True
    assert np.array_equal(rebuilt, inside)


def test_intervals_that_overlap_or_touch_become_one_stretch():
    contig, start, end = np.array([2, 0, 0, 0]), np.array([0, 5, 20, 9]), np.array([3, 9, 30, 12])
    assert laid_out(contig, start, end, LENGTHS).tolist() == [[5, 12], [20, 30], [41, 44]]
    assert laid_out(contig[:0], start[:0], end[:0], LENGTHS).shape == no_stretches().shape == (0, 2)


def test_memory_holds_one_buffer_and_one_bin_however_many_cuts_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(tally_module, "HELD", 1000)
    with Tally({"a": 300_000_000}, no_stretches(), tmp_path) as tally:
        for _ in range(20):
            tally.add_cuts(np.arange(0, 300_000_000, 3_000_000))
            assert tally.starts.n_waiting < 1000
        total = sum(int(runs.counts.sum()) for runs in tally.runs())
    assert total == 2000
    assert not list(tmp_path.iterdir())


def test_compilation_works_where_nothing_may_be_cached(monkeypatch):
    """Numba raises this where neither the source's folder nor the user's may be written to."""
    njit = compiled_module.numba.njit

    def refusing(*, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(compiled_module.numba, "njit", refusing)

    def twice(number: int) -> int:
        return 2 * number

    assert compiled_module.compiled(twice)(4) == 8


def test_run_ends_with_its_contig_though_the_next_begins_with_the_same_count(tmp_path):
    with Tally(LENGTHS, no_stretches(), tmp_path) as tally:
        tally.add_spans(FIRST[:3], FIRST[1:])
        (*blocks,) = tally.runs()
    columns = [np.concatenate(column).tolist() for column in zip(*blocks, strict=True)]
    assert columns == [[0, 1, 2], [0, 0, 0], [40, 1, 23], [1, 1, 1]]
