"""Numbers that the environment of a process carries: how torchrun started it, and how many threads it was given."""

import os

from genolstm.errors import UsageError


def whole_number(name: str, default: int, *, least: int = 0) -> int:
    """Whole number in an environment variable; the default where it is unset. Raises UsageError for anything else."""
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    if not text.isdecimal() or not text.isascii() or len(text) > 9 or int(text) < least:
        raise UsageError(
            f"{name} is '{text}' in the environment, which is no whole number of at least {least}; start with torchrun,"
            f" or unset {name}."
        )
    return int(text)


def process_count() -> int:
    """Processes that torchrun started to work together; 1 without it."""
    return whole_number("WORLD_SIZE", 1, least=1)
