"""Counts files: modified and covered reads of each site and sample; counts, never fractions: likelihoods need both."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.store.files import Provenance, Records, open_file, strings, write_file, write_records, write_strings
from genolstm.store.schema import Kind

CHUNK_ROWS = 1 << 16
POSITION_BITS, STRAND_BITS = 40, 2  # of a site as one number, below its contig
COLUMNS = ("contig", "position", "strand", "modified", "covered")


class Calling(NamedTuple):
    """How reads became counts.

    code : modifications counted, as in MM tags ('m', 'mh').   motif : IUPAC letters and offset, 'CG,0'.
    threshold : probability from which a call counts; None where the counts were given as counts.
    """

    code: str = "m"
    motif: str = "CG,0"
    threshold: float | None = None


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Reads that are modified and reads that are informative, at each site and in each sample; checked at birth.

    contigs : names, in genome order.   contig : int32 [N], index into contigs.   position : int64 [N], 0-based; of the
    forward C where the strands of a CpG are merged.   strand : int8 [N], +1, -1, or 0 where strands are merged.
    modified, covered : int32 [N, S], 0 <= modified <= covered.   samples : S names.
    Raises ValueError when the columns do not fit each other, are not sorted by contig, position and strand, or hold a
    site twice.
    """

    contigs: tuple[str, ...]
    contig: NDArray[np.int32]
    position: NDArray[np.int64]
    strand: NDArray[np.int8]
    modified: NDArray[np.int32]
    covered: NDArray[np.int32]
    samples: tuple[str, ...]

    def __post_init__(self) -> None:
        sites, shape = len(self.position), (len(self.position), len(self.samples))
        if len(self.contig) != sites or len(self.strand) != sites:
            raise ValueError("the columns of Counts differ in length")
        if self.modified.shape != shape or self.covered.shape != shape:
            raise ValueError(f"modified and covered must have {shape[0]} sites and {shape[1]} samples")
        if not self.samples or len(set(self.samples)) != len(self.samples):
            raise ValueError("Counts need samples, each with a name of its own")
        inside = (self.contig >= 0) & (self.contig < len(self.contigs)) & (self.position >= 0)
        if not inside.all():
            raise ValueError("a site of Counts lies outside its contigs")
        if not np.isin(self.strand, (-1, 0, 1)).all():
            raise ValueError("a strand of Counts is not +1, -1 or 0")
        self._check_counts()
        self._check_order()

    def _check_counts(self) -> None:
        wrong = (self.modified < 0) | (self.modified > self.covered)
        if wrong.any():
            row, sample = (int(place) for place in np.argwhere(wrong)[0])
            raise ValueError(
                f"{self.modified[row, sample]} modified of {self.covered[row, sample]} covered reads at"
                f" {self.contigs[self.contig[row]]}:{self.position[row] + 1:,} in sample '{self.samples[sample]}'"
            )

    def _check_order(self) -> None:
        """Each site comes after the one before, by contig, then position, then strand."""
        columns = (self.contig, self.position, self.strand)
        contig, position, strand = (np.diff(column.astype(np.int64)) for column in columns)
        later = (contig > 0) | ((contig == 0) & ((position > 0) | ((position == 0) & (strand > 0))))
        if not later.all():
            raise ValueError("Counts are not sorted by contig, position and strand, or hold a site twice")

    def __len__(self) -> int:
        return len(self.position)

    def part(self, first: int, end: int) -> "Counts":
        """Only the sites from row `first` to before `end`."""
        return self.at(slice(first, end))

    def at(self, rows: slice | NDArray[np.intp]) -> "Counts":
        """Only some sites, in genome order."""
        return replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS})


def stacked(parts: Sequence[Counts]) -> Counts:
    """Sites of one table below each other again, in genome order."""
    columns: dict[str, Any] = {name: np.concatenate([getattr(each, name) for each in parts]) for name in COLUMNS}
    return replace(parts[0], **columns)


class CountTable(Protocol):
    """Counts in memory or in files: what is read a part at a time, so that memory need not grow with the sites."""

    @property
    def contigs(self) -> tuple[str, ...]:
        """Names, in genome order."""

    @property
    def samples(self) -> tuple[str, ...]:
        """Names of the samples."""

    def __len__(self) -> int: ...

    def part(self, first: int, end: int) -> Counts:
        """Only the sites from row `first` to before `end`."""


class CountsFile:
    """An open counts file, of which a part is read at a time.

    columns : of the samples that are wanted; all where none are named.   merged : whether its strands are merged.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path, self.sites = path, file["sites"]
        self.contigs, self.samples = strings(file["contigs/name"]), strings(file["samples/name"])
        self.columns: slice = slice(None)
        self.merged = bool(file.attrs["merged"])

    def __len__(self) -> int:
        return int(self.sites["position"].shape[0])

    def only(self, sample: str, name: str) -> "CountsFile":
        """Take one sample, under another name."""
        place = self.samples.index(sample)
        self.samples, self.columns = (name,), slice(place, place + 1)
        return self

    def part(self, first: int, end: int) -> Counts:
        """Read the sites from row `first` to before `end`. Raises InputError for counts that cannot be."""
        places: dict[str, Any] = {name: self.sites[name][first:end] for name in COLUMNS[:3]}
        reads = {name: self.sites[name][first:end, self.columns] for name in COLUMNS[3:]}
        try:
            return Counts(contigs=self.contigs, samples=self.samples, **places, **reads)
        except ValueError as problem:
            raise InputError(f"{self.path}: {problem}; make it again.") from problem

    def contig_ends(self) -> list[int]:
        """Row where the sites of each contig end."""
        return [first_row(self.sites["contig"], index + 1) for index in range(len(self.contigs))]


def first_row(contig: h5py.Dataset, index: int) -> int:
    """First row of a sorted column that is not below a value, by halving: few rows are read."""
    low, high = 0, int(contig.shape[0])
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if contig[middle] < index else (low, middle)
    return low


@contextmanager
def open_counts(path: Path) -> Iterator[CountsFile]:
    """Open a counts file to read parts of it. Raises InputError as `files.open_file`."""
    with open_file(path, Kind.COUNTS) as file:
        yield CountsFile(path, file)


def write_counts(
    path: Path, counts: Counts, records: Records, provenance: Provenance, calling: Calling | None = None
) -> None:
    """Write a counts file, whole or not at all. calling : how the reads became counts, where reads were read."""
    calling = calling or Calling()
    with write_file(path, Kind.COUNTS, provenance) as file:
        write_records(file, records)
        file.attrs["code"], file.attrs["motif"] = calling.code, calling.motif
        if calling.threshold is not None:
            file.attrs["threshold"] = calling.threshold
        file.attrs["merged"] = int(bool(len(counts)) and not counts.strand.any())
        write_strings(file.create_group("contigs"), "name", counts.contigs)
        write_strings(file.create_group("samples"), "name", counts.samples)
        sites = file.create_group("sites")
        for name in COLUMNS:
            _write_column(sites, name, getattr(counts, name))


def _write_column(group: h5py.Group, name: str, values: NDArray[np.generic]) -> None:
    if not values.size:  # an empty dataset has no chunks to compress
        group[name] = values
        return
    chunks = (min(CHUNK_ROWS, len(values)), *values.shape[1:])
    group.create_dataset(name, data=values, chunks=chunks, shuffle=True, compression=1)


def read_counts(path: Path) -> Counts:
    """Read a counts file. Raises InputError as `files.open_file`, and for counts that cannot be."""
    with open_counts(path) as file:
        return file.part(0, len(file))


def read_calling(path: Path) -> Calling:
    """How the reads of a counts file became counts. Raises InputError as `files.open_file`."""
    with open_file(path, Kind.COUNTS) as file:
        threshold = float(file.attrs["threshold"]) if "threshold" in file.attrs else None
        return Calling(str(file.attrs["code"]), str(file.attrs["motif"]), threshold)


def site_keys(contig: NDArray[np.integer], position: NDArray[np.int64], strand: NDArray[np.int8]) -> NDArray[np.int64]:
    """Sites as numbers that sort by contig, position and strand."""
    return ((contig.astype(np.int64) << POSITION_BITS | position) << STRAND_BITS) | (strand + 1)


def key_columns(keys: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int8]]:
    """Contig, position and strand of sites as numbers."""
    strand = (keys & ((1 << STRAND_BITS) - 1)) - 1
    place = keys >> STRAND_BITS
    contig, position = place >> POSITION_BITS, place & ((1 << POSITION_BITS) - 1)
    return contig.astype(np.int32), position, strand.astype(np.int8)
