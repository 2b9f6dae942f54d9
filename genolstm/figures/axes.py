"""Axes of several pictures: logarithmic ones in plain numbers, places on a contig, rows with intervals."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike

from genolstm.figures.style import BLUE, GREY, WIDE_INCHES, widest
from genolstm.figures.text import ELLIPSIS, LONGEST, interval, places_of, plain, short

FEW_DECADES = 1.5  # below it an axis needs ticks at 2 and 5 too
WORTH_LOG = 30.0  # ratio of the ends from which on a logarithmic axis shows more
UNITS = ((2e6, 1e6, "Mb"), (2e3, 1e3, "kb"), (0.0, 1.0, "bp"))  # from this length on, this many bases, called so
ROW_INCHES = 0.26  # height of one row of a table of intervals
NARROW_LETTERS = 22  # of a name before the rows of a narrow figure, on one line


def log_axis(axes: Axes, which: str) -> None:
    """Make an axis logarithmic, its ticks plain numbers. which : 'x' or 'y'. Call it when the data are drawn."""
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis: Axis = getattr(axes, f"{which}axis")
    low, high = axis.get_view_interval()
    few = high / low < 10**FEW_DECADES
    axis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0) if few else (1.0,), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axis.set_minor_formatter(NullFormatter())


def place_axis(axes: Axes, longest: int) -> None:
    """Label the x axis, in bases, as places on a contig. longest : bases that it spans."""
    _, size, name = next(unit for unit in UNITS if longest >= unit[0])
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / size:g}"))
    axes.set_xlabel(f"position ({name})")


def base_axis(axes: Axes) -> None:
    """Label the x axis with single bases of a contig, in full."""
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def end_axis_at(axes: Axes, end: float) -> None:
    """End the x axis before its limit: no line and no ticks where a last row has no bases. Call it last."""
    low, high = axes.get_xlim()
    axes.spines["bottom"].set_bounds(low, end)
    if end < high:
        axes.set_xticks([tick for tick in axes.get_xticks() if low <= tick <= end])


def interval_rows(
    axes: Axes,
    names: Sequence[str],
    estimates: Sequence[Sequence[float]],
    *,
    colours: Sequence[str] | None = None,
    zero: bool = False,
    letters: int = LONGEST,
) -> None:
    """Draw a row for each name, first on top: value, interval, and both in numbers at the right.

    estimates : value, low and high of each row; NaN leaves it empty.   zero : also a line at 0, and signs of the
    numbers; for differences.   letters : of a name that are kept; a narrow figure breaks them into two lines.
    """
    rows = np.arange(len(names))[::-1]
    widths = [high - low for _, low, high in estimates if np.isfinite(high - low)]
    places = places_of(float(np.median(widths))) if widths else None  # the same for all rows
    if zero:
        axes.axvline(0, color=GREY, linewidth=1, linestyle="--")
    for place, (value, low, high), colour in zip(rows, estimates, colours or [BLUE] * len(names), strict=True):
        axes.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
        axes.plot([value], [place], color=colour, marker="o", markersize=5)
        label = interval(value, low, high, signed=zero, places=places) if np.isfinite(value) else "not measured"
        axes.text(1.02, float(place), label, transform=axes.get_yaxis_transform(), va="center", fontsize=8)
    small = 8 if widest() < WIDE_INCHES else None  # by default that of the style
    axes.set_yticks(rows, [_two_lines(plain(name, letters)) for name in names], fontsize=small)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.grid(visible=True, axis="x", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)


def same_ends(several: Sequence[Axes]) -> None:
    """Give forests of one measure the same x axis, so that their rows can be held against each other."""
    ends = np.array([axes.get_xlim() for axes in several])
    for axes in several:
        axes.set_xlim(float(ends[:, 0].min()), float(ends[:, 1].max()))


def _two_lines(name: str) -> str:
    """A name on two lines where it is too long for a narrow figure."""
    if widest() >= WIDE_INCHES or len(name) <= NARROW_LETTERS:
        return name
    lines = textwrap.wrap(name, max(NARROW_LETTERS, len(name) // 2 + 4), max_lines=2, placeholder=ELLIPSIS)
    return "\n".join(lines)


def fraction_axes(axes: Axes, xlabel: str, ylabel: str) -> None:
    """Both axes from 0 to 1, of equal scale."""
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=xlabel, ylabel=ylabel, aspect="equal")


def binomial_interval(fraction: ArrayLike, n: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the 95 % interval of a fraction of n, by Wilson 1927; 0 and 1 where n is 0."""
    z = 1.959963984540054
    fraction, n = np.asarray(fraction, np.float64), np.asarray(n, np.float64)
    safe = np.maximum(n, 1)
    middle = (fraction + z**2 / (2 * safe)) / (1 + z**2 / safe)
    half = z / (1 + z**2 / safe) * np.sqrt(np.maximum(fraction * (1 - fraction) / safe + z**2 / (4 * safe**2), 0))
    return np.where(n > 0, middle - half, 0.0), np.where(n > 0, middle + half, 1.0)
