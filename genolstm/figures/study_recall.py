"""Pictures of `study copy` and `study brackets`: fraction of right answers against distance, one line a network."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from genolstm.figures.axes import log_axis
from genolstm.figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, Picture, legend_below, new_figure
from genolstm.store.study import Study, Table

MARKS = {
    "LSTM": (BLUE, "o"), "LSTM chrono": (SKY, "s"), "GRU": (GREEN, "^"), "RNN": (ORANGE, "v"),
    "full Transformer": (PURPLE, "D"), "windowed Transformer": (RED, "X"),
}  # fmt: skip
SPREAD = 0.025  # fraction by which each network's points are moved aside, so that intervals do not hide each other


def copy(study: Study) -> list[Picture]:
    """Draw accuracy of the copies against the delay."""
    return [_picture(study, "delay", "delay between symbols and cue (symbols)", "Recall after a delay")]


def brackets(study: Study) -> list[Picture]:
    """Draw accuracy of the closing kind against the distance of its opening bracket."""
    return [_picture(study, "distance", "distance of the opening bracket (symbols)", "Kind of a closing bracket")]


def _picture(study: Study, word: str, label: str, title: str) -> Picture:
    table, setting = study.tables["accuracy"], study.setting
    guess = float(setting["chance"])
    figure = new_figure(6.8, 3.8)
    axes = figure.subplots()
    axes.axhline(guess, color=GREY, linestyle="--", linewidth=1)
    # a cue stands behind its symbol by the delay and by the symbols shown
    reach = int(setting["layers"]) * (int(setting["window"]) - 1) - int(setting.get("shown", 0))
    axes.axvline(reach, color=RED, linestyle=":", linewidth=1)
    names = list(dict.fromkeys(table["network"].values))
    for place, name in enumerate(names):
        _line(axes, table, str(name), word, 1 + SPREAD * (place - (len(names) - 1) / 2))
    axes.set_ylim(0, 1.03)
    log_axis(axes, "x")
    distances = sorted(set(_numbers(table, word).tolist()))
    axes.set_xticks(distances, [f"{distance:g}" for distance in distances])
    axes.minorticks_off()
    axes.set_xlabel(label)
    axes.set_ylabel("fraction of right answers")
    if "order_unknown" in setting:
        half = float(setting["order_unknown"])
        axes.axhline(half, color=GREY, linestyle=":", linewidth=1)
        axes.text(
            1.01, half, "order\nunknown", transform=axes.get_yaxis_transform(), color=GREY, va="center", fontsize=8
        )
    axes.text(1.01, guess, "chance level", transform=axes.get_yaxis_transform(), color=GREY, va="center", fontsize=8)
    axes.text(
        reach, 1.01, "reach of the windows", transform=axes.get_xaxis_transform(), color=RED, ha="center", fontsize=8
    )
    legend_below(figure)
    sizes = _numbers(table, "parameters")
    dotted = " Dotted: symbols known, their order not." if "order_unknown" in setting else ""
    return Picture(
        study.name,
        title,
        f"Mean of {setting['repeats']} networks each, trained for {setting['steps']} steps of {setting['rows']}"
        f" sequences whose {word} is drawn up to the longest; bars are 95 % intervals over them (t);"
        f" {setting['test_rows']} test sequences at each {word}. Networks have {sizes.min():,.0f} to {sizes.max():,.0f}"
        f" parameters; a windowed layer sees {setting['window']} symbols. Dashed: a guess.{dotted}",
        study.conclusion,
        figure,
    )


def _line(axes: Axes, table: Table, name: str, word: str, aside: float) -> None:
    colour, mark = MARKS.get(name, (BLACK, "o"))
    rows = np.array([each == name for each in table["network"].values])
    values, low, high = (_numbers(table, key)[rows] for key in ("right", "low", "high"))
    bars = np.array([values - low, high - values])
    axes.errorbar(
        _numbers(table, word)[rows] * aside, values, yerr=bars, color=colour, marker=mark, markersize=5, capsize=2,
        elinewidth=1, label=name,
    )  # fmt: skip


def _numbers(table: Table, name: str) -> NDArray[np.float64]:
    return np.asarray(table[name].values, dtype=np.float64)
