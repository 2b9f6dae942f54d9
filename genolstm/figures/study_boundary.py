"""Pictures of the study of splice sites."""

import numpy as np

from genolstm.figures.style import BLUE, GREY, RED, Picture, new_figure
from genolstm.store.study import Study

DINUCLEOTIDE = {"donor": "GT", "acceptor": "AG"}


def boundary(study: Study) -> list[Picture]:
    """Bits by offset around true and matched sites, a row a genome."""
    table = study.tables["profile"]
    names, kinds = np.array(table["genome"].values), np.array(table["kind"].values)
    genomes = list(dict.fromkeys(table["genome"].values))
    figure = new_figure(7.4, 0.8 + 2.4 * len(genomes))
    for row, genome in zip(figure.subplots(len(genomes), 2, squeeze=False, sharex=True), genomes, strict=True):
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
            axes.legend(fontsize=8, loc="lower left")
            axes.set_ylim(0, None)
        row[0].set_ylabel("bits")
    for axes in row:
        axes.set_xlabel("bases from the dinucleotide, as read")
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
