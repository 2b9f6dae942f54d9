"""Sequence logos: letters stacked at each base, as high as the information that the model has about it."""

from functools import cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray

from genolstm.alphabet import DNA
from genolstm.figures.axes import base_axis, end_axis_at
from genolstm.figures.style import BLUE, GREEN, ORANGE, RED, Picture, fitting, new_figure
from genolstm.figures.text import shortened
from genolstm.store.score import ScoreFile

LETTERS = DNA.letters[: DNA.n_known]
COLOURS = dict(zip(LETTERS, (GREEN, BLUE, ORANGE, RED), strict=True))
MOST_BASES, ROW_BASES = 500, 100  # of a logo, and of one row of it
ROW_WIDTH = 9.0  # inches
ROW_INCHES = 1.1
LETTER_WIDTH = 0.92  # of a base
HIGHEST = float(np.log2(len(LETTERS)))  # bits
Floats = NDArray[np.floating]


def information(probabilities: Floats) -> Floats:
    """Information about each base in bits: 2 less the entropy of its letters (Schneider & Stephens 1990); [n].

    probabilities : [n, letters]; rows of NaN give NaN.
    """
    p = probabilities.astype(np.float64)
    entropy = -(p * np.log2(np.where(p > 0, p, 1))).sum(axis=1)
    bits: Floats = HIGHEST - entropy
    return bits


def logo_pictures(scores: ScoreFile) -> list[Picture]:
    """Logo of the first stretch of a score file, where it holds probabilities and the stretch is short; else none."""
    stretches, held = scores.stretches, scores.probabilities
    bases = int((stretches.end - stretches.start)[0]) if len(stretches.start) else 0
    if held is None or not 0 < bases <= MOST_BASES:
        return []
    start, contig = int(stretches.start[0]), shortened(stretches.contigs[stretches.contig[0]], 40)
    probabilities = held.mean(0, bases)
    bits = information(probabilities)
    heights = probabilities * bits[:, None]
    across = fitting(ROW_BASES, ROW_WIDTH)
    rows = -(-bases // across)
    figure = new_figure(ROW_WIDTH, ROW_INCHES * rows + 0.5)
    grid = figure.subplots(rows, 1, sharey=True, squeeze=False)[:, 0]
    for row, axes in enumerate(grid):
        low, high = row * across, min((row + 1) * across, bases)
        draw_logo(axes, heights[low:high], start + low + 1)
        axes.set_xlim(start + low + 0.5, start + low + across + 0.5)
        base_axis(axes)
        end_axis_at(axes, start + high + 0.5)
    grid[0].set_ylim(0, float(np.nanmax(heights.sum(axis=1), initial=0.1)) * 1.05)
    grid[-1].set_xlabel(f"position in {contig} (bp)")
    figure.supylabel("information (bits)", fontsize=9)
    mean = float(np.nanmean(bits)) if np.isfinite(bits).any() else 0.0
    place = f"{contig}:{start + 1:,}-{start + bases:,}"
    return [Picture(
        "logo",
        f"what the model expects in {place}: {mean:.3f} bits of information a base",
        "Letters at each base, the likeliest on top, each as high as its probability times the information, 2 bits less"
        " the entropy; probabilities are the mean of what both strands' readings give for the forward strand's letter."
        f" n = {bases:,} bases.",
        f"Sequence logo of {place}; mean information {mean:.3f} bits a base.",
        figure,
    )]  # fmt: skip


def draw_logo(axes: Axes, heights: Floats, first: int) -> None:
    """Draw stacks of letters, the highest on top. heights : [n, letters], bits.   first : x of the first stack."""
    outlines, colours = [], []
    for place, column in enumerate(heights):
        if not np.isfinite(column).all():
            continue
        bottom = 0.0
        for letter in np.argsort(column, kind="stable").tolist():
            height = float(column[letter])
            left = first + place - LETTER_WIDTH / 2
            outlines.append(_outline(LETTERS[letter], left, bottom, height))
            colours.append(COLOURS[LETTERS[letter]])
            bottom += height
    axes.add_collection(PathCollection(outlines, facecolors=colours, linewidths=0))


def _outline(letter: str, left: float, bottom: float, height: float) -> Outline:
    return _unit(letter).transformed(Affine2D().scale(LETTER_WIDTH, height).translate(left, bottom))


@cache
def _unit(letter: str) -> Outline:
    """A letter stretched over the unit square."""
    outline = TextPath((0, 0), letter, size=1, prop=FontProperties(family="DejaVu Sans", weight="bold"))
    box = outline.get_extents()
    return outline.transformed(Affine2D().translate(-box.x0, -box.y0).scale(1 / box.width, 1 / box.height))
