"""Pictures of `study half-life` and `study vanishing`."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from genolstm.figures.axes import log_axis
from genolstm.figures.style import (
    BLACK,
    BLUE,
    CYCLE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    Picture,
    in_a_row,
    legend_below,
    new_figure,
)
from genolstm.store.study import Study, Table

CELLS = {"rnn": (ORANGE, "v"), "gru": (GREEN, "^"), "lstm": (BLUE, "o")}
LEAST_KEPT = 0.02  # of a pulse: what is shown of its decay
ARROW = 2.2  # times the value that is a bound
LEAST = 1e-12  # of a gradient's axis: what lies below is 0 for any purpose


def half_life(study: Study) -> list[Picture]:
    """Draw measured against nominal half-lives, decay after a pulse, and chrono's time constants."""
    return [_half_lives(study), _chrono(study)]


def _half_lives(study: Study) -> Picture:
    table, decay = study.tables["half_lives"], study.tables["decay"]
    figure, (left, right) = in_a_row(8.0, 4.0, (1, 1), stacked=7.0)
    bias, nominal = _numbers(table, "forget_bias"), _numbers(table, "nominal")
    left.plot(bias, nominal, color=BLACK, linewidth=1, label="ln 0.5 / ln sigmoid(b)")
    left.plot(bias, _numbers(table, "gate_alone"), color=GREY, marker="s", linestyle="", label="gate alone")
    for name, colour, mark, label in (("cut", GREEN, "^", "layer, recurrence cut"), ("layer", BLUE, "o", "layer")):
        values, low, high = (_numbers(table, f"{name}{end}") for end in ("", "_low", "_high"))
        bars = np.nan_to_num(np.array([np.minimum(values - low, 0.9 * values), high - values]))
        left.errorbar(
            bias, values, yerr=bars, color=colour, marker=mark, linestyle="", capsize=2, markersize=5, label=label
        )
        for place in np.flatnonzero(_numbers(table, f"{name}_endless") > 0):
            left.annotate(
                "", (bias[place], values[place] * ARROW), (bias[place], values[place]),
                arrowprops={"arrowstyle": "->", "color": colour},
            )  # fmt: skip
    left.set_ylim(0.5 * nominal.min(), 2 * ARROW * float(np.nanmax(_numbers(table, "layer"))))
    log_axis(left, "y")
    left.set_xlabel("forget bias b")
    left.set_ylabel("half-life (steps)")
    _decays(right, decay)
    legend_below(figure)
    return Picture(
        "half-life",
        "How long a memory lives behind a forget bias",
        f"First: steps until a pulse has halved; layers of {study.setting['units']} LSTM units as torch.nn draws"
        f" them, geometric mean and 95 % interval (t) of {study.setting['repeats']} layers; arrows: not halved when"
        " reading ended, the mean is then at least so much. Then: what one layer keeps of the pulse (lines), and the"
        " closed form (dashed).",
        study.conclusion,
        figure,
    )


def _decays(axes: Axes, decay: Table) -> None:
    biases = _numbers(decay, "forget_bias")
    for bias, colour in zip(sorted(set(biases.tolist())), (*CYCLE, *CYCLE), strict=False):
        rows = biases == bias
        steps = _numbers(decay, "step")[rows]
        axes.plot(1 + steps, _numbers(decay, "kept")[rows], color=colour, label=f"b = {bias:g}")
        axes.plot(1 + steps, _numbers(decay, "nominal")[rows], color=colour, linewidth=1, linestyle="--")
    axes.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_ylim(LEAST_KEPT, 1.5 * float(_numbers(decay, "kept").max()))
    log_axis(axes, "x")
    log_axis(axes, "y")
    axes.set_xlabel("steps after the pulse, and 1")
    axes.set_ylabel("fraction of the pulse kept")


def _chrono(study: Study) -> Picture:
    table, horizon = study.tables["chrono"], int(study.setting["chrono"])
    lifetimes = _numbers(table, "time_constant")
    figure = new_figure()
    axes = figure.subplots()
    fractions = np.arange(1, len(lifetimes) + 1) / len(lifetimes)
    axes.plot(lifetimes, fractions, color=BLUE, label="time constants -1 / ln f")
    axes.plot(_numbers(table, "half_life"), fractions, color=RED, label="half-lives ln 0.5 / ln f")
    axes.plot(
        lifetimes, _numbers(table, "expected_share"), color=BLACK, linewidth=1, linestyle="--", label="closed form"
    )
    axes.axvline(horizon, color=GREY, linewidth=1, linestyle=":")
    axes.text(
        horizon, 1.01, f"T = {horizon}", transform=axes.get_xaxis_transform(), color=GREY, ha="center", fontsize=8
    )
    axes.set_xlabel("steps")
    axes.set_ylabel("fraction of units with less")
    legend_below(figure)
    return Picture(
        "half-life-chrono",
        f"Memory of units begun with chrono:{horizon}",
        f"Cumulative fractions of {len(lifetimes):,} units, seed {study.setting['seed']}.",
        f"Two rising, nearly straight curves: time constants reach {lifetimes.max():.0f} steps and half-lives"
        f" {_numbers(table, 'half_life').max():.0f}, with T = {horizon}; the closed form lies on the first.",
        figure,
    )


def vanishing(study: Study) -> list[Picture]:
    """Draw gradients against lag, before and after training, and samples needed against lag."""
    gradients, samples = study.tables["gradients"], study.tables["samples"]
    figure, (untrained, trained, cost) = in_a_row(9.0, 3.6, (1, 1, 1), stacked=7.8)
    for axes, when in ((untrained, "untrained"), (trained, "trained")):
        _gradients(axes, gradients, when)
        axes.set_title(when)
    untrained.set_ylabel("gradient norm (nats)")
    trained.sharey(untrained)
    for name, (colour, mark) in CELLS.items():
        _samples(cost, samples, name, colour, mark)
    log_axis(cost, "x")
    lags = sorted(set(_numbers(samples, "lag").tolist()))
    cost.set_xticks(lags, [f"{lag:g}" for lag in lags])
    cost.minorticks_off()
    most = float(study.setting["most_samples"])
    for name, law, start, slope in _better_laws(study):
        along = np.geomspace(lags[0], lags[-1], 50)
        growth = slope * (np.log(along) if law == "power" else along)
        cost.plot(along, np.exp(start + growth), ":", color=CELLS[name][0], linewidth=1)
    log_axis(cost, "y")
    cost.set_ylim(100, 2 * most)
    cost.axhline(most, color=GREY, linewidth=1, linestyle="--")
    cost.text(lags[0], 1.3 * most, "hollow: not all reached it", color=GREY, fontsize=8)
    cost.set_title("to learn")
    cost.set_xlabel("lag (steps)")
    cost.set_ylabel("sequences until learned")
    legend_below(figure)
    return [
        Picture(
            "vanishing",
            "Gradients against lag, and what lag costs",
            f"First two: ||d loss(t) / d x(t - lag)||, geometric mean and 95 % band (t, of logarithms) of"
            f" {study.setting['repeats']} networks of about {study.setting['parameters']:,} parameters; trained ones at"
            f" the longest lag that they learned. Third: sequences until {study.setting['right_from']:.0%} of answers"
            " are right, mean and 95 % interval; at the dashed line training was given up; dotted:"
            " the better of a power and an exponential law."
            f" Seed {study.setting['seed']}.",
            study.conclusion,
            figure,
        )
    ]


def _better_laws(study: Study) -> list[tuple[str, str, float, float]]:
    """Cell, law, start and slope of the law of less AICc; none where too few lags were measured."""
    table = study.tables.get("laws")
    if table is None:
        return []
    cells, aicc = np.array(table["cell"].values), np.asarray(table["aicc"].values)
    best = [int(np.flatnonzero(cells == cell)[aicc[cells == cell].argmin()]) for cell in dict.fromkeys(cells)]
    start, slope = np.asarray(table["start"].values), np.asarray(table["slope"].values)
    return [(str(cells[row]), str(table["law"].values[row]), float(start[row]), float(slope[row])) for row in best]


def _gradients(axes: Axes, table: Table, when: str) -> None:
    for name, (colour, _) in CELLS.items():
        rows = _where(table["cell"].values, name) & _where(table["when"].values, when)
        lags, norms, low, high = (_numbers(table, key)[rows] for key in ("lag", "norm", "low", "high"))
        axes.plot(lags, norms, color=colour, label=name.upper())
        axes.fill_between(lags, np.maximum(low, LEAST), np.minimum(high, 1e3), color=colour, alpha=0.15, linewidth=0)
    axes.set_ylim(LEAST, 1e2)
    log_axis(axes, "y")
    axes.set_xlabel("lag (steps)")


def _samples(axes: Axes, table: Table, name: str, colour: str, mark: str) -> None:
    rows = _where(table["cell"].values, name)
    lags, mean, low, high, reached, networks = (
        _numbers(table, key)[rows] for key in ("lag", "samples", "low", "high", "reached", "networks")
    )
    bars = np.nan_to_num(np.array([np.minimum(mean - low, mean), high - mean]))
    axes.errorbar(lags, mean, yerr=bars, color=colour, capsize=2, elinewidth=1)
    for lag, value, every in zip(lags, mean, reached == networks, strict=True):
        axes.plot([lag], [value], color=colour, marker=mark, markerfacecolor=colour if every else "white", markersize=6)


def _where(values: Sequence[str] | NDArray[np.float64], wanted: str) -> NDArray[np.bool_]:
    return np.array([value == wanted for value in values])


def _numbers(table: Table, name: str) -> NDArray[np.float64]:
    return np.asarray(table[name].values, dtype=np.float64)
