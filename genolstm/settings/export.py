"""How rows of a result become the rows of other programs."""

from enum import StrEnum


class Scale(StrEnum):
    """How a value becomes the score of BED, 0 to 1000."""

    LOG_ODDS = "log-odds"
    FRACTION = "fraction"
    COUNT = "count"
    RANGE = "range"
