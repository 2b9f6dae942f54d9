"""Part of a section on recall: bits with and without it, and where its gain lies."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from genolstm.report.parts import ReportTable, Tone, Verdict
from genolstm.report.wording import interval, number

if TYPE_CHECKING:
    from genolstm.store.recall import RecallBits

WHAT_IT_IS = (
    "network + recall is the model plus recall (copies and counts of what was read before), not a better model of"
    " ordinary sequence: see the median window"
)
TERMS = (
    (
        "recall, frozen",
        "copies and counts of the model's training sequence, mixed with the network",
    ),
    ("recall, online", "also copies, counts and weights of what was scored before: another text, another column"),
    ("median window", "bits per base that the median window of 10 kb gains over the network alone"),
)


def recall_verdicts(rows: "Sequence[RecallBits]") -> list[Verdict]:
    """A sentence for each text that recall looked in, on the part held out for test."""
    return [_verdict(row) for row in rows if row.part == "test"]


def _verdict(row: "RecallBits") -> Verdict:
    name, best = min(("the network", row.network), ("copies and counts", row.without_network), key=lambda each: each[1])
    with_ends = interval(row.difference, row.low, row.high, digits=4, signed=True)
    tone = Tone.NOTE if not math.isfinite(row.low) else Tone.YES if row.high < 0 else Tone.NO
    where = (
        f"{100 * row.top_fraction:.0f} % of the gain lies in the best 5 % of windows"
        if math.isfinite(row.top_fraction)
        else "there is no gain in all"
    )
    return Verdict(
        tone,
        f"With {row.mode} recall the test part takes {row.mixed:.4f} bits/base, {with_ends} from the better of its"
        f" parts ({name}, {best:.4f}); the median window gains {row.median_gain:.4f}, and {where}.",
    )


def recall_table(rows: "Sequence[RecallBits]") -> ReportTable:
    """Bits of every line of every text and part."""
    shown = [
        [
            row.mode, row.part, number(row.symbols), *(
                f"{bits:.4f}" for bits in (row.network, row.mixed, row.without_network, row.counts)
            ),
            interval(row.difference, row.low, row.high, digits=4, signed=True), f"{row.median_gain:.4f}",
            f"{100 * row.top_fraction:.0f} %" if math.isfinite(row.top_fraction) else "no gain",
        ]
        for row in rows
    ]  # fmt: skip
    headings = [
        "recall", "part", "known bases", "network", "network + recall", "copies + counts", "counts",
        "less the better part", "median window gains", "of the gain in the best 5 %",
    ]  # fmt: skip
    return ReportTable("Bits per base with recall", headings, shown)
