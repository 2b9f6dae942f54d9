"""Picture of a contrast of two groups of samples: volcanoes of k and g, and the surest sites with their intervals."""

import numpy as np

from genolstm.figures.axes import ROW_INCHES, interval_rows
from genolstm.figures.style import BLUE, GREY, ORANGE, Picture, new_figure
from genolstm.figures.text import plain
from genolstm.methylation.group_contrast import Compared
from genolstm.settings.methylation import ContrastSettings

SHOWN = 15  # sites with intervals
LEAST_P = 1e-300


def contrast_picture(compared: Compared, settings: ContrastSettings) -> Picture:
    """Differences of k and g against their p, and the sites of smallest p with intervals of both."""
    found, (one, two) = compared.found, compared.names
    shown = np.argsort(found.p, kind="stable")[:SHOWN]
    figure = new_figure(9.6, 3.6 + ROW_INCHES * len(shown) + 1.0)
    grid = figure.subplots(2, 2, height_ratios=[3.4, ROW_INCHES * len(shown) + 1.0])
    gates = (
        (found.rate, 1 / np.log(2), f"log2 of k, {two} over {one}"),
        (found.steady, 1.0, f"g, {two} less {one}"),
    )
    told = []
    for axes, (gate, unit, label) in zip(grid[0], gates, strict=True):
        sure = gate.q <= settings.fdr
        height = -np.log10(np.maximum(gate.p, LEAST_P))
        for chosen, colour in ((~sure, GREY), (sure, ORANGE)):
            axes.plot(
                unit * gate.value[chosen], height[chosen], color=colour, marker="o", markersize=2.5, linestyle="none",
                alpha=0.6, rasterized=True,
            )  # fmt: skip
        axes.axvline(0, color=GREY, linewidth=1, linestyle="--")
        axes.set(xlabel=label, ylabel="-log10 p")
        axes.set_title(f"{int(sure.sum()):,} of {len(sure):,} at FDR {settings.fdr:g}", fontsize=9)
        told.append(int(sure.sum()))
    contigs, start = compared.place[0][1], np.asarray(compared.place[1][1])
    names = [f"{plain(str(contigs[row]), 20)}:{start[row] + 1:,}" for row in shown.tolist()]
    for place, (axes, (gate, unit, label)) in enumerate(zip(grid[1], gates, strict=True)):
        rows = [(unit * gate.value[row], unit * gate.low[row], unit * gate.high[row]) for row in shown.tolist()]
        colours = [ORANGE if gate.q[row] <= settings.fdr else BLUE for row in shown.tolist()]
        interval_rows(axes, names if place == 0 else [""] * len(names), rows, colours=colours, zero=True)
        axes.set_xlabel(label)
    what = "regions" if compared.place[3][0] == "name" else "sites"
    return Picture(
        "contrast",
        f"{two} against {one}: k differs at {told[0]:,} and g at {told[1]:,} of {len(found.p):,} {what}",
        f"Above: difference and p of each of {len(found.p):,} {what}, orange at a false discovery rate of"
        f" {settings.fdr:g}. Below: the {len(shown)} of smallest p (k and g together) with {settings.level:.0%}"
        " intervals, orange where that gate differs.",
        f"Two volcano plots, and rows of differences with intervals at {len(shown)} {what}.",
        figure,
    )
