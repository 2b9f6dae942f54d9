"""Pictures of predictions: precision against recall over all candidates, and probability against what is true."""

from pathlib import Path

import numpy as np

from genolstm.figures.axes import binomial_interval, fraction_axes
from genolstm.figures.style import BLUE, GREY, RED, Picture, legend_below, new_figure
from genolstm.figures.text import plain, shortened
from genolstm.store.prediction import Judged, PredictedTarget, read_prediction

COLOURS = (BLUE, RED)


def pictures_of(path: Path) -> list[Picture]:
    """Draw for each target precision and recall where there are labels, and reliability where there are classes."""
    targets = read_prediction(path).targets
    return [
        *(_curves(each) for each in targets if each.curve),
        *(_reliability(each) for each in targets if each.reliability),
    ]


def _curves(target: PredictedTarget) -> Picture:
    figure = new_figure(5.2, 4.2)
    axes = figure.subplots()
    judged = {row.group: row for row in target.judged}
    groups = [group for group in dict.fromkeys(point.group for point in target.curve) if group in judged]
    for group, colour in zip(groups, COLOURS, strict=False):
        row = judged[group]
        axes.plot(*_points(target, group), color=colour, label=plain(f"{group}: AUPRC {row.auprc:.3f}", 60))
        true = row.positive / max(row.candidates, 1)
        axes.axhline(true, color=colour, linewidth=1, linestyle=":", label=f"{group}: fraction of true, {true:.2g}")
    controls = [group for group in dict.fromkeys(point.group for point in target.curve) if group not in judged]
    for group in controls:
        dashes = "--" if "trained states" in group else "-."
        axes.plot(*_points(target, group), color=GREY, linewidth=1.1, linestyle=dashes, label=plain(group, 60))
    fraction_axes(axes, "recall, of all candidates", "precision")
    legend_below(figure)
    return Picture(
        f"{target.name}-precision-recall",
        f"{shortened(target.name)}: {_told(judged[groups[0]])}",
        "Every candidate counts, at the ratio of nature. "
        + " ".join(f"{name}: {judged[name].positive:,} true of {judged[name].candidates:,}." for name in groups)
        + (
            " Grey: what the probe's own test sites show at that ratio, the trained states and their strongest control;"
            " a curve no better than the control's claims nothing."
            if controls
            else ""
        ),
        "Precision against recall. " + "; ".join(f"{name}: {_told(judged[name])}" for name in groups) + ".",
        figure,
    )


def _points(target: PredictedTarget, group: str) -> tuple[list[float], list[float]]:
    """Recall and precision of one curve."""
    points = [each for each in target.curve if each.group == group]
    return [each.recall for each in points], [each.precision for each in points]


def _told(row: Judged) -> str:
    ends = f" [{row.low:.3f}, {row.high:.3f}]" if np.isfinite(row.low) else ""
    return f"{row.group}, AUPRC {row.auprc:.3f}{ends}"


def _reliability(target: PredictedTarget) -> Picture:
    figure = new_figure(4.6, 4.2)
    axes = figure.subplots()
    groups = list(dict.fromkeys(each.group for each in target.reliability))
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
    for group, colour in zip(groups, (GREY, *COLOURS), strict=False):
        bins = [each for each in target.reliability if each.group == group]
        predicted, observed = np.array([each.predicted for each in bins]), np.array([each.observed for each in bins])
        low, high = binomial_interval(observed, [each.positive + each.negative for each in bins])
        axes.vlines(predicted, low, high, color=colour, linewidth=1, alpha=0.6)
        axes.plot(predicted, observed, color=colour, marker="o", markersize=4, label=plain(group, 40))
    legend_below(figure)
    fraction_axes(axes, "predicted probability", "fraction that is true")
    error = target.figures["test_calibration_error"]
    ratio = f"one candidate in {1 / target.natural:,.0f} is true" if target.natural > 0 else "at the ratio of its rows"
    return Picture(
        f"{target.name}-reliability",
        f"{shortened(target.name)}: calibration error {error:.4f} on the probe's test rows",
        f"{ratio.capitalize()} ({target.source}). Bins of probability; bars are binomial 95 % intervals (Wilson) of the"
        " rows. The probe's test rows count as often as nature has them.",
        f"Fraction that is true against predicted probability, in {len(target.reliability)} bins.",
        figure,
    )
