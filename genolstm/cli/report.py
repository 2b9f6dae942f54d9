"""``genolstm report``: one page for any mix of result files."""

from pathlib import Path
from typing import Annotated

import typer

from genolstm.cli.command import command
from genolstm.cli.options import Output, RunOptions, refuse_all
from genolstm.cli.terminal import Task
from genolstm.errors import UsageError

TITLE = "What the model has learned"


@command()
def report(
    output: Output,
    run: RunOptions,
    results: Annotated[
        list[Path] | None, typer.Argument(help="Result files of any kind, in any order.", show_default=False)
    ] = None,
    multiqc: Annotated[
        Path | None,
        typer.Option("--multiqc", help="Also write the numbers for MultiQC into this folder.", show_default=False),
    ] = None,
    title: Annotated[str, typer.Option("--title", help="Heading of the page.")] = TITLE,
) -> None:
    """Put results on one page: verdicts first, then figures, tables, controls, limits and the commands.

    The page is one file, loads nothing from the internet, and is the same bytes for the same results.

    Example: genolstm report model.h5 splice.h5 gates.h5 -o report.html --multiqc multiqc
    """
    if not results:
        raise UsageError("there is nothing to report: name result files, as in genolstm report model.h5 splice.h5.")
    task = Task("report", run)
    refuse_all([output], results, run)
    from genolstm.report.multiqc import multiqc_paths, write_multiqc
    from genolstm.report.page import sections_of, write_page
    from genolstm.report.reading import read_results

    read = read_results(results)
    sections = sections_of(read)
    content = multiqc_paths(multiqc, read, sections) if multiqc else {}
    if multiqc:
        _make(multiqc)
        refuse_all(content, results, run)
    figures = write_page(output, read, sections, title)
    write_multiqc(content)
    records = {"read": len(read), "used": len(read), "skipped": {}}
    summary = {"results": [each.name for each in read], "figures": figures, "multiqc": [str(path) for path in content]}
    task.done(output, records, summary, message=f"{len(read)} results, {figures} figures")


def _make(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--multiqc {folder} is a file; name a folder.")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as problem:
        raise UsageError(f"--multiqc {folder} cannot be made ({problem.strerror}); name another.") from problem
