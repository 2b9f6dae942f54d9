"""CSV of dates and closing prices: every row is right, or the file is refused with the row named."""

import csv
import math
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.readers.text_lines import opened_lines
from genolstm.readers.whole_numbers import shortened

DATE, CLOSE = "date", "close"
LONGEST_GAP_DAYS = 14  # markets close for holidays of ten days at most; what is longer is missing rows


class PriceTable(NamedTuple):
    """One series. dates : datetime64[D] [N], increasing.   close : float64 [N], above 0."""

    dates: NDArray[np.datetime64]
    close: NDArray[np.float64]


def read_prices(path: Path) -> PriceTable:
    """Read a CSV with a header that names 'date' (as 2018-12-31) and 'close' in any case; other columns are left.

    Raises InputError, naming the row as editors count lines, for a missing file or column, a date that is none or not
    after the one before, more than 14 days without a row, and a close that is missing, no number, zero or less.
    """
    with opened_lines(path, "a price table", "a table of dates and prices (CSV)") as numbered:
        rows = csv.reader(line + "\n" for _, line in numbered)
        try:
            return _prices(path, rows)
        except csv.Error as problem:
            raise InputError(f"{path}, row {rows.line_num} is no row of a CSV ({problem}); correct it.") from problem


class Rows(Protocol):
    """Rows of a CSV as `csv.reader` gives them; line_num : lines read so far."""

    @property
    def line_num(self) -> int: ...  # noqa: D102
    def __iter__(self) -> Iterator[list[str]]: ...
    def __next__(self) -> list[str]: ...


def _prices(path: Path, rows: Rows) -> PriceTable:
    places = _places(path, next(rows, []))
    dates: list[date] = []
    closes: list[float] = []
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        day, close = _parsed(path, rows.line_num, row, places)
        if dates:
            _check_order(path, rows.line_num, dates[-1], day)
        dates.append(day)
        closes.append(close)
    if not dates:
        raise InputError(f"{path} holds no prices; give one row for each day under the header 'date,close'.")
    return PriceTable(np.array(dates, dtype="datetime64[D]"), np.array(closes, dtype=np.float64))


def _places(path: Path, header: list[str]) -> tuple[int, int]:
    names = [name.strip().lower() for name in header]
    if DATE in names and CLOSE in names:
        return names.index(DATE), names.index(CLOSE)
    raise InputError(
        f"{path} has the columns {shortened(','.join(header))} in row 1; name one of them '{DATE}' and one '{CLOSE}',"
        " with commas between."
    )


def _parsed(path: Path, line: int, row: list[str], places: tuple[int, int]) -> tuple[date, float]:
    day_text, close_text = (row[place].strip() if place < len(row) else "" for place in places)
    try:
        day = date.fromisoformat(day_text)
    except ValueError as problem:
        raise InputError(f"{path}, row {line}: {shortened(day_text)} is no date; write it as 2018-12-31.") from problem
    if not close_text:
        raise InputError(f"{path}, row {line}: the close of {day} is missing; leave the row out or fill it in.")
    try:
        close = float(close_text)
    except ValueError as problem:
        raise InputError(
            f"{path}, row {line}: close {shortened(close_text)} is no number; write it as 2506.85."
        ) from problem
    if not math.isfinite(close):
        raise InputError(f"{path}, row {line}: the close of {day} is {close_text}; leave the row out or fill it in.")
    if close <= 0:
        raise InputError(
            f"{path}, row {line}: the close of {day} is {close_text}, and returns need prices above 0; leave out the"
            " row, or shift the series."
        )
    return day, close


def _check_order(path: Path, line: int, before: date, day: date) -> None:
    if day <= before:
        raise InputError(f"{path}, row {line}: {day} does not come after {before}; sort by date, one row for each day.")
    if (day - before).days > LONGEST_GAP_DAYS:
        raise InputError(
            f"{path}, row {line}: nothing between {before} and {day}; fill in the missing days, or give the part before"
            " or after them alone."
        )
