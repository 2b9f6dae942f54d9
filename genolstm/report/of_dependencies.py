"""What a dependency map shows, and whether donors and acceptors are coupled."""

from genolstm.report.parts import ReportTable, Section, Tone, Verdict
from genolstm.report.reading import Result
from genolstm.report.wording import interval, number
from genolstm.store.dependencies import DependencySummary

NAMES = {"trained": "The model", "random_init": "A random-init model of the same shape"}
DIGITS = 4


def dependencies_section(result: Result) -> Section:
    """The strongest blocks of a map, or the test of introns."""
    found: DependencySummary = result.content
    readings = found.readings
    text = (
        f"{number(readings['read'])} changes of {number(found.bases)} bases were read over {number(found.window)} bases"
        f" after them; {number(readings['ended_early'])} of these readings ended early, where the states agreed again."
    )
    verdicts = [
        Verdict(
            Tone.YES if row.verdict == "coupled" else Tone.NO,
            f"{NAMES[row.model]}: donors and acceptors of {number(row.introns)} introns against {number(row.pairs)}"
            f" GT..AG pairs at the same distance: {row.verdict}"
            f" ({interval(row.difference, row.low, row.high, signed=True, digits=DIGITS)} bits of log2 odds).",
        )
        for row in found.tests
    ]
    return Section(
        title="Dependencies between bases",
        verdicts=[*verdicts, Verdict(Tone.NOTE, text)],
        tables=[_blocks(found)] if found.blocks else [],
        terms=[("D[i, j]", "largest change of the log2 odds of any base at j by any change of base i")],
        limits=["Blocks are the strongest of the region: their p, by rank, is not corrected for that choice."]
        if found.blocks
        else [],
        metrics=[(f"coupling_{row.model}", f"Coupling of donor and acceptor, {row.model}", row.difference)
                 for row in found.tests],
        judged=bool(found.tests),
    )  # fmt: skip


def _blocks(found: DependencySummary) -> ReportTable:
    rows = [
        [
            f"{found.contigs[row.contig]}:{row.start + 1:,}-{row.end:,}",
            f"{row.other_start + 1:,}-{row.other_end:,}",
            number(row.value), number(row.matched), number(row.z, 3), number(row.p, 2), number(row.pairs),
        ]
        for row in found.blocks
    ]  # fmt: skip
    return ReportTable(
        "Strongest blocks off the diagonal, in bits of log2 odds",
        ["bases", "with", "sum", "matched median", "z", "p by rank", "pairs"],
        rows,
    )
