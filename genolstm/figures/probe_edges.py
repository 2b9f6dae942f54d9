"""Picture of the forget gate where features begin and end, as a probe or the gates command measured it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from genolstm.figures.style import BLUE, GREY, Picture, legend_below, new_figure, widest
from genolstm.figures.text import interval, plain, shortened
from genolstm.store.results import ProbeResult


def edges(result: ProbeResult) -> Picture:
    """Draw the mean forget gate around the edges of peaks and around matched positions, a panel a test."""
    table, offset = result.edges, result.profiles["offset"]
    rows = len(table["model"])
    models = list(dict.fromkeys(zip(table["model"], np.asarray(table["layer"]).tolist(), strict=True)))
    directions = list(dict.fromkeys(table["direction"]))
    across = len(directions) if (width := 3.6 * len(directions) + 0.6) <= widest() else 1
    down = len(models) * len(directions) // across
    figure = new_figure(width, 2.3 * down + 0.9)
    grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey="row")
    panels = grid.reshape(len(models), len(directions))
    for first, *others in panels:  # the directions of one model have one scale
        for axes in others if across == 1 else ():
            axes.sharey(first)
    differences = []
    for row in range(rows):
        model, direction, layer = table["model"][row], table["direction"][row], int(table["layer"][row])
        axes = panels[models.index((model, layer)), directions.index(direction)]
        axes.axvline(0, color=GREY, linewidth=1, linestyle=":")
        axes.plot(offset, result.profiles["matched"][row], color=GREY, linewidth=1.4, label="matched positions")
        axes.plot(offset, result.profiles["forget"][row], color=BLUE, label="edges of peaks")
        numbers = {name: float(table[name][row]) for name in ("difference", "low", "high", "p_adjusted")}
        axes.set_title(
            f"{plain(_model_name(model))}, layer {layer}, {plain(direction)} the peak\n"
            + interval(numbers["difference"], numbers["low"], numbers["high"], signed=True)
            + f", p {numbers['p_adjusted']:.2g}",
            fontsize=8.5,
        )
        differences.append(
            f"{_model_name(model)}, {direction}: {numbers['difference']:+.4f} (p {numbers['p_adjusted']:.2g})"
        )
    for axes in grid[:, 0]:
        axes.set_ylabel("mean forget gate")
    for axes in grid[-1]:
        axes.set_xlabel("bases after the edge, as read")
    legend_below(figure)
    n = _span(table["edges"])
    return Picture(
        f"{result.target}-edges",
        f"{shortened(result.target)}: forget gate {_found(table)} at the edges of peaks",
        f"Mean forget gate over units, at bases around the edges of peaks (n = {n} edges a panel) and around positions"
        " matched in composition; in the titles the difference near the edge with its 95 % interval (block bootstrap)"
        " and the permutation p, corrected for the number of tests.",
        "Line plots of the forget gate around peak edges. " + "; ".join(differences) + ".",
        figure,
    )


def _model_name(model: str) -> str:
    return model.replace("untrained_", "random-init model ")


def _span(counts: Any) -> str:  # noqa: ANN401  (an array, or a list)
    low, high = int(np.min(counts)), int(np.max(counts))
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _found(table: Any) -> str:  # noqa: ANN401  (columns by name)
    signs: Sequence[int] = [
        int(np.sign(difference))
        for model, difference, p in zip(table["model"], table["difference"], table["p_adjusted"], strict=True)
        if model == "trained" and p < 0.05
    ]
    if not signs:
        return "no different"
    return "lower" if max(signs) < 0 else "higher" if min(signs) > 0 else "lower or higher"
