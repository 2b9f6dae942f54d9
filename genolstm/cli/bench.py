"""``genolstm bench``: this machine's speed for one part beside its bare baseline."""

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from genolstm.cli.terminal import Device, Json, Quiet, Task, Threads
from genolstm.errors import UsageError
from genolstm.settings import DeviceName, ModelSettings, Precision, TrainableCell, TrainSettings


class Part(StrEnum):
    """What can be timed."""

    TRAIN = "train"
    FASTA = "fasta"


def bench(
    part: Annotated[Part, typer.Argument(help="What to time.", show_default=False)],
    fasta: Annotated[
        Path | None, typer.Option("--fasta", help="File to read for 'fasta'; a made one of 20 Mb otherwise.")
    ] = None,
    cell: Annotated[TrainableCell, typer.Option("--cell", help="lstm, gru or rnn.")] = ModelSettings.cell,
    layers: Annotated[int, typer.Option("--layers", min=1, help="Layers.")] = ModelSettings.layers,
    hidden: Annotated[int, typer.Option("--hidden", min=1, help="Units a layer.")] = ModelSettings.hidden,
    lanes: Annotated[int, typer.Option("--lanes", min=1, help="Stretches read side by side.")] = TrainSettings.lanes,
    chunk: Annotated[int, typer.Option("--chunk", min=1, help="Bases between weight updates.")] = TrainSettings.chunk,
    precision: Annotated[
        Precision, typer.Option("--precision", help="Of the matrix products.")
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
    from genolstm.bench import time_fasta, time_training

    task = Task("bench", quiet=quiet)
    on = task.use_device(device, threads)
    if part is Part.FASTA:
        timing = time_fasta(fasta, rounds)
    elif cell is TrainableCell.TIED:
        raise UsageError("the tied cell has no bare kernel to be timed against; time lstm, gru or rnn.")
    else:
        model = ModelSettings(cell=cell, layers=layers, hidden=hidden)
        settings = TrainSettings(lanes=lanes, chunk=chunk, precision=precision, bases=10**15)
        timing = time_training(model, settings, on, rounds)
    word = (
        f"{timing.part}: {timing.rate:,.0f} {timing.unit}/s;"
        f" {timing.baseline}: {timing.baseline_rate:,.0f} {timing.unit}/s;"
        f" ratio {timing.ratio:.2f} ({timing.low:.2f} to {timing.high:.2f}, {timing.rounds} rounds)"
    )
    records = {"read": 0, "used": 0, "skipped": {}}
    if not as_json:
        typer.echo(word)
    task.done(None, records, dataclasses.asdict(timing), as_json=as_json, word=f"timed {timing.rounds} rounds")
