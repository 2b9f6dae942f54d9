"""Result files of comparisons: what files share, the values of each, and the differences between groups of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from genolstm.estimate import Estimate
from genolstm.store.files import Provenance, Records, open_file, strings, write_file, write_records, write_strings
from genolstm.store.schema import Kind, type_name


class ComparedFile(NamedTuple):
    """One file. name : one of its kind.   group : setting that it is a seed of; its own name where it is alone."""

    name: str
    group: str
    sha256: str


class Shared(NamedTuple):
    """What all files share of one target. rows : test sites, or known bases of one strand or both.

    blocks : that the rows lie in, which are resampled together.
    """

    target: str
    rows: int
    blocks: int


class FileValue(NamedTuple):
    """One measure of one file; NaN ends without an interval."""

    file: str
    target: str
    measure: str
    value: float
    low: float
    high: float


class GroupValue(NamedTuple):
    """Mean of one measure over the files of a group, with the interval over seeds and blocks.

    sd : over the files; NaN of a single one, of which the interval is over blocks alone.
    """

    group: str
    target: str
    measure: str
    files: int
    sd: float
    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """One group less another. p : two-sided; NaN, as the ends, where there is no paired interval.

    verdict : 'better', 'worse' or 'no difference', of `one`; 'cannot tell' from too few blocks or positives;
    'not judged'.
    """

    one: str
    other: str
    target: str
    measure: str
    value: float
    low: float
    high: float
    p: float
    p_adjusted: float
    verdict: str

    @property
    def estimate(self) -> Estimate:
        """Value with its interval."""
        return Estimate(self.value, self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Files of one kind, compared on what they share.

    compared : kind of the files.   notes : what else has to be known, a sentence each.
    """

    compared: Kind
    files: tuple[ComparedFile, ...]
    shared: tuple[Shared, ...]
    values: tuple[FileValue, ...]
    groups: tuple[GroupValue, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()

    @property
    def inputs(self) -> dict[str, str]:
        """SHA-256 of each file, under names that no other kind of input has."""
        return {f"compared: {each.name}": each.sha256 for each in self.files}


ROWS: dict[str, type[NamedTuple]] = {
    "files": ComparedFile, "shared": Shared, "values": FileValue, "groups": GroupValue, "differences": Difference,
}  # fmt: skip


def write_comparison(path: Path, comparison: Comparison, records: Records, provenance: Provenance) -> None:
    """Write a comparison, whole or not at all."""
    with write_file(path, Kind.COMPARISON, provenance) as file:
        file.attrs["compared"] = str(comparison.compared)
        file.attrs["notes"] = json.dumps(list(comparison.notes))
        write_records(file, records)
        for name, row in ROWS.items():
            _write_rows(file.create_group(name), row, getattr(comparison, name))


def _write_rows(group: h5py.Group, row: Any, rows: Sequence[Any]) -> None:  # noqa: ANN401  (a NamedTuple class)
    for name, kind in row.__annotations__.items():
        column = [getattr(each, name) for each in rows]
        if kind is str:
            write_strings(group, name, column)
        else:
            group[name] = np.array(column, dtype=np.int64 if kind is int else np.float64)


def read_comparison(path: Path) -> Comparison:
    """Read a comparison. Raises InputError as `files.open_file`."""
    with open_file(path, Kind.COMPARISON) as file:
        return comparison_in(file)


def comparison_in(file: h5py.File) -> Comparison:
    """Comparison that an open file holds."""
    tables: dict[str, Any] = {name: _read_rows(file[name], row) for name, row in ROWS.items()}
    return Comparison(
        compared=Kind(str(file.attrs["compared"])), notes=tuple(json.loads(str(file.attrs["notes"]))), **tables
    )


def _read_rows(group: h5py.Group, row: Any) -> tuple[Any, ...]:  # noqa: ANN401
    columns = [
        strings(group[name]) if type_name(group[name]) == "string" else group[name][()].tolist() for name in row._fields
    ]
    return tuple(row(*values) for values in zip(*columns, strict=True))
