"""``genolstm control``: features of another program under the protocol and the controls of ``probe sites``."""

from pathlib import Path
from typing import Annotated

import typer

from genolstm.cli.command import command
from genolstm.cli.figures import draw
from genolstm.cli.options import Output, ResultOptions, Threads, refuse_all
from genolstm.cli.terminal import Task, log
from genolstm.settings.control import ControlSettings
from genolstm.settings.train import DeviceName


@command(settings_file=True)
def control(
    features: Annotated[
        Path,
        typer.Argument(
            help="Table of features, a row a site: .h5ad (X and obs), .npz or .h5 (array 'features', beside it contig,"
            " start, end, strand, name), a file of 'genolstm embed', or text with tabs and a header.",
            show_default=False,
        ),
    ],
    genome: Annotated[
        Path, typer.Option("--genome", help="Genome file made by 'genolstm ingest'.", show_default=False)
    ],
    sites: Annotated[
        Path,
        typer.Option(
            "--sites",
            help="Labels: BED, a table with the columns contig, start, end, strand, label[, part, name], or a bigWig.",
            show_default=False,
        ),
    ],
    output: Output,
    settings: ControlSettings,
    run: ResultOptions,
    random_init: Annotated[
        list[Path] | None,
        typer.Option("--random-init", help="Table of the same model before training; may be given again."),
    ] = None,
    threads: Threads = 0,
) -> None:
    """Judge features that another program made of labelled sites as 'probe sites' judges hidden states.

    A linear probe of the features stands beside features of the sequence, labels that mean nothing, and tables of the
    same model before training. The verdict is a gain only when the interval of the paired difference from the strongest
    control lies above zero. Rows are matched to sites by coordinates, by names, or by order where their number agrees.
    Parts are named by --test-contigs or the column 'part'. What the features were trained on is not known here.

    Example: genolstm control model_x.h5ad --random-init model_x_untrained.h5ad --genome genome.h5 --sites labels.bed
    --test-contigs III -o control.h5
    """
    from genolstm.cli.probe_output import report
    from genolstm.probes.feature_table import read_feature_table
    from genolstm.probes.tasks.control import judge_table
    from genolstm.probes.tasks.sites import read_labels
    from genolstm.store.files import file_sha256
    from genolstm.store.genome import open_genome
    from genolstm.store.results import write_probe

    task = Task("control", run, seed=settings.seed)
    given = random_init or []
    files = {"features": features, "genome": genome, "sites": sites}
    files |= {f"random_init_{number}": path for number, path in enumerate(given, 1)}
    refuse_all([output], files.values(), run)
    task.use_device(DeviceName.CPU, threads)
    opened = open_genome(genome)
    labels = read_labels(sites, opened, settings.of_sites)
    for note in labels.warnings:
        log.warning("%s", note)
    table, twins = read_feature_table(features), [read_feature_table(path) for path in given]
    inputs = {
        name: opened.sha256 if name == "genome" else file_sha256(path) for name, path in files.items() if path.is_file()
    }
    results, records = judge_table(table, twins, labels, opened, settings, log=log.info)
    write_probe(output, "control", results, records, task.provenance(settings.to_json(), inputs))
    draw(output, run.figure)
    report(results, records, output, task)
