"""Rate and steady fraction of every CpG from its own reads, all CpGs at once, with profile-likelihood intervals."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import IntFlag
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from genolstm.methylation.ascent import Box, climb, interval_end
from genolstm.methylation.likelihood import LOG_RATE, START, STEADY, Floats, ReadModel, Reads
from genolstm.settings.methylation import MethylationSettings, ReadLikelihood, StartState

CHUNK_SITES = 8192  # CpGs worked on together: their columns stay in the processor's cache
GRID_RATES, GRID_STEADY, GRID_STEADY_FREE, GRID_START = 31, 24, 10, 8  # of the scan that finds where to climb
AT_BOUND = 1e-6  # a parameter this near to a bound lies on it


class Flag(IntFlag):
    """Reasons to distrust a CpG's fit, as bits; 0 where there are none."""

    NO_READS = 1  # not fitted
    FEW_READS = 2  # fewer than asked for, or in fewer samples than there are parameters
    RATE_AT_LOW_BOUND = 4
    RATE_AT_HIGH_BOUND = 8
    RATE_OPEN_BELOW = 16  # the interval of k reaches the lower bound: no longest half-life can be estimated
    RATE_OPEN_ABOVE = 32  # it reaches the upper bound: no shortest half-life can be estimated
    RATE_UNIDENTIFIABLE = 64  # both: the reads carry no information about k
    STEADY_AT_BOUND = 128
    STEADY_UNIDENTIFIABLE = 256  # the interval of g spans all that is allowed


class SiteFit(NamedTuple):
    """Fit of each CpG; all [N], NaN where there are no reads. Rates per unit of time.

    start : m0 where it is fitted, else 0.   log_likelihood : of the CpG's reads, without the binomial coefficient.
    flags : uint16, bits of `Flag`.
    """

    rate: Floats
    rate_low: Floats
    rate_high: Floats
    steady: Floats
    steady_low: Floats
    steady_high: Floats
    start: Floats
    log_likelihood: Floats
    reads: NDArray[np.int64]
    flags: NDArray[np.uint16]


def read_model(settings: MethylationSettings, dispersion: float) -> ReadModel:
    """The likelihood that settings ask for, with the dispersion known."""
    return ReadModel(
        elapsed=np.array(settings.elapsed),
        error=settings.conversion_error,
        dispersion=dispersion if settings.likelihood is ReadLikelihood.BETA_BINOMIAL else 0.0,
        free_start=settings.start is StartState.FREE,
    )


def reads_of(modified: NDArray[np.int32], covered: NDArray[np.int32]) -> Reads:
    """Counts [N, T] as the likelihood wants them, [T, N]."""
    return Reads(
        np.ascontiguousarray(modified.T, dtype=np.float64), np.ascontiguousarray((covered - modified).T, np.float64)
    )


def fit_sites(
    modified: NDArray[np.int32],
    covered: NDArray[np.int32],
    settings: MethylationSettings,
    model: ReadModel,
    *,
    intervals: bool = True,
    threads: int = 1,
    progress: Callable[[float, int], None] | None = None,
) -> SiteFit:
    """Fit every CpG by maximum likelihood.

    modified, covered : [N, T], reads of each CpG and sample.   model : from `read_model`.
    intervals : without them their columns are NaN, and flags hold only what needs none. Memory does not grow with N but
    for the answer. progress : called with the fraction done and CpGs done.
    """
    count = len(modified)
    answer = _empty(count)
    starts = range(0, count, CHUNK_SITES)
    done = 0

    def work(first: int) -> int:
        part = slice(first, min(first + CHUNK_SITES, count))
        with np.errstate(all="ignore"):  # steps that overshoot are refused, whatever they overflowed
            fitted = _fit_chunk(reads_of(modified[part], covered[part]), settings, model, intervals=intervals)
        for name, column in answer._asdict().items():
            column[part] = getattr(fitted, name)
        return part.stop - part.start

    with ThreadPoolExecutor(max(1, threads)) as pool:
        for finished in pool.map(work, starts):
            done += finished
            if progress:
                progress(done / count, done)
    return answer


def _empty(count: int) -> SiteFit:
    numbers = {name: np.full(count, np.nan) for name in SiteFit._fields if name not in {"reads", "flags"}}
    return SiteFit(**numbers, reads=np.zeros(count, np.int64), flags=np.zeros(count, np.uint16))


def box_of(settings: MethylationSettings, model: ReadModel, count: int) -> Box:
    """Bounds of every parameter that settings give, for `count` CpGs."""
    low = [np.log(settings.rate_low), settings.steady_low, 0.0][: model.parameters]
    high = [np.log(settings.rate_high), settings.steady_high, 1.0][: model.parameters]
    return Box(np.tile(np.array(low)[:, None], count), np.tile(np.array(high)[:, None], count))


def _fit_chunk(reads: Reads, settings: MethylationSettings, model: ReadModel, *, intervals: bool) -> SiteFit:
    total = (reads.modified + reads.unmodified).sum(axis=0)
    fitted = np.flatnonzero(total > 0)
    answer = _empty(len(total))
    answer.reads[:] = total.astype(np.int64)
    answer.flags[total == 0] = Flag.NO_READS
    if not fitted.size:
        return answer
    mine, box = reads.of(fitted), box_of(settings, model, fitted.size)
    top, about = climb(scan(mine, settings, model), mine, box, model)
    drop = chi2.ppf(settings.level, 1) / 2  # Wilks 1938: twice the fall is chi-squared of one degree
    answer.rate[fitted], answer.steady[fitted] = np.exp(top[LOG_RATE]), top[STEADY]
    answer.start[fitted] = top[START] if model.free_start else 0.0
    answer.log_likelihood[fitted] = about.value
    open_ends = np.zeros((4, fitted.size), dtype=bool)
    if intervals:
        ends = [
            interval_end(row, side, top, about.value, drop, mine, box, model)
            for row in (LOG_RATE, STEADY)
            for side in (-1, 1)
        ]
        answer.rate_low[fitted], answer.rate_high[fitted] = np.exp(ends[0][0]), np.exp(ends[1][0])
        answer.steady_low[fitted], answer.steady_high[fitted] = ends[2][0], ends[3][0]
        open_ends = np.stack([is_open for _, is_open in ends])
    answer.flags[fitted] = _flags(top, box, mine, open_ends, settings, model)
    return answer


def scan(reads: Reads, settings: MethylationSettings, model: ReadModel) -> Floats:
    """Where to start climbing: the best point of a coarse grid, by one matrix product; [P, N].

    Correlated reads count for less: n of them for n / (1 + (n - 1) rho) (Kish's design effect).
    """
    points = _grid(settings, model)  # [P, K]
    rate, steady = np.exp(points[LOG_RATE]), points[STEADY]
    start = points[START] if model.free_start else 0.0
    state = steady - (steady - start) * np.exp(-np.outer(model.elapsed, rate))  # [T, K]
    probability = model.error + (1 - model.error) * state
    table = np.concatenate([np.log(probability), np.log1p(-probability)]).astype(np.float32)
    worth = 1 / (1 + np.maximum(reads.modified + reads.unmodified - 1, 0) * model.dispersion)
    counts = np.concatenate([reads.modified * worth, reads.unmodified * worth]).astype(np.float32)
    best = np.empty(counts.shape[1], dtype=np.intp)
    step = 1024  # CpGs whose grids are held at once
    for first in range(0, len(best), step):
        best[first : first + step] = (counts[:, first : first + step].T @ table).argmax(axis=1)
    return points[:, best]


def _grid(settings: MethylationSettings, model: ReadModel) -> Floats:
    """Points that cover the bounds; fractions keep off 0 and 1, where a single read can have probability 0. [P, K]."""
    rates = np.linspace(np.log(settings.rate_low), np.log(settings.rate_high), GRID_RATES)
    wide = settings.steady_high - settings.steady_low
    within = GRID_STEADY_FREE if model.free_start else GRID_STEADY
    axes = [rates, settings.steady_low + wide * (np.arange(within) + 0.5) / within]
    if model.free_start:
        axes.append((np.arange(GRID_START) + 0.5) / GRID_START)
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")])


def _flags(
    top: Floats,
    box: Box,
    reads: Reads,
    open_ends: NDArray[np.bool_],
    settings: MethylationSettings,
    model: ReadModel,
) -> NDArray[np.uint16]:
    covered = reads.modified + reads.unmodified
    low, high = top <= box.low + AT_BOUND, top >= box.high - AT_BOUND
    few = (covered.sum(axis=0) < settings.min_reads) | ((covered > 0).sum(axis=0) < model.parameters)
    raised = [
        (Flag.FEW_READS, few),
        (Flag.RATE_AT_LOW_BOUND, low[LOG_RATE]),
        (Flag.RATE_AT_HIGH_BOUND, high[LOG_RATE]),
        (Flag.RATE_OPEN_BELOW, open_ends[0]),
        (Flag.RATE_OPEN_ABOVE, open_ends[1]),
        (Flag.RATE_UNIDENTIFIABLE, open_ends[0] & open_ends[1]),
        (Flag.STEADY_AT_BOUND, low[STEADY] | high[STEADY]),
        (Flag.STEADY_UNIDENTIFIABLE, open_ends[2] & open_ends[3]),
    ]
    flags = np.zeros(top.shape[1], dtype=np.uint16)
    for flag, where in raised:
        flags |= np.where(where, np.uint16(flag), np.uint16(0))
    return flags
