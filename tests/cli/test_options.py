"""The command line of 0.1.0: every option keeps its names, type and default, and whether it must be given.

``options_0.1.0.txt`` holds one option a line. ``python tests/cli/test_options.py`` prints the table of the checkout.
"""

import types
from enum import Enum
from pathlib import Path
from typing import get_args, get_origin

from typer.models import ArgumentInfo
from typer.utils import get_params_from_function

from genolstm.cli.app import app

RELEASED = Path(__file__).with_name("options_0.1.0.txt")
# defaults that a later version changed on purpose: line of the release -> line now
CHANGED = {
    # a window around the site reads acceptors far better than the best of narrow offsets, at less cost than the sweep
    "genolstm probe splice\t--offsets\tstr\t'sweep'": "genolstm probe splice\t--offsets\tstr\t'wide'",
    # shorter windows hold no 31-mer, and ended in a failure
    "genolstm probe accessibility\t--window\tint[2,None]\t200": (
        "genolstm probe accessibility\t--window\tint[31,None]\t200"
    ),
    # one meaning for a name: the old spellings are still taken, see cli.spellings
    "genolstm probe splice\t--window\tint[16,None]\t50": "genolstm probe splice\t--control-window\tint[16,None]\t50",
    "genolstm probe protein\t--window\tint[4,None]\t30": "genolstm probe protein\t--control-window\tint[4,None]\t30",
    "genolstm methylation fit\t--states\tPath\tNone": "genolstm methylation fit\t--hidden-states\tPath\tNone",
    # a model more to choose from
    "genolstm methylation fit\t--model\tsite|pooled\t'site'": (
        "genolstm methylation fit\t--model\tsite|pooled|kinetic\t'site'"
    ),
    # a table of samples may name the times instead
    "genolstm methylation fit\t--times\tstr\trequired": "genolstm methylation fit\t--times\tstr\t''",
    # the same number, as it is typed
    "genolstm train\t--bases\tstr\t'40000000'": "genolstm train\t--bases\tstr\t'40M'",
    # a choice more: what fp32 was on CUDA
    **{
        f"genolstm {command}\t--precision\tfp32|bf16|fp16\t'fp32'": (
            f"genolstm {command}\t--precision\tfp32|tf32|bf16|fp16\t'fp32'"
        )
        for command in ("train", "bench")
    },
}


def kind_of(annotation, info):
    """Type of one parameter, with its choices or bounds; that it may be None is told by the default."""
    if get_origin(annotation) is types.UnionType:
        (annotation,) = set(get_args(annotation)) - {types.NoneType}
    if get_origin(annotation) is list:
        return f"many {kind_of(get_args(annotation)[0], info)}"
    if issubclass(annotation, Enum):
        return "|".join(each.value for each in annotation)
    return annotation.__name__ + (f"[{info.min},{info.max}]" if (info.min, info.max) != (None, None) else "")


def rows():
    """A line for each argument (by its place) and option: command, names, type, default, whether it must be given."""

    def callbacks(group, before):
        if group.registered_callback:
            yield before, group.registered_callback.callback
        for command in group.registered_commands:
            yield (*before, command.name or command.callback.__name__), command.callback
        for inner in group.registered_groups:
            yield from callbacks(inner.typer_instance, (*before, inner.name))

    for words, callback in callbacks(app, ("genolstm",)):
        place = 0
        for parameter in get_params_from_function(callback).values():
            info = parameter.default
            if not hasattr(info, "param_decls"):  # the context, which is no option
                continue
            place += isinstance(info, ArgumentInfo)
            names = f"argument {place}" if isinstance(info, ArgumentInfo) else ",".join(info.param_decls)
            default = "required" if info.default is ... else repr(getattr(info.default, "value", info.default))
            yield "\t".join((" ".join(words), names, kind_of(parameter.annotation, info), default))


def test_every_option_of_the_release_is_as_it_was():
    now = set(rows())
    # what had to be given may be left out since: every old command line still means the same
    relaxed = {
        row.removesuffix("\tNone") + "\trequired" for row in now if "\targument " in row and row.endswith("\tNone")
    }
    expected = {CHANGED.get(row, row) for row in RELEASED.read_text().splitlines()}
    missing = sorted(expected - now - relaxed)
    assert not missing, "changed or gone since 0.1.0:\n" + "\n".join(missing)


def test_no_option_that_came_later_must_be_given():
    released = RELEASED.read_text().splitlines()
    commands = {row.split("\t")[0] for row in released}
    added = set(rows()) - set(released)
    assert not [row for row in added if row.split("\t")[0] in commands and row.endswith("\trequired")]


def test_the_table_of_the_release_is_whole():
    released = RELEASED.read_text().splitlines()
    assert len(released) == len(set(released)) > 200
    assert "genolstm train\t--bases\tstr\t'40000000'" in released


if __name__ == "__main__":
    print(*sorted(rows()), sep="\n")  # noqa: T201
