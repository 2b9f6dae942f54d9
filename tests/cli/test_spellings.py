"""Other names of an option: those of older versions, with a warning, and GENOME typed as --genome."""

import pytest
import typer.main

from genolstm.cli.app import app
from genolstm.cli.spellings import OLD, SpellingsCommand, renamed

PROGRAM = typer.main.get_command(app)


def command_of(words):
    """A command, and its context below that of the program."""
    context, command = PROGRAM.make_context("genolstm", ["--help"], resilient_parsing=True), PROGRAM
    for word in words.split():
        command = command.commands[word]
        context = type(context)(command, parent=context, info_name=word, resilient_parsing=True)
    return command, context


@pytest.mark.parametrize(("command", "old", "new"), [(c, o, n) for c, names in OLD.items() for o, n in names.items()])
def test_old_name_is_taken_with_a_warning_and_not_shown(capsys, command, old, new):
    made, context = command_of(command)
    names = {name for each in made.get_params(context) for name in each.opts}
    assert new in names
    assert old not in names
    assert renamed(command, [old, "20", f"{old}=20", "--", old]) == [new, "20", f"{new}=20", "--", old]
    told = f"genolstm: {old} is now called {new}; the old name still works.\n"
    assert capsys.readouterr().err == 2 * told
    assert renamed("score", [old]) == [old]


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (["m.h5", "--genome", "g.h5", "-o", "s.h5"], ["m.h5", "g.h5", "-o", "s.h5"]),
        (["--genome=g.h5", "m.h5", "-o", "s.h5"], ["m.h5", "g.h5", "-o", "s.h5"]),
        (["-o", "s.h5", "--genome", "g.h5", "--lanes", "4", "m.h5"], ["-o", "s.h5", "--lanes", "4", "m.h5", "g.h5"]),
        (["m.h5", "g.h5", "-o", "s.h5"], ["m.h5", "g.h5", "-o", "s.h5"]),
        (["m.h5", "--genome"], ["m.h5", "--genome"]),
        (["m.h5", "--", "--genome", "g.h5"], ["m.h5", "--", "--genome", "g.h5"]),
    ],
)
def test_genome_may_be_typed_as_an_option(typed, read):
    command, context = command_of("score")
    assert command._with_genome(context, typed) == read


def test_a_command_whose_genome_is_an_option_is_left_alone():
    command, context = command_of("probe splice")
    typed = ["m.h5", "--genome", "g.h5"]
    assert command._with_genome(context, typed) == typed


def test_old_name_reaches_the_command(run, model_file, genome_file, tmp_path):
    ended = run("probe", "splice", model_file, "--genome", genome_file, "--annotation", tmp_path / "none.gff3",
                "-o", tmp_path / "s.h5", "--window", "15")  # fmt: skip
    assert ended.code == 2
    assert "--window is now called --control-window" in ended.err
    assert "Invalid value for '--control-window'" in ended.err


def test_every_command_knows_other_spellings():
    def commands(group):
        for each in group.commands.values():
            yield from commands(each) if hasattr(each, "commands") else [each]

    assert all(isinstance(each, SpellingsCommand) for each in commands(PROGRAM) if each.name != "list")
