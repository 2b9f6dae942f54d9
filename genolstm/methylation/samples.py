"""Counts files side by side: one table whose samples are in the order of age."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.store.counts import Counts

LEAST_SAMPLES = 2  # as many as there are gates


def joined(tables: Sequence[Counts], names: Sequence[str]) -> Counts:
    """Put the samples of several counts files side by side; a site that a file lacks has no reads there.

    names : of the files, for messages, and before sample names that would not be unique.
    Raises InputError for files of different genomes, or where one has its strands merged and another not.
    """
    first = tables[0]
    for table, name in zip(tables[1:], names[1:], strict=True):
        if set(table.contigs) != set(first.contigs):
            raise InputError(
                f"{names[0]} and {name} name different contigs ({', '.join(first.contigs[:3])} ...;"
                f" {', '.join(table.contigs[:3])} ...); count all samples against one genome."
            )
        if len(table) and len(first) and (not table.strand.any()) != (not first.strand.any()):
            raise InputError(
                f"one of {names[0]} and {name} has its strands merged and the other not; count both the same way."
            )
    if len(tables) == 1:
        return first
    places = [_places(table, first.contigs) for table in tables]
    every = np.unique(np.concatenate(places), axis=0)  # [N, 3], sorted by contig, position and strand
    modified: list[NDArray[np.int32]] = []
    covered: list[NDArray[np.int32]] = []
    for table, place in zip(tables, places, strict=True):
        rows = _rows_in(every, place)
        for columns, found in ((modified, table.modified), (covered, table.covered)):
            spread = np.zeros((len(every), found.shape[1]), dtype=np.int32)
            spread[rows] = found
            columns.append(spread)
    samples = [sample for table in tables for sample in table.samples]
    if len(set(samples)) < len(samples):
        samples = [f"{name}:{sample}" for table, name in zip(tables, names, strict=True) for sample in table.samples]
    return Counts(
        contigs=first.contigs,
        contig=every[:, 0].astype(np.int32),
        position=every[:, 1],
        strand=every[:, 2].astype(np.int8),
        modified=np.concatenate(modified, axis=1),
        covered=np.concatenate(covered, axis=1),
        samples=tuple(samples),
    )


def _places(table: Counts, contigs: tuple[str, ...]) -> NDArray[np.int64]:
    """Contig by the order of the first file, position and strand of each site, [N, 3]."""
    order = np.array([contigs.index(name) for name in table.contigs], dtype=np.int64)
    return np.stack([order[table.contig], table.position, table.strand.astype(np.int64)], axis=1)


def _rows_in(every: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.intp]:
    """Where each place stands among all of them; rows compare as wholes, as structured values."""
    columns = [("contig", np.int64), ("position", np.int64), ("strand", np.int64)]
    whole, part = (np.ascontiguousarray(rows).view(columns).ravel() for rows in (every, places))
    return np.searchsorted(whole, part)


def by_age(counts: Counts, times: tuple[float, ...]) -> None:
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
