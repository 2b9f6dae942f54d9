"""bigWig files as a signal along a genome: runs of one value, contig by contig."""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pybigtools
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.readers.contig_match import Match, matched
from genolstm.readers.gzipped import opened

MAGICS = (b"\x26\xfc\x8f\x88", b"\x88\x8f\xfc\x26")
BLOCK_RUNS = 1 << 16
DAMAGED = "is damaged or cut short; copy or download it again"


class SignalRuns(NamedTuple):
    """Runs of one value in genome order. contig : int32 [n].   start : int64 [n].   length, counts : [n], float32."""

    contig: NDArray[np.int32]
    start: NDArray[np.int64]
    length: NDArray[np.int32]
    counts: NDArray[np.float32]


def is_bigwig(path: Path) -> bool:
    """Whether a file begins as a bigWig does. Raises InputError for one that cannot be read; a pipe is none."""
    if not path.is_file():
        return False
    with opened(path, str(path), "bigWig") as stream:
        return stream.read(len(MAGICS[0])) in MAGICS


class BigWigSignal:
    """A bigWig that was matched with a genome.

    match : which contigs of the genome it knows.   runs_read : so far.
    """

    def __init__(self, path: Path, lengths: Mapping[str, int], genome_name: str) -> None:
        """Open a bigWig. Raises InputError for a damaged file, or one of another genome, as reads are refused."""
        self.path, self.lengths, self.runs_read = path, lengths, 0
        try:
            name = str(path.absolute()).encode().decode()
        except UnicodeEncodeError as problem:
            raise InputError(f"{path} cannot be read: its name is no UTF-8; rename it.") from problem
        try:
            self._file: Any = pybigtools.open(name)
            found: dict[str, int] = dict(self._file.chroms())
        except (OSError, ValueError, KeyError, pybigtools.BBIReadError) as problem:
            raise InputError(f"{path} {DAMAGED}.") from problem
        self.match: Match = matched(
            tuple(found), list(found.values()), lengths, source=str(path), genome_name=genome_name
        )

    def runs(self) -> Iterator[SignalRuns]:
        """Runs with a value other than 0; bases that the file gives no value have 0.

        Raises InputError for a damaged file, and for a value that is negative or infinite.
        """
        for index, (name, length) in enumerate(self.lengths.items()):
            if not self.match.observed[index]:
                continue
            records = self._records(name, length)
            while block := list(islice(records, BLOCK_RUNS)):
                start, end, value = (np.array(column) for column in zip(*block, strict=True))
                self.runs_read += len(start)
                self._check(name, start, value)
                kept = value > 0
                yield SignalRuns(
                    np.full(int(kept.sum()), index, np.int32),
                    start[kept].astype(np.int64),
                    (end - start)[kept].astype(np.int32),
                    value[kept].astype(np.float32),
                )

    def _records(self, name: str, length: int) -> Iterator[tuple[int, int, float]]:
        try:
            yield from self._file.records(name, 0, length)
        except (OSError, ValueError, KeyError, pybigtools.BBIReadError) as problem:
            raise InputError(f"{self.path} {DAMAGED}.") from problem

    def _check(self, name: str, start: NDArray[Any], value: NDArray[Any]) -> None:
        wrong = np.flatnonzero((value < 0) | np.isinf(value))
        if len(wrong):
            raise InputError(
                f"{self.path} has the value {value[wrong[0]]:g} at {name}:{start[wrong[0]] + 1}; a signal is 0 or more:"
                " give counts or their fold over the mean, not a logarithm or a difference."
            )
