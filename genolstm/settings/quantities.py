"""Numbers and lists as people write them: 40M, 0,1,4,16, chrA,chrB."""

import math
import re
from contextlib import suppress
from decimal import Decimal

from genolstm.errors import UsageError

_SIZE = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([kKmMgG]?)\s*(?:bp?)?")
_FACTOR = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


def parse_numbers(text: str, name: str) -> tuple[float, ...]:
    """Read '0,1,4,16'. Raises UsageError for anything but finite numbers with commas between."""
    with suppress(ValueError):
        values = tuple(float(part) for part in text.split(","))
        if all(math.isfinite(value) for value in values):
            return values
    raise UsageError(f"{name} '{text}' are not numbers with commas between, as in 0,1,4,16.")


def parse_whole_numbers(text: str, name: str) -> tuple[int, ...]:
    """Read '5,20,80'. Raises UsageError for anything but whole numbers with commas between."""
    values = parse_numbers(text, name)
    if any(value != int(value) for value in values):
        raise UsageError(f"{name} must be whole numbers, unlike {text}.")
    return tuple(int(value) for value in values)


def parse_size(text: str) -> int:
    """Read a whole number that may carry a suffix: '40M' and '40 Mb' are 40,000,000. Raises UsageError."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise UsageError(f"'{text}' is not a number; write for example 40M, 1.5G, 200k or 1,000,000.")
    number = Decimal(match[1].replace(",", "").replace("_", "")) * _FACTOR[match[2].lower()]
    if number != int(number):
        raise UsageError(f"'{text}' is not a whole number; write for example 40M, 1.5G, 200k or 1,000,000.")
    return int(number)


def parse_names(text: str | None) -> tuple[str, ...]:
    """Names in a list with commas between, as contigs; () for nothing."""
    return tuple(name.strip() for name in text.split(",") if name.strip()) if text else ()
