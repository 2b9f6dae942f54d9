"""The program: its commands, and the only place where a failure becomes an exit code."""

import errno
import logging
import os
import signal
import sys
from typing import Annotated

import typer

from genolstm import __version__
from genolstm.cli import (
    bench,
    compare,
    control,
    demo,
    dependencies,
    doctor,
    embed,
    export,
    gates,
    ingest,
    manual,
    methylation,
    models,
    motifs,
    predict,
    probe,
    report,
    sample,
    score,
    show,
    study,
    track,
    train,
    variants,
)
from genolstm.cli.help import ALONG, CHECKS, DATA, METHYLATION, MODEL, OUTPUT, PROBES, GroupedHelp
from genolstm.cli.paths import PathCheckedCommand
from genolstm.cli.terminal import printable
from genolstm.errors import GenolstmError, InputError

STDIN, STDERR = 0, 2
SPINNING = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}  # how OpenMP's threads wait for each other

app = typer.Typer(
    name="genolstm",
    cls=GroupedHelp,
    help="Train a next-nucleotide LSTM on a genome and test, with controls, what its hidden states have learned.",
    no_args_is_help=True,
    rich_markup_mode=None,  # user text is never markup: a path may hold [brackets]
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"genolstm {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Train a next-nucleotide LSTM on a genome and test, with controls, what its hidden states have learned."""


app.command(cls=PathCheckedCommand, rich_help_panel=DATA)(ingest.ingest)
app.command(cls=PathCheckedCommand, rich_help_panel=DATA)(track.track)
app.command(cls=PathCheckedCommand, rich_help_panel=MODEL)(train.train)
app.command(cls=PathCheckedCommand, rich_help_panel=ALONG)(score.score)
app.command(cls=PathCheckedCommand, rich_help_panel=ALONG)(embed.embed)
app.command(cls=PathCheckedCommand, rich_help_panel=ALONG)(gates.gates)
app.command(cls=PathCheckedCommand, rich_help_panel=ALONG)(variants.variants)
app.add_typer(probe.app, name="probe", rich_help_panel=PROBES)
app.add_typer(methylation.app, name="methylation", rich_help_panel=METHYLATION)
app.add_typer(models.app, name="models", rich_help_panel=MODEL)
app.command(cls=PathCheckedCommand, rich_help_panel=PROBES)(compare.compare)
app.command(cls=PathCheckedCommand, rich_help_panel=OUTPUT)(report.report)
app.command(cls=PathCheckedCommand, rich_help_panel=OUTPUT)(export.export)
app.command(cls=PathCheckedCommand, rich_help_panel=CHECKS)(study.study)
app.command(cls=PathCheckedCommand, rich_help_panel=OUTPUT)(show.show)
app.command(cls=PathCheckedCommand, rich_help_panel=OUTPUT)(show.schema)
app.command(cls=PathCheckedCommand, rich_help_panel=CHECKS)(doctor.doctor)
app.command(cls=PathCheckedCommand, rich_help_panel=OUTPUT)(manual.manual)
app.command(cls=PathCheckedCommand, rich_help_panel=CHECKS)(bench.bench)
app.command(cls=PathCheckedCommand, rich_help_panel=DATA)(demo.demo)
app.command(cls=PathCheckedCommand, rich_help_panel=PROBES)(predict.predict)
app.command(cls=PathCheckedCommand, rich_help_panel=PROBES)(control.control)
app.command(cls=PathCheckedCommand, rich_help_panel=ALONG)(dependencies.dependencies)
app.command(cls=PathCheckedCommand, rich_help_panel=ALONG)(sample.sample)
app.command(cls=PathCheckedCommand, rich_help_panel=ALONG)(motifs.motifs)


def main() -> None:
    """Run the program. Exit codes: 0 done, 1 our bug, 2 wrong usage, 3 bad input, 128 + n stopped by signal n."""
    _open_what_is_closed()
    _wait_without_spinning()
    try:
        app()
    except GenolstmError as problem:
        logging.getLogger("genolstm").debug("failure", exc_info=problem)
        _report_failure(" ".join([str(problem), *getattr(problem, "__notes__", [])]))
        sys.exit(problem.exit_code)
    except SystemExit as stop:
        # typer ends with 1 when the reader of stdout has gone, as in '| head'
        if isinstance(stop.__context__, BrokenPipeError):
            _forget_stdout()
            sys.exit(128 + signal.SIGPIPE)
        raise
    except OSError as problem:
        if problem.errno != errno.ENOSPC:  # a full disk under an output is an InputError: this is stdout
            raise
        _forget_stdout()
        _report_failure("the disk is full: standard output was not written; free space or write elsewhere.")
        sys.exit(InputError.exit_code)


def _open_what_is_closed() -> None:
    """Open what is closed of stdin, stdout and stderr ('<&-') as empty: else a file would take its number."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        pass
    os.close(number)
    if sys.stdin is None:
        sys.stdin = os.fdopen(STDIN, "r", closefd=False)


def _wait_without_spinning() -> None:
    """Let threads that wait for others sleep, unless the user has set how they wait; read when torch is loaded.

    By default they spin, and on a machine with other work they spin where the awaited one should run.
    """
    if not SPINNING & os.environ.keys():
        os.environ.update(OMP_WAIT_POLICY="PASSIVE", KMP_BLOCKTIME="0")


def _report_failure(sentence: str) -> None:
    # a path may hold a line end, or what steers a terminal: one failure is one line
    typer.echo("genolstm: " + printable(sentence), err=True)


def _forget_stdout() -> None:
    """Let what is left in the buffer of stdout go nowhere, so that Python's own flush at the end cannot fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
