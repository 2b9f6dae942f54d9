"""Pictures of the study of gates held still."""

import numpy as np
from matplotlib.axes import Axes

from genolstm.figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, RED, Picture, in_a_grid, legend_below
from genolstm.store.study import Study, Table

COLOURS = {"intact": BLACK, "write 0": BLUE, "forget 1": RED, "forget 0": ORANGE, "read 0": GREEN}


def knockout(study: Study) -> list[Picture]:
    """The loss, the state and the gradient under each knockout."""
    figure, panels = in_a_grid(7.2, 5.8)
    bits, size, reach, gradient = panels
    _bits(bits, study.tables["bits"])
    _lines(size, study.tables["sizes"], "step")
    size.set(xlabel="symbols read", ylabel="mean |c|")
    size.set_yscale("symlog", linthresh=0.1)
    size.set_yticks([0, 0.1, 1, 10], ["0", "0.1", "1", "10"])
    _lines(reach, study.tables["reach"], "lag")
    reach.set(xlabel="symbols since one was changed", ylabel="mean change of h", ylim=(0, None))
    _gradient(gradient, study.tables["gradients"])
    legend_below(figure)
    return [
        Picture(
            "knockout",
            "Each gate held still in a trained LSTM",
            f"Held-out bits with one gate at a constant (mean, 95 % interval over {study.setting['repeats']} networks)."
            " In the same colours: size of the state, and how far a changed symbol is felt. Then the gradient of the"
            " write gate's parameters as its bias saturates, with its bound.",
            "Four panels: bars of bits per knockout; the state grows without end with the forget gate at 1 and stays 0"
            " with the write gate at 0; influence by lag; a gradient that falls exponentially on both sides.",
            figure,
        )
    ]


def _bits(axes: Axes, table: Table) -> None:
    names = list(table["held"].values)
    value, low, high = (np.asarray(table[each].values) for each in ("bits", "low", "high"))
    rows = np.arange(len(names))[::-1]
    for row, name, at, start, end in zip(rows, names, value, low, high, strict=True):
        colour = COLOURS.get(name, GREY)
        axes.plot([start, end], [row, row], color=colour, linewidth=2)
        axes.plot([at], [row], "o", color=colour, markersize=5)
    axes.set_yticks(rows, names)
    for label, name in zip(axes.get_yticklabels(), names, strict=True):  # they name the lines of the other panels too
        label.set_color(COLOURS.get(name, GREY))
    axes.set_xlabel("bits per symbol")


def _lines(axes: Axes, table: Table, along: str) -> None:
    for name, colour in COLOURS.items():
        dashes = "--" if name == "read 0" else "-"
        axes.plot(table[along].values, table[name].values, dashes, color=colour, label=name)


def _gradient(axes: Axes, table: Table) -> None:
    bias, norm, bound = (np.asarray(table[each].values) for each in ("bias", "norm", "bound"))
    shown = (np.abs(bias) < 100) & (norm > 0)
    axes.plot(bias[shown], bound[shown], color=GREY, label="bound by i (1 - i)")
    axes.plot(bias[shown], norm[shown], "o", color=BLUE, markersize=4, label="gradient norm")
    axes.set(xlabel="bias of the write gate")
    axes.set_yscale("log")
