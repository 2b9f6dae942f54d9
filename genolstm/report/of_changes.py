"""What every single-base change of a region does, by old and new base."""

import numpy as np

from genolstm.report.parts import ReportTable, Section, Tone, Verdict
from genolstm.report.reading import Result
from genolstm.report.wording import interval, number, percent
from genolstm.store.variants import LETTERS, SnvSummary


def changes_section(result: Result) -> Section:
    """How many changes were scored, and the mean of each substitution."""
    found: SnvSummary = result.content
    total = int(found.changes.sum())
    rows = [
        [f"{LETTERS[old]}>{LETTERS[new]}", number(int(found.changes[old, new])),
         interval(float(found.mean[old, new]), np.nan, np.nan, signed=True)]
        for old, new in zip(*np.nonzero(found.changes), strict=True)
    ]  # fmt: skip
    text = (
        f"{number(total)} changes of {number(found.bases)} bases, scored over the base and {number(found.window)}"
        f" bases after it on either strand; {percent(found.seen, found.bases)} of the bases were trained on."
    )
    return Section(
        title="Every single-base change",
        verdicts=[Verdict(Tone.NOTE, text)],
        tables=[ReportTable("Mean log-likelihood ratio by substitution", ["change", "changes", "bits"], rows)],
        terms=[("log-likelihood ratio", "log2 P(changed) - log2 P(as it is), mean of both strands")],
        limits=["A ratio says how unusual a change is for the model, not what it does to the organism."],
        metrics=[("changes", "Single-base changes", float(total))],
        judged=False,
    )
