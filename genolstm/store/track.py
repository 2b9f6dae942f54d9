"""Track files: counts per base as runs of equal counts, and what of the genome was not observed."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.store.files import Provenance, Records, open_file, strings, write_file, write_records, write_strings
from genolstm.store.genome import Genome
from genolstm.store.schema import Kind

RUN_CHUNK = 1 << 16
COLUMNS = (("start", np.int64), ("length", np.int32), ("count", np.int32))
SIGNAL = "signal"  # the assay of a bigWig: values of any kind, in place of counts
UNIT = {"atac": "cuts/bp", "coverage": "reads/bp", SIGNAL: "signal"}


class Runs(Protocol):
    """What a reader hands over: runs of equal counts in genome order (`readers.tally.CountRuns`)."""

    @property
    def contig(self) -> NDArray[np.int32]: ...  # noqa: D102
    @property
    def start(self) -> NDArray[np.int64]: ...  # noqa: D102
    @property
    def length(self) -> NDArray[np.int32]: ...  # noqa: D102
    @property
    def counts(self) -> NDArray[np.int32] | NDArray[np.float32]: ...  # noqa: D102


class Intervals(NamedTuple):
    """Intervals on a genome, sorted and disjoint: contig int32 [k], start and end int64 [k], 0-based, half open."""

    contig: NDArray[np.int32]
    start: NDArray[np.int64]
    end: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class TrackOrigin:
    """What was counted.

    assay : 'atac', 'coverage' or 'signal'.   form : BAM, SAM, CRAM, fragments or bigWig.
    forward_shift, reverse_shift : bp from the start of a forward and the half-open end of a reverse read to the base
    counted, as they were applied; 0 for an input that was shifted already, and for coverage.
    filters : name -> value.
    """

    assay: str
    form: str
    forward_shift: int
    reverse_shift: int
    filters: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Track:
    """Read-only view of a track file; the runs of a contig are loaded when they are asked for.

    names, lengths : contigs of the genome in its order, in bp.   first : int64 [contigs + 1], where the runs of each
    begin.   observed : bool [contigs].   blacklist : what was not observed on the others.   unit : of the counts.
    total : cuts, for coverage aligned bases, of a signal the sum over all bases.   bases : with a count above 0.
    genome_sha256 : hash of the genome's sequence.   content_sha256 : hash of the track.
    """

    path: Path
    names: tuple[str, ...]
    lengths: NDArray[np.int64]
    first: NDArray[np.int64]
    observed: NDArray[np.bool_]
    blacklist: Intervals
    origin: TrackOrigin
    unit: str
    total: float
    bases: int
    genome_sha256: str
    content_sha256: str

    def counts(self, contig: str, start: int, end: int) -> NDArray[np.float32]:
        """Counts at each base of [start, end), 0-based, float32 [end - start]; NaN where nothing was observed.

        Raises InputError for a place that is not there.
        """
        index = self._index(contig)
        if not 0 <= start <= end <= self.lengths[index]:
            raise InputError(f"{contig}:{start}-{end} lies outside contig '{contig}' of {self.lengths[index]:,} bp.")
        if not self.observed[index]:
            return np.full(end - start, np.nan, dtype=np.float32)
        starts, ends, counts = self._columns(index)
        rows = slice(np.searchsorted(ends, start, "right"), np.searchsorted(starts, end, "left"))
        low, high = np.maximum(starts[rows], start), np.minimum(ends[rows], end)
        # runs do not overlap: a gap of 0 before each, and one after the last
        stretches = np.zeros(2 * len(low) + 1, dtype=np.int64)
        stretches[:-1:2], stretches[1::2] = low - np.append(start, high[:-1])[: len(low)], high - low
        stretches[-1] = end - start - stretches[:-1].sum()
        value = np.zeros(len(stretches), dtype=np.float32)
        value[1::2] = counts[rows]
        values = np.repeat(value, stretches)
        for left, right in self._blacklisted(index):
            values[max(left - start, 0) : max(right - start, 0)] = np.nan
        return values

    def signal(self, contig: str) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Runs of one contig as starts, ends and values, stretches of count 0 among them; what was not observed is NaN.

        Raises InputError for a contig that is not there.
        """
        index = self._index(contig)
        length = int(self.lengths[index])
        if not self.observed[index]:
            return np.array([0]), np.array([length]), np.array([np.nan], dtype=np.float32)
        starts, ends, counts = self._columns(index)
        masked = self._blacklisted(index)
        edges = np.unique(np.concatenate([[0], starts, ends, masked.ravel()]))
        edges = edges[edges < length]
        values = np.zeros(len(edges), dtype=np.float32)
        if len(starts):
            run = np.maximum(np.searchsorted(starts, edges, "right") - 1, 0)
            here = (starts[run] <= edges) & (edges < ends[run])
            values[here] = counts[run[here]]
        for left, right in masked:
            values[np.searchsorted(edges, left) : np.searchsorted(edges, right)] = np.nan
        return edges, np.append(edges[1:], length), values

    def _index(self, contig: str) -> int:
        if contig not in self.names:
            known = ", ".join(self.names[:8])
            raise InputError(f"contig '{contig}' is not in {self.path}; it has {known}. Make the track on this genome.")
        return self.names.index(contig)

    def _columns(self, index: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
        return _runs_of(self.path, self.content_sha256, int(self.first[index]), int(self.first[index + 1]))

    def _blacklisted(self, index: int) -> NDArray[np.int64]:
        here = slice(*np.searchsorted(self.blacklist.contig, [index, index + 1]))
        return np.stack([self.blacklist.start[here], self.blacklist.end[here]], axis=1)


@lru_cache(maxsize=2)  # windows are read contig by contig; a contig of a large genome may take 200 MB
def _runs_of(
    path: Path, content_sha256: str, first: int, last: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
    """Starts, ends and counts of some runs. content_sha256 : makes a file that was written again another one."""
    with open_file(path, Kind.TRACK) as file:
        if file.attrs["content_sha256"] != content_sha256:
            raise InputError(f"{path} was written again while it was being read; start anew.")
        starts = file["runs/start"][first:last]
        return starts, starts + file["runs/length"][first:last], file["runs/count"][first:last]


def write_track(
    path: Path,
    genome: Genome,
    runs: Iterable[Runs],
    origin: TrackOrigin,
    *,
    observed: NDArray[np.bool_],
    blacklist: Intervals,
    records: Records,
    provenance: Provenance,
) -> Track:
    """Write a track file from runs in genome order, a block at a time, whole or not at all, and open it."""
    with write_file(path, Kind.TRACK, provenance) as file:
        group = file.create_group("runs")
        is_signal = origin.assay == SIGNAL
        for name, dtype in COLUMNS:
            kind = np.float32 if name == "count" and is_signal else dtype
            group.create_dataset(
                name, shape=(0,), maxshape=(None,), chunks=(RUN_CHUNK,), dtype=kind, shuffle=True, compression=1
            )
        n_runs, bases = np.zeros(len(genome.names), np.int64), 0
        total: float = 0
        for block in runs:
            n_runs += np.bincount(block.contig, minlength=len(n_runs))
            products = block.counts.astype(np.float64 if is_signal else np.int64) * block.length
            total += float(products.sum()) if is_signal else int(products.sum())
            bases += int(block.length.sum(dtype=np.int64))
            columns: tuple[NDArray[Any], ...] = (block.start, block.length, block.counts)
            for place, (name, _) in enumerate(COLUMNS):
                _append(group[name], columns[place])
        contigs = file.create_group("contigs")
        write_strings(contigs, "name", genome.names)
        contigs["length"] = genome.lengths
        contigs["first"] = np.cumsum(n_runs) - n_runs
        contigs["observed"] = observed.astype(np.uint8)
        masked = file.create_group("blacklist")
        for name, column in zip(Intervals._fields, blacklist, strict=True):
            masked[name] = column
        file.attrs["assay"], file.attrs["unit"] = str(origin.assay), UNIT[origin.assay]
        file.attrs["form"], file.attrs["filters"] = origin.form, json.dumps(dict(origin.filters), sort_keys=True)
        file.attrs["forward_shift"], file.attrs["reverse_shift"] = origin.forward_shift, origin.reverse_shift
        file.attrs["total"], file.attrs["bases"] = total, bases
        file.attrs["sequence_sha256"] = genome.sha256
        write_records(file, records)
    return open_track(path)


def _append(dataset: h5py.Dataset, column: NDArray[Any]) -> None:
    dataset.resize(len(dataset) + len(column), axis=0)
    dataset[len(dataset) - len(column) :] = column


def open_track(path: Path) -> Track:
    """Open a track file. Raises InputError as `files.open_file`."""
    with open_file(path, Kind.TRACK) as file:
        about = file.attrs
        return Track(
            path=path,
            names=strings(file["contigs/name"]),
            lengths=file["contigs/length"][()],
            first=np.append(file["contigs/first"][()], len(file["runs/start"])),
            observed=file["contigs/observed"][()].astype(np.bool_),
            blacklist=Intervals(*(file["blacklist"][name][()] for name in Intervals._fields)),
            origin=TrackOrigin(
                assay=str(about["assay"]),
                form=str(about["form"]),
                forward_shift=int(about["forward_shift"]),
                reverse_shift=int(about["reverse_shift"]),
                filters=json.loads(about["filters"]),
            ),
            unit=str(about["unit"]),
            total=about["total"].item(),
            bases=int(about["bases"]),
            genome_sha256=str(about["sequence_sha256"]),
            content_sha256=str(about["content_sha256"]),
        )


def check_track(track: Track, genome: Genome) -> None:
    """Refuse a track that was made on another genome. Raises InputError."""
    if track.genome_sha256 != genome.sha256:
        raise InputError(
            f"{track.path} was made on another genome than {genome.path}: run 'genolstm track' with this genome."
        )


def signals(track: Track) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """Signal of each contig, as a bigWig writer takes it: contig, starts, ends, values."""
    for name in track.names:
        yield name, *track.signal(name)
