"""Tracks along the genome on their way to a file: gathered in pages, for small writes cost more than the network."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]

PAGE = 1 << 13  # samples of one strand that are read and written together
SPARE = 8  # pages beyond one for each lane


class Sink(Protocol):
    """Where tracks live: samples of one strand, float32 [n, tracks, layers]; NaN before they are written."""

    def write(self, strand: int, first: int, values: Values) -> None: ...  # noqa: D102
    def read(self, strand: int, first: int, end: int) -> Values: ...  # noqa: D102


class Pages:
    """The parts of the tracks that lanes are working on; what has not been touched for longest goes to the sink.

    All its memory is taken at birth. samples : in all.   lanes : how many work at once.
    """

    def __init__(self, sink: Sink, samples: int, width: tuple[int, int], lanes: int) -> None:
        self.sink, self.samples = sink, samples
        self.pool = np.full(
            (2 * lanes + SPARE, PAGE, *width), np.nan, dtype=np.float32
        )  # [pages, PAGE, tracks, layers]
        self.free = list(range(len(self.pool)))
        self.slot: dict[tuple[int, int], int] = {}  # (strand, page) -> place in the pool; the latest used last

    def put(self, strand: int, first: int, values: Values) -> None:
        """Write samples `first ..` of a strand, [n, tracks, layers], ascending along the genome."""
        done = 0
        while done < len(values):
            page, within = divmod(first + done, PAGE)
            taken = min(PAGE - within, len(values) - done)
            self.pool[self._page(strand, page), within : within + taken] = values[done : done + taken]
            done += taken

    def flush(self) -> None:
        """Hand everything to the sink."""
        for key in list(self.slot):
            self._write(key)

    def _page(self, strand: int, page: int) -> int:
        key = strand, page
        if key in self.slot:
            self.slot[key] = self.slot.pop(key)
            return self.slot[key]
        if not self.free:
            self._write(next(iter(self.slot)))
        place = self.free.pop()
        first, end = page * PAGE, min((page + 1) * PAGE, self.samples)
        self.pool[place, : end - first] = self.sink.read(strand, first, end)
        self.slot[key] = place
        return place

    def _write(self, key: tuple[int, int]) -> None:
        strand, page = key
        place = self.slot.pop(key)
        first, end = page * PAGE, min((page + 1) * PAGE, self.samples)
        self.sink.write(strand, first, self.pool[place, : end - first])
        self.free.append(place)
