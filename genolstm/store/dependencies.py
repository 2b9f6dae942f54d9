"""Files of dependencies: how much the prediction at each base depends on each base near it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from genolstm.regions import STRAND_NAMES, Stretches
from genolstm.store.files import Provenance, Records, open_file, strings, write_file, write_records, write_strings
from genolstm.store.genome import Genome
from genolstm.store.schema import Kind, type_name
from genolstm.store.stretches import read_stretches, write_stretches

MAP = "map"


class Feature(NamedTuple):
    """A piece of the annotation. kind : CDS, UTR, noncoding exon or intron."""

    contig: int
    start: int
    end: int
    strand: int
    kind: str


class DependencyBlock(NamedTuple):
    """A square off the diagonal of the map: bases [start, end) with bases [other_start, other_end).

    value : sum of both directions in bits of log2 odds.   matched : median of pairs of the same two middle bases at
    about the same distance in the map, of which there are `pairs`.   z : how far it stands out from these, in 1.4826
    median absolute deviations, of sums without what a base does everywhere (`explaining.blocks.corrected`).   p :
    fraction of these that are as large, by rank; not corrected for the choice of the strongest.
    """

    contig: int
    start: int
    end: int
    other_start: int
    other_end: int
    value: float
    matched: float
    z: float
    pairs: int
    p: float


class IntronCoupling(NamedTuple):
    """Donor and acceptor of one intron. donor, acceptor : 0-based place of the G of GT and of AG.

    value : mean D between these, both directions.   matched : the mean of matched pairs.   random_value,
    random_matched : the same by the random-init model.
    """

    contig: int
    donor: int
    acceptor: int
    strand: int
    value: float
    matched: float
    random_value: float
    random_matched: float


class CouplingTest(NamedTuple):
    """Whether donors and acceptors are coupled beyond matched pairs. model : trained or random_init.

    difference : value less matched, in bits of log2 odds, with the ends of its 95 % interval.
    """

    model: str
    introns: int
    pairs: int
    value: float
    matched: float
    difference: float
    low: float
    high: float
    verdict: str


ROWS: Mapping[str, Any] = {
    "features": Feature, "blocks": DependencyBlock, "introns": IntronCoupling, "tests": CouplingTest
}  # fmt: skip
INTEGERS = {"contig": np.int32, "strand": np.int8}


class DependenciesFile:
    """An open file of dependencies; places count the bases of all stretches, end to end."""

    def __init__(self, file: h5py.File) -> None:
        self.file = file

    @property
    def stretches(self) -> Stretches:
        """Whose bases were changed."""
        return read_stretches(self.file)

    @property
    def has_map(self) -> bool:
        """Whether the file holds a map, and not tests of introns alone."""
        return MAP in self.file

    @property
    def window(self) -> int:
        """Largest distance."""
        return int(self.file.attrs["window"])

    @property
    def readings(self) -> dict[str, int]:
        """Changes read, how many ended early, symbols read and saved."""
        found: dict[str, int] = json.loads(self.file.attrs["readings"])
        return found

    def values(self, strand: int, first: int, end: int) -> NDArray[np.float32]:
        """D of some changed bases, float32 [end - first, window]: at distance 1, 2, ... after (strand 0) or before."""
        values: NDArray[np.float32] = self.file[f"{MAP}/{STRAND_NAMES[strand]}"][first:end]
        return values

    def reference(self, first: int, end: int) -> NDArray[np.uint8]:
        """The genome's codes, uint8 [end - first]."""
        codes: NDArray[np.uint8] = self.file[f"{MAP}/reference"][first:end]
        return codes

    def write(self, strand: int, place: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        """Write D of some changed bases, float32 [n, window], by their place among all bases."""
        order = np.argsort(place, kind="stable")
        target = self.file[f"{MAP}/{STRAND_NAMES[strand]}"]
        for rows in np.split(order, np.flatnonzero(np.diff(place[order]) != 1) + 1):
            target[int(place[rows[0]]) : int(place[rows[-1]]) + 1] = values[rows]

    def rows(self, name: str) -> tuple[Any, ...]:
        """Rows of 'features', 'blocks', 'introns' or 'tests'; none where the file lacks them."""
        if name not in self.file:
            return ()
        group, row = self.file[name], ROWS[name]
        columns = [
            strings(group[each]) if type_name(group[each]) == "string" else group[each][()].tolist()
            for each in row._fields
        ]
        return tuple(row(*values) for values in zip(*columns, strict=True))

    def add(self, name: str, rows: Sequence[Any]) -> None:
        """Write rows of one kind."""
        group = self.file.create_group(name)
        for field, kind in ROWS[name].__annotations__.items():
            column = [getattr(row, field) for row in rows]
            if kind is str:
                write_strings(group, field, column)
            else:
                whole = INTEGERS.get(field, np.int64)
                group[field] = np.array(column, dtype=whole if kind is int else np.float64)

    def finish(self, readings: Mapping[str, int], seams: Mapping[str, float], records: Records) -> None:
        """Write what is known at the end."""
        self.file.attrs["readings"] = json.dumps(dict(readings), sort_keys=True)
        self.file.attrs["seams"] = json.dumps(dict(seams), sort_keys=True)
        write_records(self.file, records)


@contextmanager
def write_dependencies(
    path: Path, genome: Genome, stretches: Stretches, window: int, provenance: Provenance, *, with_map: bool
) -> Iterator[DependenciesFile]:
    """Open a file for dependencies; it appears when complete, whole or not at all."""
    with write_file(path, Kind.DEPENDENCIES, provenance) as file:
        write_stretches(file, genome.length_of, stretches)
        file.attrs["window"] = window
        if with_map:
            begins = (genome.starts[stretches.contig] + stretches.start).tolist()
            spans = (stretches.end - stretches.start).tolist()
            codes = [genome.all_codes[at : at + span] for at, span in zip(begins, spans, strict=True)]
            file[f"{MAP}/reference"] = np.concatenate(codes)
            file[f"{MAP}/distance"] = np.arange(1, window + 1, dtype=np.int64)
            for name in STRAND_NAMES:
                shape = (stretches.bases, window)
                file.create_dataset(f"{MAP}/{name}", shape=shape, dtype=np.float32, fillvalue=np.nan)
        yield DependenciesFile(file)


@contextmanager
def open_dependencies(path: Path) -> Iterator[DependenciesFile]:
    """Open a file of dependencies for reading. Raises InputError as `files.open_file`."""
    with open_file(path, Kind.DEPENDENCIES) as file:
        yield DependenciesFile(file)


class DependencySummary(NamedTuple):
    """A file of dependencies without its map."""

    bases: int
    window: int
    has_map: bool
    contigs: tuple[str, ...]
    readings: Mapping[str, int]
    blocks: tuple[DependencyBlock, ...]
    tests: tuple[CouplingTest, ...]


def read_dependency_summary(path: Path) -> DependencySummary:
    """Read what was found. Raises InputError as `files.open_file`."""
    with open_dependencies(path) as file:
        return dependency_summary(file)


def dependency_summary(file: DependenciesFile) -> DependencySummary:
    """Summary of an open file."""
    return DependencySummary(
        bases=file.stretches.bases, window=file.window, has_map=file.has_map, contigs=file.stretches.contigs,
        readings=file.readings, blocks=file.rows("blocks"), tests=file.rows("tests"),
    )  # fmt: skip
