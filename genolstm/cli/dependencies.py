"""``genolstm dependencies``: which bases the prediction of a base depends on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.command import command
from genolstm.cli.figures import draw
from genolstm.cli.genes import genes_on
from genolstm.cli.options import (
    ComputeOptions,
    GenomeFile,
    Model,
    Output,
    Regions,
    ResultOptions,
    chosen_stretches,
    refuse_all,
)
from genolstm.cli.terminal import ProgressLine, Task, log
from genolstm.errors import InputError, UsageError
from genolstm.settings.explaining import DependencySettings

if TYPE_CHECKING:
    from genolstm.store.dependencies import DependencySummary

BYTES_OF_PAIR = 8  # float32, two directions
MOST_PAIRS = 250_000_000  # of bases and distances: 2 GB
BLOCKS_LOGGED = 8


@command(settings_file=True)
def dependencies(
    model: Model,
    genome: GenomeFile,
    output: Output,
    settings: DependencySettings,
    compute: ComputeOptions,
    run: ResultOptions,
    region: Regions = None,
    annotation: Annotated[
        Path | None,
        typer.Option("--annotation", help="Genes (GTF or GFF3), drawn along the map; or whose introns are tested."),
    ] = None,
) -> None:
    """Map which bases the model's prediction of each base depends on (nucleotide dependencies).

    D[i, j] is the largest change of the log2 odds of any base at j by any change of base i: the forward pass gives j
    after i, the pass over the reverse complement j before i. Squares off the diagonal that stand out from pairs of the
    same bases at about the same distance are listed: stems, repeats, sites that go together.

    With --introns no map is made: donors and acceptors of introns are held against GT..AG pairs at the same distance,
    beside a random-init model.

    Example: genolstm dependencies model.h5 genome.h5 --region I:1,001-2,000 -o dep.h5 --figure dep.png; genolstm
    dependencies model.h5 genome.h5 --region III:1-1M --annotation genes.gff3 --introns 300 -o introns.h5
    """  # fmt: skip
    from genolstm.explaining.whole import dependency_map, intron_couplings
    from genolstm.model import trained_model
    from genolstm.seen import seen_in
    from genolstm.store.checkpoint import check_alphabet, read_checkpoint
    from genolstm.store.files import file_sha256
    from genolstm.store.genome import open_genome
    from genolstm.stream.reader import GenomeReader

    task = Task("dependencies", run, seed=settings.seed)
    if settings.introns and annotation is None:
        raise UsageError("--introns needs the introns of --annotation: name a GTF or GFF3 file.")
    refuse_all([output], [model, genome, annotation], run)
    checkpoint, opened = read_checkpoint(model), open_genome(genome)
    check_alphabet(checkpoint, model, opened)
    if opened.alphabet.complement is None:
        raise InputError(f"{genome} holds proteins, and dependencies are read on both strands of DNA; give a genome.")
    stretches, records = chosen_stretches(region, opened)
    if not settings.introns:
        _refuse_large(stretches.bases, settings.window)
    inputs = {"model": file_sha256(model), "genome": opened.sha256}
    genes = genes_on(annotation, opened, str(genome), records) if annotation else ()
    if annotation and annotation.is_file():
        inputs["annotation"] = file_sha256(annotation)
    provenance = task.provenance({**settings.to_json(), "regions": region or []}, inputs)
    on = task.use_device(compute.device, compute.threads)
    with ProgressLine("dependencies", unit="bases", quiet=run.quiet) as line:
        network = trained_model(checkpoint.model, checkpoint.weights).to(on)
        reader = GenomeReader(network, opened, settings.stream, on_progress=line.show)
        found = (intron_couplings if settings.introns else dependency_map)(
            reader, stretches, settings, output, provenance, records, transcripts=genes
        )
    draw(output, run.figure)
    if note := seen_in(checkpoint, opened).sentence(str(genome), str(model)):
        log.warning("%s", note)
    _report(found, records.to_json(), output, task)


def _refuse_large(bases: int, window: int) -> None:
    """Refuse a map that is too large for memory. Raises UsageError."""
    if bases * window > MOST_PAIRS:
        raise UsageError(
            f"a map of {bases:,} bases at --window {window} takes {bases * window * BYTES_OF_PAIR / 1e9:.1f} GB; at"
            f" most {MOST_PAIRS // window:,} bases fit at this window: name a shorter --region."
        )


def _report(found: "DependencySummary", records: dict[str, Any], output: Path, task: Task) -> None:
    for row in found.blocks[:BLOCKS_LOGGED]:
        log.info(
            "  %s:%d-%d with %d-%d: %.3f, matched %.3f, z %.1f, p %.2g of %s pairs", found.contigs[row.contig],
            row.start + 1, row.end, row.other_start + 1, row.other_end, row.value, row.matched, row.z, row.p,
            f"{row.pairs:,}",
        )  # fmt: skip
    for test in found.tests:
        log.info(
            "  %s: donors and acceptors %.4f, matched pairs %.4f, difference %+.4f [%+.4f, %+.4f] over %d introns: %s",
            test.model, test.value, test.matched, test.difference, test.low, test.high, test.introns, test.verdict,
        )  # fmt: skip
    readings = found.readings
    log.info(
        "%s changes read, %s of them ended early, which saved %s of %s bases", f"{readings['read']:,}",
        f"{readings['ended_early']:,}", f"{readings['symbols_saved']:,}",
        f"{readings['symbols'] + readings['symbols_saved']:,}",
    )  # fmt: skip
    summary = {
        "bases": found.bases, "window": found.window, "readings": dict(readings),
        "blocks": [row._asdict() | {"contig": found.contigs[row.contig]} for row in found.blocks],
        "tests": {
            row.model: {
                "introns": row.introns, "pairs": row.pairs, "value": row.value, "matched": row.matched,
                "difference": [row.difference, row.low, row.high], "verdict": row.verdict,
            }
            for row in found.tests
        },
    }  # fmt: skip
    message = (
        "; ".join(f"{row.model}: {row.verdict}" for row in found.tests)
        if found.tests
        else f"dependencies of {found.bases:,} bases within {found.window}"
    )
    task.done(output, records, summary, message=message)
