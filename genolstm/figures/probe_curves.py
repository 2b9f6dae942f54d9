"""ROC, precision and recall, and calibration of a probe of two classes."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.figures.axes import binomial_interval, fraction_axes
from genolstm.figures.feature_sets import TRAINED, called, colours_of
from genolstm.figures.style import BLUE, GREY, SKY, WIDE_INCHES, Picture, in_a_row, legend_below, new_figure, widest
from genolstm.figures.text import shortened
from genolstm.regions import Part
from genolstm.store.results import ProbeResult

Floats = NDArray[np.float64]


class Curves(NamedTuple):
    """Corners of an ROC curve and steps of a precision-recall curve, float64 [k] each; tied scores are one place.

    recall, precision : at each threshold that finds more true sites; the precision holds back to the recall before.
    """

    false_positive: Floats
    true_positive: Floats
    recall: Floats
    precision: Floats


def curves_of(labels: NDArray[np.int8], scores: NDArray[np.float32]) -> Curves:
    """Both curves of labels [N] and scores [N], higher is truer; none of it depends on the order of ties."""
    order = np.argsort(-scores.astype(np.float64), kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    positive = labels[order] > 0
    found, false = np.cumsum(positive)[ends].astype(np.float64), np.cumsum(~positive)[ends].astype(np.float64)
    gained = np.diff(found, prepend=0) > 0
    # between two runs of nothing but negatives the curve only goes on: those corners change nothing
    corner = gained | np.append(gained[1:], True)
    positives, negatives = max(found[-1], 1), max(false[-1], 1)
    return Curves(
        np.insert(false[corner] / negatives, 0, 0.0),
        np.insert(found[corner] / positives, 0, 0.0),
        np.insert(found[gained] / positives, 0, 0.0),
        np.insert(found[gained] / (found[gained] + false[gained]), 0, 1.0),
    )


def curves(result: ProbeResult) -> Picture:
    """Draw ROC, and precision against recall, of every feature set on the test sites."""
    figure, (roc, precision) = in_a_row(10.0, 5.8, (1, 1), stacked=9.6)
    wide = widest() >= WIDE_INCHES  # there is room for both scores
    test = result.sites.part == Part.TEST
    styles = colours_of(result.features)
    handles, labels = [], []
    for name, features in reversed(list(result.features.items())):  # the trained states on top
        drawn = curves_of(features.label[test], features.log_odds[test])
        colour, dashes = styles[name]
        style: dict[str, Any] = {"color": colour, "linestyle": dashes, "linewidth": 2.2 if name == TRAINED else 1.1}
        roc.plot(drawn.false_positive, drawn.true_positive, gid=f"roc-{name}", **style)
        (line,) = precision.plot(drawn.recall, drawn.precision, drawstyle="steps-pre", **style)
        handles.append(line)
        scores = [f"{title} {features.scores[score].value:.3f} [{features.scores[score].low:.3f},"
                f" {features.scores[score].high:.3f}]" for score, title in (("auprc", "AUPRC"), ("auroc", "AUROC"))
                if score in features.scores and (wide or score == "auprc")]  # fmt: skip
        labels.append(f"{called(name)}: {', '.join(scores)}")
    roc.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
    fraction_axes(roc, "false positive rate", "true positive rate (recall)")
    fraction_axes(precision, "recall", "precision")
    fraction = float((result.features[TRAINED].label[test] > 0).mean()) if test.any() else 0.0
    handles.append(precision.axhline(fraction, color=GREY, linewidth=1, linestyle=":"))
    labels.append(f"fraction of true sites {fraction:.3f}, the chance level")
    legend_below(figure, handles[-2::-1] + handles[-1:], labels[-2::-1] + labels[-1:])
    best = result.features[TRAINED].scores["auprc"]
    natural = f"; in nature {result.prevalence:.2%} of candidates are true" if result.prevalence is not None else ""
    return Picture(
        f"{result.target}-curves",
        f"{shortened(result.target)}: trained states AUPRC {best.value:.3f} [{best.low:.3f}, {best.high:.3f}]",
        f"Test sites n = {int(test.sum()):,}, {int((result.features[TRAINED].label[test] > 0).sum()):,} of them true"
        f" ({fraction:.1%}){natural}. Values with 95 % intervals of a block bootstrap. Dotted: chance level.",
        "ROC curve and precision-recall curve. " + "; ".join(labels[-2::-1]) + ".",
        figure,
    )


def calibration(result: ProbeResult) -> Picture:
    """Draw the fraction of true sites against the predicted probability, in bins of test sites."""
    figure = new_figure(4.6, 4.2)
    axes = figure.subplots()
    bins = [each for each in result.calibration if each.sites > 0]
    predicted, observed = np.array([each.predicted for each in bins]), np.array([each.observed for each in bins])
    low, high = binomial_interval(observed, [each.sites for each in bins])
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
    axes.vlines(predicted, low, high, color=SKY, linewidth=2)
    axes.plot(predicted, observed, color=BLUE, marker="o", markersize=5)
    fraction_axes(axes, "predicted probability of a true site", "fraction of true sites")
    error = result.features[TRAINED].scores.get("calibration_error")
    summary = f"calibration error {error.value:.3f}" if error else "calibration"
    return Picture(
        f"{result.target}-calibration",
        f"{shortened(result.target)}: {summary} of the trained states",
        f"{len(bins)} bins of test sites (n = {sum(each.sites for each in bins):,}) by predicted probability; bars are"
        " binomial 95 % intervals (Wilson), which take sites for independent. Dotted: perfect calibration.",
        "Plot of observed fraction against predicted probability, near the diagonal where calibration is good; "
        + summary
        + ".",
        figure,
    )
