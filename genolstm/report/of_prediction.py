"""What a prediction says: how many candidates, how well calibrated, how well it finds what is labelled."""

import math

from genolstm.report.parts import ReportTable, Section, Tone, Verdict
from genolstm.report.reading import Result
from genolstm.report.wording import interval, number
from genolstm.store.prediction import PredictedTarget, Prediction, met


def prediction_section(result: Result) -> Section:
    """Tell what was predicted, where it is held out, and precision and recall where there are labels."""
    found: Prediction = result.content
    tables = [_targets(found), _contigs(found)]
    tables += [_judged(each) for each in found.targets if each.judged]
    return Section(
        title=f"Predictions along the genome: {', '.join(each.name for each in found.targets)}",
        verdicts=[Verdict(Tone.NOTE, _sentence(each)) for each in found.targets],
        tables=tables,
        terms=[
            ("candidate", "a place that the probe's task would take: a GT, an AG, a window, a site that was named"),
            ("natural ratio", "true sites among all candidates"),
            ("expected", "sum of all probabilities: the number of true sites, were they right"),
        ],
        limits=list(found.notes),
        metrics=[
            (f"{target.name}_auprc_{place}", f"{target.name}, {row.group}: AUPRC over all candidates", row.auprc)
            for target in found.targets
            for place, row in enumerate(target.judged)
            if math.isfinite(row.auprc)
        ],
        judged=any(each.judged for each in found.targets),
    )


def _sentence(target: PredictedTarget) -> str:
    held = [row for row in target.judged if row.met == "held out" and math.isfinite(row.low)]
    if not held:
        return f"{target.name}: {number(target.count)} candidates predicted."
    row = held[-1]
    return (
        f"{target.name}: AUPRC {interval(row.auprc, row.low, row.high)} over all {number(row.candidates)} candidates of"
        f" held-out contigs, {number(row.positive)} of them true."
    )


def _targets(found: Prediction) -> ReportTable:
    rows = [
        [
            each.name, number(each.count), number(each.natural, 3) if each.natural > 0 else "\N{EN DASH}",
            each.source or "\N{EN DASH}",
            number(each.figures["test_calibration_error"], 3) if each.figures else "\N{EN DASH}",
        ]
        for each in found.targets
    ]  # fmt: skip
    columns = ["target", "candidates", "natural ratio", "from", "calibration error, probe's test rows"]
    return ReportTable("What was predicted", columns, rows)


def _contigs(found: Prediction) -> ReportTable:
    rows = [
        [name, number(int(length)), met(int(flags))]
        for name, length, flags in zip(found.contigs, found.lengths, found.flags, strict=True)
    ]
    return ReportTable("Contigs, and what has met them", ["contig", "bases", "met by"], rows)


def _judged(target: PredictedTarget) -> ReportTable:
    rows = [
        [
            row.group, row.met, number(row.candidates), number(row.positive), interval(row.auprc, row.low, row.high),
            *(interval(each, math.nan, math.nan) for each in (row.topk, row.precision, row.recall)),
            number(round(row.expected)), number(row.calibration_error, 2),
        ]
        for row in target.judged
    ]  # fmt: skip
    columns = [
        "contigs", "met by", "candidates", "true", "AUPRC", "top-k", "precision at 0.5", "recall at 0.5", "expected",
        "calibration error",
    ]  # fmt: skip
    return ReportTable(f"{target.name}: every candidate against the labels", columns, rows)
