"""Pictures of counts of modified reads, and of tracks of cuts or coverage."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.lines import Line2D

from genolstm.figures.along import Binned, Bins, contig_rows, draw_steps, limit, longest, n_bins, note_of_drawn
from genolstm.figures.axes import log_axis
from genolstm.figures.style import BLUE, HEAT, SKY, Picture, in_a_row, legend_below, new_figure
from genolstm.figures.text import plain, short, shortened
from genolstm.store.counts import read_calling, read_counts
from genolstm.store.track import SIGNAL, Track, open_track

FRACTION_BINS = 20
LIGHTEST = 0.75  # of the colour map: what is lighter is lost on white
DASHES: tuple[Literal["-", "--", "-.", ":"], ...] = ("-", "--", "-.", ":")
MOST_SAMPLES = 8  # drawn; more could not be distinguished
LAST_COUNT = 200  # histograms of coverage end here, or at the 99.5 % point


def counts_pictures(path: Path) -> list[Picture]:
    """Coverage and modified fraction by sample."""
    counts = read_counts(path)
    if not len(counts):
        return []
    figure, (left, right) = in_a_row(8.4, 3.4, (1, 1), stacked=5.6)
    samples = counts.samples[:MOST_SAMPLES]
    last = int(min(max(np.quantile(counts.covered, 0.995), 5), LAST_COUNT))
    edges = np.linspace(0, 1, FRACTION_BINS + 1)
    colours = colormaps[HEAT](np.linspace(0, LIGHTEST, len(samples)))  # samples are often a course in time
    labels = []
    for column, name in enumerate(samples):
        covered, modified = counts.covered[:, column], counts.modified[:, column]
        seen = covered > 0
        spread = np.bincount(np.minimum(covered, last), minlength=last + 1)
        style: dict[str, Any] = {"color": colours[column], "linewidth": 1.4, "linestyle": DASHES[column % len(DASHES)]}
        left.stairs(spread, np.arange(last + 2) - 0.5, **style)
        sites, _ = np.histogram(modified[seen] / covered[seen], edges)
        right.stairs(sites / max(int(seen.sum()), 1), edges, **style)
        reads = int(covered.sum(dtype=np.int64))
        fraction = f"{modified.sum(dtype=np.int64) / reads:.1%} modified" if reads else "no reads"
        labels.append(f"{plain(name)}: {short(reads)} reads, {fraction}")
    left.set(xlabel=f"reads that cover a site (last bin: {last} or more)", ylabel="sites")
    right.set(xlabel="modified fraction of a site's reads", ylabel="fraction of covered sites", xlim=(0, 1))
    handles = [Line2D([], [], color=colours[row], linestyle=DASHES[row % len(DASHES)]) for row in range(len(samples))]
    legend_below(figure, handles, labels)
    calling = read_calling(path)
    middle = ", ".join(f"{np.median(counts.covered[:, column]):g}" for column in range(len(samples)))
    return [Picture(
        "counts",
        f"{len(counts):,} sites, median coverage {middle}",
        f"Sites of the motif {calling.motif} (n = {len(counts):,}), code '{calling.code}'"
        + (f", calls from probability {calling.threshold:g} on" if calling.threshold is not None else "")
        + f". First: reads a site; then: modified fraction of sites with reads, in bins of {1 / FRACTION_BINS:g}."
        + (f" The first {len(samples)} of {len(counts.samples)} samples are drawn."
            if len(samples) < len(counts.samples)
            else ""),
        "Histograms of coverage and of modified fraction by sample: " + "; ".join(labels).replace(r"\$", "$") + ".",
        figure,
    )]  # fmt: skip


def track_pictures(path: Path, held_out: Collection[str] = ()) -> list[Picture]:
    """How often each count occurs, and the mean along contigs."""
    track = open_track(path)
    observed = [row for row in range(len(track.names)) if track.observed[row]]
    if not observed or not track.bases:
        return []
    # a signal has no counts whose number could be drawn
    return [*([_spectrum(track, observed)] if track.origin.assay != SIGNAL else []), _along(track, observed, held_out)]


def _spectrum(track: Track, observed: list[int]) -> Picture:
    spread: dict[int, int] = {}
    for row in observed:
        starts, ends, values = track.signal(track.names[row])
        known = np.isfinite(values)
        counts, place = np.unique(values[known].astype(np.int64), return_inverse=True)
        for count, bases in zip(
            counts.tolist(), np.bincount(place, (ends - starts)[known]).astype(np.int64).tolist(), strict=True
        ):
            spread[count] = spread.get(count, 0) + bases
    figure = new_figure(6.4, 3.4)
    axes = figure.subplots()
    above = np.array(sorted(count for count in spread if count > 0))
    axes.plot(above, [spread[count] for count in above.tolist()], color=BLUE, marker="o", markersize=3.5, linewidth=0.8)
    log_axis(axes, "x")
    log_axis(axes, "y")
    axes.set(xlabel=f"{track.unit} (log)", ylabel="bases with that count (log)")
    total = sum(spread.values())
    empty = spread.get(0, 0) / total
    what = "cuts" if track.origin.assay == "atac" else "aligned bases"
    return Picture(
        "spectrum",
        f"{track.bases:,} of {total:,} bases have a count above 0; the highest is {int(above[-1]):,}",
        f"How many bases have each count; n = {total:,} observed bases, {empty:.1%} of them with none (not drawn), and"
        f" {track.total:,.12g} {what} in all.",
        f"Falling line of bases against count; {empty:.1%} of bases have none.",
        figure,
    )


def _along(track: Track, observed: list[int], held_out: Collection[str]) -> Picture:
    rows = longest((row, int(track.lengths[row])) for row in observed)
    widest = int(track.lengths[rows].max())
    figure, grid = contig_rows(
        [track.names[row] for row in rows], widest, track.unit, held_out=[track.names[row] in held_out for row in rows]
    )
    drawn: list[Binned] = []
    for axes, row in zip(grid, rows, strict=True):
        starts, ends, values = track.signal(track.names[row])
        bins = Bins(0, int(track.lengths[row]), n_bins(int(track.lengths[row]), widest))
        # a run may cross the edge of a bin: it is cut there
        cuts = np.unique(np.concatenate([starts, bins.edges[:-1]]))
        run = np.searchsorted(starts, cuts, "right") - 1
        bins.add(cuts, values[run], np.append(cuts[1:], ends[-1]) - cuts)
        binned = bins.binned()
        axes.stairs(np.nan_to_num(binned.mean), binned.edges, fill=True, color=SKY)
        draw_steps(axes, binned, BLUE)
        drawn.append(binned)
    beyond = limit(grid, drawn, [0.0])
    grid[0].set_ylim(bottom=0)
    means = track.total / max(int(track.lengths[observed].sum()), 1)
    names = ", ".join(shortened(track.names[row]) for row in rows[:4])
    return Picture(
        "along",
        f"mean {means:.3g} {track.unit} over {len(observed)} contigs",
        f"Mean {track.unit} in bins of about {widest / n_bins(widest, widest):,.0f} bp along {names}"
        + (", ..." if len(rows) > 4 else "")
        + f"; n = {track.total:,.12g}. Contigs that the input lacks are not drawn."
        + note_of_drawn(len(rows), len(observed))
        + beyond,
        f"Steps of the signal along {len(rows)} contigs.",
        figure,
    )
