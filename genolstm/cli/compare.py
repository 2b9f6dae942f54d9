"""``genolstm compare``: results and models against each other, paired, on what they share."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.command import command
from genolstm.cli.figures import draw
from genolstm.cli.options import Output, ResultOptions, refuse_all
from genolstm.cli.terminal import Task, log
from genolstm.settings.compare import CompareSettings

if TYPE_CHECKING:
    from genolstm.readers.annotation import Transcript
    from genolstm.store.comparison import Comparison, Difference, GroupValue

UNITS = {"probe": "test sites", "score": "known bases", "checkpoint": "held-out bases"}


@command(settings_file=True)
def compare(
    results: Annotated[
        list[Path],
        typer.Argument(help="Probe results, score files, or models: two or more of one kind.", show_default=False),
    ],
    output: Output,
    settings: CompareSettings,
    run: ResultOptions,
    group: Annotated[
        list[str] | None,
        typer.Option("--group", help="Setting that a file is a seed of: once a file, in their order."),
    ] = None,
    annotation: Annotated[
        Path | None,
        typer.Option(
            "--annotation", help="Score files: genes (GTF or GFF3), for bits in CDS, UTRs, introns and between genes."
        ),
    ] = None,
) -> None:
    """Compare results of several models, paired, on what they share: same sites, same blocks, same resamples.

    Probe results: score of the trained states, and gain over each file's own best control, on the test sites that all
    have. Score files of one genome: bits of the bases that all scored, and of each class of an annotation on contigs
    that no model saw. Models: their held-out bits, side by side.

    Better or worse is said only where the interval of a difference excludes zero and its p, corrected by Holm over all
    differences of one measure, is below 0.05. Files of one group are seeds of one setting, and are resampled too.

    Example: genolstm compare a1.h5 a2.h5 b1.h5 b2.h5 --group a --group a --group b --group b -o compare.h5
    """
    from genolstm.comparing.whole import compare as compare_files
    from genolstm.comparing.whole import genes_of_classes
    from genolstm.store.comparison import write_comparison
    from genolstm.store.files import Records, file_sha256

    task = Task("compare", run, seed=settings.seed)
    refuse_all([output], [*results, annotation], run)
    records, inputs = Records(), {}
    transcripts: tuple[Transcript, ...] = ()
    if annotation:
        genes, notes = genes_of_classes(results, annotation)
        for note in notes:
            log.warning("%s", note)
        records, transcripts = Records(read=genes.read, used=genes.used, skipped=genes.skipped), genes.transcripts
        if annotation.is_file():  # a stream cannot be read twice
            inputs["annotation"] = file_sha256(annotation)
    found = compare_files(results, group or (), settings, transcripts=transcripts)
    records.read, records.used = records.read + len(found.files), records.used + len(found.files)
    asked = {**settings.to_json(), "group": group or []}
    write_comparison(output, found, records, task.provenance(asked, {**found.inputs, **inputs}))
    draw(output, run.figure)
    _log(found)
    task.done(output, records.to_json(), _summary(found), message=_word(found))


def _log(found: "Comparison") -> None:
    for each in found.shared:
        blocks = f" in {each.blocks:,} blocks" if each.blocks else ""
        log.info("%s: %s shared%s", each.target, f"{each.rows:,} {UNITS[found.compared]}", blocks)
    for value in found.groups:
        log.info("  %s", _group(value))
    for difference in found.differences:
        log.info("  %s", _difference(difference))
    for note in found.notes:
        log.info("%s", note)


def _ends(low: float, high: float, *, sign: str = "") -> str:
    return "" if math.isnan(low) else f" [{low:{sign}.4f}, {high:{sign}.4f}]"


def _group(row: "GroupValue") -> str:
    seeds = f", mean of {row.files} files, SD {row.sd:.4f}" if row.files > 1 else ""
    return f"{row.target}, {row.measure}, {row.group}: {row.value:.4f}{_ends(row.low, row.high)}{seeds}"


def _difference(row: "Difference") -> str:
    p = "" if math.isnan(row.p) else f", p {row.p:.2g}, corrected {row.p_adjusted:.2g}"
    ends = _ends(row.low, row.high, sign="+")
    return f"{row.target}, {row.measure}, {row.one} less {row.other}: {row.value:+.4f}{ends}{p}: {row.verdict}"


def _word(found: "Comparison") -> str:
    if not found.differences:
        return f"{len(found.files)} files of one group"
    told = [each.verdict for each in found.differences]
    return ", ".join(f"{told.count(word)} {word}" for word in dict.fromkeys(told))


def _summary(found: "Comparison") -> dict[str, Any]:
    """The JSON summary. An interval is [value, low, high], null where there is none."""

    def rows(name: str) -> list[dict[str, Any]]:
        return [_plain(row._asdict()) for row in getattr(found, name)]

    return {
        "compared": str(found.compared),
        "notes": list(found.notes),
        **{name: rows(name) for name in ("files", "shared", "values", "groups", "differences")},
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON can hold it, its value and ends as one list."""

    def number(value: Any) -> Any:  # noqa: ANN401
        return value if not isinstance(value, float) or math.isfinite(value) else None

    told = {name: number(value) for name, value in row.items() if name not in {"low", "high"}}
    if "low" in row:
        told["value"] = [number(row[name]) for name in ("value", "low", "high")]
    return told
