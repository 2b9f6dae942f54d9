"""Runs of 'genolstm bench --json' in this process, and the table that they make."""

import io
import json
import logging
import shlex
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, TextIO

from acceptance import least_ratio

from genolstm.cli.app import app
from genolstm.errors import GenolstmError

COLUMNS = (
    "command", "part", "shape", "unit", "rate", "baseline", "baseline_rate", "ratio", "low", "high", "rounds", "least",
    "met", "bound", "bound_rate", "share", "peak_flops", "peak_shares", "hours", "device", "not_run",
)  # fmt: skip

log = logging.getLogger("genolstm.benchmarks")


def rows_of(arguments: Sequence[str]) -> list[dict[str, Any]]:
    """Run 'genolstm bench' with these arguments; gives a row for each baseline, or why it did not run."""
    command = shlex.join(["genolstm", "bench", *arguments])
    log.info("%s", command)
    said = io.StringIO()
    try:
        with redirect_stdout(said):
            app(["bench", *arguments, "--quiet", "--json"], standalone_mode=False)
    except GenolstmError as problem:
        return [{"command": command, "part": arguments[0], "not_run": str(problem)}]
    return list(_flattened(command, json.loads(said.getvalue())))


def _flattened(command: str, told: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One flat row for each timing."""
    hours = {each["part"]: each["seconds"] / 3600 for each in told["estimates"]}
    for timing in told["timings"]:
        least = least_ratio(timing, told["device"])
        bound = timing["bound"] or {"name": None, "rate": None, "peaks": {}}
        yield {
            **timing,
            "command": command,
            "device": told["device"],
            "least": least,
            "met": None if least is None else timing["ratio"] >= least,
            "bound": bound["name"],
            "bound_rate": bound["rate"],
            "peak_flops": bound["peaks"],
            "hours": hours.get(f"{timing['part']}, {timing['shape']}"),
        }
    for absent in told["not_run"]:
        yield {**absent, "command": command, "device": told["device"], "not_run": absent["reason"]}


def cell(value: object) -> str:
    """Text of one field of the table: floats to six digits, {'fp16': 0.5} as 'fp16=0.5', nothing for None."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return ";".join(f"{name}={each:.6g}" for name, each in value.items())
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def write_line(table: TextIO, columns: Sequence[str], row: dict[str, Any] | None = None) -> None:
    """Write a row of tab-separated values, or without one the header, at once: a run may be stopped at any time."""
    table.write("\t".join(columns if row is None else (cell(row.get(name)) for name in columns)) + "\n")
    table.flush()


def say_progress() -> None:
    """Let the runs be named on stderr."""
    handler = logging.StreamHandler()  # of its own: each bench sets up the root logger anew
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(handler)
    log.propagate = False
    log.setLevel(logging.INFO)


def write_table(path: Path, rows: Sequence[dict[str, Any]], columns: Sequence[str] = COLUMNS) -> None:
    """Write all rows as tab-separated values."""
    with path.open("w") as table:
        write_line(table, columns)
        for row in rows:
            write_line(table, columns, row)
