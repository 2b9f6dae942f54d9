"""What every record of settings can do, and the TOML files that fill one."""

import dataclasses
import tomllib
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from genolstm.errors import InputError

_PLAIN: dict[type, tuple[tuple[type, ...], str]] = {  # type of a default -> what JSON or TOML may give for it
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "text"),
    tuple: ((list, tuple), "a list"),
}


class Settings:
    """What every settings record can do. on_gpu : defaults that stand there for those of a CPU."""

    on_gpu: ClassVar[Mapping[str, int]] = {}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], *, where: str) -> Self:
        """Rebuild from plain values. Raises InputError for a key that is unknown; `where` names the file."""
        known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        for key in values:
            if key not in known:
                raise InputError(f"{where} has the unknown key '{key}'; known are {', '.join(sorted(known))}.")
            _check_type(key, values[key], getattr(cls, key), where)
        try:
            return cls(**values)
        except (TypeError, ValueError) as problem:
            raise InputError(f"{where}: {problem}.") from problem

    def to_json(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return dataclasses.asdict(self)  # type: ignore[call-overload, no-any-return]

    def suited(self, device_type: str, given: Container[str] = ()) -> Self:
        """The same for a device: what was not given has that device's default. given : names of fields."""
        defaults = self.on_gpu if device_type == "cuda" else {}
        changed = {name: value for name, value in defaults.items() if name not in given}
        return dataclasses.replace(self, **changed)  # type: ignore[type-var]


def _check_type(key: str, value: object, default: object, where: str) -> None:
    """Check a plain value against the type of its default. Raises InputError."""
    wanted, spelled = _PLAIN[next(kind for kind in _PLAIN if isinstance(default, kind))]
    # True is an int to Python, but not a number to a person
    if not isinstance(value, wanted) or (isinstance(value, bool) and not isinstance(default, bool)):
        raise InputError(f"{where}: {key} must be {spelled}, not {value!r}.")


def read_settings_file(path: Path) -> dict[str, Any]:
    """Read the keys of a TOML settings file. Raises InputError for a file that is missing or no TOML."""
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError as problem:
        raise InputError(f"settings file {path} does not exist; correct the path.") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise InputError(f"settings file {path} is not TOML: {problem}.") from problem
