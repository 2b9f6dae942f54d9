"""Pictures of the study of long lags."""

import numpy as np
from matplotlib.axes import Axes

from genolstm.figures.axes import log_axis
from genolstm.figures.style import BLUE, GREEN, GREY, SKY, Picture, in_a_row, legend_below
from genolstm.store.study import Study, Table

COLOURS = {"LSTM": BLUE, "LSTM chrono": SKY, "GRU": GREEN}
STYLES = ("-o", "--s", ":^")  # one a training chunk


def long_lags(study: Study) -> list[Picture]:
    """Words foreseen against the lag, and against how many bases before them are read."""
    figure, (left, right) = in_a_row(7.6, 4.0, (1, 1), stacked=6.0, sharey=True)
    _lines(left, study.tables["right"], "lag")
    _lines(right, study.tables["memory"], "read")
    for axes in (left, right):
        axes.axhline(float(study.setting["chance"]), color=GREY, linewidth=1, linestyle="--")
        log_axis(axes, "x")
    left.set(xlabel="lag (bases)", ylabel="fraction of words right", ylim=(0.3, 1.03))
    right.set(xlabel=f"bases read, lag {int(study.setting['curve_lag']):,}")
    right.axvline(float(study.setting["curve_lag"]), color=GREY, linewidth=1, linestyle=":")
    legend_below(figure)
    return [
        Picture(
            "long-lags",
            "A word decided by an enhancer far back",
            f"First: mean and 95 % interval of {study.setting['repeats']} networks of {study.setting['units']} units,"
            f" trained on {study.setting['bases']:,} made bases in chunks, state carried on. Then: functional memory,"
            " the same words with the state emptied so many bases before. Dashed: a guess; dotted: the enhancer.",
            study.conclusion,
            figure,
        )
    ]


def _lines(axes: Axes, table: Table, along: str) -> None:
    names, chunks = np.array(table["network"].values), np.asarray(table["chunk"].values)
    for name, colour in COLOURS.items():
        for chunk, style in zip(sorted(set(chunks.tolist())), STYLES, strict=False):
            rows = (names == name) & (chunks == chunk)
            x, right = (np.asarray(table[each].values)[rows] for each in (along, "right"))
            axes.plot(x, right, style, color=colour, markersize=4, label=f"{name}, chunk {chunk}")
            if "low" in table:
                low, high = (np.asarray(table[each].values)[rows] for each in ("low", "high"))
                axes.vlines(x, low, high, color=colour, linewidth=1)
