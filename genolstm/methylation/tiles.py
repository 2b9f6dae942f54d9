"""A fit of any number of CpGs, a tile at a time: memory does not grow with them, and processes divide the tiles."""

import math
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from genolstm.methylation.fitting import (
    TILE_SITES,
    Common,
    fit_part,
    record,
    site_records,
    states_outside,
)  # fmt: skip
from genolstm.methylation.site_fit import SiteFit
from genolstm.ranks import ALONE, Ranks
from genolstm.settings.methylation import MethylationSettings, PooledSettings
from genolstm.store.counts import CountTable
from genolstm.store.files import Records
from genolstm.store.methylation import FitFile, HeldOutScore, MethylationFit, Posterior

Floats = NDArray[np.float64]
NUMBERS = tuple(name for name in SiteFit._fields if name not in {"reads", "flags"})
DIGIT_BITS, BITS = 16, 64  # of a number as an integer, that radix selection looks at in turn


def fitted_tiles(
    table: CountTable,
    common: Common,
    settings: MethylationSettings,
    pooled: PooledSettings,
    *,
    threads: int = 1,
    held_out: tuple[HeldOutScore, ...] = (),
    ranks: Ranks = ALONE,
    progress: Callable[[float, int], None] | None = None,
) -> Iterator[tuple[int, MethylationFit]]:
    """Fit all CpGs as `fitting.fit_counts` does, to the bit, in tiles: row of the first CpG of each, and its fit.

    Of several processes each fits every n-th tile and hands it to rank 0, which alone gives them all. Without CpGs one
    empty tile comes.
    """
    for number, first in enumerate(range(0, max(1, len(table)), TILE_SITES)):
        end, owner = min(first + TILE_SITES, len(table)), number % ranks.size
        if owner == ranks.rank:
            fit, posterior = fit_part(table, first, end, common, settings, pooled, threads=threads)
            if not ranks.is_main_process:
                _send(ranks, fit, posterior)
        elif ranks.is_main_process:
            fit, posterior = _received(ranks, owner, end - first, common, pooled.draws)
        if ranks.is_main_process:
            yield first, record(table.part(first, end), fit, posterior, settings, held_out, common)
            if progress:
                progress(end / max(1, len(table)), end)


def _send(ranks: Ranks, fit: SiteFit, posterior: Posterior | None) -> None:
    ranks.send(np.stack([getattr(fit, name) for name in NUMBERS]))
    ranks.send(fit.reads)
    ranks.send(fit.flags)
    if posterior is not None:
        ranks.send(posterior.draws)


def _received(
    ranks: Ranks, owner: int, sites: int, common: Common, draws_kept: int
) -> tuple[SiteFit, Posterior | None]:
    numbers = np.empty((len(NUMBERS), sites))
    reads, flags = np.empty(sites, np.int64), np.empty(sites, np.uint16)
    for values in (numbers, reads, flags):
        ranks.receive(owner, values)
    fit = SiteFit(**dict(zip(NUMBERS, numbers, strict=True)), reads=reads, flags=flags)
    if common.gates is None:
        return fit, None
    draws = np.empty((sites, draws_kept), np.uint16)
    ranks.receive(owner, draws)
    rate, steady = common.gates.grid.points
    return fit, Posterior(rate=rate, steady=steady, draws=draws)


class Tally:
    """Counts over the tiles of a fit as they go by.

    flags : sites by name of flag.   clips : states that a clamp would have had to pull back.
    """

    def __init__(self) -> None:
        self.records = Records()
        self.flags: Counter[str] = Counter()
        self.clips = self.identifiable = 0
        self.numbers: dict[str, float] = {}
        self._nats: list[float] = []
        self._reads = 0

    def watch(self, tiles: Iterator[tuple[int, MethylationFit]]) -> Iterator[tuple[int, MethylationFit]]:
        """Pass tiles on, counted."""
        for first, fit in tiles:
            self._add(fit)
            yield first, fit

    def _add(self, fit: MethylationFit) -> None:
        found, fitted = site_records(fit), np.isfinite(fit.log_likelihood)
        self.records.read += found.read
        self.records.used += found.used
        self.records.skipped = dict(Counter(self.records.skipped) + Counter(found.skipped))
        self.flags.update({name: int(((fit.flags & bit) > 0).sum()) for name, bit in fit.flag_names.items()})
        self.identifiable += int(fit.identifiable.sum())
        self.clips += states_outside(fit)
        self.numbers = dict(fit.numbers)
        self._nats.append(float(fit.log_likelihood[fitted].sum()))
        self._reads += int(fit.reads[fitted].sum())

    @property
    def nats_per_read(self) -> float:
        """Log-likelihood, mean over all reads that were fitted; NaN without any."""
        return math.fsum(self._nats) / self._reads if self._reads else math.nan


def median_half_life(file: FitFile) -> float:
    """Exact median over identifiable sites; NaN where there is none. `MethylationFit.median_half_life` in parts."""

    def values() -> Iterator[Floats]:
        return (file.known_half_lives(first, first + TILE_SITES) for first in range(0, len(file), TILE_SITES))

    return median(values)


def median(values: Callable[[], Iterator[Floats]]) -> float:
    """Exact median of numbers from 0 on that come in blocks, again and again, in memory that does not grow with them.

    Radix selection: as integers the bits of such numbers sort as they do, and are known 16 at a time.
    """
    count = sum(len(block) for block in values())
    if not count:
        return math.nan
    middle = dict.fromkeys([(count - 1) // 2, count // 2])
    return float(np.mean([_smallest(values, rank) for rank in middle]))


def _smallest(values: Callable[[], Iterator[Floats]], rank: int) -> float:
    """The number that `rank` others come before."""
    known = 0
    for shift in range(BITS - DIGIT_BITS, -1, -DIGIT_BITS):
        met = np.zeros(1 << DIGIT_BITS, dtype=np.int64)
        for block in values():
            digits = np.ascontiguousarray(block).view(np.uint64) >> np.uint64(shift)
            mine = digits >> np.uint64(DIGIT_BITS) == known
            met += np.bincount((digits[mine] & np.uint64((1 << DIGIT_BITS) - 1)).astype(np.int64), minlength=len(met))
        below = np.cumsum(met)
        digit = int(np.searchsorted(below, rank, side="right"))
        rank -= int(below[digit] - met[digit])
        known = known << DIGIT_BITS | digit
    return float(np.array([known], dtype=np.uint64).view(np.float64)[0])
