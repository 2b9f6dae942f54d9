"""``genolstm bench``: this machine's speed for one part, or for all, beside its bare baseline."""

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from genolstm.cli.bench_parts import PARTS, WITH_KERNEL, Choice, Part, estimated, planned, refuse_idle
from genolstm.cli.command import Given, command
from genolstm.cli.options import ComputeOptions, Json, Quiet
from genolstm.cli.terminal import Task, clock
from genolstm.errors import UsageError
from genolstm.settings.model import TrainableCell

if TYPE_CHECKING:
    from genolstm.bench.estimate import Estimate
    from genolstm.bench.timing import NotRun, Timing

log = logging.getLogger("genolstm")

ROUNDS, ROUNDS_OF_ALL = 9, 3


@command()
def bench(
    part: Annotated[Part, typer.Argument(help="What to time; 'all' takes each in turn.", show_default=False)],
    choice: Choice,
    given: Given,
    compute: ComputeOptions,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Time one part and its bare baseline in turn, in one run, and print the ratio: 1 is as fast as the baseline.

    Beside it stands the fraction of what the device allows: of its matrix products for train, score and gates, of its
    bytes for fasta, bam, mods and hdf5, measured in the same run.

    Example: genolstm bench train --hidden 256
    """
    task = Task("bench", quiet=quiet)
    refuse_idle(part, given.values)
    if part in (*WITH_KERNEL, Part.ALL) and choice.cell is TrainableCell.TIED:
        raise UsageError("the tied cell has no bare kernel to be timed against; time lstm, gru or rnn.")
    rounds = choice.rounds or (ROUNDS_OF_ALL if part is Part.ALL else ROUNDS)
    choice = replace(choice, rounds=rounds, device=task.use_device(compute.device, compute.threads))
    timings, not_run, estimates = _timed(part, choice, hidden_given="hidden" in given.values)
    if not as_json:
        _print(timings, not_run, estimates, as_table=part is Part.ALL)
    timed = [timing.to_json() for timing in timings]
    summary = {
        **({"part": part.value} if part is Part.ALL else timed[0]),
        "timings": timed,
        "not_run": [each._asdict() for each in not_run],
        "estimates": [each._asdict() for each in estimates],
    }
    records = {"read": 0, "used": 0, "skipped": {}}
    task.done(None, records, summary, as_json=as_json, message=f"timed {rounds} rounds")


def _timed(part: Part, choice: Choice, *, hidden_given: bool) -> "tuple[list[Timing], list[NotRun], list[Estimate]]":
    """Time what is planned; of 'all' a part that cannot run here is kept with its reason."""
    from genolstm.bench.timing import NotRun, Timing

    timings: list[Timing] = []
    not_run: list[NotRun] = []
    estimates: list[Estimate] = []
    for each, hidden in planned(part, choice.hidden, hidden_given=hidden_given):
        if part is Part.ALL:
            log.info("timing %s", each)
        chosen = replace(choice, hidden=hidden)
        try:
            found = list(PARTS[each](chosen))
        except UsageError as problem:
            if part is not Part.ALL:
                raise
            found = [NotRun(each, "", str(problem))]
        mine = [timing for timing in found if isinstance(timing, Timing)]
        timings += mine
        not_run += [one for one in found if isinstance(one, NotRun)]
        if choice.estimate is not None:
            estimates += estimated(each, mine, choice.estimate, chosen)
    return timings, not_run, estimates


def _print(timings: "list[Timing]", not_run: "list[NotRun]", estimates: "list[Estimate]", *, as_table: bool) -> None:
    """Print the timings: a line for each baseline, or a table of all."""
    from genolstm.bench.wording import sentence, table

    for line in table(timings) if as_table else map(sentence, timings):
        typer.echo(line)
    for absent in not_run:
        against = f" against {absent.baseline}" if absent.baseline else ""
        typer.echo(f"{absent.part}{against} not run: {absent.reason}")
    for each in estimates:
        typer.echo(f"{each.part}: {each.symbols:,} bases ({each.reads}) in about {clock(each.seconds)}")
