"""``genolstm train``: a genome file to a model file."""

import dataclasses
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.command import Given, command
from genolstm.cli.figures import draw
from genolstm.cli.options import ComputeOptions, GenomeFile, Output, ResultOptions, refuse_all
from genolstm.cli.terminal import ProgressLine, Task, log
from genolstm.cli.train_report import report, report_again
from genolstm.errors import InputError, UsageError
from genolstm.settings.model import SIZES, ModelSettings, SizeSettings
from genolstm.settings.recall import RecallMode, RecallSettings
from genolstm.settings.train import TrainSettings

if TYPE_CHECKING:
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
    resume: Annotated[bool, typer.Option("--resume", help="Go on from OUTPUT.resume when it is there.")] = False,
) -> None:
    """Train a model to predict the next base, on contigs and their reverse complements; steps carry the state on.

    Without --valid-contigs and --test-contigs the genome is cut into blocks: 90 % train, 5 % validation, 5 % test.
    Of proteins whole clusters of relatives are drawn, each is read from its own start, and a base is a residue.
    SIGTERM and SIGUSR1 write a checkpoint, OUTPUT.resume, and stop; the same command with --resume goes on.
    On the same machine the same command trains the same model to the bit; another CPU or number of threads rounds
    differently, and trains another model of about the same bits.
    With --recall the test part is scored once more, by the network mixed with copies and counts of what was read
    before; the model file records it, and 'genolstm score' tells what recall is.

    Example: genolstm train genome.h5 -o model.h5 --hidden 256 --bases 40M --test-contigs III
    """
    from genolstm.bench.memory_check import check_recall_memory
    from genolstm.ranks import together
    from genolstm.store.genome import open_genome
    from genolstm.training.session import begin, suited

    task = Task("train", run, seed=settings.seed)
    if resume and output.exists() and not resume_path(output).exists():
        log.warning("%s is complete and there is nothing to resume; remove it to train anew", output)
        report_again(output, task)
        return
    refuse_all([output], [genome], dataclasses.replace(run, force=run.force or resume))
    saved = _saved(output, resume=resume, force=run.force)
    task.seed = saved.train.seed if saved else settings.seed
    on = task.use_device(compute.device, compute.threads)
    if saved:
        _refuse_changes(given.settings, saved, output)
        model, settings = saved.model, saved.train
    else:
        model, settings = suited(model, settings, size.size, given.settings, on)
    steps = (settings.lanes // task.processes, settings.chunk)
    task.suit(on, model, steps, training=True, symbols=settings.bases)
    with together(on) as ranks:
        if not ranks.is_main_process:
            task.listen()
        session = begin(open_genome(genome), model, settings, device=on, saved=saved, ranks=ranks)
        plan = session.plan_recall(recall) if recall.recall is not RecallMode.NONE else None
        if plan:
            check_recall_memory(plan)
        _train(session, output, task)
    if not ranks.is_main_process:
        return
    bits = session.evaluate()
    recalled = session.recall(plan, output) if plan else ()
    _write(session, output, task, bits=bits, recall=recalled)
    draw(output, run.figure)
    report(session, output, task, bits, recalled)
    resume_path(output).unlink(missing_ok=True)  # last: until the output has its name a killed run goes on from here


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


def _train(session: "TrainingSession", output: Path, task: Task) -> None:
    """Train to the end, writing resumable checkpoints on schedule and when a signal stops the run."""
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
                    "stopped by signal %d: wrote %s; the same command with --resume goes on",
                    stop,
                    resume_path(output),
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
