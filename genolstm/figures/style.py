"""Style of every picture, and how it becomes a file: the same input gives the same bytes."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from cycler import cycler
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
def styled() -> Iterator[None]:
    """Draw in the house style, and leave matplotlib's own settings as they were."""
    with mpl.rc_context(STYLE):
        yield


def new_figure(width: float = 6.4, height: float = 3.6) -> Figure:
    """An empty figure, no window behind it. width, height : inches. Call it and draw within `styled`."""
    return Figure(figsize=(width, height))


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
