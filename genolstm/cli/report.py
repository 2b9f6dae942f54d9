"""``genolstm report``: one page for any mix of result files."""

from pathlib import Path
from typing import Annotated

import typer

from genolstm.cli.command import command
from genolstm.cli.figures import check_figure, write_pictures
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
    region: Annotated[
        str | None,
        typer.Option(
            "--region",
            help="Also draw this region, as I:1,001-2,000: what all results hold of it, in panels above each other.",
        ),
    ] = None,
    figure: Annotated[
        Path | None, typer.Option("--figure", help="Picture of --region: .svg, .png or .pdf by the ending.")
    ] = None,
    annotation: Annotated[
        Path | None, typer.Option("--annotation", help="Genes (GTF or GFF3), drawn below the panels of --region.")
    ] = None,
) -> None:
    """Put results on one page: verdicts first, then figures, tables, controls, limits and the commands.

    The page is one file, loads nothing from the internet, and is the same bytes for the same results.

    Example: genolstm report model.h5 splice.h5 gates.h5 -o report.html --multiqc multiqc; genolstm report score.h5
    gates.h5 predictions.h5 -o report.html --region I:1,001-1,200 --annotation genes.gff3 --figure region.svg
    """
    if not results:
        raise UsageError("there is nothing to report: name result files, as in genolstm report model.h5 splice.h5.")
    task = Task("report", run)
    if bool(region) != bool(figure) or (annotation and not region):
        raise UsageError("--region is what --figure shows, with the genes of --annotation: give both, or none of them.")
    refuse_all([output], results, run)
    check_figure(figure, force=run.force, inputs=[*results, output])
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
    if region and figure:
        _draw_region(results, region, annotation, figure, output)
    records = {"read": len(read), "used": len(read), "skipped": {}}
    summary = {"results": [each.name for each in read], "figures": figures, "multiqc": [str(path) for path in content]}
    task.done(output, records, summary, message=f"{len(read)} results, {figures} figures")


def _draw_region(results: list[Path], region: str, annotation: Path | None, figure: Path, output: Path) -> None:
    from genolstm.explaining.region import picture_of_region

    write_pictures([picture_of_region(results, region, annotation)], figure, output)


def _make(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--multiqc {folder} is a file; name a folder.")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as problem:
        raise UsageError(f"--multiqc {folder} cannot be made ({problem.strerror}); name another.") from problem
