"""Result files of the studies: each claim with its number, and the tables that its picture is drawn from."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from genolstm.store.files import Provenance, Records, open_file, strings, write_file, write_records, write_strings
from genolstm.store.schema import Kind, type_name

NUMBERS = ("value", "low", "high", "p")  # fields of a claim that are numbers


class Claim(NamedTuple):
    """One claim beside what was found.

    name : short, one of its kind within a study.   statement : the claim, as a sentence.
    holds : whether the numbers bear it out.
    value, low, high : the number that decides, with the ends of its 95 % interval; NaN ends where it has none.
    unit : of the three.   because : a sentence on how the number decides.
    p : where the interval decides, twice the probability of a value as far on the claimed side were there nothing to
    it: below 0.05 where the claim holds; NaN where something else decides.
    """

    name: str
    statement: str
    holds: bool
    value: float
    low: float
    high: float
    unit: str
    because: str
    p: float = math.nan


class Column(NamedTuple):
    """One column of a table: float64, int64 or text of length [rows], its unit and its meaning."""

    values: NDArray[Any] | tuple[str, ...]
    unit: str = ""
    meaning: str = ""


Table = Mapping[str, Column]


@dataclass(frozen=True, kw_only=True)
class Study:
    """What one study found.

    name : as it is called on the command line.   question : what was asked, a sentence.   conclusion : a sentence made
    from the numbers.   setting : how it was measured (sizes, seeds, steps), name -> value.   tables : by name.
    records : of the user's files that it read; the file holds the sum over its studies.
    """

    name: str
    question: str
    conclusion: str
    claims: tuple[Claim, ...]
    tables: Mapping[str, Table]
    setting: Mapping[str, int | float | str]
    records: Records = field(default_factory=Records)


def records_of(studies: Mapping[str, Study]) -> Records:
    """Records that all studies read, used and skipped, together."""
    total = Records()
    for study in studies.values():
        total.read += study.records.read
        total.used += study.records.used
        for reason, count in study.records.skipped.items():
            total.skipped[reason] = total.skipped.get(reason, 0) + count
    return total


def write_studies(path: Path, studies: Mapping[str, Study], provenance: Provenance) -> None:
    """Write one or several studies, one group each, whole or not at all."""
    with write_file(path, Kind.STUDY, provenance) as file:
        write_records(file, records_of(studies))
        for name, study in studies.items():
            _write_study(file.create_group(name), study)


def _write_study(group: h5py.Group, study: Study) -> None:
    group.attrs["question"], group.attrs["conclusion"] = study.question, study.conclusion
    group.attrs["setting"] = json.dumps(dict(study.setting))
    claims = group.create_group("claims")
    for column in ("name", "statement", "unit", "because"):
        write_strings(claims, column, [getattr(claim, column) for claim in study.claims])
    claims["holds"] = np.array([claim.holds for claim in study.claims], dtype=np.uint8)
    for column in NUMBERS:
        claims[column] = np.array([getattr(claim, column) for claim in study.claims], dtype=np.float64)
    for name, table in study.tables.items():
        _write_table(group.create_group(f"tables/{name}"), table)


def _write_table(group: h5py.Group, table: Table) -> None:
    for place, (name, column) in enumerate(table.items()):
        if isinstance(column.values, np.ndarray):
            wanted = np.float64 if np.issubdtype(column.values.dtype, np.floating) else np.int64
            group[name] = column.values.astype(wanted)
        else:
            write_strings(group, name, column.values)
        group[name].attrs["unit"], group[name].attrs["meaning"] = column.unit, column.meaning
        group[name].attrs["place"] = place  # HDF5 lists names in its own order


def read_studies(path: Path) -> dict[str, Study]:
    """Read every study of a file. Raises InputError as `files.open_file`."""
    with open_file(path, Kind.STUDY) as file:
        return {name: _read_study(name, file[name]) for name in file}


def _read_study(name: str, group: h5py.Group) -> Study:
    claims = group["claims"]
    columns = {
        column: (strings(claims[column]) if type_name(claims[column]) == "string" else claims[column][()].tolist())
        for column in Claim._fields
        if column in claims  # older files hold no p
    }
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return Study(
        name=name,
        question=str(group.attrs["question"]),
        conclusion=str(group.attrs["conclusion"]),
        claims=tuple(Claim(**{**row, "holds": bool(row["holds"])}) for row in rows),
        tables={table: _read_table(group["tables"][table]) for table in group.get("tables", {})},
        setting=json.loads(str(group.attrs["setting"])),
    )


def _read_table(group: h5py.Group) -> dict[str, Column]:
    ordered = sorted(group, key=lambda name: int(group[name].attrs["place"]))
    return {
        name: Column(
            strings(group[name]) if type_name(group[name]) == "string" else group[name][()],
            str(group[name].attrs["unit"]),
            str(group[name].attrs["meaning"]),
        )
        for name in ordered
    }
