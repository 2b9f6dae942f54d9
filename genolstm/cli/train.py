"""``genolstm train``: a genome file to a model file."""

import dataclasses
import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.command import Given, command
from genolstm.cli.figures import draw
from genolstm.cli.options import ComputeOptions, GenomeFile, Output, ResultOptions, refuse_all
from genolstm.cli.terminal import ProgressLine, Task, log, report_format
from genolstm.cli.train_report import Trained, report, report_again
from genolstm.errors import InputError, UsageError
from genolstm.settings.model import SIZES, ModelSettings, SizeSettings
from genolstm.settings.recall import RecallMode, RecallSettings
from genolstm.settings.train import TrainSettings
from genolstm.shipped import model_path

if TYPE_CHECKING:
    from genolstm.scoring.recall import RecallPlan
    from genolstm.store.checkpoint import Checkpoint, PartBits
    from genolstm.store.recall import RecallBits
    from genolstm.training.loop import Validation
    from genolstm.training.session import TrainingSession


@command(settings_file=True)
def train(
    genome: GenomeFile,
    output: Output,
    model: ModelSettings,
    size: SizeSettings,
    settings: TrainSettings,
    recall: RecallSettings,
    given: Given,
    compute: ComputeOptions,
    run: ResultOptions,
    genomes: Annotated[
        list[Path] | None,
        typer.Argument(help="Further genome files: one model of all, contigs NAME:contig by each file's name."),
    ] = None,
    from_model: Annotated[
        Path | None,
        typer.Option(
            "--from", parser=model_path, metavar="MODEL", help="Go on from this model: its weights and its shape."
        ),
    ] = None,
    keep_optimiser: Annotated[
        bool, typer.Option("--keep-optimiser", help="With --from: its optimiser's moments too, if it has some.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from OUTPUT.resume when it is there.")] = False,
) -> None:
    """Train a model to predict the next base, on contigs and their reverse complements; steps carry the state on.

    Without --valid-contigs and --test-contigs the genome is cut into blocks: 90 % train, 5 % validation, 5 % test.
    Of several genomes each is split as if it were alone, and --test-contigs take NAME:contig, NAME being a file's stem.
    --from begins with the weights of another model; what that one has seen is seen for this one too.
    --folds 5 -o model.h5 trains model.fold1.h5 to model.fold5.h5, each without a fifth of the genome; with --fold 2 it
    trains that one alone, as OUTPUT. Probes take all of them with their own --folds.
    Of proteins whole clusters of relatives are drawn, each is read from its own start, and a base is a residue.
    SIGTERM and SIGUSR1 write a checkpoint, OUTPUT.resume, and stop; the same command with --resume goes on (in place of
    --from, where that was given).
    On the same CPU the same command trains the same model to the bit; another CPU or number of threads, and a GPU from
    run to run, may round differently, and train another model of about the same bits.
    With --recall the test part is scored once more, by the network mixed with copies and counts of what was read
    before; the model file records it, and 'genolstm score' tells what recall is.

    Example: genolstm train genome.h5 -o model.h5 --hidden 256 --bases 40M --test-contigs III
    """
    task = Task("train", run, seed=settings.seed)
    if from_model and resume:
        raise UsageError(
            "--resume goes on with an unfinished training as it began, and --from begins another; leave one out."
        )
    if keep_optimiser and not from_model:
        raise UsageError("--keep-optimiser is for --from, which is not given; give both, or leave it out.")
    asked = _Asked(
        genomes=(genome, *(genomes or ())), model=model, size=size, given=given, compute=compute, run=run,
        recall=recall, from_model=from_model, keep_optimiser=keep_optimiser, resume=resume,
    )  # fmt: skip
    if settings.folds and not settings.fold:
        _train_folds(asked, settings, output, task)
    elif trained := _train_one(asked, settings, output, task):
        task.done(output, trained.records, trained.summary, message=trained.message)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What the command was asked, but for the settings of the training and its output."""

    genomes: tuple[Path, ...]
    model: ModelSettings
    size: SizeSettings
    given: Given
    compute: ComputeOptions
    run: ResultOptions
    recall: RecallSettings
    from_model: Path | None
    keep_optimiser: bool
    resume: bool


def _train_folds(asked: _Asked, settings: TrainSettings, output: Path, task: Task) -> None:
    """Train the model of every fold, one after another, each with a file of its own."""
    from genolstm.folds import fold_path

    if task.processes > 1:
        raise UsageError("torchrun trains one model; give --fold with each of 1 to --folds in turn.")
    if asked.run.figure:
        raise UsageError("--figure draws one training, and --folds are several; give --fold, or leave the picture out.")
    paths = {fold: fold_path(output, fold) for fold in range(1, settings.folds + 1)}
    if asked.resume:
        _refuse_ancestry(paths.values())
    if not asked.resume:
        refuse_all(paths.values(), asked.genomes, asked.run)
    folds = []
    for fold, path in paths.items():
        log.info("fold %d of %d: %s", fold, settings.folds, path)
        if trained := _train_one(asked, dataclasses.replace(settings, fold=fold), path, task):
            folds.append({"output": str(path), **trained.summary})
    tested = [each["bits_per_base"]["test"] for each in folds if each["bits_per_base"]["test"] is not None]
    mean = sum(tested) / len(tested) if tested else None
    message = f"{len(folds)} folds" + (f", mean {mean:.4f} bits/base on what each held out" if mean else " trained")
    records = {"read": len(paths), "used": len(folds), "skipped": {}}
    task.done(None, records, {"folds": folds, "mean_test_bits_per_base": mean}, message=message)


def _refuse_ancestry(paths: Iterable[Path]) -> None:
    """Refuse to resume folds of which some go on from a model: the others would be trained anew. Raises UsageError."""
    from genolstm.store.checkpoint import read_checkpoint

    for path in (each for output in paths for each in (output, resume_path(output)) if each.exists()):
        if ancestors := read_checkpoint(path).ancestors:
            raise UsageError(
                f"{path} goes on from {ancestors[-1].name}, and --resume would train the folds that are missing without"
                " it; train each of them with --fold and --from."
            )


def _train_one(asked: _Asked, settings: TrainSettings, output: Path, task: Task) -> "Trained | None":
    """Train one model and write it; None where it was there already, and in all processes but the main one."""
    from genolstm.bench.memory_check import check_recall_memory
    from genolstm.ranks import together
    from genolstm.store.genome import open_genome
    from genolstm.store.joined_genome import join_genomes
    from genolstm.training.origin import read_origin, shape_of
    from genolstm.training.session import begin, suited

    model, run = asked.model, asked.run
    if asked.resume and output.exists() and not resume_path(output).exists():
        log.warning("%s is complete and there is nothing to resume; remove it to train anew", output)
        report_again(output, task, as_json=not settings.fold or "fold" in asked.given.settings)
        return None
    refuse_all([output], [*asked.genomes, asked.from_model], dataclasses.replace(run, force=run.force or asked.resume))
    saved = _saved(output, resume=asked.resume, force=run.force)
    task.seed = saved.train.seed if saved else settings.seed
    origin = read_origin(asked.from_model, keep_optimiser=asked.keep_optimiser) if asked.from_model else None
    on = task.use_device(asked.compute.device, asked.compute.threads)
    chosen = dict(asked.given.settings)
    if saved:
        _refuse_changes(chosen, saved, output)
        model, settings = saved.model, saved.train
    elif origin:
        model = shape_of(origin, chosen)
        model, settings = suited(model, settings, None, {*chosen, "layers", "hidden"}, on)
    else:
        model, settings = suited(model, settings, asked.size.size, chosen, on)
    steps = (settings.lanes // task.processes, settings.chunk)
    task.suit(on, model, steps, training=True, symbols=settings.bases)
    with together(on) as ranks:
        if not ranks.is_main_process:
            task.listen()
        genome = join_genomes([open_genome(path) for path in asked.genomes])
        session = begin(genome, model, settings, device=on, saved=saved, origin=origin, ranks=ranks)
        if on.type == "cpu":
            report_format(session.run.model.read_in(settings.precision), training=True)
        plan = session.plan_recall(asked.recall) if asked.recall.recall is not RecallMode.NONE else None
        if plan:
            check_recall_memory(plan)
        _train(session, output, task, again="in place of --from goes on" if origin else "goes on")
    if not ranks.is_main_process:
        return None
    bits = session.evaluate()
    recalled = _recall(session, plan, output, task) if plan else ()
    _write(session, output, task, bits=bits, recall=recalled)
    draw(output, run.figure)
    trained = report(session, bits, recalled)
    resume_path(output).unlink(missing_ok=True)  # last: until the output has its name a killed run goes on from here
    return trained


def _recall(session: "TrainingSession", plan: "RecallPlan", output: Path, task: Task) -> "tuple[RecallBits, ...]":
    with ProgressLine("recall", unit=f"{session.genome.alphabet.unit}s", quiet=task.quiet) as line:
        return session.recall(plan, output, line.show)


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


def _refuse_changes(given: Mapping[str, Any], saved: "Checkpoint", output: Path) -> None:
    """Refuse options that contradict the run being resumed. Raises InputError naming the first."""
    shape = dict(zip(("layers", "hidden"), SIZES[given["size"]], strict=True)) if "size" in given else {}
    wanted = {**shape, **{name: value for name, value in given.items() if name != "size"}}
    known = {**saved.train.to_json(), **saved.model.to_json()}
    for name, value in wanted.items():
        if name in known and value != known[name]:  # recall comes after the training, and may differ
            raise InputError(
                f"{resume_path(output)} was begun with {name.replace('_', '-')} {known[name]}, not {value};"
                " resume with the same options, or remove it and start anew."
            )


def _train(session: "TrainingSession", output: Path, task: Task, *, again: str) -> None:
    """Train to the end, writing resumable checkpoints on schedule and when a signal stops the run.

    again : what --resume does to the command after a signal, as the end of a sentence.
    """
    run, unit = session.run, session.genome.alphabet.unit
    written = run.progress.seconds
    with _stop_signals() as received, ProgressLine("train", unit=f"{unit}s", quiet=task.quiet) as line:
        for step in session.steps():
            recorded = session.history.records["bits"]
            bits = f"{recorded[-1]:.4f} bits/{unit}" if recorded else ""
            line.show(session.fraction_done, run.progress.bases, bits)
            if step.validation:
                _log_validation(step.validation, session)
            stop = int(run.ranks.largest(received[0] if received else 0))  # a signal to one process stops all of them
            if stop or run.progress.seconds - written > 60 * run.settings.checkpoint_minutes:
                _write(session, resume_path(output), task, resumable=True)
                written = run.progress.seconds
            if stop:
                log.warning(
                    "stopped by signal %d: wrote %s; the same command with --resume %s",
                    stop,
                    resume_path(output),
                    again,
                )
                raise typer.Exit(128 + stop)
    # a job that is killed while it measures resumes here, with nothing left to train
    _write(session, resume_path(output), task, resumable=True)
    log.info("trained on %s %ss; measuring bits/%s beside Markov models", f"{run.progress.bases:,}", unit, unit)


def _log_validation(validation: "Validation", session: "TrainingSession") -> None:
    unit = session.genome.alphabet.unit
    errors = "".join(f", {name} error {error:.3f}" for name, error in session.auxiliary_errors.items())
    log.info("after %s %ss: validation %.4f bits/%s%s", f"{validation.bases:,}", unit, validation.bits, unit, errors)


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
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
    session: "TrainingSession", path: Path, task: Task, *, bits: "tuple[PartBits, ...]" = (),
    recall: "tuple[RecallBits, ...]" = (), resumable: bool = False,
) -> None:  # fmt: skip
    from genolstm.store.checkpoint import write_checkpoint

    checkpoint = session.checkpoint(
        bits, resumable=resumable, recall=recall
    )  # every process has a part in a resumable one
    if session.run.ranks.is_main_process:
        write_checkpoint(path, checkpoint, task.provenance(*session.provenance))
