"""`genolstm bench` and the comparison beneath it."""

import json
import shutil
import time

import numpy as np
import pysam
import pytest

from genolstm.alphabet import DNA
from genolstm.bench import alignments, made
from genolstm.bench.timing import compare
from genolstm.cli.app import main
from genolstm.readers.fasta import read_fasta, read_fasta_slowly
from genolstm.readers.pysam_loop import cut_sites_slowly
from genolstm.settings.track import TrackSettings

QUICK = ("--rounds", "1", "-t", "1", "-q", "--json")
SMALL = ("--hidden", "8", "--lanes", "4", "--chunk", "16", "--device", "cpu")


@pytest.fixture
def run(monkeypatch, capsys):
    """Function: arguments -> exit code, stdout and stderr of `genolstm bench`."""

    def ran(*arguments):
        monkeypatch.setattr("sys.argv", ["genolstm", "bench", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        return code, *capsys.readouterr()

    return ran


@pytest.fixture(autouse=True)
def _small_genome(monkeypatch):
    monkeypatch.setattr(made, "RANDOM_GENOME", 20_000)


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(">a\n" + "ACGTN" * 400 + "\n>b\nacgt\n")
    return path


@pytest.mark.parametrize(("cell", "kernel"), [("lstm", "nn.LSTM"), ("gru", "nn.GRU"), ("rnn", "nn.RNN")])
def test_training_is_timed_beside_the_bare_kernel(run, cell, kernel):
    code, out, err = run("train", *SMALL, "--cell", cell, *QUICK)
    assert (code, err) == (0, "")
    told = json.loads(out, parse_constant=pytest.fail)
    assert (told["command"], told["part"], told["rounds"], told["output"]) == ("bench", "train", 1, None)
    assert told["baseline"] == f"{kernel} forward + backward"
    assert told["rate"] > 0
    assert told["ratio"] == told["low"] == told["high"] == pytest.approx(told["rate"] / told["baseline_rate"])


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_scoring_is_timed_beside_the_bare_kernel_in_as_many_lanes_and_in_one(run, cell):
    code, out, err = run("score", *SMALL, "--cell", cell, *QUICK)
    assert (code, err) == (0, "")
    told = json.loads(out, parse_constant=pytest.fail)
    assert [each["baseline"].rpartition("forward, ")[2] for each in told["timings"]] == ["same lanes", "one lane"]
    assert all(each["rate"] > 0 for each in told["timings"])


def test_lanes_and_chunk_are_those_asked_for(monkeypatch, run):
    asked = []
    monkeypatch.setattr(
        "genolstm.bench.scoring.random_genome", lambda bases: asked.append(bases) or made.random_genome(bases)
    )
    run("score", *SMALL, *QUICK)
    assert asked == [4 * 16 * 8 // 2]


def test_fasta_reader_is_timed_beside_biopython(run, fasta):
    code, out, err = run("fasta", "--fasta", fasta, *QUICK)
    assert (code, err) == (0, "")
    told = json.loads(out, parse_constant=pytest.fail)
    assert (told["part"], told["baseline"], told["unit"]) == ("fasta", "Bio.SeqIO + lookup table", "bases")
    assert told["ratio"] == pytest.approx(told["rate"] / told["baseline_rate"])


@pytest.mark.parametrize("given", [True, False])
def test_bam_reader_is_timed_beside_pysam_and_samtools(run, monkeypatch, tmp_path, given):
    monkeypatch.setattr(alignments, "RANDOM_READS", 300)
    bam = alignments._random_bam(tmp_path / "made.bam")
    code, out, err = run("bam", *(("--bam", bam) if given else ()), *QUICK)
    assert (code, err) == (0, "")
    told = json.loads(out, parse_constant=pytest.fail)
    expected = ["plain pysam loop", *(["samtools view -c"] if shutil.which("samtools") else [])]
    assert [each["baseline"] for each in told["timings"]] == expected
    assert (told["part"], told["unit"]) == ("bam", "reads")
    assert all(each["rate"] > 0 for each in told["timings"])


def test_missing_bam_is_named(run, tmp_path):
    code, out, err = run("bam", "--bam", tmp_path / "gone.bam", *QUICK)
    assert (code, out) == (3, "")
    assert err.startswith(f"genolstm: {tmp_path / 'gone.bam'} does not exist")


def test_made_reads_lie_on_their_contig_on_both_strands(monkeypatch, tmp_path):
    monkeypatch.setattr(alignments, "RANDOM_READS", 300)
    path = alignments._random_bam(tmp_path / "made.bam")
    (cuts,) = cut_sites_slowly(path, TrackSettings()).values()
    assert len(cuts) == 300
    with pysam.AlignmentFile(path) as file:
        assert sum(read.is_reverse for read in file) == 150


def test_without_json_one_line_tells_the_ratio(run, fasta):
    code, out, _ = run("fasta", "--fasta", fasta, "--rounds", "3", "-t", "1")
    assert code == 0
    assert out.startswith("fasta: ")
    assert out.endswith(", 3 rounds)\n")
    assert len(out.splitlines()) == 1


def test_tied_cell_is_refused(run):
    code, out, err = run("train", *SMALL, "--cell", "tied", *QUICK)
    assert (code, out) == (2, "")
    assert err == "genolstm: the tied cell has no bare kernel to be timed against; time lstm, gru or rnn.\n"


def test_missing_fasta_is_named(run, tmp_path):
    code, out, err = run("fasta", "--fasta", tmp_path / "gone.fa", *QUICK)
    assert (code, out) == (3, "")
    assert err.startswith(f"genolstm: {tmp_path / 'gone.fa'} does not exist")


def test_ratio_is_the_baselines_time_over_ours_in_each_round(monkeypatch):
    clock = iter([0, 1, 0, 4, 0, 2, 0, 4, 0, 1, 0, 5])  # ours 1, 2, 1 s; theirs 4, 4, 5 s
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    calls = []
    timing = compare("p", "b", "bases", 100, lambda: calls.append("ours"), lambda: calls.append("bare"), 3)
    assert calls == ["ours", "bare"] * 4  # in turn, after a round that is not timed
    assert (timing.rate, timing.baseline_rate) == (100.0, 25.0)
    assert (timing.ratio, timing.low, timing.high, timing.rounds) == (4.0, 2.0, 5.0, 3)


def test_made_fasta_is_soft_masked_and_read_alike_by_both_readers(monkeypatch, tmp_path):
    monkeypatch.setattr(made, "RANDOM_FASTA", 60 * 100)
    path = made.random_fasta(tmp_path / "r.fa")
    one = np.concatenate([block.codes for block in read_fasta(path, DNA)])
    two = np.concatenate([codes for _, codes in read_fasta_slowly(path, DNA)])
    np.testing.assert_array_equal(one, two)
    assert len(one) == 60 * 100
    letters = path.read_text().split("\n", 1)[1].replace("\n", "")
    assert 0.3 < sum(letter.islower() for letter in letters) / len(letters) < 0.6
