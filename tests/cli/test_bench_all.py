"""`genolstm bench`: all parts in one run, estimates, and options that would do nothing."""

import json
import sys

import pytest

from genolstm.bench import alignments, fitting, hidden, made, memory_check, mods
from genolstm.cli.app import main
from genolstm.cli.bench import ROUNDS, ROUNDS_OF_ALL
from genolstm.cli.bench_parts import CONCERNS, PARTS, Part, planned
from genolstm.settings.model import ModelSettings

TINY = ("--hidden", "8", "--lanes", "4", "--chunk", "16", "--device", "cpu", "-t", "1", "--rounds", "1", "-q")
# what stood in the summary of one part before others were added
KEYS = {"part", "baseline", "unit", "rate", "baseline_rate", "ratio", "low", "high", "rounds", "timings"}


@pytest.fixture(autouse=True)
def _small_inputs(monkeypatch):
    for module, name, value in (
        (made, "RANDOM_GENOME", 20_000), (made, "RANDOM_FASTA", 60 * 100), (alignments, "RANDOM_READS", 100),
        (mods, "GENOME_BASES", 20_000), (mods, "READS", 4), (mods, "READ_BASES", 1000),
        (hidden, "STATES_BYTES", 64 * 512), (fitting, "CPGS", 50), (fitting, "CPGS_ONE_BY_ONE", 5),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)


@pytest.fixture
def run(monkeypatch, capsys):
    """Function: arguments -> exit code, stdout and stderr of `genolstm bench`."""

    def ran(*arguments):
        monkeypatch.setattr(sys, "argv", ["genolstm", "bench", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        return code, *capsys.readouterr()

    return ran


@pytest.mark.slow
def test_all_times_every_part_in_one_run(run):
    code, out, err = run("all", *TINY, "--json", "--estimate", "1M")
    assert (code, err) == (0, "")
    told = json.loads(out, parse_constant=pytest.fail)
    assert told["part"] == "all"
    met = {timing["part"].partition(",")[0] for timing in told["timings"]}
    assert met == {part.value for part in PARTS} == {part.value for part in Part} - {"all"}
    assert not any({"asked", "met"} & timing.keys() for timing in told["timings"])  # figures alone, no judgement
    assert all(timing["share"] > 0 for timing in told["timings"] if timing["part"] != "fit")
    assert {timing["baseline"] for timing in told["timings"]} >= {
        "nn.LSTM forward, same lanes", "plain pysam loop", "scipy.optimize per CpG", "h5py gzip default"
    }  # fmt: skip
    estimated = [each["part"].partition(",")[0] for each in told["estimates"]]
    assert estimated == ["train", "score", "gates", "gates", "gates", "fasta"]


@pytest.fixture
def only():
    """Leaves some parts of the table alone, and all in their order behind the test."""
    whole = dict(PARTS)

    def leave(*parts):
        for part in set(PARTS) - set(parts):
            del PARTS[part]

    yield leave
    PARTS.clear()
    PARTS.update(whole)


def test_all_ends_in_a_table_and_says_what_did_not_run(run, only, monkeypatch):
    only(Part.TRAIN, Part.SCORE, Part.BAM)
    monkeypatch.setattr(alignments.shutil, "which", lambda _name: None)
    code, out, _ = run("all", *TINY, "--precision", "fp16", "--cell", "gru")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("part")
    assert "train not run: --precision fp16 needs a CUDA device, not cpu; use --precision bf16 or fp32." in lines
    assert "bam against samtools view -c not run: samtools is not on the PATH" in lines
    assert not any(line.startswith("train  ") for line in lines)
    assert sum(line.startswith("score") for line in lines) >= 1


def test_summary_has_what_did_not_run_with_the_reason(run, monkeypatch):
    monkeypatch.setattr(alignments.shutil, "which", lambda _name: None)
    told = json.loads(run("bam", "-t", "1", "-q", "--rounds", "1", "--json")[1])
    assert told["not_run"] == [{"part": "bam", "baseline": "samtools view -c", "reason": "samtools is not on the PATH"}]
    assert [timing["baseline"] for timing in told["timings"]] == ["plain pysam loop"]


def test_all_takes_some_parts_at_several_sizes():
    plan = [(part.value, units) for part, units in planned(Part.ALL, ModelSettings.hidden, hidden_given=False)]
    assert plan[:4] == [("train", 128), ("score", 128), ("score", 512), ("gates", 256)]
    assert len(plan) == len(PARTS) + 1
    given = planned(Part.ALL, 64, hidden_given=True)
    assert {units for _, units in given} == {64}


@pytest.mark.parametrize("part", ["train", "score", "fit", "hdf5"])
def test_summary_of_one_part_keeps_its_keys(run, part):
    sized = TINY if part in {"train", "score"} else ("-t", "1", "-q", "--rounds", "1")
    code, out, _ = run(part, *sized, "--json")
    assert code == 0
    told = json.loads(out)
    assert told.keys() >= KEYS
    assert {name: told[name] for name in KEYS - {"timings"}}.items() <= told["timings"][0].items()


@pytest.mark.parametrize(
    ("option", "value", "part"),
    [(option, value, "mods") for option, value in (
        ("fasta", "g.fa"), ("bam", "a.bam"), ("cell", "gru"), ("layers", "2"), ("hidden", "8"), ("lanes", "4"),
        ("chunk", "8"), ("precision", "bf16"), ("device", "cpu"), ("estimate", "1G"),
    )] + [("precision", "bf16", "gates"), ("estimate", "1G", "bam"), ("lanes", "4", "hdf5")],
)  # fmt: skip
def test_option_that_would_do_nothing_is_refused(run, option, value, part):
    code, out, err = run(part, f"--{option}", value, "-q")
    assert (code, out) == (2, "")
    assert err == f"genolstm: --{option} has no effect on '{part}'; it concerns {', '.join(CONCERNS[option])}.\n"


def test_estimate_follows_the_rate(run):
    told = json.loads(run("train", *TINY, "--json", "--estimate", "3.1G")[1])
    (estimate,) = told["estimates"]
    assert estimate["symbols"] == 6_200_000_000
    assert estimate["seconds"] == pytest.approx(6.2e9 / told["rate"])
    assert estimate["part"] == "train, 1x8, 4 lanes x 16, fp32"
    out = run("train", *TINY, "--estimate", "3.1G")[1]
    assert "6,200,000,000 bases (both strands once) in about " in out


@pytest.mark.parametrize(("text", "said"), [("0", "at least one base"), ("much", "'much' is not a number")])
def test_estimate_of_no_genome_is_refused(run, text, said):
    code, out, err = run("train", *TINY, "--estimate", text)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize("part", ["train", "score", "gates"])
def test_sizes_that_do_not_fit_are_refused_with_those_that_do(run, monkeypatch, part):
    monkeypatch.setattr(memory_check, "free_bytes", lambda _device: 1_000_000)
    code, out, err = run(part, *TINY, "--lanes", "2000", "--chunk", "64")
    assert (code, out) == (2, "")
    assert err.startswith("genolstm: lstm 1x8, 2000 lanes x 64 needs at least ")
    assert " it fits with --lanes " in err


def test_rounds_are_fewer_where_all_parts_are_timed(run, only, monkeypatch):
    asked = []
    monkeypatch.setitem(PARTS, Part.FIT, lambda choice: asked.append(choice.rounds) or fitting.time_fitting(1))
    run("fit", "-t", "1", "-q")
    only(Part.FIT)
    run("all", "-t", "1", "-q")
    assert asked == [ROUNDS, ROUNDS_OF_ALL]
