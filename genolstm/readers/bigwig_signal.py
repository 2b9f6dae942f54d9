"""bigWig files as a signal along a genome: runs of one value, contig by contig.

Read here, byte by byte (Kent et al. 2010, supplement): the library that writes them ends the whole program when a file
is damaged. Every offset and count is held against the file before it is followed.
"""

import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.readers.contig_match import Match, matched
from genolstm.readers.gzipped import opened

MAGICS = {b"\x26\xfc\x8f\x88": "<", b"\x88\x8f\xfc\x26": ">"}  # how the file begins -> its byte order
HEADER, TREE_HEADER, INDEX_HEADER = "4sHHQQQHHQQIQ", "IIIIQQ", "IIQIIIIQII"
TREE_MAGIC, INDEX_MAGIC = 0x78CA8C91, 0x2468ACE0
NODE, BRANCH_BYTES, LEAF_BYTES = "BBH", 24, 32
SECTION = "IIIIIBBH"
STEPS = {1: 12, 2: 8, 3: 4}  # kind of section (bedGraph, variable, fixed step) -> bytes of an item
LARGEST_SECTION = 1 << 26  # bytes once inflated; files have 32 kB
MOST_NODES = 1 << 24
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
        return stream.read(4) in MAGICS


class BigWigSignal:
    """A bigWig that was matched with a genome. match : which contigs of the genome it has."""

    def __init__(self, path: Path, lengths: Mapping[str, int], genome_name: str) -> None:
        """Open a bigWig. Raises InputError for a damaged file, or one of another genome, as reads are refused."""
        self.path, self.lengths = path, lengths
        with opened(path, str(path), "bigWig") as stream:
            file = _File(stream, path)
            self._numbers, sizes = file.contigs()
        self.match: Match = matched(
            tuple(sizes), list(sizes.values()), lengths, source=str(path), genome_name=genome_name
        )

    def runs(self) -> Iterator[SignalRuns]:
        """Runs with a value above 0, a section of the file at a time; bases that the file gives no value have 0.

        Raises InputError for a damaged file, and for a value that is negative or infinite.
        """
        with opened(self.path, str(self.path), "bigWig") as stream:
            file = _File(stream, self.path)
            sections = file.sections()
            for index, (name, length) in enumerate(self.lengths.items()):
                reached = 0
                for offset, size in sections.get(self._numbers.get(name, -1), ()):
                    start, end, value = file.section(offset, size, self._numbers[name])
                    if not len(start):
                        continue
                    if start[0] < reached or (end <= start).any() or (start[1:] < end[:-1]).any() or end[-1] > length:
                        raise file.damaged()
                    reached = int(end[-1])
                    self._check(name, start, value)
                    kept = value > 0
                    n_kept = int(kept.sum())
                    yield SignalRuns(
                        np.full(n_kept, index, np.int32), start[kept], (end - start)[kept].astype(np.int32), value[kept]
                    )

    def _check(self, name: str, start: NDArray[np.int64], value: NDArray[np.float32]) -> None:
        wrong = np.flatnonzero((value < 0) | np.isinf(value))
        if len(wrong):
            raise InputError(
                f"{self.path} has the value {value[wrong[0]]:g} at {name}:{start[wrong[0]] + 1}; a signal is 0 or more:"
                " give counts or their fold over the mean, not a logarithm or a difference."
            )


class _File:
    """The parts of one open bigWig."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self.stream, self.path = stream, path
        self.size = os.fstat(stream.fileno()).st_size
        self.order = MAGICS.get(self._bytes(0, 4), "<")
        _, _, _, self.tree, _, self.index, _, _, _, _, self.inflated_bytes, _ = self._numbers(0, HEADER)

    def damaged(self) -> InputError:
        return InputError(f"{self.path} {DAMAGED}.")

    def _bytes(self, offset: int, count: int) -> bytes:
        if not 0 <= offset <= offset + count <= self.size:
            raise self.damaged()
        self.stream.seek(offset)
        found = self.stream.read(count)
        if len(found) != count:
            raise self.damaged()
        return found

    def _numbers(self, offset: int, layout: str) -> tuple[int, ...]:
        layout = self.order + layout
        return struct.unpack(layout, self._bytes(offset, struct.calcsize(layout)))

    def _nodes(self, root: int) -> Iterator[tuple[bool, int, int]]:
        """Whether each node of a tree is a leaf, where its items begin, how many; children are put in by ``follow``."""
        self.waiting, seen = [root], set[int]()
        while self.waiting:
            offset = self.waiting.pop()
            if offset in seen or len(seen) > MOST_NODES:
                raise self.damaged()
            seen.add(offset)
            leaf, _, count = self._numbers(offset, NODE)
            yield bool(leaf), offset + 4, count

    def contigs(self) -> tuple[dict[str, int], dict[str, int]]:
        """Number and length of each contig by name."""
        magic, _, key_bytes, _, _, _ = self._numbers(self.tree, TREE_HEADER)
        if magic != TREE_MAGIC:
            raise self.damaged()
        numbers: dict[str, int] = {}
        lengths: dict[str, int] = {}
        for leaf, first, count in self._nodes(self.tree + struct.calcsize("<" + TREE_HEADER)):
            for item in range(first, first + count * (key_bytes + 8), key_bytes + 8):
                if not leaf:
                    self.waiting.extend(self._numbers(item + key_bytes, "Q"))
                    continue
                name = self._bytes(item, key_bytes).rstrip(b"\0").decode("utf-8", "backslashreplace")
                if name in numbers:
                    raise self.damaged()
                numbers[name], lengths[name] = self._numbers(item + key_bytes, "II")
        return numbers, lengths

    def sections(self) -> dict[int, list[tuple[int, int]]]:
        """Offset and bytes of the sections of each contig by number, in genome order."""
        if self._numbers(self.index, INDEX_HEADER)[0] != INDEX_MAGIC:
            raise self.damaged()
        found: dict[int, list[tuple[int, int, int]]] = {}
        for leaf, first, count in self._nodes(self.index + struct.calcsize("<" + INDEX_HEADER)):
            for item in range(count):
                if leaf:
                    contig, start, _, _, offset, size = self._numbers(first + item * LEAF_BYTES, "IIIIQQ")
                    found.setdefault(contig, []).append((start, offset, size))
                else:
                    self.waiting.append(self._numbers(first + item * BRANCH_BYTES, "IIIIQ")[4])
        return {contig: [each[1:] for each in sorted(these)] for contig, these in found.items()}

    def section(
        self, offset: int, size: int, contig: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Starts, ends and values of one section, [n] each."""
        content = self._bytes(offset, size)
        if self.inflated_bytes:
            try:
                content = zlib.decompressobj().decompress(content, LARGEST_SECTION)
            except zlib.error as problem:
                raise self.damaged() from problem
        head = struct.calcsize("<" + SECTION)
        if len(content) < head:
            raise self.damaged()
        number, first, _, step, span, kind, _, count = struct.unpack(self.order + SECTION, content[:head])
        if number != contig or kind not in STEPS or len(content) < head + count * STEPS[kind]:
            raise self.damaged()
        numbers = STEPS[kind] // 4  # of an item, each of 4 bytes
        places = np.frombuffer(content, self.order + "u4", count * numbers, head).reshape(count, numbers)
        value = places[:, -1].copy().view(self.order + "f4").astype(np.float32)
        if kind == 1:
            return places[:, 0].astype(np.int64), places[:, 1].astype(np.int64), value
        start = places[:, 0].astype(np.int64) if kind == 2 else first + step * np.arange(count, dtype=np.int64)
        return start, start + span, value
