"""Names of files that grow beside their target under a longer name."""

import os
from pathlib import Path

from genolstm.errors import InputError

NAME_MAX = 255  # bytes, where the system does not say


def refuse_long_name(path: Path, ending: str) -> None:
    """Refuse a name without room for '.' before it and ``ending`` after it: the libraries that write there crash.

    Raises InputError.
    """
    try:
        longest = os.pathconf(path.parent, "PC_NAME_MAX")
    except OSError:  # no such folder: whoever writes there says so
        longest = NAME_MAX
    longest -= len(os.fsencode("." + ending))
    if len(os.fsencode(path.name)) > longest:
        raise InputError(f"{path} cannot be written: its name is longer than {longest} bytes; name another output.")


def refuse_other_bytes(path: Path) -> None:
    """Refuse a path that is no UTF-8, which bcftools and pybigtools cannot write to. Raises InputError."""
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError as problem:
        raise InputError(f"{path} cannot be written: its name is no UTF-8; name another output.") from problem
