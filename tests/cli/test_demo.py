"""`genolstm demo`: the whole path, and what stands in its way."""

import logging
import os
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from genolstm.cli import demo as command
from genolstm.cli.app import app
from genolstm.store.files import open_any
from genolstm.store.results import read_probe

RESULTS = {
    "genome.h5": "genome",
    "model.h5": "checkpoint",
    "splice.h5": "probe",
    "protein.h5": "probe",
    "score.h5": "score",
    "gates.h5": "gates",
    "atac.h5": "track",
    "access.h5": "probe",
    "counts.h5": "counts",
    "fit.h5": "methylation",
    "bits.bw": None,
    "variants.vcf.gz": None,
    "report.html": None,
}
INDEX = "variants.vcf.gz.tbi"
COMMANDS = [
    "ingest", "train", "probe", "probe", "score", "gates", "variants", "track", "probe", "methylation", "methylation",
    "report",
]  # fmt: skip


@pytest.fixture
def made(program, tmp_path):
    """Folder of a demo and what it said: of that which .ci/run has made by then, or else of one that is made now."""
    if folder := os.environ.get("GENOLSTM_DEMO"):
        said = Path(folder).with_suffix(".log").read_text()
        return Path(folder), said[said.index("\n# ") + 1 :]
    process = program("demo", "-o", tmp_path / "demo", "-t", "1")
    out, err = process.communicate(timeout=3000)
    assert (process.returncode, out) == (0, "")
    return tmp_path / "demo", err


@pytest.mark.slow
def test_demo_ends_with_a_file_of_each_step_and_a_verdict_for_each_target(made):
    folder, said = made
    assert sorted(path.name for path in folder.iterdir()) == sorted([*RESULTS, INDEX])
    for name, kind in ((name, kind) for name, kind in RESULTS.items() if kind):
        with open_any(folder / name, verify=True) as file:
            assert file.attrs["kind"] == kind
    lines = said.splitlines()
    assert [line.split()[2] for line in lines if line.startswith("$ genolstm ")] == COMMANDS
    assert len(lines) < 70
    words = [line for line in lines if line.startswith("# ")]
    assert words == [f"# {step.words}" for step in command.steps_of(folder, command._example_data())]
    for term in ("bits/base: ", "AUPRC: ", "gain: ", "'cannot tell': "):
        (first,) = [line for line in words if term in line]
        assert lines.index(first) == next(at for at, line in enumerate(lines) if term.rstrip(": ").strip("'") in line)
    results = read_probe(folder / "splice.h5")
    for target in ("donor", "acceptor"):
        assert any(line.startswith(f"{target}: {results[target].verdict}; trained states ") for line in lines)
    assert lines[-1].startswith("the organism is simulated ")


@pytest.mark.slow
def test_demo_that_was_stopped_goes_on_where_it_stood(tmp_path, monkeypatch):
    """The second file of a step is missing, then the model: what is complete and follows from neither stays."""
    from genolstm.store.file_info import read_file_info

    monkeypatch.setattr(command, "SHAPE", ("--hidden", "8", "--bases", "20k", "--test-contigs", "chrC"))
    planned = command.steps_of(tmp_path, command._example_data())
    steps = [planned[0], planned[1], planned[4], planned[6]]  # ingest, train, score, variants
    monkeypatch.setattr(command, "steps_of", lambda *_: steps)
    program = within(typer.main.get_command(app).main)
    command.demo(program, tmp_path, quiet=True)
    assert command._not_done(steps) == []
    assert read_file_info(tmp_path / "score.h5").command == shlex.join(
        ["genolstm", *steps[2].arguments, "--quiet", "--threads", "1"]
    )
    kept = {name: (tmp_path / name).stat().st_mtime_ns for name in ("genome.h5", "model.h5", "variants.vcf.gz")}
    (tmp_path / "bits.bw").unlink()
    assert command._not_done(steps) == [steps[2]]
    command.demo(program, tmp_path, quiet=True)
    assert (tmp_path / "bits.bw").exists()
    assert kept == {name: (tmp_path / name).stat().st_mtime_ns for name in kept}
    (tmp_path / "model.h5").unlink()
    assert command._not_done(steps) == steps[1:]  # what was made of the old model is made anew


@pytest.mark.parametrize("name", RESULTS)
def test_results_of_an_earlier_demo_are_refused_before_any_work(run, tmp_path, monkeypatch, name):
    monkeypatch.setattr(command, "_run", lambda *_: pytest.fail("a step was run"))
    (tmp_path / name).write_text("mine")
    assert run("demo", "-o", tmp_path) == (
        2, "", f"genolstm: output {tmp_path / name} exists; add --force to replace it, or name another.\n"
    )  # fmt: skip
    assert (tmp_path / name).read_text() == "mine"


def test_file_in_place_of_the_folder_is_refused(run, tmp_path):
    (tmp_path / "demo").write_text("mine")
    sentence = f"genolstm: {tmp_path / 'demo'} is a file; name a folder for the demo's results.\n"
    assert run("demo", "-o", tmp_path / "demo") == (2, "", sentence)
    ended = run("demo", "-o", tmp_path / "demo" / "below")
    assert ended == (
        2, "", f"genolstm: folder {tmp_path / 'demo' / 'below'} cannot be made (Not a directory); name another.\n"
    )  # fmt: skip


@pytest.fixture
def steps(monkeypatch):
    """The commands that a demo would run."""
    taken = []
    monkeypatch.setattr(command, "_run", lambda _, *arguments: arguments == ("models",) or taken.append(arguments))
    return taken


def test_options_reach_every_step(run, tmp_path, steps):
    for name in RESULTS:
        (tmp_path / name).write_text("old")
    assert run("demo", "-o", tmp_path, "--force", "-q", "-t", "3").code == 0
    assert [step[0] for step in steps] == COMMANDS
    assert all({"--force", "--quiet"} <= set(step) for step in steps)
    threaded = [step for step in steps if "--threads" in step]
    assert [step[0] for step in threaded] == [
        "train", "probe", "probe", "score", "gates", "variants", "probe", "methylation",
    ]  # fmt: skip
    assert {step[step.index("--threads") + 1] for step in threaded} == {"3"}


def test_folder_is_made_and_the_steps_hand_on_their_files(run, tmp_path, steps):
    folder = tmp_path / "deep" / "down"
    assert run("demo", "-o", folder).code == 0
    assert folder.is_dir()
    genome, model, splice = (str(folder / name) for name in ("genome.h5", "model.h5", "splice.h5"))
    assert steps[0][2:4] == ("-o", genome)
    assert steps[1][1:4] == (genome, "-o", model)
    assert steps[2][2] == model
    assert {genome, splice} <= set(steps[2])
    assert not any({"--force", "--quiet"} & set(step) for step in steps)


def within(main):
    """The context of a program that does this one thing whatever it is called with."""
    context = SimpleNamespace(command=SimpleNamespace(main=main))
    context.find_root = lambda: context
    return context


def test_step_that_was_stopped_ends_the_demo_with_its_code(tmp_path):
    taken = []

    def stopped(arguments, *, standalone_mode):
        assert not standalone_mode  # a failure is to pass through, to be told once
        taken.append(arguments[0])
        return 143 if arguments[0] == "train" else None

    with pytest.raises(typer.Exit) as stop:
        command.demo(within(stopped), tmp_path / "demo")
    assert stop.value.exit_code == 143
    assert taken == ["ingest", "train"]


def test_steps_are_shown_as_they_would_be_typed_unless_quiet(tmp_path, capsys):
    nothing = within(lambda *_, **__: None)
    command.demo(nothing, tmp_path / "my demo")
    shown = [line for line in capsys.readouterr().err.splitlines() if line.startswith("$ ")]
    assert [shlex.split(line)[2] for line in shown] == COMMANDS
    assert shlex.split(shown[0])[-1] == str(tmp_path / "my demo" / "genome.h5")
    command.demo(nothing, tmp_path / "all", verbose=True)
    shown = [line for line in capsys.readouterr().err.splitlines() if line.startswith("$ ")]
    assert [shlex.split(line)[2] for line in shown] == ["models", *COMMANDS]
    command.demo(nothing, tmp_path / "quiet", quiet=True)
    assert capsys.readouterr() == ("", "")


def test_steps_log_verdicts_and_what_they_wrote_alone(tmp_path, caplog):
    log = logging.getLogger("genolstm")
    with caplog.at_level(logging.INFO, logger="genolstm"), command._key_lines():
        log.info("donor: gain; trained states +0.1 AUPRC")
        log.info("device cpu")
        log.info("wrote %s: 3 contigs", tmp_path / "genome.h5")
        log.info("wrote %s", tmp_path / "bits.bw")
        log.warning("careful")
    log.info("after")
    assert [line.split(";")[0] for line in caplog.messages[:1]] == ["donor: gain"]
    assert caplog.messages[1:] == [f"wrote {tmp_path / 'genome.h5'}: 3 contigs", "careful"]
