"""``genolstm probe``: what linear probes can read from a model's hidden states."""

from pathlib import Path
from typing import Annotated

import typer

from genolstm.cli.command import command
from genolstm.cli.figures import draw
from genolstm.cli.help import GroupedHelp
from genolstm.cli.options import ComputeOptions, Model, Output, ResultOptions, refuse_all
from genolstm.cli.paths import PathCheckedCommand
from genolstm.cli.probe_accessibility import accessibility
from genolstm.cli.probe_folds import Folds, fold_models, model_inputs, probe_models, read_models
from genolstm.cli.probe_protein import protein
from genolstm.cli.probe_sites import sites
from genolstm.cli.terminal import ProgressLine, Task, log
from genolstm.settings.probe import ProbeSettings

app = typer.Typer(
    cls=GroupedHelp,
    help="Test which biology a model's hidden states encode, with linear probes, each beside its controls.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root() -> None:
    """Test which biology a model's hidden states encode, with linear probes, each beside its controls."""


@app.command(cls=PathCheckedCommand)
@command(settings_file=True)
def splice(
    model: Model,
    genome: Annotated[
        Path, typer.Option("--genome", help="Genome file made by 'genolstm ingest'.", show_default=False)
    ],
    annotation: Annotated[
        Path, typer.Option("--annotation", help="Genes: GTF or GFF3, plain or gzip.", show_default=False)
    ],
    output: Output,
    settings: ProbeSettings,
    compute: ComputeOptions,
    run: ResultOptions,
    folds: Folds = False,
) -> None:
    """Test whether hidden states distinguish splice donors and acceptors from decoys with the same GT or AG.

    States are read around each site, from 40 bases before it to 50 beyond, on both strands, and reduced to principal
    components. Sites follow the model's own split unless contigs are named. Controls are random-init models, the
    sequence window, k-mer counts, composition, shuffled labels and a control task. The verdict is a gain only when the
    interval of the paired difference from the strongest control lies above zero; where it lies below, the states do
    worse.
    torchrun -m genolstm probe splice ... divides contigs and strands over its processes, each on a GPU of its own.

    Example: genolstm probe splice model.h5 --genome genome.h5 --annotation genes.gff3.gz -o splice.h5
    """
    from genolstm.cli.probe_output import report, states_reader
    from genolstm.probes.tasks.splice import probe_splice
    from genolstm.readers.annotation import clip_to_genome, read_annotation
    from genolstm.store.files import Records, file_sha256
    from genolstm.store.genome import open_genome
    from genolstm.store.results import write_probe

    task = Task("probe splice", run, seed=settings.seed)
    paths = fold_models(model, folds=folds)
    refuse_all([output], [*paths, genome, annotation], run)
    task.refuse_stream(annotation)
    opened = open_genome(genome)
    models = read_models(paths, opened)
    inputs = {**model_inputs(paths), "genome": opened.sha256}
    if annotation.is_file():  # a stream cannot be read twice
        inputs["annotation"] = file_sha256(annotation)
    genes, notes = clip_to_genome(
        read_annotation(annotation), opened.length_of, annotation_name=str(annotation), genome_name=str(genome)
    )
    for note in (*genes.warnings, *notes):
        log.warning("%s", note)
    on = task.use_device(compute.device, compute.threads)
    with task.together() as ranks, ProgressLine("read states", unit="bases", quiet=run.quiet) as line:
        results, skipped = probe_models(
            models,
            lambda each: states_reader(
                each, opened, on, settings.precision, ranks=ranks, on_progress=line.show
            ),
            lambda each, reader, name: probe_splice(
                each, reader, genes.transcripts, settings, model_name=name, log=log.info
            ),
            settings,
            folds=folds,
        )  # fmt: skip
    if not ranks.is_main_process:
        return
    records = Records(read=genes.read, used=genes.used, skipped={**genes.skipped, **skipped})
    write_probe(output, "splice", results, records, task.provenance(settings.to_json(), inputs))
    draw(output, run.figure)
    report(results, records, output, task)


app.command(cls=PathCheckedCommand)(accessibility)
app.command(cls=PathCheckedCommand)(protein)
app.command(cls=PathCheckedCommand)(sites)
