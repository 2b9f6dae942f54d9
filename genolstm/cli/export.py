"""``genolstm export``: any table of a result file for other programs, and a session for IGV."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.command import command
from genolstm.cli.options import RunOptions, refuse_all
from genolstm.cli.terminal import Task, printable
from genolstm.errors import InputError, UsageError
from genolstm.settings.export import Scale
from genolstm.settings.option import option
from genolstm.settings.quantities import parse_names

if TYPE_CHECKING:
    from genolstm.regions import Region
    from genolstm.store.tables import Table, TableFile

log = logging.getLogger(__name__)

TSV, BED, BIGWIG, BEDGRAPH = (".tsv", ".tsv.gz"), (".bed", ".bed.gz"), (".bw", ".bigwig"), (".bedgraph", ".bedgraph.gz")
SESSION = (".xml",)
ENDINGS = (*TSV, *BED, *BIGWIG, *BEDGRAPH, *SESSION)
LISTED = 5  # columns of a table that are shown in full; of more only their number
UNKNOWN_LENGTH = 1 << 62  # of a contig in a file that does not record it


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What is written where, and what a session opens."""

    output: Path | None = option(
        None,
        "OUT.tsv[.gz], .bed[.gz], .bw, .bedgraph[.gz], or .xml for an IGV session; - is a TSV on stdout.",
        "--output",
        "-o",
    )
    table: str | None = option(None, "Which table or track; the main one when left out.")
    tables: bool = option(False, "List tables, tracks, columns and units, and stop.")
    region: str | None = option(None, "Only rows that overlap it, as chrI:1,001-2,000.")
    score_column: str | None = option(None, "BED: column that becomes the score; the main one when left out.")
    score_scale: Scale | None = option(
        None,
        "BED: how it becomes 0 to 1000: 1000 x probability of log odds, 1000 x fraction, count as it is, or range from"
        " the lowest to the highest value; by its unit when left out.",
    )
    columns: tuple[str, ...] = option(
        (), "BED: columns to keep after the sixth (comma separated, or all).", read=parse_names
    )
    genome: Path | None = option(None, "Genome file; a bigWig of methylation needs its lengths.")
    fasta: Path | None = option(None, "Genome that a session opens.")
    annotation: Path | None = option(None, "Genes that a session opens.")


@command()
def export(
    results: Annotated[
        list[Path], typer.Argument(help="Result file; or, for a session, the tracks it opens.", show_default=False)
    ],
    options: ExportOptions,
    run: RunOptions,
) -> None:
    """Write any table of a result file as TSV or BED, and tracks as bigWig or bedGraph; or a session for IGV.

    Positions are 0-based; numbers keep all their digits, NaN is NA. BED is in the order of the genome.

    Example: genolstm export fit.h5 -o sites.tsv; genolstm export score.h5 -o bits.bw; genolstm export bits.bw
    variants.vcf.gz -o igv.xml --fasta genome.fa --annotation genes.gff3
    """  # fmt: skip
    output = options.output
    task = Task("export", replace(run, quiet=run.quiet or options.tables or output == Path("-")))
    if options.tables:
        _list_tables(_only(results))
        return
    ending = _ending(output)
    if output is None:
        raise UsageError(f"no output is named: give --output with one of {', '.join(ENDINGS)}, or --tables for a list.")
    if output != Path("-"):
        refuse_all([output], [*results, options.genome, options.fasta, options.annotation], run)
    if ending in SESSION:
        _refuse({"--table": options.table, "--region": options.region, "--genome": options.genome}, "a session")
        written = _session(output, results, options.fasta, options.annotation)
    else:
        of_session = {"--fasta": options.fasta, "--annotation": options.annotation}
        _refuse(of_session, f"{ending}, only for a session (.xml)")
        written = _write(_only(results), output, ending, options)
    message = ", ".join(
        f"{value:,} {name}" if isinstance(value, int) else f"{value}" for name, value in written.items()
    )
    task.done(output, {}, written, message=message)


def _only(files: list[Path]) -> Path:
    if len(files) != 1:
        raise UsageError(f"{len(files)} files are given: export one at a time, or name an .xml output for a session.")
    return files[0]


def _ending(output: Path | None) -> str:
    if output is None or output == Path("-"):
        return TSV[0]
    for ending in sorted(ENDINGS, key=len, reverse=True):
        if output.name.lower().endswith(ending):
            return ending
    raise UsageError(f"output {output} must end in one of {', '.join(ENDINGS)}; name it so.")


def _refuse(options: dict[str, Any], where: str) -> None:
    for name, value in options.items():
        if value is not None:
            raise UsageError(f"{name} has no effect on {where}: leave it out.")


def _write(path: Path, output: Path, ending: str, options: ExportOptions) -> dict[str, Any]:
    from genolstm.store.tables import open_tables
    from genolstm.writers.rows import write_rows

    if ending not in BED:
        of_bed = {
            "--score-column": options.score_column, "--score-scale": options.score_scale,
            "--columns": options.columns or None,
        }  # fmt: skip
        _refuse(of_bed, f"{ending}, only for a BED")
    with open_tables(path) as file:
        place = _region(file, options.region)
        if ending in (*BIGWIG, *BEDGRAPH):
            return _write_track(file, output, ending, options.table, place, options.genome)
        _refuse({"--genome": options.genome}, f"{ending}, only for a bigWig")
        chosen = file.table(options.table)
        if ending in BED:
            return _write_bed(chosen, output, place, options)
        rows = write_rows(output, [column.name for column in chosen.columns], chosen.slabs(place))
        return {"rows": rows, "columns": len(chosen.columns), "table": chosen.name}


def _write_bed(table: "Table", output: Path, place: "Region | None", options: ExportOptions) -> dict[str, Any]:
    from genolstm.export.intervals import bed_slabs, further_columns, scoring_of
    from genolstm.writers.bed import write_bed

    scoring = scoring_of(table, options.score_column, options.score_scale)
    further = further_columns(table, options.columns)
    slabs = bed_slabs(table, place, scoring, further)
    rows = write_bed(output, slabs, further=[column.name for column in further])
    return {"rows": rows, "score": f"the score is {scoring.meaning}", "table": table.name}


def _region(file: "TableFile", text: str | None) -> "Region | None":
    from genolstm.readers.region_text import parse_region

    if text is None:
        return None
    return parse_region(text, file.lengths or dict.fromkeys(file.contigs, UNKNOWN_LENGTH))


def _write_track(
    file: "TableFile", output: Path, ending: str, name: str | None, place: "Region | None", genome: Path | None
) -> dict[str, Any]:
    from genolstm.export.tracks import clipped, known_rows, track_named
    from genolstm.writers.bigwig import write_bigwig
    from genolstm.writers.rows import write_rows

    track = track_named(file, name)
    if ending in BEDGRAPH:
        _refuse({"--genome": genome}, f"{ending}, only for a bigWig")
        rows = write_rows(output, None, known_rows(clipped(track.runs(list(file.contigs)), place)))
        return {"rows": rows, "table": track.name}
    lengths = _lengths(file, genome)
    write_bigwig(output, lengths, clipped(track.runs(list(lengths)), place))
    return {"table": track.name}


def _lengths(file: "TableFile", genome: Path | None) -> dict[str, int]:
    """Length of each contig: from the file where it records them, else from the genome, which must hold them all."""
    if file.lengths is not None:
        _refuse({"--genome": genome}, f"a {file.kind} file, which holds its contigs' lengths")
        return file.lengths
    if genome is None:
        raise UsageError(f"a bigWig needs the length of each contig, which {file.path} does not hold: give --genome.")
    from genolstm.store.genome import open_genome

    lengths = dict(open_genome(genome).length_of)
    if missing := [name for name in file.contigs if name not in lengths]:
        raise InputError(
            f"contig '{missing[0]}' of {file.path} is not in {genome}, which has {', '.join(list(lengths)[:6])};"
            " give the genome that the reads were aligned to."
        )
    return lengths


def _session(output: Path, tracks: list[Path], fasta: Path | None, annotation: Path | None) -> dict[str, Any]:
    from genolstm.writers.igv_session import fasta_form, write_igv_session

    opened = [*([annotation] if annotation else []), *tracks]
    for path in [*([fasta] if fasta else []), *opened]:
        if not path.is_file():
            raise InputError(f"{path} does not exist; a session opens files that are there. Correct the path.")
        if path.suffix == ".h5":
            raise InputError(f"IGV opens no .h5: export tracks of {path} as .bw or .bed first, and name those.")
    if fasta is None:
        log.warning("no --fasta: IGV will ask which genome the tracks belong to")
    else:
        form = fasta_form(fasta)
        if form.packed == "gzip":
            raise InputError(f"{fasta} is packed by gzip, which IGV cannot seek in: unpack it, or use bgzip.")
        if form.missing:
            log.warning("IGV needs %s beside %s: run 'samtools faidx %s'", " and ".join(form.missing), fasta, fasta)
    write_igv_session(output, fasta=fasta, tracks=opened)
    return {"tracks": len(opened)}


def _list_tables(path: Path) -> None:
    from genolstm.errors import UsageError
    from genolstm.export.tracks import tracks_of
    from genolstm.store.tables import open_tables

    with open_tables(path) as file:
        for table in file.tables():
            _print_line(f"table {table.name}: {table.rows:,} rows, {len(table.columns):,} columns")
            for column in table.columns[: None if len(table.columns) <= 4 * LISTED else LISTED]:
                _print_line(f"  {column.name}\t{column.unit}\t{column.meaning}")
            if len(table.columns) > 4 * LISTED:
                _print_line(f"  ... {table.columns[-1].name}\t{table.columns[-1].unit}\t{table.columns[-1].meaning}")
        try:
            for track in tracks_of(file):
                _print_line(f"track {track.name}")
        except UsageError:
            pass


def _print_line(line: str) -> None:
    typer.echo("\t".join(map(printable, line.split("\t"))))  # units and meanings may come from anywhere
