"""Where a process that writes no file keeps what it reads along the genome, until the one that writes takes it."""

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolstm.outputs import disk_errors

Values = NDArray[np.float32]

BYTES = np.dtype(np.float32).itemsize


def release_pages(array: NDArray[Any]) -> None:
    """Return to the system what was read or written of a mapped file: mapped pages count as this process's memory.

    Nothing is lost: written pages go to the file. Arrays that are no mapped files, or copies of one, are left alone.
    """
    if isinstance(array, np.memmap) and array._mmap is not None:  # type: ignore[attr-defined]
        array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]


class Spool:
    """Values along each strand, float32 [places, *shape], on disk; what was not written must not be asked for.

    beside : the output that another process writes, for messages.
    """

    def __init__(self, descriptor: int, places: int, shape: tuple[int, ...], beside: Path) -> None:
        self.descriptor, self.places, self.shape, self.beside = descriptor, places, shape, beside
        self.row_bytes = BYTES * int(np.prod(shape, dtype=np.int64))

    def write(self, strand: int, first: int, values: Values) -> None:
        """Keep the values of some places, [n, *shape]. Raises InputError when the disk refuses."""
        content = np.ascontiguousarray(values, dtype=np.float32).reshape(-1).data.cast("B")
        start, done = self._start(strand, first), 0
        with disk_errors(self.beside):
            while done < len(content):
                done += os.pwrite(self.descriptor, content[done:], start + done)

    def read(self, strand: int, first: int, end: int) -> Values:
        """Read the values of some places, [end - first, *shape]; 0 or nothing known where none were written."""
        values = np.zeros((end - first, *self.shape), dtype=np.float32)
        content, start, done = values.reshape(-1).data.cast("B"), self._start(strand, first), 0
        while done < len(content) and (count := os.preadv(self.descriptor, [content[done:]], start + done)):
            done += count
        return values

    def _start(self, strand: int, first: int) -> int:
        return (strand * self.places + first) * self.row_bytes


@contextmanager
def open_spool(beside: Path, places: int, shape: tuple[int, ...] = ()) -> Iterator[Spool]:
    """Open a spool in the folder of an output. places : along each strand, of all processes together.

    It has no name, so that nothing is left of it however the process ends, and takes as much disk as what is written.
    """
    with TemporaryFile(dir=beside.parent) as file:
        yield Spool(file.fileno(), places, shape, beside)
