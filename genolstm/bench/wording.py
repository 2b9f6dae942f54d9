"""Timings in words: a sentence for one, a table for many."""

from genolstm.bench.timing import Timing

HEADER = ("part", "of", "rate", "baseline", "its rate", "ratio (low..high)", "asked", "", "share of the bound")
MET, SHORT, NOT_ASKED = "met", "SHORT", "-"


def sentence(timing: Timing) -> str:
    """One line of one timing."""
    asked = "" if timing.asked is None else f", asked {timing.asked:.2f},"
    allowed = "" if timing.bound is None else f", {share(timing)}"
    return (
        f"{timing.part}: {timing.rate:,.0f} {timing.unit}/s{allowed};"
        f" {timing.baseline}: {timing.baseline_rate:,.0f} {timing.unit}/s;"
        f" ratio {timing.ratio:.2f}{asked} ({timing.low:.2f} to {timing.high:.2f}, {timing.rounds} rounds)"
    )


def share(timing: Timing) -> str:
    """'0.31 of fp32 matrix products ..., 0.12 of the fp32 peak (95 GFLOP/s)'; '' without a bound."""
    if timing.bound is None or timing.share is None:
        return ""
    peaks = "".join(
        f", {part:.2g} of the {name} peak ({timing.bound.peaks[name] / 1e9:,.0f} GFLOP/s)"
        for name, part in timing.peak_shares.items()
    )
    return f"{timing.share:.2g} of {timing.bound.name}{peaks}"


def verdict(timing: Timing) -> str:
    """'met', 'SHORT', or '-' where nothing is asked."""
    return NOT_ASKED if timing.met is None else MET if timing.met else SHORT


def table(timings: list[Timing]) -> list[str]:
    """Lines of a table, its columns lined up; how many ratios fell short comes last."""
    rows = [HEADER, *(_row(timing) for timing in timings)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    asked = [timing for timing in timings if timing.met is not None]
    return [*lines, f"{sum(timing.met is True for timing in asked)} of {len(asked)} ratios asked are met"]


def _row(timing: Timing) -> tuple[str, ...]:
    return (
        timing.part,
        timing.shape,
        f"{timing.rate:,.0f} {timing.unit}/s",
        timing.baseline,
        f"{timing.baseline_rate:,.0f} {timing.unit}/s",
        f"{timing.ratio:.2f} ({timing.low:.2f}..{timing.high:.2f})",
        NOT_ASKED if timing.asked is None else f"{timing.asked:.2f}",
        verdict(timing),
        NOT_ASKED if timing.share is None else f"{timing.share:.2g}",
    )
