"""``genolstm bench``: this machine's speed for one part beside its bare baseline."""

import dataclasses
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from genolstm.cli.terminal import Device, Json, Quiet, Task, Threads
from genolstm.errors import UsageError
from genolstm.settings import DeviceName, ModelSettings, Precision, StreamSettings, TrainableCell, TrainSettings

if TYPE_CHECKING:
    from genolstm.bench.timing import Timing


class Part(StrEnum):
    """What can be timed."""

    TRAIN = "train"
    SCORE = "score"
    GATES = "gates"
    FASTA = "fasta"
    BAM = "bam"
    MODS = "mods"


class Choice(NamedTuple):
    """What was asked for on the command line. lanes, chunk : None takes what the part itself takes."""

    model: ModelSettings
    lanes: int | None
    chunk: int | None
    precision: Precision
    device: Any
    file: Path | None
    rounds: int

    def stream(self) -> StreamSettings:
        """Lanes and chunk for reading a genome."""
        return StreamSettings(lanes=self.lanes or StreamSettings.lanes, chunk=self.chunk or StreamSettings.chunk)


def _train(choice: Choice) -> "list[Timing]":
    from genolstm.bench.training import time_training

    settings = TrainSettings(
        lanes=choice.lanes or TrainSettings.lanes, chunk=choice.chunk or TrainSettings.chunk,
        precision=choice.precision, bases=10**15,
    )  # fmt: skip
    return [time_training(choice.model, settings, choice.device, choice.rounds)]


def _score(choice: Choice) -> "list[Timing]":
    from genolstm.bench.scoring import time_scoring

    return time_scoring(choice.model, choice.stream(), choice.device, choice.rounds)


def _gates(choice: Choice) -> "list[Timing]":
    from genolstm.bench.gates import time_gates

    return time_gates(choice.model, choice.stream(), choice.device, choice.rounds)


def _fasta(choice: Choice) -> "list[Timing]":
    from genolstm.bench.fasta import time_fasta

    return [time_fasta(choice.file, choice.rounds)]


def _mods(choice: Choice) -> "list[Timing]":
    from genolstm.bench.mods import time_mods

    return [time_mods(choice.rounds)]


def _bam(choice: Choice) -> "list[Timing]":
    from genolstm.bench.alignments import time_bam

    return time_bam(choice.file, choice.rounds)


PARTS: "dict[Part, Callable[[Choice], list[Timing]]]" = {
    Part.TRAIN: _train,
    Part.SCORE: _score,
    Part.GATES: _gates,
    Part.FASTA: _fasta,
    Part.BAM: _bam,
    Part.MODS: _mods,
}
WITH_KERNEL = {Part.TRAIN, Part.SCORE, Part.GATES}  # parts whose baseline is a bare kernel of torch.nn


def bench(
    part: Annotated[Part, typer.Argument(help="What to time.", show_default=False)],
    fasta: Annotated[
        Path | None, typer.Option("--fasta", help="File to read for 'fasta'; a made one of 20 Mb otherwise.")
    ] = None,
    bam: Annotated[
        Path | None, typer.Option("--bam", help="File to read for 'bam'; a made one of 1 M reads otherwise.")
    ] = None,
    cell: Annotated[TrainableCell, typer.Option("--cell", help="lstm, gru or rnn.")] = ModelSettings.cell,
    layers: Annotated[int, typer.Option("--layers", min=1, help="Layers.")] = ModelSettings.layers,
    hidden: Annotated[int, typer.Option("--hidden", min=1, help="Units a layer.")] = ModelSettings.hidden,
    lanes: Annotated[
        int | None, typer.Option("--lanes", min=1, help="Stretches read side by side; as the part itself by default.")
    ] = None,
    chunk: Annotated[
        int | None, typer.Option("--chunk", min=1, help="Bases a step; as the part itself by default.")
    ] = None,
    precision: Annotated[
        Precision, typer.Option("--precision", help="Of the matrix products of a training step.")
    ] = TrainSettings.precision,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Alternating rounds; the median is told.")] = 9,
    threads: Threads = 0,
    device: Device = DeviceName.AUTO,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Time one part and its bare baseline in turn, in one run, and tell the ratio: 1 is as fast as the baseline.

    Example: genolstm bench train --hidden 256
    """
    task = Task("bench", quiet=quiet)
    on = task.use_device(device, threads)
    if part in WITH_KERNEL and cell is TrainableCell.TIED:
        raise UsageError("the tied cell has no bare kernel to be timed against; time lstm, gru or rnn.")
    model = ModelSettings(cell=cell, layers=layers, hidden=hidden)
    choice = Choice(model, lanes, chunk, precision, on, bam if part is Part.BAM else fasta, rounds)
    timings = PARTS[part](choice)
    for timing in () if as_json else timings:
        typer.echo(
            f"{timing.part}: {timing.rate:,.0f} {timing.unit}/s;"
            f" {timing.baseline}: {timing.baseline_rate:,.0f} {timing.unit}/s;"
            f" ratio {timing.ratio:.2f} ({timing.low:.2f} to {timing.high:.2f}, {timing.rounds} rounds)"
        )
    told = [dataclasses.asdict(timing) for timing in timings]
    records = {"read": 0, "used": 0, "skipped": {}}
    word = f"timed {rounds} rounds"
    task.done(None, records, {**told[0], "timings": told}, as_json=as_json, word=word)
