"""Positions as text: digits alone, and none that is further than any contig reaches."""

FURTHEST = 1 << 40  # bp; no contig has a trillion bases, and 64 bits hold sums of many of these
MOST_DIGITS = len(str(FURTHEST))


def position(text: str) -> int:
    """Number that a column holds; spaces around it are passed over. Raises ValueError for anything but one of a contig.

    Python's own ``int`` takes '1_000', '٣' and numbers of any length too.
    """
    digits = text.strip()
    if not (digits.isascii() and digits.removeprefix("-").isdigit()):
        raise ValueError(f"{shortened(text)} is no whole number")
    if len(digits.lstrip("-0")) > MOST_DIGITS or int(digits) > FURTHEST:
        raise ValueError(f"{shortened(text)} is beyond the end of any contig")
    return int(digits)


def shortened(text: str, longest: int = 60) -> str:
    """Text between quotes, control characters escaped, cut where it is too long for a message."""
    return repr(text if len(text) <= longest else text[:longest] + "...")
