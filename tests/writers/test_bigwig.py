"""bigWig out, read back by pyBigWig, which shares no code with the writer."""

import resource
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolstm.errors import InputError
from genolstm.writers.bigwig import write_bigwig

pyBigWig = pytest.importorskip("pyBigWig")

LENGTHS = {"chrII": 100, "chrI": 60, "chr10": 40}


def runs(contig, *rows):
    start, end, value = zip(*rows, strict=True) if rows else ((), (), ())
    return contig, np.array(start, np.int64), np.array(end, np.int64), np.array(value, np.float32)


def read_back(path):
    with pyBigWig.open(str(path)) as file:
        return {contig: list(file.intervals(contig) or ()) for contig in file.chroms()}


def test_bigwig_holds_the_runs_in_the_order_of_the_genome(tmp_path):
    blocks = [
        runs("chrII", (0, 5, 1.5), (5, 6, -2)),
        runs("chrII", (9, 100, 0.25)),
        runs("chrI"),
        runs("chr10", (39, 40, 7)),
    ]
    write_bigwig(tmp_path / "a.bigwig", LENGTHS, blocks)
    back = read_back(tmp_path / "a.bigwig")
    assert back == {"chrII": [(0, 5, 1.5), (5, 6, -2.0), (9, 100, 0.25)], "chr10": [(39, 40, 7.0)]}
    assert list(back) == ["chrII", "chr10"]
    assert [each.name for each in tmp_path.iterdir()] == ["a.bigwig"]


def test_bigwig_leaves_nan_out(tmp_path):
    write_bigwig(tmp_path / "a.bw", LENGTHS, [runs("chrI", (0, 5, np.nan), (5, 6, 2), (6, 8, np.nan))])
    assert read_back(tmp_path / "a.bw") == {"chrI": [(5, 6, 2.0)]}


@given(
    pieces=st.dictionaries(
        st.sampled_from(list(LENGTHS)),
        st.lists(st.tuples(st.integers(0, 39), st.floats(-1e6, 1e6, width=32)), min_size=1, unique_by=lambda p: p[0]),
        min_size=1,
    ),
    size=st.integers(1, 5),
)
def test_any_values_come_back_whatever_the_blocks(pieces, size, tmp_path_factory):
    path = tmp_path_factory.mktemp("bigwig") / "a.bw"
    rows = {name: [(at, at + 1, value) for at, value in sorted(pieces[name])] for name in LENGTHS if name in pieces}
    blocks = [runs(name, *each[at : at + size]) for name, each in rows.items() for at in range(0, len(each), size)]
    write_bigwig(path, LENGTHS, blocks)
    assert read_back(path) == rows


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ([runs("chrI", (0, 5, 1), (3, 8, 1))], "overlap"),
        ([runs("chrI", (3, 8, 1)), runs("chrI", (7, 9, 1))], "overlap"),
        ([runs("chrI", (0, 61, 1))], "leave the contig"),
        ([runs("chrI", (-1, 5, 1))], "leave the contig"),
        ([runs("chrI", (5, 5, 1))], "empty"),
        ([runs("chrI", (0, 5, np.inf))], "infinite"),
        ([runs("chrI", (0, 5, 1)), runs("chrII", (0, 5, 1))], "runs of chrII come after those of chrI"),
    ],
)
def test_runs_that_break_the_promise_leave_no_file(blocks, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        write_bigwig(tmp_path / "a.bw", LENGTHS, blocks)
    assert not list(tmp_path.iterdir())


def test_bigwig_without_a_value_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"a\.bw was not written: there is no value"):
        write_bigwig(tmp_path / "a.bw", LENGTHS, [runs("chrI", (0, 5, np.nan))])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), InputError("the reads end")])
def test_what_stops_the_runs_passes_through_and_keeps_the_old_file(problem, tmp_path, capfd):
    def stopping():
        yield runs("chrI", (0, 5, 1))
        raise problem

    (tmp_path / "a.bw").write_text("old")
    with pytest.raises(type(problem)):
        write_bigwig(tmp_path / "a.bw", LENGTHS, stopping())
    assert (tmp_path / "a.bw").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1
    assert capfd.readouterr() == ("", "")


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from genolstm.errors import InputError
from genolstm.writers.bigwig import write_bigwig
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
at = np.arange(1_000_000)
value = np.random.default_rng(0).random(1_000_000, dtype=np.float32)
try:
    write_bigwig(Path(sys.argv[1]), {"chrI": 1_000_000}, [("chrI", at, at + 1, value)])
except InputError as problem:
    print(problem)
"""


def test_full_disk_is_one_sentence_and_leaves_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "a.bw")], capture_output=True, text=True, check=True
    )
    assert "a.bw was not written: the disk" in done.stdout
    assert not list(tmp_path.iterdir())


def test_memory_does_not_grow_with_the_values(tmp_path):
    def blocks(n):
        for first in range(0, n, 50_000):
            at = np.arange(first, first + 50_000)
            yield "chrI", at, at + 1, (at % 97).astype(np.float32)

    write_bigwig(tmp_path / "a.bw", {"chrI": 10**7}, blocks(200_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    write_bigwig(tmp_path / "b.bw", {"chrI": 10**7}, blocks(2_000_000))
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mib < 8  # the values alone, as Python rows, would be 250 MiB


def test_a_name_of_any_bytes_is_written_and_one_that_no_disk_holds_refused(tmp_path):
    runs = [("I", np.array([0]), np.array([5]), np.array([1], np.float32))]
    write_bigwig(tmp_path / ("n" * 252 + ".bw"), {"I": 10}, runs)
    write_bigwig(tmp_path / "n\udcff.bw", {"I": 10}, runs)
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(InputError, match="its name is too long; name another output"):
        write_bigwig(tmp_path / ("n" * 253 + ".bw"), {"I": 10}, runs)
    assert len(list(tmp_path.iterdir())) == 2
