"""Pictures of a methylation fit: courses of single sites, rates and half-lives of all, scores on held-out reads."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from genolstm.figures.along import Binned, Bins, contig_rows, draw_steps, longest, n_bins, note_of_drawn
from genolstm.figures.axes import ROW_INCHES, binomial_interval, interval_rows, log_axis
from genolstm.figures.style import (
    BLACK,
    BLUE,
    GREY,
    HEAT,
    ORANGE,
    SKY,
    Picture,
    in_a_row,
    legend_below,
    new_figure,
    widest,
)
from genolstm.figures.text import plain
from genolstm.methylation.kinetic_form import Course, course_of
from genolstm.store.methylation import HeldOutScore, MethylationFit, read_methylation

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

SITES_SHOWN, SITES_ACROSS, PANEL_INCHES = 12, 4, 2.3
BINS, CELLS, POINTS = 40, 45, 120  # of a histogram; hexagons across; points of a curve
OPEN_RATE = ("rate_unidentifiable", "rate_open_above", "rate_open_below", "rate_at_low_bound", "rate_at_high_bound")
NO_FIT = ("no_reads",)
SINGLE = Course()
ALL_SITES = "all"  # of held-out scores, beside groups of sites by their reads
UNIT_SHORT = {"hours": "h", "divisions": "divisions"}
EMPTY: dict[str, Any] = {"fontsize": 9, "color": "0.4", "ha": "center", "va": "center"}


def pictures_of(path: Path, held_out: Collection[str] = ()) -> list[Picture]:
    """Courses of some sites, distributions, the map of rates, held-out scores; what is lacking is left out."""
    fit = read_methylation(path)
    drawn = []
    if np.isfinite(fit.rate).any():
        drawn += [_trajectories(fit), _distributions(fit), _rates_and_fractions(fit), _map(fit, held_out)]
    if any(score.what == ALL_SITES and score.model != score.against for score in fit.held_out):
        # a whole time that was held out is what a model of a process is judged on, and leads
        drawn.insert(0 if fit.held_out[0].hold_out.startswith("time:") else len(drawn), _held_out(fit.held_out))
    return drawn


def flagged(fit: MethylationFit, names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Sites with any of these flags; bool [N]."""
    bits = sum(fit.flag_names.get(name, 0) for name in names)
    return (fit.flags.astype(np.int64) & bits) > 0


def shown_sites(fit: MethylationFit) -> Rows:
    """Rows of sites spread evenly over the quantiles of k, among the better-covered half of those whose k is closed."""
    known = np.isfinite(fit.rate)
    candidates = np.flatnonzero(known & ~flagged(fit, OPEN_RATE))
    if not candidates.size:
        candidates = np.flatnonzero(known)
    reads = fit.reads[candidates]
    candidates = candidates[reads >= np.median(reads)]
    ranked = candidates[np.lexsort((candidates, fit.rate[candidates]))]
    places = (np.arange(SITES_SHOWN) + 0.5) / SITES_SHOWN * len(ranked)
    return ranked[np.unique(places.astype(np.intp))]


def course(rate: Floats, steady: Floats, start: Floats, times: Floats, form: Course = SINGLE) -> Floats:
    """Fraction at some times, m(t) = g + (m0 - g) S(t); broadcast."""
    return np.asarray(steady + (start - steady) * form.missing(rate, times))


def _trajectories(fit: MethylationFit) -> Picture:
    rows = shown_sites(fit)
    across = min(SITES_ACROSS, len(rows), max(1, int(widest() / PANEL_INCHES)))
    down = -(-len(rows) // across)
    figure = new_figure(PANEL_INCHES * across + 0.4, 1.75 * down + 0.8)
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    times = np.linspace(0, float(fit.elapsed.max()) * 1.03, POINTS)
    unit, form = UNIT_SHORT.get(fit.unit, fit.unit), course_of(fit)
    for axes, row in zip(grid.ravel(), rows.tolist(), strict=False):
        ends = [
            course(np.array(rate[row]), np.array(steady[row]), np.array(fit.start[row]), times, form)
            for rate, steady in (
                (fit.rate_low, fit.steady),
                (fit.rate_high, fit.steady),
                (fit.rate, fit.steady_low),
                (fit.rate, fit.steady_high),
            )
        ]
        best = course(fit.rate[row], fit.steady[row], fit.start[row], times, form)
        with np.errstate(invalid="ignore"):
            axes.fill_between(
                times, np.fmin.reduce([*ends, best]), np.fmax.reduce([*ends, best]), color=SKY, alpha=0.4, linewidth=0
            )
        axes.plot(times, best, color=BLUE)
        covered = fit.covered[row]
        seen = covered > 0
        fraction = fit.modified[row][seen] / covered[seen]
        low, high = binomial_interval(fraction, covered[seen])
        axes.vlines(fit.elapsed[seen], low, high, color=BLACK, linewidth=1)
        axes.plot(fit.elapsed[seen], fraction, color=BLACK, marker="o", markersize=3.5, linestyle="none")
        contig = plain(fit.contigs[fit.contig[row]], 14)
        axes.set_title(
            f"{contig}:{fit.position[row] + 1:,}\nk {fit.rate[row]:.3g}/{unit.rstrip('s')}, n = {fit.reads[row]:,}",
            fontsize=8,
        )
    for axes in grid.ravel()[len(rows) :]:
        axes.set_visible(False)
    grid[0, 0].set_ylim(-0.03, 1.03)
    for column in range(across):
        grid[(len(rows) - 1 - column) // across, column].set_xlabel(f"age ({fit.unit})")
    figure.supylabel("methylated fraction", fontsize=9)
    handles = [
        Line2D([], [], color=BLUE),
        Patch(color=SKY, alpha=0.4),
        Line2D([], [], color=BLACK, marker="o", markersize=3.5, linewidth=1),
    ]
    labels = ["fit", "at the ends of the intervals of k and g", "reads, binomial 95 % interval"]
    legend_below(figure, handles, labels)
    closed = np.isfinite(fit.rate) & ~flagged(fit, OPEN_RATE)
    return Picture(
        "trajectories",
        f"courses of {len(rows)} CpGs, from the slowest to the fastest",
        f"Methylated fraction against age at {len(rows)} sites, spread evenly over the quantiles of k among the"
        f" better-covered half of the sites whose interval of k is closed (n = {int(closed.sum()):,} of"
        f" {len(fit):,}); n over each panel: its reads."
        " Points: fraction of modified reads, with binomial 95 % intervals (Wilson). Band: the curve with k or"
        " g at an end of its own interval, the other as fitted.",
        f"Small panels, each a curve of methylation against age through the modified fractions of one site; rates"
        f" from {fit.rate[rows].min():.3g} to {fit.rate[rows].max():.3g} per {fit.unit.removesuffix('s')}.",
        figure,
    )


def _distributions(fit: MethylationFit) -> Picture:
    figure, grid = in_a_row(9.2, 3.1, (1, 1, 1), stacked=6.2)
    known = np.isfinite(fit.rate)
    vague = flagged(fit, OPEN_RATE) & known
    unit = fit.unit.removesuffix("s")
    for axes, values, label in (
        (grid[0], fit.rate, f"k, rate (1/{unit}, log)"),
        (grid[1], fit.half_life, f"half-life ({fit.unit}, log)"),
    ):
        positive = values[known & (values > 0) & np.isfinite(values)]
        edges = np.geomspace(positive.min(), max(positive.max(), positive.min() * 1.01), BINS + 1)
        sure, _ = np.histogram(values[known & ~vague], edges)
        unsure, _ = np.histogram(values[vague], edges)
        axes.stairs(sure + unsure, edges, baseline=sure, fill=True, color=GREY, alpha=0.5)
        axes.stairs(sure, edges, fill=True, color=BLUE)
        log_axis(axes, "x")
        axes.set(xlabel=label, ylabel="sites")
    steady = fit.steady[known]
    edges = np.linspace(0, 1, BINS + 1)
    sure, _ = np.histogram(fit.steady[known & ~vague], edges)
    every, _ = np.histogram(steady, edges)
    grid[2].stairs(every, edges, baseline=sure, fill=True, color=GREY, alpha=0.5)
    grid[2].stairs(sure, edges, fill=True, color=BLUE)
    grid[2].set(xlabel="g, steady fraction", ylabel="sites")
    vague_part = float(vague.sum() / known.sum())
    legend_below(
        figure,
        [Patch(color=BLUE), Patch(color=GREY, alpha=0.5)],
        [f"interval of k closed ({1 - vague_part:.0%})", f"k open to one side or at its bound ({vague_part:.0%})"],
    )
    counts = ", ".join(
        f"{name.replace('_', ' ')} {int(((fit.flags.astype(np.int64) & bit) > 0).sum()):,}"
        for name, bit in fit.flag_names.items()
    )
    n_identifiable, middle = int(fit.identifiable.sum()), fit.median_half_life
    median = (
        f"median half-life {middle:.3g} {fit.unit} over {n_identifiable:,} identifiable of {int(known.sum()):,} sites"
        if n_identifiable
        else f"no identifiable half-life among {int(known.sum()):,} sites"
    )
    return Picture(
        "distributions",
        f"{median}; k is open at {vague_part:.0%} of the fitted sites",
        f"Rate, half-life and steady fraction of {int(known.sum()):,} fitted sites of {len(fit):,};"
        f" model '{fit.model}'. Flags, n: {counts}.",
        f"Histograms of rate, half-life and steady fraction; {median}, {vague_part:.0%} of sites with an open rate.",
        figure,
    )


def _rates_and_fractions(fit: MethylationFit) -> Picture:
    figure = new_figure(5.4, 4.0)
    axes = figure.subplots()
    closed = np.isfinite(fit.rate) & (fit.rate > 0) & ~flagged(fit, OPEN_RATE)
    if closed.any():
        drawn = axes.hexbin(
            np.log10(fit.rate[closed]),
            fit.steady[closed],
            gridsize=CELLS,
            bins="log",
            mincnt=1,
            cmap=HEAT,
            linewidths=0.1,
        )
        bar = figure.colorbar(drawn, ax=axes, label="sites in a cell")
        bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        places = [f * 10.0**decade for decade in range(-6, 4) for f in (1, 2, 5)]
        shown = [place for place in places if fit.rate[closed].min() <= place <= fit.rate[closed].max()]
        axes.set_xticks(np.log10(shown), [f"{place:g}" for place in shown])
    else:
        axes.text(0.5, 0.5, "no site with a closed interval of k", transform=axes.transAxes, **EMPTY)
    axes.set(xlabel=f"k, rate (1/{fit.unit.removesuffix('s')}, log)", ylabel="g, steady fraction", ylim=(-0.03, 1.03))
    n = int(closed.sum())
    middle = (
        f"median k {np.median(fit.rate[closed]):.3g}, median g {np.median(fit.steady[closed]):.2f}"
        if n
        else "none to draw"
    )
    return Picture(
        "rate-fraction",
        f"{middle}, at sites whose k is closed",
        f"Steady fraction against rate of the {n:,} sites of {len(fit):,} whose interval of k is closed.",
        f"Density of sites by rate and steady fraction; {middle}.",
        figure,
    )


def _map(fit: MethylationFit, held_out: Collection[str]) -> Picture:
    known = np.isfinite(fit.rate) & (fit.rate > 0)
    spans = [
        (contig, int(fit.position[fit.contig == contig].max()) + 1) for contig in np.unique(fit.contig[known]).tolist()
    ]
    rows = longest(spans)
    ends = dict(spans)
    longest_end = max(ends[row] for row in rows)
    figure, grid = contig_rows(
        [fit.contigs[row] for row in rows], longest_end, f"k (1/{fit.unit.removesuffix('s')}, log)",
        held_out=[fit.contigs[row] in held_out for row in rows],
    )  # fmt: skip
    for axes, row in zip(grid, rows, strict=True):
        here = known & (fit.contig == row)
        bins = Bins(0, ends[row], n_bins(ends[row], longest_end) // 2 or 1)
        bins.add(fit.position[here], np.log(fit.rate[here]))
        mean = bins.binned()
        draw_steps(axes, Binned(mean.edges, np.exp(mean.mean)), BLUE)
    log_axis(grid[0], "y")
    for axes in grid[1:]:
        log_axis(axes, "y")
    width = longest_end / (n_bins(longest_end, longest_end) // 2 or 1)
    middle = float(np.exp(np.log(fit.rate[known & np.isin(fit.contig, rows)]).mean()))
    unit = fit.unit.removesuffix("s")
    return Picture(
        "map",
        f"geometric mean of k over the sites of {len(rows)} contig{'s' if len(rows) > 1 else ''}:"
        f" {middle:.3g} per {unit}",
        f"Geometric mean of k in bins of about {width:,.0f} bp over all fitted sites (n = {int(known.sum()):,});"
        " gaps: no fitted site. Half-lives are ln 2 / k." + note_of_drawn(len(rows), len(spans)),
        f"Steps of the mean rate along {len(rows)} contigs.",
        figure,
    )


def _held_out(scores: tuple[HeldOutScore, ...]) -> Picture:
    """What the fit's model gains over every other, hold-out by hold-out, the nearest rival of each on top."""
    place = {name: row for row, name in enumerate(dict.fromkeys(score.hold_out for score in scores))}
    shown = [score for score in scores if score.what == ALL_SITES and score.model != score.against]
    shown.sort(key=lambda score: (place[score.hold_out], -score.difference))
    figure = new_figure(8.0, ROW_INCHES * len(shown) + 1.0)
    axes = figure.subplots()
    names = [f"{score.hold_out}: {score.model}" if score.hold_out else score.model for score in shown]
    estimates = [(-score.difference, -score.high, -score.low) for score in shown]
    colours = [BLUE if low > 0 else ORANGE if high < 0 else GREY for _, low, high in estimates]
    interval_rows(axes, names, estimates, colours=colours, zero=True, letters=60)
    axes.set_yticks(range(len(names))[::-1], [plain(name, 60) for name in names])
    fitted = scores[0].against
    axes.set_xlabel(f"gain of the {fitted} model, nats a held-out read, paired")
    better = sum(low > 0 for _, low, _ in estimates)
    n = max(score.reads for score in shown)
    return Picture(
        "held-out",
        f"the {fitted} model is ahead in {better} of {len(shown)} comparisons on held-out reads",
        f"Mean log likelihood of held-out reads under the {fitted} model, less that of each other on the same reads"
        f" (n = {n:,} reads at most); bars: 95 % intervals of a block bootstrap; blue above zero, orange below, grey"
        " neither.",
        "Rows of differences with intervals: "
        + "; ".join(f"{name} {value:+.4f}" for name, (value, _, _) in zip(names, estimates, strict=True))
        + ".",
        figure,
    )
