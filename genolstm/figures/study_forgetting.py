"""Pictures of the study of forgetting."""

import numpy as np

from genolstm.figures.axes import log_axis
from genolstm.figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, RED, Picture, legend_below, new_figure
from genolstm.store.study import Study

HOUR, DAY = 60.0, 1440.0
TIMES = ((20.0, "20 min"), (HOUR, "1 h"), (9 * HOUR, "9 h"), (DAY, "1 d"), (6 * DAY, "6 d"), (31 * DAY, "31 d"))
STYLES = {
    "one unit": (RED, ":"),
    "two units": (ORANGE, "--"),
    "three units": (PURPLE, "--"),
    "one unit, relearned": (BLUE, "-"),
    "power": (GREY, "-"),
    "Ebbinghaus's logarithm": (GREEN, "-"),
}
Z = 1.959963984540054


def forgetting(study: Study) -> list[Picture]:
    """The savings with the laws through them, and the error of each law at points left out."""
    return [_curves(study), _criteria(study)]


def _curves(study: Study) -> Picture:
    figure = new_figure(6.4, 3.8)
    axes = figure.add_subplot()
    curves, points = study.tables["curves"], study.tables["savings"]
    laws = study.tables["laws"]
    r2 = dict(zip(laws["law"].values, laws["r2"].values, strict=True))
    for name, (colour, dashes) in STYLES.items():
        axes.plot(
            curves["minutes"].values,
            curves[name].values,
            color=colour,
            linestyle=dashes,
            label=f"{name}, R² {r2[name]:.2f}",
        )
    axes.errorbar(
        points["minutes"].values, points["savings"].values, yerr=Z * np.asarray(points["error"].values), fmt="o",
        color=BLACK, markersize=4, capsize=2, label="Ebbinghaus 1885", zorder=5,
    )  # fmt: skip
    log_axis(axes, "x")
    axes.set_xticks([minutes for minutes, _ in TIMES], [label for _, label in TIMES])
    axes.minorticks_off()
    axes.set(xlabel="time since learning", ylabel="work saved in relearning", ylim=(0, 1))
    legend_below(figure)
    return Picture(
        "forgetting",
        "Ebbinghaus's savings and what cells of constant forget gates keep",
        "Points: seven savings with 95 % intervals from the probable errors given with them. Lines: least-squares fits;"
        " R² is the fraction of the variance of seven points.",
        "Savings fall along a straight line in the logarithm of time, while one exponential falls to nothing in a day.",
        figure,
    )


def _criteria(study: Study) -> Picture:
    laws = study.tables["laws"]
    names, left_out = laws["law"].values, np.asarray(laws["left_out"].values)
    figure = new_figure(6.4, 3.2)
    axes = figure.add_subplot()
    order = np.argsort(-left_out)
    family = np.asarray(laws["of_the_family"].values)
    axes.barh(
        np.arange(len(order)), left_out[order], color=[BLUE if family[row] else GREY for row in order], height=0.6
    )
    parameters = np.asarray(laws["parameters"].values)
    axes.set_yticks(np.arange(len(order)), [f"{names[row]} ({parameters[row]})" for row in order])
    for place, row in enumerate(order):
        axes.text(left_out[row], place, f" {left_out[row]:.3f}", va="center", fontsize=8)
    axes.set_xlabel("error at a point that was left out, RMS")
    axes.set_xlim(0, left_out.max() * 1.15)
    axes.barh([0], [0], color=BLUE, label="cells of constant forget gates")
    axes.barh([0], [0], color=GREY, label="other laws")
    legend_below(figure)
    return Picture(
        "left-out",
        "Forgetting laws at points that they were not fitted to",
        "Each law fitted to six of the seven savings and used to predict the seventh, in turn; parameters in brackets.",
        "Bars of the error of each law: Ebbinghaus's own formula errs least, a single unit most.",
        figure,
    )
