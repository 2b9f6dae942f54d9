"""Where candidates of a prediction are listed while the genome is read: sorted numbers in an unnamed file on disk."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.outputs import disk_errors
from genolstm.store.spool import Spool, Values

Ints = NDArray[np.int64]

SLAB = 1 << 18  # candidates that are in memory at a time
BASES = 1 << 18  # of a slab that is read back
STEP = 512  # candidates of which one key is in memory
KEY = 8  # bytes of a key


class Found(NamedTuple):
    """Some candidates. address : int64 [n], place in the genome's codes.   strand : int8 [n], +1 or -1."""

    address: Ints
    strand: NDArray[np.int8]


class Candidates:
    """Candidates sorted by place and strand, forward first; 0 or more values of each, by pass.

    A key is twice the place in the genome's codes, and 1 more on the reverse strand. Keys stay on disk, and only every
    STEP-th of them is in memory: pages of a mapped file would count as this process's memory.
    passes : float32 [2, n, K] on disk, what the forward and the reverse pass add to a decision; NaN until it is read.
    """

    def __init__(self, descriptor: int, count: int, marks: Ints, passes: Spool) -> None:
        self.descriptor, self.count, self.marks, self.passes = descriptor, count, marks, passes

    def __len__(self) -> int:
        return self.count

    def between(self, low: int, high: int) -> tuple[int, Ints]:
        """Keys from low to below high, int64 [k], and how many are below them."""
        first = max(int(np.searchsorted(self.marks, low)) - 1, 0) * STEP
        last = min(int(np.searchsorted(self.marks, high)) * STEP, self.count)
        keys = np.empty(max(last - first, 0), dtype=np.int64)
        content, done = keys.view(np.uint8).data, 0
        while done < len(content) and (read := os.preadv(self.descriptor, [content[done:]], KEY * first + done)):
            done += read
        begin, stop = np.searchsorted(keys, [low, high]).tolist()
        return first + begin, keys[begin:stop]

    def slabs(self, symbols: int) -> Iterator[tuple[Found, NDArray[np.float64]]]:
        """Candidates and the sums of their passes, float64 [n, K], those of some stretch of the genome at a time.

        symbols : of the genome.   The stretches are the same in any list, so that lists can be merged; they may span
        contigs, as there may be one contig for every few candidates.
        Raises RuntimeError for a candidate that was not read.
        """
        for low in range(0, symbols, BASES):
            first, keys = self.between(2 * low, 2 * min(low + BASES, symbols))
            total = np.zeros((len(keys), *self.passes.shape))
            for strand in (0, 1):
                total += self.passes.read(strand, first, first + len(keys))
            if np.isnan(total).any():
                raise RuntimeError(f"{np.isnan(total).any(axis=1).sum()} candidates were not read by both passes")
            yield Found(keys >> 1, np.where(keys & 1, -1, 1).astype(np.int8)), total


@contextmanager
def listed_candidates(found: Iterable[Found], n_values: int, beside: Path) -> Iterator[Candidates]:
    """List candidates in unnamed files in the folder of an output, for as long as they are needed.

    found : slabs that ascend, each of distinct candidates in any order.   n_values : K of each.
    """
    with TemporaryFile(dir=beside.parent) as listed, TemporaryFile(dir=beside.parent) as values:
        count, marks = 0, []
        with disk_errors(beside):
            for slab in found:
                keys = np.sort(2 * slab.address + (slab.strand < 0)).astype(np.int64)
                listed.write(keys.tobytes())
                marks.append(keys[-count % STEP :: STEP].copy())
                count += len(keys)
            listed.flush()
        passes = Spool(values.fileno(), count, (n_values,), beside)
        for strand in (0, 1):
            for first in range(0, count, SLAB):
                passes.write(strand, first, _unread(min(SLAB, count - first), n_values))
        yield Candidates(listed.fileno(), count, np.concatenate([np.empty(0, np.int64), *marks]), passes)


def _unread(count: int, n_values: int) -> Values:
    return np.full((count, n_values), np.nan, dtype=np.float32)
