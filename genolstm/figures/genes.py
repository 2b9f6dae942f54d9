"""The panel of genes that stands beside every picture of a region."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from genolstm.figures.style import BLUE, GREY, ORANGE, SKY
from genolstm.store.dependencies import Feature

HEIGHTS = {"intron": 0.08, "noncoding exon": 0.4, "UTR": 0.4, "CDS": 0.8}  # what is drawn last lies on top
COLOURS = {"CDS": BLUE, "UTR": SKY, "noncoding exon": ORANGE, "intron": GREY}


def draw_genes(
    axes: Axes, features: Sequence[Feature], start: float, end: float, *, along_x: bool = True, shift: float = 0.0
) -> None:
    """Draw pieces of genes as boxes, those of the forward strand above (or right of) those of the reverse one.

    start, end : limits of the axis.   shift : added to 0-based places.   along_x : else from the top down.
    """
    for kind, height in HEIGHTS.items():
        for row in features:
            if row.kind == kind:
                across = row.strand / 2 - height / 2
                low, long = row.start + shift, row.end - row.start
                box = ((low, across), long, height) if along_x else ((across, low), height, long)
                axes.add_patch(Rectangle(*box, color=COLOURS[kind], linewidth=0))
    (axes.set_xlim if along_x else axes.set_ylim)(*((start, end) if along_x else (end, start)))
    (axes.set_ylim if along_x else axes.set_xlim)(-1, 1)


def gene_handles(features: Sequence[Feature], start: int, end: int) -> list[Patch]:
    """Legend of the kinds that can be seen in [start, end): an exon that is all coding shows no UTR."""
    order = list(HEIGHTS)
    seen: set[int] = set()
    for strand in (1, -1):
        top = np.full(end - start, -1)
        for row in sorted((row for row in features if row.strand == strand), key=lambda row: order.index(row.kind)):
            top[max(row.start - start, 0) : max(row.end - start, 0)] = order.index(row.kind)
        seen |= set(np.unique(top).tolist())
    return [Patch(color=colour, label=kind) for kind, colour in COLOURS.items() if order.index(kind) in seen]
