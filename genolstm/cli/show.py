"""``genolstm show`` and ``genolstm schema``: what a file holds, and what each kind must hold."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from genolstm.cli.options import Json
from genolstm.cli.terminal import printable
from genolstm.shipped import model_path

SHOWN_ROWS = 14  # of a table


def show(
    file: Annotated[
        Path,
        typer.Argument(
            parser=model_path,
            metavar="FILE",
            help="Any file that genolstm made, or the name of a model that 'genolstm models' lists.",
            show_default=False,
        ),
    ],
    verify: Annotated[
        bool, typer.Option("--verify", help="Also check every byte of the content against its SHA-256.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help=f"Every row of every table, not only the first {SHOWN_ROWS}.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Summarise a file: its verdict and the size of the effect first, then how it was made and its main numbers.

    Example: genolstm show model.h5
    """
    from genolstm.store.summary import summarise

    summary = summarise(file, verify=verify)
    if as_json:
        typer.echo(json.dumps(summary))
        return
    for line in summary.pop("found", ()):
        _print_line(line)
    for title, entries in summary.items():
        _print_line(f"{title}" if isinstance(entries, dict) else f"{title}: {_spelled(entries)}")
        if isinstance(entries, dict):
            rows = [f"  {name}: {_spelled(value)}" for name, value in entries.items()]
            shown = rows if every or len(rows) <= SHOWN_ROWS else rows[:SHOWN_ROWS]
            for row in shown:
                _print_line(row)
            if len(shown) < len(rows):
                _print_line(f"  ... and {len(rows) - len(shown):,} more, with --all")


def _print_line(line: str) -> None:
    typer.echo(printable(line))  # attributes may come from anywhere


def _spelled(value: Any) -> str:  # noqa: ANN401  (values of any JSON type)
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list | dict):
        return json.dumps(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def schema(
    kind: Annotated[
        str | None, typer.Argument(help="One kind of file; all of them when left out.", show_default=False)
    ] = None,
) -> None:
    """Print what each kind of file holds: datasets, axes, types, units, meaning.

    Example: genolstm schema checkpoint
    """
    from genolstm.errors import UsageError
    from genolstm.store.schema import ROOT_ATTRIBUTES, SCHEMA, SCHEMA_VERSION, Kind

    if kind is not None and kind not in set(Kind):
        raise UsageError(f"there is no kind of file '{kind}'; there are {', '.join(Kind)}.")
    for each in Kind if kind is None else [Kind(kind)]:
        typer.echo(f"{each} (schema version {SCHEMA_VERSION[each]})")
        for row in SCHEMA[each]:
            axes = " x ".join(row.dims)
            unit = f" [{row.unit}]" if row.unit else ""
            optional = "" if row.required else " (where there is one)"
            typer.echo(f"  {row.path}\t{axes}\t{row.dtype}\t{row.meaning}{unit}{optional}")
        typer.echo("")
    typer.echo("attributes of every file")
    for name, meaning in ROOT_ATTRIBUTES.items():
        typer.echo(f"  {name}\t{meaning}")
