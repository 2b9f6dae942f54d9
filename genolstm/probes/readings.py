"""A fitted probe as a sum over what is read along a pass: its decision is linear in states, means and maxima."""

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.probes.apply import FittedProbe
from genolstm.states.windows import ENDS

Floats = NDArray[np.float64]


class How(StrEnum):
    """What of the states from one offset to another is read: the only one, or their mean or maximum, unit by unit."""

    STATE = "state"
    MEAN = "mean"
    MAX = "max"


class Reading(NamedTuple):
    """One term of a decision. own : of the pass along the candidate's strand, else of the other.

    first, last : offsets of the states in it, both included: the state of that pass once it has read so many symbols
    beyond the candidate's position, from its own side.   weights : [D, K], of what is read to each of K numbers.
    """

    own: bool
    how: How
    first: int
    last: int
    weights: Floats


class Terms(NamedTuple):
    """A whole decision: the terms, and float64 [K] that is added to their sum.

    stranded : candidates lie on either strand; else all on the forward one.
    """

    readings: tuple[Reading, ...]
    intercept: Floats
    stranded: bool = True

    @property
    def spans(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """First and last offset of any state that the forward pass, and that the reverse one, gives to candidates."""
        own, other = (
            (min((each.first for each in mine), default=0), max((each.last for each in mine), default=0))
            for mine in ([each for each in self.readings if each.own is side] for side in (True, False))
        )
        both = min(own[0], other[0]), max(own[1], other[1])
        return (both, both) if self.stranded else (own, other)

    @property
    def reach(self) -> int:
        """Symbols on either side of a position within which all its states stand."""
        return max(abs(offset) for span in self.spans for offset in span)


def terms_of(probe: FittedProbe) -> Terms:
    """Terms of a probe of points or of windows; a window is read as a candidate at its first base, on strand +1."""
    linear = probe.linear
    slopes = linear.coefficients.astype(np.float64).reshape(len(linear.scale), -1) / linear.scale[:, None]  # [F, K]
    intercept = np.atleast_1d(linear.intercept) - linear.mean.astype(np.float64) @ slopes
    places = _window_places(probe.width, probe.pooling) if probe.pooling else _point_places(probe)
    blocks = slopes.reshape(len(places), -1, slopes.shape[1])  # [readings, D, K]
    readings = tuple(Reading(*place, weights) for place, weights in zip(places, blocks, strict=True))
    return Terms(readings, intercept, stranded=not probe.pooling)


def _point_places(probe: FittedProbe) -> list[tuple[bool, How, int, int]]:
    """In the order of the features: each offset of both passes, then pools of the own pass."""
    at_offsets = [(own, How.STATE, offset, offset) for offset in probe.offsets for own in (True, False)]
    return [*at_offsets, *((True, How(pool.how), pool.first, pool.last) for pool in probe.pools)]


def _window_places(width: int, pooling: tuple[str, ...]) -> list[tuple[bool, How, int, int]]:
    """In the order of the features: pools and ends of the forward pass, then of the reverse one, which ends at 0."""
    spans = {True: (0, width - 1), False: (1 - width, 0)}
    places = []
    for own, span in spans.items():
        at_ends = {name: (How.STATE, offset, offset) for name, offset in zip(ENDS, span, strict=True)}
        places += [(own, *(at_ends[pool] if pool in at_ends else (How(pool), *span))) for pool in pooling]
    return places
