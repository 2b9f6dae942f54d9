"""Pictures of a gates file: three separate measures of memory in bases, and where the network forgets."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from genolstm.figures.along import Binned, Bins, contig_rows, draw_steps, limit, longest, n_bins, note_of_drawn
from genolstm.figures.axes import ROW_INCHES, interval_rows, log_axis
from genolstm.figures.style import (
    BLUE,
    GREY,
    HEAT,
    ORANGE,
    SKY,
    WIDE_INCHES,
    Picture,
    in_a_row,
    legend_below,
    new_figure,
    widest,
)
from genolstm.figures.text import plain, shortened
from genolstm.store.gates import SLAB, GatesFile, GatesTables, open_gates, read_gates_tables, read_resets

HALF_LIVES = {
    "nominal": "nominal: were the gate at its bias",
    "realised": "realised: as the gate was, at its geometric mean",
}
BINS = 30  # of a histogram
STRAND_COLOURS = (BLUE, ORANGE)
DIVERGING = "PuOr"
FLAT = 0.01  # bits/base above the longest memory within which the curve is called flat
MOST_MARKS = 400  # resets marked on a contig; more would be one grey bar
FACTORS = ("forget", "write", "read", "candidate")


def pictures_of(path: Path, held_out: Collection[str] = ()) -> list[Picture]:
    """Functional memory, half-lives, boundaries, the gate along contigs; what is lacking is left out."""
    tables = read_gates_tables(path)
    drawn = [_memory(tables)] if tables.memory else []
    if tables.half_life:
        drawn.append(_half_lives(tables))
    if tables.profiles:
        drawn.append(_profiles(tables))
    if tables.edges:
        drawn.append(_edges(tables))
    with open_gates(path) as gates:
        drawn.append(_along(gates, read_resets(path), held_out))
    drawn.append(_units(tables))
    return drawn


def _memory(tables: GatesTables) -> Picture:
    figure = new_figure(6.8, 3.6)
    axes = figure.subplots()
    every, excess = tables.memory["reset_every"], tables.memory["excess"]
    full = float(tables.memory["bits"][-1])
    axes.fill_between(every, tables.memory["low"], tables.memory["high"], color=SKY, alpha=0.5, linewidth=0)
    axes.plot(every, excess, color=BLUE, marker="o", markersize=4)
    axes.axhline(0, color=GREY, linewidth=1, linestyle=":")
    log_axis(axes, "x")
    axes.set(xlabel="state emptied every K bases (log)", ylabel=f"bits/base above K = {int(every[-1]):,}")
    memory = tables.summary.get("memory", {})
    flat = _flat_from(every, excess)
    axes.axvline(flat, color=GREY, linewidth=1, linestyle="--")
    axes.set_title(f"dashed: within {FLAT} bits from K = {flat:,}", fontsize=9)
    n = (
        f"n = {memory['symbols']:,} symbols of {memory['measured_on']}"
        if "symbols" in memory
        else f"n = {len(every)} values of K"
    )
    return Picture(
        "functional-memory",
        f"functional memory: emptying the state every {flat:,} bases costs less than {FLAT} bits",
        f"Bits per base when the state is emptied every K bases, above K = {int(every[-1]):,} ({full:.3f} bits/base),"
        f" on the same bases for every K; {n}; band: 95 % interval of a paired block bootstrap.",
        f"Curve of bits per base that falls with K; {float(excess.max()):.3f} bits at its highest, within {FLAT} from"
        f" {flat:,}.",
        figure,
    )


def _flat_from(every: NDArray[np.int64], excess: NDArray[np.float64]) -> int:
    beyond = np.flatnonzero(excess > FLAT)
    return int(every[min(beyond[-1] + 1, len(every) - 1)] if beyond.size else every[0])


def _half_lives(tables: GatesTables) -> Picture:
    names = [name for name in HALF_LIVES if name in tables.half_life]
    figure = new_figure(6.8, 1.9 * len(names) + 0.5)
    grid = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    shown = np.concatenate([tables.half_life[name].ravel() for name in names])
    shown = shown[np.isfinite(shown) & (shown > 0)]
    low, high = (shown.min(), shown.max()) if shown.size else (1.0, 10.0)
    edges = np.geomspace(low * 0.98, max(high, low * 1.05) * 1.02, BINS + 1)
    medians, endless = [], 0
    for axes, name in zip(grid, names, strict=True):
        for layer, values in enumerate(tables.half_life[name]):
            known = values[np.isfinite(values) & (values > 0)]
            endless += len(values) - len(known)
            counts, _ = np.histogram(known, edges)
            style = {"fill": True, "alpha": 0.6} if layer == 0 else {"linewidth": 1.5}
            axes.stairs(counts, edges, color=(SKY, BLUE, ORANGE)[layer % 3], label=f"layer {layer}", **style)
            middle = float(np.median(values))
            if 0 < middle < np.inf:
                axes.axvline(middle, color=(BLUE, BLUE, ORANGE)[layer % 3], linewidth=1.2, linestyle="--")
            medians.append(f"{name} {middle:.3g} bp" + (f" (layer {layer})" if len(tables.half_life[name]) > 1 else ""))
        axes.set_title(HALF_LIVES[name])
        axes.set_ylabel("units")
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    log_axis(grid[-1], "x")
    grid[-1].set_xlabel("half-life (bp, log)")
    if len(tables.half_life[names[0]]) > 1:
        legend_below(figure)
    layers, units = tables.half_life[names[0]].shape
    return Picture(
        "half-life",
        f"median half-life of a unit: {', '.join(medians)}",
        f"Half-lives of {units:,} units in {layers} layer{'s' if layers > 1 else ''}: nominal is ln 0.5 / ln"
        f" sigmoid(bias), realised ln 0.5 / mean ln f over {tables.samples:,} samples; dashed: median."
        + (f" {endless} units that never forget are not drawn." if endless else "")
        + " Neither is functional memory, which measures what emptying the state costs.",
        f"Histograms of half-lives; medians: {', '.join(medians)}.",
        figure,
    )


def _profiles(tables: GatesTables) -> Picture:
    columns = tables.profiles
    offset = np.asarray(columns["offset"])
    order = sorted(
        range(len(columns["kind"])),
        key=lambda row: (int(columns["layer"][row]), columns["kind"][row], columns["direction"][row]),
    )
    layers = len(set(np.asarray(columns["layer"]).tolist()))
    names = [
        f"{shortened(columns['kind'][row], 22)}, {columns['direction'][row]}"
        + (f", layer {columns['layer'][row]}" if layers > 1 else "")
        for row in order
    ]
    forget, matched = columns["forget"][order], columns["matched"][order]
    height = 0.26 * len(order)
    figure, grid = in_a_row(9.6, height + 1.6, (1, 1, 1), stacked=3 * height + 4.2, sharey=True)
    step = float(np.diff(offset).mean()) if len(offset) > 1 else 1.0
    extent = (offset[0] - step / 2, offset[-1] + step / 2, len(order) - 0.5, -0.5)
    both = np.concatenate([forget, matched])
    style: dict[str, Any] = {"aspect": "auto", "extent": extent, "interpolation": "nearest"}
    gate: dict[str, Any] = {"cmap": HEAT, "vmin": float(np.nanmin(both)), "vmax": float(np.nanmax(both))}
    image = grid[0].imshow(forget, **gate, **style)
    grid[1].imshow(matched, **gate, **style)
    reach = float(np.nanmax(np.abs(forget - matched))) or 1.0
    change = grid[2].imshow(forget - matched, cmap=DIVERGING, vmin=-reach, vmax=reach, **style)
    for axes, title in zip(grid, ("at boundaries", "at matched positions", "difference"), strict=True):
        axes.set_title(title)
        axes.axvline(0, color="0.5", linewidth=0.8, linestyle=":")
        axes.set_xlabel("bases after the boundary, as read")
    grid[0].set_yticks(range(len(names)), [plain(name, 40) for name in names])
    for axes in grid:
        axes.tick_params(axis="y", length=0)
    wide = widest() >= WIDE_INCHES
    bar: dict[str, Any] = {"location": "bottom" if wide else "right", "shrink": 0.9}
    figure.colorbar(image, ax=grid[:2], label="mean forget gate", aspect=40, **bar)
    figure.colorbar(change, ax=grid[2], label="boundary minus matched", aspect=25, **bar)
    largest = np.unravel_index(np.nanargmax(np.abs(forget - matched)), forget.shape)
    value = float((forget - matched)[largest])
    counts = _boundary_counts(tables)
    return Picture(
        "boundaries",
        f"forget gate around boundaries: differs most ({value:+.3f}) at {names[int(largest[0])]},"
        f" {int(offset[largest[1]]):+d} bp",
        f"Mean forget gate over units at bases around boundaries, as they are read, and around positions matched in"
        f" composition{counts}. One colour scale for the first two; the third is their difference.",
        f"Heat maps of the forget gate around {len(order)} kinds of boundary; the largest difference is {value:+.3f}.",
        figure,
    )


def _boundary_counts(tables: GatesTables) -> str:
    if not tables.edges:
        return ""
    counts = np.asarray(tables.edges["boundaries"])
    return f" (n = {int(counts.min()):,} to {int(counts.max()):,} boundaries of a kind)" if counts.size else ""


def _edges(tables: GatesTables) -> Picture:
    columns = tables.edges
    measures = list(dict.fromkeys(columns["measure"]))
    keys = list(
        dict.fromkeys(zip(columns["kind"], columns["direction"], np.asarray(columns["layer"]).tolist(), strict=True))
    )
    layers = len({key[2] for key in keys})
    figure = new_figure(7.4, (ROW_INCHES * len(keys) + 0.6) * len(measures) + 0.3)
    grid = figure.subplots(len(measures), 1, squeeze=False)[:, 0]
    names = [
        f"{shortened(kind, 22)}, {direction}" + (f", layer {layer}" if layers > 1 else "")
        for kind, direction, layer in keys
    ]
    found = 0
    for axes, measure in zip(grid, measures, strict=True):
        rows = {
            (columns["kind"][row], columns["direction"][row], int(columns["layer"][row])): row
            for row in range(len(columns["kind"])) if columns["measure"][row] == measure
        }  # fmt: skip
        estimates, colours = [], []
        for key in keys:
            row = rows.get(key)
            estimates.append(
                (np.nan,) * 3
                if row is None
                else tuple(float(columns[end][row]) for end in ("difference", "low", "high"))
            )
            clear = row is not None and float(columns["p_adjusted"][row]) < 0.05
            found += clear
            colours.append(BLUE if clear else GREY)
        interval_rows(axes, names, estimates, colours=colours, zero=True)
        axes.set_title(plain(measure))
        axes.set_xlabel("boundary minus matched")
    tests = len(columns["kind"])
    return Picture(
        "boundary-tests",
        f"{found} of {tests} comparisons of boundaries with matched positions are significant",
        "Mean at boundaries minus mean at matched positions; bars: 95 % intervals of a block bootstrap; blue where the"
        f" permutation p, corrected for the {tests} tests of the table, is below 0.05, grey elsewhere"
        f"{_boundary_counts(tables)}.",
        f"Rows of differences with intervals; {found} of {tests} are significant.",
        figure,
    )


def _along(gates: GatesFile, resets: dict[str, NDArray[np.generic]], held_out: Collection[str]) -> Picture:
    name = "forget" if "forget" in gates.names else "novelty"
    counts = np.diff([*gates.first, gates.samples])
    starts = gates.first_position
    rows = longest(enumerate((gates.end - starts).tolist()))
    spans = (gates.end - starts)[rows]
    last = gates.layers - 1
    figure, grid = contig_rows(
        [shortened(gates.contigs[gates.contig[row]], 40) for row in rows], int(gates.end[rows].max()),
        "mean forget gate" if name == "forget" else "novelty",
        held_out=[gates.contigs[gates.contig[row]] in held_out for row in rows],
    )  # fmt: skip
    drawn: list[Binned] = []
    any_marked = False
    for axes, row in zip(grid, rows, strict=True):
        start, end = int(starts[row]), int(gates.end[row])
        for strand in range(gates.strands):
            bins = Bins(start, end, min(n_bins(end - start, int(spans.max())), int(counts[row])))
            for slab in range(0, int(counts[row]), SLAB):
                stop = min(slab + SLAB, int(counts[row]))
                place = int(gates.first[row])
                values = gates.track(name, strand, last, place + slab, place + stop)
                bins.add(start + np.arange(slab, stop) * gates.every, values)
            drawn.append(bins.binned())
            draw_steps(axes, drawn[-1], STRAND_COLOURS[strand])
        here = (resets["contig"] == gates.contig[row]) & (resets["layer"] == last)
        marked = resets["start"][here]
        marked = marked[(marked >= start) & (marked < end)]
        if 0 < len(marked) <= MOST_MARKS:
            any_marked = True
            axes.plot(
                marked,
                np.zeros(len(marked)),
                transform=axes.get_xaxis_transform(),
                color=GREY,
                marker="|",
                linestyle="none",
                markersize=6,
            )
    beyond = limit(grid, drawn)
    labels = ["forward strand", "reverse strand"][: gates.strands]
    handles = [Line2D([], [], color=colour) for colour in STRAND_COLOURS[: gates.strands]]
    n_resets = int((resets["layer"] == last).sum())
    if any_marked:
        handles.append(Line2D([], [], color=GREY, marker="|", linestyle="none"))
        labels.append("resets")
    legend_below(figure, handles, labels)
    samples = int(counts.sum())
    return Picture(
        "forget-along",
        f"{'forget gate' if name == 'forget' else 'novelty'} along contigs, with {n_resets:,} resets",
        f"Mean over the units of layer {last}, in bins; n = {samples:,} samples a strand, one every {gates.every} bp."
        f" Resets (n = {n_resets:,}) are samples whose mean lies below the layer's threshold."
        + note_of_drawn(len(rows), len(counts))
        + beyond,
        f"Steps of the mean gate along {len(rows)} contigs.",
        figure,
    )


def _units(tables: GatesTables) -> Picture:
    names = [name for name in FACTORS if name in tables.units]
    names += [name for name in tables.units if name not in names]
    figure, grid = in_a_row(2.3 * len(names), 2.6, (1,) * len(names), stacked=1.7 * len(names), sharey=True)
    means_by_name = []
    for axes, name in zip(grid, names, strict=True):
        means = tables.units[name]["mean"]
        low = -1.0 if name == "candidate" else 0.0
        edges = np.linspace(min(low, float(means.min())), max(1.0, float(means.max())), BINS + 1)
        for layer, values in enumerate(means):
            counts, _ = np.histogram(values, edges)
            style: dict[str, Any] = {"fill": True, "alpha": 0.6} if layer == 0 else {"linewidth": 1.5}
            axes.stairs(counts, edges, color=(SKY, BLUE, ORANGE)[layer % 3], label=f"layer {layer}", **style)
        axes.set(title=plain(name), xlabel="mean of a unit (dimensionless)")
        means_by_name.append(f"{name} {float(means.mean()):.3f}")
    for axes in grid if widest() < WIDE_INCHES else grid[:1]:
        axes.set_ylabel("units")
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    layers, units = tables.units[names[0]]["mean"].shape
    if layers > 1:
        legend_below(figure)
    return Picture(
        "units",
        f"mean of the gates: {', '.join(means_by_name)}",
        f"Mean of each factor of each unit (n = {layers * units:,} units) over {tables.samples:,} samples.",
        f"Histograms of unit means; overall {', '.join(means_by_name)}.",
        figure,
    )
