"""Where each row of a table lies on the genome, for every layout of our files."""

from collections.abc import Callable
from typing import NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from genolstm.store.schema import Kind

Index = NDArray[np.int64]

MERGED_BP = 2  # of a CpG whose strands are merged


class Span(NamedTuple):
    """Places of some rows: contig index [n], 0-based half-open start and end [n], strand [n] (+1, -1, 0: none)."""

    contig: Index
    start: Index
    end: Index
    strand: NDArray[np.int8]


class Places(NamedTuple):
    """Places of every row of a table.

    of : rows [first, end) -> Span.   single : a row is one position.   stranded : the strand means something.
    """

    of: Callable[[int, int], Span]
    single: bool
    stranded: bool


def listed(group: h5py.Group, kind: Kind) -> Places | None:
    """Places that stand in the columns of a group; None where it holds none."""
    if "contig" not in group or not ("position" in group or "start" in group):
        return None
    single, stranded = "start" not in group and "end" not in group, "strand" in group
    first_name = "position" if "position" in group else "start"
    merges = kind in {Kind.COUNTS, Kind.METHYLATION}

    def of(first: int, stop: int) -> Span:
        start = group[first_name][first:stop].astype(np.int64)
        strand = group["strand"][first:stop] if stranded else np.zeros(len(start), np.int8)
        if "end" in group:
            end = group["end"][first:stop].astype(np.int64)
        else:
            end = start + np.where((strand == 0) & merges, MERGED_BP, 1)
        return Span(group["contig"][first:stop].astype(np.int64), start, end, strand)

    return Places(of, single, stranded)


def along_stretches(file: h5py.File, kind: Kind, axis: str) -> Places | None:
    """Places that follow from where stretches or contigs begin along an axis; None where the axis is no such."""
    maker = {
        (Kind.SCORE, "bases"): _scored,
        (Kind.VARIANTS, "bases"): _scored,
        (Kind.DEPENDENCIES, "bases"): _scored,
        (Kind.GATES, "samples"): _sampled,
        (Kind.GATES, "bases"): _dumped,
        (Kind.TRACK, "runs"): _runs,
        (Kind.GENOME, "symbols"): _symbols,
    }.get((kind, axis))
    return maker(file) if maker else None


def _plain(contig: Index, start: Index, end: Index) -> Span:
    return Span(contig, start, end, np.zeros(len(contig), np.int8))


def _within(begins: Index, first: int, stop: int) -> tuple[Index, Index]:
    """Which stretch each row [first, stop) is of, and how far into it."""
    row = np.arange(first, stop, dtype=np.int64)
    stretch = np.searchsorted(begins, row, side="right") - 1
    return stretch, row - begins[stretch]


def _scored(file: h5py.File) -> Places:
    contig, start, begins = (file["stretches"][name][()].astype(np.int64) for name in ("contig", "start", "first"))

    def of(first: int, stop: int) -> Span:
        stretch, into = _within(begins, first, stop)
        position = start[stretch] + into
        return _plain(contig[stretch], position, position + 1)

    return Places(of, single=True, stranded=False)


def _sampled(file: h5py.File) -> Places:
    names = ("contig", "end", "first", "first_position")
    contig, ends, begins, position = (file["stretches"][name][()].astype(np.int64) for name in names)
    every = int(file.attrs["every"])

    def of(first: int, stop: int) -> Span:
        stretch, into = _within(begins, first, stop)
        start = position[stretch] + into * every
        return _plain(contig[stretch], start, np.minimum(start + every, ends[stretch]))

    return Places(of, single=every == 1, stranded=False)


def _dumped(file: h5py.File) -> Places:
    about = file["dump"].attrs
    names = [name.decode() for name in file["contigs/name"][()]]
    contig, start = names.index(str(about["contig"])), int(about["start"])

    def of(first: int, stop: int) -> Span:
        position = np.arange(start + first, start + stop, dtype=np.int64)
        return _plain(np.full(len(position), contig), position, position + 1)

    return Places(of, single=True, stranded=False)


def _runs(file: h5py.File) -> Places:
    begins = file["contigs/first"][()]

    def of(first: int, stop: int) -> Span:
        start = file["runs/start"][first:stop]
        return _plain(_within(begins, first, stop)[0], start, start + file["runs/length"][first:stop])

    return Places(of, single=False, stranded=False)


def _symbols(file: h5py.File) -> Places:
    begins = file["contigs/start"][()]

    def of(first: int, stop: int) -> Span:
        contig, position = _within(begins, first, stop)
        return _plain(contig, position, position + 1)

    return Places(of, single=True, stranded=False)
