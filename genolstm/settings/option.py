"""How a field of a settings record is given on the command line: declared once, on the field.

No Typer here: a declaration is plain metadata of the dataclass field, and ``cli.options`` makes the option from it.

    @dataclass(frozen=True, kw_only=True)
    class StreamSettings(Settings):
        lanes: int = option(64, "Pieces of genome read side by side.", min=1)
        contigs: tuple[str, ...] = option((), "Read these alone (comma separated).", read=parse_names)
        repair: bool = True  # no option: set from Python alone
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field, fields
from enum import Enum
from types import EllipsisType
from typing import Any, TypeVar, overload

T = TypeVar("T")
KEY = "option"  # of a field's metadata
SAME_SEED = "Same seed, same result."
LARGEST_SEED = 2**63 - 1  # files hold seeds as signed 64-bit numbers


class _Spelled(Enum):
    DEFAULT = "the default of the field, as it is typed"


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of the command line. flags : () for the name of the field.   read : what was typed -> the value.

    kind : type that `read` takes.   shown : default on the command line, None where the field's own stands for nothing
    given.   required : the option must be typed, although the field has a default in Python.
    """

    help: str
    flags: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None
    read: Callable[[Any], Any] | None = None
    kind: type = str
    shown: Any = _Spelled.DEFAULT
    required: bool = False


@overload
def option(
    default: EllipsisType,
    help: str,
    *flags: str,
    min: float | None = ...,
    max: float | None = ...,
    read: Callable[[Any], Any] | None = ...,
    kind: type = ...,
    shown: Any = ...,  # noqa: ANN401  (a default of any type)
    required: bool = ...,
) -> Any: ...  # noqa: ANN401
@overload
def option(
    default: T,
    help: str,
    *flags: str,
    min: float | None = ...,
    max: float | None = ...,
    read: Callable[[Any], T] | None = ...,
    kind: type = ...,
    shown: Any = ...,  # noqa: ANN401  (a default of any type)
    required: bool = ...,
) -> T: ...
def option(
    default: Any,
    help: str,
    *flags: str,
    min: float | None = None,
    max: float | None = None,
    read: Callable[[Any], Any] | None = None,
    kind: type = str,
    shown: Any = _Spelled.DEFAULT,
    required: bool = False,
) -> Any:
    """Declare a field that is an option. default : `...` where the field has none and must be given.

    The other arguments are those of `Option`. To a type checker this is the default, to a dataclass a field.
    """
    declared = Option(
        help=help, flags=flags, min=min, max=max, read=read, kind=kind, shown=shown, required=required or default is ...
    )
    return field(default=MISSING if default is ... else default, metadata={KEY: declared})


def option_of(record: type, name: str) -> Any:  # noqa: ANN401  (the type of that field)
    """Declare a field that is an option of another record too: the same flags, bounds, help and default."""
    (there,) = (each for each in fields(record) if each.name == name)
    return field(default=there.default, metadata=there.metadata)


def options_of(record: type) -> dict[str, tuple["Field[Any]", Option]]:
    """Name -> field and option, of every field of a record that is one."""
    return {each.name: (each, each.metadata[KEY]) for each in fields(record) if KEY in each.metadata}


def spelled(option: Option, default: object) -> Any:  # noqa: ANN401  (the type of the option)
    """Default of an option as it would be typed. default : of its field."""
    if option.shown is not _Spelled.DEFAULT:
        return option.shown
    if option.read is None:
        return default
    if isinstance(default, tuple):
        return ",".join(f"{each:g}" if isinstance(each, int | float) else str(each) for each in default)
    return str(default)
