"""Standardised weights of a probe, feature by feature: which states carry its information."""

from collections.abc import Iterable, Iterator

import numpy as np

from genolstm.figures.feature_sets import TRAINED, called, colours_of
from genolstm.figures.style import BLUE, GREY, WIDE_INCHES, Picture, in_a_row, legend_below, widest
from genolstm.figures.text import shortened
from genolstm.settings.site_reading import N_PASSES, SiteReading
from genolstm.store.results import ProbeResult

HALF = 0.5
LETTERS_ACROSS = 70, 58  # of the labels above the bars, in a wide and in a narrow figure
MOST_BARS = 4_000  # drawn as lines


def weights(result: ProbeResult) -> Picture:
    """Draw the weight of every feature of the trained states, and how few hold most of the squared weight."""
    figure, (left, right) = in_a_row(9.0, 3.6, (3, 2), stacked=5.6)
    trained = np.asarray(result.features[TRAINED].coefficients, dtype=np.float64)
    flat = np.sqrt((trained**2).sum(axis=1)) if trained.ndim > 1 else trained
    places = np.repeat(np.arange(len(flat), dtype=np.float64), 3)
    bars = np.stack([np.zeros(len(flat)), flat, np.full(len(flat), np.nan)], axis=1).ravel()
    # one line for all bars, as an image where they are many: an SVG of single bars would be megabytes
    left.plot(places, bars, color=BLUE, linewidth=0.5, rasterized=len(flat) > MOST_BARS)
    left.set(xlabel="feature of the trained states", ylabel="standardised weight", xlim=(-1, len(flat)))
    blocks = _blocks(result, len(flat))
    for place, _ in blocks:
        left.axvline(place, color=GREY, linewidth=0.6, linestyle=":")
    for place, label in _with_room(blocks, len(flat)):
        left.text(place, 1.01, f" {label}", transform=left.get_xaxis_transform(), fontsize=7, color="0.3")
    styles = colours_of(result.features)
    for name, features in reversed(list(result.features.items())):
        if name != TRAINED and not name.startswith("untrained"):
            continue
        squared = np.sort(
            np.asarray(features.coefficients, dtype=np.float64).reshape(len(features.coefficients), -1) ** 2, axis=None
        )[::-1]
        held = np.cumsum(squared) / max(float(squared.sum()), np.finfo(float).tiny)
        right.plot(
            np.linspace(0, 1, len(held) + 1),
            [0.0, *held],
            color=styles[name][0],
            linestyle=styles[name][1],
            label=called(name),
        )
    right.set(
        xlabel="fraction of features, heaviest first", ylabel="fraction of squared weight", xlim=(0, 1), ylim=(0, 1.02)
    )
    handles, labels = right.get_legend_handles_labels()
    legend_below(figure, handles[::-1], labels[::-1])
    squared = np.sort(flat**2)[::-1]
    few = int(np.searchsorted(np.cumsum(squared), HALF * squared.sum()) + 1)
    order = "; in this order: " + ", ".join(label for _, label in blocks) if blocks else ""
    return Picture(
        f"{result.target}-weights",
        f"{shortened(result.target)}: {few:,} of {len(flat):,} features hold half of the squared weight",
        f"First: weight of each standardised feature of the trained states (n = {len(flat):,}){order}. Then:"
        " fraction of the squared weight that the heaviest features hold, beside random-init models. Correlated"
        " features divide their weight: a small weight does not mean that a unit carries no information.",
        f"Bars of the weights, and curves of their concentration: {few} of {len(flat)} features hold half.",
        figure,
    )


def _with_room(blocks: Iterable[tuple[float, str]], features: int) -> Iterator[tuple[float, str]]:
    """Labels that do not run into the one before or over the end; the caption has the order of all."""
    free, across = -np.inf, LETTERS_ACROSS[widest() < WIDE_INCHES]
    for place, label in blocks:
        end = place + (len(label) + 1) * features / across
        if place >= free and end <= features:
            yield place, label
            free = end


def _blocks(result: ProbeResult, features: int) -> list[tuple[float, str]]:
    """Where the states at each offset and of each pool begin, and their labels; empty where that is not known."""
    reading = SiteReading(result.offsets, result.pools)
    if len(result.offsets) < 2 or features % reading.n_blocks:
        return []
    width = features // reading.n_blocks
    at_offsets = [(N_PASSES * row * width - 0.5, f"{offset:+d}") for row, offset in enumerate(result.offsets)]
    first = N_PASSES * len(result.offsets)
    return [*at_offsets, *((row * width - 0.5, str(pool)) for row, pool in enumerate(result.pools, start=first))]
