"""The methylation cell fitted to every CpG at once beside scipy.optimize, CpG by CpG."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from genolstm.bench.timing import Baseline, Timing, beside
from genolstm.methylation.likelihood import ReadModel
from genolstm.methylation.simulate import drawn_truth, simulated_counts
from genolstm.methylation.site_fit import fit_sites, read_model
from genolstm.methylation.trajectory import Kinetics
from genolstm.settings.methylation import MethylationSettings, SimulateSettings
from genolstm.store.counts import Counts

CPGS, CPGS_ONE_BY_ONE = 40_000, 200
TIMES, OFFSET = (0.0, 1.0, 4.0, 16.0), 0.5  # hours
KINETICS, SPREAD = Kinetics(0.3, 0.7), 1.0
LEAST_PROBABILITY = 1e-9  # a read must have some probability, at 0 and at 1


def time_fitting(rounds: int) -> list[Timing]:
    """Time the fit of k and g to made counts, without intervals, against one L-BFGS-B for each CpG.

    scipy's starts once, in the middle of the bounds of ln k and at the fraction of methylated reads, and takes the
    slopes by finite differences; ours searches a grid first, so that it finds the highest of several tops.
    """
    settings = MethylationSettings(times=TIMES, time_offset=OFFSET)
    model, counts = read_model(settings, dispersion=0.0), made_counts(CPGS)
    scipy = Baseline(
        "scipy.optimize per CpG",
        lambda: fit_one_by_one(counts.modified[:CPGS_ONE_BY_ONE], counts.covered[:CPGS_ONE_BY_ONE], settings, model),
        symbols=CPGS_ONE_BY_ONE,
    )  # fmt: skip
    return beside(
        "fit", "CpGs", CPGS, lambda: fit_sites(counts.modified, counts.covered, settings, model, intervals=False),
        [scipy], rounds, shape=f"{CPGS:,} CpGs x {len(TIMES)} samples",
    )  # fmt: skip


def made_counts(cpgs: int) -> Counts:
    """Draw counts at about 10 reads of each CpG and sample, k and g scattered."""
    settings = SimulateSettings(sites=cpgs, times=TIMES, time_offset=OFFSET, spread=SPREAD)
    rng = np.random.default_rng(0)
    return simulated_counts(drawn_truth(KINETICS, settings, rng), settings, rng)


def fit_one_by_one(
    modified: NDArray[np.int32], covered: NDArray[np.int32], settings: MethylationSettings, model: ReadModel
) -> list[tuple[float, float, float]]:
    """Rate, steady fraction and log-likelihood of each CpG by scipy.optimize. modified, covered : [N, T]."""
    bounds = [(np.log(settings.rate_low), np.log(settings.rate_high)), (settings.steady_low, settings.steady_high)]
    fits = []
    for methylated, reads in zip(modified, covered, strict=True):
        start = [float(np.mean(bounds[0])), methylated.sum() / max(1, reads.sum())]
        found = minimize(_cost, start, args=(methylated, reads, model.elapsed), method="L-BFGS-B", bounds=bounds)
        fits.append((float(np.exp(found.x[0])), float(found.x[1]), -float(found.fun)))
    return fits


def _cost(
    point: NDArray[np.float64], methylated: NDArray[np.int32], reads: NDArray[np.int32], elapsed: NDArray[np.float64]
) -> float:
    """Negative log-likelihood of one CpG. point : ln k and g."""
    state = point[1] * -np.expm1(-np.exp(point[0]) * elapsed)
    probability = np.clip(state, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return -float((methylated * np.log(probability) + (reads - methylated) * np.log1p(-probability)).sum())
