"""Counts per base of a whole genome from spans in any order, in memory that grows with neither reads nor genome."""

import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.readers.compiled import compiled

Ints = NDArray[np.int64]

BIN_BITS = 18
BIN_BP = 1 << BIN_BITS  # bases whose counts are in memory at one time: 1 MiB, which a processor's cache can hold
HELD = 1 << 21  # positions that are in memory at one time before they are sorted into bins on disk: 16 MiB
STORED = np.dtype(np.uint32)  # place in its bin


class CountRuns(NamedTuple):
    """Stretches of equal counts, ascending, without those of count 0.

    contig : int32 [n], index into the genome's contigs.   start : int64 [n], 0-based.   length : int32 [n], bp.
    counts : int32 [n], > 0.
    """

    contig: NDArray[np.int32]
    start: Ints
    length: NDArray[np.int32]
    counts: NDArray[np.int32]


class Tally:
    """Counts how many spans cover each base.

    lengths : bp of each contig; positions count through all contigs laid end to end.   blacklist : int64 [k, 2],
    sorted and disjoint half-open stretches, whose bases count nothing.   folder : for a temporary file, of 4 bytes for
    a cut and 8 for a span.
    """

    def __init__(self, lengths: Mapping[str, int], blacklist: Ints, folder: Path) -> None:
        self.first = np.cumsum([0, *lengths.values()], dtype=np.int64)  # [contigs + 1]
        self.blacklist = blacklist
        n_bins = int(self.first[-1] >> BIN_BITS) + 1  # the last may hold ends only
        self.starts, self.ends = _Spool(n_bins, folder), _Spool(n_bins, folder)

    def __enter__(self) -> "Tally":
        return self

    def __exit__(self, *failure: object) -> None:
        self.starts.file.close()
        self.ends.file.close()

    def add_cuts(self, positions: Ints) -> int:
        """Count single bases, but for those in the blacklist; returns how many those were."""
        inside = _inside(positions, self.blacklist)
        self.starts.add(positions[~inside] if inside.any() else positions)
        return int(inside.sum())

    def add_spans(self, starts: Ints, ends: Ints) -> None:
        """Count the bases from each start to its half-open end."""
        self.starts.add(starts)
        self.ends.add(ends)

    def runs(self) -> Iterator[CountRuns]:
        """Runs of the whole genome in its order, a bin at a time."""
        counts = np.zeros(BIN_BP + 1, np.int32)
        buffer = np.empty((3, BIN_BP), np.int32)
        held = _no_runs()
        carried = 0
        for place in range(self.starts.n_bins):
            begin = place << BIN_BITS
            width = int(min(BIN_BP, self.first[-1] - begin))
            self.starts.count(place, counts, 1)
            if self.ends.total:
                self.ends.count(place, counts, -1)
                counts[0] += carried
                np.cumsum(counts[: width + 1], out=counts[: width + 1])
                carried, counts[width] = int(counts[width]), 0
            for start, end in self._blacklisted(begin, begin + width):
                counts[start - begin : end - begin] = 0
            held, whole = _joined(held, self._runs_of(counts[:width], begin, buffer))
            if len(whole.start):
                yield whole
        if len(held.start):
            yield held

    def blacklisted_intervals(self) -> tuple[NDArray[np.int32], Ints, Ints]:
        """Contig, start and end of what the blacklist covers, cut at the ends of contigs."""
        inner = self.first[1:-1]
        begins = np.concatenate([self.blacklist[:, 0], inner[_inside(inner, self.blacklist)]])
        begins = np.unique(begins)
        stretch = np.searchsorted(self.blacklist[:, 0], begins, "right") - 1
        contig = np.searchsorted(self.first, begins, "right") - 1
        ends = np.minimum(self.blacklist[stretch, 1], self.first[contig + 1])
        return contig.astype(np.int32), begins - self.first[contig], ends - self.first[contig]

    def _blacklisted(self, begin: int, end: int) -> Ints:
        reached = np.searchsorted(self.blacklist[:, 1], begin, "right")
        beyond = np.searchsorted(self.blacklist[:, 0], end, "left")
        return np.clip(self.blacklist[reached:beyond], begin, end)

    def _runs_of(self, counts: NDArray[np.int32], begin: int, buffer: NDArray[np.int32]) -> CountRuns:
        """Runs of one bin. counts : int32 [n], left at 0.   buffer : int32 [3, n at least], written over."""
        reached, beyond = np.searchsorted(self.first, [begin, begin + len(counts)])
        contigs = self.first[reached:beyond] - begin
        n = _take_runs(counts, contigs, buffer[0], buffer[1], buffer[2])
        starts = buffer[0, :n] + np.int64(begin)
        contig = np.searchsorted(self.first, starts, "right") - 1
        return CountRuns(
            contig=contig.astype(np.int32),
            start=starts - self.first[contig],
            length=buffer[1, :n].copy(),
            counts=buffer[2, :n].copy(),
        )


@compiled
def _take_runs(
    counts: NDArray[np.int32],
    contigs: Ints,
    starts: NDArray[np.int32],
    lengths: NDArray[np.int32],
    values: NDArray[np.int32],
) -> int:
    """Find stretches of one count above 0, which end where a contig begins, and set the counts to 0 for the next bin.

    counts : [n].   contigs : where contigs begin in it.   starts, lengths, values : written.   Returns how many.
    NumPy takes five times as long.
    """
    n, value, contig = 0, 0, 0
    next_contig = contigs[0] if len(contigs) else len(counts)
    for at in range(len(counts)):
        here = counts[at]
        if here == value and at != next_contig:
            counts[at] = 0
            continue
        counts[at] = 0
        if at == next_contig:
            contig += 1
            next_contig = contigs[contig] if contig < len(contigs) else len(counts)
        if value:
            lengths[n - 1] = at - starts[n - 1]
        value = here
        if value:
            starts[n], values[n] = at, value
            n += 1
    if value:
        lengths[n - 1] = len(counts) - starts[n - 1]
    return n


@compiled
def _add(counts: NDArray[np.int32], places: NDArray[np.uint32], step: int) -> None:
    """Add a step at each place, as often as the place is listed."""
    for place in places:
        counts[place] += step


def _joined(held: CountRuns, runs: CountRuns) -> tuple[CountRuns, CountRuns]:
    """Hold the last run back, since it may go on in the next bin; join the one held back before to what goes on."""
    if not len(runs.start):
        return _no_runs(), held
    if len(held.start):
        goes_on = (
            held.contig[0] == runs.contig[0]
            and held.start[0] + held.length[0] == runs.start[0]
            and held.counts[0] == runs.counts[0]
        )
        if goes_on:
            runs.start[0] = held.start[0]
            runs.length[0] += held.length[0]
        else:
            runs = CountRuns(
                contig=np.concatenate([held.contig, runs.contig]),
                start=np.concatenate([held.start, runs.start]),
                length=np.concatenate([held.length, runs.length]),
                counts=np.concatenate([held.counts, runs.counts]),
            )
    return _rows(runs, slice(-1, None)), _rows(runs, slice(None, -1))


def _rows(runs: CountRuns, rows: slice) -> CountRuns:
    return CountRuns(runs.contig[rows], runs.start[rows], runs.length[rows], runs.counts[rows])


def _no_runs() -> CountRuns:
    return CountRuns(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int32))


def _inside(positions: Ints, stretches: Ints) -> NDArray[np.bool_]:
    """Whether each position lies in one of the disjoint, sorted half-open stretches [k, 2]."""
    if not len(stretches):
        return np.zeros(len(positions), dtype=np.bool_)
    before = np.searchsorted(stretches[:, 0], positions, "right") - 1
    inside: NDArray[np.bool_] = (before >= 0) & (positions < stretches[np.maximum(before, 0), 1])
    return inside


def laid_out(contig: NDArray[np.int32], start: Ints, end: Ints, lengths: Mapping[str, int]) -> Ints:
    """Intervals of contigs as sorted, disjoint stretches [k, 2] of the genome laid end to end."""
    first = np.cumsum([0, *lengths.values()], dtype=np.int64)
    begins, ends = first[contig] + start, first[contig] + end
    order = np.argsort(begins, kind="stable")
    begins, reached = begins[order], np.maximum.accumulate(ends[order])
    opens = np.append(True, begins[1:] > reached[:-1])[: len(begins)]
    return np.stack([begins[opens], reached[np.append(opens[1:], True)[: len(begins)]]], axis=1)


def no_stretches() -> Ints:
    """Empty blacklist, [0, 2]."""
    return np.empty((0, 2), dtype=np.int64)


class _Spool:
    """Positions in any order, given back by bin; all but the latest are in an unnamed file."""

    def __init__(self, n_bins: int, folder: Path) -> None:
        self.n_bins, self.total, self.folder = n_bins, 0, folder
        self.file = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  (closed by Tally)
        self.waiting: list[Ints] = []
        self.n_waiting = 0
        # for each time of writing: where it began in the file, and the first position of each bin, [n_bins + 1]
        self.parts: list[tuple[int, Ints]] = []

    def add(self, positions: Ints) -> None:
        self.waiting.append(positions)
        self.n_waiting += len(positions)
        self.total += len(positions)
        if self.n_waiting >= HELD:
            self._write()

    def _write(self) -> None:
        positions = np.concatenate([np.empty(0, np.int64), *self.waiting])
        # of 16 bits for up to 17 Gb of genome, which NumPy sorts by radix
        bins = (positions >> BIN_BITS).astype(np.min_scalar_type(self.n_bins))
        if (bins[1:] < bins[:-1]).any():  # the reads were not sorted
            order = np.argsort(bins, kind="stable")
            positions = positions[order]
        edges = np.append(0, np.cumsum(np.bincount(bins, minlength=self.n_bins)))
        stored = (positions & (BIN_BP - 1)).astype(STORED).tobytes()
        try:
            self.parts.append((self.file.seek(0, os.SEEK_END), edges))
            if self.file.write(stored) != len(stored):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as problem:
            raise InputError(
                f"the disk of {self.folder} took no more counts ({problem.strerror}): free space, or write elsewhere."
            ) from problem
        self.waiting, self.n_waiting = [], 0

    def count(self, place: int, counts: NDArray[np.int32], step: int) -> None:
        """Add a step to the counts of a bin for each position that fell on a base. counts : int32 [BIN_BP + 1]."""
        if self.n_waiting:
            self._write()
        for where, edges in self.parts:
            first, last = int(edges[place]), int(edges[place + 1])
            if first < last:
                self.file.seek(where + first * STORED.itemsize)
                stored = self.file.read((last - first) * STORED.itemsize)
                _add(counts, np.frombuffer(stored, dtype=STORED), step)
