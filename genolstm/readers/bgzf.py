"""Gzip in whatever members: BGZF, the blocked gzip of BAM files (SAM specification, section 4.1), plain, and mixed.

Whole BGZF blocks in, their bytes out; members of plain gzip as they come. ``cat`` joins both kinds in one file.
"""

import zlib
from collections.abc import Iterator
from typing import Protocol

from genolstm.errors import InputError

READ_BYTES = 1 << 20
MEMBER_READ_BYTES = 1 << 16  # of plain gzip: what zlib has not taken yet is copied each time
LARGEST_INFLATED = 1 << 16  # of one BGZF block
CHUNK_BYTES = 1 << 20  # stays in the processor's cache while the records are walked
GZIP_MAGIC = b"\x1f\x8b"
HEADER = b"\x1f\x8b\x08\x04"  # gzip, deflate, with extra fields
GZIP_WBITS = 31  # 15 for the largest window, and 16 more so that zlib reads gzip headers and checks CRC and length
FIXED_BYTES = 12  # of the header, before the extra fields
SMALLEST_BLOCK = 26  # header, the extra field that holds the size, CRC and length
EXTRA_LENGTH = slice(10, 12)
AGAIN = "copy or download it again"


class Stream(Protocol):
    """Something to read bytes from."""

    def read(self, size: int, /) -> bytes: ...  # noqa: D102


def is_bgzf(head: bytes) -> bool:
    """Whether a file that begins like this is BGZF, and not gzip of one piece."""
    return head.startswith(HEADER) and _block_bytes(head, 0) > 0


def inflated(stream: Stream, source: str, head: bytes = b"", chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
    """Bytes of all members, CRC and length checked, about ``chunk_bytes`` at a time.

    head : what was read of the stream already.
    Raises InputError for a damaged member, other data between members, or a file that was cut: within a member, or
    after a BGZF block that is not the empty one with which BGZF ends.
    """
    together = max(1, chunk_bytes // LARGEST_INFLATED)
    at_once = READ_BYTES if chunk_bytes >= CHUNK_BYTES else MEMBER_READ_BYTES
    rest, at, ended = head, 0, True  # at : where the next member begins in rest
    pieces: list[bytes] = []
    before = 0  # compressed bytes before rest
    while True:
        size = _block_bytes(rest, at)
        if size < 0:
            yield b"".join(pieces)
            pieces = []
            plain = _Member(stream, source, rest[at:], chunk_bytes)
            yield from plain.chunks(before + at)
            before, rest, at, ended = before + at + plain.taken, plain.rest, 0, True
        elif size == 0 or at + size > len(rest):
            more = stream.read(at_once)
            if not more:
                break
            before += at
            rest, at = rest[at:] + more, 0
        else:
            piece = _inflated_block(rest[at : at + size], before + at, source)
            at += size
            ended = not piece
            pieces.append(piece)
            if len(pieces) == together:
                yield b"".join(pieces)
                pieces = []
    yield b"".join(pieces)
    if at < len(rest):
        where = "it ends within a BGZF block" if rest.startswith(HEADER, at) else "its gzip data have no end"
        raise InputError(f"{source} is cut short ({where}); {AGAIN}.")
    if not ended:
        raise InputError(f"{source} is cut short (it lacks the empty block with which BGZF ends); {AGAIN}.")


class _Member:
    """What begins where no BGZF block does: zeros that pad the file, a member of plain gzip, or neither.

    rest : of the bytes read, what follows it.   taken : bytes of the file that it has.
    """

    def __init__(self, stream: Stream, source: str, begun: bytes, chunk_bytes: int) -> None:
        self.stream, self.source, self.rest, self.chunk_bytes = stream, source, begun, chunk_bytes
        self.taken = 0

    def chunks(self, where: int) -> Iterator[bytes]:
        """Its bytes. where : its place in the file."""
        if self.rest.startswith(b"\0"):  # as gzip does, zeros after a member are passed over
            kept = self.rest.lstrip(b"\0")
            self.taken, self.rest = len(self.rest) - len(kept), kept
            return
        if not self.rest.startswith(GZIP_MAGIC):
            raise InputError(
                f"{self.source} holds other data after its gzip data, at byte {where} (beginning with"
                f" {self.rest[:8]!r}); {AGAIN}, or gunzip it and inspect its end."
            )
        inflate, compressed = zlib.decompressobj(GZIP_WBITS), self.rest
        self.taken = len(compressed)
        while not inflate.eof:
            if not compressed:
                compressed = self.stream.read(MEMBER_READ_BYTES)
                self.taken += len(compressed)
                if not compressed:
                    raise InputError(f"{self.source} is cut short (its gzip data have no end); {AGAIN}.")
            try:
                yield inflate.decompress(compressed, self.chunk_bytes)
            except zlib.error as problem:
                raise InputError(f"{self.source} holds damaged gzip data ({problem}); {AGAIN}.") from problem
            compressed = inflate.unconsumed_tail
        self.rest = inflate.unused_data
        self.taken -= len(self.rest)


def _inflated_block(block: bytes, where: int, source: str) -> bytes:
    from isal import igzip_lib  # noqa: PLC0415  (only BGZF needs it)

    try:
        return igzip_lib.decompress(block, flag=igzip_lib.DECOMP_GZIP)
    except igzip_lib.IsalError as problem:  # type: ignore[misc]  # its stub has an instance where the class is
        raise InputError(
            f"{source} is damaged: the BGZF block at byte {where} does not inflate ({problem}); {AGAIN}."
        ) from problem


def _block_bytes(rest: bytes, at: int) -> int:
    """Size of the block that begins here; 0 where too little of it is there, -1 where none begins."""
    if not rest.startswith(HEADER[: len(rest) - at], at):
        return -1
    field = at + FIXED_BYTES
    if len(rest) < field:
        return 0
    end = field + int.from_bytes(rest[at + EXTRA_LENGTH.start : at + EXTRA_LENGTH.stop], "little")
    if len(rest) < end:
        return 0
    while field + 4 <= end:
        length = int.from_bytes(rest[field + 2 : field + 4], "little")
        if rest[field : field + 2] == b"BC" and length == 2:
            size = int.from_bytes(rest[field + 4 : field + 6], "little") + 1
            return size if size >= SMALLEST_BLOCK else -1
        field += 4 + length
    return -1
