"""A value with its interval: what every score, difference and mean in this package is; and p of a family of them."""

from collections.abc import Sequence
from typing import NamedTuple


class Estimate(NamedTuple):
    """A value with the ends of its 95 % interval: NaN where there is none, infinite where the data are too few."""

    value: float
    low: float
    high: float


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p of a family, step down (Holm 1979): each at least as large as those below it, at most 1."""
    adjusted, floor = [0.0] * len(p), 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda each: p[each])):
        floor = max(floor, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = floor
    return adjusted
