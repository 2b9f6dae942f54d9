"""Two things timed in turn, and how many times one is as fast as the other."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One part against its baseline.

    rate, baseline_rate : symbols a second, medians.   ratio : median over rounds of baseline time / part time, so that
    1 is as fast as the baseline and 5 is five times faster.   low, high : smallest and largest ratio of any round.
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
    ours(), bare()  # warm caches and kernels
    pairs = [(_seconds(ours), _seconds(bare)) for _ in range(rounds)]
    ratios = [theirs / mine for mine, theirs in pairs]
    return Timing(
        part=part,
        baseline=baseline,
        unit=unit,
        rate=symbols / statistics.median(mine for mine, _ in pairs),
        baseline_rate=symbols / statistics.median(theirs for _, theirs in pairs),
        ratio=statistics.median(ratios),
        low=min(ratios),
        high=max(ratios),
        rounds=rounds,
    )


def _seconds(call: Callable[[], object]) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    began = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began
