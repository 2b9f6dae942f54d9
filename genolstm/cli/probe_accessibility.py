"""``genolstm probe accessibility``: whether hidden states predict open chromatin."""

from pathlib import Path
from typing import Annotated

import typer

from genolstm.cli.command import command
from genolstm.cli.figures import draw
from genolstm.cli.options import ComputeOptions, Model, Output, ResultOptions, refuse_all
from genolstm.cli.probe_folds import Folds, fold_models, model_inputs, probe_models, read_models
from genolstm.cli.terminal import ProgressLine, Task, log
from genolstm.settings.probe import AccessibilitySettings


@command(settings_file=True)
def accessibility(
    model: Model,
    genome: Annotated[
        Path, typer.Option("--genome", help="Genome file made by 'genolstm ingest'.", show_default=False)
    ],
    track: Annotated[Path, typer.Option("--track", help="Track made by 'genolstm track'.", show_default=False)],
    output: Output,
    settings: AccessibilitySettings,
    compute: ComputeOptions,
    run: ResultOptions,
    peaks: Annotated[
        Path | None, typer.Option("--peaks", help="Open regions: narrowPeak or BED; without, the top windows are open.")
    ] = None,
    blacklist: Annotated[
        Path | None, typer.Option("--blacklist", help="BED of places to leave out, beside those of the track.")
    ] = None,
    folds: Folds = False,
) -> None:
    """Test whether hidden states, pooled over windows, predict open chromatin: peaks (logistic) and signal (ridge).

    Windows follow the model's own split unless contigs are named. Controls are random-init models, GC, k-mer counts,
    the binned sequence, shuffled and shifted labels. The verdict is a gain only when the interval of the paired
    difference from the strongest control lies above zero; where it lies below, the states do worse. With peaks, the
    forget gate is tested at their edges.
    torchrun -m genolstm probe accessibility ... divides contigs and strands over its processes, each on its own GPU.

    Example: genolstm probe accessibility model.h5 --genome genome.h5 --track atac.h5 --peaks p.narrowPeak -o access.h5
    """
    from genolstm.cli.probe_output import report, states_reader
    from genolstm.probes.tasks.accessibility import Chromatin, probe_accessibility
    from genolstm.readers.bed import read_bed
    from genolstm.store.files import file_sha256
    from genolstm.store.genome import open_genome
    from genolstm.store.results import write_probe
    from genolstm.store.track import open_track

    task = Task("probe accessibility", run, seed=settings.seed)
    paths = fold_models(model, folds=folds)
    given = {"genome": genome, "track": track, "peaks": peaks, "blacklist": blacklist}
    files = {name: path for name, path in given.items() if path is not None}
    refuse_all([output], [*paths, *files.values()], run)
    task.refuse_stream(peaks, blacklist)
    opened, counted = open_genome(genome), open_track(track)
    models = read_models(paths, opened)
    beds = {
        name: read_bed(path, opened.length_of, genome_name=str(genome)) if path else None
        for name, path in (("peaks", peaks), ("blacklist", blacklist))
    }
    for bed in beds.values():
        for note in bed.warnings if bed else ():
            log.warning("%s", note)
    inputs = model_inputs(paths) | {
        name: opened.sha256 if name == "genome" else file_sha256(path) for name, path in files.items() if path.is_file()
    }
    on = task.use_device(compute.device, compute.threads)
    chromatin = Chromatin(track=counted, **beds)
    with task.together() as ranks, ProgressLine("read states", unit="bases", quiet=run.quiet) as line:
        results, records = probe_models(
            models,
            lambda each: states_reader(
                each, opened, on, settings.precision, ranks=ranks, on_progress=line.show
            ),
            lambda each, reader, name: probe_accessibility(
                each, reader, chromatin, settings, model_name=name, log=log.info
            ),
            settings,
            folds=folds,
        )  # fmt: skip
    if not ranks.is_main_process:
        return
    write_probe(output, "accessibility", results, records, task.provenance(settings.to_json(), inputs))
    draw(output, run.figure)
    report(results, records, output, task)
