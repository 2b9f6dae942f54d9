"""Pictures of every single-base change: each of a short stretch, the strongest along long ones, and substitutions."""

from pathlib import Path

import numpy as np
from matplotlib.colors import TwoSlopeNorm
from numpy.typing import NDArray

from genolstm.figures.along import Bins, contig_rows, draw_steps, limit, longest, n_bins, note_of_drawn
from genolstm.figures.axes import base_axis, end_axis_at
from genolstm.figures.style import BLUE, Picture, fitting, new_figure
from genolstm.figures.text import shortened
from genolstm.store.variants import LETTERS, SLAB, VariantsFile, open_variants, snv_summary

DIVERGING = "PuOr"
MOST_BASES, ROW_BASES = 600, 100  # of a stretch whose every change is drawn, and of one row of it
ROW_WIDTH = 9.0  # inches
ROW_INCHES = 0.95


def pictures_of(path: Path) -> list[Picture]:
    """Every change of the first stretch where that is short, the strongest along all, and means of substitutions."""
    with open_variants(path) as file:
        stretches = file.stretches
        if not stretches.bases:
            return []
        first = int((stretches.end - stretches.start)[0])
        drawn = [_every(file, first)] if first <= MOST_BASES else []
        return [*drawn, _along(file), _substitutions(file)]


def _every(file: VariantsFile, bases: int) -> Picture:
    stretches = file.stretches
    start = int(stretches.start[0])
    contig = shortened(stretches.contigs[stretches.contig[0]], 40)
    ratio = file.ratio(0, bases).mean(axis=1)  # [bases, letters]
    codes = file.reference(0, bases)
    largest = float(np.nanmax(np.abs(ratio), initial=0)) or 1.0
    across = fitting(ROW_BASES, ROW_WIDTH)
    rows = -(-bases // across)
    figure = new_figure(ROW_WIDTH, ROW_INCHES * rows + 0.6)
    grid = figure.subplots(rows, 1, squeeze=False)[:, 0]
    for row, axes in enumerate(grid):
        low, high = row * across, min((row + 1) * across, bases)
        image = axes.imshow(
            ratio[low:high].T, cmap=DIVERGING, norm=TwoSlopeNorm(0, -largest, largest), aspect="auto",
            extent=(start + low + 0.5, start + high + 0.5, len(LETTERS) - 0.5, -0.5), interpolation="none",
        )  # fmt: skip
        axes.set_xlim(start + low + 0.5, start + low + across + 0.5)
        axes.set_yticks(range(len(LETTERS)), LETTERS)
        axes.tick_params(length=0, labelsize=7)
        base_axis(axes)
        end_axis_at(axes, start + high + 0.5)
        for place in range(low, high):
            if codes[place] < len(LETTERS):
                axes.text(start + place + 1, int(codes[place]), LETTERS[codes[place]], ha="center", va="center", size=6)
    grid[-1].set_xlabel(f"position in {contig} (bp)")
    figure.colorbar(image, ax=list(grid), label="bits", fraction=0.02, pad=0.01)
    known = int(np.isfinite(ratio).sum())
    return Picture(
        "every-change",
        f"{known:,} single-base changes of {contig}:{start + 1:,}-{start + bases:,}",
        f"Log-likelihood ratio of every change (rows: the new base) over the base and {file.window} bases after it,"
        " mean of both strands; orange: less likely than the genome's own base, whose letter is shown.",
        f"Heat map of {known:,} log-likelihood ratios by place and new base.",
        figure,
    )


def _along(file: VariantsFile) -> Picture:
    stretches = file.stretches
    spans = stretches.end - stretches.start
    first = np.cumsum(spans) - spans
    rows = longest(enumerate(spans.tolist()))
    names = [shortened(stretches.contigs[stretches.contig[row]], 40) for row in rows]
    figure, grid = contig_rows(names, int(stretches.end[rows].max()), "bits")
    widest, drawn = int(spans[rows].max()), []
    for axes, row in zip(grid, rows, strict=True):
        start, end, place = int(stretches.start[row]), int(stretches.end[row]), int(first[row])
        bins = Bins(start, end, n_bins(end - start, widest))
        for slab in range(start, end, SLAB):
            stop = min(slab + SLAB, end)
            bins.add(np.arange(slab, stop), _lowest(file, place + slab - start, place + stop - start))
        drawn.append(bins.binned())
        draw_steps(axes, drawn[-1], BLUE)
        axes.set_xlim(int(stretches.start[rows].min()), int(stretches.end[rows].max()))
    beyond = limit(grid, drawn)
    return Picture(
        "strongest-along",
        "the most unlikely change of each base, along contigs",
        "Lowest log-likelihood ratio of the three changes of each base, mean of both strands, in bins of about"
        f" {widest / n_bins(widest, widest):,.0f} bp; n = {stretches.bases:,} bases."
        + note_of_drawn(len(rows), len(spans))
        + beyond,
        f"Steps of the lowest ratio along {len(rows)} stretches.",
        figure,
    )


def _lowest(file: VariantsFile, first: int, end: int) -> NDArray[np.float64]:
    """Lowest mean ratio of the changes of each base; NaN where it has none."""
    ratio = file.ratio(first, end).mean(axis=1)
    lowest: NDArray[np.float64] = np.where(np.isfinite(ratio), ratio, np.inf).min(axis=1)
    return np.where(np.isfinite(lowest), lowest, np.nan)


def _substitutions(file: VariantsFile) -> Picture:
    found = snv_summary(file)
    figure = new_figure(4.4, 3.4)
    axes = figure.subplots()
    largest = float(np.nanmax(np.abs(found.mean), initial=0)) or 1.0
    image = axes.imshow(found.mean, cmap=DIVERGING, norm=TwoSlopeNorm(0, -largest, largest))
    for old, new in zip(*np.nonzero(found.changes), strict=True):
        axes.text(new, old, f"{found.mean[old, new]:+.2f}", ha="center", va="center", fontsize=8)
    axes.set_xticks(range(len(LETTERS)), LETTERS)
    axes.set_yticks(range(len(LETTERS)), LETTERS)
    axes.set(xlabel="becomes", ylabel="base")
    axes.tick_params(length=0)
    figure.colorbar(image, ax=axes, label="bits")
    total = int(found.changes.sum())
    return Picture(
        "substitutions",
        "mean log-likelihood ratio of each substitution",
        f"Means over {total:,} changes, both strands; orange: less likely than the genome's own base.",
        "Heat map of mean ratios, old base by new base.",
        figure,
    )
