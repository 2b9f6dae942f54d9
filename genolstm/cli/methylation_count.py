"""``genolstm methylation count``: reads with modified bases, or tables of counts, to a counts file."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genolstm.cli.figures import Figure, check_figure, draw
from genolstm.cli.terminal import Force, Json, Output, Quiet, Task, log
from genolstm.errors import UsageError
from genolstm.settings.methylation import CountSettings, CountUnit

if TYPE_CHECKING:
    from genolstm.methylation.counting import Counted

SAMPLE_FIELD = "{sample}"  # in the name of a bedMethyl file: one file a sample


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
    genome: Annotated[
        Path | None, typer.Option("--genome", help="Genome file made by 'genolstm ingest'; tables can do without.")
    ] = None,
    code: Annotated[
        str, typer.Option("--code", help="Modification: m 5mC, h 5hmC, a 6mA; mh takes 5mC and 5hmC as one.")
    ] = CountSettings.code,
    motif: Annotated[
        str, typer.Option("--motif", help="IUPAC word and the offset of the modified base, as CG,0 or GATC,1.")
    ] = CountSettings.motif,
    threshold: Annotated[
        float, typer.Option("--threshold", help="Probability from which a call counts, modified or canonical.")
    ] = CountSettings.threshold,
    merge_strands: Annotated[
        bool, typer.Option("--merge-strands", help="Add both strands of a palindromic motif, at the forward base.")
    ] = CountSettings.merge_strands,
    min_mapq: Annotated[
        int, typer.Option("--min-mapq", min=0, help="Mapping quality that a read needs.")
    ] = CountSettings.min_mapq,
    unit: Annotated[
        CountUnit,
        typer.Option("--count", help="A base that both reads of a pair call counts once (molecules) or twice (reads)."),
    ] = CountSettings.count,
    sample: Annotated[
        list[str] | None, typer.Option("--sample", help="Name of a sample, once for each, in order.")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", help="FASTA of a CRAM that does not carry its own.")
    ] = None,
    bedmethyl: Annotated[
        Path | None,
        typer.Option("--bedmethyl", help=f"Also write bedMethyl; with {SAMPLE_FIELD} in the name, one a sample."),
    ] = None,
    figure: Figure = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Count modified and canonical reads at every site of a motif, one column a sample.

    A call counts as modified when its probability reaches the threshold, as canonical when that of no modification
    does; other calls are dropped, and told. Bases that MM leaves out count as canonical unless its mode is '?'. Where
    both reads of a pair call the same base, the first read's call counts, as in Bismark; --count reads takes both.

    Example: genolstm methylation count t00h.bam t04h.bam --genome genome.h5 --merge-strands -o counts.h5
    """
    from genolstm.methylation.counting import count_files
    from genolstm.store.counts import write_counts
    from genolstm.store.files import file_sha256, refuse_existing
    from genolstm.store.genome import open_genome

    task = Task("methylation count", quiet=quiet)
    settings = CountSettings(
        code=code, motif=motif, threshold=threshold, merge_strands=merge_strands, min_mapq=min_mapq, count=unit
    )
    read = [*inputs, *([genome] if genome else []), *([reference] if reference else [])]
    refuse_existing(output, force=force, inputs=read)
    if bedmethyl and SAMPLE_FIELD not in bedmethyl.name:
        refuse_existing(bedmethyl, force=force, inputs=[*read, output])
    check_figure(figure, force=force, inputs=[*read, output])
    opened = open_genome(genome) if genome else None
    hashes = {} if opened is None else {"genome": opened.sha256}
    hashes |= {str(path): file_sha256(path) for path in inputs if path.is_file()}
    counted = count_files(
        inputs, sample or (), opened, settings, fasta=reference, on_progress=lambda text: log.info("%s", text)
    )
    for warning in counted.warnings:
        log.warning("%s", warning)
    beds = _bedmethyl_paths(bedmethyl, counted.counts.samples, force=force, inputs=[*read, output])
    write_counts(output, counted.counts, counted.records, task.provenance(settings.to_json(), hashes), counted.calling)
    _write_beds(beds, counted, code)
    draw(output, figure)
    _report(counted, output, task, unit, as_json=as_json)


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


def _report(counted: "Counted", output: Path, task: Task, unit: CountUnit, *, as_json: bool) -> None:
    """Say what each sample holds, and what was dropped."""
    for sample in counted.samples:
        log.info(
            "%s: %s calls counted, %.1f %% modified; %.1f %% of the calls at sites pass",
            sample.name, f"{sample.counted:,}", 100 * sample.modified / sample.counted, 100 * sample.passing,
        )  # fmt: skip
    if counted.dropped:
        log.info("calls not counted: %s", "; ".join(f"{count:,} {why}" for why, count in counted.dropped.items()))
    from genolstm.readers.calls import SECOND_MATE_WORDS

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
        "second_read_calls": counted.dropped.get(SECOND_MATE_WORDS, 0),
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
    word = f"{len(counted.counts):,} sites, {calls:,} calls, {100 * modified / calls:.1f} % modified"
    task.done(output, counted.records.to_json(), summary, as_json=as_json, word=word)
