"""``genolstm train``: a genome file to a model file."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.options import chosen, given
from genolstm.cli.terminal import Device, Force, Json, Output, ProgressLine, Quiet, Seed, Task, Threads, log, names
from genolstm.errors import InputError
from genolstm.settings import (
    CUDA_CHUNK,
    CUDA_LANES,
    SIZES,
    AlphabetName,
    DeviceName,
    ModelSettings,
    Precision,
    Size,
    StreamSettings,
    TrainableCell,
    TrainSettings,
    parse_size,
)

NAMES_TOLD = 6  # contigs named in a line of the log

if TYPE_CHECKING:
    from genolstm.lanes import Lanes
    from genolstm.regions import Part, Stretches
    from genolstm.store.checkpoint import Checkpoint, PartBits
    from genolstm.store.genome import Genome
    from genolstm.training.course import Logbook
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
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="TOML file with any of these settings.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from OUTPUT.resume when it is there.")] = False,
    seed: Seed = TrainSettings.seed,
    threads: Threads = 0,
    device: Device = DeviceName.AUTO,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a model to predict the next base, on contigs and their reverse complements, carrying its state along.

    Without --valid-contigs and --test-contigs the genome is cut into blocks: 90 % train, 5 % validation, 5 % test.
    SIGTERM and SIGUSR1 write OUTPUT.resume and stop; the same command with --resume goes on.

    Example: genolstm train genome.h5 -o model.h5 --hidden 256 --bases 40M --test-contigs III
    """
    from genolstm.store.files import refuse_existing
    from genolstm.store.genome import open_genome

    task = Task("train", quiet=quiet, seed=seed)
    if resume and output.exists() and not resume_path(output).exists():
        log.warning("%s is complete and there is nothing to resume; remove it to train anew", output)
        return
    refuse_existing(output, force=force or resume, inputs=[genome])
    options = {
        "cell": cell, "size": size, "layers": layers, "hidden": hidden, "forget_bias": forget_bias, "lanes": lanes,
        "chunk": chunk, "bases": bases, "minutes": minutes, "learning_rate": learning_rate, "precision": precision,
        "early_stop": early_stop, "checkpoint_minutes": checkpoint_minutes, "train_contigs": train_contigs,
        "valid_contigs": valid_contigs, "test_contigs": test_contigs, "seed": seed,
    }  # fmt: skip
    saved, values = _saved(output, resume=resume, force=force), chosen(ctx, options, settings_file)
    task.seed = saved.train.seed if saved else values["seed"]  # the settings file may have given it
    on = task.use_device(device, threads)
    if saved:
        model_settings, settings = saved.model, saved.train
        _refuse_changes(given(ctx, options, settings_file), saved, output)
    else:
        model_settings, settings = _settings(values, on)
    job = _begin(open_genome(genome), genome, model_settings, settings, saved, on)
    _train(job, output, task, quiet=quiet)
    bits = _evaluate(job)
    _write(job, output, task, bits=bits, resumable=False)
    resume_path(output).unlink(missing_ok=True)
    _report(job, output, task, bits, as_json=as_json)


@dataclass(kw_only=True)
class _Job:
    """One training as the command sees it."""

    genome: "Genome"
    genome_path: Path
    split: "Stretches"
    run: "Run"
    lanes: "Lanes"
    logbook: "Logbook"
    held_out: "tuple[Part, ...]"  # parts whose bits can be measured: they have stretches with known bases


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
    for part in ("train_contigs", "valid_contigs", "test_contigs"):
        values[part] = _contigs(values[part])
    return model, TrainSettings.from_json(values, where="the options of train")


def _contigs(value: str | list[str]) -> tuple[str, ...]:
    """Names as typed, or as a list of the settings file."""
    return names(value) if isinstance(value, str) else tuple(value)


def _saved(output: Path, *, resume: bool, force: bool) -> "Checkpoint | None":
    """Give the checkpoint to go on from, or None for a new training."""
    from genolstm.errors import UsageError
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
        asked = _contigs(value) if name.endswith("_contigs") else parse_size(value) if name == "bases" else value
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
) -> _Job:
    """Prepare a new training, or the saved one where it stood."""
    import dataclasses

    from genolstm.lanes import Lanes
    from genolstm.model import NextSymbolModel
    from genolstm.regions import Part, split_genome
    from genolstm.seeds import spawn
    from genolstm.training.course import Logbook
    from genolstm.training.resume import take_up
    from genolstm.training.steps import new_run

    if saved and saved.genome_sha256 != genome.sha256:
        raise InputError(f"{path} is not the genome file that the unfinished training read; give that one.")
    model_settings = dataclasses.replace(model_settings, alphabet=AlphabetName(genome.alphabet.name))
    split = saved.split if saved else split_genome(
        genome.length_of, spawn(settings.seed, "split"), train_contigs=settings.train_contigs,
        valid_contigs=settings.valid_contigs, test_contigs=settings.test_contigs,
    )  # fmt: skip
    model = NextSymbolModel(model_settings, seed=settings.seed)
    if saved:
        model.load_weights(saved.weights)
    model = model.to(device)
    run = new_run(model, settings)
    if saved and saved.resumable:
        take_up(run, saved.resumable)
        log.info("resuming after %s bases", f"{run.progress.bases:,}")
    held_out = _held_out(genome, path, split)
    lanes = Lanes(genome, split.of(Part.TRAIN), n_lanes=settings.lanes, chunk=settings.chunk, device=device)
    log.info(
        "%s %dx%d, %s weights; %s lanes x %s bases a step",
        model_settings.cell, model_settings.layers, model_settings.hidden, f"{model.n_weights:,}",
        settings.lanes, settings.chunk,
    )  # fmt: skip
    logbook = Logbook(history=saved.history, looks=saved.looks) if saved else Logbook()
    return _Job(genome=genome, genome_path=path, split=split, run=run, lanes=lanes, logbook=logbook, held_out=held_out)


def _held_out(genome: "Genome", path: Path, split: "Stretches") -> "tuple[Part, ...]":
    """Say what each part holds; gives the held-out parts that can be scored. InputError if training is all N."""
    from genolstm.regions import Part

    known = [part for part in Part if _has_known(genome, split, part)]
    unknown = genome.alphabet.unknown_letter
    for part in Part:
        here = split.of(part)
        if part not in known and part is Part.TRAIN:
            raise InputError(
                f"the training part of {path} ({_shortly(here.names())}) holds nothing but {unknown}; give a genome, or"
                " --train-contigs, with known symbols."
            )
        if part not in known and here.bases:
            log.warning("%s part: nothing but %s, so it is not scored", part.name.lower(), unknown)
        log.info("%s: %s bases of %s", part.name.lower(), f"{here.bases:,}", _shortly(here.names()))
    return tuple(part for part in known if part is not Part.TRAIN)


def _has_known(genome: "Genome", split: "Stretches", part: "Part") -> bool:
    """Tell whether a part of the split holds any symbol that can be a target."""
    from genolstm.scoring.beside_markov import blocks_of

    unknown = genome.alphabet.unknown
    return any(bool((block != unknown).any()) for blocks in blocks_of(genome, split.of(part)) for block in blocks)


def _shortly(contigs: tuple[str, ...]) -> str:
    more = f" and {len(contigs) - NAMES_TOLD} more" if len(contigs) > NAMES_TOLD else ""
    return ", ".join(contigs[:NAMES_TOLD]) + more or "no contig"


def _train(job: _Job, output: Path, task: Task, *, quiet: bool) -> None:
    """Train to the end, writing resumable checkpoints on schedule and when asked to stop."""
    from genolstm.regions import Part
    from genolstm.stream.reading import mean_bits
    from genolstm.training.course import train as course
    from genolstm.training.steps import share_done

    run, valid = job.run, job.split.of(Part.VALID)

    def look() -> float:
        return mean_bits(run.model, job.genome, valid, StreamSettings(), symbols=run.settings.look_bases)[0]

    written = time.monotonic()
    with _asked_to_stop() as asked, ProgressLine("train", unit="bases", quiet=quiet) as line:
        for tick in course(run, job.lanes, look if Part.VALID in job.held_out else None):
            job.logbook.add(tick)
            bits = f"{job.logbook.history['bits'][-1]:.4f} bits/base" if job.logbook.history["bits"] else ""
            line.show(share_done(run.progress, run.settings), run.progress.bases, bits)
            if tick.look:
                log.info("after %s bases: validation %.4f bits/base", f"{tick.look.bases:,}", tick.look.bits)
            if asked or time.monotonic() - written > 60 * run.settings.checkpoint_minutes:
                _write(job, resume_path(output), task, bits=(), resumable=True)
                written = time.monotonic()
            if asked:
                log.warning(
                    "stopped by signal %d: wrote %s; the same command with --resume goes on",
                    asked[0],
                    resume_path(output),
                )
                raise typer.Exit(128 + asked[0])
    # a job that is killed while it measures resumes here, with nothing left to train
    _write(job, resume_path(output), task, bits=(), resumable=True)
    log.info("trained on %s bases; measuring bits/base beside Markov models", f"{run.progress.bases:,}")


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


def _evaluate(job: _Job) -> "tuple[PartBits, ...]":
    """Bits per base of the held-out parts, each beside its Markov lines."""
    from genolstm.regions import Part
    from genolstm.scoring.beside_markov import bits_beside_markov, markov_of

    if not job.held_out:
        return ()
    job.run.model.eval()
    markov = markov_of(job.genome, job.split.of(Part.TRAIN))
    return tuple(
        bits_beside_markov(job.run.model, markov, job.genome, job.split, part, StreamSettings())
        for part in job.held_out
    )


def _write(job: _Job, path: Path, task: Task, *, bits: "tuple[PartBits, ...]", resumable: bool) -> None:
    from genolstm.store.checkpoint import Checkpoint, write_checkpoint
    from genolstm.training.resume import laid_down

    run = job.run
    checkpoint = Checkpoint(
        model=run.model.settings,
        train=run.settings,
        weights=run.model.weight_arrays(),
        split=job.split,
        lengths=job.genome.lengths,
        genome_sha256=job.genome.sha256,
        history=job.logbook.history,
        looks=job.logbook.looks,
        bits=bits,
        resumable=laid_down(run) if resumable else None,
    )
    settings = {"model": run.model.settings.to_json(), "train": run.settings.to_json()}
    write_checkpoint(path, checkpoint, task.provenance(settings, {"genome": job.genome.sha256}))


def _report(job: _Job, output: Path, task: Task, bits: "tuple[PartBits, ...]", *, as_json: bool) -> None:
    """Say bits per base of each part, always beside what Markov models reach."""
    for row in bits:
        log.info(
            "%s: %.4f bits/base; uniform %.4f, best Markov (order %d) %.4f, interpolated Markov %.4f",
            row.part, row.model, row.uniform, row.best_order, row.best_bits, row.interpolated,
        )  # fmt: skip
    progress = job.run.progress
    by_part = {row.part: row.model for row in bits}
    judged = bits[-1] if bits else None
    summary = {
        "bases_seen": progress.bases,
        "bases_per_second": progress.bases / max(progress.seconds, 1e-9),
        "bits_per_base": {"train": job.logbook.last_bits, "valid": by_part.get("valid"), "test": by_part.get("test")},
        "markov": judged
        and {
            "part": judged.part,
            "best_order": judged.best_order,
            "best_bits": judged.best_bits,
            "interpolated_bits": judged.interpolated,
            "uniform_bits": judged.uniform,
            "by_order": judged.by_order,
        },
    }
    word = (
        f"{judged.model:.4f} bits/base on {judged.part}"
        if judged
        else f"{job.logbook.last_bits:.4f} bits/base in training"
    )
    records = {"read": len(job.genome.names), "used": len(job.split.names()), "skipped": {}}
    task.done(output, records, summary, as_json=as_json, word=word)
