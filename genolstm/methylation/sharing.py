"""How much of what is random about two CpGs of one sample is the same: molecules that both are read on, by distance.

Counts do not say which reads are one molecule, but reads of one molecule go together, so that what the reads of a
sample depart from their gates is alike at neighbours. A CpG's reads and the prior that its neighbours' reads give it
then hold part of the evidence twice; the CpG's own is made to count for less by as much.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.methylation.likelihood import Floats
from genolstm.methylation.neighbourhood import SiteReads, neighbour_sums

LAGS = 12  # neighbours on one side that are looked at
BINS_BP = np.array([0.0, 15, 30, 60, 100, 150, 220, 320, 500, 800, 1200])
DISTANCES_BP = (25.0, 50.0, 100.0, 200.0, 400.0)
MOST = 0.95


class Sharing(NamedTuple):
    """Correlation fraction * exp(-d / distance_bp) of what is random at CpGs d bp apart in one sample."""

    fraction: float = 0.0
    distance_bp: float = DISTANCES_BP[0]


def sharing_of(reads: SiteReads, expected: NDArray[np.floating], dispersion: float) -> Sharing:
    """Estimate it from residuals; expected : [N, T], probability of a methylated read by each CpG's gates.

    Correlation of residuals of one sample less that of different samples, which gates that do not fit cause; least
    squares over bins of distance.
    """
    n = reads.covered.astype(np.float64)
    scale = np.sqrt(np.maximum(n * expected * (1 - expected) * (1 + np.maximum(n - 1, 0) * dispersion), 1e-9))
    residual = np.where(n > 0, (reads.modified - n * expected) / scale, 0.0)
    every, same, pairs = np.zeros((3, len(BINS_BP) - 1))
    samples = residual.shape[1]
    for lag in range(1, min(LAGS + 1, len(residual))):
        one, two = residual[:-lag], residual[lag:]
        near = reads.contig[lag:] == reads.contig[:-lag]
        place = np.digitize(reads.position[lag:] - reads.position[:-lag], BINS_BP) - 1
        near &= (place >= 0) & (place < len(pairs))
        within = (one * two).sum(axis=1)
        across = (one.sum(axis=1) * two.sum(axis=1) - within) / max(1, samples - 1)
        for sums, values in ((same, within), (every, across), (pairs, np.ones(len(within)))):
            sums += np.bincount(place[near], weights=values[near], minlength=len(sums))
    power = (residual**2).sum() / max(1, len(residual))
    if not pairs.any() or power == 0:
        return Sharing()
    correlation = (same - every) / np.maximum(pairs, 1) / power
    middle = (BINS_BP[1:] + BINS_BP[:-1]) / 2
    fits = []
    for distance in DISTANCES_BP:
        shape = np.exp(-middle / distance)
        fraction = float(np.clip((pairs * shape * correlation).sum() / (pairs * shape**2).sum(), 0, MOST))
        fits.append((float((pairs * (correlation - fraction * shape) ** 2).sum()), fraction, distance))
    _, fraction, distance = min(fits)
    return Sharing(fraction, distance)


def shared_with_neighbours(
    sharing: Sharing, contig: NDArray[np.int32], position: NDArray[np.int64], distance_bp: float, weight: float
) -> Floats:
    """Mean sharing of each CpG with what its prior is mixed from: neighbours, and `weight` of all CpGs; [N]."""
    ones = np.ones((len(position), 1))
    nearer = 1 / (1 / distance_bp + 1 / sharing.distance_bp)
    total = neighbour_sums(ones, contig, position, distance_bp)[:, 0] + weight
    shared: Floats = sharing.fraction * neighbour_sums(ones, contig, position, nearer)[:, 0] / total
    return shared


def own_power(shared: Floats, wider: Floats) -> Floats:
    """Power of a CpG's own likelihood with which its posterior is as wide as it should be; in (0, 1], [N].

    For normal errors of variance v at the CpG and its neighbour with the correlation s, and a prior from the neighbour
    of variance v (1 + w), the posterior given both has the variance v (1 + w - s^2) / (2 + w - 2 s); solved for the
    power: (1 + w - s)^2 / ((1 + w) (1 + w - s^2)). It is (1 - s) / (1 + s) where the gates are the same, w = 0.

    shared : s.   wider : w, at least 0.
    """
    power: Floats = (1 + wider - shared) ** 2 / ((1 + wider) * (1 + wider - shared**2))
    return power
