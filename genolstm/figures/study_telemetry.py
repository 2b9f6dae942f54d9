"""Pictures of the study of a log of user actions."""

import numpy as np
from matplotlib.axes import Axes

from genolstm.figures.axes import interval_rows
from genolstm.figures.style import BLUE, GREY, RED, Picture, in_a_grid, legend_below
from genolstm.store.study import Study, Table

OF_GATES = {"mean forget gate", "best unit"}
TITLES = {"silent": "context lost in silence", "announced": "lost, and announced"}


def telemetry(study: Study) -> list[Picture]:
    """AUROCs of all scores, and the gate around the loss."""
    figure, panels = in_a_grid(7.4, 5.6)
    rows = [panels[:2], panels[2:]]
    for (scores, course), way in zip(rows, TITLES, strict=True):
        _scores(scores, study.tables["auroc"], way)
        _course(course, study.tables[f"course_{way}"])
    legend_below(figure)
    rows[1][0].set_xlabel("AUROC; 0.5 is chance level")
    rows[1][1].set_xlabel("actions since the loss")
    return [
        Picture(
            "telemetry",
            "Sessions that lose their context, by the forget gate",
            f"AUROC of each score of a session, mean and 95 % interval over {study.setting['repeats']} networks,"
            f" {study.setting['judged_sessions']} sessions each; 0.5 is chance level. Beside it the gate around the"
            " loss, with standard errors over networks.",
            "Four panels: intervals of AUROC for gates and controls, and the course of the mean gate around the loss in"
            " sessions that lose their topic and in those that keep it.",
            figure,
        )
    ]


def _scores(axes: Axes, table: Table, way: str) -> None:
    ways, names = np.array(table["loss"].values), np.array(table["score"].values)
    seen = [str(name) for name in dict.fromkeys(table["score"].values)]
    rows = [int(np.flatnonzero((ways == way) & (names == name))[0]) for name in seen]
    ends = [np.asarray(table[each].values) for each in ("mean", "mean_low", "mean_high")]
    interval_rows(
        axes, seen, [[float(each[row]) for each in ends] for row in rows],
        colours=[BLUE if name in OF_GATES else GREY for name in seen],
    )  # fmt: skip
    axes.axvline(0.5, color=GREY, linewidth=1, linestyle="--")
    axes.set_title(TITLES[way])
    axes.set_xlim(0.3, 1.02)


def _course(axes: Axes, table: Table) -> None:
    action = np.asarray(table["action"].values)
    for name, colour, label in (("lost", RED, "sessions that lose it"), ("kept", BLUE, "sessions that keep it")):
        mean, error = np.asarray(table[name].values), np.asarray(table[f"{name}_error"].values)
        mean = mean - mean[action < 0].mean()
        axes.plot(action, mean, color=colour, label=label)
        axes.fill_between(action, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
    axes.axvline(0, color=GREY, linewidth=1, linestyle="--")
    axes.set_ylabel("mean gate less before")
