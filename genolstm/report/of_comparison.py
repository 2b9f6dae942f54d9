"""What a comparison says: verdicts of differences, and the values of each group."""

import math

from genolstm.report.parts import ReportTable, Section, Tone, Verdict
from genolstm.report.reading import Result
from genolstm.report.wording import interval, number, score_name
from genolstm.store.comparison import Comparison, Difference

TONES = {"better": Tone.YES, "worse": Tone.WORSE}
ROWS = {"probe": "test sites", "score": "known bases"}
DIGITS = 4


def comparison_section(result: Result) -> Section:
    """Tell which groups are better, on what, and by how much."""
    found: Comparison = result.content
    rows = ROWS.get(found.compared, "held-out bases")
    shared = "; ".join(f"{each.target}: {number(each.rows)} {rows}" for each in found.shared)
    tables = [_groups(found, shared)]
    if found.differences:
        tables.append(_differences(found))
    return Section(
        title=f"Comparison of {len(found.files)} {found.compared} files",
        verdicts=[_verdict(row) for row in found.differences]
        or [Verdict(Tone.NOTE, f"{len(found.files)} files of one group: there is nothing to hold them against.")],
        tables=tables,
        terms=[("difference", "paired: the same rows, the same blocks, the same resamples for every file")],
        limits=list(found.notes),
        metrics=[
            (f"difference_{place + 1}", f"{row.target}, {row.measure}: {row.one} less {row.other}", row.value)
            for place, row in enumerate(found.differences)
        ],
    )


def _measure(name: str) -> str:
    return " ".join(score_name(word) for word in name.split())


def _verdict(row: Difference) -> Verdict:
    told = interval(*row.estimate, signed=True, digits=DIGITS)
    corrected = "" if math.isnan(row.p_adjusted) else f"; p {row.p_adjusted:.2g} after correction"
    word = {
        "better": f"{row.one} is better than {row.other}",
        "worse": f"{row.one} is worse than {row.other}",
        "no difference": f"No difference between {row.one} and {row.other} can be claimed",
        "cannot tell": f"There is too little to tell {row.one} from {row.other}",
    }.get(row.verdict, f"{row.one} beside {row.other}, not judged")
    return Verdict(
        TONES.get(row.verdict, Tone.NOTE), f"{row.target}, {_measure(row.measure)}: {word} ({told}{corrected})."
    )


def _groups(found: Comparison, shared: str) -> ReportTable:
    rows = [
        [
            row.target, _measure(row.measure), row.group, number(row.files),
            interval(row.value, row.low, row.high, digits=DIGITS),
            interval(row.sd, math.nan, math.nan, digits=DIGITS) if row.files > 1 else "\N{EN DASH}",
        ]
        for row in found.groups
    ]  # fmt: skip
    return ReportTable(
        f"Groups, on what all files share ({shared}), with 95 % intervals over blocks and files",
        ["target", "measure", "group", "files", "mean", "SD over files"],
        rows,
    )


def _differences(found: Comparison) -> ReportTable:
    rows = [
        [
            row.target, _measure(row.measure), f"{row.one} less {row.other}",
            interval(*row.estimate, signed=True, digits=DIGITS), *(_p(each) for each in (row.p, row.p_adjusted)),
            row.verdict,
        ]
        for row in found.differences
    ]  # fmt: skip
    columns = ["target", "measure", "groups", "difference", "p", "p corrected (Holm)", "verdict"]
    return ReportTable("Differences, paired, with 95 % intervals", columns, rows)


def _p(value: float) -> str:
    return "\N{EN DASH}" if math.isnan(value) else number(value, 2)
