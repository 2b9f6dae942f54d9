"""Picture of motifs: their logos, and how much commoner they are around places of evidence."""

from collections.abc import Sequence

import numpy as np

from genolstm.figures.axes import interval_rows
from genolstm.figures.logo import HIGHEST, draw_logo, information
from genolstm.figures.style import Picture, new_figure
from genolstm.figures.text import shortened
from genolstm.writers.motifs import Motif

LOGO_INCHES = 0.85


def motif_picture(target: str, motifs: Sequence[Motif]) -> Picture:
    """Draw the motifs of one target, of which there is one at least."""
    rows = len(motifs)
    figure = new_figure(9.2, LOGO_INCHES * rows + 0.7)
    grid = figure.add_gridspec(rows, 2, width_ratios=(1, 0.75))
    widest = max(len(motif.counts) for motif in motifs)
    for row, motif in enumerate(motifs):
        axes = figure.add_subplot(grid[row, 0])
        draw_logo(axes, motif.probabilities * information(motif.probabilities)[:, None], 1)
        axes.set(xlim=(0.4, widest + 0.6), ylim=(0, HIGHEST), yticks=(0, 1, 2))
        first = 0 if motif.offset is None else motif.offset
        at = np.arange(0, len(motif.counts), 1 if widest <= 12 else 2)
        axes.set_xticks(at + 1, [f"{first + each:+d}" if motif.offset is not None else f"{each + 1}" for each in at])
        axes.tick_params(labelsize=7)
        axes.spines["bottom"].set_bounds(0.4, len(motif.counts) + 0.6)
        if row == rows - 1:
            axes.set_xlabel("base from the place, or of the motif where it lies anywhere")
    figure.supylabel("information (bits)", fontsize=9)
    beside = figure.add_subplot(grid[:, 1])
    names = [motif.name.removeprefix(f"{target}-") for motif in motifs]
    interval_rows(beside, names, [motif.enrichment for motif in motifs], zero=True)
    beside.set_xlabel("enrichment (log2)")
    told = ", ".join(motif.consensus for motif in motifs)
    first_motif = motifs[0]
    return Picture(
        target,
        f"{shortened(target)}: {told}",
        "Logos from sites of one half of the places, in reading direction; enrichment is log2 of the fraction with the"
        " motif around the places of the other half over that around places of like composition, with 95 % intervals of"
        f" a bootstrap over blocks of genome: n = {first_motif.seqlets:,} places, {first_motif.background:,} matched."
        " All are significant after Holm's correction.",
        f"Sequence logos of {rows} motifs: {told}.",
        figure,
    )
