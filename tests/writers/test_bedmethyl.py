"""bedMethyl: what is written is what is read, and a failure leaves nothing behind."""

import gzip
import os
import resource

import numpy as np
import pysam
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genolstm.errors import InputError
from genolstm.readers.count_tables import read_count_table
from genolstm.readers.motifs import parse_motif
from genolstm.settings.methylation import CountSettings
from genolstm.writers.bedmethyl import write_bedmethyl


def columns_of(rows):
    """Columns from (contig, position, strand, modified, covered)."""
    contig, position, strand, modified, covered = zip(*rows, strict=True)
    return {
        "contigs": ("I", "II"), "contig": np.array(contig, np.int32), "position": np.array(position, np.int64),
        "strand": np.array(strand, np.int8), "modified": np.array(modified, np.int32),
        "covered": np.array(covered, np.int32),
    }  # fmt: skip


def test_columns_are_those_of_encode(tmp_path):
    path = tmp_path / "s.bed"
    rows = [(0, 4, 1, 3, 9), (0, 5, -1, 0, 0), (1, 7, 0, 2000, 2000)]
    assert write_bedmethyl(path, **columns_of(rows), code="m") == 2
    assert path.read_text() == (
        "I\t4\t5\tm\t9\t+\t4\t5\t255,0,0\t9\t33.33\nII\t7\t8\tm\t1000\t.\t7\t8\t255,0,0\t2000\t100.00\n"
    )
    assert os.listdir(tmp_path) == ["s.bed"]  # noqa: PTH208


@given(
    counts=st.lists(
        st.integers(0, 10_000_000).flatmap(lambda covered: st.tuples(st.integers(0, covered), st.just(covered))),
        min_size=1,
        max_size=20,
    ),
    strand=st.sampled_from([1, -1, 0]),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_counts_come_back_equal(tmp_path, counts, strand):
    rows = [(0, 10 * place, strand, *pair) for place, pair in enumerate(counts) if pair[1]]
    if not rows:
        return
    write_bedmethyl(tmp_path / "s.bed", **columns_of(rows), code="m")
    found = read_count_table(tmp_path / "s.bed", parse_motif("CG,0", "C"), CountSettings(), None, None)
    told = zip(found.contig, found.position, found.strand, found.modified[:, 0], found.covered[:, 0], strict=True)
    assert [tuple(map(int, row)) for row in told] == rows


def test_name_in_gz_is_bgzip_that_tabix_can_index(tmp_path):
    path = tmp_path / "s.bed.gz"
    rows = [(0, 10 * place, 1, 1, 2) for place in range(100)]
    write_bedmethyl(path, **columns_of(rows), code="m")
    assert len(gzip.decompress(path.read_bytes()).splitlines()) == 100
    pysam.tabix_index(str(path), preset="bed")
    with pysam.TabixFile(str(path)) as index:
        assert len([*index.fetch("I", 0, 55)]) == 6


def test_failure_leaves_the_target_as_it_was(tmp_path):
    path = tmp_path / "s.bed"
    path.write_text("before")
    broken = columns_of([(9, 1, 1, 1, 1)])  # a contig that is not there
    with pytest.raises(IndexError):
        write_bedmethyl(path, **broken, code="m")
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["s.bed"]


def test_folder_that_is_gone_is_told(tmp_path):
    with pytest.raises(InputError, match=r"s\.bed cannot be written: its folder is gone"):
        write_bedmethyl(tmp_path / "gone" / "s.bed", **columns_of([(0, 1, 1, 1, 1)]), code="m")


@pytest.mark.parametrize("name", ["s.bed", "s.bed.gz"])
def test_disk_that_takes_no_more_is_told(tmp_path, name):
    rows = [(0, 7 * place, 1, place % 5, 4 + place % 7) for place in range(20_000)]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(InputError, match="was not written"):
            write_bedmethyl(tmp_path / name, **columns_of(rows), code="m")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [*tmp_path.iterdir()] == []
