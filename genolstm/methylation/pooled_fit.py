"""Summary of posteriors over the grid at each CpG: gates with credible intervals, and draws to predict from."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from genolstm.methylation.grid import GateGrid
from genolstm.methylation.grid_kernels import draw_rows, quantile_rows
from genolstm.methylation.likelihood import Floats
from genolstm.methylation.pooled import SitePosterior
from genolstm.methylation.site_fit import Flag, SiteFit
from genolstm.settings.methylation import MethylationSettings
from genolstm.store.methylation import Posterior


def summarise(
    posteriors: Iterable[SitePosterior],
    grid: GateGrid,
    covered: NDArray[np.int32],
    settings: MethylationSettings,
    draws_kept: int,
) -> tuple[SiteFit, Posterior]:
    """Posterior medians of k and g with their intervals, and equally likely draws that predict other times.

    Every CpG has them, with reads or without.

    posteriors : of all CpGs, in pieces.   covered : int [N, T].   draws_kept : of each CpG.
    log_likelihood : of the CpG's own reads under the prior that its neighbours gave: how well they predicted them.
    """
    count = len(covered)
    columns = {name: np.full(count, np.nan) for name in SiteFit._fields if name not in {"reads", "flags"}}
    flags = np.zeros(count, dtype=np.uint16)
    draws = np.zeros((count, draws_kept), dtype=np.uint16)
    tail = (1 - settings.level) / 2
    shape = len(grid.rates), len(grid.steady)
    edges = _edges(np.log(grid.rates)), _edges(grid.steady)
    for site in posteriors:
        rows = site.rows.numpy()
        gates = np.empty((2, 3, len(rows)))
        quantile_rows(site.posterior.numpy(), shape, edges, np.array([0.5, tail, 1 - tail]), gates)
        log_rate, steady = gates
        for place, end in enumerate(("", "_low", "_high")):
            columns[f"rate{end}"][rows] = np.exp(log_rate[place])
            columns[f"steady{end}"][rows] = steady[place]
        columns["log_likelihood"][rows] = site.evidence.double().numpy()
        flags[rows] = _flags(log_rate, steady, grid)
        drawn = np.empty((len(rows), draws_kept), dtype=np.uint16)
        draw_rows(site.other_times.numpy(), drawn)
        draws[rows] = drawn
    columns["start"][:] = 0.0
    reads = covered.sum(axis=1).astype(np.int64)
    few = (reads < settings.min_reads) | ((covered > 0).sum(axis=1) < len(("rate", "steady")))
    flags |= np.where(few, np.uint16(Flag.FEW_READS), np.uint16(0))
    flags |= np.where(reads == 0, np.uint16(Flag.NO_READS), np.uint16(0))
    rate, steady_points = grid.points
    return SiteFit(**columns, reads=reads, flags=flags), Posterior(rate=rate, steady=steady_points, draws=draws)


def _edges(values: Floats) -> Floats:
    """Ends of the cells of points [K]: halfway to their neighbours, and at the outermost points; [K + 1]."""
    return np.concatenate([values[:1], (values[1:] + values[:-1]) / 2, values[-1:]])


def _flags(log_rate: Floats, steady: Floats, grid: GateGrid) -> NDArray[np.uint16]:
    rates, fractions = np.log(grid.rates), grid.steady
    below, above = log_rate[1] < rates[1], log_rate[2] > rates[-2]  # within the outermost cell of the grid
    raised = [
        (Flag.RATE_OPEN_BELOW, below),
        (Flag.RATE_OPEN_ABOVE, above),
        (Flag.RATE_UNIDENTIFIABLE, below & above),
        (Flag.STEADY_UNIDENTIFIABLE, (steady[1] < fractions[1]) & (steady[2] > fractions[-2])),
    ]
    flags = np.zeros(len(below), dtype=np.uint16)
    for flag, where in raised:
        flags |= np.where(where, np.uint16(flag), np.uint16(0))
    return flags
