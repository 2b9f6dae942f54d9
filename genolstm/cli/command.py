"""Records of options into commands, and back: defaults, then the settings file, then what was typed.

An option is declared once, on a field of a frozen dataclass (see ``settings.option``). A command takes such records
whole, beside its own arguments, and ``command`` makes the signature that Typer reads:

    @command(settings_file=True)  # --settings FILE fills the records of settings
    def score(
        model: Model,  # a Typer argument, as ever
        genome: GenomeFile,
        output: Output,
        stream: StreamSettings,  # --lanes, --chunk ...: a record of settings, complete and checked
        run: RunOptions,  # --force, --quiet, --json; a record of the command line alone, so in no settings file
    ) -> None:

Help texts, bounds and defaults stand on the fields. A new option is a new field; a new command says which records it
takes. A parameter of type `Given` receives the options that were typed or set in the file, for the few commands that
need to know. Options of a single command are fields of a dataclass beside that command, or Typer's own parameters.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, dataclass, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from genolstm.errors import InputError
from genolstm.settings.option import Option, options_of, spelled
from genolstm.settings.record import Settings, read_settings_file

SettingsFile = Annotated[Path | None, typer.Option("--settings", help="TOML file with any of these settings.")]


@dataclass(frozen=True)
class Given:
    """Options set on the command line or in the settings file: name of the parameter or field -> value.

    settings : those of records of settings alone, which a settings file may hold.
    """

    values: Mapping[str, Any]
    settings: Mapping[str, Any]


def command(*, settings_file: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator: a command from a function whose parameters are Typer's own, or records whose fields are the options.

    settings_file : add ``--settings FILE``, which fills the records of settings where nothing was typed.
    Raises TypeError at import where two options have one name.
    """

    def made(function: Callable[..., None]) -> Callable[..., None]:
        return _with_options(function, settings_file=settings_file)

    return made


def _with_options(function: Callable[..., None], *, settings_file: bool) -> Callable[..., None]:
    own = inspect.signature(function).parameters
    records: dict[str, type] = {name: each.annotation for name, each in own.items() if _is_record(each.annotation)}
    signature = _signature(own, records, settings_file=settings_file)

    @functools.wraps(function)
    def run(ctx: typer.Context, **values: Any) -> None:  # noqa: ANN401  (what Typer read)
        from_file = _in_file(ctx, records.values(), values.pop("settings_file", None))
        given = {**from_file, **_typed(ctx, values)}
        read = {**values, **given}
        for record in records.values():
            read |= {name: _value(field, option, read[name]) for name, (field, option) in options_of(record).items()}
        arguments = {name: read[name] for name in own if name in read}
        arguments |= {
            name: record(**{each: read[each] for each in options_of(record)}) for name, record in records.items()
        }
        values = {name: read[name] for name in given}
        of_settings = _of_settings(records.values())
        all_given = Given(values, {name: value for name, value in values.items() if name in of_settings})
        function(**arguments, **{name: all_given for name, each in own.items() if each.annotation is Given})

    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in signature.parameters.values()}
    return run


def _is_record(annotation: object) -> bool:
    return isinstance(annotation, type) and is_dataclass(annotation) and annotation is not Given


def _signature(
    own: Mapping[str, inspect.Parameter], records: Mapping[str, type], *, settings_file: bool
) -> inspect.Signature:
    """Signature that Typer inspects: the function's own parameters, each record replaced by its options."""
    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    parameters = [context]
    for name, parameter in own.items():
        if name in records:
            options = options_of(records[name])
            parameters += [_parameter(field, option) for field, option in options.values()]
        elif parameter.annotation is not Given:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
    if settings_file:
        parameters.append(
            inspect.Parameter("settings_file", inspect.Parameter.KEYWORD_ONLY, annotation=SettingsFile, default=None)
        )
    names = [each.name for each in parameters]
    if twice := {name for name in names if names.count(name) > 1}:
        raise TypeError(f"two options are called {', '.join(sorted(twice))}")
    return inspect.Signature(parameters)


def _parameter(field: "Field[Any]", option: Option) -> inspect.Parameter:
    """One option as Typer wants it."""
    flags = option.flags or ("--" + field.name.replace("_", "-"),)
    default = inspect.Parameter.empty if option.required else spelled(option, field.default)
    kind: Any = option.kind if option.read else field.type
    info = typer.Option(
        *flags, help=option.help, min=option.min, max=option.max, show_default=default not in ("", None)
    )
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        annotation=Annotated[kind if default is not None else kind | None, info],
        default=default,
    )


def _value(field: "Field[Any]", option: Option, value: Any) -> Any:  # noqa: ANN401  (the type of the field)
    """Value of a field from what was typed or stood in a file."""
    if value is None and option.shown is None:
        return field.default
    if option.read is None or isinstance(value, tuple):  # a list of names in a settings file stands as it is
        return value
    return option.read(value)


def _typed(ctx: typer.Context, values: Mapping[str, Any]) -> dict[str, Any]:
    """Only the options that were typed on the command line. values : option name -> value."""
    return {name: value for name, value in values.items() if _source(ctx, name) == "COMMANDLINE"}


def _source(ctx: typer.Context, name: str) -> str:
    source = ctx.get_parameter_source(name)
    return source.name if source else ""


def _of_settings(records: Iterable[type]) -> dict[str, "Field[Any]"]:
    """Fields of the records of settings that a settings file may hold; required options must be typed."""
    return {
        name: field
        for record in records
        if issubclass(record, Settings)
        for name, (field, option) in options_of(record).items()
        if not option.required
    }


def _in_file(ctx: typer.Context, records: Iterable[type], settings_file: Path | None) -> dict[str, Any]:
    """Options of a settings file. Raises InputError for a key that is no option, or a value that its option refuses."""
    found = read_settings_file(settings_file) if settings_file else {}
    known = _of_settings(records)
    options = {option.name: option for option in ctx.command.params}
    for key, value in found.items():
        where = f"settings file {settings_file}"
        if key not in known:
            raise InputError(f"{where} has the unknown key '{key}'; known are {', '.join(known)}.")
        names = isinstance(value, list) and all(isinstance(each, str) for each in value)
        if names and isinstance(known[key].default, tuple):
            found[key] = tuple(value)
            continue
        if isinstance(value, list | dict):
            raise InputError(f"{where}: '{key}' must be one value, not {value!r}.")
        try:
            found[key] = options[key].process_value(ctx, str(value))  # as if it had been typed
        except typer.BadParameter as problem:
            raise InputError(f"{where}: '{key}' is wrong: {problem.message.rstrip('.')}.") from problem
    return found
