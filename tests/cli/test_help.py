"""--help: commands in groups with whole sentences, and plain words for what an option takes."""

import re

import pytest
import typer.main

from genolstm.cli.app import app
from genolstm.cli.help import PANELS, first_sentence, plain_kinds


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("--lanes <int range>", "--lanes INT"),
        ("--lanes INTEGER RANGE", "--lanes INT"),
        ("-o, --output <path>", "-o, --output FILE"),
        ("--lr <float>", "--lr NUMBER"),
        ("--region <list[str]>", "--region TEXT"),
        ("--device <auto|cpu|cuda|mps>", "--device <auto|cpu|cuda|mps>"),
        ("--shift FORWARD,REVERSE", "--shift FORWARD,REVERSE"),
        ("-f, --force", "-f, --force"),
    ],
)
def test_kinds_are_plain(typed, plain):
    assert plain_kinds(typed) == plain


def test_a_path_that_is_no_file_is_called_what_it_is(run):
    for words, shown in (
        (("demo",), "--output FOLDER"), (("report",), "--multiqc FOLDER"), (("gates",), "--bigwig-dir FOLDER"),
        (("predict",), "--bigwig PREFIX"), (("variants",), "--bigwig PREFIX"), (("score",), "--bigwig FILE"),
    ):  # fmt: skip
        assert f" {shown} " in " ".join(run(*words, "--help").out.split()), words


def test_first_sentence_is_one_line():
    assert first_sentence("Do this,\nof that (0.5). More.\n\nExample: x") == "Do this, of that (0.5)."


def test_every_command_has_a_panel_and_is_listed_whole(run):
    listed = run("--help").out
    assert "..." not in listed.split("Data:")[1]
    titles = [title for title in PANELS if f"\n{title}:\n" in listed]
    assert titles == list(PANELS)
    for name, command in typer.main.get_command(app).commands.items():
        assert command.rich_help_panel in PANELS, name


@pytest.mark.parametrize("command", [("train",), ("probe", "splice"), ("compare",), ("models", "pack")])
def test_no_types_of_python(run, command):
    told = run(*command, "--help").out
    assert not re.search(r"<(int|str|path|float|list)\b|9223372036854775807", told)
    assert "{" not in told.split("\n\n")[0]  # the usage line


def test_default_is_shown_as_it_is_typed(run):
    assert "[default: 40M]" in " ".join(run("train", "--help").out.split())
