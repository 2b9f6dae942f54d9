"""CSV of dates and closing prices, or of dates and signed columns: a wrong row refuses the file, and is named."""

import csv
import math
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

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
    return _read(path, "a price table", "a table of dates and prices (CSV)", _prices)


class ExogenousTable(NamedTuple):
    """Columns that go with a series. dates : datetime64[D] [N], increasing.   names : of the columns.

    values : float64 [N, K], of either sign.   incomplete : rows left out because a cell is empty or 'nan'.
    """

    dates: NDArray[np.datetime64]
    names: tuple[str, ...]
    values: NDArray[np.float64]
    incomplete: int


def read_exogenous(path: Path) -> ExogenousTable:
    """Read a CSV with a header: 'date', and any number of columns of numbers, which may be negative.

    Raises InputError, naming the row, for a missing file, no column beside the date, two of one name, a date that is
    none or not after the one before, and a cell that is no number.
    """
    return _read(path, "a table of exogenous series", "a table of dates and numbers (CSV)", _exogenous)


T = TypeVar("T")


def _read(path: Path, what: str, wanted: str, parse: Callable[[Path, "Rows"], T]) -> T:
    with opened_lines(path, what, wanted) as numbered:
        rows = csv.reader(line + "\n" for _, line in numbered)
        try:
            return parse(path, rows)
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
    day = _day(path, line, row, places[0])
    close_text = _cell(row, places[1])
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


def _cell(row: list[str], place: int) -> str:
    return row[place].strip() if place < len(row) else ""


def _day(path: Path, line: int, row: list[str], place: int) -> date:
    text = _cell(row, place)
    try:
        return date.fromisoformat(text)
    except ValueError as problem:
        raise InputError(f"{path}, row {line}: {shortened(text)} is no date; write it as 2018-12-31.") from problem


def _exogenous(path: Path, rows: Rows) -> ExogenousTable:
    names = [name.strip() for name in next(rows, [])]
    if [name.lower() for name in names].count(DATE) != 1 or len(names) < 2 or len(set(names)) < len(names):
        raise InputError(
            f"{path} has the columns {shortened(','.join(names))} in row 1; name one of them '{DATE}', and give at"
            " least one column of numbers beside it, each of another name."
        )
    at = [name.lower() for name in names].index(DATE)
    others = [place for place in range(len(names)) if place != at]
    dates: list[date] = []
    values: list[list[float]] = []
    incomplete, last = 0, date.min
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        day = _day(path, rows.line_num, row, at)
        _check_after(path, rows.line_num, last, day)
        last = day
        numbers = [_number(path, rows.line_num, names[place], _cell(row, place)) for place in others]
        if any(math.isnan(number) for number in numbers):
            incomplete += 1
            continue
        dates.append(day)
        values.append(numbers)
    if not dates:
        raise InputError(f"{path} holds no complete row; give one for each day, with a number in every column.")
    return ExogenousTable(
        np.array(dates, dtype="datetime64[D]"),
        tuple(names[place] for place in others),
        np.array(values, dtype=np.float64),
        incomplete,
    )


def _number(path: Path, line: int, name: str, text: str) -> float:
    """A cell as a number; NaN where it is empty or says so."""
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError as problem:
        raise InputError(
            f"{path}, row {line}: {name} {shortened(text)} is no number; write it as -0.25, or leave the cell empty."
        ) from problem
    if math.isinf(value):
        raise InputError(f"{path}, row {line}: {name} is {text}; leave the cell empty or fill it in.")
    return value


def _check_after(path: Path, line: int, before: date, day: date) -> None:
    if day <= before:
        raise InputError(f"{path}, row {line}: {day} does not come after {before}; sort by date, one row for each day.")


def _check_order(path: Path, line: int, before: date, day: date) -> None:
    _check_after(path, line, before, day)
    if (day - before).days > LONGEST_GAP_DAYS:
        raise InputError(
            f"{path}, row {line}: nothing between {before} and {day}; fill in the missing days, or give the part before"
            " or after them alone."
        )
