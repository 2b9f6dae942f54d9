"""``genolstm track``: aligned reads or fragments to counts per base."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.command import command
from genolstm.cli.figures import draw
from genolstm.cli.options import Output, ResultOptions, refuse_all
from genolstm.cli.terminal import ProgressLine, Task, log
from genolstm.errors import UsageError
from genolstm.settings.option import option
from genolstm.settings.track import Assay, Shift, TrackSettings, parsed_shift

if TYPE_CHECKING:
    from genolstm.readers.alignments import Counted
    from genolstm.readers.bed import Bed
    from genolstm.readers.bigwig_signal import BigWigSignal
    from genolstm.store.genome import Genome
    from genolstm.store.track import Runs, Track, TrackOrigin

BIGWIG = "bigWig"


@dataclass(frozen=True, kw_only=True)
class TrackFiles:
    """Files beside the reads and the track."""

    blacklist: Path | None = option(None, "BED of places to leave out; there nothing is observed.")
    reference: Path | None = option(None, "FASTA that a CRAM must agree with; it is read without, too.")
    bigwig: Path | None = option(None, "Also write the track as bigWig.")


@command()
def track(
    reads: Annotated[
        Path,
        typer.Argument(
            help="BAM, CRAM, SAM, fragments (3 columns, 10x, BED of 6 or BEDPE of 10), or a bigWig; - is stdin.",
            show_default=False,
        ),
    ],
    genome: Annotated[
        Path, typer.Option("--genome", help="Genome file made by 'genolstm ingest'.", show_default=False)
    ],
    output: Output,
    settings: TrackSettings,
    files: TrackFiles,
    run: ResultOptions,
    shift: Annotated[
        str,
        typer.Option(
            "--shift",
            metavar="FORWARD,REVERSE",
            help="bp from the start of a forward read and from the half-open end of a reverse read to the base counted;"
            " apply is 4,-5; done: ends are cuts already; auto: done in 10x fragments and single bases, else apply.",
        ),
    ] = Shift.AUTO.value,
) -> None:
    """Count Tn5 cut sites (+4/-5) or read coverage at each base of a genome, or take a signal from a bigWig.

    A read on [start, end), 0-based and half open, counts at start + 4 if forward and at end - 5 if reverse: 4 bases
    inside its last base, where both ends of one Tn5 insertion meet. Tools that take 5 from the last base itself (end -
    6) are matched by --shift 4,-6.

    Unmapped, secondary, supplementary, duplicate and quality-failed reads are left out, each counted by its reason. No
    index and no order is needed. Contigs that only one of reads and genome has are logged and left out. Of a bigWig the
    values are kept as they are, in the unit 'signal'; bases without a value count 0.

    Example: genolstm track atac.bam --genome genome.h5 -o atac.h5 --bigwig atac.bw
    """
    from genolstm.readers.alignments import count_reads
    from genolstm.readers.bed import read_bed
    from genolstm.readers.bigwig_signal import BigWigSignal, is_bigwig
    from genolstm.readers.tally import Tally
    from genolstm.store.files import Records, file_sha256
    from genolstm.store.genome import open_genome
    from genolstm.store.track import SIGNAL, Intervals, signals, write_track
    from genolstm.writers.bigwig import write_bigwig

    task = Task("track", run)
    given = {"reads": reads, "genome": genome, "blacklist": files.blacklist, "reference": files.reference}
    read = {name: path for name, path in given.items() if path is not None and path.is_file()}
    refuse_all([output, files.bigwig], read.values(), run)
    when, forward, reverse = parsed_shift(shift)
    settings = dataclasses.replace(settings, shift=when, forward_shift=forward, reverse_shift=reverse)
    signal = is_bigwig(reads)
    if signal and (settings != TrackSettings() or files.reference is not None):
        raise UsageError(
            f"{reads} is a bigWig, which holds a signal and no reads: leave out --assay, --shift, --reference and the"
            " filters of reads."
        )
    opened = open_genome(genome)
    masked = read_bed(files.blacklist, opened.length_of, genome_name=str(genome)) if files.blacklist else None
    tally = Tally(opened.length_of, _laid_out(masked, opened), output.parent)
    with tally, ProgressLine("track", unit="reads", quiet=run.quiet) as line:
        if signal:
            wig = BigWigSignal(reads, opened.length_of, str(genome))
            counted = _of_signal(wig)
            runs: Iterable[Runs] = wig.runs()
        else:
            counted = count_reads(
                reads, opened.length_of, settings, tally, genome_name=str(genome), reference=files.reference,
                progress=line.show,
            )  # fmt: skip
            runs = tally.runs()
        for note in (*(masked.warnings if masked else ()), *counted.warnings):
            log.warning("%s", note)
        records = Records(read=counted.read, used=counted.used, skipped=counted.skipped)
        inputs = {name: opened.sha256 if name == "genome" else file_sha256(path) for name, path in read.items()}
        written = write_track(
            output, opened, runs, _origin(settings, counted), observed=counted.observed,
            blacklist=Intervals(*tally.blacklisted_intervals()), records=records,
            provenance=task.provenance({"assay": SIGNAL} if signal else settings.to_json(), inputs),
        )  # fmt: skip
    if files.bigwig is not None:
        write_bigwig(files.bigwig, opened.length_of, signals(written))
        log.info("wrote %s", files.bigwig)
    draw(output, run.figure)
    _report(written, counted, records.to_json(), task)


def _laid_out(masked: "Bed | None", genome: "Genome") -> Any:  # noqa: ANN401  (an array; NumPy is imported late)
    from genolstm.readers.tally import laid_out, no_stretches

    return laid_out(masked.contig, masked.start, masked.end, genome.length_of) if masked else no_stretches()


def _of_signal(wig: "BigWigSignal") -> "Counted":
    """What a bigWig counts for: one record, the file, from which all values are taken."""
    from genolstm.readers.alignments import Counted

    return Counted(
        form=BIGWIG, read=1, used=1, skipped={}, observed=wig.match.observed, shifted=True, warnings=wig.match.warnings
    )


def _origin(settings: TrackSettings, counted: "Counted") -> "TrackOrigin":
    from genolstm.store.track import SIGNAL, TrackOrigin

    if counted.form == BIGWIG:
        return TrackOrigin(assay=SIGNAL, form=BIGWIG, forward_shift=0, reverse_shift=0, filters={})
    moved = settings.assay is Assay.ATAC and not counted.shifted
    of_fragments = counted.form == "fragments"
    return TrackOrigin(
        assay=settings.assay,
        form=counted.form,
        forward_shift=settings.forward_shift if moved else 0,
        reverse_shift=settings.reverse_shift if moved else 0,
        filters={}
        if of_fragments
        else {
            "min_mapq": settings.min_mapq,
            "proper_pairs": settings.proper_pairs,
            "keep_duplicates": settings.keep_duplicates,
        },
    )


def _report(written: "Track", counted: "Counted", records: dict[str, Any], task: Task) -> None:
    """Log what was counted; the main number is that of cuts, or of bases covered."""
    origin = written.origin
    if counted.layout:
        log.info("%s", counted.layout)
    if origin.assay not in set(Assay):
        message = f"{written.unit} at {written.bases:,} bases, {written.total:,.6g} in all"
        summary: dict[str, Any] = {"bases_with_signal": written.bases}
    elif origin.assay == Assay.ATAC:
        shift = (
            f"shifted by {origin.forward_shift:+d}/{origin.reverse_shift:+d}" if not counted.shifted else "not shifted"
        )
        message, summary = f"{written.total:,} cuts at {written.bases:,} bases", {"cuts": written.total}
        log.info("%s: ends of %s %s", counted.form, "fragments" if counted.form == "fragments" else "reads", shift)
    else:
        mean = written.total / max(int(written.lengths.sum()), 1)
        message, summary = f"{written.bases:,} bases covered, mean {mean:.2f}x", {"bases_covered": written.bases}
    more = {
        "form": counted.form,
        "bases_with_counts": written.bases,
        "total": written.total,
        "shifted_already": counted.shifted,
        "contigs_observed": int(counted.observed.sum()),
    }
    task.done(written.path, records, {**summary, **more}, message=message)
