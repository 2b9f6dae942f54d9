"""``genolstm methylation compare``: two groups of samples, site by site or region by region."""

from pathlib import Path
from typing import Annotated, Any

import typer

from genolstm.cli.command import command
from genolstm.cli.options import ResultOptions, refuse_all
from genolstm.cli.terminal import Task, log
from genolstm.settings.methylation import ContrastSettings


@command(settings_file=True)
def compare(
    samples: Annotated[
        Path,
        typer.Argument(help="TSV with file, time, group, replicate (and sample) of each sample.", show_default=False),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="TSV to write.", show_default=False)],
    settings: ContrastSettings,
    run: ResultOptions,
    group: Annotated[
        list[str] | None, typer.Option("--group", help="The two groups, first and second, if there are more.")
    ] = None,
    regions: Annotated[Path | None, typer.Option("--regions", help="BED: compare over all sites of each.")] = None,
) -> None:
    """Compare k, g and half-life of two groups of samples at every site, with intervals and false discovery rate.

    Likelihood-ratio tests of gates of its own in each group against gates in common; reads are beta-binomial, with one
    dispersion that replicates reveal, so that each group needs two. Over regions the reads of their sites are added up.
    q is the smallest false discovery rate at which a site is found (Benjamini & Hochberg).

    Example: genolstm methylation compare samples.tsv --time-offset 0.5 -o differences.tsv
    """
    from genolstm.methylation.group_contrast import compared, contig_ends, contrast_columns, group_counts
    from genolstm.methylation.sample_groups import pair_of
    from genolstm.readers.bed import read_bed
    from genolstm.readers.sample_tables import read_samples
    from genolstm.store.files import Records
    from genolstm.writers.tables import write_table

    task = Task("methylation compare", run)
    refuse_all([output], [samples, regions], run)
    rows = read_samples(samples)
    refuse_all([output], [row.file for row in rows], run)
    names = pair_of(rows, group or (), str(samples))
    counts = group_counts(rows, names)
    bed = None if regions is None else read_bed(regions, contig_ends(counts), genome_name="the counts")
    result = compared(counts, rows, names, settings, bed)
    write_table(output, contrast_columns(result, settings.unit))
    if run.figure:
        from genolstm.figures.contrast import contrast_picture
        from genolstm.figures.style import save, styled, titled

        with styled():
            save(titled(contrast_picture(result, settings)), run.figure)
    found = result.found
    tested = len(found.rows)
    skipped = {f"fewer than {settings.min_reads} reads, or one age, in a group": result.given - tested}
    records = Records(read=result.given, used=tested, skipped={name: n for name, n in skipped.items() if n})
    different = {name: int((q <= settings.fdr).sum()) for name, q in
                 (("either", found.q), ("rate", found.rate.q), ("steady", found.steady.q))}  # fmt: skip
    what = "sites" if regions is None else "regions"
    log.info("dispersion of reads about both groups' fits: %.3f", found.dispersion)
    summary: dict[str, Any] = {
        what: result.given, "tested": tested, "different": different, "fdr": settings.fdr,
        "dispersion": found.dispersion, "groups": list(names), "unit": settings.unit,
    }  # fmt: skip
    message = (
        f"{tested:,} of {result.given:,} {what} compared; at a false discovery rate of {settings.fdr:g} {names[1]}"
        f" differs from {names[0]} at {different['either']:,} (k {different['rate']:,}, g {different['steady']:,})"
    )
    task.done(output, records.to_json(), summary, message=message)
