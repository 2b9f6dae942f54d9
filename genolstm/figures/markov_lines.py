"""Markov baselines of bits/base, and the picture of them by order."""

from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator

from genolstm.figures.style import BLACK, BLUE, GREY, ORANGE, PURPLE, SKY, Picture, legend_below, new_figure
from genolstm.store.checkpoint import PartBits

Line = tuple[float, str, str, str]  # bits/base, what it is, colour, dashes
TITLE_ORDER = ("test", "scored", "valid", "train")  # the part whose numbers the title gives: the first there is
PART_COLOURS = (BLUE, ORANGE, PURPLE, SKY)


def markov_lines(part: PartBits) -> list[Line]:
    """Uniform, best order-k and interpolated Markov on one part of the genome."""
    return [
        (part.uniform, f"uniform: {part.uniform:.3f}", GREY, ":"),
        (part.best_bits, f"Markov, order {part.best_order}: {part.best_bits:.3f}", GREY, "--"),
        (part.interpolated, f"interpolated Markov: {part.interpolated:.3f}", BLACK, "-."),
    ]


def by_order(parts: Sequence[PartBits], counted_on: str) -> Picture:
    """Draw bits/base by the order of a Markov model, with the model and the interpolated one as lines, per part."""
    figure = new_figure(6.8, 3.2)
    axes = figure.subplots()
    for colour, part in zip(PART_COLOURS, parts, strict=False):
        axes.plot(
            range(len(part.by_order)), part.by_order, color=colour, marker="o", markersize=3.5,
            label=f"{part.part}: Markov of order k",
        )  # fmt: skip
        axes.axhline(part.interpolated, color=colour, linestyle="-.", linewidth=1, label=f"{part.part}: interpolated")
        if np.isfinite(part.model):
            axes.axhline(part.model, color=colour, linewidth=2, label=f"{part.part}: model {part.model:.3f}")
    top = max(part.uniform for part in parts)
    lowest = min(min(part.best_bits, part.interpolated, part.model) for part in parts)
    # orders that the genome is too short to count score far above uniform: they run out of the picture
    axes.set_ylim(lowest - 0.1 * (top - lowest), top + 0.15 * (top - lowest))
    axes.set(xlabel="order k of the Markov model (preceding bases)", ylabel="bits/base")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_below(figure)
    first = min(parts, key=lambda part: TITLE_ORDER.index(part.part) if part.part in TITLE_ORDER else len(TITLE_ORDER))
    symbols = ", ".join(f"{part.part} n = {part.symbols:,}" for part in parts)
    return Picture(
        "markov",
        f"{first.part}: model {first.model:.3f} bits/base, best Markov {first.best_bits:.3f} (k = {first.best_order})",
        f"Bits per base of order-k Markov models counted on {counted_on}, of the interpolated one (dash-dot) and of the"
        f" model (thick line); known symbols of both strands: {symbols}. Uniform is {first.uniform:.2f}.",
        "Line plot of bits per base against Markov order; "
        + "; ".join(
            f"{part.part}: model {part.model:.3f}, best order {part.best_order} {part.best_bits:.3f},"
            f" interpolated {part.interpolated:.3f}"
            for part in parts
        )
        + ".",
        figure,
    )
