"""Any of our files as plain tables, made from the layout of its kind: a new kind of file needs nothing here."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from genolstm.errors import UsageError
from genolstm.regions import STRAND_LETTERS, STRAND_NAMES, Part, Region
from genolstm.store.files import open_any, strings
from genolstm.store.places import Places, along_stretches, listed
from genolstm.store.schema import SCHEMA, Dataset, Kind, row_for, type_name

Values = NDArray[Any] | list[str]
Read = Callable[[int, int], Values]

SLAB_VALUES = 1 << 19  # values of a table that are in memory at a time
MAIN = {
    Kind.GENOME: "contigs", Kind.CHECKPOINT: "bits", Kind.PROBE: "*/sites", Kind.TRACK: "runs", Kind.SCORE: "bits",
    Kind.HIDDEN: "states", Kind.GATES: "tracks", Kind.COUNTS: "sites", Kind.METHYLATION: "sites",
    Kind.STUDY: "*/claims", Kind.COMPARISON: "differences", Kind.VARIANTS: "changes",
    Kind.PREDICTION: "*/candidates", Kind.DEPENDENCIES: "map", Kind.CONTRAST: "rows",
}  # fmt: skip
NOT_TABLES = {"...", "lanes"}  # weights, and what a run needs to go on
AXIS_NAMES = {"strands": STRAND_NAMES, "2": ("unmasked", "soft_masked"), "letters": tuple("ACGT")}
ROW_AXES = ("layers", "units")  # both are rows: a column a unit would be hundreds
PREDICTIONS = {"log_odds", "class_log_odds", "predicted"}  # of each feature set, beside the sites that they are of
LETTERS = np.array([STRAND_LETTERS[sign] for sign in (0, 1, -1)])  # the last by index -1
PLACE_NAMES = {"contig", "position", "start", "end", "strand"}
NO_FLAG = "."
KEY_TYPES = {"string", "int32"}
LABEL_TYPES = {"string", "int32", "int64"}


class Column(NamedTuple):
    """One column. read : rows [first, end) -> values [n], an array or text."""

    name: str
    unit: str
    meaning: str
    read: Read


@dataclass(frozen=True, kw_only=True)
class Table:
    """Columns of one length; places where its rows lie on the genome."""

    name: str
    rows: int
    columns: tuple[Column, ...]
    places: Places | None
    contigs: tuple[str, ...]

    def slabs(self, region: Region | None = None) -> Iterator[list[Values]]:
        """Values of every column, some rows at a time; with a region, of the rows that overlap it."""
        step = max(1, SLAB_VALUES // max(1, len(self.columns)))
        for first in range(0, self.rows, step):
            stop = min(first + step, self.rows)
            if region is None:
                yield [column.read(first, stop) for column in self.columns]
            elif len(kept := self.overlapping(first, stop, region)):
                low, high = int(kept[0]), int(kept[-1]) + 1
                chosen = kept - low
                yield [_taken(column.read(first + low, first + high), chosen) for column in self.columns]

    def overlapping(self, first: int, stop: int, region: Region) -> NDArray[np.intp]:
        """The rows of [first, stop) that overlap a region, from `first` on. Raises UsageError without places."""
        if self.places is None:
            raise UsageError(f"the rows of table '{self.name}' have no place on the genome: leave --region out.")
        contig = self.contigs.index(region.contig) if region.contig in self.contigs else -1
        span = self.places.of(first, stop)
        return np.flatnonzero((span.contig == contig) & (span.start < region.end) & (span.end > region.start))


class TableFile:
    """An open result file and its tables. main : the table that is meant when none is named; None where several fit."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path, self.file, self.kind = path, file, Kind(str(file.attrs["kind"]))
        self.contigs = strings(file["contigs/name"]) if "contigs/name" in file else ()
        self._groups = _grouped(file, self.kind)
        self.names = tuple(self._groups)

    @property
    def lengths(self) -> dict[str, int] | None:
        """Bases of each contig, in the order of the genome; None where the file does not hold them."""
        if "contigs/length" not in self.file:
            return None
        return dict(zip(self.contigs, self.file["contigs/length"][()].tolist(), strict=True))

    def table(self, name: str | None) -> Table:
        """A table by name, or the main one. Raises UsageError with the names where none or several fit."""
        wanted = MAIN[self.kind] if name is None else name
        each_target = wanted.removeprefix("*")  # '*/sites': of any target
        fitting = [
            name
            for name in self.names
            if name == wanted or (each_target != wanted and name.count("/") == 1 and name.endswith(each_target))
        ]
        if len(fitting) != 1:
            problem = "several fit" if fitting else f"there is no table '{name}'"
            raise UsageError(f"{self.path}: {problem}; name one with --table: {', '.join(fitting or self.names)}.")
        return self._made(fitting[0])

    def tables(self) -> Iterator[Table]:
        """Every table, in the order of the layout."""
        return (self._made(name) for name in self.names)

    def _made(self, name: str) -> Table:
        paths = self._groups[name]
        row = _row(self.kind, paths[0])
        group, axis = self.file[paths[0]].parent, row.dims[0]
        home = self._home(paths[0], axis)
        places = listed(home, self.kind) or along_stretches(self.file, self.kind, axis)
        rows = int(np.prod(self.file[paths[0]].shape[: 2 if _is_matrix(row) else 1]))
        contigs = strings(home.parent["contigs/name"]) if "contigs/name" in home.parent else self.contigs
        columns: list[Column] = list(_place_columns(places, contigs)) if places else []
        hidden = PLACE_NAMES if places else set()
        if home != group:
            columns += [each for each in self._keys(home, axis) if not places or each.name not in PLACE_NAMES]
        if _is_matrix(row):
            columns += _matrix_keys(self.file[paths[0]])
        for path in paths:
            if path.rpartition("/")[2] not in hidden:
                columns += self._columns(path)
        for path in self._predictions(name, axis):
            feature = path.split("/")[-2]
            columns += [each._replace(name=f"{feature}_{each.name}") for each in self._columns(path)]
        return Table(name=name, rows=rows, columns=tuple(columns), places=places, contigs=contigs)

    def _home(self, path: str, axis: str) -> h5py.Group:
        """Group that names the entries of an axis are: its own, or the first with text or places on the axis."""
        own = self.file[path].parent
        scope = path.split("/")[0] if _row(self.kind, path).path.startswith("*") else ""
        if "contig" in own or axis.startswith("*") or axis.isdigit():
            return own
        for row in SCHEMA[self.kind]:
            place = row.path.replace("*", scope, 1)
            item = self.file.get(place) if row.dims == (axis,) else None
            if isinstance(item, h5py.Dataset) and type_name(item) in KEY_TYPES:
                return item.parent
        return own

    def _keys(self, home: h5py.Group, axis: str) -> Iterator[Column]:
        """Columns that name each row, out of another group."""
        for name, item in home.items():
            path = item.name.lstrip("/")
            row = _row(self.kind, path)
            if isinstance(item, h5py.Dataset) and row.dims == (axis,) and type_name(item) in KEY_TYPES:
                called = "contig" if path == "contigs/name" else name
                yield Column(called, row.unit, row.meaning, self._spelled(name, item))

    def _predictions(self, name: str, axis: str) -> list[str]:
        """Predictions of every feature set, in the order of the scores, where a table is of the sites of a probe."""
        scope = name.split("/")[0]
        if self.kind is not Kind.PROBE or name != f"{scope}/sites":
            return []
        paths = [
            f"{scope}/features/{feature}/{each}"
            for feature in strings(self.file[scope]["scores/features"])
            for each in sorted(PREDICTIONS)
        ]
        return [path for path in paths if path in self.file and _row(self.kind, path).dims[0] == axis]

    def _columns(self, path: str) -> list[Column]:
        """One dataset as columns: one, or one for each entry of its further axes."""
        item, row = self.file[path], _row(self.kind, path)
        name = path.rpartition("/")[2]
        unit, meaning = (str(item.attrs.get(key, getattr(row, key))) for key in ("unit", "meaning"))
        if _is_matrix(row):
            flat = item[()].reshape(-1)
            return [Column(name, unit, meaning, _reader_of(flat))]
        if item.ndim == 1:
            return [Column(name, unit, meaning, self._spelled(name, item))]
        labels = [self._labels(path, axis, length) for axis, length in zip(row.dims[1:], item.shape[1:], strict=True)]
        latest = _Latest(item)
        return [
            Column("_".join([name, *names]), unit, meaning, latest.reader(places))
            for places, names in zip(product(*map(range, item.shape[1:])), product(*labels), strict=True)
        ]

    def _spelled(self, name: str, item: h5py.Dataset) -> Read:
        """Reader of the values of a column: text, or plain numbers."""
        if type_name(item) == "string":
            return lambda first, stop: [value.decode() for value in item[first:stop]]
        if name == "part":
            names = np.array([part.name.lower() for part in Part])
            return lambda first, stop: names[item[first:stop]].tolist()
        if name == "flags":
            bits: dict[str, int] = json.loads(self.file.attrs["flag_names"])
            return lambda first, stop: flag_text(item[first:stop], bits)
        return lambda first, stop: item[first:stop]

    def _labels(self, path: str, axis: str, length: int) -> Iterable[str]:
        """A name for each entry of an axis that becomes columns."""
        if axis in AXIS_NAMES:
            return AXIS_NAMES[axis][:length]
        group = self.file[path].parent
        own = [item for item in group.values() if _dims(self.kind, item) == (axis,) and type_name(item) in LABEL_TYPES]
        named = self.file[axis]["name"] if axis in self.file and "name" in self.file[axis] else None
        described = [] if named or axis not in self.file else [self.file[axis][key] for key in self.file[axis]]
        described = [item for item in described if _dims(self.kind, item) == (axis,)]
        if own or named is not None or described:
            named_by = own[:1] or ([named] if named is not None else _in_layout_order(self.kind, described))
            parts = zip(*(self._spelled(item.name, item)(0, length) for item in named_by), strict=True)
            return ["_".join(map(str, row)) for row in parts]
        return [f"{axis.removesuffix('s') if axis in ROW_AXES else ''}{place}" for place in range(length)]


def _place_columns(places: Places, contigs: tuple[str, ...]) -> Iterator[Column]:
    names = np.array(contigs, dtype=object)
    yield Column("contig", "", "name", lambda first, stop: names[places.of(first, stop).contig].tolist())
    if places.single:
        yield Column("position", "bp", "0-based", lambda first, stop: places.of(first, stop).start)
    else:
        yield Column("start", "bp", "0-based", lambda first, stop: places.of(first, stop).start)
        yield Column("end", "bp", "half-open", lambda first, stop: places.of(first, stop).end)
    if places.stranded:
        meaning = "+, - or . for none"
        yield Column("strand", "", meaning, lambda first, stop: LETTERS[places.of(first, stop).strand].tolist())


def flag_text(values: NDArray[np.unsignedinteger[Any]], bits: dict[str, int]) -> list[str]:
    """Names of the flags that are raised in each value, with commas between; '.' where there are none."""
    different, place = np.unique(values, return_inverse=True)
    texts = [",".join(name for name, bit in bits.items() if value & bit) or NO_FLAG for value in different.tolist()]
    return [texts[index] for index in place.tolist()]


class _Latest:
    """A dataset whose latest rows are kept: its columns are read one after the other."""

    def __init__(self, item: h5py.Dataset) -> None:
        self.item, self.rows = item, (-1, -1)
        self.values: NDArray[Any] = np.empty(0)

    def reader(self, places: tuple[int, ...]) -> Read:
        def read(first: int, stop: int) -> NDArray[Any]:
            if self.rows != (first, stop):
                self.values, self.rows = self.item[first:stop], (first, stop)
            column: NDArray[Any] = np.moveaxis(self.values, 0, -1)[places]
            return column

        return read


def _grouped(file: h5py.File, kind: Kind) -> dict[str, list[str]]:
    """Table name -> paths of its datasets, in the order of the layout."""
    found: list[tuple[int, int, str]] = []
    order = {row.path: place for place, row in enumerate(SCHEMA[kind])}

    def visit(path: str, item: h5py.Dataset | h5py.Group) -> None:
        row = row_for(kind, path) if isinstance(item, h5py.Dataset) else None
        if row is not None and not NOT_TABLES & set(row.dims):
            found.append((order[row.path], int(item.attrs.get("place", 0)), path))

    file.visititems(visit)
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for _, _, path in sorted(found):
        groups[path.rpartition("/")[0], _row(kind, path).dims[0]].append(path)
    labels = {
        (parent, axis)
        for (parent, _), paths in groups.items()
        for path in paths
        if not _is_matrix(_row(kind, path))
        for axis in _row(kind, path).dims[1:]
    }
    kept = {
        key: paths
        for key, paths in groups.items()
        if key not in labels or any(type_name(file[path]) not in LABEL_TYPES for path in paths)
    }
    axes = [parent for parent, _ in kept]
    return {
        _table_name(parent, axis, paths[0], alone=axes.count(parent) == 1): paths
        for (parent, axis), paths in kept.items()
    }


def _table_name(parent: str, axis: str, path: str, *, alone: bool) -> str:
    if not parent:
        return path
    return parent if alone else f"{parent}/{'constant' if axis.isdigit() else axis.lstrip('*')}"


def _row(kind: Kind, path: str) -> Dataset:
    row = row_for(kind, path)
    if row is None:
        raise KeyError(f"{path} is not in the layout")
    return row


def _dims(kind: Kind, item: h5py.Dataset | h5py.Group) -> tuple[str, ...]:
    row = row_for(kind, item.name.lstrip("/")) if isinstance(item, h5py.Dataset) else None
    return row.dims if row else ()


def _in_layout_order(kind: Kind, items: list[h5py.Dataset]) -> list[h5py.Dataset]:
    order = [row.path for row in SCHEMA[kind]]
    return sorted(items, key=lambda item: order.index(_row(kind, item.name.lstrip("/")).path))


def _is_matrix(row: Dataset) -> bool:
    return row.dims == ROW_AXES


def _matrix_keys(item: h5py.Dataset) -> list[Column]:
    numbers = [axis.reshape(-1) for axis in np.indices(item.shape)]
    return [
        Column(axis.removesuffix("s"), "", "from 0", _reader_of(of)) for axis, of in zip(ROW_AXES, numbers, strict=True)
    ]


def _reader_of(values: NDArray[Any]) -> Read:
    return lambda first, stop: values[first:stop]


def _taken(values: Values, rows: NDArray[np.intp]) -> Values:
    return [values[row] for row in rows.tolist()] if isinstance(values, list) else values[rows]


@contextmanager
def open_tables(path: Path) -> Iterator[TableFile]:
    """Open any of our files for its tables. Raises InputError as `files.open_any`."""
    with open_any(path) as file:
        yield TableFile(path, file)
