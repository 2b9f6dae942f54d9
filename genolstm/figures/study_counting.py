"""Picture of `study counting`: strings predicted by n, and the counter's memory along one string."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from genolstm.figures.style import BLACK, BLUE, GREY, ORANGE, SKY, Picture, in_a_row, legend_below
from genolstm.store.study import Study, Table

WIDTH = 0.38


def counting(study: Study) -> list[Picture]:
    """Draw the fraction of networks that predict a^n b^n, one counter's course, and where counters are."""
    table, course, setting = study.tables["by_n"], study.tables["course"], study.setting
    longest = int(setting["longest"])
    figure, (by_n, along, layers) = in_a_row(9.0, 3.6, (1.3, 1.2, 1), stacked=7.2)
    by_n.axvspan(0.5, longest + 0.5, color=GREY, alpha=0.15, linewidth=0)
    by_n.text((longest + 1) / 2, 1.06, "trained", ha="center", color=GREY, fontsize=8)
    by_n.step(_numbers(table, "n"), _numbers(table, "right"), where="mid", color=BLUE)
    by_n.set_ylim(-0.03, 1.12)
    by_n.set_xlabel("n of a^n b^n")
    by_n.set_ylabel("fraction of networks that predict the end")
    along.plot(_numbers(course, "cell"), color=BLUE, label="memory c")
    along.plot(_numbers(course, "fitted"), color=BLACK, linestyle="--", linewidth=1, label="linear in the count")
    along.set_xlabel("symbols read")
    along.set_ylabel("best cell of layer 2")
    _layers(layers, study.tables["layers"])
    legend_below(figure)
    return [
        Picture(
            "counting",
            f"Counting past n = {longest}",
            f"First: fraction of {setting['repeats']} networks ({setting['layers']} layers of {setting['units']} LSTM"
            f" units) that predict every symbol after the first b. Second: one network, n = {2 * longest}. Third: R2"
            " of the best cell's regression on the count, n never trained, mean and 95 % interval (t)."
            f" Seed {setting['seed']}.",
            study.conclusion,
            figure,
        )
    ]


def _layers(axes: Axes, table: Table) -> None:
    for place, (network, colour) in enumerate((("untrained", SKY), ("trained", ORANGE))):
        rows = np.array(
            [
                each == network and what == "counted"
                for each, what in zip(table["network"].values, table["what"].values, strict=True)
            ]
        )
        at = _numbers(table, "layer")[rows] + (place - 0.5) * WIDTH
        values, low, high = (_numbers(table, key)[rows] for key in ("value", "low", "high"))
        axes.bar(at, values, WIDTH, color=colour, label=network)
        axes.errorbar(at, values, yerr=np.array([values - low, high - values]), color=BLACK, linestyle="", capsize=2)
    axes.set_xticks([1, 2], ["layer 1", "layer 2"])
    axes.set_ylim(0, 1.25)
    axes.set_ylabel("R2 on the count, best cell")


def _numbers(table: Table, name: str) -> NDArray[np.float64]:
    return np.asarray(table[name].values, dtype=np.float64)
