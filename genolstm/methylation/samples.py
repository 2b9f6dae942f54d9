"""Counts files side by side: one table whose samples are in the order of age."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.store.counts import Counts, CountsFile, CountTable, key_columns, site_keys, stacked

LEAST_SAMPLES = 2  # as many as there are gates
BLOCK_SITES = 1 << 16  # of files side by side that are held at once, and that the index of their rows steps by


def joined(tables: Sequence[Counts], names: Sequence[str]) -> Counts:
    """Put the samples of several counts files side by side; a site that a file lacks has no reads there.

    names : of the files, for messages, and before sample names that would not be unique.
    Raises InputError for files of different genomes, or where one has its strands merged and another not.
    """
    first = tables[0]
    _check_alike(tables, [bool(len(table)) and not table.strand.any() for table in tables], names)
    if len(tables) == 1:
        return first
    place_of = {name: place for place, name in enumerate(first.contigs)}
    order = [np.array([place_of[name] for name in table.contigs], np.int64) for table in tables]
    keys = [
        site_keys(place[table.contig], table.position, table.strand) for place, table in zip(order, tables, strict=True)
    ]
    every = np.unique(np.concatenate(keys))
    modified: list[NDArray[np.int32]] = []
    covered: list[NDArray[np.int32]] = []
    for table, key in zip(tables, keys, strict=True):
        rows = np.searchsorted(every, key)
        for columns, found in ((modified, table.modified), (covered, table.covered)):
            spread = np.zeros((len(every), found.shape[1]), dtype=np.int32)
            spread[rows] = found
            columns.append(spread)
    contig, position, strand = key_columns(every)
    return Counts(
        contigs=first.contigs,
        contig=contig,
        position=position,
        strand=strand,
        modified=np.concatenate(modified, axis=1),
        covered=np.concatenate(covered, axis=1),
        samples=_sample_names(tables, names),
    )


def _check_alike(tables: Sequence[CountTable], merged: Sequence[bool], names: Sequence[str]) -> None:
    """Raise InputError for tables of different genomes, or of which one has its strands merged and another not."""
    first = tables[0]
    for table, is_merged, name in zip(tables[1:], merged[1:], names[1:], strict=True):
        if set(table.contigs) != set(first.contigs):
            raise InputError(
                f"{names[0]} and {name} name different contigs ({', '.join(first.contigs[:3])} ...;"
                f" {', '.join(table.contigs[:3])} ...); count all samples against one genome."
            )
        if len(table) and len(first) and is_merged != merged[0]:
            raise InputError(
                f"one of {names[0]} and {name} has its strands merged and the other not; count both the same way."
            )


def _sample_names(tables: Sequence[CountTable], names: Sequence[str]) -> tuple[str, ...]:
    """Names of all samples, with that of their table before them where they would not be unique."""
    samples = [sample for table in tables for sample in table.samples]
    if len(set(samples)) < len(samples):
        samples = [f"{name}:{sample}" for table, name in zip(tables, names, strict=True) for sample in table.samples]
    return tuple(samples)


def side_by_side(files: Sequence[CountsFile], names: Sequence[str]) -> CountTable:
    """What `joined` makes of the whole files, read a part at a time. Raises InputError as `joined`."""
    _check_alike(files, [file.merged for file in files], names)
    return files[0] if len(files) == 1 else JoinedFiles(files, _sample_names(files, names))


class _Block(NamedTuple):
    """Sites of one contig, of all files. first : row of the first of them.   rows : of each file, from and to."""

    first: int
    rows: tuple[tuple[int, int], ...]


class JoinedFiles:
    """Counts files whose samples stand side by side, of which a part is read at a time; `side_by_side` makes it.

    An index of where every 65,536 sites or so begin in each file takes one passage through all of them.
    """

    def __init__(self, files: Sequence[CountsFile], samples: tuple[str, ...]) -> None:
        self.files, self.samples, self.contigs = files, samples, files[0].contigs
        self.blocks: list[_Block] = []
        self.count = 0
        for rows in self._blocks():
            self.blocks.append(_Block(self.count, rows))
            self.count += len(self._read(rows))

    def __len__(self) -> int:
        return self.count

    def part(self, first: int, end: int) -> Counts:
        """Read the sites from row `first` to before `end`, of all files."""
        place = max(0, bisect_right(self.blocks, first, key=lambda block: block.first) - 1)
        parts, begin = [], self.blocks[place].first if self.blocks else 0
        while place < len(self.blocks) and self.blocks[place].first < end:
            parts.append(self._read(self.blocks[place].rows))
            place += 1
        if not parts:
            parts = [self._read([(0, 0)] * len(self.files))]
        return replace(stacked(parts), samples=self.samples).part(first - begin, end - begin)

    def _read(self, rows: Sequence[tuple[int, int]]) -> Counts:
        parts = [file.part(*span) for file, span in zip(self.files, rows, strict=True)]
        return joined(parts, [str(place) for place in range(len(parts))])

    def _blocks(self) -> Iterator[tuple[tuple[int, int], ...]]:
        """Rows of each file that hold the same stretch of genome, in genome order."""
        ends = [dict(zip(file.contigs, file.contig_ends(), strict=True)) for file in self.files]
        starts = [dict(zip(file.contigs, [0, *file.contig_ends()], strict=False)) for file in self.files]
        for contig in self.contigs:
            now, last = [each[contig] for each in starts], [each[contig] for each in ends]
            while now != last:
                upto = [min(one + BLOCK_SITES, other) for one, other in zip(now, last, strict=True)]
                # no file has sites before this one that are not in the block; both strands of a position stay together
                near = [self._position(file, stop) for file, stop, end in zip(self.files, upto, last, strict=True)
                        if stop < end]  # fmt: skip
                if near:
                    upto = [self._before(file, one, stop, min(near))
                            for file, one, stop in zip(self.files, now, upto, strict=True)]  # fmt: skip
                yield tuple(zip(now, upto, strict=True))
                now = upto

    @staticmethod
    def _position(file: CountsFile, row: int) -> int:
        return int(file.sites["position"][row])

    @staticmethod
    def _before(file: CountsFile, first: int, end: int, position: int) -> int:
        """Row of the first site that is not before a position, among some of one contig."""
        return first + int(np.searchsorted(file.sites["position"][first:end], position))


def by_age(counts: CountTable, times: tuple[float, ...]) -> None:
    """Compare samples with their times. Raises InputError where they differ in number."""
    if len(times) != len(counts.samples):
        raise InputError(
            f"{len(times)} times were given for {len(counts.samples)} samples ({', '.join(counts.samples[:6])});"
            " give one time for each, in the order of the samples."
        )
    if len(set(times)) < LEAST_SAMPLES:
        what = "sample is" if len(times) == 1 else "samples of one time are"
        raise InputError(
            f"{len(times)} {what} not enough: rate and steady fraction need {LEAST_SAMPLES} ages at least;"
            " give more counts files, in order of age."
        )
