"""``genolstm bench``: this machine's speed for one part, or for all, beside its bare baseline."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genolstm.cli.bench_parts import PARTS, WITH_KERNEL, Choice, Part, estimated, planned, refuse_idle
from genolstm.cli.options import typed
from genolstm.cli.terminal import Device, Json, Quiet, Task, Threads, clock
from genolstm.errors import UsageError
from genolstm.settings.model import ModelSettings, TrainableCell
from genolstm.settings.quantities import parse_size
from genolstm.settings.train import DeviceName, Precision, TrainSettings

if TYPE_CHECKING:
    from genolstm.bench.estimate import Estimate
    from genolstm.bench.timing import NotRun, Timing

log = logging.getLogger("genolstm")

ROUNDS, ROUNDS_OF_ALL = 9, 3


def bench(
    ctx: typer.Context,
    part: Annotated[Part, typer.Argument(help="What to time; 'all' takes each in turn.", show_default=False)],
    fasta: Annotated[
        Path | None, typer.Option("--fasta", help="File to read for 'fasta'; a made one of 20 Mb otherwise.")
    ] = None,
    bam: Annotated[
        Path | None, typer.Option("--bam", help="File to read for 'bam'; a made one of 1 M reads otherwise.")
    ] = None,
    cell: Annotated[TrainableCell, typer.Option("--cell", help="lstm, gru or rnn.")] = ModelSettings.cell,
    layers: Annotated[int, typer.Option("--layers", min=1, help="Layers.")] = ModelSettings.layers,
    hidden: Annotated[
        int,
        typer.Option(
            "--hidden", min=1, help="Units a layer. 'all' without it takes 128 and 512 for 'score', 256 for 'gates'."
        ),
    ] = ModelSettings.hidden,
    lanes: Annotated[
        int | None, typer.Option("--lanes", min=1, help="Stretches read side by side; as the part itself by default.")
    ] = None,
    chunk: Annotated[
        int | None, typer.Option("--chunk", min=1, help="Bases a step; as the part itself by default.")
    ] = None,
    precision: Annotated[
        Precision, typer.Option("--precision", help="Of the matrix products of 'train'; all else is read in fp32.")
    ] = TrainSettings.precision,
    rounds: Annotated[
        int | None, typer.Option("--rounds", min=1, help="Alternating rounds; the median is told. [9, and 3 for 'all']")
    ] = None,
    estimate: Annotated[
        str | None,
        typer.Option(
            "--estimate", help="Bases of a genome, as 3.1G: tell how long train, score, gates and fasta take for it."
        ),
    ] = None,
    threads: Threads = 0,
    device: Device = DeviceName.AUTO,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Time one part and its bare baseline in turn, in one run, and tell the ratio: 1 is as fast as the baseline.

    Beside it stands the share of what the device allows: of its matrix products for train,
    score and gates, of its bytes for fasta, bam, mods and hdf5, measured in the same run.

    Example: genolstm bench train --hidden 256
    """
    task = Task("bench", quiet=quiet)
    asked_for = typed(ctx, ctx.params)
    refuse_idle(part, asked_for)
    if part in (*WITH_KERNEL, Part.ALL) and cell is TrainableCell.TIED:
        raise UsageError("the tied cell has no bare kernel to be timed against; time lstm, gru or rnn.")
    bases = _genome_size(estimate)
    rounds = rounds or (ROUNDS_OF_ALL if part is Part.ALL else ROUNDS)
    on = task.use_device(device, threads)
    model = ModelSettings(cell=cell, layers=layers, hidden=hidden)
    choice = Choice(model, lanes, chunk, precision, on, fasta, bam, rounds)
    timings, not_run, estimates = _timed(part, choice, bases, hidden_given="hidden" in asked_for)
    if not as_json:
        _tell(timings, not_run, estimates, as_table=part is Part.ALL)
    told = [timing.to_json() for timing in timings]
    summary = {
        **({"part": part.value} if part is Part.ALL else told[0]),
        "timings": told,
        "not_run": [each._asdict() for each in not_run],
        "estimates": [each._asdict() for each in estimates],
    }
    records = {"read": 0, "used": 0, "skipped": {}}
    task.done(None, records, summary, as_json=as_json, word=f"timed {rounds} rounds")


def _genome_size(text: str | None) -> int | None:
    bases = None if text is None else parse_size(text)
    if bases == 0:
        raise UsageError("--estimate 0: a genome has at least one base; write for example 3.1G.")
    return bases


def _timed(
    part: Part, choice: Choice, bases: int | None, *, hidden_given: bool
) -> "tuple[list[Timing], list[NotRun], list[Estimate]]":
    """Time what is planned; of 'all' a part that cannot run here is kept with its reason."""
    from genolstm.bench.timing import NotRun, Timing

    timings: list[Timing] = []
    not_run: list[NotRun] = []
    estimates: list[Estimate] = []
    for each, model in planned(part, choice.model, hidden_given=hidden_given):
        if part is Part.ALL:
            log.info("timing %s", each)
        chosen = choice._replace(model=model)
        try:
            found = list(PARTS[each](chosen))
        except UsageError as problem:
            if part is not Part.ALL:
                raise
            found = [NotRun(each, "", str(problem))]
        mine = [timing for timing in found if isinstance(timing, Timing)]
        timings += mine
        not_run += [one for one in found if isinstance(one, NotRun)]
        if bases is not None:
            estimates += estimated(each, mine, bases, chosen)
    return timings, not_run, estimates


def _tell(timings: "list[Timing]", not_run: "list[NotRun]", estimates: "list[Estimate]", *, as_table: bool) -> None:
    """Print what was found: a line for each baseline, or a table of all."""
    from genolstm.bench.words import sentence, table

    for line in table(timings) if as_table else map(sentence, timings):
        typer.echo(line)
    for absent in not_run:
        against = f" against {absent.baseline}" if absent.baseline else ""
        typer.echo(f"{absent.part}{against} not run: {absent.reason}")
    for each in estimates:
        typer.echo(f"{each.part}: {each.symbols:,} bases ({each.reads}) in about {clock(each.seconds)}")
