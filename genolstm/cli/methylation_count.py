"""``genolstm methylation count``: reads with modified bases, or tables of counts, to a counts file."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genolstm.cli.command import command
from genolstm.cli.figures import draw
from genolstm.cli.options import Output, ResultOptions, refuse_all
from genolstm.cli.terminal import Task, log
from genolstm.errors import UsageError
from genolstm.settings.methylation import CountSettings, CountUnit
from genolstm.settings.option import option

if TYPE_CHECKING:
    from genolstm.methylation.counting import Counted

SAMPLE_FIELD = "{sample}"  # in the name of a bedMethyl file: one file a sample


@dataclass(frozen=True, kw_only=True)
class CountFiles:
    """Files beside the reads and the counts."""

    genome: Path | None = option(None, "Genome file made by 'genolstm ingest'; tables can do without.")
    reference: Path | None = option(None, "FASTA of a CRAM that does not carry its own.")
    bedmethyl: Path | None = option(None, f"Also write bedMethyl; with {SAMPLE_FIELD} in the name, one a sample.")


@command()
def count(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            help="BAM, CRAM or SAM with MM/ML or XM tags; bedMethyl, Bismark .cov or cytosine report, MethylDackel,"
            " allc, methylKit, pb-CpG-tools, or a table over time points; - is BAM on stdin.",
            show_default=False,
        ),
    ],
    output: Output,
    files: CountFiles,
    settings: CountSettings,
    run: ResultOptions,
    sample: Annotated[
        list[str] | None, typer.Option("--sample", help="Name of a sample, once for each, in order.")
    ] = None,
) -> None:
    """Count modified and canonical reads at every site of a motif, one column a sample.

    A call counts as modified when its probability reaches the threshold, as canonical when that of no modification
    does; other calls are dropped, and their number is reported. Bases that MM leaves out count as canonical unless
    its mode is '?'. Where both reads of a pair call the same base, the first read's call counts, as in Bismark;
    --count reads takes both.

    Example: genolstm methylation count t00h.bam t04h.bam --genome genome.h5 --merge-strands -o counts.h5
    """
    from genolstm.methylation.counting import count_files
    from genolstm.store.counts import write_counts
    from genolstm.store.files import file_sha256
    from genolstm.store.genome import open_genome

    task = Task("methylation count", run)
    read = [*inputs, *(path for path in (files.genome, files.reference) if path)]
    one_bed = files.bedmethyl if files.bedmethyl and SAMPLE_FIELD not in files.bedmethyl.name else None
    refuse_all([output, one_bed], read, run)
    opened = open_genome(files.genome) if files.genome else None
    hashes = {} if opened is None else {"genome": opened.sha256}
    hashes |= {str(path): file_sha256(path) for path in inputs if path.is_file()}
    counted = count_files(
        inputs, sample or (), opened, settings, fasta=files.reference, on_progress=lambda text: log.info("%s", text)
    )
    for warning in counted.warnings:
        log.warning("%s", warning)
    beds = _bedmethyl_paths(files.bedmethyl, counted.counts.samples, force=run.force, inputs=[*read, output])
    write_counts(output, counted.counts, counted.records, task.provenance(settings.to_json(), hashes), counted.calling)
    _write_beds(beds, counted, settings.code)
    draw(output, run.figure)
    _report(counted, output, task, settings.count)


def _bedmethyl_paths(
    pattern: Path | None, samples: tuple[str, ...], *, force: bool, inputs: list[Path]
) -> dict[str, Path]:
    """Sample -> bedMethyl file. Raises UsageError where one file would have to hold several samples, or exists."""
    from genolstm.store.files import refuse_existing

    if pattern is None:
        return {}
    if SAMPLE_FIELD not in pattern.name:
        if len(samples) > 1:
            raise UsageError(
                f"bedMethyl holds one sample and there are {len(samples)}: put {SAMPLE_FIELD} into the name {pattern}."
            )
        return {samples[0]: pattern}
    paths = {name: pattern.with_name(pattern.name.replace(SAMPLE_FIELD, name.replace("/", "_"))) for name in samples}
    for path in paths.values():
        refuse_existing(path, force=force, inputs=inputs)
    return paths


def _write_beds(paths: dict[str, Path], counted: "Counted", code: str) -> None:
    from genolstm.writers.bedmethyl import write_bedmethyl

    counts = counted.counts
    for column, name in enumerate(counts.samples):
        if name in paths:
            rows = write_bedmethyl(
                paths[name], contigs=counts.contigs, contig=counts.contig, position=counts.position,
                strand=counts.strand, modified=counts.modified[:, column], covered=counts.covered[:, column], code=code,
            )  # fmt: skip
            log.info("wrote %s: %s sites", paths[name], f"{rows:,}")


def _report(counted: "Counted", output: Path, task: Task, unit: CountUnit) -> None:
    """Log what each sample holds, and what was dropped."""
    for sample in counted.samples:
        log.info(
            "%s: %s calls counted, %.1f %% modified; %.1f %% of the calls at sites pass",
            sample.name, f"{sample.counted:,}", 100 * sample.modified / sample.counted, 100 * sample.passing,
        )  # fmt: skip
    if counted.dropped:
        log.info("calls not counted: %s", "; ".join(f"{count:,} {why}" for why, count in counted.dropped.items()))
    from genolstm.readers.calls import SECOND_MATE_REASON

    calls, modified = (sum(getattr(sample, name) for sample in counted.samples) for name in ("counted", "modified"))
    at_sites = sum(sample.calls for sample in counted.samples)
    summary = {
        "sites": len(counted.counts),
        "calls": calls,
        "modified": modified,
        "fraction": modified / calls,
        "passing": calls / at_sites,
        "dropped": counted.dropped,
        "count": unit.value,
        "second_read_calls": counted.dropped.get(SECOND_MATE_REASON, 0),
        "formats": counted.forms,
        "samples": {
            sample.name: {
                "calls": sample.counted,
                "modified": sample.modified,
                "fraction": sample.modified / sample.counted,
                "passing": None if math.isnan(sample.passing) else sample.passing,
            }
            for sample in counted.samples
        },
    }
    message = f"{len(counted.counts):,} sites, {calls:,} calls, {100 * modified / calls:.1f} % modified"
    task.done(output, counted.records.to_json(), summary, message=message)
