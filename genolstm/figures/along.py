"""Long tracks as pictures: means of bins along contigs, gathered a slab at a time."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from genolstm.figures.axes import place_axis
from genolstm.figures.style import new_figure
from genolstm.figures.text import plain

Floats = NDArray[np.float64]
BINS = 400  # along the longest contig; the others have bins of the same length
MOST_CONTIGS = 8  # drawn, the longest ones
FEWEST_BINS = 20  # of a contig of its own, however short
SLIVER = 0.05  # of the longest: what is shorter is not drawn
FAR_FRACTION, MARGIN = 0.01, 0.35  # of bins at either end that do not set the axis; space beyond, as a fraction
SHADE, HELD_OUT = "#FFF6E0", " (held out)"  # of contigs that no model was trained on
ROW_HEIGHT, FEWEST_ROWS = 0.95, 2  # inches of one contig; a single one is as high as two


class Binned(NamedTuple):
    """Means of one track on one contig. edges : int64 [b + 1], bp.   mean : float64 [b], NaN for no values."""

    edges: NDArray[np.int64]
    mean: Floats


class Bins:
    """Sums of a track in bins of one stretch of a contig, filled in by slabs."""

    def __init__(self, start: int, end: int, bins: int) -> None:
        self.edges = np.unique(np.linspace(start, end, max(bins, 1) + 1).astype(np.int64))
        self.total = np.zeros(len(self.edges) - 1)
        self.weight = np.zeros(len(self.edges) - 1)

    def add(
        self, places: NDArray[np.int64], values: NDArray[np.floating], weights: NDArray[np.int64] | None = None
    ) -> None:
        """Add values at places [n], each counted as often as its weight; NaN is left out."""
        known = np.isfinite(values)
        weight = known.astype(np.float64) * (1.0 if weights is None else weights)
        bins = np.searchsorted(self.edges, places, "right") - 1
        self.total += np.bincount(bins, np.where(known, values, 0.0) * weight, len(self.total))
        self.weight += np.bincount(bins, weight, len(self.weight))

    def binned(self) -> Binned:
        """The means so far."""
        with np.errstate(invalid="ignore"):
            return Binned(self.edges, np.where(self.weight > 0, self.total / self.weight, np.nan))


def binned_stretch(
    read: Callable[[int, int], NDArray[np.floating]], start: int, end: int, first: int, bins: int, slab: int
) -> Binned:
    """Means of a track over one stretch, which begins at place `first` of the track. read : values of places."""
    found = Bins(start, end, bins)
    for low in range(start, end, slab):
        high = min(low + slab, end)
        found.add(np.arange(low, high), read(first + low - start, first + high - start))
    return found.binned()


def longest(lengths: Iterable[tuple[int, int]]) -> list[int]:
    """Rows that are drawn, in file order: the longest, but none that would be a sliver beside them.

    lengths : (row, bp) of each.
    """
    ranked = sorted(lengths, key=lambda row: (-row[1], row[0]))[:MOST_CONTIGS]
    return sorted(row for row, length in ranked if length >= SLIVER * ranked[0][1])


def note_of_drawn(drawn: int, there: int) -> str:
    """Sentence of a caption: how many of the stretches are drawn, where it is not all of them."""
    return f" The {drawn} longest of {there} stretches are drawn." if drawn < there else ""


def limit(rows: Sequence[Axes], drawn: Sequence[Binned], marks: Sequence[float] = ()) -> str:
    """Keep a few far bins from squeezing all others: set the y limits of the rows; a sentence on what lies beyond."""
    values = np.concatenate([binned.mean for binned in drawn])
    values = values[np.isfinite(values)]
    if not values.size:
        return ""
    low, high = np.quantile(values, [FAR_FRACTION, 1 - FAR_FRACTION])
    low, high = min([low, *marks]), max([high, *marks])
    margin = MARGIN * (high - low) or MARGIN * max(abs(high), 1e-3)
    rows[0].set_ylim(low - margin, high + margin)
    beyond = values[(values < low - margin) | (values > high + margin)]
    if not beyond.size:
        return ""
    if beyond.size == 1:
        return f" One bin lies beyond the axis, at {beyond[0]:.3g}."
    return f" {beyond.size} bins lie beyond the axis, from {beyond.min():.3g} to {beyond.max():.3g}."


def n_bins(length: int, longest_length: int) -> int:
    """Bins of a contig, so that bins of all contigs are about as long."""
    return min(max(round(BINS * length / max(longest_length, 1)), FEWEST_BINS), max(length, 1))


def contig_rows(
    names: list[str], longest_end: int, ylabel: str, width: float = 9.0, held_out: Sequence[bool] = ()
) -> tuple[Figure, list[Axes]]:
    """A figure with one row a contig, all of one scale. longest_end : bp that the x axis spans.

    held_out : rows that are shaded, and named so; by default none.
    """
    figure = new_figure(width, ROW_HEIGHT * max(len(names), FEWEST_ROWS) + 0.9)
    rows = list(figure.subplots(len(names), 1, sharex=True, sharey=True, squeeze=False)[:, 0])
    for axes, name, shaded in zip(rows, names, held_out or [False] * len(names), strict=True):
        axes.set_title(plain(name, 48) + (HELD_OUT if shaded else ""), fontsize=9, pad=2)
        if shaded:
            axes.set_facecolor(SHADE)
    place_axis(rows[-1], longest_end)
    figure.supylabel(ylabel, fontsize=9)
    return figure, rows


def draw_steps(axes: Axes, binned: Binned, colour: str, **style: object) -> None:
    """Draw means as steps over their bins; gaps where there are no values."""
    axes.stairs(binned.mean, binned.edges, baseline=None, color=colour, linewidth=0.9, alpha=0.85, **style)  # type: ignore[arg-type]
