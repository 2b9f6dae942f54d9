"""Reading commands under torchrun: contigs and strands divided, one output, as of one process; the rest refused."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from genolstm.cli.app import app
from genolstm.cli.terminal import SHARED
from genolstm.methylation.fitting import TILE_SITES
from genolstm.store.results import read_probe
from genolstm.store.score import open_score, read_score_tables

EXAMPLES = Path(__file__).resolve().parents[2] / "example_data"
ON = ("-t", "1", "--device", "cpu")
TRAINED = ("--hidden", "16", "--lanes", "16", "--chunk", "64", "--bases", "100k", "--test-contigs", "chrC")
PROBE = ("--twins", "1", "--resamples", "20")
MESSAGES = """
import sys
from pathlib import Path

import numpy as np

from genolstm import ranks
from genolstm.ranks import reading_together

ranks.MESSAGE_BYTES = 100
with reading_together() as us:
    found = us.gathered(np.full((3 * us.rank, 2), us.rank, dtype=np.int32))
    owner = np.array([2, 0, 1] * 50 + [1])
    values = np.where(owner[:, None] == us.rank, np.arange(151 * 3).reshape(151, 3), 0).astype(np.float16)
    us.gather_into(values, owner)
    if us.is_main_process:
        np.savez(sys.argv[1], found=found, values=values)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("torchrun")


@pytest.fixture(scope="module")
def alone(folder):
    """Function: words -> the command has run in one process."""

    def ran(*words):
        words = [sys.executable, "-m", "genolstm", *map(str, words)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        ended = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
        assert ended.returncode == 0, ended.stderr

    return ran


@pytest.fixture(scope="module")
def torchrun(folder):
    """Function: words, number of processes -> running torchrun, its log."""

    def start(*words, processes=2):
        words = [
            sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}",
            *map(str, words),
        ]  # fmt: skip
        log = folder / f"{len(list(folder.glob('*.log')))}.log"
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"}
        with log.open("w") as stream:
            running = subprocess.Popen(words, cwd=folder, stdout=stream, stderr=stream, env=environment)
        return running, log

    return start


@pytest.fixture(scope="module")
def shared(torchrun):
    """Function: words of a genolstm command, number of processes -> its log, when it has ended well."""

    def ran(*words, processes=2, does="reads contigs and strands"):
        running, log = torchrun("-m", "genolstm", *words, processes=processes)
        assert running.wait(timeout=300) == 0, log.read_text()
        told = log.read_text()
        assert told.count("wrote ") == told.count("device cpu") == 1  # one speaks, one writes
        assert f"{processes} processes, each {does} of its own" in told
        return told

    return ran


@pytest.fixture(scope="module")
def made(folder, alone):
    """Folder with a genome, a model and a track."""
    alone("ingest", EXAMPLES / "genome.fa.gz", "-o", "g.h5", "-q")
    alone("train", "g.h5", "-o", "m.h5", *TRAINED, *ON, "-q")
    alone("track", EXAMPLES / "atac.bam", "--genome", "g.h5", "-o", "t.h5", "-q")
    return folder


def left_beside(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def bits_of(path):
    with open_score(path) as file:
        bases = len(file.tracks[0])
        return np.stack([file.read(strand, 0, bases) for strand in range(file.strands)])


@pytest.mark.slow
def test_messages_of_any_size_arrive_in_order(folder, torchrun):
    (folder / "messages.py").write_text(MESSAGES)
    running, log = torchrun("messages.py", "found.npz", processes=3)
    assert running.wait(timeout=120) == 0, log.read_text()
    told = np.load(folder / "found.npz")
    assert told["found"].tolist() == [[1, 1]] * 3 + [[2, 2]] * 6
    assert np.array_equal(told["values"], np.arange(151 * 3).reshape(151, 3).astype(np.float16))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["site", "kinetic"])
def test_a_methylation_fit_of_two_processes_is_that_of_one_to_the_last_bit(folder, alone, shared, model):
    sites = 3 * TILE_SITES // 2  # two tiles, one of them for each process
    counts, words = f"{model}.counts.h5", ("--times", "0,1,4,16", "--time-offset", "0.5", "--model", model, "-t", "1")
    alone("methylation", "simulate", "--rate", "0.3", "--steady", "0.8", "--spread", "0.5", "--sites", sites,
          "--time-offset", "0.5", "-o", counts, "-q")  # fmt: skip
    alone("methylation", "fit", counts, *words, "--draws", "4", "-o", f"{model}1.h5", "-q")
    shared("methylation", "fit", counts, *words, "--draws", "4", "-o", f"{model}2.h5", does="fits stretches of CpGs")
    hashes = []
    for processes in (1, 2):
        with h5py.File(folder / f"{model}{processes}.h5") as file:
            hashes.append(file.attrs["content_sha256"])
    assert hashes[0] == hashes[1]


@pytest.mark.slow
def test_exact_bits_of_two_processes_are_those_of_one_to_the_last_bit(made, alone, shared):
    words = ("score", "m.h5", "g.h5", "--exact", *ON)
    alone(*words, "-o", "one.h5", "-q")
    shared(*words, "-o", "two.h5")
    one, two = (read_score_tables(made / name) for name in ("one.h5", "two.h5"))
    assert np.array_equal(bits_of(made / "one.h5"), bits_of(made / "two.h5"), equal_nan=True)
    assert np.array_equal(one.bits, two.bits)
    assert np.array_equal(one.calibration["sampled"], two.calibration["sampled"])
    np.testing.assert_allclose(two.calibration["predicted"], one.calibration["predicted"], rtol=1e-12)
    assert one.parts == two.parts
    assert one.seam_summary == two.seam_summary
    assert left_beside(made) == []


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "processes"), [("frozen", 2), ("frozen", 3), ("online", 2)])
def test_recall_of_several_processes_is_that_of_one_to_the_last_bit(made, alone, shared, mode, processes):
    words = ("score", "m.h5", "g.h5", "--exact", "--recall", mode, "--recall-orders", "2,11,16", *ON)
    alone(*words, "-o", "one.h5", "-q", "-f")
    told = shared(*words, "-o", "two.h5", "-f", processes=processes)
    assert f"in each of {processes} processes" in told
    one, two = (read_score_tables(made / name) for name in ("one.h5", "two.h5"))
    modes, parts = (("frozen",) if mode == "frozen" else ("frozen", "online")), {part for _, part, *_ in one.recall}
    assert parts == {"not trained on", "test", "test, forward strand"}
    assert len(one.recall) == len(modes) * len(parts)
    assert one.recall == two.recall
    with open_score(made / "one.h5") as first, open_score(made / "two.h5") as second:
        for track in first.recall_tracks:
            for strand in range(2):
                ours, theirs = (file.read_recall(track, strand, 0, len(file.tracks[0])) for file in (first, second))
                np.testing.assert_array_equal(ours, theirs)
    assert left_beside(made) == []


@pytest.mark.slow
def test_more_processes_than_rows_give_the_bits_of_one_and_every_seam(made, alone, shared):
    words = (
        "score", "m.h5", "g.h5", "--region", "chrC", "--region", "chrA:1-30,000", "--lanes", "8", "--burn-in", "4096",
        "--annotation", EXAMPLES / "genes.gff3", *ON,
    )  # fmt: skip
    alone(*words, "-o", "one_part.h5", "-q")
    shared(*words, "-o", "five.h5", processes=5)
    one, five = (read_score_tables(made / name) for name in ("one_part.h5", "five.h5"))
    apart = np.abs(bits_of(made / "one_part.h5") - bits_of(made / "five.h5"))
    assert np.nanmax(apart) < 1e-5
    assert np.array_equal(one.symbols, five.symbols)
    np.testing.assert_allclose(five.bits, one.bits, rtol=1e-7)
    assert [row[:3] for row in five.classes] == [row[:3] for row in one.classes]
    # the seams of all are there, in order of strand and of reading
    assert five.seam_summary["count"] == len(five.seams["position"]) >= len(one.seams["position"]) > 0
    assert five.seam_summary["leads"] == len(five.leads["position"]) == len(one.leads["position"])
    strand, contig, position = (five.seams[name] for name in ("strand", "contig", "position"))
    order = np.lexsort((strand * position, contig, -strand))
    assert np.array_equal(order, np.arange(len(order)))
    assert {1, -1} == set(strand.tolist())
    with h5py.File(made / "one_part.h5") as ours, h5py.File(made / "five.h5") as theirs:
        assert ours.attrs["records"] == theirs.attrs["records"]


@pytest.mark.slow
def test_splice_sites_read_by_two_processes_get_the_verdict_of_one(made, alone, shared):
    words = (
        "probe", "splice", "m.h5", "--genome", "g.h5", "--annotation", EXAMPLES / "genes.gff3", "--offsets", "2",
        "--control-window", "16", "--kmer", "1", *PROBE, *ON,
    )  # fmt: skip
    alone(*words, "-o", "splice1.h5", "-q")
    shared(*words, "-o", "splice2.h5")
    assert_same_findings(read_probe(made / "splice1.h5"), read_probe(made / "splice2.h5"), ["trained", "untrained_1"])
    assert left_beside(made) == []


@pytest.mark.slow
def test_open_chromatin_read_by_two_processes_gets_the_verdict_of_one(made, alone, shared):
    words = (
        "probe", "accessibility", "m.h5", "--genome", "g.h5", "--track", "t.h5", "--peaks",
        EXAMPLES / "peaks.narrowPeak", "--kmers", "1", "--permutations", "50", *PROBE, *ON,
    )  # fmt: skip
    alone(*words, "-o", "access1.h5", "-q")
    shared(*words, "-o", "access2.h5")
    one, two = (read_probe(made / f"access{each}.h5") for each in (1, 2))
    assert_same_findings(one, two, ["trained", "untrained_1"])
    # the forget gate was looked at by whoever read the edge
    for name in ("value", "matched", "difference"):
        np.testing.assert_allclose(two["peaks"].edges[name], one["peaks"].edges[name], atol=1e-6)
    np.testing.assert_allclose(two["peaks"].profiles["forget"], one["peaks"].profiles["forget"], atol=1e-6)


def assert_same_findings(one, two, models):
    """Same sites, same verdicts; means and scales of the states by which they were standardised within 1e-6."""
    assert one.keys() == two.keys()
    for target, ours in one.items():
        theirs = two[target]
        assert (ours.verdict, ours.best_control) == (theirs.verdict, theirs.best_control)
        assert np.array_equal(ours.sites.position, theirs.sites.position)
        assert ours.seams.keys() == theirs.seams.keys()
        for name in models:
            np.testing.assert_allclose(theirs.features[name].mean, ours.features[name].mean, rtol=0, atol=1e-6)
            np.testing.assert_allclose(theirs.features[name].scale, ours.features[name].scale, rtol=0, atol=1e-6)
        for name, features in ours.features.items():
            for score, estimate in features.scores.items():
                assert theirs.features[name].scores[score].value == pytest.approx(estimate.value, abs=2e-3), name


@pytest.mark.slow
def test_exact_states_at_sites_are_those_of_one_process(made, alone, shared):
    rng = np.random.default_rng(4)
    rows = [
        (f"chr{'ABC'[each % 3]}", int(start), "+-."[each % 2]) for each, start in enumerate(rng.integers(9, 2e5, 300))
    ]
    (made / "sites.bed").write_text(
        "".join(f"{c}\t{start}\t{start + 3}\ts\t0\t{strand}\n" for c, start, strand in rows)
    )
    words = ("embed", "m.h5", "g.h5", "--sites", "sites.bed", "--exact", *ON)
    alone(*words, "-o", "hidden1.h5", "-q")
    shared(*words, "-o", "hidden3.h5", processes=3)
    with h5py.File(made / "hidden1.h5") as one, h5py.File(made / "hidden3.h5") as three:
        assert one["states"].shape == (300, 64)
        assert np.array_equal(one["states"][()], three["states"][()])
        assert np.array_equal(one["sites/start"][()], three["sites/start"][()])
    assert left_beside(made) == []


@pytest.mark.slow
def test_gates_followed_by_more_processes_than_rows_are_those_of_one(made, alone, shared):
    words = ("gates", "m.h5", "g.h5", "--region", "chrC", "--every", "7", "--memory-bases", "2000", "--exact", *ON)
    alone(*words, "-o", "gates1.h5", "-q")
    shared(*words, "-o", "gates3.h5", processes=3)
    with h5py.File(made / "gates1.h5") as one, h5py.File(made / "gates3.h5") as three:
        assert set(one["tracks"]) == set(three["tracks"]) == {"forget", "half_life", "novelty"}
        for name, track in one["tracks"].items():
            np.testing.assert_allclose(three["tracks"][name][()], track[()], rtol=1e-5, atol=1e-6, err_msg=name)
        assert np.isnan(one["tracks/forget"][()]).any()  # where a row ends nothing is read, here as there
        for factor, figures in one["units"].items():
            for name, values in figures.items():
                np.testing.assert_allclose(three["units"][factor][name][()], values[()], atol=1e-6, err_msg=factor)
        assert one["half_life/nominal"][()].tolist() == three["half_life/nominal"][()].tolist()
        assert np.array_equal(one["resets/start"][()], three["resets/start"][()])
    assert left_beside(made) == []


@pytest.mark.slow
def test_a_killed_process_ends_all_with_a_sentence_and_nothing_is_left(made, alone, torchrun):
    words = ("score", "m.h5", "g.h5", "-o", "killed.h5", *ON)
    slow = ("--exact", "--chunk", "1")
    running, log = torchrun("-m", "genolstm", *words, *slow)
    until = time.monotonic() + 120
    while not (made / ".killed.h5.partial").exists():
        assert time.monotonic() < until, log.read_text()
        assert running.poll() is None, log.read_text()
        time.sleep(0.05)
    time.sleep(0.5)
    told = subprocess.run(["pgrep", "-P", str(running.pid)], capture_output=True, text=True, check=True).stdout
    os.kill(int(told.split()[-1]), signal.SIGKILL)
    assert running.wait(timeout=60) != 0
    assert "genolstm: stopped by signal 15, as torchrun sends when another process has failed" in log.read_text()
    assert "genolstm/scoring" not in log.read_text()  # a sentence, no traceback
    assert left_beside(made) == []
    assert not (made / "killed.h5").exists()
    alone(*words, "--region", "chrC:1-20,000", "-q")  # a later run works


def commands_of(group, before=""):
    for command in group.registered_commands:
        name = command.name or command.callback.__name__.replace("_", "-")
        yield f"{before}{name}"
    for inner in group.registered_groups:
        yield from commands_of(inner.typer_instance, f"{before}{inner.name} ")


def test_commands_that_share_work_are_commands():
    assert set(commands_of(app)) >= SHARED


@pytest.mark.parametrize(
    "words",
    [
        ("ingest", EXAMPLES / "genome.fa.gz", "-o", "x.h5"),
        ("track", EXAMPLES / "atac.bam", "--genome", "g.h5", "-o", "x.h5"),
        ("variants", "m.h5", "g.h5", EXAMPLES / "variants.vcf", "-o", "x.vcf"),
        ("probe", "protein", "m.h5", "--proteins", EXAMPLES / "proteins.fa", "-o", "x.h5"),
        ("methylation", "count", "r.bam", "--genome", "g.h5", "-o", "x.h5"),
        ("study", "half-life", "-o", "x.h5"),
        ("report", "s.h5", "-o", "x.html"),
        ("export", "s.h5", "-o", "x.tsv"),
    ],
    ids=lambda words: " ".join(str(word) for word in words[:2]),
)
def test_what_does_not_divide_its_work_is_refused_before_it_writes(run, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORLD_SIZE", "3")
    code, _, err = run(*words)
    assert code == 2
    assert "does not divide its work, and torchrun started 3 processes; start it without torchrun" in err
    assert list(tmp_path.iterdir()) == []


def test_input_that_can_be_read_but_once_is_refused(run, model_file, genome_file, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    code, _, err = run("embed", model_file, genome_file, "--sites", "-", "-o", tmp_path / "x.h5", *ON)
    assert code == 2
    assert "genolstm: - is a stream, which 2 processes cannot all read; give a file." in err


def test_a_number_of_processes_without_torchrun_is_wrong_usage(run, model_file, genome_file, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    code, _, err = run("score", model_file, genome_file, "-o", tmp_path / "x.h5", *ON)
    assert code == 2
    assert "genolstm: WORLD_SIZE is 2 but RANK is not set; start with torchrun, or unset WORLD_SIZE." in err


def test_all_but_the_first_process_are_silent(run, model_file, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    code, _, err = run("score", model_file, tmp_path / "none.h5", "-o", tmp_path / "x.h5", *ON)
    assert code == 3
    assert err.splitlines() == [f"genolstm: {tmp_path / 'none.h5'} does not exist; correct the path."]
