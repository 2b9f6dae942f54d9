"""Counts files: what is written is what is read, and counts that cannot be are refused."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genolstm.errors import InputError
from genolstm.store.counts import Calling, Counts, read_calling, read_counts, write_counts
from genolstm.store.files import Records, open_file
from genolstm.store.schema import Kind, problems


def made_counts(n=40, samples=3, seed=1):
    """Sites on three contigs, the second of them empty, both strands of every other place."""
    rng = np.random.default_rng(seed)
    position = np.repeat(np.arange(n), 2)[:n] * 7
    covered = rng.integers(0, 9, (n, samples)).astype(np.int32)
    return Counts(
        contigs=("I", "II", "III"),
        contig=np.repeat([0, 2], [n // 4 * 2, n - n // 4 * 2]).astype(np.int32),
        position=position,
        strand=np.tile(np.array([-1, 1], dtype=np.int8), n)[:n],
        modified=rng.binomial(covered, 0.5).astype(np.int32),
        covered=covered,
        samples=tuple(f"t{hour}" for hour in range(samples)),
    )


def assert_same(one, other):
    for field in dataclasses.fields(Counts):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(mine, theirs, strict=True)
        else:
            assert mine == theirs


@given(n=st.integers(0, 50), samples=st.integers(1, 4), seed=st.integers(0, 9))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_read_is_what_was_written(tmp_path, provenance, n, samples, seed):
    counts = made_counts(n, samples, seed)
    write_counts(tmp_path / "c.h5", counts, Records(), provenance)
    assert_same(read_counts(tmp_path / "c.h5"), counts)


def test_file_follows_its_table_and_says_how_reads_became_counts(tmp_path, provenance):
    path = tmp_path / "c.h5"
    calling = Calling("mh", "GATC,1", 0.8)
    write_counts(path, made_counts(), Records(read=5, used=4, skipped={"unmapped": 1}), provenance, calling)
    assert read_calling(path) == calling
    with open_file(path, Kind.COUNTS, verify=True) as file:
        assert problems(file, Kind.COUNTS) == []
        assert json.loads(file.attrs["records"]) == {"read": 5, "used": 4, "skipped": {"unmapped": 1}}
        assert file.attrs["merged"] == 0
        assert file["sites/covered"].compression == "gzip"


def test_merged_sites_are_told_and_given_counts_have_no_threshold(tmp_path, provenance):
    counts = made_counts(12)
    merged = dataclasses.replace(counts, strand=np.zeros(12, np.int8), position=np.arange(12))
    write_counts(tmp_path / "c.h5", merged, Records(), provenance)
    with open_file(tmp_path / "c.h5", Kind.COUNTS) as file:
        assert file.attrs["merged"] == 1
    assert read_calling(tmp_path / "c.h5").threshold is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"modified": np.full((4, 1), 3, np.int32)}, r"3 modified of 2 covered reads at I:1 in sample 't0'"),
        ({"modified": np.full((4, 1), -1, np.int32)}, r"-1 modified of 2 covered reads at I:1 in sample 't0'"),
        ({"position": np.array([0, 5, 3, 9])}, "not sorted by contig, position and strand, or hold a site twice"),
        ({"position": np.array([0, 5, 5, 9])}, "hold a site twice"),
        ({"strand": np.array([1, 1, 2, 1], np.int8)}, r"not \+1, -1 or 0"),
        ({"contig": np.array([0, 0, 0, 1], np.int32)}, "outside its contigs"),
        ({"contig": np.array([-1, 0, 0, 0], np.int32)}, "outside its contigs"),
        ({"position": np.array([-1, 5, 8, 9])}, "outside its contigs"),
        ({"contig": np.zeros(3, np.int32)}, "differ in length"),
        ({"covered": np.full((4, 2), 9, np.int32)}, "4 sites and 1 samples"),
        ({"samples": ("a", "a")}, "4 sites and 2 samples"),
        (
            {"samples": ("a", "a"), "covered": np.ones((4, 2), np.int32), "modified": np.ones((4, 2), np.int32)},
            "a name of its own",
        ),
    ],
)
def test_counts_that_cannot_be_are_refused(change, told):
    good = {
        "contigs": ("I",), "contig": np.zeros(4, np.int32), "position": np.array([0, 5, 8, 9]),
        "strand": np.ones(4, np.int8), "modified": np.ones((4, 1), np.int32), "covered": np.full((4, 1), 2, np.int32),
        "samples": ("t0",),
    }  # fmt: skip
    Counts(**good)
    with pytest.raises(ValueError, match=told):
        Counts(**{**good, **change})


def test_file_whose_counts_cannot_be_is_refused(tmp_path, provenance, edited):
    path = tmp_path / "c.h5"
    write_counts(path, made_counts(), Records(), provenance)
    with edited(path) as file:
        file["sites/modified"][3, 1] = 99
    with pytest.raises(InputError, match=r"c.h5: 99 modified of \d covered reads at I:8 in sample 't1'; make it again"):
        read_counts(path)


def test_file_of_another_kind_is_refused(tiny_genome):
    with pytest.raises(
        InputError, match=r"is a genome file where a counts file is needed; .*'genolstm methylation count'"
    ):
        read_counts(tiny_genome.path)
