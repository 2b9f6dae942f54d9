"""Pictures of the study of volatility."""

import numpy as np
from matplotlib.dates import AutoDateLocator

from genolstm.figures.axes import interval_rows
from genolstm.figures.style import BLUE, GREY, ORANGE, RED, Picture, legend_below, new_figure
from genolstm.store.study import Study, Table

BASELINE = "GARCH"


def volatility(study: Study) -> list[Picture]:
    """Every model's loss less GARCH's, and forecasts beside the moves that they predict."""
    return [_losses(study.tables["scores"]), _days(study.tables["last_days"])]


def _losses(scores: Table) -> Picture:
    series = list(dict.fromkeys(scores["series"].values))
    rows = {
        name: [
            place
            for place, (each, model) in enumerate(zip(scores["series"].values, scores["model"].values, strict=True))
            if each == name and model != BASELINE
        ]
        for name in series
    }
    figure = new_figure(6.8, 0.9 + 0.55 * len(series) + 0.24 * sum(len(each) for each in rows.values()))
    all_axes = figure.subplots(
        len(series), squeeze=False, sharex=True, height_ratios=[len(rows[name]) + 1 for name in series]
    )[:, 0]
    ends = [np.asarray(scores[name].values) for name in ("against_garch", "low", "high")]
    for axes, name in zip(all_axes, series, strict=True):
        chosen = rows[name]
        models = [str(scores["model"].values[row]) for row in chosen]
        interval_rows(
            axes, models, [[float(each[row]) for each in ends] for row in chosen], zero=True,
            colours=[BLUE if scores["of_the_family"].values[row] else GREY for row in chosen],
        )  # fmt: skip
        days = int(scores["days"].values[chosen[0]])
        axes.set_title(f"{name}, {days:,} days")
    all_axes[-1].set_xlabel("QLIKE less GARCH(1,1)'s; left of 0 is better")
    return Picture(
        "volatility",
        "Forecasts of tomorrow's variance",
        "Mean loss ln v + r²/v out of sample less that of GARCH(1,1), with 95 % Newey-West intervals, the test of"
        " Diebold and Mariano; parameters only from days before each refit. Blue: cells of the family.",
        "Rows of loss differences for each price series, one row a model, with a line at GARCH's own loss.",
        figure,
    )


def _days(days: Table) -> Picture:
    figure = new_figure(6.8, 3.2)
    axes = figure.add_subplot()
    dates = np.array(days["day"].values, dtype="datetime64[D]")
    axes.vlines(dates, 0, np.asarray(days["move"].values), color="0.75", linewidth=0.8, label="size of the move")
    names = [name for name in days if name not in {"day", "move"}]
    for name, colour in zip(names, (BLUE, RED, ORANGE), strict=False):
        axes.plot(dates, np.asarray(days[name].values), color=colour, linewidth=1.1, label=name)
    axes.set(ylabel="percent a day", ylim=(0, None))
    axes.xaxis.set_major_locator(AutoDateLocator(maxticks=7))  # type: ignore[no-untyped-call]
    legend_below(figure)
    return Picture(
        "forecasts",
        f"One-step forecasts over the last {len(dates)} days",
        f"{days['move'].meaning}, and the standard deviation that each model gave for it the day before.",
        "Grey spikes of daily moves with three lines of forecast deviation that rise after large moves.",
        figure,
    )
