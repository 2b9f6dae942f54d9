"""BGZF, the blocked gzip of BAM files (SAM specification, section 4.1): whole blocks in, their bytes out."""

from collections.abc import Iterator
from typing import Protocol

from isal import igzip_lib

from genolstm.errors import InputError

READ_BYTES = 1 << 20
BLOCKS_TOGETHER = 16  # 1 MB at most once inflated: stays in the processor's cache while the records are walked
HEADER = b"\x1f\x8b\x08\x04"  # gzip, deflate, with extra fields
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


def inflated(stream: Stream, source: str) -> Iterator[bytes]:
    """Bytes of some blocks at a time, CRC and length checked.

    Raises InputError for a damaged block, other data between blocks, or a file whose last block is not the empty one
    with which BGZF ends: there it was cut.
    """
    rest, at, ended = b"", 0, False  # at : where the next block begins in rest
    pieces: list[bytes] = []
    before = 0  # compressed bytes before rest
    while True:
        size = _block_bytes(rest, at)
        if size < 0:
            raise InputError(f"{source} is damaged: at byte {before + at} no BGZF block begins; {AGAIN}.")
        if size == 0 or at + size > len(rest):
            more = stream.read(READ_BYTES)
            if not more:
                break
            before += at
            rest, at = rest[at:] + more, 0
            continue
        piece = _inflated_block(rest[at : at + size], before + at, source)
        at += size
        ended = not piece
        pieces.append(piece)
        if len(pieces) == BLOCKS_TOGETHER:
            yield b"".join(pieces)
            pieces = []
    yield b"".join(pieces)
    if at < len(rest):
        raise InputError(f"{source} is cut short (it ends within a BGZF block); {AGAIN}.")
    if not ended:
        raise InputError(f"{source} is cut short (it lacks the empty block with which BGZF ends); {AGAIN}.")


def _inflated_block(block: bytes, where: int, source: str) -> bytes:
    try:
        return igzip_lib.decompress(block, flag=igzip_lib.DECOMP_GZIP)
    except igzip_lib.IsalError as problem:  # type: ignore[misc]  # its stub has an instance where the class is
        raise InputError(
            f"{source} is damaged: the BGZF block at byte {where} does not inflate ({problem}); {AGAIN}."
        ) from problem


def _block_bytes(rest: bytes, at: int) -> int:
    """Size of the block that begins here; 0 where too little of it is there to say, -1 where none begins."""
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
