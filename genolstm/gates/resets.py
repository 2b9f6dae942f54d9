"""Resets: where the mean forget gate drops below nearly all of its values, and no lower value is near."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.gates.places import SamplePlan

Values = NDArray[np.float32]
Ints = NDArray[np.int64]
ReadTrack = Callable[[int, int, int, int], Values]  # strand, layer, first sample, end -> [n]

SLAB = 1 << 18  # samples per slab
BINS = 1 << 16  # of the histogram that a threshold is taken from, over 0..1
APART = 10  # bases: of two drops nearer than this only the lower is a reset


class Resets(NamedTuple):
    """Some resets; each [n]. stretch : of the plan.   position : 0-based.   forget : mean over units there."""

    stretch: Ints
    position: Ints
    forget: Values


def threshold_of(read: ReadTrack, plan: SamplePlan, layer: int, strands: int, fraction: float) -> float:
    """Value of the mean forget gate that a fraction of all samples lies below, to 1 in 65,536; NaN without any sample.

    A histogram over all strands: memory does not grow with the genome.
    """
    counts = np.zeros(BINS, dtype=np.int64)
    for strand in range(strands):
        for first in range(0, plan.samples, SLAB):
            values = read(strand, layer, first, min(first + SLAB, plan.samples))
            known = values[~np.isnan(values)]
            counts += np.bincount(np.minimum((known * BINS).astype(np.int64), BINS - 1), minlength=BINS)
    if not counts.any():
        return float("nan")
    below = np.cumsum(counts)
    return float(np.searchsorted(below, fraction * below[-1], side="left") + 1) / BINS


def resets_along(read: ReadTrack, plan: SamplePlan, strand: int, layer: int, threshold: float) -> Iterator[Resets]:
    """Resets of one strand and layer, slab by slab: samples below the threshold that are the lowest within 10 bases.

    Where samples stand further apart than that, the lowest of each and its two neighbours; of equals the first.
    """
    half = max(1, APART // plan.every)
    for slab in range(0, plan.samples, SLAB):
        stop = min(slab + SLAB, plan.samples)
        low, high = max(0, slab - half), min(plan.samples, stop + half)
        values = read(strand, layer, low, high)
        # samples of all stretches stand end to end; an empty one holds none of them
        stretch = np.searchsorted(plan.first, np.arange(low, high), side="right") - 1
        chosen = low + _lowest_within(values, stretch, half, threshold)
        chosen = chosen[(chosen >= slab) & (chosen < stop)]
        mine = stretch[chosen - low]
        position = plan.first_position[mine] + (chosen - plan.first[mine]) * plan.every
        yield Resets(mine, position, values[chosen - low])


def _lowest_within(values: Values, stretch: Ints, half: int, threshold: float) -> Ints:
    """Places of values below a threshold that none within `half` places of their stretch undercuts.

    Of equals the first. stretch : of each value, ascending.
    """
    padded = np.pad(np.where(np.isnan(values), np.inf, values), half, constant_values=np.inf)
    of = np.pad(stretch, half, constant_values=-1)
    places = np.flatnonzero(values < threshold)
    window = places[:, None] + np.arange(2 * half + 1)
    around = np.where(of[window] == stretch[places][:, None], padded[window], np.inf)  # [n, 2 half + 1]
    kept: Ints = places[around.argmin(axis=1) == half]
    return kept
