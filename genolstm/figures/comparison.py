"""Pictures of a comparison: a forest of differences, and the groups themselves."""

from pathlib import Path

import numpy as np

from genolstm.figures.axes import ROW_INCHES, interval_rows
from genolstm.figures.feature_sets import SCORE_NAMES
from genolstm.figures.style import BLUE, GREY, RED, Picture, new_figure
from genolstm.figures.text import shortened
from genolstm.store.comparison import Comparison, Difference, GroupValue, read_comparison

COLOURS = {"better": BLUE, "worse": RED}
LONGEST, NAME_LETTERS = 20, 60  # characters of each of two names of a row; of a row, for both of a pair are told
MARGIN_INCHES = 0.9


def pictures_of(path: Path) -> list[Picture]:
    """Draw the differences of each measure, the one that is first in the file first, then the groups."""
    found = read_comparison(path)
    measures = list(dict.fromkeys(row.measure for row in found.groups))
    forests = [_differences(found, measure) for measure in measures if found.differences]
    return [*forests, *(_groups(found, measure) for measure in measures)]


def _differences(found: Comparison, measure: str) -> Picture:
    rows = [row for row in found.differences if row.measure == measure]
    figure = new_figure(7.6, MARGIN_INCHES + ROW_INCHES * len(rows))
    axes = figure.subplots()
    names = [_pair(found, row) for row in rows]
    colours = [COLOURS.get(row.verdict, GREY) for row in rows]
    estimates = [_drawn(*row.estimate) for row in rows]
    interval_rows(axes, names, estimates, colours=colours, zero=True, letters=NAME_LETTERS)
    axes.set_xlabel(f"difference in {_words(measure)}")
    told = [row.verdict for row in rows]
    counts = ", ".join(f"{told.count(word)} {word}" for word in dict.fromkeys(told))
    return Picture(
        f"differences-{_slug(measure)}",
        f"differences in {_words(measure)}: {counts}",
        f"{_shared(found)}; paired 95 % intervals of a bootstrap over blocks, and over the files of groups of several."
        " Blue: better, red: worse, both where the interval excludes zero and p, corrected by Holm over these rows, is"
        " below 0.05; grey: no difference can be claimed.",
        f"Forest plot of {len(rows)} differences in {_words(measure)}: {counts}.",
        figure,
    )


def _groups(found: Comparison, measure: str) -> Picture:
    rows = [row for row in found.groups if row.measure == measure]
    figure = new_figure(7.6, MARGIN_INCHES + ROW_INCHES * len(rows))
    axes = figure.subplots()
    names = [_of_target(found, row.target, shortened(row.group, 2 * LONGEST)) for row in rows]
    interval_rows(axes, names, [_drawn(row.value, row.low, row.high) for row in rows], letters=NAME_LETTERS)
    for place, row in zip(range(len(rows))[::-1], rows, strict=True):
        values = _files(found, row)
        if len(values) > 1:
            axes.plot(values, np.full(len(values), place + 0.25), color=GREY, marker="|", linestyle="none")
    axes.set_xlabel(_words(measure))
    return Picture(
        f"groups-{_slug(measure)}",
        f"{_words(measure)} of each group",
        f"{_shared(found)}; means over the files of each group with 95 % intervals over blocks, and over files where a"
        " group has several (grey ticks: each of them).",
        f"Interval plot of {_words(measure)} of {len({row.group for row in rows})} groups.",
        figure,
    )


def _files(found: Comparison, row: GroupValue) -> list[float]:
    mine = {each.name for each in found.files if each.group == row.group}
    wanted = (row.target, row.measure)
    return [each.value for each in found.values if each.file in mine and (each.target, each.measure) == wanted]


def _drawn(value: float, low: float, high: float) -> tuple[float, float, float]:
    """Ends that can be drawn: of no interval, the value itself."""
    return (value, low, high) if np.isfinite(low) and np.isfinite(high) else (value, value, value)


def _pair(found: Comparison, row: Difference) -> str:
    return _of_target(found, row.target, f"{shortened(row.one, LONGEST)} \u2212 {shortened(row.other, LONGEST)}")


def _of_target(found: Comparison, target: str, name: str) -> str:
    return name if len(found.shared) == 1 else f"{target}: {name}"


def _shared(found: Comparison) -> str:
    rows = {"probe": "test sites", "score": "known bases"}.get(found.compared, "held-out bases")
    told = "; ".join(f"{each.target}: {each.rows:,} {rows}" for each in found.shared)
    return f"On what {len(found.files)} files share ({told})"


def _words(measure: str) -> str:
    return " ".join(SCORE_NAMES.get(word, word) for word in measure.split())


def _slug(measure: str) -> str:
    return measure.replace(" ", "-")
