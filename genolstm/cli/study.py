"""``genolstm study``: the claims about gated memory, each with the number that decides it."""

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.command import Given, command
from genolstm.cli.figures import draw
from genolstm.cli.options import Output, ResultOptions, Threads, refuse_all
from genolstm.cli.terminal import FIRST_LINE_SECONDS, LINE_SECONDS, Task, log
from genolstm.errors import UsageError
from genolstm.settings.study import STUDY_FILES, STUDY_OPTIONS, StudyName, StudySettings
from genolstm.settings.train import DeviceName

if TYPE_CHECKING:
    from genolstm.store.study import Claim, Study

ALL = "all"


@command()
def study(
    name: Annotated[str, typer.Argument(help="A study, or 'all'.", metavar="NAME", show_default=False)],
    output: Output,
    settings: StudySettings,
    given: Given,
    run: ResultOptions,
    threads: Threads = 0,
) -> None:
    """Test the claims about gated memory: each holds or does not, with its number and interval.

    half-life: how long a memory lives behind a forget bias, nominal and measured.

    vanishing: how gradients fade with lag in rnn, gru and lstm, and what that costs in samples.

    copy: recall after a delay far past a Transformer's window, beside one that sees everything.

    brackets: the kind of a closing brace whose opening one is hundreds of symbols back.

    counting: a^n b^n for n never trained; which layer encodes the phase and which cell counts.

    forgetting: cells of constant forget against the savings that Ebbinghaus measured.

    volatility: RiskMetrics and GARCH as special cases, and forecasts of real series beside them.

    parsimony: GRU against LSTM as the training set grows.

    knockout: what is left when a gate is held shut or open.

    telemetry: gates over a log of user actions that sometimes lose their context, and a prompt when they do.

    long-lags: a word that an enhancer decides 1, 10 and 50 kb before, by cell and by training chunk.

    source-code: closing brackets of real text, this package's own sources, beside k-grams.

    boundary: whether splice sites are foreseen, and other GT and AG not, in a made genome and in your own.

    chromatin: the forget gate at planted borders of open chromatin, and at real ones.

    all: every study, one group each in one file.

    Example: genolstm study copy -o copy.h5 --quick --figure copy.svg
    """
    from genolstm.store.files import file_sha256
    from genolstm.store.study import records_of, write_studies
    from genolstm.studies.catalogue import STUDIES
    from genolstm.studies.intervals import tally

    task = Task("study", run, seed=settings.seed)
    wanted = _wanted(name)
    _refuse_idle(given, wanted)
    paths = {name: getattr(settings, name) for name in STUDY_FILES}
    files = {key: Path(path) for key, path in paths.items() if path}
    refuse_all([output], files.values(), run)
    sums = {key: file_sha256(path) for key, path in files.items()}
    task.use_device(DeviceName.CPU, threads)  # the networks are far too small for a GPU
    found: dict[str, Study] = {}
    for each in wanted:
        found[each] = STUDIES[each](settings, _StudyLog(each))
    write_studies(output, found, task.provenance(settings.to_json(), sums))
    draw(output, run.figure)
    if not run.as_json:
        _print(found)
    claims = [claim for each in found.values() for claim in each.claims]
    counted = tally(claims)
    message = (
        f"{sum(claim.holds for claim in claims)} of {len(claims)} claims hold; of {counted.decided} that an interval"
        f" decides {counted.held}, {counted.corrected} with Holm's correction, {counted.by_chance:.1f} by chance alone"
    )
    summary = {"studies": _plain(found), "tally": counted._asdict()}
    task.done(output, records_of(found).to_json(), summary, message=message)


def _wanted(name: str) -> tuple[StudyName, ...]:
    if name == ALL:
        return tuple(StudyName)
    if name not in set(StudyName):
        raise UsageError(f"there is no study '{name}'; there are {', '.join(StudyName)}, and {ALL}.")
    return (StudyName(name),)


def _refuse_idle(given: Given, wanted: tuple[StudyName, ...]) -> None:
    """Refuse an option that none of the studies uses. Raises UsageError."""
    for key in given.values:
        users = STUDY_OPTIONS.get(key, wanted)
        if not set(users) & set(wanted):
            raise UsageError(f"--{key} is for {' and '.join(users)}, not for {wanted[0]}: leave it out.")


class _StudyLog:
    """Logs the progress of a study: at its start, then at growing intervals."""

    def __init__(self, name: str) -> None:
        self.name, self.logged, self.wait = name, time.perf_counter(), FIRST_LINE_SECONDS
        log.info("study %s", name)

    def __call__(self, message: str) -> None:
        now = time.perf_counter()
        if now - self.logged >= self.wait:
            log.info("%s: %s", self.name, message)
            self.logged, self.wait = now, min(LINE_SECONDS, 2 * self.wait)


def _print(studies: "dict[str, Study]") -> None:
    for name, study in studies.items():
        typer.echo(f"{name}: {study.question}")
        for claim in study.claims:
            typer.echo(f"  {'holds' if claim.holds else 'DOES NOT HOLD'}: {claim.statement}")
            typer.echo(f"    {_number(claim)}; {claim.because}")
        typer.echo(f"  {study.conclusion}")


def _number(claim: "Claim") -> str:
    unit = f" {claim.unit}" if claim.unit else ""
    interval = "" if math.isnan(claim.low) else f" [{claim.low:.4g}, {claim.high:.4g}]"
    return f"{claim.value:.4g}{interval}{unit}"


def _plain(studies: "dict[str, Study]") -> dict[str, Any]:
    """Studies as JSON can hold them: NaN and inf are null."""

    def number(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return {
        name: {
            "conclusion": study.conclusion,
            "claims": [
                {
                    "name": claim.name,
                    "statement": claim.statement,
                    "holds": claim.holds,
                    "value": [number(value) for value in (claim.value, claim.low, claim.high)],
                    "unit": claim.unit,
                    "because": claim.because,
                    "p": number(claim.p),
                }
                for claim in study.claims
            ],
        }
        for name, study in studies.items()
    }
