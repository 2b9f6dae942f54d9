"""Overdispersion of the reads of one sample: correlation with each other at one CpG, and with those of CpGs nearby.

A molecule that is read at one CpG is mostly read at its neighbours too, so that the excess of the neighbours' reads of
a sample over what their own gates predict is likely to be found here as well. This is no methylation of the population
and moves no gate; it only predicts further reads of the same sample.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

from genolstm.methylation.likelihood import Floats
from genolstm.methylation.neighbourhood import neighbour_sums

DISTANCES_BP = (0.0, 25.0, 50.0, 100.0, 200.0)  # over which reads are correlated, tried; 0 is none
SURE = 1e-3  # of the beta distribution's two counts, at least


class GatePrediction(NamedTuple):
    """Prediction of the samples' reads by the gates, before overdispersion.

    probability : [N, T], by the posterior.   prior_probability : [N, T], without the CpG's own reads.
    size : [N], how many reads the probability is worth: a + b of the beta distribution whose intraclass
    correlation is rho, (1 - rho) / rho.
    """

    probability: Floats
    prior_probability: Floats
    size: Floats


def with_overdispersion(
    predicted: GatePrediction,
    contig: NDArray[np.int32],
    position: NDArray[np.int64],
    modified: NDArray[np.int32],
    covered: NDArray[np.int32],
) -> Floats:
    """Probability that one more read of each CpG and sample is methylated, [N, T].

    Gates count as `size` reads, the CpG's own as they are, and those of neighbours exp(-distance / D) each, less
    what their gates predict. D is the one under which the neighbours predict each CpG's own reads best.
    """
    size = predicted.size[:, None]
    surplus = modified - covered * predicted.probability
    best, excess = -np.inf, np.zeros((2, *surplus.shape))
    for distance in DISTANCES_BP:
        sums = np.zeros((2, *surplus.shape))
        if distance:
            both = np.concatenate([surplus, covered.astype(np.float64)], axis=1)
            sums = np.stack(np.split(neighbour_sums(both, contig, position, distance), 2, axis=1))
        score = _evidence(predicted.prior_probability, size, sums, modified, covered)
        if score > best:
            best, excess = score, sums
    near, worth = excess
    probability: Floats = (predicted.probability * (size + worth) + near + modified) / (size + worth + covered)
    return probability


def _evidence(
    probability: Floats,
    size: Floats,
    sums: NDArray[np.float64],
    modified: NDArray[np.int32],
    covered: NDArray[np.int32],
) -> float:
    """Beta-binomial log-likelihood of all CpGs' own reads, given their neighbours' excess."""
    near, worth = sums
    total = size + worth
    alpha = np.clip(probability * total + near, SURE, total - SURE)
    return float((betaln(modified + alpha, covered - modified + total - alpha) - betaln(alpha, total - alpha)).sum())
