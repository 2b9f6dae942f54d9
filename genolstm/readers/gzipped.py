"""Files and standard input as chunks of bytes: plain, gzip or bgzip, told apart by content, in constant memory.

A gzip file that was cut short is refused, also where bgzip was cut between two members and gzip itself sees nothing.
"""

import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from genolstm.errors import InputError

STDIN = "-"
GZIP_MAGIC = b"\x1f\x8b"
GZIP_WBITS = 31  # 15 for the largest window, and 16 more so that zlib reads gzip headers and checks CRC and length
BGZIP_MARK = slice(12, 14)  # where the first extra field of a gzip header has its name; bgzip calls its own "BC"
COMPRESSED_BYTES = 1 << 16  # how much of a gzip file is read at a time


@contextmanager
def opened(path: Path | str, source: str, wanted: str) -> Iterator[BinaryIO]:
    """Open a file or standard input; whatever the system refuses, now or while reading, is an InputError.

    source : what messages call it.   wanted : what messages ask for in place of a folder.
    """
    try:
        if str(path) == STDIN:
            yield sys.stdin.buffer
        else:
            with Path(path).open("rb") as stream:
                yield stream
    except FileNotFoundError as error:
        raise InputError(f"{source} does not exist: check the path.") from error
    except IsADirectoryError as error:
        raise InputError(f"{source} is a folder: give the {wanted} file in it.") from error
    except OSError as error:
        raise InputError(
            f"{source} cannot be read ({error.strerror or error}): check its permissions and the disk."
        ) from error


def decompressed(stream: BinaryIO, block_bytes: int, source: str) -> Iterator[bytes]:
    """Chunks of at most ``block_bytes``; gzip is known by its first bytes: names lie, and pipes have none."""
    magic = stream.read(len(GZIP_MAGIC))
    if magic == GZIP_MAGIC:
        yield from _inflated(stream, magic + stream.read(COMPRESSED_BYTES), block_bytes, source)
        return
    yield magic + stream.read(max(block_bytes - len(magic), 0))
    while chunk := stream.read(block_bytes):
        yield chunk


def _inflated(stream: BinaryIO, compressed: bytes, block_bytes: int, source: str) -> Iterator[bytes]:
    """Text of all gzip members; ``compressed`` is the beginning of the file. A file that was cut short is refused."""
    is_bgzip = compressed[BGZIP_MARK] == b"BC"
    inflate, member_bytes = zlib.decompressobj(GZIP_WBITS), 0
    while compressed:
        try:
            text = inflate.decompress(compressed, block_bytes)
        except zlib.error as error:
            raise InputError(f"{source} holds damaged gzip data ({error}): copy or download it again.") from error
        yield text
        member_bytes += len(text)
        compressed = inflate.unconsumed_tail
        if inflate.eof:
            compressed = _next_member(stream, inflate.unused_data, source)
            if compressed:
                inflate, member_bytes = zlib.decompressobj(GZIP_WBITS), 0
        elif not compressed:
            compressed = stream.read(COMPRESSED_BYTES)
    # bgzip ends with an empty member: without it the file was cut between two members, where gzip itself sees nothing
    if not inflate.eof or (is_bgzip and member_bytes):
        kind = "bgzip" if is_bgzip else "gzip"
        raise InputError(f"{source} is cut short (its {kind} data have no end): copy or download it again.")


def _next_member(stream: BinaryIO, rest: bytes, source: str) -> bytes:
    """Beginning of the gzip member after ``rest``, empty at the end of the file; skips zero padding as gzip does."""
    rest = rest.lstrip(b"\0")
    while len(rest) < len(GZIP_MAGIC) and (more := stream.read(COMPRESSED_BYTES)):
        rest = (rest + more).lstrip(b"\0")
    if not GZIP_MAGIC.startswith(rest[: len(GZIP_MAGIC)]):
        raise InputError(
            f"{source} holds other data after its gzip data (beginning with {rest[:8]!r}):"
            " copy or download it again, or gunzip it and look at its end."
        )
    return rest
