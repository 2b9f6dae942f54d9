"""Pictures of what recall gained: where along the contigs, and how few windows hold how much of it."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from genolstm.figures.along import binned_stretch, contig_rows, draw_steps, limit, longest, n_bins, note_of_drawn
from genolstm.figures.style import BLACK, BLUE, GREY, ORANGE, Picture, in_a_row
from genolstm.figures.text import shortened
from genolstm.regions import STRAND_NAMES
from genolstm.store.recall import BEST_WINDOWS, WINDOW_BP
from genolstm.store.score import SLAB, ScoreFile, ScoreTables

Floats = NDArray[np.float64]
COLOURS = (BLUE, ORANGE)


def recall_pictures(scores: ScoreFile, tables: ScoreTables) -> list[Picture]:
    """Gain along contigs, and over windows; nothing of a file without recall."""
    if not scores.recall_tracks or not tables.recall:
        return []
    mode = tables.recall[-1].mode  # the tracks are of the last one
    drawn = [_along(scores, mode)]
    gain, symbols = window_gains(scores)
    return [*drawn, _windows(gain, symbols, mode)] if len(gain) else drawn


def window_gains(scores: ScoreFile) -> tuple[Floats, NDArray[np.int64]]:
    """Bits gained in each window of 10 kb that recall has read, both strands, and its known bases: [n] each."""
    stretches = scores.stretches
    edges = np.append(0, np.cumsum([-(-length // WINDOW_BP) for length in scores.lengths.values()]))
    gain, symbols = np.zeros(int(edges[-1])), np.zeros(int(edges[-1]), dtype=np.int64)
    place = 0
    for contig, start, end, _ in stretches.rows:
        for low in range(start, end, SLAB):
            high = min(low + SLAB, end)
            window = int(edges[contig]) + np.arange(low, high) // WINDOW_BP
            for strand in range(scores.strands):
                values = scores.read_gain(strand, place, place + high - low).astype(np.float64)
                known = np.isfinite(values)
                np.add.at(gain, window[known], values[known])
                np.add.at(symbols, window[known], 1)
            place += high - low
    read = symbols > 0
    return gain[read], symbols[read]


def _along(scores: ScoreFile, mode: str) -> Picture:
    stretches = scores.stretches
    spans = stretches.end - stretches.start
    first = np.cumsum(spans) - spans
    rows = longest(enumerate(spans.tolist()))
    names = [shortened(stretches.contigs[stretches.contig[row]], 40) for row in rows]
    figure, grid = contig_rows(names, int(stretches.end[rows].max()), "bits/base gained")
    widest = int(spans[rows].max())
    drawn = []
    for axes, row in zip(grid, rows, strict=True):
        axes.axhline(0, color=BLACK, linewidth=0.6)
        start, end = int(stretches.start[row]), int(stretches.end[row])
        for strand in range(scores.strands):
            read = partial(scores.read_gain, strand)
            drawn.append(binned_stretch(read, start, end, int(first[row]), n_bins(end - start, widest), SLAB))
            draw_steps(axes, drawn[-1], COLOURS[strand])
    beyond = limit(grid, drawn)
    width = widest / n_bins(widest, widest)
    strands = ", ".join(
        f"{colour} {name}" for colour, name in zip(("blue", "orange"), STRAND_NAMES[: scores.strands], strict=False)
    )
    best = max((float(np.nanmax(each.mean)) for each in drawn if np.isfinite(each.mean).any()), default=0.0)
    return Picture(
        "recall-gain",
        f"bits gained by recall ({mode})",
        f"Bits per base by the network less those by the network with {mode} recall, mean of bins of about"
        f" {width:,.0f} bp ({strands} strand); gaps were trained on." + note_of_drawn(len(rows), len(spans)) + beyond,
        f"Steps of bits gained along {len(rows)} contigs; the best bin gains {best:.3f}.",
        figure,
    )


def _windows(gain: Floats, symbols: NDArray[np.int64], mode: str) -> Picture:
    figure, (left, right) = in_a_row(7.4, 3.4, (1, 1), stacked=5.6)
    share = 100 * np.arange(1, len(gain) + 1) / len(gain)
    total, sums = float(gain.sum()), np.cumsum(np.sort(gain)[::-1])
    marked = 100 * BEST_WINDOWS
    if total > 0:
        left.plot(share, 100 * sums / total, color=BLUE)
        left.plot([0, 100], [0, 100], color=GREY, linewidth=1, linestyle=":")
        left.set_ylabel("share of the whole gain, %")
    else:
        left.plot(share, sums, color=BLUE)
        left.set_ylabel("bits gained")
    left.axvline(marked, color=BLACK, linewidth=0.9, linestyle="-.")
    left.set(xlabel="share of windows, best first, %", xlim=(0, 100))
    each, median = np.sort(gain / symbols)[::-1], float(np.median(gain / symbols))
    right.plot(share, each, color=BLUE)
    right.axhline(0, color=BLACK, linewidth=0.6)
    right.axhline(median, color=ORANGE, linewidth=0.9, linestyle="-.")
    right.set(xlabel="share of windows, best first, %", ylabel="bits/base gained in the window", xlim=(0, 100))
    right.set_yscale("symlog", linthresh=0.01)
    best = max(1, round(BEST_WINDOWS * len(gain)))
    told = f"{100 * sums[best - 1] / total:.0f} % of the gain lies in the best {marked:.0f} % of windows"
    told = told if total > 0 else "there is no gain in all"
    return Picture(
        "recall-windows",
        f"the median window gains {median:.4f} bits/base; {told}",
        f"Windows of {WINDOW_BP // 1000} kb, both strands, n = {len(gain):,}, by what {mode} recall gains over the"
        f" network alone. First: gain of the best windows together; dotted: were it the same everywhere; dash-dotted:"
        f" {marked:.0f} % of windows. Then: each window (linear within 0.01, logarithmic beyond); dash-dotted: the"
        " median.",
        f"Curve of the cumulative gain over windows; {told}; the median window gains {median:.4f} bits/base.",
        figure,
    )
