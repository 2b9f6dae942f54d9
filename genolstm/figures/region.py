"""One picture of a region: bits, probabilities, changes, gates, predictions and genes in panels of one x axis."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.figures.axes import base_axis
from genolstm.figures.genes import draw_genes, gene_handles
from genolstm.figures.logo import draw_logo, information
from genolstm.figures.style import BLUE, GREEN, ORANGE, PURPLE, RED, Picture, legend_below, new_figure
from genolstm.figures.text import plain, shortened
from genolstm.regions import STRAND_NAMES, Region, Stretches
from genolstm.store.dependencies import Feature
from genolstm.store.files import kind_of
from genolstm.store.gates import open_gates
from genolstm.store.prediction import read_prediction
from genolstm.store.schema import Kind
from genolstm.store.score import open_score
from genolstm.store.variants import open_variants

MOST_BASES = 20_000  # of a region: longer ones are pictures along contigs
MOST_LETTERS = 250  # of a logo
PANEL_INCHES, GENES_INCHES, REST_INCHES = 1.05, 0.55, 0.9
STRAND_COLOURS = (BLUE, ORANGE)
TARGET_COLOURS = (GREEN, RED, PURPLE)
Floats = NDArray[np.float64]


class Panel(NamedTuple):
    """One panel. label : of its y axis.   draw : draws into axes whose x is the place of a base, from 1.

    colours : name -> colour of its lines.   told : sentence of the caption.
    """

    label: str
    draw: Callable[[Axes], object]
    colours: dict[str, str]
    told: str


def region_picture(paths: Sequence[Path], region: Region, features: Sequence[Feature] = ()) -> Picture:
    """Draw what result files hold of a region; files without any of it are left out.

    features : pieces of genes.   Raises InputError for a region that is too long, or of which no file holds anything.
    """
    bases = region.end - region.start
    if bases > MOST_BASES:
        raise InputError(f"a region picture shows at most {MOST_BASES:,} bases, not {bases:,}; name a shorter region.")
    found = [(PANELS.index(drawer), panel) for path in paths for drawer in PANELS for panel in drawer(path, region)]
    panels = [panel for _, panel in sorted(found, key=lambda each: each[0])]
    place = f"{shortened(region.contig, 40)}:{region.start + 1:,}-{region.end:,}"
    if not panels:
        raise InputError(
            f"none of the results holds bits, changes, gates or predictions of {place}: name files of that region."
        )
    heights = [PANEL_INCHES] * len(panels) + ([GENES_INCHES] if features else [])
    figure = new_figure(9.0, sum(heights) + REST_INCHES)
    grid = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, panel in zip(grid, panels, strict=False):
        panel.draw(axes)
        axes.set_ylabel(panel.label, fontsize=8)
        axes.tick_params(labelsize=8)
    if features:
        draw_genes(grid[-1], features, region.start + 0.5, region.end + 0.5, shift=0.5)
        grid[-1].set_yticks((0.5, -0.5), ("+", "-"))
        grid[-1].set_ylabel("genes", fontsize=8)
        grid[-1].tick_params(axis="y", length=0)
    grid[-1].set_xlim(region.start + 0.5, region.end + 0.5)
    base_axis(grid[-1])
    grid[-1].set_xlabel(f"position in {shortened(region.contig, 40)} (bp)")
    colours = {name: colour for panel in panels for name, colour in panel.colours.items()}
    handles = [*(Line2D([], [], color=colour, label=plain(name)) for name, colour in colours.items()),
               *gene_handles(features, region.start, region.end)]  # fmt: skip
    legend_below(figure, handles, [str(handle.get_label()) for handle in handles])
    return Picture(
        "region",
        f"{place}: {', '.join(panel.label.split(' (')[0] for panel in panels)}{', genes' if features else ''}",
        " ".join(dict.fromkeys(panel.told for panel in panels)) + f" n = {bases:,} bases.",
        f"Panels of {place} with one x axis.",
        figure,
    )


def _values(
    stretches: Stretches, region: Region, read: Callable[[int, int], NDArray[np.floating]], width: tuple[int, ...] = ()
) -> Floats | None:
    """What is read of the bases of a region, [bases, *width], NaN where a file has none; None where it has none at all.

    read : of places [first, end) among the bases of all stretches.
    """
    values = np.full((region.end - region.start, *width), np.nan)
    first, there = 0, False
    for contig, start, end in zip(
        stretches.contig.tolist(), stretches.start.tolist(), stretches.end.tolist(), strict=True
    ):
        low, high = max(start, region.start), min(end, region.end)
        if stretches.contigs[contig] == region.contig and low < high:
            there = True
            values[low - region.start : high - region.start] = read(first + low - start, first + high - start)
        first += end - start
    return values if there else None


def _steps(values: Sequence[Floats], region: Region, colours: Sequence[str]) -> Callable[[Axes], None]:
    edges = np.arange(region.start, region.end + 1) + 0.5

    def draw(axes: Axes) -> None:
        for row, colour in zip(values, colours, strict=False):
            axes.stairs(row, edges, baseline=None, color=colour, linewidth=0.8, alpha=0.85)

    return draw


def _bits(path: Path, region: Region) -> list[Panel]:
    if kind_of(path) is not Kind.SCORE:
        return []
    with open_score(path) as file:
        rows = [
            _values(file.stretches, region, lambda first, end, strand=strand: file.read(strand, first, end))  # type: ignore[misc]
            for strand in range(file.strands)
        ]
    values = [row for row in rows if row is not None]
    told = "Bits: -log2 P of each base, by the strand that it is read on."
    return [Panel("bits/base", _steps(values, region, STRAND_COLOURS), _strands(len(values)), told)] if values else []


def _strands(number: int) -> dict[str, str]:
    return dict(zip((f"{name} strand" for name in STRAND_NAMES[:number]), STRAND_COLOURS, strict=False))


def _logo(path: Path, region: Region) -> list[Panel]:
    if kind_of(path) is not Kind.SCORE or region.end - region.start > MOST_LETTERS:
        return []
    with open_score(path) as file:
        held = file.probabilities
        found = None if held is None else _values(file.stretches, region, held.mean, (4,))
    if found is None:
        return []
    heights = found * information(found)[:, None]

    def draw(axes: Axes) -> None:
        draw_logo(axes, heights, region.start + 1)
        axes.set_ylim(0, float(np.nanmax(heights.sum(axis=1), initial=0.1)) * 1.05)

    told = "Information: 2 bits less the entropy of the probabilities, mean of both strands."
    return [Panel("information (bits)", draw, {}, told)]


def _changes(path: Path, region: Region) -> list[Panel]:
    if kind_of(path) is not Kind.VARIANTS:
        return []
    with open_variants(path) as file:
        found = _values(file.stretches, region, lambda first, end: file.ratio(first, end).mean(axis=1), (4,))
    if found is None:
        return []
    lowest = np.where(np.isfinite(found), found, np.inf).min(axis=1)
    lowest[~np.isfinite(lowest)] = np.nan
    told = "Ratio: of the most unlikely change of each base, mean of both strands."
    return [Panel("ratio (bits)", _steps([lowest], region, [PURPLE]), {"most unlikely change": PURPLE}, told)]


def _gates(path: Path, region: Region) -> list[Panel]:
    if kind_of(path) is not Kind.GATES:
        return []
    with open_gates(path) as file:
        name = "forget" if "forget" in file.names else "novelty"
        lines: list[list[tuple[NDArray[np.int64], Floats]]] = []
        counts = np.diff([*file.first, file.samples])
        for strand in range(file.strands):
            lines.append([])
            for row, contig in enumerate(file.contig.tolist()):
                place = file.first_position[row] + np.arange(counts[row]) * file.every
                low, high = np.searchsorted(place, [region.start, region.end]).tolist()
                if file.contigs[contig] == region.contig and low < high:
                    begin = int(file.first[row])
                    values = file.track(name, strand, file.layers - 1, begin + low, begin + high)
                    lines[-1].append((place[low:high], values.astype(np.float64)))
        every = file.every
    if not any(lines):
        return []

    def draw(axes: Axes) -> None:
        for pieces, colour in zip(lines, STRAND_COLOURS, strict=False):
            for place, values in pieces:
                axes.plot(place + 1, values, color=colour, linewidth=0.8, alpha=0.85)

    told = f"Gate: mean over the units of the last layer, a sample every {every:,} bp."
    label = "forget gate (mean)" if name == "forget" else "novelty"
    return [Panel(label, draw, _strands(len(lines)), told)]


def _predictions(path: Path, region: Region) -> list[Panel]:
    if kind_of(path) is not Kind.PREDICTION:
        return []
    found = read_prediction(path)
    panels: dict[str, tuple[NDArray[np.int64], Floats]] = {}
    for target in found.targets:
        parts: list[tuple[NDArray[np.int64], Floats]] = []
        for rows in target.rows():
            here = (np.array(found.contigs)[rows.contig] == region.contig) & (rows.position >= region.start)
            here &= rows.position + target.width <= region.end
            shown = rows.value if rows.probability is None else rows.probability
            highest = shown if shown.ndim == 1 else shown[:, 1:].max(axis=1)
            signs = np.where(rows.strand < 0, -1, 1)
            parts.append(((rows.position + (target.width + 1) // 2)[here], (highest * signs)[here]))
        if sum(len(place) for place, _ in parts):
            places, values = zip(*parts, strict=True)
            panels[target.name] = np.concatenate(places), np.concatenate(values)
    if not panels:
        return []
    colours = dict(zip(panels, TARGET_COLOURS * len(panels), strict=False))

    def draw(axes: Axes) -> None:
        axes.axhline(0, color="0.7", linewidth=0.6)
        for name, (place, value) in panels.items():
            axes.vlines(place, 0, value, color=colours[name], linewidth=1.2)

    told = "Prediction: probability (or value) of each candidate; of the reverse strand below 0."
    return [Panel("prediction", draw, colours, told)]


PANELS: tuple[Callable[[Path, Region], list[Panel]], ...] = (_bits, _logo, _changes, _gates, _predictions)
