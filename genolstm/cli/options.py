"""Options into settings: defaults, then the settings file, then what was typed."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.errors import InputError, UsageError
from genolstm.settings.quantities import parse_size
from genolstm.settings.record import read_settings_file
from genolstm.shipped import model_path

if TYPE_CHECKING:
    from genolstm.regions import Region

Model = Annotated[
    Path,
    typer.Argument(
        parser=model_path,
        metavar="MODEL",
        help="Model file made by 'genolstm train', or the name of one that 'genolstm models' lists.",
        show_default=False,
    ),
]


def typed(ctx: typer.Context, values: Mapping[str, Any]) -> dict[str, Any]:
    """Only the options that stood on the command line. values : option name -> value, as the command received them."""
    return {name: value for name, value in values.items() if _source(ctx, name) == "COMMANDLINE"}


def _source(ctx: typer.Context, name: str) -> str:
    source = ctx.get_parameter_source(name)
    return source.name if source else ""


def given(ctx: typer.Context, values: Mapping[str, Any], settings_file: Path | None) -> dict[str, Any]:
    """Only the options that stood in the settings file or on the command line, which wins.

    Raises InputError for a key that is no option, or a value that its option would refuse.
    """
    from_file = read_settings_file(settings_file) if settings_file else {}
    options = {option.name: option for option in ctx.command.params}
    for key, value in from_file.items():
        where = f"settings file {settings_file}"
        if key not in values:
            raise InputError(f"{where} has the unknown key '{key}'; known are {', '.join(values)}.")
        if isinstance(value, list) and key.endswith("_contigs") and all(isinstance(name, str) for name in value):
            continue
        if isinstance(value, list | dict):
            raise InputError(f"{where}: '{key}' must be one value, not {value!r}.")
        try:
            from_file[key] = options[key].process_value(ctx, str(value))  # as if it had been typed
        except typer.BadParameter as problem:
            raise InputError(f"{where}: '{key}' is wrong: {problem.message.rstrip('.')}.") from problem
    return {**from_file, **typed(ctx, values)}


def chosen(ctx: typer.Context, values: Mapping[str, Any], settings_file: Path | None) -> dict[str, Any]:
    """Every option value; the settings file stands in for what was not typed. Raises InputError as `given`."""
    return {**values, **given(ctx, values, settings_file)}


def parse_region(text: str, lengths: Mapping[str, int]) -> "Region":
    """Read a region as samtools spells it, 1-based with both ends in it: 'I', 'I:1,001-2,000', 'I:1M-2M' or 'I:5000-'.

    lengths : contig name -> symbols; a contig whose own name looks like a region is found first.
    Raises InputError for a contig that is not there, UsageError for what is no region or lies past the contig's end.
    """
    from genolstm.regions import Region

    if text in lengths:
        return Region(contig=text, start=0, end=lengths[text])
    contig, colon, span = text.rpartition(":")
    if not colon or contig not in lengths:
        known = ", ".join(list(lengths)[:8]) + (", ..." if len(lengths) > 8 else "")
        raise InputError(f"region '{text}' names no contig of the genome, which has {known}. Correct the name.")
    first, dash, last = span.partition("-")
    start = parse_size(first)
    end = parse_size(last) if last else lengths[contig] if dash else start
    if start == 0 and end > 0:
        raise UsageError(
            f"region '{text}' begins at 0, and bases are counted from 1, both ends in it: what BED calls 0 to {end} is"
            f" {contig}:1-{end} here."
        )
    if not 1 <= start <= end:
        raise UsageError(f"region '{text}' is empty: write it as {contig}:FIRST-LAST, counted from 1, both ends in it.")
    if end > lengths[contig]:
        raise UsageError(f"region '{text}' ends past contig '{contig}' of {lengths[contig]:,} symbols; end it there.")
    return Region(contig=contig, start=start - 1, end=end)


def refuse_all(outputs: list[Path], inputs: list[Path], *, force: bool) -> None:
    """Stop before any work when one of several outputs cannot be written. Raises UsageError."""
    from genolstm.store.files import refuse_existing

    if len(set(outputs)) < len(outputs):
        raise UsageError("two outputs have one name; name each its own.")
    for path in outputs:
        refuse_existing(path, force=force, inputs=inputs)
