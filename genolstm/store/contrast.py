"""Files of contrasts: rate, steady fraction and half-life of two groups of samples, by site or by region."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from genolstm.store.files import Provenance, Records, open_file, strings, write_file, write_records, write_strings
from genolstm.store.schema import Kind

PLACE = ("contig", "start", "end", "strand")
GATES = {  # of a group's fit -> its name in the file; {unit} is hour or division, {units} hours or divisions
    "rate": "rate_per_{unit}", "steady": "steady_fraction", "half_life": "half_life_{units}",
}  # fmt: skip
ENDS = ("", "_low", "_high")
DIFFERENCES = (
    "log2_rate_ratio", "log2_rate_ratio_low", "log2_rate_ratio_high", "rate_p", "rate_q",
    "steady_difference", "steady_difference_low", "steady_difference_high", "steady_p", "steady_q", "p", "q",
)  # fmt: skip


def gate_names(unit: str) -> tuple[str, ...]:
    """Names of the columns with a value a group. unit : 'hours' or 'divisions'."""
    per = unit.removesuffix("s")
    return ("reads", *(f"{name.format(unit=per, units=unit)}{end}" for name in GATES.values() for end in ENDS))


@dataclass(frozen=True, kw_only=True)
class GroupContrast:
    """Second group of samples against the first, at every site, or over the reads of every region, that was compared.

    groups : their names.   samples, sample_group, elapsed : [S], name, group (0 or 1) and age of each sample.
    what : 'sites' or 'regions'.   given : of these in all.   numbers : dispersion of all counts, level of the
    intervals, fdr at which differences are counted, min_reads below which a site is left out.
    contig : int32 [N], index into contigs.   start, end : int64 [N], 0-based and half open.   strand : int8 [N].
    names : of the regions; empty for sites.   gates : by `gate_names`, [N, 2], a column a group.   differences : by
    DIFFERENCES, [N], second less first, with the ends of intervals; p of no difference, and the smallest false
    discovery rate q at which the row is found.
    """

    groups: tuple[str, str]
    samples: tuple[str, ...]
    sample_group: NDArray[np.int8]
    elapsed: NDArray[np.float64]
    unit: str
    what: str
    given: int
    numbers: Mapping[str, float]
    contigs: tuple[str, ...]
    contig: NDArray[np.int32]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    strand: NDArray[np.int8]
    names: tuple[str, ...]
    gates: Mapping[str, NDArray[Any]]
    differences: Mapping[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.start)

    @property
    def different(self) -> dict[str, int]:
        """Rows that differ at the false discovery rate of the file: in either gate, in k, in g."""
        return count_different(self.differences, self.numbers["fdr"])


def count_different(differences: Any, fdr: float) -> dict[str, int]:  # noqa: ANN401  (columns, or a group of a file)
    """Rows that differ at a false discovery rate: in either gate, in k, in g."""
    columns = {"either": "q", "rate": "rate_q", "steady": "steady_q"}
    return {name: int((differences[column][:] <= fdr).sum()) for name, column in columns.items()}


def write_contrast(path: Path, found: GroupContrast, records: Records, provenance: Provenance) -> None:
    """Write a contrast, whole or not at all."""
    with write_file(path, Kind.CONTRAST, provenance) as file:
        write_records(file, records)
        file.attrs["unit"], file.attrs["what"], file.attrs["given"] = found.unit, found.what, found.given
        file.attrs["numbers"] = json.dumps(dict(found.numbers), sort_keys=True)
        write_strings(file.create_group("contigs"), "name", found.contigs)
        write_strings(file.create_group("groups"), "name", found.groups)
        samples = file.create_group("samples")
        write_strings(samples, "name", found.samples)
        samples["group"], samples["elapsed"] = found.sample_group, found.elapsed
        rows = file.create_group("rows")
        columns = {**{name: getattr(found, name) for name in PLACE}, **found.gates, **found.differences}
        for name, values in columns.items():
            rows.create_dataset(name, data=values, chunks=True, shuffle=True, compression=1)
        if found.names:
            write_strings(rows, "name", found.names)


def read_contrast(path: Path) -> GroupContrast:
    """Read a contrast. Raises InputError as `files.open_file`."""
    with open_file(path, Kind.CONTRAST) as file:
        unit, rows = str(file.attrs["unit"]), file["rows"]
        first, second = strings(file["groups/name"])
        return GroupContrast(
            groups=(first, second),
            samples=strings(file["samples/name"]),
            sample_group=file["samples/group"][()],
            elapsed=file["samples/elapsed"][()],
            unit=unit,
            what=str(file.attrs["what"]),
            given=int(file.attrs["given"]),
            numbers=json.loads(file.attrs["numbers"]),
            contigs=strings(file["contigs/name"]),
            names=strings(rows["name"]) if "name" in rows else (),
            gates={name: rows[name][()] for name in gate_names(unit)},
            differences={name: rows[name][()] for name in DIFFERENCES},
            **{name: rows[name][()] for name in PLACE},
        )


def contrast_sentence(file: h5py.File) -> str:
    """What an open file found, in one sentence."""
    first, second = strings(file["groups/name"])
    rows, fdr = file["rows"], json.loads(file.attrs["numbers"])["fdr"]
    return sentence((first, second), str(file.attrs["what"]), len(rows["p"]), count_different(rows, fdr), fdr)


def sentence(groups: tuple[str, str], what: str, compared: int, different: Mapping[str, int], fdr: float) -> str:
    """What was found, in one sentence."""
    return (
        f"{groups[1]} differs from {groups[0]} at {different['either']:,} of {compared:,} {what} at a false discovery"
        f" rate of {fdr:g} (k {different['rate']:,}, g {different['steady']:,})"
    )
