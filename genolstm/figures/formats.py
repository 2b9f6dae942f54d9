"""Endings of a picture's name; apart from `style`, so that they can be checked without loading matplotlib."""

from pathlib import Path

from genolstm.errors import UsageError

FORMATS = ("svg", "png", "pdf")


def check_ending(path: Path) -> str:
    """Format by the ending of a picture's name: 'svg', 'png' or 'pdf'. Raises UsageError for another ending."""
    form = path.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        raise UsageError(f"figure {path} must end in {', '.join('.' + each for each in FORMATS)}; name it so.")
    return form
