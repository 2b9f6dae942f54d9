"""Checksums of every block of a file, appended to it: what is read later is checked first, HDF5's own tables too.

HDF5 reads no further than its own end, so that other programs open such a file as any other.
"""

import os
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError

try:
    from isal.isal_zlib import crc32  # zlib's at 16 times its speed
except ImportError:
    from zlib import crc32

BLOCK = 1 << 16  # bytes; a table of checksums is 1/16,384 of its file
MAGIC = b"GLcrc32\n"
FOOTER = struct.Struct("<IQQI8s")  # block bytes, content bytes, blocks, crc32 of table and of these three, magic
HEAD = struct.Struct("<IQQ")


def append_checksums(descriptor: int) -> None:
    """Append the checksums of a complete file to it. Raises OSError when the disk refuses."""
    size = os.fstat(descriptor).st_size
    table = np.empty(-(-size // BLOCK), dtype="<u4")
    content = memoryview(bytearray(min(BLOCK, size)))
    for block in range(len(table)):
        count = _fill(descriptor, content[: size - block * BLOCK], block * BLOCK)
        table[block] = crc32(content[:count])
    sums, head = table.tobytes(), HEAD.pack(BLOCK, size, len(table))
    rest = memoryview(sums + head + struct.pack("<I", crc32(head, crc32(sums))) + MAGIC)
    while rest:
        written = os.pwrite(descriptor, rest, size)
        rest, size = rest[written:], size + written


def _fill(descriptor: int, buffer: memoryview, offset: int) -> int:
    """Read a file into a buffer from some offset on; how many bytes there were."""
    done = 0
    while done < len(buffer) and (count := os.preadv(descriptor, [buffer[done:]], offset + done)):
        done += count
    return done


class Checksums:
    """The checksums of an open file. content_bytes : of the file without them.

    A block is checked once, when it is first asked for.
    """

    def __init__(self, descriptor: int, path: Path, content_bytes: int, table: NDArray[np.uint32]) -> None:
        self.descriptor, self.path, self.content_bytes, self.table = descriptor, path, content_bytes, table
        self.unchecked = np.ones(len(table), dtype=np.bool_)

    def check(self, start: int, end: int) -> None:
        """Check every block that holds any of the bytes [start, end). Raises InputError for one that has changed."""
        self.check_read(start, end, memoryview(b""))

    def check_read(self, start: int, end: int, content: memoryview) -> None:
        """Check as `check`, where the bytes from start on were read already, as many as content has."""
        first, stop = start // BLOCK, -(-min(end, self.content_bytes) // BLOCK)
        if not self.unchecked[first:stop].any():
            return
        for block in (first + np.flatnonzero(self.unchecked[first:stop])).tolist():
            begin, stop_at = block * BLOCK, min(block * BLOCK + BLOCK, self.content_bytes)
            if start <= begin and stop_at <= start + len(content):
                whole = content[begin - start : stop_at - start]
            else:  # at the edge of what was read
                whole = memoryview(os.pread(self.descriptor, stop_at - begin, begin))
            if crc32(whole) != self.table[block]:
                raise InputError(
                    f"{self.path} is damaged: of its bytes {begin:,} to {stop_at:,} some are not as they were written;"
                    " make it again."
                )
            self.unchecked[block] = False

    def check_all(self) -> None:
        """Check every block. Raises InputError as `check`."""
        self.check(0, self.content_bytes)


def read_checksums(descriptor: int, path: Path) -> Checksums | None:
    """Read the checksums of an open file; None where it carries none. Raises InputError where they are damaged."""
    size = os.fstat(descriptor).st_size
    if size < FOOTER.size:
        return None
    block, content_bytes, blocks, stored, magic = FOOTER.unpack(os.pread(descriptor, FOOTER.size, size - FOOTER.size))
    if magic != MAGIC:
        return None
    broken = InputError(f"{path} is damaged: the checksums at its end are not as they were written; make it again.")
    if (block, blocks) != (BLOCK, -(-content_bytes // BLOCK)) or content_bytes + 4 * blocks + FOOTER.size != size:
        raise broken
    table = os.pread(descriptor, 4 * blocks, content_bytes)
    if crc32(HEAD.pack(block, content_bytes, blocks), crc32(table)) != stored:
        raise broken
    return Checksums(descriptor, path, content_bytes, np.frombuffer(table, dtype="<u4"))


class CheckedFile:
    """A file as HDF5 reads it: no byte reaches HDF5 before its block was checked."""

    def __init__(self, checksums: Checksums) -> None:
        self.checksums, self.position = checksums, 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; the end is that of the content."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: self.checksums.content_bytes}[whence]
        self.position = start + offset
        return self.position

    def tell(self) -> int:
        """Place of the next byte."""
        return self.position

    def read(self, count: int) -> bytes:
        """Read some bytes; h5py takes what has this for a file."""
        content = bytearray(count)
        self.readinto(memoryview(content))
        return bytes(content)

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer; with zeros past the end, as HDF5's own driver does."""
        here = max(0, min(len(buffer), self.checksums.content_bytes - self.position))
        if _fill(self.checksums.descriptor, buffer[:here], self.position) < here:
            raise InputError(f"{self.checksums.path} was cut short while it was being read; make it again.")
        self.checksums.check_read(self.position, self.position + here, buffer[:here])
        buffer[here:] = bytes(len(buffer) - here)
        self.position += here
        return len(buffer)

    def flush(self) -> None:
        """Do nothing: nothing is written here."""
