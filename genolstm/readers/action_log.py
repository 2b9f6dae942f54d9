"""CSV of user actions: session, time and action, in any order of rows."""

import csv
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.readers.text_lines import opened_lines
from genolstm.readers.whole_numbers import shortened

SESSION, TIME, ACTION = "session", "time", "action"
UNORDERED, UNNAMED, ALONE = "rows put in order of time", "rows without an action", "sessions of one action"


class ActionLog(NamedTuple):
    """Actions, by session and by time within it.

    session : int64 [N], 0 for the first, never falling.   time : float64 [N], seconds.   action : int64 [N], index into
    `kinds`.   sessions, kinds : names.   read : rows.   skipped : what was left out or moved, by reason.
    """

    session: NDArray[np.int64]
    time: NDArray[np.float64]
    action: NDArray[np.int64]
    sessions: tuple[str, ...]
    kinds: tuple[str, ...]
    read: int
    skipped: dict[str, int]


class _Rows(Protocol):
    @property
    def line_num(self) -> int: ...
    def __iter__(self) -> Iterator[list[str]]: ...
    def __next__(self) -> list[str]: ...


def read_actions(path: Path) -> ActionLog:
    """Read a CSV whose header names 'session', 'time' (seconds, or as 2024-05-01T12:00:00) and 'action'.

    Rows are put in order of time within their session; equal times keep the order of the file. Rows without an action
    and sessions of one action are left out and counted. Raises InputError, naming the row, for a missing file or
    column, an empty session, a time that is none, and a log without a session of two
    actions. A time without a zone is taken as UTC.
    """
    with opened_lines(path, "a log of actions", "a table of actions (CSV)") as numbered:
        rows = csv.reader(line + "\n" for _, line in numbered)
        try:
            return _log(path, rows)
        except csv.Error as problem:
            raise InputError(f"{path}, row {rows.line_num} is no row of a CSV ({problem}); correct it.") from problem


def _log(path: Path, rows: _Rows) -> ActionLog:
    places = _places(path, next(rows, []))
    by_session: dict[str, list[tuple[float, str]]] = {}
    read = unnamed = 0
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        read += 1
        session, time, action = (row[place].strip() if place < len(row) else "" for place in places)
        if not session:
            raise InputError(f"{path}, row {rows.line_num}: the session is missing; name it, or leave the row out.")
        seconds = _seconds(path, rows.line_num, time)
        if action:
            by_session.setdefault(session, []).append((seconds, action))
        else:
            unnamed += 1
    alone = [name for name, actions in by_session.items() if len(actions) < 2]
    for name in alone:
        del by_session[name]
    if not by_session:
        raise InputError(f"{path} holds no session of two actions; give one row for each action under '{_HEADER}'.")
    moved = 0
    for actions in by_session.values():
        ordered = sorted(actions, key=lambda each: each[0])
        moved += sum(one is not other for one, other in zip(actions, ordered, strict=True))
        actions[:] = ordered
    kinds = sorted({action for actions in by_session.values() for _, action in actions})
    index = {name: place for place, name in enumerate(kinds)}
    lengths = [len(actions) for actions in by_session.values()]
    every = [each for actions in by_session.values() for each in actions]
    counted = {UNORDERED: moved, UNNAMED: unnamed, ALONE: len(alone)}
    return ActionLog(
        np.repeat(np.arange(len(lengths)), lengths),
        np.array([time for time, _ in every], dtype=np.float64),
        np.array([index[action] for _, action in every], dtype=np.int64),
        tuple(by_session),
        tuple(kinds),
        read,
        {reason: count for reason, count in counted.items() if count},
    )


_HEADER = ",".join((SESSION, TIME, ACTION))


def _places(path: Path, header: list[str]) -> list[int]:
    names = [name.strip().lower() for name in header]
    wanted = (SESSION, TIME, ACTION)
    if all(names.count(name) == 1 for name in wanted):
        return [names.index(name) for name in wanted]
    raise InputError(
        f"{path} has the columns {shortened(','.join(header))} in row 1; name one '{SESSION}', one '{TIME}' and one"
        f" '{ACTION}', with commas between."
    )


def _seconds(path: Path, line: int, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        if math.isfinite(seconds):
            return seconds
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as problem:
        raise InputError(
            f"{path}, row {line}: {shortened(text)} is no time; write seconds, or as 2024-05-01T12:00:00."
        ) from problem
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()
