"""bigWig files: values along contigs for genome browsers, streamed so that memory does not grow with the genome."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.outputs import growing_file

Runs = tuple[str, NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]

ROWS = 1 << 16  # runs that are Python objects at one time
SUFFIX = ".bw"  # pybigtools writes no other name


def write_bigwig(path: Path, lengths: Mapping[str, int], runs: Iterable[Runs]) -> None:
    """Write a bigWig that appears under its name only when complete.

    Parameters
    ----------
    path
        The target; its ending does not matter. The caller has checked that it may be replaced.
    lengths
        Bases of each contig, in the order of the genome. The header names those that have a value.
    runs
        Contig, start [n], end [n] (0-based, half open) and value [n]. Blocks come contig by contig in the order of
        ``lengths``; within a contig runs ascend and do not overlap, also from block to block. NaN is left out. Any
        block size will do: memory is that of one block, and of an index with one entry for 1,024 runs.

    Raises
    ------
    InputError
        There is no value to write, the name is too long or no UTF-8, or the disk refuses. What ``runs`` raises passes
        through.
    ValueError
        The runs break the promise above, or a value is infinite.
    """
    feed = _Feed(runs, lengths)
    with growing_file(path, SUFFIX, as_text=True) as growing:
        first = next(feed.rows, None)
        if feed.failure is not None:
            raise feed.failure
        if first is None:
            raise InputError(f"{path} was not written: there is no value for a bigWig, which cannot be empty.")
        _write(growing, lengths, feed, first, path)


class _Feed:
    """The rows of all runs, checked, with the bases that they cover so far and what stopped them.

    pybigtools prints an error of its rows and goes on as if all were well: so the rows end, and the error waits here.
    """

    def __init__(self, runs: Iterable[Runs], lengths: Mapping[str, int]) -> None:
        self.covered = 0
        self.failure: BaseException | None = None
        self.rows = self._rows(runs, lengths)

    def _rows(self, runs: Iterable[Runs], lengths: Mapping[str, int]) -> Iterator[tuple[str, int, int, float]]:
        order = {contig: place for place, contig in enumerate(lengths)}
        present, reached = "", 0
        try:
            for contig, start, end, value in runs:
                if contig != present:
                    if order[contig] < order.get(present, -1):
                        raise ValueError(f"runs of {contig} come after those of {present}")
                    present, reached = contig, 0
                if len(start) == 0:
                    continue
                _check(contig, start, end, value, reached, lengths[contig])
                reached = int(end[-1])
                known = ~np.isnan(value)
                self.covered += int((end - start)[known].sum())
                for first in range(0, len(start), ROWS):
                    kept = known[first : first + ROWS]
                    columns = (column[first : first + ROWS][kept].tolist() for column in (start, end, value))
                    yield from zip(repeat(contig), *columns)
        except BaseException as problem:  # noqa: BLE001  (also an interrupt: write_bigwig raises it again)
            self.failure = problem


def _check(
    contig: str,
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    value: NDArray[np.float32],
    reached: int,
    length: int,
) -> None:
    """Hold one block of runs against what was promised. reached : where the block before it ended."""
    if not len(start) == len(end) == len(value):
        raise ValueError(f"runs of {contig} differ in their numbers of starts, ends and values")
    if start[0] < reached or (end <= start).any() or (start[1:] < end[:-1]).any() or end[-1] > length:
        raise ValueError(f"runs of {contig} overlap, go back, are empty or leave the contig")
    if np.isinf(value).any():
        raise ValueError(f"a run of {contig} has an infinite value")


def _write(
    growing: Path, lengths: Mapping[str, int], feed: _Feed, first: tuple[str, int, int, float], path: Path
) -> None:
    """Write the rows, and read the header back: pybigtools reports a full disk by a Rust panic or not at all."""
    import pybigtools  # noqa: PLC0415  (only bigWig needs it)

    def rows() -> Iterator[tuple[str, int, int, float]]:
        yield first
        yield from feed.rows

    refused = f"{path} was not written: the disk or the folder for temporary files is full or read-only; free space."
    try:
        pybigtools.open(str(growing), "w").write(dict(lengths), rows())
    except BaseException as problem:
        if type(problem).__name__ == "PanicException" or type(problem) is Exception:
            raise InputError(refused) from problem
        raise
    if feed.failure is not None:
        raise feed.failure
    try:
        covered = pybigtools.open(str(growing)).info()["summary"]["basesCovered"]
    except pybigtools.BBIReadError as problem:
        raise InputError(refused) from problem
    if covered != feed.covered:
        raise InputError(refused)
