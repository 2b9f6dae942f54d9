"""Picture of hidden states at sites: their first two principal components."""

from pathlib import Path

import numpy as np

from genolstm.figures.style import CYCLE, Picture, legend_below, new_figure
from genolstm.figures.text import plain
from genolstm.seeds import spawn
from genolstm.store.hidden import HiddenSample, read_hidden_sample

MOST_SITES = 4_000  # drawn at random, seeded: a picture of more would be one blot
MOST_NAMES = 6  # names of sites that get colours of their own
STRAND_LABELS = {1: "forward strand", -1: "reverse strand", 0: "no strand"}
FEWEST = 3  # sites that have two components
MARKS = ("o", "^", "s", "v", "D", "P")


def pictures_of(path: Path) -> list[Picture]:
    """Sites in the plane of the first two components, coloured by name where names are few, else by strand."""
    sample = read_hidden_sample(path, MOST_SITES, spawn(0, "picture of states"))
    states = sample.states.astype(np.float64)
    if len(states) < FEWEST or states.shape[1] < 2:
        return []
    centred = states - states.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    variance = singular**2 / max(float((singular**2).sum()), np.finfo(float).tiny)
    planes = left[:, :2] * singular[:2]
    planes *= np.where(planes[np.abs(planes).argmax(axis=0), [0, 1]] < 0, -1, 1)  # the sign of a component is free
    groups, what = _groups(sample)
    figure = new_figure(6.6, 4.4)
    axes = figure.subplots()
    for place, group in enumerate(dict.fromkeys(groups)):
        rows = [row for row, each in enumerate(groups) if each == group]
        axes.plot(
            planes[rows, 0], planes[rows, 1], color=CYCLE[place % len(CYCLE)], marker=MARKS[place % len(MARKS)],
            markersize=3, alpha=0.6, linestyle="none", markeredgewidth=0, label=f"{plain(group)} (n = {len(rows):,})",
            rasterized=True,
        )  # fmt: skip
    axes.set(xlabel=f"component 1 ({variance[0]:.1%} of variance)", ylabel=f"component 2 ({variance[1]:.1%})")
    legend_below(figure)
    return [Picture(
        "components",
        f"two components hold {variance[:2].sum():.0%} of the variance of the states",
        f"Hidden states of {len(states):,} sites"
        + (f", drawn at random (seeded) from {sample.sites:,}" if sample.sites > len(states) else "")
        + f", {states.shape[1]:,} features each, in the plane of their first two principal components (centred, not"
        f" scaled); coloured by {what}.",
        f"Scatter plot of sites by two principal components ({variance[0]:.1%} and {variance[1]:.1%} of variance).",
        figure,
    )]  # fmt: skip


def _groups(sample: HiddenSample) -> tuple[list[str], str]:
    names = set(sample.name)
    if 1 < len(names) <= MOST_NAMES:
        return list(sample.name), "name"
    return [STRAND_LABELS[int(strand)] for strand in sample.strand], "strand"
