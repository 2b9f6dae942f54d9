"""``genolstm methylation compare``: two groups of samples, site by site or region by region."""

from pathlib import Path
from typing import Annotated, Any

import typer

from genolstm.cli.command import command
from genolstm.cli.figures import draw
from genolstm.cli.methylation_fit import warn_of_samples
from genolstm.cli.options import Output, ResultOptions, refuse_all
from genolstm.cli.terminal import Task, log
from genolstm.settings.methylation import ContrastSettings


@command(settings_file=True)
def compare(
    samples: Annotated[
        Path,
        typer.Argument(help="TSV with file, time, group, replicate (and sample) of each sample.", show_default=False),
    ],
    output: Output,
    settings: ContrastSettings,
    run: ResultOptions,
    group: Annotated[
        list[str] | None, typer.Option("--group", help="The two groups, first and second, if there are more.")
    ] = None,
    regions: Annotated[Path | None, typer.Option("--regions", help="BED: compare over all sites of each.")] = None,
    table: Annotated[Path | None, typer.Option("--table", help="Also write one row a site or region as TSV.")] = None,
) -> None:
    """Compare k, g and half-life of two groups of samples at every site, with intervals and false discovery rate.

    Likelihood-ratio tests of gates of its own in each group against gates in common; reads are beta-binomial, with one
    dispersion that replicates reveal, so that each group needs two. Over regions the reads of their sites are added up.
    q is the smallest false discovery rate at which a site is found (Benjamini & Hochberg).

    Example: genolstm methylation compare samples.tsv --time-offset 0.5 -o differences.h5 --table differences.tsv
    """
    from genolstm.methylation.group_contrast import (
        compared,
        contig_ends,
        contrast_columns,
        contrast_records,
        counts_files,
        group_counts,
    )
    from genolstm.methylation.sample_groups import pair_of
    from genolstm.readers.bed import read_bed
    from genolstm.readers.sample_tables import read_samples
    from genolstm.store.contrast import sentence, write_contrast
    from genolstm.store.files import file_sha256
    from genolstm.writers.tables import write_table

    task = Task("methylation compare", run)
    refuse_all([output, table], [samples, regions], run)
    rows = read_samples(samples)
    refuse_all([output, table], [row.file for row in rows], run)
    names = pair_of(rows, group or (), str(samples))
    counts = group_counts(rows, names)
    elapsed = [row.time + settings.time_offset for name in names for row in rows if row.group == name]
    warn_of_samples(counts, elapsed, unmethylated_at_0=not settings.conversion_error)
    bed = None if regions is None else read_bed(regions, contig_ends(counts), genome_name="the counts")
    found = compared(counts, rows, names, settings, bed)
    records = contrast_records(found)
    given = {"samples": samples, **({"regions": regions} if regions else {}), **counts_files(rows, names)}
    inputs = {name: file_sha256(path) for name, path in given.items()}
    write_contrast(output, found, records, task.provenance({**settings.to_json(), "group": list(names)}, inputs))
    if table:
        write_table(table, contrast_columns(found))
    draw(output, run.figure)
    dispersion, different = found.numbers["dispersion"], found.different
    log.info("dispersion of reads about both groups' fits: %.3f", dispersion)
    summary: dict[str, Any] = {
        found.what: found.given, "tested": len(found), "different": different, "fdr": settings.fdr,
        "dispersion": dispersion, "groups": list(names), "unit": settings.unit,
    }  # fmt: skip
    task.done(
        output, records.to_json(), summary, message=sentence(names, found.what, len(found), different, settings.fdr)
    )
