"""Tables of samples: which counts file is of which time, group and replicate."""

import math
import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from genolstm.errors import InputError
from genolstm.readers.text_lines import opened_lines

COLUMNS = ("file", "time", "group", "replicate")
SAMPLE = "sample"  # column that may name one sample of a file that holds several
PLAIN_NAME = re.compile(r"[\w.+-]+")


class SampleRow(NamedTuple):
    """One sample. file : as a path.   time : in the unit of the fit.   sample : of the file; '' where it has one."""

    file: Path
    time: float
    group: str
    replicate: str
    sample: str


def read_samples(path: Path) -> tuple[SampleRow, ...]:
    """Read a tab-separated table whose header names file, time, group and replicate, and perhaps sample.

    Files are looked for beside the table. Rows come in the order of time, replicates as they stand.
    Raises InputError for a column that is missing, a file that does not exist, a time that is no number, a sample or a
    replicate of one group and time that is named twice.
    """
    source = str(path)
    with opened_lines(path, "a table", "a table of samples") as numbered:
        lines = [(number, line) for number, line in numbered if line.strip() and not line.startswith("#")]
    header = lines[0][1].split("\t") if lines else []
    if missing := [name for name in COLUMNS if name not in header]:
        raise InputError(
            f"{source} has no column '{missing[0]}'; its first line must name {', '.join(COLUMNS)}, with tabs between."
        )
    rows = [_row(dict(zip(header, line.split("\t"), strict=False)), path, number) for number, line in lines[1:]]
    if not rows:
        raise InputError(f"{source} has a header but no samples; give one row for each.")
    _check(rows, source)
    return tuple(sorted(rows, key=lambda row: row.time))


def _row(values: dict[str, str], table: Path, number: int) -> SampleRow:
    where = f"{table} line {number}"
    for name in COLUMNS:
        if not values.get(name, "").strip():
            raise InputError(f"{where} has no {name}; fill it in.")
    for name in ("group", "replicate"):
        if not PLAIN_NAME.fullmatch(values[name]):
            raise InputError(f"{where}: {name} '{values[name]}' must be letters, digits, '_', '.', '+' or '-' alone.")
    time = math.nan
    with suppress(ValueError):
        time = float(values["time"])
    if not math.isfinite(time):
        raise InputError(f"{where}: time '{values['time']}' is not a number.")
    file = table.parent / values["file"]
    if not file.is_file():
        raise InputError(f"{where}: counts file {file} does not exist; correct its path, which begins at the table.")
    return SampleRow(file, time, values["group"], values["replicate"], values.get(SAMPLE, "").strip())


def _check(rows: list[SampleRow], source: str) -> None:
    """Raise InputError where one sample is named twice, with another time or not, or one replicate has two samples."""
    seen: dict[tuple[Path, str], SampleRow] = {}
    replicates: dict[tuple[str, float, str], SampleRow] = {}
    for row in rows:
        first = seen.setdefault((row.file.resolve(), row.sample), row)
        if first is not row:
            which = f"sample '{row.sample}' of {row.file}" if row.sample else str(row.file)
            told = (
                f"with times {first.time:g} and {row.time:g}, which contradict" if first.time != row.time else "twice"
            )
            raise InputError(f"{source} names {which} {told}; keep one row for each sample.")
        if replicates.setdefault((row.group, row.time, row.replicate), row) is not row:
            raise InputError(
                f"{source} has two samples of group '{row.group}', time {row.time:g}, replicate '{row.replicate}';"
                " name replicates apart, or add up their counts."
            )
