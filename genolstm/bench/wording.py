"""Timings as text: a sentence for one, a table for many."""

from genolstm.bench.timing import Timing

HEADER = ("part", "of", "rate", "baseline", "its rate", "ratio (low..high)", "fraction of the bound")
NO_BOUND = "-"


def sentence(timing: Timing) -> str:
    """One line of one timing."""
    allowed = "" if timing.bound is None else f", {fraction_text(timing)}"
    return (
        f"{timing.part}: {timing.rate:,.0f} {timing.unit}/s{allowed};"
        f" {timing.baseline}: {timing.baseline_rate:,.0f} {timing.unit}/s;"
        f" ratio {timing.ratio:.2f} ({timing.low:.2f} to {timing.high:.2f}, {timing.rounds} rounds)"
    )


def fraction_text(timing: Timing) -> str:
    """'0.31 of fp32 matrix products ..., 0.12 of the fp32 peak (95 GFLOP/s)'; '' without a bound."""
    if timing.bound is None or timing.fraction is None:
        return ""
    peaks = "".join(
        f", {part:.2g} of the {name} peak ({timing.bound.peaks[name] / 1e9:,.0f} GFLOP/s)"
        for name, part in timing.peak_fractions.items()
    )
    return f"{timing.fraction:.2g} of {timing.bound.name}{peaks}"


def table(timings: list[Timing]) -> list[str]:
    """Lines of a table, its columns lined up."""
    rows = [HEADER, *(_row(timing) for timing in timings)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _row(timing: Timing) -> tuple[str, ...]:
    return (
        timing.part,
        timing.shape,
        f"{timing.rate:,.0f} {timing.unit}/s",
        timing.baseline,
        f"{timing.baseline_rate:,.0f} {timing.unit}/s",
        f"{timing.ratio:.2f} ({timing.low:.2f}..{timing.high:.2f})",
        NO_BOUND if timing.fraction is None else f"{timing.fraction:.2g}",
    )
