"""The correlation of the reads of one CpG and sample, common to all CpGs, estimated from them."""

import numpy as np
from numpy.typing import NDArray

from genolstm.methylation.likelihood import Floats, ReadModel
from genolstm.methylation.site_fit import Flag, SiteFit, fit_sites
from genolstm.settings.methylation import MethylationSettings, ReadLikelihood, StartState, number_or_estimate

SAMPLED_SITES = 20_000  # CpGs from which it is estimated


def dispersion_of(modified: NDArray[np.int32], covered: NDArray[np.int32], settings: MethylationSettings) -> float:
    """Dispersion as given, or estimated from the reads, one for all CpGs; 0 where reads are binomial."""
    if estimates_dispersion(settings):
        return estimate_dispersion(modified, covered, settings)
    return known_dispersion(settings)


def estimates_dispersion(settings: MethylationSettings) -> bool:
    """Whether the reads have to tell."""
    asked = number_or_estimate(settings.dispersion, "dispersion")
    return settings.likelihood is ReadLikelihood.BETA_BINOMIAL and asked is None


def known_dispersion(settings: MethylationSettings) -> float:
    """Dispersion where it is not estimated: as given, or 0 of binomial reads."""
    given = number_or_estimate(settings.dispersion, "dispersion")
    return (given or 0.0) if settings.likelihood is ReadLikelihood.BETA_BINOMIAL else 0.0


def _sample(
    modified: NDArray[np.int32], covered: NDArray[np.int32], settings: MethylationSettings
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Evenly spread CpGs with reads enough; all, where there are less than twice as many as are wanted."""
    usable = np.flatnonzero(covered.sum(axis=1) >= settings.min_reads)
    usable = usable[:: max(1, len(usable) // SAMPLED_SITES)]
    return modified[usable], covered[usable]


def estimate_dispersion(
    modified: NDArray[np.int32], covered: NDArray[np.int32], settings: MethylationSettings
) -> float:
    """Correlation of reads of one CpG and sample by moments (Williams 1982): Pearson's X2 against its expectation.

    Under beta-binomial counts E[X2] = sum of (1 + (n - 1) rho), less the part of the fitted parameters. Only CpGs
    with more samples than parameters and a fit off its bounds are used; 0 where counts scatter no more than binomial.
    """
    modified, covered = _sample(modified, covered, settings)
    model = ReadModel(np.array(settings.elapsed), settings.conversion_error, 0.0, settings.start is StartState.FREE)
    fit = fit_sites(modified, covered, settings, model, intervals=False)
    probability = expected_probability(fit, model)
    variance = covered * probability * (1 - probability)
    telling = variance > 0  # at age 0 nothing is methylated, and the scatter of reads is none
    spare = telling.sum(axis=1) - model.parameters
    inner = Flag.FEW_READS | Flag.RATE_AT_LOW_BOUND | Flag.RATE_AT_HIGH_BOUND | Flag.STEADY_AT_BOUND
    used = (spare > 0) & ((fit.flags & np.uint16(inner)) == 0)
    if not used.any():
        return 0.0
    telling, n = telling[used], covered[used].astype(np.float64)
    squares = np.divide(
        (modified[used] - n * probability[used]) ** 2, variance[used], out=np.zeros_like(n), where=telling
    )
    left = spare[used] / np.maximum(telling.sum(axis=1), 1)  # degrees of freedom left, per sample
    excess = (squares.sum(axis=1) - spare[used]).sum()
    return float(max(0.0, excess / (np.where(telling, np.maximum(n - 1, 0), 0).sum(axis=1) * left).sum()))


def expected_probability(fit: SiteFit, model: ReadModel) -> Floats:
    """Probability of a methylated read at each sample, [N, T]."""
    forget = np.exp(-np.outer(fit.rate, model.elapsed))
    state = fit.steady[:, None] - (fit.steady - fit.start)[:, None] * forget
    probability: Floats = model.error + (1 - model.error) * state
    return probability
