"""``genolstm train``: a genome file to a model file."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.figures import Figure, check_figure, draw
from genolstm.cli.options import given
from genolstm.cli.terminal import Device, Force, Json, Output, ProgressLine, Quiet, Seed, Task, Threads, log
from genolstm.cli.train_report import report, report_again
from genolstm.errors import InputError, UsageError
from genolstm.settings.model import SIZES, ModelSettings, Size, TrainableCell
from genolstm.settings.train import DeviceName, Precision, TrainSettings

if TYPE_CHECKING:
    from genolstm.store.checkpoint import Checkpoint, PartBits
    from genolstm.training.loop import Look
    from genolstm.training.session import TrainingSession


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
    from genolstm.training.session import begin, settings_from

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
    saved, values = _saved(output, resume=resume, force=force), given(ctx, options, settings_file)
    task.seed = saved.train.seed if saved else values.get("seed", seed)  # the settings file may have given it
    on = task.use_device(device, threads)
    if saved:
        _refuse_changes(values, saved, output)
        model_settings, settings = saved.model, saved.train
    else:
        model_settings, settings = settings_from(values, on, where="the options of train")
    with together(on) as ranks:
        if not ranks.is_main_process:
            task.listen()
        session = begin(open_genome(genome), model_settings, settings, device=on, saved=saved, ranks=ranks)
        _train(session, output, task)
    if not ranks.is_main_process:
        return
    bits = session.evaluate()
    _write(session, output, task, bits=bits)
    resume_path(output).unlink(missing_ok=True)
    draw(output, figure)
    report(session, output, task, bits, as_json=as_json)


def resume_path(output: Path) -> Path:
    """Where the resumable checkpoint of an output lies."""
    return output.with_name(output.name + ".resume")


def _saved(output: Path, *, resume: bool, force: bool) -> "Checkpoint | None":
    """Checkpoint to go on from, or None for a new training."""
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
    from genolstm.training.session import plain

    size = SIZES[Size(options.pop("size"))] if options.get("size") else None
    if size:
        options = {"layers": size[0], "hidden": size[1], **options}
    known = {**saved.train.to_json(), **saved.model.to_json()}
    for name, asked in plain(options).items():
        if asked != known[name]:
            raise InputError(
                f"{resume_path(output)} was begun with {name.replace('_', '-')} {known[name]}, not {asked};"
                " resume with the same options, or remove it and start anew."
            )


def _train(session: "TrainingSession", output: Path, task: Task) -> None:
    """Train to the end, writing resumable checkpoints on schedule and when asked to stop."""
    run, unit = session.run, session.genome.alphabet.unit
    written = run.progress.seconds
    with _asked_to_stop() as asked, ProgressLine("train", unit=f"{unit}s", quiet=task.quiet) as line:
        for step in session.steps():
            recorded = session.history.records["bits"]
            bits = f"{recorded[-1]:.4f} bits/{unit}" if recorded else ""
            line.show(session.fraction_done, run.progress.bases, bits)
            if step.look:
                _log_look(step.look, session)
            stop = int(run.ranks.largest(asked[0] if asked else 0))  # whichever process was asked, all stop here
            if stop or run.progress.seconds - written > 60 * run.settings.checkpoint_minutes:
                _write(session, resume_path(output), task, resumable=True)
                written = run.progress.seconds
            if stop:
                log.warning(
                    "stopped by signal %d: wrote %s; the same command with --resume goes on",
                    stop,
                    resume_path(output),
                )
                raise typer.Exit(128 + stop)
    # a job that is killed while it measures resumes here, with nothing left to train
    _write(session, resume_path(output), task, resumable=True)
    log.info("trained on %s %ss; measuring bits/%s beside Markov models", f"{run.progress.bases:,}", unit, unit)


def _log_look(look: "Look", session: "TrainingSession") -> None:
    unit = session.genome.alphabet.unit
    errors = "".join(f", {name} error {error:.3f}" for name, error in session.auxiliary_errors.items())
    log.info("after %s %ss: validation %.4f bits/%s%s", f"{look.bases:,}", unit, look.bits, unit, errors)


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


def _write(
    session: "TrainingSession", path: Path, task: Task, *, bits: "tuple[PartBits, ...]" = (), resumable: bool = False
) -> None:
    from genolstm.store.checkpoint import write_checkpoint

    checkpoint = session.checkpoint(bits, resumable=resumable)  # every process has a part in a resumable one
    if session.run.ranks.is_main_process:
        write_checkpoint(path, checkpoint, task.provenance(*session.provenance))
