"""Features of sites that another program made, a row a site, and which of its rows each labelled site has."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.readers.feature_files import read_feature_archive, read_feature_text
from genolstm.regions import STRAND_LETTERS, STRAND_SIGNS
from genolstm.store.files import SIGNATURE
from genolstm.store.foreign_features import is_ours, read_foreign_features
from genolstm.store.hidden import read_hidden, site_columns

PLACES = ("contig", "start", "position", "end", "strand", "name")  # columns that say which site a row is
ARCHIVE, NPY = b"PK", b"\x93NUMPY"  # how .npz and .npy files begin
BY_COORDINATES, BY_NAMES, BY_ORDER = "coordinates", "names", "order"
SHOWN_ROWS = 1 << 14  # looked at at a time
Array = NDArray[Any]
Keys = list[tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureTable:
    """Rows of numbers of one file. features : float16 or float32 [N, F], all finite.

    columns : those of contig, name (text), start, end (int64, 0-based, half open) and strand (int8) that the file has,
    [N] each.   notes : sentences for the log.
    """

    path: Path
    features: NDArray[np.floating]
    columns: Mapping[str, Array] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledPlaces:
    """Labelled sites as their file has them, for finding their rows in a table.

    source : file.   contig : text [n].   start, end : int64 [n].   strand : int8 [n], 0 where the file does not say.
    name : text [n], or ().   left_out : rows of the file that are not among them.
    """

    source: str
    contig: Sequence[str]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    strand: NDArray[np.int8]
    name: tuple[str, ...]
    left_out: int

    def __len__(self) -> int:
        return len(self.start)


def read_feature_table(path: Path) -> FeatureTable:
    """Table of an AnnData file, an HDF5 file (ours of `embed` too), a NumPy archive, or text with a header.

    Raises InputError for other files, tables of fewer than two axes, columns of another length, and where a number is
    not finite.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(len(SIGNATURE))
    except OSError as problem:
        raise InputError(f"{path} cannot be read ({problem.strerror}); correct the path.") from problem
    left_out: tuple[str, ...] = ()
    if head.startswith(SIGNATURE) and is_ours(path):
        hidden = read_hidden(path)
        features: Array = hidden.states
        columns = {name: np.array(column) for name, column in site_columns(hidden.sites).items()}
    elif head.startswith(SIGNATURE):
        features, columns = read_foreign_features(path, PLACES)
    elif head.startswith(ARCHIVE):
        features, columns = read_feature_archive(path, PLACES)
    elif head.startswith(NPY):
        raise InputError(f"{path} is a single NumPy array; save it with numpy.savez(..., features=...), as .npz.")
    else:
        features, columns, left_out = read_feature_text(path, PLACES)
    notes = (f"columns of {path} that are no features are left out: {', '.join(left_out)}",) if left_out else ()
    return FeatureTable(
        path=path, features=_checked(features, path), columns=_places(columns, len(features), path), notes=notes
    )


def table_of(features: Array) -> FeatureTable:
    """Table of an array [N, F], a row a site in their order. Raises InputError as `read_feature_table`."""
    path = Path("the array of features")
    return FeatureTable(path=path, features=_checked(np.asarray(features), path))


def _checked(features: Array, path: Path) -> NDArray[np.floating]:
    """Features [N, F], float16 as they are and others as float32. Raises InputError for a number that is not finite."""
    if features.ndim < 2 or not features.size:
        shape = " x ".join(map(str, features.shape)) or "one number"
        raise InputError(f"the features of {path} are {shape}; give a table of a row a site and a column a feature.")
    if features.dtype.kind not in "fiub":
        raise InputError(f"the features of {path} are {features.dtype}, not numbers; give floats.")
    flat = features.reshape(len(features), -1)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is told
        rows: NDArray[np.floating] = flat if flat.dtype in (np.float16, np.float32) else flat.astype(np.float32)
    for first in range(0, len(rows), SHOWN_ROWS):
        finite = np.isfinite(rows[first : first + SHOWN_ROWS])
        if not finite.all():
            row, column = np.argwhere(~finite)[0].tolist()
            value = float(rows[first + row, column])
            raise InputError(
                f"{path}: row {first + row + 1:,}, feature {column + 1:,} is {value}; give finite numbers, or leave the"
                " site out of the table and of the labels."
            )
    return rows


def _places(columns: Mapping[str, Array], n_rows: int, path: Path) -> dict[str, Array]:
    """Columns that say which site a row is, as text and whole numbers. Raises InputError where one cannot be."""
    found = {name: np.ravel(column) for name, column in columns.items()}
    if "start" not in found and "position" in found:
        found["start"] = found["position"]
    found.pop("position", None)
    for name, column in found.items():
        if len(column) != n_rows:
            raise InputError(
                f"{path} holds {n_rows:,} rows of features and {len(column):,} of '{name}'; give a row of each a site."
            )
        if name in ("start", "end"):
            found[name] = _whole(column, name, path)
        elif name == "strand":
            found[name] = np.array([_strand(str(each), path) for each in column.tolist()], dtype=np.int8)
        else:
            found[name] = np.array([_text(each) for each in column.tolist()], dtype=np.str_)
    return found


def _text(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _whole(column: Array, name: str, path: Path) -> NDArray[np.int64]:
    try:
        numbers = column.astype(np.float64)
        whole = numbers.astype(np.int64)
    except (ValueError, OverflowError):
        raise InputError(f"{path}: '{name}' must hold whole numbers, 0-based as in BED; correct it.") from None
    if not np.array_equal(whole, numbers) or (whole < 0).any():
        raise InputError(f"{path}: '{name}' must hold whole numbers, 0-based as in BED; correct it.")
    return whole


def _strand(text: str, path: Path) -> int:
    signs = {**STRAND_SIGNS, **{str(sign): sign for sign in STRAND_LETTERS}, "": 0}
    if text not in signs:
        raise InputError(f"{path}: the strand is '{text[:20]}', not +, - or a dot; correct it.")
    return signs[text]


def rows_in_table(
    table: FeatureTable, places: LabelledPlaces, used: NDArray[np.int64]
) -> tuple[NDArray[np.int64], str]:
    """Row of the table that each site has, int64 [k], and by what: coordinates, names, or their order.

    used : int64 [k], which of the places; the others need no row. Coordinates are taken where the table has them; else
    names where both have them. Order needs as many rows as the file of labels has, none of them left out.
    Raises InputError where a site has no row or several, and where nothing matches rows to sites.
    """
    if {"contig", "start"} <= table.columns.keys():
        ours, theirs = _coordinates(table, places)
        return _looked_up([ours[row] for row in used.tolist()], theirs, table, places), BY_COORDINATES
    if "name" in table.columns and places.name:
        theirs = [(name,) for name in table.columns["name"].tolist()]
        return _looked_up([(places.name[row],) for row in used.tolist()], theirs, table, places), BY_NAMES
    remedy = "add the columns contig and start to the table, or names to both"
    if places.left_out:
        raise InputError(
            f"{table.path} does not say which sites its rows are, and {places.left_out:,} rows of {places.source} are"
            f" left out, so that their order means nothing; {remedy}."
        )
    if len(table) != len(places):
        raise InputError(
            f"{table.path} has {len(table):,} rows and {places.source} {len(places):,} sites, and nothing says which"
            f" is which; {remedy}, or give a row for each site, in their order."
        )
    return used, BY_ORDER


def _coordinates(table: FeatureTable, places: LabelledPlaces) -> tuple[Keys, Keys]:
    """What tells sites apart, of the labels and of the table: contig and start, with end and strand where both have."""
    ours: list[Sequence[Any]] = [places.contig, places.start.tolist()]
    theirs: list[Sequence[Any]] = [table.columns["contig"].tolist(), table.columns["start"].tolist()]
    if "end" in table.columns:
        ours.append(places.end.tolist())
        theirs.append(table.columns["end"].tolist())
    if "strand" in table.columns and places.strand.any() and table.columns["strand"].any():
        ours.append(places.strand.tolist())
        theirs.append(table.columns["strand"].tolist())
    return list(zip(*ours, strict=True)), list(zip(*theirs, strict=True))


def _looked_up(ours: Keys, theirs: Keys, table: FeatureTable, places: LabelledPlaces) -> NDArray[np.int64]:
    wanted = set(ours)
    if again := [key for key, count in Counter(key for key in theirs if key in wanted).items() if count > 1]:
        raise InputError(
            f"{table.path} has several rows for {len(again):,} site{'s' * (len(again) != 1)} of {places.source}, the"
            f" first {_spelled(again[0])}; keep one row for each."
        )
    row_of = {key: row for row, key in enumerate(theirs)}
    if missing := [key for key in ours if key not in row_of]:
        raise InputError(
            f"{table.path} has no row for {len(missing):,} of {len(ours):,} sites of {places.source}, the first"
            f" {_spelled(missing[0])}; add their rows, or leave these sites out."
        )
    return np.array([row_of[key] for key in ours], dtype=np.int64)


def _spelled(key: tuple[Any, ...]) -> str:
    """A name, or a place as samtools writes it."""
    return f"'{key[0]}'" if len(key) == 1 else f"at {key[0]}:{key[1] + 1:,}"
