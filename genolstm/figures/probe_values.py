"""Predicted against observed values of a probe, and the confusion of more than two classes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genolstm.figures.feature_sets import SCORE_NAMES, TRAINED, called
from genolstm.figures.style import BLACK, HEAT, Picture, in_a_row, new_figure
from genolstm.figures.text import plain, shortened
from genolstm.regions import Part
from genolstm.store.results import ProbeResult

CELLS = 40  # hexagons across
SIGNAL_LETTERS = 44  # of a signal's description below an axis
MOST_NUMBERED = 20  # classes of a matrix whose cells hold numbers
FAR_FRACTION, MARGIN = 0.001, 0.1  # of values at either end that do not set an axis; space beyond, as a fraction


def agreement(result: ProbeResult) -> Picture:
    """Draw predictions of the trained states and of the strongest control against the values, test sites."""
    names = list(dict.fromkeys([TRAINED, result.best_control]))
    figure, grid = in_a_row(
        3.9 * len(names) + 0.6, 3.8, (1,) * len(names), stacked=2.9 * len(names), sharex=True, sharey=True
    )
    test = result.sites.part == Part.TEST
    observed = np.asarray(result.features[TRAINED].label[test], dtype=np.float64)
    ends = np.array([observed.min(), observed.max()]) if observed.size else np.array([0.0, 1.0])
    predicted = {name: np.asarray(result.features[name].log_odds[test], dtype=np.float64) for name in names}
    x_ends, y_ends = _ends([observed]), _ends(list(predicted.values()))
    beyond = sum(
        int(((observed < x_ends[0]) | (observed > x_ends[1]) | (each < y_ends[0]) | (each > y_ends[1])).sum())
        for each in predicted.values()
    )
    signal = str(result.definition.get("signal", result.definition.get("target", result.target)))
    drawn = None
    for axes, name in zip(grid, names, strict=True):
        if observed.size:
            drawn = axes.hexbin(
                observed, predicted[name], extent=(*x_ends, *y_ends), gridsize=CELLS, bins="log", mincnt=1, cmap=HEAT,
                linewidths=0.1,
            )  # fmt: skip
        axes.plot(ends, ends, color=BLACK, linewidth=1, linestyle=":")
        score = result.features[name].scores[result.ranked]
        axes.set_title(f"{plain(called(name), 24)}: {score.value:.3f} [{score.low:.3f}, {score.high:.3f}]")
        axes.set(xlabel=plain(f"observed {signal}", SIGNAL_LETTERS), xlim=x_ends, ylim=y_ends)
    grid[0].set_ylabel("predicted, same unit")
    if drawn is not None:
        bar = figure.colorbar(drawn, ax=list(grid), label="test sites in a cell")
        bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    score_name = SCORE_NAMES.get(result.ranked, result.ranked)
    score = result.features[TRAINED].scores[result.ranked]
    return Picture(
        f"{result.target}-values",
        f"{shortened(result.target)}: {score_name} {score.value:.3f} [{score.low:.3f}, {score.high:.3f}]",
        f"Predicted against observed {signal}, test sites (n = {int(test.sum()):,}); first the trained states, then the"
        f" strongest control; in the titles {score_name} with its 95 % interval (block bootstrap). Dotted: equality."
        + (f" {beyond:,} points lie beyond the axes." if beyond else ""),
        f"Density plots of predicted against observed values; {result.ranked} of the trained states {score.value:.3f}.",
        figure,
    )


def _ends(columns: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """Ends of an axis that a few far values do not set."""
    values = np.concatenate(columns)
    if not values.size:
        return 0.0, 1.0
    low, high = np.quantile(values, [FAR_FRACTION, 1 - FAR_FRACTION]).tolist()
    margin = MARGIN * (high - low) or 1.0
    return low - margin, high + margin


def confusion(result: ProbeResult) -> Picture:
    """Draw the fraction of each true class that the trained states assign to each class, test sites."""
    features, test = result.features[TRAINED], result.sites.part == Part.TEST
    kinds = features.log_odds.shape[1]
    names = [shortened(str(name), 16) for name in result.definition.get("classes", range(kinds))]
    assigned = np.argmax(features.log_odds[test], axis=1)
    table = np.zeros((kinds, kinds), dtype=np.int64)
    np.add.at(table, (features.label[test].astype(np.int64), assigned), 1)
    fraction = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure = new_figure(1.8 + 0.42 * kinds + 1.2, 1.4 + 0.42 * kinds)
    axes = figure.subplots()
    image = axes.imshow(fraction, cmap=HEAT, vmin=0, vmax=1)
    for true, predicted in np.ndindex(fraction.shape) if kinds <= MOST_NUMBERED else ():
        shade = "white" if fraction[true, predicted] < 0.5 else "black"
        told = f"{fraction[true, predicted]:.2f}".removeprefix("0")
        axes.text(predicted, true, told, color=shade, ha="center", va="center", fontsize=7)
    axes.set_xticks(range(kinds), [plain(name) for name in names], rotation=90 if kinds > 4 else 0)
    axes.set_yticks(
        range(kinds), [f"{plain(name)} (n = {count:,})" for name, count in zip(names, table.sum(axis=1), strict=True)]
    )
    axes.set(xlabel="predicted", ylabel="true")
    figure.colorbar(image, ax=axes, label="fraction of the true class")
    score = features.scores[result.ranked]
    return Picture(
        f"{result.target}-confusion",
        f"{shortened(result.target)}: {result.ranked} {score.value:.3f} [{score.low:.3f}, {score.high:.3f}]",
        f"Fraction of the sites of each true class that the trained states assign to each class; test sites"
        f" n = {int(test.sum()):,}.",
        f"Heat map of true against predicted classes; {result.ranked} {score.value:.3f}.",
        figure,
    )
