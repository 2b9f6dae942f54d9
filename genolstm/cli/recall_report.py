"""Lines and JSON of what recall gained, wherever it is told: each text that it looked in apart from the other."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from genolstm.report.of_recall import WHAT_IT_IS

if TYPE_CHECKING:
    from genolstm.store.recall import RecallBits

TEXTS = {
    "frozen": "frozen (looks in the training sequence alone)",
    "online": "online, a figure apart (also looks in, and learns from, what was scored before)",
}


def recall_lines(rows: "Sequence[RecallBits]", unit: str = "base") -> Iterator[str]:
    """Lines that tell the bits with and without recall, and where its gain lies."""
    from genolstm.store.recall import ALL_READ, FORWARD, TEST

    tested = {(row.mode, row.symbols) for row in rows if row.part == TEST}
    for row in rows:
        if row.part == ALL_READ and (row.mode, row.symbols) in tested:  # the same bases, told once
            continue
        yield (
            f"{row.part}, recall {TEXTS[row.mode]}: network {row.network:.4f}, network + recall {row.mixed:.4f}"
            f" bits/{unit}; without the network: copies + counts {row.without_network:.4f}, counts {row.counts:.4f};"
            f" {_difference(row)}"
        )
        if row.part == FORWARD:  # its windows are those of both strands
            continue
        yield (
            f"  the median of {row.windows:,} windows of 10 kb gains {row.median_gain:.4f} bits/{unit} on the network;"
            f" {_concentration(row)}"
        )
    if rows:
        yield WHAT_IT_IS


def _difference(row: "RecallBits") -> str:
    better = "network" if row.network <= row.without_network else "copies + counts"
    if not math.isfinite(row.low):
        return f"{row.difference:+.4f} from the better of the two ({better}), and too few blocks for an interval"
    interval = f"{row.difference:+.4f} [{row.low:+.4f}, {row.high:+.4f}]"
    word = "below" if row.high < 0 else "above" if row.low > 0 else "no difference from"
    return f"{word} the better of the two ({better}): {interval}"


def _concentration(row: "RecallBits") -> str:
    if math.isnan(row.top_fraction):
        return "there is no gain in all"
    return f"{100 * row.top_fraction:.0f} % of the gain lies in the best 5 % of windows"


def recall_summary(rows: "Sequence[RecallBits]") -> list[dict[str, Any]]:
    """The same as --json prints it."""
    return [
        {name: value if not isinstance(value, float) or math.isfinite(value) else None for name, value in row.items()}
        for row in (each._asdict() for each in rows)
    ]
