"""Picture of motifs: their logos, and how much commoner they are around places of evidence."""

from collections.abc import Sequence

import numpy as np

from genolstm.figures.axes import interval_rows
from genolstm.figures.logo import HIGHEST, draw_logo, information
from genolstm.figures.style import Picture, in_a_row
from genolstm.figures.text import shortened
from genolstm.writers.motifs import Motif

LOGO_INCHES = 0.85


def motif_picture(target: str, motifs: Sequence[Motif]) -> Picture:
    """Draw the motifs of one target, of which there is one at least."""
    rows = len(motifs)
    height = LOGO_INCHES * rows + 0.7
    figure, (left, beside) = in_a_row(9.2, height, (1, 0.75), stacked=height + 0.3 * rows + 1.0)
    grid = left.get_subplotspec().subgridspec(rows, 1)  # type: ignore[union-attr]
    left.remove()
    widest = max(len(motif.counts) for motif in motifs)
    for row, motif in enumerate(motifs):
        axes = figure.add_subplot(grid[row])
        draw_logo(axes, motif.probabilities * information(motif.probabilities)[:, None], 1)
        axes.set(xlim=(0.4, widest + 0.6), ylim=(0, HIGHEST), yticks=(0, 1, 2))
        first = 0 if motif.offset is None else motif.offset
        at = np.arange(0, len(motif.counts), 1 if widest <= 12 else 2)
        axes.set_xticks(at + 1, [f"{first + each:+d}" if motif.offset is not None else f"{each + 1}" for each in at])
        axes.tick_params(labelsize=7)
        axes.spines["bottom"].set_bounds(0.4, len(motif.counts) + 0.6)
        if row == rows - 1:
            axes.set_xlabel("base (with a sign: from the place)")
        axes.set_ylabel("bits", fontsize=8)
    names = [motif.name.removeprefix(f"{target}-") for motif in motifs]
    interval_rows(beside, names, [motif.enrichment for motif in motifs], zero=True)
    beside.set_xlabel("enrichment (log2)")
    told = ", ".join(motif.consensus for motif in motifs)
    return Picture(
        target,
        f"{shortened(target)}: {told}",
        "Logos, in bits of information, from sites of one half of the places, in reading direction. Enrichment is log2"
        " of the fraction with the motif around the places of the other half over that around places of like"
        f" composition, with 95 % intervals of a bootstrap over blocks of genome: n = {motifs[0].seqlets:,} places,"
        f" {motifs[0].background:,} matched. All are significant after Holm's correction.",
        f"Sequence logos of {rows} motifs: {told}.",
        figure,
    )
