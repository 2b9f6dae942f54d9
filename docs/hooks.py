"""MkDocs hooks: pages show the options and the Python names that the program has, so that none is missing or stale."""

import html
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer.main

import genolstm
from genolstm.cli.app import app
from genolstm.cli.help import plain_kinds
from genolstm.cli.manual import OPTIONS_MARK, marked_command

sys.path.insert(0, str(Path(__file__).parent))  # MkDocs loads this file by its path
from man import write_pages

PYTHON_MARK = "<!-- python -->"


def on_page_markdown(markdown: str, **_: object) -> str:
    """Fill in what stands for options ('<!-- options: COMMAND -->') and for the Python door ('<!-- python -->')."""
    lines: list[str] = []
    for line in markdown.split("\n"):
        if line.startswith(OPTIONS_MARK):
            lines += options_table(marked_command(line))
        elif line == PYTHON_MARK:
            lines += python_names()
        else:
            lines.append(line)
    return "\n".join(lines)


def on_post_build(config: Mapping[str, Any], **_: object) -> None:
    """Write the man pages beside the site, as man/man1: MANPATH may name that folder."""
    write_pages(Path(config["site_dir"]) / "man" / "man1")


def options_table(words: list[str]) -> list[str]:
    """Markdown table of the arguments and options of a command, named by its words, as ['probe', 'splice']."""
    command = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]  # type: ignore[attr-defined]
    context = command.make_context("genolstm", [], resilient_parsing=True)
    rows = ["| option | meaning |", "|---|---|"]
    for parameter in command.get_params(context):
        if record := parameter.get_help_record(context):
            name = plain_kinds(*record) if parameter.param_type_name == "option" else record[0].split(" ")[0].upper()
            rows.append(f"| `{name.replace('|', chr(92) + '|')}` | {_cell(record[1])} |")
    return rows


def python_names() -> list[str]:
    """A line of mkdocstrings for every name of `import genolstm`."""
    return [
        line
        for module, names in genolstm._HOMES.items()
        for name in names
        for line in (f"::: genolstm.{module}.{name}", "")
    ]


def _cell(text: str) -> str:
    plain = " ".join(text.split()).replace("0<=x<=9223372036854775807", "x>=0")
    escaped = html.escape(plain, quote=False)
    for letter in "|[]*_":
        escaped = escaped.replace(letter, "\\" + letter)
    return escaped
