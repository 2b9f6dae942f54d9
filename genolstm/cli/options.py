"""Options into settings: defaults, then the settings file, then what was typed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from genolstm.errors import InputError, UsageError
from genolstm.settings.record import read_settings_file
from genolstm.shipped import model_path

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


def refuse_all(outputs: list[Path], inputs: list[Path], *, force: bool) -> None:
    """Stop before any work when one of several outputs cannot be written. Raises UsageError."""
    from genolstm.store.files import refuse_existing

    if len(set(outputs)) < len(outputs):
        raise UsageError("two outputs have one name; name each its own.")
    for path in outputs:
        refuse_existing(path, force=force, inputs=inputs)
