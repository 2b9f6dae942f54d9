"""Pictures of a score file: bits along contigs and by class, calibration, and differences at the seams."""

from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D

from genolstm.figures.along import (
    Binned,
    binned_stretch,
    contig_rows,
    draw_steps,
    limit,
    longest,
    n_bins,
    note_of_drawn,
)
from genolstm.figures.axes import ROW_INCHES, binomial_interval, interval_rows, log_axis
from genolstm.figures.logo import logo_pictures
from genolstm.figures.markov_lines import by_order
from genolstm.figures.recall import recall_pictures
from genolstm.figures.style import BLACK, BLUE, GREY, ORANGE, SKY, Picture, in_a_row, legend_below, new_figure
from genolstm.figures.text import shortened
from genolstm.regions import STRAND_NAMES
from genolstm.store.checkpoint import PartBits
from genolstm.store.score import SLAB, ScoreFile, ScoreTables, open_score, read_score_tables

TRAINED_ON = 1
PARTS = {"test": "held-out bases", "scored": "all that was scored"}
SEEN = {TRAINED_ON: "trained on", 0: "held out", -1: "of another genome"}
STRAND_COLOURS = (BLUE, ORANGE)


def pictures_of(path: Path) -> list[Picture]:
    """Bits along contigs, by class, beside Markov models, calibration, seams; what the file lacks is left out."""
    tables = read_score_tables(path)
    with open_score(path) as scores:
        drawn = [*logo_pictures(scores), _along(scores, tables), *recall_pictures(scores, tables)]
    if tables.classes:
        drawn.append(_classes(tables))
    measured = [part for part in tables.parts if np.isfinite(part.model)]
    if measured:
        drawn.append(by_order(measured, tables.markov_counted_on))
    if tables.calibration["sampled"].any():
        drawn.append(_calibration(tables))
    if len(tables.seams["position"]):
        drawn.append(_seams(tables))
    return drawn


def _along(scores: ScoreFile, tables: ScoreTables) -> Picture:
    stretches = scores.stretches
    spans = stretches.end - stretches.start
    first = np.cumsum(spans) - spans
    rows = longest(enumerate(spans.tolist()))
    seen = [int(tables.seen[stretches.contig[row]]) for row in rows]
    names = [
        shortened(stretches.contigs[stretches.contig[row]], 40) + (f" ({SEEN[of]})" if of else "")
        for row, of in zip(rows, seen, strict=True)
    ]
    figure, grid = contig_rows(names, int(stretches.end[rows].max()), "bits/base", held_out=[of == 0 for of in seen])
    widest = int(spans[rows].max())
    reference = _reference(tables) if set(seen) != {TRAINED_ON} else None
    drawn: list[Binned] = []
    for axes, row, of in zip(grid, rows, seen, strict=True):
        start, end, place = int(stretches.start[row]), int(stretches.end[row]), int(first[row])
        for strand in range(scores.strands):
            read = partial(scores.read, strand)
            drawn.append(binned_stretch(read, start, end, place, n_bins(end - start, widest), SLAB))
            draw_steps(axes, drawn[-1], STRAND_COLOURS[strand])
        if reference and of != TRAINED_ON:
            axes.axhline(reference.interpolated, color=BLACK, linewidth=0.9, linestyle="-.")
    beyond = limit(grid, drawn, [reference.interpolated] if reference else [])
    labels = [f"{name} strand" for name in STRAND_NAMES[: scores.strands]]
    handles = [Line2D([], [], color=colour) for colour in STRAND_COLOURS[: scores.strands]]
    if reference:
        handles.append(Line2D([], [], color=BLACK, linewidth=0.9, linestyle="-."))
        labels.append(f"interpolated Markov, {PARTS[reference.part]}: {reference.interpolated:.3f}")
    legend_below(figure, handles, labels)
    n = int(tables.symbols.sum())
    means = "; ".join(f"{label} {bits:.3f} bits/base" for label, bits in _means(tables).items())
    width = widest / n_bins(widest, widest)
    return Picture(
        "bits",
        f"bits along contigs: {means}",
        f"Mean bits per base in bins of about {width:,.0f} bp, known bases of both strands, n = {n:,}."
        f" In brackets whether the model was trained on any base of the contig; held-out contigs are shaded."
        + (
            " Where it was, there is no Markov line: that model has counted these bases."
            if reference and TRAINED_ON in seen
            else ""
        )
        + note_of_drawn(len(rows), len(spans))
        + beyond,
        f"Steps of bits per base along {len(rows)} contigs; {means}.",
        figure,
    )


def _reference(tables: ScoreTables) -> PartBits | None:
    """Bits beside which held-out contigs stand: of what was held out, else of all where none was trained on."""
    parts = {part.part: part for part in tables.parts}
    return parts.get("test", None if (tables.seen == TRAINED_ON).any() else parts.get("scored"))


def _means(tables: ScoreTables) -> dict[str, float]:
    means = {}
    for seen, label in SEEN.items():
        rows = tables.seen == seen
        if (symbols := tables.symbols[rows].sum()) > 0:
            means[label] = float(tables.bits[rows].sum() / symbols)
    return means


def _classes(tables: ScoreTables) -> Picture:
    rows = tables.classes
    figure = new_figure(7.4, ROW_INCHES * len(rows) + 0.9)
    axes = figure.subplots()
    names = [row.name if row.sense == "both" else f"{row.name}, {row.sense}" for row in rows]
    colours = [{"sense": BLUE, "antisense": ORANGE}.get(row.sense, BLACK) for row in rows]
    interval_rows(axes, names, [(row.bits, row.low, row.high) for row in rows], colours=colours)
    axes.set_xlabel("bits/base")
    lowest, highest = min(rows, key=lambda row: row.bits), max(rows, key=lambda row: row.bits)
    n = ", ".join(f"{name} {row.symbols:,}" for name, row in zip(names, rows, strict=True))
    return Picture(
        "classes",
        f"{lowest.name} is the most predictable ({lowest.bits:.3f} bits/base), {highest.name} the least"
        f" ({highest.bits:.3f})",
        f"Mean bits per known base by class of the annotation, along the feature (sense), against it (antisense),"
        f" or on both strands; bars are 95 % intervals of a bootstrap over blocks of 100 kb. n: {n}.",
        "Rows of bits per base with intervals: "
        + "; ".join(f"{name} {row.bits:.3f}" for name, row in zip(names, rows, strict=True))
        + ".",
        figure,
    )


def _calibration(tables: ScoreTables) -> Picture:
    figure = new_figure(4.6, 4.8)
    axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    columns = tables.calibration
    shown = columns["sampled"] > 0
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
    low, high = binomial_interval(columns["observed"][shown], columns["sampled"][shown])
    axes.vlines(columns["predicted"][shown], low, high, color=SKY, linewidth=2)
    axes.plot(columns["predicted"][shown], columns["observed"][shown], color=BLUE, marker="o", markersize=4)
    axes.set(ylabel="observed fraction", ylim=(-0.02, 1.02), xlim=(-0.02, 1.02))
    lower = columns["lower"]
    counts.stairs(columns["sampled"], [*lower, 1.0], fill=True, color=SKY)
    log_axis(counts, "y")
    counts.set(xlabel="predicted probability of a base", ylabel="n (log)")
    return Picture(
        "calibration",
        f"calibration error {tables.calibration_error:.4f}",
        "Fraction of predictions that came true against the predicted probability, in bins of 0.05; n ="
        f" {int(columns['sampled'].sum()):,} predictions (every known symbol at every eighth base), bars"
        " binomial 95 % intervals (Wilson), which take them for independent. Below: n of each bin. Dotted: perfect"
        " calibration.",
        f"Plot of observed fraction against predicted probability; expected calibration error"
        f" {tables.calibration_error:.4f}.",
        figure,
    )


def _seams(tables: ScoreTables) -> Picture:
    figure, grid = in_a_row(6.8, 3.0, (1, 1), stacked=4.8)
    repaired = tables.seams["repaired"] > 0
    floors = []
    for axes, name, unit in zip(grid, ("state", "bits"), ("of a state", "in bits"), strict=True):
        found, left = (tables.seams[f"{end}_{name}"] for end in ("found", "left"))
        positive = np.concatenate([found[found > 0], left[left > 0]])
        # a logarithmic axis has no zero: it is drawn below all else
        floors.append(float(positive.min()) / 2 if positive.size else 1.0)
        order = np.arange(1, len(found) + 1)
        if repaired.any():
            axes.plot(
                order,
                np.maximum(np.sort(found), floors[-1]),
                color=ORANGE,
                marker="o",
                markersize=4,
                linestyle="none",
                label="as found",
            )
        axes.plot(
            order,
            np.maximum(np.sort(left), floors[-1]),
            color=BLUE,
            marker="o",
            markersize=2.5,
            linestyle="none",
            label="as left",
        )
        log_axis(axes, "y")
        axes.set(xlabel="seam, smallest difference first", ylabel=f"largest difference\n{unit} (log)")
    if repaired.any():
        legend_below(figure)
    worst = float(tables.seams["left_bits"].max())
    return Picture(
        "seams",
        f"largest difference left at a seam: {worst:.2g} bits",
        f"Differences between a burned-in state and the true one at each place where two lanes meet, n ="
        f" {len(repaired):,} seams, {int(repaired.sum()):,} of them read again. Differences of zero are drawn at"
        f" {floors[0]:.1g} and {floors[1]:.1g}.",
        f"Sorted differences at seams; the largest that is left is {worst:.2g} bits.",
        figure,
    )
