"""Pictures of the study of splice sites."""

import numpy as np

from genolstm.figures.style import BLUE, GREY, RED, WIDE_INCHES, Picture, legend_below, new_figure, widest
from genolstm.store.study import Study

DINUCLEOTIDE = {"donor": "GT", "acceptor": "AG"}


def boundary(study: Study) -> list[Picture]:
    """Bits by offset around true and matched sites, a row a genome."""
    table = study.tables["profile"]
    names, kinds = np.array(table["genome"].values), np.array(table["kind"].values)
    genomes = list(dict.fromkeys(table["genome"].values))
    across = 2 if widest() >= WIDE_INCHES else 1
    down = 2 * len(genomes) // across
    figure = new_figure(7.4, 1.4 + 2.4 * down)
    grid = figure.subplots(down, across, squeeze=False, sharex=True)
    for row, genome in zip(grid.reshape(len(genomes), 2), genomes, strict=True):
        for axes, kind in zip(row, DINUCLEOTIDE, strict=True):
            here = (names == genome) & (kinds == kind)
            offset, true, matched, low, high = (
                np.asarray(table[each].values)[here] for each in ("offset", "true", "matched", "low", "high")
            )
            axes.axvspan(-0.5, 1.5, color="0.92", linewidth=0)
            axes.plot(offset, matched, color=GREY, label=f"other {DINUCLEOTIDE[kind]}, matched")
            axes.plot(offset, true, color=BLUE if kind == "donor" else RED, label=f"true {kind}")
            axes.fill_between(offset, matched + low, matched + high, alpha=0.2, linewidth=0, color="0.5")
            axes.set_title(f"{genome}: {kind}, {int(np.asarray(table['sites'].values)[here][0]):,} sites")
            axes.set_ylim(0, None)
            axes.set_ylabel("bits")
            axes.label_outer()
    for axes in grid[-1]:
        axes.set_xlabel("bases from the dinucleotide, as read")
    legend_below(figure)
    return [
        Picture(
            "boundary",
            "Is the boundary foreseen?",
            f"Mean bits of each base around true splice sites and around {study.setting['matches']} other places each,"
            " of the same dinucleotide, context and GC on the same strand. Band: 95 % interval of the difference.",
            study.conclusion,
            figure,
        )
    ]
