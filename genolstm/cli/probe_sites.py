"""``genolstm probe sites``: what hidden states know of any labelled sites or windows."""

from pathlib import Path
from typing import Annotated

import typer

from genolstm.cli.command import command
from genolstm.cli.figures import draw
from genolstm.cli.options import ComputeOptions, Model, Output, ResultOptions, refuse_all
from genolstm.cli.probe_folds import Folds, check_alphabets, fold_models, model_inputs, probe_models, read_models
from genolstm.cli.terminal import ProgressLine, Task, log
from genolstm.errors import UsageError
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
    folds: Folds = False,
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
    from genolstm.cli.probe_output import report, states_reader
    from genolstm.probes.tasks.sites import MATCHED_NEGATIVES
    from genolstm.probes.tasks.windows import check_sources, labelled_source
    from genolstm.store.files import file_sha256
    from genolstm.store.results import write_probe

    task = Task("probe sites", run, seed=settings.seed)
    beside = Path(negatives) if negatives and negatives != MATCHED_NEGATIVES else None
    paths = fold_models(model, folds=folds)
    given = {"genome": genome, "sites": sites, "negatives": beside, "windows": windows, "labels": labels}
    files = {name: path for name, path in given.items() if path is not None}
    refuse_all([output], [*paths, *files.values()], run)
    check_sources(settings, genome=genome, sites=sites, negatives=negatives, windows=windows, labels=labels)
    if folds and windows:
        raise UsageError("--folds are parts of a genome, and --windows stand alone; leave one out.")
    task.refuse_stream(sites, beside)
    models = read_models(paths)
    source = labelled_source(
        models[0].checkpoint, str(paths[0]), settings, genome=genome, sites=sites, negatives=negatives,
        windows=windows, labels=labels,
    )  # fmt: skip
    check_alphabets(models, source.genome)
    for note in source.notes:
        log.warning("%s", note)
    if folds and source.names_parts:
        raise UsageError(f"{sites} names the part of each site, and --folds have parts of their own; leave one out.")
    of_files = {name: source.genome.sha256 if name == "genome" else file_sha256(path) for name, path in files.items()}
    inputs = model_inputs(paths) | of_files
    on = task.use_device(compute.device, compute.threads)
    with task.together() as ranks, ProgressLine("read states", unit="bases", quiet=run.quiet) as line:
        results, records = probe_models(
            models,
            lambda each: states_reader(
                each, source.genome, on, settings.precision, ranks=ranks, on_progress=line.show
            ),
            lambda each, reader, name: source.probe(each, reader, settings=settings, model_name=name, log=log.info),
            settings,
            folds=folds,
        )  # fmt: skip
    if not ranks.is_main_process:
        return
    write_probe(output, "sites", results, records, task.provenance(settings.to_json(), inputs))
    draw(output, run.figure)
    report(results, records, output, task)
