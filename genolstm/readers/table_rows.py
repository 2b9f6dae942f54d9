"""The fields of one row of a table of counts as numbers, and why a row cannot be read."""

import math
import re
from functools import lru_cache

Row = tuple[float, ...]  # start, span, strand, and what the dialect's readings need
LARGEST_POSITION = (1 << 40) - 1  # what a site's sort key can hold; the largest known genome has 1.6e11 bases
UNTOLD = 2  # a strand that a table does not give: found out from the genome
STRANDS = {"+": 1, "-": -1, ".": 0}
NOT_A_NUMBER = frozenset({"nan", "na", "n/a", "."})  # how tables write a percentage of no reads
WHOLE = re.compile(r"[-+]?[0-9]+(?:\.0*)?")
LONGEST_SHOWN = 30


class BadRow(ValueError):
    """A row that cannot be right, with the reason."""


def whole(text: str) -> int:
    """Whole number of a field, 8 or 8.0. Raises BadRow; the caller checks how large it may be."""
    try:
        return int(text)
    except ValueError as problem:
        if not WHOLE.fullmatch(text) or len(text) > LONGEST_SHOWN:
            raise BadRow(f"'{text[:LONGEST_SHOWN]}' is no whole number") from problem
        return int(text.partition(".")[0])


@lru_cache(maxsize=1 << 14)  # a table has few different ones
def percentage(text: str) -> tuple[float, int]:
    """Value of a percentage or fraction, NaN where nothing was called, and its decimals. Raises BadRow."""
    try:
        value = float(text)
    except ValueError as problem:
        if text.lower() in NOT_A_NUMBER:
            return math.nan, 0
        raise BadRow(f"its percentage is '{text[:9]}'") from problem
    if not 0 <= value <= 100 and not math.isnan(value):
        raise BadRow(f"its percentage is {value:g}")
    point = text.find(".")
    if text.isdecimal() or (point >= 0 and text[point + 1 :].isdecimal()):
        return value, len(text) - point - 1 if point >= 0 else 0
    mantissa, _, exponent = text.lower().partition("e")  # 8.5e-05 has 6 decimals
    decimals = len(mantissa.partition(".")[2]) - (int(exponent) if exponent.lstrip("+-").isdecimal() else 0)
    return value, max(decimals, 0)


def strand_of(text: str) -> int:
    """Read +, - or '.' as +1, -1 or 0. Raises BadRow."""
    if text not in STRANDS:
        raise BadRow(f"its strand is '{text[:9]}', not +, - or .")
    return STRANDS[text]


def one_base(start: int, end: int) -> None:
    """Raise BadRow for a row of BED that is not one base long."""
    if end != start + 1:
        raise BadRow(f"it spans {start} to {end}, which is not one base")
