"""A part and its baselines timed in turn, and how many times one is as fast as the other."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What the device allows when nothing else is done, measured in the same call; see `bounds`.

    name : what was measured.   rate : symbols a second.   flops : of one symbol, 0 where bytes are the bound.
    peaks : number format -> FLOP/s of a large matrix product.
    """

    name: str
    rate: float
    flops: float = 0.0
    peaks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One part against its baseline.

    rate, baseline_rate : symbols a second, medians.   ratio : median over rounds of the part's rate over the baseline's
    in that round, so that 1 is as fast as the baseline and 5 is five times faster.   low, high : smallest and largest
    ratio of any round. shape : of what was timed.
    """

    part: str
    baseline: str
    unit: str
    rate: float
    baseline_rate: float
    ratio: float
    low: float
    high: float
    rounds: int
    shape: str = ""
    bound: Bound | None = None

    @property
    def fraction(self) -> float | None:
        """Fraction of the bound, about 0 to 1."""
        return None if self.bound is None else self.rate / self.bound.rate

    @property
    def peak_fractions(self) -> dict[str, float]:
        """Fraction of the rate of a large matrix product, by its number format."""
        bound = self.bound
        return {} if bound is None else {name: self.rate * bound.flops / peak for name, peak in bound.peaks.items()}

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**dataclasses.asdict(self), "share": self.fraction, "peak_shares": self.peak_fractions}


class NotRun(NamedTuple):
    """A baseline, or a whole part, that cannot run here."""

    part: str
    baseline: str
    reason: str


class Baseline(NamedTuple):
    """What a part is held against. symbols : that one call handles; None for as many as the part."""

    name: str
    call: Callable[[], object]
    symbols: int | None = None


def compare(
    part: str,
    baseline: str,
    unit: str,
    symbols: int,
    ours: Callable[[], object],
    bare: Callable[[], object],
    rounds: int,
) -> Timing:
    """Time two callables in turn. symbols : how many of `unit` either handles in one call."""
    return beside(part, unit, symbols, ours, [Baseline(baseline, bare)], rounds)[0]


def beside(
    part: str,
    unit: str,
    symbols: int,
    ours: Callable[[], object],
    baselines: Sequence[Baseline],
    rounds: int,
    *,
    shape: str = "",
    bound: Bound | None = None,
) -> list[Timing]:
    """Time a part and then each of its baselines, in every round. symbols : of `unit`, in a call of `ours`."""
    calls = [ours, *(baseline.call for baseline in baselines)]
    for call in calls:  # warm caches and kernels
        call()
    taken = [[_seconds(call) for call in calls] for _ in range(rounds)]
    rate = symbols / statistics.median(mine for mine, *_ in taken)
    timings = []
    for place, baseline in enumerate(baselines, 1):
        theirs = baseline.symbols or symbols
        ratios = [symbols / row[0] / (theirs / row[place]) for row in taken]
        timings.append(
            Timing(
                part=part, baseline=baseline.name, unit=unit, rate=rate,
                baseline_rate=theirs / statistics.median(row[place] for row in taken),
                ratio=statistics.median(ratios), low=min(ratios), high=max(ratios), rounds=rounds, shape=shape,
                bound=bound,
            )
        )  # fmt: skip
    return timings


def _seconds(call: Callable[[], object]) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    began = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began
