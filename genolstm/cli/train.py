"""``genolstm train``: a genome file to a model file."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.figures import Figure, check_figure, draw
from genolstm.cli.options import chosen, given
from genolstm.cli.terminal import Device, Force, Json, Output, ProgressLine, Quiet, Seed, Task, Threads, log, names
from genolstm.cli.train_end import auxiliary_errors, evaluated, report, report_again
from genolstm.cli.train_parts import held_out_parts, parts_of
from genolstm.errors import InputError, UsageError
from genolstm.settings.model import SIZES, AlphabetName, ModelSettings, Size, TrainableCell
from genolstm.settings.quantities import parse_size
from genolstm.settings.reading import StreamSettings
from genolstm.settings.train import CUDA_CHUNK, CUDA_LANES, DeviceName, Precision, TrainSettings

if TYPE_CHECKING:
    from genolstm.lanes import ChainLanes, Lanes
    from genolstm.ranks import Ranks
    from genolstm.regions import Part, Stretches
    from genolstm.store.checkpoint import Checkpoint, PartBits
    from genolstm.store.genome import Genome
    from genolstm.training.loop import History
    from genolstm.training.steps import Run


def train(
    ctx: typer.Context,
    genome: Annotated[Path, typer.Argument(help="Genome file made by 'genolstm ingest'.", show_default=False)],
    output: Output,
    cell: Annotated[TrainableCell, typer.Option("--cell", help="Which memory cell.")] = ModelSettings.cell,
    size: Annotated[
        Size | None,
        typer.Option("--size", help="small 1x128, base 1x512, large 2x1024; default small on a CPU, base on a GPU."),
    ] = None,
    layers: Annotated[int | None, typer.Option("--layers", min=1, help="Layers; overrides --size.")] = None,
    hidden: Annotated[int | None, typer.Option("--hidden", min=1, help="Units a layer; overrides --size.")] = None,
    forget_bias: Annotated[
        str, typer.Option("--forget-bias", help="Effective forget bias, or chrono:T for memories of 1 to T bases.")
    ] = ModelSettings.forget_bias,
    lanes: Annotated[
        int | None,
        typer.Option("--lanes", min=1, help="Stretches of genome read side by side; default 16, 128 on a GPU."),
    ] = None,
    chunk: Annotated[
        int | None, typer.Option("--chunk", min=1, help="Bases between weight updates; default 64, 128 on a GPU.")
    ] = None,
    bases: Annotated[
        str,
        typer.Option(
            "--bases", help="Stop after this many bases, both strands counted (40M, 1G); 0 for no such limit."
        ),
    ] = str(TrainSettings.bases),
    minutes: Annotated[
        float, typer.Option("--minutes", min=0, help="Stop after this long; 0 for no such limit.")
    ] = TrainSettings.minutes,
    learning_rate: Annotated[
        float, typer.Option("--lr", help="Peak learning rate of AdamW.")
    ] = TrainSettings.learning_rate,
    precision: Annotated[
        Precision, typer.Option("--precision", help="Of the matrix products; weights stay float32.")
    ] = TrainSettings.precision,
    early_stop: Annotated[
        int, typer.Option("--early-stop", min=0, help="Stop after this many looks with no better validation; 0 never.")
    ] = TrainSettings.early_stop,
    checkpoint_minutes: Annotated[
        float, typer.Option("--checkpoint-minutes", min=0, help="Between two resumable checkpoints (OUTPUT.resume).")
    ] = TrainSettings.checkpoint_minutes,
    train_contigs: Annotated[str, typer.Option("--train-contigs", help="Train on these alone (comma separated).")] = "",
    valid_contigs: Annotated[str, typer.Option("--valid-contigs", help="Validate on these, whole.")] = "",
    test_contigs: Annotated[
        str, typer.Option("--test-contigs", help="Never train on these; score them at the end.")
    ] = "",
    clusters: Annotated[
        str,
        typer.Option(
            "--clusters", help="Proteins: TSV of representative and member (MMseqs2), in place of our own clusters."
        ),
    ] = TrainSettings.clusters,
    multitask: Annotated[
        str, typer.Option("--multitask", help="Proteins: also tell charge, hydropathy or both (comma separated).")
    ] = "",
    multitask_weight: Annotated[
        float, typer.Option("--multitask-weight", min=0, help="Of their squared error, beside the bits.")
    ] = TrainSettings.multitask_weight,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="TOML file with any of these settings.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from OUTPUT.resume when it is there.")] = False,
    seed: Seed = TrainSettings.seed,
    threads: Threads = 0,
    device: Device = DeviceName.AUTO,
    figure: Figure = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a model to predict the next base, on contigs and their reverse complements, carrying its state along.

    Without --valid-contigs and --test-contigs the genome is cut into blocks: 90 % train, 5 % validation, 5 % test.
    Of proteins whole clusters of relatives are drawn, each is read from its own start, and a base is a residue.
    SIGTERM and SIGUSR1 write OUTPUT.resume and stop; the same command with --resume goes on.

    Example: genolstm train genome.h5 -o model.h5 --hidden 256 --bases 40M --test-contigs III
    """
    from genolstm.ranks import together
    from genolstm.store.files import refuse_existing
    from genolstm.store.genome import open_genome

    task = Task("train", quiet=quiet, seed=seed)
    if resume and output.exists() and not resume_path(output).exists():
        log.warning("%s is complete and there is nothing to resume; remove it to train anew", output)
        report_again(output, task, as_json=as_json)
        return
    refuse_existing(output, force=force or resume, inputs=[genome])
    check_figure(figure, force=force or resume, inputs=[genome, output])
    options = {
        "cell": cell, "size": size, "layers": layers, "hidden": hidden, "forget_bias": forget_bias, "lanes": lanes,
        "chunk": chunk, "bases": bases, "minutes": minutes, "learning_rate": learning_rate, "precision": precision,
        "early_stop": early_stop, "checkpoint_minutes": checkpoint_minutes, "train_contigs": train_contigs,
        "valid_contigs": valid_contigs, "test_contigs": test_contigs, "clusters": clusters,
        "multitask": multitask, "multitask_weight": multitask_weight, "seed": seed,
    }  # fmt: skip
    saved, values = _saved(output, resume=resume, force=force), chosen(ctx, options, settings_file)
    task.seed = saved.train.seed if saved else values["seed"]  # the settings file may have given it
    if "multitask_weight" in given(ctx, options, settings_file) and not values["multitask"]:
        raise UsageError("--multitask-weight weighs the errors of --multitask, which is not given; give both.")
    on = task.use_device(device, threads)
    if saved:
        model_settings, settings = saved.model, saved.train
        _refuse_changes(given(ctx, options, settings_file), saved, output)
    else:
        model_settings, settings = _settings(values, on)
    with together(on) as ranks:
        if not ranks.is_main_process:
            task.listen()
        job = _begin(open_genome(genome), genome, model_settings, settings, saved, on, ranks)
        _train(job, output, task, quiet=task.quiet)
    if not ranks.is_main_process:
        return
    bits = evaluated(job)
    _write(job, output, task, bits=bits, resumable=False)
    resume_path(output).unlink(missing_ok=True)
    draw(output, figure)
    report(job, output, task, bits, as_json=as_json)


@dataclass(kw_only=True)
class Job:
    """One training as the command sees it."""

    genome: "Genome"
    genome_path: Path
    split: "Stretches"
    run: "Run"
    lanes: "Lanes | ChainLanes"
    history: "History"
    held_out: "tuple[Part, ...]"  # parts whose bits can be measured: they have stretches with known bases
    homology: dict[str, Any] | None  # of proteins, when the split was drawn; None of DNA and of a run taken up again
    inputs: dict[str, str] = field(default_factory=dict)  # further files read: name -> SHA-256


def resume_path(output: Path) -> Path:
    """Where the resumable checkpoint of an output lies."""
    return output.with_name(output.name + ".resume")


def _settings(values: dict[str, Any], device: Any) -> tuple[ModelSettings, TrainSettings]:  # noqa: ANN401
    size = Size(values.pop("size") or (Size.BASE if device.type == "cuda" else Size.SMALL))
    layers, hidden = values.pop("layers") or SIZES[size][0], values.pop("hidden") or SIZES[size][1]
    model = ModelSettings(
        cell=values.pop("cell"), layers=layers, hidden=hidden, forget_bias=str(values.pop("forget_bias"))
    )
    on_gpu = device.type == "cuda"
    values["lanes"] = values["lanes"] or (CUDA_LANES if on_gpu else TrainSettings.lanes)
    values["chunk"] = values["chunk"] or (CUDA_CHUNK if on_gpu else TrainSettings.chunk)
    values["bases"] = parse_size(str(values["bases"]))
    for part in ("train_contigs", "valid_contigs", "test_contigs", "multitask"):
        values[part] = _contigs(values[part])
    return model, TrainSettings.from_json(values, where="the options of train")


def _contigs(value: str | list[str]) -> tuple[str, ...]:
    """Names as typed, or as a list of the settings file."""
    return names(value) if isinstance(value, str) else tuple(value)


def _saved(output: Path, *, resume: bool, force: bool) -> "Checkpoint | None":
    """Give the checkpoint to go on from, or None for a new training."""
    from genolstm.store.checkpoint import read_checkpoint

    path = resume_path(output)
    if path.exists() and not resume and not force:
        raise UsageError(
            f"{path} is an unfinished training of this output; add --resume to go on, or --force to start anew."
        )
    if not (resume and path.exists()):
        if resume:
            log.warning("no %s: training starts from the first base", path)
        return None
    return read_checkpoint(path)


def _refuse_changes(options: dict[str, Any], saved: "Checkpoint", output: Path) -> None:
    """Refuse options that contradict the run being resumed. Raises InputError naming the first."""
    size = SIZES[Size(options.pop("size"))] if options.get("size") else None
    if size:
        options = {"layers": size[0], "hidden": size[1], **options}
    known = {**saved.train.to_json(), **saved.model.to_json()}
    for name, value in options.items():
        listed = name.endswith(("_contigs", "multitask"))
        asked = _contigs(value) if listed else parse_size(value) if name == "bases" else value
        if asked != known[name]:
            raise InputError(
                f"{resume_path(output)} was begun with {name.replace('_', '-')} {known[name]}, not {asked};"
                " resume with the same options, or remove it and start anew."
            )


def _begin(
    genome: "Genome",
    path: Path,
    model_settings: ModelSettings,
    settings: TrainSettings,
    saved: "Checkpoint | None",
    device: Any,  # noqa: ANN401
    ranks: "Ranks",
) -> Job:
    """Prepare a new training, or the saved one where it stood; alone, or with other processes."""
    import dataclasses

    from genolstm.lanes import batches_of
    from genolstm.model import NextSymbolModel
    from genolstm.regions import Part
    from genolstm.training.loop import History
    from genolstm.training.multitask import auxiliary_of, refuse_multitask
    from genolstm.training.snapshots import restore
    from genolstm.training.steps import new_run

    if saved and saved.genome_sha256 != genome.sha256:
        raise InputError(f"{path} is not the genome file that the unfinished training read; give that one.")
    model_settings = dataclasses.replace(model_settings, alphabet=AlphabetName(genome.alphabet.name))
    if settings.multitask:
        refuse_multitask(genome, settings.multitask)  # before anything that takes time
    split, homology, inputs = (saved.split, None, {}) if saved else parts_of(genome, settings)
    model = NextSymbolModel(model_settings, seed=settings.seed)
    if saved:
        model.load_weights(saved.weights)
    model = model.to(device)
    training, kept = split.of(Part.TRAIN), saved.auxiliary if saved else None
    run = new_run(model, settings, auxiliary_of(genome, training, settings.multitask, model, saved=kept), ranks)
    unit = genome.alphabet.unit
    if saved and saved.resumable:
        restore(run, saved.resumable)
        log.info("resuming after %s %ss", f"{run.progress.bases:,}", unit)
    held_out = held_out_parts(genome, path, split)
    lanes = batches_of(
        genome, training, n_lanes=settings.lanes, chunk=settings.chunk, device=device, seed=settings.seed
    )
    log.info(
        "%s %dx%d, %s weights; %s lanes x %s %ss a step",
        model_settings.cell, model_settings.layers, model_settings.hidden, f"{model.n_weights:,}",
        settings.lanes, settings.chunk, unit,
    )  # fmt: skip
    if ranks.size > 1:
        log.info("%d processes, %d lanes each", ranks.size, settings.lanes // ranks.size)
    if run.auxiliary:
        log.info(
            "auxiliary tasks, weight %g: %s", settings.multitask_weight,
            ", ".join(f"{task} (mean {mean:.3g}, sd {sd:.3g})" for task, mean, sd in run.auxiliary.scales()),
        )  # fmt: skip
    history = History(records=saved.history, looks=saved.looks) if saved else History()
    history.errors += [tuple(row) for row in kept.errors.tolist()] if kept else []
    return Job(
        genome=genome, genome_path=path, split=split, run=run, lanes=lanes, history=history, held_out=held_out,
        homology=homology, inputs=inputs,
    )  # fmt: skip


def _train(job: Job, output: Path, task: Task, *, quiet: bool) -> None:
    """Train to the end, writing resumable checkpoints on schedule and when asked to stop."""
    from genolstm.regions import Part
    from genolstm.stream.reading import mean_bits
    from genolstm.training.loop import train as course
    from genolstm.training.steps import fraction_done

    run, valid, unit = job.run, job.split.of(Part.VALID), job.genome.alphabet.unit

    def look() -> float:
        bits = 0.0
        if run.ranks.is_main_process:
            bits = mean_bits(run.model, job.genome, valid, StreamSettings(), symbols=run.settings.look_bases)[0]
        return run.ranks.from_main(bits)

    written = run.progress.seconds
    with _asked_to_stop() as asked, ProgressLine("train", unit=f"{unit}s", quiet=quiet) as line:
        for tick in course(run, job.lanes, look if Part.VALID in job.held_out else None):
            job.history.add(tick)
            bits = f"{job.history.records['bits'][-1]:.4f} bits/{unit}" if job.history.records["bits"] else ""
            line.show(fraction_done(run.progress, run.settings), run.progress.bases, bits)
            if tick.look:
                errors = "".join(f", {task} error {error:.3f}" for task, error in auxiliary_errors(job).items())
                log.info(
                    "after %s %ss: validation %.4f bits/%s%s",
                    f"{tick.look.bases:,}", unit, tick.look.bits, unit, errors,
                )  # fmt: skip
            stop = int(run.ranks.largest(asked[0] if asked else 0))  # whichever process was asked, all stop here
            if stop or run.progress.seconds - written > 60 * run.settings.checkpoint_minutes:
                _write(job, resume_path(output), task, bits=(), resumable=True)
                written = run.progress.seconds
            if stop:
                log.warning(
                    "stopped by signal %d: wrote %s; the same command with --resume goes on",
                    stop,
                    resume_path(output),
                )
                raise typer.Exit(128 + stop)
    # a job that is killed while it measures resumes here, with nothing left to train
    _write(job, resume_path(output), task, bits=(), resumable=True)
    log.info("trained on %s %ss; measuring bits/%s beside Markov models", f"{run.progress.bases:,}", unit, unit)


@contextmanager
def _asked_to_stop() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGUSR1 (batch queues warn before they kill) and Ctrl-C instead of dying of them."""
    received: list[int] = []
    signals = [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT]
    before = [signal.signal(number, lambda number, _: received.append(number)) for number in signals]
    try:
        yield received
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _write(job: Job, path: Path, task: Task, *, bits: "tuple[PartBits, ...]", resumable: bool) -> None:
    from genolstm.seen import training_sequence
    from genolstm.store.checkpoint import Checkpoint, write_checkpoint
    from genolstm.training.snapshots import snapshot

    run = job.run
    laid = snapshot(run) if resumable else None  # every process has a part in it
    if not run.ranks.is_main_process:
        return
    checkpoint = Checkpoint(
        model=run.model.settings,
        train=run.settings,
        weights=run.model.weight_arrays(),
        split=job.split,
        lengths=job.genome.lengths,
        genome_sha256=job.genome.sha256,
        history=job.history.records,
        looks=job.history.looks,
        bits=bits,
        resumable=laid,
        auxiliary=run.auxiliary.kept(job.history.errors_of(len(run.auxiliary.tasks))) if run.auxiliary else None,
        training=None if resumable else training_sequence(job.genome, job.split),
    )
    settings = {"model": run.model.settings.to_json(), "train": run.settings.to_json()}
    write_checkpoint(path, checkpoint, task.provenance(settings, {"genome": job.genome.sha256, **job.inputs}))
