"""Rows that lie on the genome, as BED: sorted, with a name and a score from 0 to 1000."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from genolstm.errors import UsageError
from genolstm.predicting.written import SEEN
from genolstm.regions import Region
from genolstm.settings.export import Scale
from genolstm.store.tables import NO_FLAG, PLACE_NAMES, SLAB_VALUES, Column, Table
from genolstm.writers.bed import MEANINGS, BedRows, bed_scores
from genolstm.writers.rows import Values

Floats = NDArray[np.float64]

COLUMNS = 6
KNOWN = (  # column -> scale and what it is; the first that is there is the score
    ("probability", Scale.FRACTION, "calibrated probability of being true"),
    ("trained_log_odds", Scale.LOG_ODDS, "probability of a true site by the probe of the trained model"),
    ("trained_predicted", Scale.RANGE, "value predicted by the probe of the trained model"),
    ("log_odds", Scale.LOG_ODDS, "probability of a true site"),
    ("predicted", Scale.RANGE, "predicted value"),
    ("steady_fraction", Scale.FRACTION, "steady fraction"),
    ("forget", Scale.FRACTION, "mean forget gate"),
    ("count", Scale.COUNT, "count"),
    ("reads", Scale.COUNT, "reads"),
)
CLASSES = ("trained_class_log_odds_", "class_log_odds_")  # of the likeliest of several, where none is named
CLASS_MARK = "class_log_odds_"
NO_SCORE = "0, because the table has no column whose scale is known: name one with --score-column"


class Scoring(NamedTuple):
    """How rows get the score of BED. meaning : text for the user.   scores : rows [first, stop) -> int64 [n]."""

    meaning: str
    scores: Callable[[int, int], NDArray[np.int64]]


def scoring_of(table: Table, column: str | None = None, scale: Scale | None = None) -> Scoring:
    """Score column of a table's BED: of a column by name, or of the first whose scale is known.

    scale : by default that of the column where it is known, log odds where these are its unit, else its range.
    Raises UsageError for a column that is not there or holds no numbers, and a scale without a column.
    """
    columns = {each.name: each for each in table.columns}
    known = {name: (scale, about) for name, scale, about in KNOWN}
    if column is None:
        column = next((name for name in known if name in columns), None)
        if column is None and any(name.startswith(CLASSES) for name in columns):
            return _of_likeliest(table, scale)
    if column is None:
        if scale is not None:
            raise UsageError("--score-scale needs the column that it is of: name it with --score-column.")
        return Scoring(NO_SCORE, lambda first, stop: np.zeros(stop - first, np.int64))
    if column not in columns:
        raise UsageError(f"table '{table.name}' has no column '{column}'; it has {', '.join(columns)}.")
    of_unit = Scale.LOG_ODDS if columns[column].unit == "log odds" else Scale.RANGE
    usual, about = known.get(column, (of_unit, columns[column].meaning))
    read = _numbers(table, columns[column])
    return _scoring(read, table.rows, f"{column} ({about})" if about else column, scale or usual)


def _scoring(read: Callable[[int, int], Floats], rows: int, about: str, scale: Scale) -> Scoring:
    ends, told = (0.0, 1.0), MEANINGS[scale]
    if scale is Scale.RANGE:
        ends = _ends(read, rows)
        told += f" ({ends[0]:g} and {ends[1]:g})"
    return Scoring(f"of column {about}: {told}", lambda first, stop: bed_scores(read(first, stop), scale, ends))


def _of_likeliest(table: Table, scale: Scale | None) -> Scoring:
    """Probability of the class that the trained states make likeliest."""
    if scale is not None:
        raise UsageError("--score-scale needs the column that it is of: name it with --score-column.")
    prefix = next(each for each in CLASSES if any(column.name.startswith(each) for column in table.columns))
    group = [each for each in table.columns if each.name.startswith(prefix)]

    def scores(first: int, stop: int) -> NDArray[np.int64]:
        odds = np.stack([np.asarray(each.read(first, stop), np.float64) for each in group])  # [classes, n]
        return bed_scores(softmax(odds, axis=0).max(axis=0), Scale.FRACTION)

    return Scoring(f"1000 x probability of the likeliest class, of columns {prefix}*", scores)


def _numbers(table: Table, column: Column) -> Callable[[int, int], Floats]:
    """Reader of a column as numbers; of one of several classes, its log odds against all others together."""
    prefix, mark, _ = column.name.partition(CLASS_MARK)
    if mark:
        group = [each for each in table.columns if each.name.startswith(prefix + mark)]
        return lambda first, stop: _against_others(group, group.index(column), first, stop)
    if table.rows and not isinstance(column.read(0, 1), np.ndarray):
        raise UsageError(f"column '{column.name}' of table '{table.name}' holds text: name one of numbers.")
    return lambda first, stop: np.asarray(column.read(first, stop), dtype=np.float64)


def _against_others(group: list[Column], mine: int, first: int, stop: int) -> Floats:
    odds = np.stack([np.asarray(each.read(first, stop), np.float64) for each in group])  # [classes, n]
    others: Floats = odds[mine] - logsumexp(np.delete(odds, mine, axis=0), axis=0)
    return others


def _ends(read: Callable[[int, int], Floats], rows: int) -> tuple[float, float]:
    """Lowest and highest of the numbers that are known; 0 and 0 where none are."""
    low, high = np.inf, -np.inf
    for first in range(0, rows, SLAB_VALUES):
        values = read(first, min(first + SLAB_VALUES, rows))
        known = values[np.isfinite(values)]
        low, high = min(low, known.min(initial=np.inf)), max(high, known.max(initial=-np.inf))
    return (float(low), float(high)) if low <= high else (0.0, 0.0)


def further_columns(table: Table, names: Sequence[str]) -> list[Column]:
    """Columns to be kept after the six of BED, by name; 'all' is every one that is no place.

    Raises UsageError for one that is not there.
    """
    columns = {each.name: each for each in table.columns if each.name not in PLACE_NAMES}
    if list(names) == ["all"]:
        return list(columns.values())
    if missing := [name for name in names if name not in columns]:
        raise UsageError(f"table '{table.name}' has no column '{missing[0]}' to keep; it has {', '.join(columns)}.")
    return [columns[name] for name in names]


def bed_slabs(
    table: Table, region: Region | None, scoring: Scoring | None = None, further: Sequence[Column] = ()
) -> Iterator[BedRows]:
    """Rows of BED, some at a time, in genome order. Raises UsageError for rows without places.

    scoring : that of `scoring_of` where none is given.   further : columns after the sixth.
    """
    if table.places is None:
        raise UsageError(f"the rows of table '{table.name}' have no place on the genome: write them as .tsv.")
    made = _Slabs(table, region, scoring or scoring_of(table), further)
    order = _order(table)
    step = max(1, SLAB_VALUES // (COLUMNS + len(further)))
    for first in range(0, table.rows, step):
        stop = min(first + step, table.rows)
        if order is None:
            yield from made.slab(first, stop, None)
        else:  # rows of a table that is not in genome order are few
            yield from made.slab(0, table.rows, order[first:stop])


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


@dataclass(frozen=True)
class _Slabs:
    """What every slab of rows is made with."""

    table: Table
    region: Region | None
    scoring: Scoring
    further: Sequence[Column]

    def slab(self, first: int, stop: int, chosen: NDArray[np.intp] | None) -> Iterator[BedRows]:
        """Rows [first, stop), or those chosen of them, that lie in the region."""
        table, places = self.table, self.table.places
        if places is None:
            return
        rows = np.arange(stop - first) if chosen is None else chosen
        if self.region is not None:
            inside = table.overlapping(first, stop, self.region)
            rows = rows[np.isin(rows, inside)]
        if not rows.size:
            return
        span = places.of(first, stop)
        names = _names(table, {column.name: column for column in table.columns}, first, stop)
        yield BedRows(
            contig=np.array(table.contigs, dtype=object)[span.contig[rows]].tolist(),
            start=span.start[rows],
            end=span.end[rows],
            name=[names[row] for row in rows.tolist()],
            score=self.scoring.scores(first, stop)[rows],
            strand=span.strand[rows],
            further=[_taken(column.read(first, stop), rows) for column in self.further],
        )


def _taken(values: Values, rows: NDArray[np.intp]) -> Values:
    return values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows.tolist()]


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
