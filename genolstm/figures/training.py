"""Pictures of a model file: how training went, beside the Markov models counted on the same bases."""

from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes

from genolstm.figures.axes import WORTH_LOG, log_axis
from genolstm.figures.markov_lines import by_order, markov_lines
from genolstm.figures.style import BLACK, BLUE, ORANGE, SKY, Picture, legend_below, new_figure
from genolstm.figures.text import plain, short, shortened
from genolstm.settings.model import AlphabetName
from genolstm.store.checkpoint import Checkpoint, PartBits, read_checkpoint

DASHES: tuple[Literal["-", "--"], ...] = ("-", "--")  # of auxiliary heads
HELD_OUT = ("test", "valid", "train")  # which part's Markov lines are drawn: the first that was measured


def pictures_of(path: Path) -> list[Picture]:
    """The training curve and bits by Markov order; what the file lacks is left out."""
    checkpoint = read_checkpoint(path)
    drawn = [_course(checkpoint)] if checkpoint.history["bases"] or checkpoint.looks["bases"] else []
    # of several genomes the part of all: more lines than two would hide each other
    measured = [part for part in checkpoint.bits if np.isfinite(part.model) and ":" not in part.part]
    return drawn + ([by_order(measured, "the training stretches")] if measured else [])


def _course(checkpoint: Checkpoint) -> Picture:
    heads = checkpoint.auxiliary
    figure = new_figure(7.2, 6.2 if heads else 5.2)
    panels = list(
        figure.subplots(4 if heads else 3, 1, sharex=True, height_ratios=(4, 1, 1, 1.2) if heads else (4, 1, 1))
    )
    top, rate, norm = panels[:3]
    history, validations, held_out = checkpoint.history, checkpoint.looks, _held_out(checkpoint)
    top.plot(history["bases"], history["bits"], color=SKY, linewidth=1, label="training")
    top.plot(validations["bases"], validations["bits"], color=BLUE, marker="o", markersize=4, label="validation")
    bases = max([*history["bases"], *validations["bases"]])
    if held_out:
        _lines(top, held_out, bases)
    top.set_ylabel("bits/base")
    beyond = _limit(top, history["bits"], validations["bits"], held_out)
    rate.plot(history["bases"], history["learning_rate"], color=BLACK, linewidth=1)
    rate.set_ylabel("learning\nrate")
    norm.plot(history["bases"], history["gradient_norm"], color=BLACK, linewidth=0.8)
    norm.set_ylabel("gradient\nnorm")
    if heads:
        for task, errors, dashes in zip(heads.tasks, heads.errors.T, DASHES, strict=False):
            panels[3].plot(history["bases"], errors, color=ORANGE, linestyle=dashes, linewidth=1, label=plain(task))
        panels[3].set_ylabel("squared error\nof heads")
    bottom = panels[-1]
    label = "symbols read" if checkpoint.model.alphabet == AlphabetName.PROTEIN else "symbols read, both strands"
    positive = [each for each in [*history["bases"], *validations["bases"]] if each > 0]
    if max(positive) / min(positive) > WORTH_LOG:
        log_axis(bottom, "x")
        bottom.set_xlabel(f"{label} (log)")
    else:
        bottom.set_xlabel(label)
    figure.align_ylabels(panels)
    legend_below(figure)
    settings, protein = checkpoint.model, checkpoint.model.alphabet == AlphabetName.PROTEIN
    shape = f"{settings.layers} x {settings.hidden} {settings.cell.value}"
    return Picture(
        "training",
        _title(held_out, validations["bits"]),
        f"Bits per base while a {shape} model read {short(bases)} symbols of {len(checkpoint.seen)} contigs"
        f" ({_contigs(checkpoint.seen)}){'' if protein else ', both strands'}."
        f" Training loss: means since the last record"
        f" (n = {len(history['bases'])}{f', {beyond} beyond the axis' if beyond else ''}); validation:"
        f" n = {len(validations['bases'])} times."
        + (
            f" Lines: on the {held_out.part} part, n = {held_out.symbols:,} symbols, the last model, uniform, and"
            " Markov models counted on the training stretches."
            if held_out
            else ""
        )
        + (" Lowest: mean squared error of the auxiliary heads, targets in standard deviations." if heads else ""),
        "Line plot of training and validation bits per base against symbols read"
        + (f"; {_summary(held_out)}." if held_out else "."),
        figure,
    )


def _held_out(checkpoint: Checkpoint) -> PartBits | None:
    measured = {part.part: part for part in checkpoint.bits}
    return next((measured[name] for name in HELD_OUT if name in measured), None)


def _lines(axes: Axes, part: PartBits, bases: float) -> None:
    for value, label, colour, dashes in markov_lines(part):
        axes.axhline(value, color=colour, linestyle=dashes, linewidth=1, label=label)
    if np.isfinite(part.model):
        axes.plot(
            [bases], [part.model], color=ORANGE, marker="D", markersize=6, linestyle="none",
            label=f"{part.part}: {part.model:.3f}",
        )  # fmt: skip


def _limit(axes: Axes, bits: list[float], validations: list[float], part: PartBits | None) -> int:
    """Keep first steps and stray records from squeezing all others; the number of records beyond the axis."""
    shown = [*np.quantile(bits, [0.01, 0.99]).tolist()] if bits else []
    shown += validations
    if part:
        shown += [part.uniform, part.best_bits, part.interpolated, *([part.model] if np.isfinite(part.model) else [])]
    margin = 0.05 * (max(shown) - min(shown)) or 0.05
    low, high = min(shown) - margin, max(shown) + margin
    axes.set_ylim(low, high)
    return sum(not low <= each <= high for each in bits)


def _title(part: PartBits | None, validations: list[float]) -> str:
    if part and np.isfinite(part.model):
        below = part.interpolated - part.model
        beside = f"{abs(below):.3f} {'below' if below > 0 else 'above'} interpolated Markov"
        return f"{part.part} part: {part.model:.3f} bits/base, {beside}"
    return f"validation at the end: {validations[-1]:.3f} bits/base" if validations else "training loss"


def _summary(part: PartBits) -> str:
    model = f"the model ends at {part.model:.3f} on the {part.part} part" if np.isfinite(part.model) else "not scored"
    return (
        f"{model}; uniform {part.uniform:.3f}, best Markov (order {part.best_order}) {part.best_bits:.3f},"
        f" interpolated Markov {part.interpolated:.3f}"
    )


def _contigs(names: tuple[str, ...]) -> str:
    first = ", ".join(shortened(name) for name in names[:4])
    return first + (", ..." if len(names) > 4 else "")
