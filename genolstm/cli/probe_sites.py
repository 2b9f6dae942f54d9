"""``genolstm probe sites``: what hidden states know of any labelled sites or windows."""

from pathlib import Path
from typing import Annotated

import typer

from genolstm.cli.command import command
from genolstm.cli.figures import draw
from genolstm.cli.options import ComputeOptions, Model, Output, ResultOptions, refuse_all
from genolstm.cli.terminal import ProgressLine, Task, log
from genolstm.settings.reading import StreamSettings
from genolstm.settings.sites import SitesSettings


@command(settings_file=True)
def sites(
    model: Model,
    genome: Annotated[
        Path, typer.Option("--genome", help="Genome file made by 'genolstm ingest'.", show_default=False)
    ],
    sites: Annotated[
        Path,
        typer.Option(
            "--sites",
            help="Labels: BED, a table with the columns contig, start, end, strand, label[, part], or a bigWig.",
            show_default=False,
        ),
    ],
    output: Output,
    settings: SitesSettings,
    compute: ComputeOptions,
    run: ResultOptions,
    negatives: Annotated[
        str | None,
        typer.Option("--negatives", help="For positives alone: 'matched' draws negatives like them; or a BED of some."),
    ] = None,
) -> None:
    """Ask whether hidden states tell any labels: points (states around each) or windows (their mean and maximum).

    Labels are two classes, several, or values. Sites follow the model's own split unless contigs are named, or the
    table has a column 'part'. Beside the trained states stand random-init models, features of the sequence, and labels
    that mean nothing. The verdict is a gain only when the interval of the paired difference from the strongest control
    excludes zero.

    Example: genolstm probe sites model.h5 --genome genome.h5 --sites tss.bed --negatives matched -o sites.h5
    """
    from genolstm.cli.probe_output import report
    from genolstm.model import trained_model
    from genolstm.probes.tasks.sites import MATCHED_NEGATIVES, probe_sites, read_labels
    from genolstm.store.checkpoint import check_alphabet, read_checkpoint
    from genolstm.store.files import file_sha256
    from genolstm.store.genome import open_genome
    from genolstm.store.results import write_probe
    from genolstm.stream.reader import GenomeReader

    task = Task("probe sites", run, seed=settings.seed)
    beside = Path(negatives) if negatives and negatives != MATCHED_NEGATIVES else None
    files = {"model": model, "genome": genome, "sites": sites, **({"negatives": beside} if beside else {})}
    refuse_all([output], files.values(), run)
    task.refuse_stream(sites, beside)
    checkpoint, opened = read_checkpoint(model), open_genome(genome)
    check_alphabet(checkpoint, model, opened)
    labels = read_labels(sites, opened, settings, negatives=beside, matched=negatives == MATCHED_NEGATIVES)
    for note in labels.warnings:
        log.warning("%s", note)
    inputs = {name: opened.sha256 if name == "genome" else file_sha256(path) for name, path in files.items()}
    on = task.use_device(compute.device, compute.threads)
    trained = trained_model(checkpoint.model, checkpoint.weights).to(on)
    with task.together() as ranks, ProgressLine("read states", unit="bases", quiet=run.quiet) as line:
        reader = GenomeReader(trained, opened, StreamSettings(), ranks=ranks, on_progress=line.show)
        results, records = probe_sites(checkpoint, reader, labels, settings, model_name=str(model), log=log.info)
    if not ranks.is_main_process:
        return
    write_probe(output, "sites", results, records, task.provenance(settings.to_json(), inputs))
    draw(output, run.figure)
    report(results, records, output, task)
