"""Pictures of the study of a log of user actions."""

import numpy as np
from matplotlib.axes import Axes

from genolstm.figures.axes import interval_rows
from genolstm.figures.style import BLUE, GREY, RED, Picture, in_a_grid, legend_below, new_figure
from genolstm.store.study import Study, Table

OF_GATES = {"mean forget gate", "mean write gate", "best unit"}
TITLES = {"silent": "context lost in silence", "announced": "lost, and announced", "own log": "another's second half"}


def telemetry(study: Study) -> list[Picture]:
    """AUROCs of all scores, the gate around the loss, and what prompts are worth."""
    ways = [way for way in TITLES if f"course_{way}" in study.tables]
    figure, panels = in_a_grid(7.4, 0.6 + 2.3 * len(ways), rows=len(ways))
    rows = [panels[place : place + 2] for place in range(0, len(panels), 2)]
    for (scores, course), way in zip(rows, ways, strict=True):
        _scores(scores, study.tables["auroc"], way)
        _course(course, study.tables[f"course_{way}"])
    legend_below(figure)
    rows[-1][0].set_xlabel("AUROC; 0.5 is chance level")
    rows[-1][1].set_xlabel("actions since the loss")
    return [
        Picture(
            "telemetry",
            "Sessions that lose their context, by the forget gate",
            f"AUROC of each score of a session, mean and 95 % interval over {study.setting['repeats']} networks,"
            f" {study.setting['judged_sessions']} sessions each; 0.5 is chance level. Beside it the gate around the"
            " loss, with standard errors over networks.",
            "For each way of losing it, two panels: intervals of AUROC for gates and controls, and the course of the"
            " mean gate around the loss in sessions that lose their topic and in those that keep it.",
            figure,
        ),
        _prompts(study, ways),
    ]


def _prompts(study: Study, ways: list[str]) -> Picture:
    table = study.tables["prompts"]
    figure = new_figure(6.8, 0.9 + 2.0 * len(ways))
    every = figure.subplots(len(ways), squeeze=False, sharex=True)[:, 0]
    for axes, way in zip(every, ways, strict=True):
        rows = [place for place, each in enumerate(table["loss"].values) if each == way]
        names = [str(table["score"].values[row]) for row in rows]
        ends = [np.asarray(table[each].values)[rows] for each in ("f1", "low", "high")]
        interval_rows(
            axes, names, np.stack(ends, axis=1).tolist(), colours=[BLUE if name in OF_GATES else GREY for name in names]
        )
        axes.set_title(TITLES[way])
    every[-1].set_xlabel("F1 of a prompt; precision and recall weigh alike")
    return Picture(
        "telemetry-prompts",
        "A prompt when context seems lost",
        f"One prompt a session, when a score of the action passes a threshold chosen on other sessions; it is right"
        f" within {study.setting['prompt_within']} actions of a loss. Mean and 95 % interval over"
        f" {study.setting['repeats']} networks. Blue: gates, beside their mean after the same action.",
        "Rows of F1 for prompts by either gate, surprise, time since the last action, place in the session and chance.",
        figure,
    )


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
