"""One row of a table of counts, and why one cannot be read."""

from typing import NamedTuple


class BadRow(ValueError):
    """A row that cannot be right; says why."""


class Row(NamedTuple):
    """What a row says. position : 0-based.   counts : modified and covered reads of each sample."""

    contig: str
    position: int
    strand: int
    counts: tuple[tuple[int, int], ...]


def whole(text: str) -> int:
    """Whole number of a field. Raises BadRow."""
    try:
        return int(text)
    except ValueError as problem:
        raise BadRow(f"'{text[:30]}' is no whole number") from problem
