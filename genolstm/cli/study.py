"""``genolstm study``: the claims about such a memory, each with the number that decides it."""

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.figures import Figure, check_figure, draw
from genolstm.cli.options import typed
from genolstm.cli.terminal import FIRST_LINE_SECONDS, LINE_SECONDS, Force, Json, Output, Quiet, Seed, Task, Threads, log
from genolstm.errors import UsageError
from genolstm.settings.quantities import parse_numbers
from genolstm.settings.study import STUDY_OPTIONS, StudyName, StudySettings
from genolstm.settings.train import DeviceName

if TYPE_CHECKING:
    from genolstm.store.study import Claim, Study

ALL = "all"
NUMBERS = ("biases", "lags", "delays", "distances")  # options that take several


def study(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A study, or 'all'.", metavar="NAME", show_default=False)],
    output: Output,
    quick: Annotated[
        bool, typer.Option("--quick", help="Smaller sizes, fewer steps and seeds: all of them in five minutes.")
    ] = StudySettings.quick,
    repeats: Annotated[
        int, typer.Option("--repeats", help="Networks trained from seeds of their own behind each interval.")
    ] = StudySettings.repeats,
    biases: Annotated[str, typer.Option("--biases", help="half-life: forget biases.")] = ",".join(
        map("{:g}".format, StudySettings.biases)
    ),
    chrono: Annotated[
        int, typer.Option("--chrono", help="half-life: horizon T of 'chrono:T', in steps.")
    ] = StudySettings.chrono,
    lags: Annotated[
        str | None, typer.Option("--lags", help="vanishing: steps from the symbol to the question, as 5,20,80.")
    ] = None,
    delays: Annotated[
        str | None, typer.Option("--delays", help="copy: blanks between symbols and cue, as 10,50,200.")
    ] = None,
    length: Annotated[
        int, typer.Option("--length", help="copy: symbols in each sequence; 0 takes what its delay needs.")
    ] = StudySettings.length,
    distances: Annotated[
        str | None, typer.Option("--distances", help="brackets: symbols from an opening brace to its closing one.")
    ] = None,
    window: Annotated[
        int, typer.Option("--window", help="copy, brackets: symbols that a layer of the windowed Transformer sees.")
    ] = StudySettings.window,
    longest: Annotated[
        int, typer.Option("--longest", help="counting: largest n of a^n b^n in training.")
    ] = StudySettings.longest,
    prices: Annotated[
        Path | None, typer.Option("--prices", help="volatility: CSV of date and close, in place of the S&P 500.")
    ] = None,
    exogenous: Annotated[
        Path | None, typer.Option("--exogenous", help="volatility: CSV of date and close, in place of the VIX.")
    ] = None,
    threads: Threads = 0,
    seed: Seed = StudySettings.seed,
    figure: Figure = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Put the claims about such a memory to the test: each holds or does not, with its number and interval.

    half-life: how long a memory lives behind a forget bias, nominal and measured.

    vanishing: how gradients fade with lag in rnn, gru and lstm, and what that costs in samples.

    copy: recall after a delay far past a Transformer's window, beside one that sees everything.

    brackets: the kind of a closing brace whose opening one is hundreds of symbols back.

    counting: a^n b^n for n never trained; which layer knows the phase and which cell counts.

    forgetting: cells of constant forget against the savings that Ebbinghaus measured.

    volatility: RiskMetrics and GARCH as special cases, and forecasts of real series beside them.

    parsimony: GRU against LSTM as the training set grows.

    knockout: what is left when a gate is held shut or open.

    telemetry: forget gates over a made log of user actions that sometimes lose their context.

    all: every study, one group each in one file.

    Example: genolstm study copy -o copy.h5 --quick --figure copy.svg
    """
    from genolstm.store.files import Records, file_sha256, refuse_existing
    from genolstm.store.study import write_studies
    from genolstm.studies.catalogue import STUDIES

    task = Task("study", quiet=quiet, seed=seed)
    wanted = _wanted(name)
    inputs = {"prices": prices, "exogenous": exogenous}
    particular = {
        "biases": biases, "chrono": chrono, "lags": lags, "delays": delays, "length": length, "distances": distances,
        "window": window, "longest": longest, **inputs,
    }  # fmt: skip
    settings = _settings(typed(ctx, particular), wanted, {"quick": quick, "repeats": repeats, "seed": seed})
    files = {key: path for key, path in inputs.items() if path}
    refuse_existing(output, force=force, inputs=files.values())
    check_figure(figure, force=force, inputs=[output, *files.values()])
    sums = {key: file_sha256(path) for key, path in files.items()}
    task.use_device(DeviceName.CPU, threads)  # the networks are far too small for a GPU
    found: dict[str, Study] = {}
    for each in wanted:
        found[each] = STUDIES[each](settings, _Teller(each))
    write_studies(output, found, Records(), task.provenance(settings.to_json(), sums))
    draw(output, figure)
    if not as_json:
        _print(found)
    claims = [claim for each in found.values() for claim in each.claims]
    word = f"{sum(claim.holds for claim in claims)} of {len(claims)} claims hold"
    task.done(output, Records().to_json(), {"studies": _plain(found)}, as_json=as_json, word=word)


def _wanted(name: str) -> tuple[StudyName, ...]:
    if name == ALL:
        return tuple(StudyName)
    if name not in set(StudyName):
        raise UsageError(f"there is no study '{name}'; there are {', '.join(StudyName)}, and {ALL}.")
    return (StudyName(name),)


def _settings(given: dict[str, Any], wanted: tuple[StudyName, ...], shared: dict[str, Any]) -> StudySettings:
    """Take what was typed; an option that none of the studies uses is refused, not ignored."""
    for key in given:
        users = STUDY_OPTIONS[key]
        if not set(users) & set(wanted):
            raise UsageError(f"--{key} is for {' and '.join(users)}, not for {wanted[0]}: leave it out.")
    for key in NUMBERS & given.keys():
        numbers = parse_numbers(given[key], key)
        if key != "biases" and any(number != int(number) for number in numbers):
            raise UsageError(f"{key} must be whole numbers, unlike {given[key]}.")
        given[key] = numbers if key == "biases" else tuple(int(number) for number in numbers)
    paths = {key: str(value) for key, value in given.items() if isinstance(value, Path)}
    return StudySettings(**{**shared, **given, **paths})


class _Teller:
    """Says in the log how far a study is: at its start, then now and then."""

    def __init__(self, name: str) -> None:
        self.name, self.said, self.wait = name, time.perf_counter(), FIRST_LINE_SECONDS
        log.info("study %s", name)

    def __call__(self, words: str) -> None:
        now = time.perf_counter()
        if now - self.said >= self.wait:
            log.info("%s: %s", self.name, words)
            self.said, self.wait = now, min(LINE_SECONDS, 2 * self.wait)


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
                }
                for claim in study.claims
            ],
        }
        for name, study in studies.items()
    }
