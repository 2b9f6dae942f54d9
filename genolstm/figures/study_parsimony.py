"""Pictures of the study of parsimony."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from genolstm.figures.axes import log_axis
from genolstm.figures.style import BLUE, GREY, ORANGE, RED, Picture, in_a_grid, legend_below
from genolstm.store.study import Study, Table

COLOURS = {"lstm": BLUE, "gru": RED, "gru, equal parameters": ORANGE}


def parsimony(study: Study) -> list[Picture]:
    """Error against training set size, and the GRUs' less the LSTM's."""
    figure, (left, right, *costs) = in_a_grid(6.8, 5.4)
    _lines(left, study.tables["errors"], "excess")
    left.set(xlabel="symbols trained on", ylabel="bits per symbol above the truth")
    log_axis(left, "x")
    log_axis(left, "y")
    right.axhline(0, color=GREY, linewidth=1, linestyle="--")
    _lines(right, study.tables["differences"], "difference")
    right.set(xlabel="symbols trained on", ylabel="bits per symbol less the LSTM's")
    log_axis(right, "x")
    _costs(costs, study.tables["costs"])
    legend_below(figure)
    repeats = study.setting["repeats"]
    return [
        Picture(
            "parsimony",
            "GRU and LSTM as the training set grows",
            f"Held-out error of next-symbol networks on a hidden Markov source, less the source's true entropy; means"
            f" and 95 % intervals over {repeats} sources. Then: paired differences, below 0 the GRU is better."
            " Below: time and memory as fractions of the LSTM's, on the CPU of this run.",
            "Two panels: error falls with data for all three networks; differences to the LSTM with intervals;"
            " bars of what a GRU costs beside an LSTM.",
            figure,
        )
    ]


def _costs(axes: Sequence[Axes], table: Table) -> None:
    """Bars of time and of memory, 1 is the LSTM's."""
    names = [str(name) for name in table["network"].values]
    shown = (
        {"training": "train_ratio", "forward": "forward_ratio"},
        {name: f"{name}_bytes" for name in ("kept", "state", "weight")},
    )
    for place, (panel, columns) in enumerate(zip(axes, shown, strict=True)):
        for row, name in enumerate(names[1:], start=1):
            values = [float(np.asarray(table[column].values)[row]) for column in columns.values()]
            if place:
                values = [each / float(np.asarray(table[column].values)[0])
                          for each, column in zip(values, columns.values(), strict=True)]  # fmt: skip
            panel.bar(np.arange(len(values)) + 0.4 * (row - 1.5), values, 0.38, color=COLOURS[name])
        panel.axhline(1, color=COLOURS[names[0]], linewidth=1)
        panel.set_xticks(np.arange(len(columns)), list(columns))
        panel.set_ylabel(("CPU time", "bytes")[place] + ", of the LSTM's")


def _lines(axes: Axes, table: Table, column: str) -> None:
    names = np.array(table["network"].values)
    for place, name in enumerate(dict.fromkeys(table["network"].values)):
        rows = names == name
        symbols, value, low, high = (
            np.asarray(table[each].values)[rows] for each in ("symbols", column, "low", "high")
        )
        shifted = symbols * 1.06 ** (place - 1)  # so that intervals do not hide each other
        floor = np.maximum(low, value / 10) if column == "excess" else low  # a logarithmic axis has no place for 0
        axes.errorbar(
            shifted, value, yerr=[value - floor, high - value], color=COLOURS[name], marker="o", markersize=4,
            capsize=2, label=name,
        )  # fmt: skip
