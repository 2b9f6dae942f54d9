"""Style of every picture, and how it becomes a file: the same input gives the same bytes."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Figure

from genolstm.figures.formats import check_ending
from genolstm.figures.text import literal
from genolstm.store.files import growing_file

# Okabe & Ito 2008: distinct with any common colour vision, and in grey
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GREY = "#7F7F7F"
CYCLE = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, BLACK, YELLOW)
HEAT = "cividis"  # sequential, colour-blind safe; diverging: 'PuOr'

STYLE: Any = {
    "figure.dpi": 100, "savefig.dpi": 200, "figure.constrained_layout.use": True, "font.size": 9,
    "font.family": "DejaVu Sans",  # shipped with matplotlib: the same glyphs on every machine
    "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10, "axes.titlelocation": "left",
    "axes.prop_cycle": cycler(color=CYCLE), "legend.frameon": False, "lines.linewidth": 1.5,
    "svg.hashsalt": "genolstm", "svg.fonttype": "path", "path.simplify": True, "path.simplify_threshold": 0.3,
}  # fmt: skip

WIDE_INCHES, NARROW_INCHES = 10.0, 4.8  # of a figure: for a page or a screen, and for what a phone shows unscrolled
LEGEND_LETTER_INCHES, LEGEND_MARK_INCHES, MOST_COLUMNS = 0.067, 0.55, 4  # of a legend's text, and of the line before it

TITLE_LETTERS, CAPTION_LETTERS = 10.5, 16.0  # to an inch, so that no line is cut off
TITLE_INCHES, CAPTION_INCHES, MARGIN_INCHES = 0.19, 0.14, 0.16  # heights of lines, and around them


class Picture(NamedTuple):
    """A figure with the text that goes with it.

    name : short, fit for a file name, unique within a result file.   title : what is seen, a few words.
    caption : what was measured, on what, with n.   alt : what the picture shows, for those who cannot see it.
    All four are plain text that may hold a user's names: escape them where text is markup.
    """

    name: str
    title: str
    caption: str
    alt: str
    figure: Figure


@contextmanager
def styled(*, widest: float = WIDE_INCHES) -> Iterator[None]:
    """Draw in the house style, and leave matplotlib's own settings as they were. widest : inches of a figure."""
    with mpl.rc_context({**STYLE, "figure.figsize": (widest, 0.6 * widest)}):
        yield


def widest() -> float:
    """Inches that a figure may be wide in the style that is drawn in."""
    return float(mpl.rcParams["figure.figsize"][0])


def new_figure(width: float = 6.4, height: float = 3.6) -> Figure:
    """An empty figure, no window behind it. width, height : inches. Call it and draw within `styled`."""
    return Figure(figsize=(min(width, widest()), height))


def fitting(number: int, width: float) -> int:
    """How many of the things that are drawn in a row of some inches the style has room for."""
    return max(1, int(number * min(1.0, widest() / width)))


def in_a_row(
    width: float, height: float, ratios: Sequence[float], *, stacked: float, sharex: bool = False, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure of panels side by side; where the style has no room for that, below each other.

    width, height : inches of the row.   ratios : widths of the panels, one each.   stacked : height of all, in inches,
    where they stand below each other.
    """
    if width <= widest():
        figure = new_figure(width, height)
        grid = figure.subplots(1, len(ratios), squeeze=False, width_ratios=ratios, sharex=sharex, sharey=sharey)
        return figure, list(grid[0])
    figure = new_figure(width, stacked)
    return figure, list(figure.subplots(len(ratios), 1, squeeze=False, sharex=sharex, sharey=sharey)[:, 0])


def in_a_grid(width: float, height: float, rows: int = 2) -> tuple[Figure, list[Axes]]:
    """A figure of rows of two panels, row by row; below each other where the style has no room for two."""
    if width <= widest():
        figure = new_figure(width, height)
        return figure, list(figure.subplots(rows, 2).flat)
    figure = new_figure(width, 1.8 * height)
    return figure, list(figure.subplots(2 * rows, 1))


def legend_below(figure: Figure, handles: Sequence[Any] = (), labels: Sequence[str] = ()) -> None:
    """Put one legend below all panels, never over data, in as many columns as fit.

    handles, labels : by default those of every panel, each label once.
    """
    if not handles:
        found = [each for axes in figure.axes for each in zip(*axes.get_legend_handles_labels(), strict=True)]
        once = {label: handle for handle, label in reversed(found)}
        labels = list(dict.fromkeys(label for _, label in found))
        handles = [once[label] for label in labels]
    if not handles:
        return
    width = figure.get_figwidth()
    fit = int((width - LEGEND_MARK_INCHES) / LEGEND_LETTER_INCHES)
    longest = max(map(len, labels)) * LEGEND_LETTER_INCHES + LEGEND_MARK_INCHES
    columns = max(1, min(len(labels), MOST_COLUMNS, int(width / longest)))
    figure.legend(
        handles, [textwrap.fill(label, fit) for label in labels], loc="outside lower center", ncols=columns, fontsize=8
    )


def titled(picture: Picture) -> Figure:
    """The figure of a picture with its title above and its caption below, for a file of its own.

    The figure is laid out, then made taller around what it holds: do this once, and last.
    """
    figure = picture.figure
    width, height = figure.get_size_inches()
    title = textwrap.wrap(picture.title, int(width * TITLE_LETTERS))
    caption = textwrap.wrap(picture.caption, int(width * CAPTION_LETTERS))
    above, below = len(title) * TITLE_INCHES + MARGIN_INCHES, len(caption) * CAPTION_INCHES + MARGIN_INCHES
    whole = height + above + below
    with styled():
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        _move(figure, below / whole, height / whole)
        figure.set_size_inches(width, whole)
        edge = MARGIN_INCHES / 2
        heading, small = literal("\n".join(title)), literal("\n".join(caption))
        figure.text(edge / width, 1 - edge / whole, heading, va="top", fontsize=11, fontweight="bold")
        figure.text(edge / width, edge / whole, small, va="bottom", fontsize=8, color="0.25")
    return figure


def _move(figure: Figure, bottom: float, height: float) -> None:
    """Move all that a laid-out figure holds into a band of its height. bottom, height : fractions of the whole."""
    for axes in figure.axes:
        place = axes.get_position(original=True)
        axes.set_position((place.x0, bottom + height * place.y0, place.width, height * place.height))
    for label in figure.texts:  # labels of the whole figure
        label.set_y(bottom + height * label.get_position()[1])
    for legend in figure.legends:  # these stand at the edge of what they are anchored to
        legend.set_bbox_to_anchor((0, bottom, 1, height), transform=figure.transFigure)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG, PNG or PDF by the name's ending, whole or not at all, the same bytes for the same figure.

    Raises UsageError for another ending.
    """
    form = check_ending(path)
    # what else would differ between two runs: the time of writing
    metadata = {"svg": {"Date": None}, "png": {"Software": None}, "pdf": {"CreationDate": None}}[form]
    with styled(), growing_file(path) as growing, growing.open("wb") as stream:
        figure.savefig(stream, format=form, metadata=metadata)
