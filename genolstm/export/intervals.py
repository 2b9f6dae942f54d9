"""Rows that lie on the genome, as BED: sorted, with a name and a score from 0 to 1000."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import UsageError
from genolstm.predicting.written import SEEN
from genolstm.regions import Region
from genolstm.store.tables import LETTERS, NO_FLAG, SLAB_VALUES, Column, Table

Values = NDArray[Any] | list[str]

HIGHEST = 1000  # of BED
COLUMNS = 6
NO_SCORE = "0 (the table has no column for it)"


class Scoring(NamedTuple):
    """How a column becomes the score of BED. meaning : text for the user."""

    column: str
    meaning: str
    scaled: Callable[[NDArray[Any]], NDArray[Any]]


def _fraction(values: NDArray[Any]) -> NDArray[Any]:
    return HIGHEST * values


def _probability(log_odds: NDArray[Any]) -> NDArray[Any]:
    return HIGHEST * 0.5 * (1 + np.tanh(0.5 * log_odds))  # the logistic function, without overflow


def _as_is(values: NDArray[Any]) -> NDArray[Any]:
    return values


SCORINGS = (  # the first whose column is there
    Scoring("probability", "1000 x calibrated probability of being true", _fraction),
    Scoring("trained_log_odds", "1000 x probability of a true site by the probe of the trained model", _probability),
    Scoring("log_odds", "1000 x probability of a true site by this feature set", _probability),
    Scoring("steady_fraction", "1000 x steady fraction", _fraction),
    Scoring("forget", "1000 x mean forget gate", _fraction),
    Scoring("count", "count, at most 1000", _as_is),
    Scoring("reads", "reads, at most 1000", _as_is),
)


def bed_score(table: Table) -> str:
    """Meaning of the score column of a table's BED."""
    scoring = _scoring(table)
    return scoring.meaning if scoring else NO_SCORE


def bed_slabs(table: Table, region: Region | None) -> Iterator[list[Values]]:
    """Six columns of BED, some rows at a time, in genome order. Raises UsageError for rows without places."""
    if table.places is None:
        raise UsageError(f"the rows of table '{table.name}' have no place on the genome: write them as .tsv.")
    order = _order(table)
    step = max(1, SLAB_VALUES // COLUMNS)
    for first in range(0, table.rows, step):
        stop = min(first + step, table.rows)
        if order is None:
            yield from _slab(table, first, stop, None, region)
        else:  # rows of a table that is not in genome order are few
            yield from _slab(table, 0, table.rows, order[first:stop], region)


def _order(table: Table) -> NDArray[np.intp] | None:
    """Rows in genome order; None where they are in it."""
    if table.places is None:
        return None
    last = (-1, -1)
    for first in range(0, table.rows, SLAB_VALUES):
        span = table.places.of(first, min(first + SLAB_VALUES, table.rows))
        later = np.diff(span.contig) * (span.start.max(initial=0) + 1) + np.diff(span.start)
        if (later < 0).any() or (int(span.contig[0]), int(span.start[0])) < last:
            whole = table.places.of(0, table.rows)
            return np.lexsort((whole.end, whole.start, whole.contig))
        last = int(span.contig[-1]), int(span.start[-1])
    return None


def _slab(
    table: Table, first: int, stop: int, chosen: NDArray[np.intp] | None, region: Region | None
) -> Iterator[list[Values]]:
    places = table.places
    if places is None:
        return
    rows = np.arange(stop - first) if chosen is None else chosen
    if region is not None:
        inside = table.overlapping(first, stop, region)
        rows = rows[np.isin(rows, inside)]
    if not rows.size:
        return
    span = places.of(first, stop)
    contigs = np.array(table.contigs, dtype=object)
    scoring = _scoring(table)
    columns = {column.name: column for column in table.columns}
    score: NDArray[Any] = np.zeros(len(rows), np.int64)
    if scoring:
        values = np.asarray(columns[scoring.column].read(first, stop), dtype=np.float64)[rows]
        score = np.rint(np.clip(np.nan_to_num(scoring.scaled(values)), 0, HIGHEST)).astype(np.int64)
    names = _names(table, columns, first, stop)
    yield [
        contigs[span.contig[rows]].tolist(),
        span.start[rows],
        span.end[rows],
        [names[row] for row in rows.tolist()],
        score,
        LETTERS[span.strand[rows]].tolist(),
    ]


def _names(table: Table, columns: dict[str, Column], first: int, stop: int) -> list[str]:
    """Name column of each row: its name, its label, or its layer."""
    if "name" in columns:
        return list(columns["name"].read(first, stop))
    target, _, what = table.name.rpartition("/")
    if what == "candidates":  # of a prediction
        return [target if flags == NO_FLAG else f"{target}{SEEN}" for flags in columns["flags"].read(first, stop)]
    for key in ("label", "part", "layer"):
        if key in columns:
            about = table.name.split("/")[0] if key == "label" else key
            return [f"{about}={value}" for value in columns[key].read(first, stop)]
    return ["."] * (stop - first)


def _scoring(table: Table) -> Scoring | None:
    present = {column.name for column in table.columns}
    return next((each for each in SCORINGS if each.column in present), None)
