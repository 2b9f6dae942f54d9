"""What every single-base change of a region does, by old and new base."""

import numpy as np

from genolstm.report.parts import ReportTable, Section, Tone, Verdict
from genolstm.report.reading import Result
from genolstm.report.wording import interval, number, percent
from genolstm.store.variants import LETTERS, SnvSummary, StrongChange


def changes_section(result: Result) -> Section:
    """How many changes were scored, and the mean of each substitution."""
    found: SnvSummary = result.content
    total = int(found.changes.sum())
    rows = [
        [f"{LETTERS[old]}>{LETTERS[new]}", number(int(found.changes[old, new])),
         interval(float(found.mean[old, new]), np.nan, np.nan, signed=True)]
        for old, new in zip(*np.nonzero(found.changes), strict=True)
    ]  # fmt: skip
    unlikely = (
        f"{percent(found.unlikely, total)} of {number(total)} single-base changes make the sequence less likely for the"
        f" model, the most of all {_named(found.strongest[0])} by {number(-found.strongest[0].ratio, 3)} bits."
        if found.unlikely
        else f"None of {number(total)} single-base changes makes the sequence less likely for the model."
    )
    verdicts = [Verdict(Tone.NOTE, unlikely)]
    if np.isfinite(found.correlation):
        text = (
            f"The ratios correlate with those of an interpolated Markov model by r = {found.correlation:.2f}: a part of"
            f" {found.correlation**2:.0%} of their variance that short words explain."
        )
        verdicts.append(Verdict(Tone.NOTE, text))
    text = (
        f"Scored over the base and {number(found.window)} bases after it on either strand, of {number(found.bases)}"
        f" bases; {percent(found.seen, found.bases)} of these were trained on."
    )
    verdicts.append(Verdict(Tone.NOTE, text))
    return Section(
        title="Every single-base change",
        verdicts=verdicts,
        tables=[
            _strongest(found),
            ReportTable("Mean log-likelihood ratio by substitution", ["change", "changes", "bits"], rows),
        ],
        terms=[("log-likelihood ratio", "log2 P(changed) - log2 P(as it is), mean of both strands")],
        limits=["A ratio says how unusual a change is for the model, not what it does to the organism."],
        metrics=[("changes", "Single-base changes", float(total))],
        judged=False,
    )


def _named(change: StrongChange) -> str:
    return f"{change.contig}:{change.position + 1:,} {change.reference}>{change.alternative}"


def _strongest(found: SnvSummary) -> ReportTable:
    rows = [
        [
            _named(row), f"{row.ratio:+.2f}", f"{row.markov_ratio:+.2f}" if np.isfinite(row.markov_ratio) else "",
            f"{row.percentile:.1f}" if np.isfinite(row.percentile) else "",
        ]
        for row in found.strongest
    ]  # fmt: skip
    headings = ["change", "bits", "bits by the Markov model", "percentile of its kind"]
    kept = [at for at in range(len(headings)) if at < 2 or any(row[at] for row in rows)]
    return ReportTable(
        "Most unlikely changes", [headings[at] for at in kept], [[row[at] for at in kept] for row in rows]
    )
