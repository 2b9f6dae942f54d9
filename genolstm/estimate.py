"""A value with its interval: what every score, difference and mean in this package is."""

from typing import NamedTuple


class Estimate(NamedTuple):
    """A value with the ends of its 95 % interval: NaN where there is none, infinite where the data are too few."""

    value: float
    low: float
    high: float
