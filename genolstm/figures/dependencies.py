"""Pictures of dependencies: the map with the annotation along both axes, and the test of introns."""

from pathlib import Path

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from genolstm.figures.axes import base_axis, interval_rows
from genolstm.figures.genes import draw_genes, gene_handles
from genolstm.figures.style import BLUE, GREY, HEAT, RED, Picture, in_a_row, legend_below, new_figure
from genolstm.figures.text import plain, shortened
from genolstm.store.dependencies import DependenciesFile, open_dependencies

PIXELS = 900  # of a side of the map; more bases are drawn as the largest of some
FAINTEST = 0.005  # bits; what is less is drawn like it
NAMES = {"trained": "this model", "random_init": "random-init model"}


def pictures_of(path: Path) -> list[Picture]:
    """The map of the first stretch, and what donors and acceptors show; what the file lacks is left out."""
    with open_dependencies(path) as file:
        return [*([_map(file)] if file.has_map else []), *([_tests(file)] if file.rows("tests") else [])]


def _map(file: DependenciesFile) -> Picture:
    stretches = file.stretches
    start, end = int(stretches.start[0]), int(stretches.end[0])
    contig = shortened(stretches.contigs[stretches.contig[0]], 40)
    matrix = _matrix(file, end - start)
    figure = new_figure(7.4, 7.0)
    features = [row for row in file.rows("features") if row.contig == stretches.contig[0]]
    ratios = (1, 14) if features else (0.01, 14)
    grid = figure.subplots(2, 2, width_ratios=ratios, height_ratios=ratios)
    corner, above, beside, axes = grid.flat
    corner.axis("off")
    largest = max(float(np.nanmax(matrix, initial=0)), 2 * FAINTEST)
    image = axes.imshow(
        np.maximum(matrix, FAINTEST), cmap=HEAT, norm=LogNorm(FAINTEST, largest), extent=(start, end, end, start),
        interpolation="none", aspect="auto",
    )  # fmt: skip
    axes.set_xlabel(f"base whose prediction moves, {contig} (bp)")
    axes.set_ylabel("changed base (bp)")
    axes.yaxis.set_label_position("right")
    axes.yaxis.tick_right()
    base_axis(axes)
    axes.yaxis.set_major_formatter(axes.xaxis.get_major_formatter())
    for label in axes.get_xticklabels():
        label.set_rotation(30)
    for panel, along_x in ((above, True), (beside, False)):
        panel.axis("off")
        draw_genes(panel, features, start, end, along_x=along_x)
    blocks = [row for row in file.rows("blocks") if row.contig == stretches.contig[0]]
    for row in blocks:
        for x, y in ((row.other_start, row.start), (row.start, row.other_start)):
            side = row.end - row.start
            axes.add_patch(
                Rectangle((x - side, y - side), 3 * side, 3 * side, fill=False, edgecolor=RED, linewidth=0.7)
            )
    figure.colorbar(image, ax=list(grid.flat), label="change of log2 odds (bits, log)", fraction=0.04, pad=0.02)
    if handles := gene_handles(features, start, end):
        legend_below(figure, handles, [str(handle.get_label()) for handle in handles])
    bases = -(-(end - start) // PIXELS)
    drawn = f" Each point is the largest of {bases} x {bases} pairs." if bases > 1 else ""
    ended = file.readings["ended_early"]
    place = f"{contig}:{start + 1:,}-{end:,}"
    return Picture(
        "map",
        f"dependencies within {file.window} bases in {place}",
        "Largest change of the log2 odds of any base (column) by any change of another (row): right of the diagonal by"
        f" the forward pass, left of it by the reverse complement's; white: further apart than {file.window} bases."
        f" Red: the {len(blocks)} blocks that stand out most from what their bases do elsewhere.{drawn}"
        f" n = {file.readings['read']:,} changes, {ended:,} of which ended early.",
        f"Heat map of dependencies between bases of {place}.",
        figure,
    )


def _matrix(file: DependenciesFile, n: int) -> NDArray[np.float64]:
    """D of the first stretch, the largest of each square of bases, [side, side]; NaN outside the window."""
    step = max(1, -(-n // PIXELS))
    side = -(-n // step)
    matrix = np.full((side, side), -np.inf)
    forward, reverse = file.values(0, 0, n), file.values(1, 0, n)
    for distance in range(1, min(file.window, n - 1) + 1):
        here = np.arange(n - distance)
        for rows, columns, values in (
            (here, here + distance, forward[: n - distance, distance - 1]),
            (here + distance, here, reverse[distance:, distance - 1]),
        ):
            known = np.isfinite(values)
            np.maximum.at(matrix, (rows[known] // step, columns[known] // step), values[known])
    return np.where(np.isfinite(matrix), matrix, np.nan)


def _tests(file: DependenciesFile) -> Picture:
    tests, introns = file.rows("tests"), file.rows("introns")
    figure, (left, right) = in_a_row(8.4, 3.0, (1, 1.2), stacked=5.2)
    drawn = [(row.value, row.matched) for row in introns if np.isfinite(row.matched)]
    values = np.array(drawn)
    left.plot(values[:, 1], values[:, 0], color=BLUE, marker="o", markersize=2, linestyle="none", alpha=0.6)
    largest = float(np.quantile(values, 0.99)) * 1.1
    left.add_line(Line2D([0, largest], [0, largest], color=GREY, linewidth=1, linestyle=":"))
    left.set(xlim=(0, largest), ylim=(0, largest), xlabel="matched GT..AG pairs (bits)", ylabel="introns (bits)")
    names = [plain(NAMES[row.model]) for row in tests]
    interval_rows(right, names, [(row.difference, row.low, row.high) for row in tests], zero=True)
    right.set_xlabel("introns less matched pairs (bits)")
    told = "; ".join(f"{NAMES[row.model]}: {row.verdict}" for row in tests)
    return Picture(
        "introns",
        f"donors and acceptors: {told}",
        f"Mean change of log2 odds between GT and AG, both directions, of n = {tests[0].introns:,} introns and the mean"
        f" of their matched pairs ({tests[0].pairs:,} in all, same strand and distance). First: each intron by this"
        " model (99 % of them); then: mean differences with 95 % intervals of a bootstrap over blocks of genome.",
        f"Scatter of introns against matched pairs, and intervals of their difference; {told}.",
        figure,
    )
