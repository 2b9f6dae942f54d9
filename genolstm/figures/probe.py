"""Pictures of a probe: every score beside its controls, the differences behind the verdict, and the weights.

What is drawn follows from what a target holds (two classes, more, or values; a sweep; edges), not from the task's name.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from genolstm.figures import probe_curves, probe_edges, probe_values, probe_weights
from genolstm.figures.axes import ROW_INCHES, interval_rows, same_ends
from genolstm.figures.feature_sets import SCORE_NAMES, TRAINED, called, colours_of
from genolstm.figures.style import GREY, WIDE_INCHES, Picture, in_a_row, legend_below, new_figure, widest
from genolstm.figures.text import plain, shortened
from genolstm.probes.verdicts import spelled_verdict
from genolstm.regions import Part
from genolstm.settings.site_reading import SiteReading
from genolstm.store.results import ProbeResult, read_probe


def pictures_of(path: Path) -> list[Picture]:
    """The verdicts on all targets, then the pictures of each target."""
    results = read_probe(path)
    return [_verdicts(results), *(picture for result in results.values() for picture in _of_target(result))]


def _of_target(result: ProbeResult) -> list[Picture]:
    drawn = []
    trained = result.features[TRAINED]
    if trained.log_odds.ndim > 1:
        drawn.append(probe_values.confusion(result))
    elif trained.threshold is not None:
        drawn.append(probe_curves.curves(result))
    else:
        drawn.append(probe_values.agreement(result))
    if result.sweep:
        drawn.append(_sweep(result))
    if result.calibration:
        drawn.append(probe_curves.calibration(result))
    drawn.append(probe_weights.weights(result))
    if result.profiles:
        drawn.append(probe_edges.edges(result))
    return drawn


def _verdicts(results: Mapping[str, ProbeResult]) -> Picture:
    """Draw the ranked score of every feature set and its difference from the trained states, a row of axes a target."""
    rows = [len(result.features) for result in results.values()]
    height = sum(rows) * ROW_INCHES + 1.0 * len(rows) + 0.2
    if widest() >= WIDE_INCHES:
        figure = new_figure(9.6, height)
        grid = figure.subplots(len(rows), 2, squeeze=False, height_ratios=rows)
    else:
        figure = new_figure(9.6, 1.85 * height)
        sizes = [size for result in results.values() for size in (len(result.features), len(result.differences))]
        grid = figure.subplots(2 * len(rows), 1, squeeze=False, height_ratios=sizes).reshape(-1, 2)
    for (left, right), result in zip(grid, results.values(), strict=True):
        names, styles = list(result.features), colours_of(result.features)
        score = SCORE_NAMES.get(result.ranked, result.ranked)
        scores = [tuple(result.features[name].scores[result.ranked]) for name in names]
        interval_rows(left, [called(name) for name in names], scores, colours=[styles[name][0] for name in names])
        left.set_xlabel(f"{score}, {_test_sites(result):,} test sites")
        left.set_title(plain(result.target))
        if result.prevalence is not None and result.ranked == "auprc":
            fraction = _true_fraction(result)
            left.axvline(fraction, color=GREY, linestyle=":", linewidth=1.2)
            left.set_xlabel(f"{score}, {_test_sites(result):,} test sites; dotted: fraction of true ones")
        controls = list(result.differences)
        interval_rows(
            right, [called(name) for name in controls], [tuple(result.differences[name]) for name in controls],
            colours=[styles[name][0] if name in styles else GREY for name in controls], zero=True,
        )  # fmt: skip
        if widest() >= WIDE_INCHES:  # rows as high as on the left
            right.set_ylim(len(controls) - len(names) - 0.6, len(controls) - 0.4)
        right.set_xlabel(f"{score} of the trained states minus the control's, paired")
        right.set_title(plain(f"{result.target}: {_verdict(result)}", 48))
    for measure in {result.ranked for result in results.values()}:
        for column in range(2):
            same_ends([grid[row, column] for row, each in enumerate(results.values()) if each.ranked == measure])
    verdicts = "; ".join(f"{shortened(name)}: {_verdict(result)}" for name, result in results.items())
    differences = "; ".join(
        f"{shortened(name)}: {_estimate(result)} against {called(result.best_control)}, {_verdict(result)}"
        for name, result in results.items()
    )
    n = ", ".join(f"{shortened(name)} {_test_sites(result):,}{_positives(result)}" for name, result in results.items())
    return Picture(
        "verdict",
        verdicts if len(verdicts) < 80 else f"verdicts on {len(results)} targets",
        f"First the score of linear probes on each feature set, then trained states minus each control, paired; bars:"
        f" 95 % intervals of a block bootstrap over test sites (n = {n}). A gain needs the interval over the strongest"
        " control to lie above zero.",
        f"Rows of scores with intervals. Difference from the strongest control: {differences}.",
        figure,
    )


def _sweep(result: ProbeResult) -> Picture:
    """Draw the validation score of every offset, read alone (lines) or together (marks at the right)."""
    score = result.ranked.upper()
    figure, (alone, together) = in_a_row(6.8, 3.2, (3, 2), stacked=4.8, sharey=True)
    styles = colours_of(dict.fromkeys(fit.model for fit in result.sweep))
    joined = list(dict.fromkeys((fit.offsets, fit.pools) for fit in result.sweep if len(fit.offsets) > 1))
    for name, (colour, dashes) in styles.items():
        single = sorted(
            (fit.offsets[0], fit.ranked) for fit in result.sweep if fit.model == name and len(fit.offsets) == 1
        )
        alone.plot(
            *np.array(single).reshape(-1, 2).T,
            color=colour,
            linestyle=dashes,
            marker="o",
            markersize=4,
            label=called(name),
        )
        places = [
            (joined.index((fit.offsets, fit.pools)), fit.ranked)
            for fit in result.sweep
            if fit.model == name and len(fit.offsets) > 1
        ]
        together.plot(*np.array(places).reshape(-1, 2).T, color=colour, linestyle=dashes, marker="s", markersize=4)
    alone.set(xlabel="symbols read after the site", ylabel=f"{score} on validation", title="one offset")
    named = [f"{len(offsets)}{f'+{len(pools)}' if pools else ''}" for offsets, pools in joined]
    together.set_xticks(range(len(joined)), named)
    together.set(xlabel="offsets (+ pools) read together", ylabel=f"{score} on validation", title="several")
    together.label_outer()
    if not joined:
        together.set_visible(False)
    legend_below(figure)
    best = max((fit for fit in result.sweep if fit.model == TRAINED), key=lambda fit: fit.ranked, default=None)
    chosen = ", ".join(map(str, result.offsets))
    pooled = f", and {len(result.pools)} pools," if result.pools else ""
    valid = int((result.sites.part == Part.VALID).sum())
    return Picture(
        f"{result.target}-offsets",
        f"{shortened(result.target)}: states read at {chosen} symbols after the site{pooled} were chosen",
        f"{score} on the validation sites (n = {valid:,}) of states read some symbols after the site, alone or several"
        f" together ({'; '.join(str(SiteReading(*each)) for each in joined)}). The offsets are chosen by the log"
        " likelihood on validation; test sites are not used.",
        f"Line plot of validation {score} against the offset for the trained model and random-init models"
        + (f"; best of the trained {best.ranked:.3f} at {', '.join(map(str, best.offsets))}." if best else "."),
        figure,
    )


def _test_sites(result: ProbeResult) -> int:
    return int((result.sites.part == Part.TEST).sum())


def _true_fraction(result: ProbeResult) -> float:
    test = result.sites.part == Part.TEST
    return float((result.features[TRAINED].label[test] > 0).mean()) if test.any() else 0.0


def _positives(result: ProbeResult) -> str:
    if result.features[TRAINED].threshold is None:
        return ""
    return f" of which {int((result.features[TRAINED].label[result.sites.part == Part.TEST] > 0).sum()):,} true"


def _verdict(result: ProbeResult) -> str:
    difference = result.differences.get(result.best_control)
    return spelled_verdict(result.verdict, difference) if difference else result.verdict


def _estimate(result: ProbeResult) -> str:
    if result.best_control not in result.differences:
        return "no difference given"
    value, low, high = result.differences[result.best_control]
    return f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"
