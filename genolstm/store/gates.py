"""Gates files: what each gate did, unit by unit and along the genome, and what came of asking."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.regions import Region, Stretches
from genolstm.store.files import Provenance, Records, open_file, strings, write_file, write_records, write_strings
from genolstm.store.schema import Kind
from genolstm.store.stretches import write_stretches

Columns = dict[str, Any]  # column name -> array, or a sequence of text
Runs = tuple[str, NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]

CHUNK = 1 << 13  # samples of one strand that lie together on disk
ROWS = 1 << 12  # of tables that grow
SLAB = 1 << 18  # samples read back at a time
RESETS = {"layer": np.int32, "contig": np.int32, "start": np.int64, "end": np.int64, "strand": np.int8,
          "forget": np.float32}  # fmt: skip
TEXT_COLUMNS = {"kind", "direction", "measure"}


@dataclass(frozen=True, kw_only=True)
class GatesTables:
    """Everything in a gates file but its tracks, its resets and its dump.

    units : factor -> statistic ('mean', 'sd', 'above', 'below') -> float64 [layers, H].
    half_life : 'nominal' and 'realised' -> float64 [layers, H], steps; empty where the cell has no forget gate.
    samples : positions x strands that the sums hold.   thresholds : of resets, one a layer.
    memory, windows : functional memory and where it was read; edges, profiles : what was found at boundaries; columns
    by name, empty where it was not asked for.   lyapunov : exponents of the whole state and where they were measured,
    columns by name, empty where contigs were too short.   summary : of all this, in plain values.
    seams : see `stream.seams.Seams.to_json`.
    """

    units: Mapping[str, Mapping[str, NDArray[np.float64]]]
    half_life: Mapping[str, NDArray[np.float64]]
    samples: int
    thresholds: Sequence[float]
    memory: Columns = field(default_factory=dict)
    windows: Columns = field(default_factory=dict)
    edges: Columns = field(default_factory=dict)
    profiles: Columns = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    seams: Mapping[str, float] = field(default_factory=dict)
    lyapunov: Columns = field(default_factory=dict)


class GatesFile:
    """The tracks of an open gates file; the sink that `gates.tracks` writes to.

    Samples of all stretches stand end to end, along the forward strand on both strands.
    """

    def __init__(self, file: h5py.File) -> None:
        self.file = file
        self.names = tuple(json.loads(file.attrs["tracks"]))
        self.tracks = [file["tracks"][name] for name in self.names]
        self.samples, self.strands, self.layers = self.tracks[0].shape
        self.every = int(file.attrs["every"])
        group = file["stretches"]
        self.contigs = strings(file["contigs/name"])
        self.contig, self.end = group["contig"][()], group["end"][()]
        self.first, self.first_position = group["first"][()], group["first_position"][()]

    def write(self, strand: int, first: int, values: NDArray[np.float32]) -> None:
        """Write samples of one strand, [n, tracks, layers]."""
        for place, track in enumerate(self.tracks):
            track[first : first + len(values), strand] = values[:, place]

    def read(self, strand: int, first: int, end: int) -> NDArray[np.float32]:
        """Read samples of one strand, [n, tracks, layers]; NaN where nothing was written."""
        return np.stack([track[first:end, strand] for track in self.tracks], axis=1)

    def track(self, name: str, strand: int, layer: int, first: int, end: int) -> NDArray[np.float32]:
        """Samples of one track, [n]."""
        values: NDArray[np.float32] = self.tracks[self.names.index(name)][first:end, strand, layer]
        return values

    def runs(self, name: str, layer: int, strand: int | None) -> Iterator[Runs]:
        """One track as runs: contig, starts, ends, values; each sample stands for the bases up to the next.

        strand : 0 or 1, or None for the mean of both: of half-lives the one at the mean rate of forgetting.
        Values that are not finite are NaN.
        """
        counts = np.diff([*self.first, self.samples])
        for place, (first, count) in enumerate(zip(self.first.tolist(), counts.tolist(), strict=True)):
            for slab in range(first, first + count, SLAB):
                stop = min(slab + SLAB, first + count)
                chosen = range(self.strands) if strand is None else (strand,)
                values = np.stack([self.track(name, each, layer, slab, stop) for each in chosen])
                with np.errstate(divide="ignore"):
                    mean = 1 / np.mean(1 / values, axis=0) if name == "half_life" else values.mean(axis=0)
                start = self.first_position[place] + np.arange(slab - first, stop - first) * self.every
                end = np.minimum(start + self.every, self.end[place])
                mean = np.where(np.isfinite(mean), mean, np.nan).astype(np.float32)
                yield self.contigs[self.contig[place]], start, end, mean

    def add_resets(self, columns: Mapping[str, NDArray[np.generic]]) -> None:
        """Add rows to the table of resets; many at a time, for each call takes a millisecond."""
        group = self.file["resets"]
        for name, values in columns.items():
            column = group[name]
            rows = len(column)
            column.resize(rows + len(values), axis=0)
            column[rows:] = values

    def reset_column(self, name: str) -> NDArray[np.generic]:
        """One column of the table of resets so far, [n]."""
        values: NDArray[np.generic] = self.file["resets"][name][()]
        return values

    def start_dump(self, region: Region, factors: Sequence[str], units: int) -> None:
        """Create datasets for everything at every base of a region; NaN until written."""
        group = self.file.create_group("dump")
        group.attrs.update({"contig": region.contig, "start": region.start, "end": region.end})
        shape = (region.end - region.start, self.strands, self.layers, units)
        for name in (*factors, "hidden", "memory"):
            group.create_dataset(name, shape=shape, dtype=np.float32, fillvalue=np.nan, chunks=(1, 1, *shape[2:]))

    def write_dump(self, name: str, strand: int, layer: int, first: int, values: NDArray[np.float32]) -> None:
        """Write one factor or state of one layer at bases `first ..` of the region, [n, H]."""
        self.file["dump"][name][first : first + len(values), strand, layer] = values

    def finish(self, tables: GatesTables, records: Records) -> None:
        """Write the tables."""
        file = self.file
        for name, statistics in tables.units.items():
            for statistic, values in statistics.items():
                file[f"units/{name}/{statistic}"] = values
        for name, values in tables.half_life.items():
            file[f"half_life/{name}"] = values
        for group in ("memory", "windows", "edges", "profiles", "lyapunov"):
            _write_columns(file, group, getattr(tables, group))
        file.attrs["samples"] = tables.samples
        file.attrs["reset_thresholds"] = json.dumps(list(tables.thresholds))
        file.attrs["summary"] = json.dumps(dict(tables.summary), sort_keys=True)
        file.attrs["seams"] = json.dumps(dict(tables.seams), sort_keys=True)
        write_records(file, records)


def _write_columns(file: h5py.File, group: str, columns: Columns) -> None:
    for name, values in columns.items():
        if name in TEXT_COLUMNS:
            write_strings(file.require_group(group), name, list(values))
        else:
            file[f"{group}/{name}"] = values


@contextmanager
def write_gates(
    path: Path,
    stretches: Stretches,
    lengths: Mapping[str, int],
    samples: tuple[NDArray[np.int64], NDArray[np.int64], int],
    shape: tuple[Sequence[str], int, int],
    provenance: Provenance,
) -> Iterator[GatesFile]:
    """Open a gates file for its tracks and tables; it appears when complete, whole or not at all.

    samples : where the samples of each stretch begin [K + 1], position of its first [K], bases between two.
    shape : names of the tracks, strands, layers.
    """
    first, first_position, every = samples
    names, strands, layers = shape
    with write_file(path, Kind.GATES, provenance) as file:
        file.attrs["tracks"], file.attrs["every"] = json.dumps(list(names)), every
        write_stretches(file, lengths, stretches, first[:-1])["first_position"] = first_position
        for name in names:
            file.create_dataset(
                f"tracks/{name}", shape=(int(first[-1]), strands, layers), dtype=np.float32, fillvalue=np.nan,
                chunks=(CHUNK, 1, layers), maxshape=(None, strands, layers),
            )  # fmt: skip
        for name, dtype in RESETS.items():
            file.create_dataset(f"resets/{name}", shape=(0,), maxshape=(None,), chunks=(ROWS,), dtype=dtype)
        yield GatesFile(file)


@contextmanager
def open_gates(path: Path) -> Iterator[GatesFile]:
    """Open a gates file for its tracks. Raises InputError as `files.open_file`."""
    with open_file(path, Kind.GATES) as file:
        yield GatesFile(file)


def read_gates_tables(path: Path) -> GatesTables:
    """Read the tables of a gates file. Raises InputError as `files.open_file`."""
    with open_file(path, Kind.GATES) as file:
        return GatesTables(
            units={name: {key: item[()] for key, item in group.items()} for name, group in file["units"].items()},
            half_life={name: item[()] for name, item in file["half_life"].items()} if "half_life" in file else {},
            samples=int(file.attrs["samples"]),
            thresholds=json.loads(file.attrs["reset_thresholds"]),
            summary=json.loads(file.attrs["summary"]),
            seams=json.loads(file.attrs["seams"]),
            **{group: _read_columns(file, group) for group in ("memory", "windows", "edges", "profiles", "lyapunov")},
        )


def read_resets(path: Path) -> dict[str, NDArray[np.generic]]:
    """Columns of the table of resets. Raises InputError as `files.open_file`."""
    with open_file(path, Kind.GATES) as file:
        return {name: file["resets"][name][()] for name in RESETS}


def read_dump(path: Path) -> tuple[Region, dict[str, NDArray[np.float32]]]:
    """The region of a dump, and name -> float32 [bases, strands, layers, H]. Raises InputError without one."""
    with open_file(path, Kind.GATES) as file:
        if "dump" not in file:
            raise InputError(f"{path} holds no dump; run 'genolstm gates' with --dump REGION.")
        group = file["dump"]
        region = Region(contig=str(group.attrs["contig"]), start=int(group.attrs["start"]), end=int(group.attrs["end"]))
        return region, {name: item[()] for name, item in group.items()}


def _read_columns(file: h5py.File, group: str) -> Columns:
    if group not in file:
        return {}
    return {name: list(strings(item)) if name in TEXT_COLUMNS else item[()] for name, item in file[group].items()}
