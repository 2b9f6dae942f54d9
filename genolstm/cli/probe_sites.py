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
    output: Output,
    settings: SitesSettings,
    compute: ComputeOptions,
    run: ResultOptions,
    genome: Annotated[
        Path | None, typer.Option("--genome", help="Genome file made by 'genolstm ingest', that the sites lie on.")
    ] = None,
    sites: Annotated[
        Path | None,
        typer.Option(
            "--sites",
            help="Labels: BED, a table with the columns contig, start, end, strand, label[, part], or a bigWig.",
        ),
    ] = None,
    negatives: Annotated[
        str | None,
        typer.Option("--negatives", help="For positives alone: 'matched' draws negatives like them; or a BED of some."),
    ] = None,
    windows: Annotated[
        Path | None,
        typer.Option(
            "--windows",
            help="In place of --genome and --sites: FASTA of windows of one length, each read from its own start;"
            " '>name label=...[ part=train|valid|test]'.",
        ),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option("--labels", help="Of windows: table with the columns name, label[, part].")
    ] = None,
) -> None:
    """Ask whether hidden states tell any labels: points (states around each) or windows (their mean and maximum).

    Labels are two classes, several, or values. Sites follow the model's own split unless contigs are named, or the
    table has a column 'part'. Beside the trained states stand random-init models, features of the sequence, and labels
    that mean nothing. The verdict is a gain only when the interval of the paired difference from the strongest control
    excludes zero.

    Windows of a FASTA need no genome. Records that share a 31-mer are kept in one part, which is drawn unless named.

    Example: genolstm probe sites model.h5 --genome genome.h5 --sites tss.bed --negatives matched -o sites.h5
    """
    from genolstm.cli.probe_output import report
    from genolstm.model import trained_model
    from genolstm.probes.tasks.sites import MATCHED_NEGATIVES
    from genolstm.probes.tasks.windows import check_sources, labelled_source
    from genolstm.store.checkpoint import read_checkpoint
    from genolstm.store.files import file_sha256
    from genolstm.store.results import write_probe
    from genolstm.stream.reader import GenomeReader

    task = Task("probe sites", run, seed=settings.seed)
    beside = Path(negatives) if negatives and negatives != MATCHED_NEGATIVES else None
    given = {
        "model": model, "genome": genome, "sites": sites, "negatives": beside, "windows": windows, "labels": labels
    }  # fmt: skip
    files = {name: path for name, path in given.items() if path is not None}
    refuse_all([output], files.values(), run)
    check_sources(settings, genome=genome, sites=sites, negatives=negatives, windows=windows, labels=labels)
    task.refuse_stream(sites, beside)
    checkpoint = read_checkpoint(model)
    source = labelled_source(
        checkpoint,
        str(model),
        settings,
        genome=genome,
        sites=sites,
        negatives=negatives,
        windows=windows,
        labels=labels,
    )
    for note in source.notes:
        log.warning("%s", note)
    inputs = {name: source.genome.sha256 if name == "genome" else file_sha256(path) for name, path in files.items()}
    on = task.use_device(compute.device, compute.threads)
    trained = trained_model(checkpoint.model, checkpoint.weights).to(on)
    with task.together() as ranks, ProgressLine("read states", unit="bases", quiet=run.quiet) as line:
        reader = GenomeReader(trained, source.genome, StreamSettings(), ranks=ranks, on_progress=line.show)
        results, records = source.probe(checkpoint, reader, settings=settings, model_name=str(model), log=log.info)
    if not ranks.is_main_process:
        return
    write_probe(output, "sites", results, records, task.provenance(settings.to_json(), inputs))
    draw(output, run.figure)
    report(results, records, output, task)
