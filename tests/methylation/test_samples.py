"""Counts files side by side."""

from contextlib import ExitStack

import numpy as np
import pytest

from genolstm.errors import InputError
from genolstm.methylation import samples
from genolstm.methylation.samples import by_age, joined, side_by_side
from genolstm.store.counts import Counts, open_counts, write_counts
from genolstm.store.files import Records


def table(rows, samples=("s",), contigs=("I", "II")):
    """Rows of contig, position, strand, then modified and covered of each sample."""
    columns = np.array(rows, dtype=np.int64).reshape(len(rows), -1)
    return Counts(
        contigs=contigs,
        contig=columns[:, 0].astype(np.int32),
        position=columns[:, 1],
        strand=columns[:, 2].astype(np.int8),
        modified=columns[:, 3::2].astype(np.int32),
        covered=columns[:, 4::2].astype(np.int32),
        samples=samples,
    )


def test_sites_of_all_files_are_there_and_reads_lie_where_they_belong():
    first = table([(0, 5, 0, 1, 2), (1, 1, 0, 3, 3)], ("a",))
    second = table([(0, 2, 0, 7, 9), (1, 1, 0, 4, 8)], ("b",))
    both = joined([first, second], ["one.h5", "two.h5"])
    assert both.samples == ("a", "b")
    assert both.position.tolist() == [2, 5, 1]
    assert both.modified.tolist() == [[0, 7], [1, 0], [3, 4]]
    assert both.covered.tolist() == [[0, 9], [2, 0], [3, 8]]


def test_contigs_in_another_order_are_found_by_name():
    second = table([(0, 1, 0, 4, 8)], ("b",), contigs=("II", "I"))
    both = joined([table([(1, 1, 0, 3, 3)], ("a",)), second], ["one", "two"])
    assert both.modified.tolist() == [[3, 4]]


def test_strands_are_sites_of_their_own():
    both = joined([table([(0, 5, -1, 1, 1), (0, 5, 1, 1, 2)], ("a",)), table([(0, 5, 1, 2, 2)], ("b",))], ["x", "y"])
    assert both.covered.tolist() == [[1, 0], [2, 2]]


def test_samples_of_one_name_are_told_apart_by_their_file():
    both = joined([table([(0, 5, 0, 1, 2)]), table([(0, 5, 0, 1, 2)])], ["one.h5", "two.h5"])
    assert both.samples == ("one.h5:s", "two.h5:s")


def test_one_file_is_left_as_it_is():
    only = table([(0, 5, 0, 1, 2)])
    assert joined([only], ["one"]) is only


def test_files_that_do_not_belong_together_are_refused():
    with pytest.raises(InputError, match=r"one.h5 and two.h5 name different contigs \(I, II \.\.\.; chr1 \.\.\.\)"):
        joined([table([(0, 5, 0, 1, 2)]), table([(0, 5, 0, 1, 2)], contigs=("chr1",))], ["one.h5", "two.h5"])
    with pytest.raises(InputError, match=r"one of one\.h5 and two\.h5 has its strands merged and the other not"):
        joined([table([(0, 5, 0, 1, 2)]), table([(0, 5, 1, 1, 2)])], ["one.h5", "two.h5"])


def test_times_must_be_as_many_as_samples_and_two_at_least():
    counts = table([(0, 5, 0, 1, 2, 1, 2)], ("a", "b"))
    by_age(counts, (0.0, 1.0))
    with pytest.raises(InputError, match=r"3 times were given for 2 samples \(a, b\)"):
        by_age(counts, (0.0, 1.0, 2.0))
    with pytest.raises(InputError, match="1 sample is not enough"):
        by_age(table([(0, 5, 0, 1, 2)]), (1.0,))


def test_files_side_by_side_are_read_in_parts_as_they_are_whole(tmp_path, provenance, monkeypatch):
    monkeypatch.setattr(samples, "BLOCK_SITES", 7)
    rng = np.random.default_rng(2)
    tables = []
    for names in (("I", "II", "III"), ("III", "I", "II"), ("I", "II", "III")):
        drawn = np.stack([rng.integers(0, 3, 60), rng.integers(0, 40, 60), rng.choice([-1, 1], 60)], axis=1)
        places = np.unique(drawn, axis=0).tolist()
        rows = [(*place, int(n // 2), int(n)) for place, n in zip(places, rng.integers(1, 9, 60), strict=False)]
        tables.append(table(rows, contigs=names))
    files = [tmp_path / f"{place}.h5" for place in range(len(tables))]
    for path, each in zip(files, tables, strict=True):
        write_counts(path, each, Records(), provenance)
    whole = joined(tables, [str(path) for path in files])
    with ExitStack() as stack:
        opened = [stack.enter_context(open_counts(path)) for path in files]
        parts = side_by_side(opened, [str(path) for path in files])
        assert (len(parts), parts.samples, parts.contigs) == (len(whole), whole.samples, whole.contigs)
        assert len(parts.blocks) > 10
        for first, end in ((0, len(whole)), (3, 31), (len(whole) - 1, len(whole)), (5, 5), (20, 10**9)):
            same(parts.part(first, end), whole.part(first, end))
        assert side_by_side(opened[:1], ["one"]) is opened[0]


def test_one_sample_of_a_file_is_read_alone(tmp_path, provenance):
    both = table([(0, 5, 0, 1, 2, 3, 4), (1, 9, 0, 0, 7, 5, 5)], ("a", "b"))
    write_counts(tmp_path / "c.h5", both, Records(), provenance)
    with open_counts(tmp_path / "c.h5") as file:
        alone = file.only("b", "renamed").part(1, 2)
    assert alone.samples == ("renamed",)
    assert (alone.modified.tolist(), alone.covered.tolist(), alone.position.tolist()) == ([[5]], [[5]], [9])


def same(one, two):
    for name, value in vars(one).items():
        np.testing.assert_array_equal(value, getattr(two, name), err_msg=name)
