"""Pictures of a contrast of two groups of samples: volcanoes of k and g, and the surest sites with their intervals."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from genolstm.figures.axes import ROW_INCHES, interval_rows
from genolstm.figures.style import BLUE, GREY, ORANGE, Picture, in_a_row, widest
from genolstm.figures.text import plain
from genolstm.store.contrast import GroupContrast, read_contrast

SHOWN = 15  # sites with intervals
LEAST_P = 1e-300
WIDTH = 9.6  # inches of two panels side by side
GATES = (("rate", "log2_rate_ratio"), ("steady", "steady_difference"))


def pictures_of(path: Path) -> list[Picture]:
    """Differences of k and g against their p, and the rows of smallest p with intervals of both."""
    found = read_contrast(path)
    shown = np.argsort(found.differences["p"], kind="stable")[:SHOWN]
    return [_volcanoes(found), _surest(found, shown)]


def _labels(found: GroupContrast) -> tuple[str, str]:
    one, two = (plain(name, 20) for name in found.groups)
    return f"log2 of k, {two} over {one}", f"g, {two} less {one}"


def _volcanoes(found: GroupContrast) -> Picture:
    figure, panels = in_a_row(WIDTH, 3.6, [1, 1], stacked=6.6)
    fdr, told = found.numbers["fdr"], found.different
    for axes, (gate, column), label in zip(panels, GATES, _labels(found), strict=True):
        value, p, q = (found.differences[name] for name in (column, f"{gate}_p", f"{gate}_q"))
        height = -np.log10(np.maximum(p, LEAST_P))
        for chosen, colour in ((q > fdr, GREY), (q <= fdr, ORANGE)):
            axes.plot(
                value[chosen], height[chosen], color=colour, marker="o", markersize=2.5, linestyle="none", alpha=0.6,
                rasterized=True,
            )  # fmt: skip
        axes.axvline(0, color=GREY, linewidth=1, linestyle="--")
        axes.set(xlabel=label, ylabel="-log10 p")
        axes.set_title(f"{told[gate]:,} of {len(found):,} at FDR {fdr:g}", fontsize=9)
    one, two = (plain(name, 20) for name in found.groups)
    every = f"{len(found):,} {found.what}"
    return Picture(
        "contrast",
        f"{two} against {one}: k differs at {told['rate']:,} and g at {told['steady']:,} of {every}",
        f"Difference and p of each of {every}, orange at a false discovery rate of {fdr:g}.",
        f"Two volcano plots: k differs at {told['rate']:,}, g at {told['steady']:,} {found.what}.",
        figure,
    )


def _surest(found: GroupContrast, shown: NDArray[np.intp]) -> Picture:
    inches = ROW_INCHES * len(shown) + 1.0
    figure, panels = in_a_row(WIDTH, inches, [1, 1], stacked=2 * inches)
    names = [_place(found, row) for row in shown.tolist()]
    for place, (axes, (gate, column), label) in enumerate(zip(panels, GATES, _labels(found), strict=True)):
        named = place == 0 or widest() < WIDTH  # panels that stand below each other
        _rows(axes, names if named else [""] * len(names), found, shown, gate, column)
        axes.set_xlabel(label)
    return Picture(
        "surest",
        f"the {len(shown)} {found.what} of smallest p",
        f"The {len(shown)} {found.what} of smallest p (k and g together) with {found.numbers['level']:.0%} intervals,"
        f" orange where that gate differs at a false discovery rate of {found.numbers['fdr']:g}.",
        f"Rows of differences with intervals at {len(shown)} {found.what}.",
        figure,
    )


def _rows(axes: Axes, names: list[str], found: GroupContrast, shown: NDArray[np.intp], gate: str, column: str) -> None:
    ends = [found.differences[f"{column}{end}"][shown].tolist() for end in ("", "_low", "_high")]
    sure = found.differences[f"{gate}_q"][shown] <= found.numbers["fdr"]
    colours = [ORANGE if each else BLUE for each in sure.tolist()]
    interval_rows(axes, names, list(zip(*ends, strict=True)), colours=colours, zero=True)


def _place(found: GroupContrast, row: int) -> str:
    if found.names and found.names[row] != ".":
        return plain(found.names[row], 30)
    return f"{plain(found.contigs[found.contig[row]], 20)}:{found.start[row] + 1:,}"
