"""Commands made from records: one declaration, one option; what was typed wins over the settings file."""

import dataclasses
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from genolstm.cli.command import Given, command
from genolstm.cli.options import RunOptions
from genolstm.errors import InputError, UsageError
from genolstm.settings.option import option, option_of
from genolstm.settings.quantities import parse_names, parse_size
from genolstm.settings.record import Settings


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, kw_only=True)
class Reading(Settings):
    lanes: int = option(4, "Read side by side.", min=1)
    size: int = option(2_000, "Bases.", read=parse_size)
    rate: float = option(0.5, "Of learning.", "--lr")
    colour: Colour = option(Colour.RED, "Which.")
    exact: bool = option(False, "No seams.")
    contigs: tuple[str, ...] = option((), "Only these.", read=parse_names)
    chunk: int = option(64, "By the device.", shown=None)
    key: str = option("", "Must be typed.", required=True)
    unseen: int = 7

    def __post_init__(self):
        if self.rate > 1:
            raise UsageError("rate must be at most 1.")


@dataclass(frozen=True, kw_only=True)
class Files:
    table: Path | None = option(None, "Also a table.")
    bed: Path = option(..., "Places.", "--bed", "-b")


NEEDED = ("--key", "k", "--bed", "a.bed")


@pytest.fixture
def called():
    """Function: words of the command line -> the arguments that the command received."""
    received = {}

    @command(settings_file=True)
    def read(
        genome: Annotated[str, typer.Argument()], settings: Reading, files: Files, given: Given, run: RunOptions
    ) -> None:
        """Read a genome."""
        received.update(locals())

    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(read)

    def call(*words):
        received.pop("received", None)
        ended = CliRunner().invoke(app, ["g.h5", *NEEDED, *map(str, words)])
        if ended.exception and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return {**received, "code": ended.exit_code, "said": ended.output}

    return call


def test_records_arrive_complete_and_typed(called):
    got = called("--lanes", "8", "--size", "1.5k", "--lr", "0.25", "--colour", "blue", "--exact", "--contigs", "I,II")
    expected = Reading(lanes=8, size=1500, rate=0.25, colour=Colour.BLUE, exact=True, contigs=("I", "II"), key="k")
    assert (got["genome"], got["settings"]) == ("g.h5", expected)
    assert got["files"] == Files(table=None, bed=Path("a.bed"))
    assert got["run"] == RunOptions(force=False, quiet=False, as_json=False)


def test_defaults_are_those_of_the_fields(called):
    assert called()["settings"] == Reading(key="k")


def test_default_of_a_field_is_read_off_the_class_as_before():
    assert (Reading.lanes, Reading.contigs, Reading.unseen) == (4, (), 7)


def test_help_names_every_option_with_its_default_and_words(called):
    said = " ".join(called("--help")["said"].split())
    for words in (
        "Read a genome.",
        "--lanes",
        "Read side by side.",
        "--lr",
        "--bed",
        "-b",
        "--settings",
        "[default: 2000]",
    ):
        assert words in said
    assert "--unseen" not in said


def test_what_is_typed_wins_over_the_settings_file(called, tmp_path):
    file = tmp_path / "s.toml"
    file.write_text('lanes = 3\nrate = 0.125\nsize = "2M"\ncontigs = ["a,b", "c"]\nexact = true\nchunk = 5\n')
    got = called("--settings", file, "--lanes", "9")
    assert got["settings"] == Reading(
        lanes=9, rate=0.125, size=2_000_000, contigs=("a,b", "c"), exact=True, chunk=5, key="k"
    )


def test_given_is_what_was_typed_or_stood_in_the_file(called, tmp_path):
    file = tmp_path / "s.toml"
    file.write_text("chunk = 64\n")
    given = called("--settings", file, "--size", "1k")["given"]
    assert given.values == {"genome": "g.h5", "key": "k", "bed": Path("a.bed"), "size": 1000, "chunk": 64}
    assert given.settings == {"size": 1000, "chunk": 64}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("lane = 3", "has the unknown key 'lane'; known are lanes, size, rate, colour, exact, contigs, chunk."),
        ("unseen = 3", "has the unknown key 'unseen'; known are "),
        ('table = "t.tsv"', "has the unknown key 'table'; known are "),  # a file of the command, not a setting
        ('key = "k"', "has the unknown key 'key'; known are "),  # it must be typed
        ("lanes = 0", ": 'lanes' is wrong: "),
        ('colour = "green"', ": 'colour' is wrong: "),
        ("lanes = [3]", ": 'lanes' must be one value, not [3]."),
        ("contigs = [3]", ": 'contigs' must be one value, not [3]."),
    ],
)
def test_what_is_wrong_in_a_settings_file_is_named(called, tmp_path, text, sentence):
    file = tmp_path / "s.toml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        called("--settings", file)
    assert f"settings file {file}" in str(caught.value)
    assert sentence in str(caught.value)


def test_settings_check_themselves(called):
    with pytest.raises(UsageError, match=r"rate must be at most 1\."):
        called("--lr", "2")


def test_bounds_and_required_options_are_wrong_usage(called):
    assert called("--lanes", "0")["code"] == 2
    app = typer.Typer()

    @app.command()
    @command()
    def read(files: Files) -> None:
        assert files.bed

    assert CliRunner().invoke(app, []).exit_code == 2


def test_two_options_of_one_name_are_refused_at_import():
    @dataclass(frozen=True, kw_only=True)
    class Other:
        lanes: int = option(1, "Other lanes.")

    with pytest.raises(TypeError, match="two options are called lanes"):

        @command()
        def read(settings: Reading, other: Other) -> None: ...


def test_an_option_of_another_record_is_the_same_option():
    @dataclass(frozen=True, kw_only=True)
    class Other:
        lanes: int = option_of(Reading, "lanes")

    (mine,) = dataclasses.fields(Other)
    assert mine.metadata == next(each for each in dataclasses.fields(Reading) if each.name == "lanes").metadata
    assert Other().lanes == 4


def test_settings_know_nothing_of_typer_or_torch():
    code = (
        "import sys, pkgutil, importlib, genolstm.settings as package\n"
        "for each in pkgutil.iter_modules(package.__path__): importlib.import_module(f'{package.__name__}.{each.name}')\n"  # noqa: E501
        "print([name for name in ('typer', 'torch', 'numpy') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "[]\n"
