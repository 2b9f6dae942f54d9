"""``genolstm manual``: the page of a command in the terminal, where there is no browser."""

import pydoc
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

OPTIONS_MARK = "<!-- options"
FIRST = "index"  # the page that lists the others


def manual(
    ctx: typer.Context,
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[COMMAND]", help="Words of a command, as probe splice; a list without.", show_default=False
        ),
    ] = None,
) -> None:
    """Print the manual's page of a command: worked example, options, limits.

    Example: genolstm manual probe splice
    """
    from genolstm.errors import UsageError

    pages = manual_pages()
    name = "-".join(command or [FIRST])
    if name not in pages:
        there = ", ".join(each.replace("-", " ") for each in sorted(pages) if each != FIRST)
        raise UsageError(f"the manual has no page '{' '.join(command or [])}'; it has {there}.")
    text = filled(pages[name].read_text(encoding="utf-8"), ctx.find_root().command)
    if sys.stdout.isatty():
        pydoc.pager(text)
    else:
        typer.echo(text, nl=False)


def manual_pages() -> dict[str, Path]:
    """Name -> file of every page, where the package is installed or in a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "manual"
    folder = inside if inside.is_dir() else package.parent / "docs" / "pages" / "commands"
    return {page.stem: page for page in folder.glob("*.md")}


def filled(page: str, program: Any) -> str:  # noqa: ANN401  (typer's group of all commands)
    """A page with the options of its commands in place of their marks."""
    return "\n".join(
        _options(marked_command(line), program) if line.startswith(OPTIONS_MARK) else line for line in page.split("\n")
    )


def marked_command(line: str) -> list[str]:
    """Words of the command that a mark names: '<!-- options: probe splice -->' to ['probe', 'splice']."""
    return line.removeprefix(OPTIONS_MARK).removesuffix("-->").strip(" :").split()


def _options(words: list[str], command: Any) -> str:  # noqa: ANN401
    """Arguments and options of a command of a group, as its --help has them."""
    for word in words:
        command = command.commands[word]
    context = command.make_context("genolstm", [], resilient_parsing=True)
    formatter = context.make_formatter()
    command.format_options(context, formatter)
    return str(formatter.getvalue()).rstrip()
