"""Luck that the reads of one sample share: with each other at one CpG, and with those of CpGs nearby.

A molecule that is read at one CpG is mostly read at its neighbours too, so that what the neighbours' reads of a sample
show beyond what their own gates foresee is likely to be true here as well. This is no methylation of the population
and moves no gate; it only foretells further reads of the same sample.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

from genolstm.methylation.likelihood import Floats
from genolstm.methylation.neighbourhood import neighbour_sums

DISTANCES_BP = (0.0, 25.0, 50.0, 100.0, 200.0)  # over which luck is shared, tried; 0 shares none
SURE = 1e-3  # of the beta distribution's two counts, at least


class Foreseen(NamedTuple):
    """What gates say of the samples' reads, before luck.

    chance : [N, T], by the posterior.   prior_chance : [N, T], without the CpG's own reads.   size : [N], how many
    reads the chance is worth: a + b of the beta distribution whose intraclass correlation is rho, (1 - rho) / rho.
    """

    chance: Floats
    prior_chance: Floats
    size: Floats


def with_luck(
    foreseen: Foreseen,
    contig: NDArray[np.int32],
    position: NDArray[np.int64],
    modified: NDArray[np.int32],
    covered: NDArray[np.int32],
) -> Floats:
    """Chance that one more read of each CpG and sample is methylated, [N, T].

    Gates count as `size` reads, the CpG's own as they are, and those of neighbours exp(-distance / D) each, taken about
    what their gates foresee. D is the one under which the neighbours foretell each CpG's own reads best.
    """
    size = foreseen.size[:, None]
    surplus = modified - covered * foreseen.chance
    best, shared = -np.inf, np.zeros((2, *surplus.shape))
    for distance in DISTANCES_BP:
        sums = np.zeros((2, *surplus.shape))
        if distance:
            both = np.concatenate([surplus, covered.astype(np.float64)], axis=1)
            sums = np.stack(np.split(neighbour_sums(both, contig, position, distance), 2, axis=1))
        score = _evidence(foreseen.prior_chance, size, sums, modified, covered)
        if score > best:
            best, shared = score, sums
    near, worth = shared
    chance: Floats = (foreseen.chance * (size + worth) + near + modified) / (size + worth + covered)
    return chance


def _evidence(
    chance: Floats, size: Floats, sums: NDArray[np.float64], modified: NDArray[np.int32], covered: NDArray[np.int32]
) -> float:
    """Beta-binomial log-likelihood of all CpGs' own reads, given their neighbours' luck."""
    near, worth = sums
    total = size + worth
    alpha = np.clip(chance * total + near, SURE, total - SURE)
    return float((betaln(modified + alpha, covered - modified + total - alpha) - betaln(alpha, total - alpha)).sum())
