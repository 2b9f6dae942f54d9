"""Files and standard input as chunks of bytes: plain, gzip or bgzip, distinguished by content, in constant memory.

A gzip file that was cut short is refused, also where bgzip was cut between two members and gzip itself sees nothing.
What another program compressed is named, with the program that undoes it.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from genolstm.errors import InputError
from genolstm.readers.bgzf import GZIP_MAGIC, inflated

STDIN = "-"
HEAD_BYTES = 8  # enough to recognise each of these
COMPRESSED = (  # how a file begins, what has compressed it, what undoes it
    (b"BZh", "bzip2", "bunzip2"),
    (b"\xfd7zXZ", "xz", "unxz"),
    (b"\x28\xb5\x2f\xfd", "zstd", "unzstd"),
    *((bytes([first]) + b"\x2a\x4d\x18", "zstd", "unzstd") for first in range(0x50, 0x60)),  # its skippable frames
    (b"\x04\x22\x4d\x18", "lz4", "unlz4"),
    (b"\x5d\0\0", "lzma", "unlzma"),
    (b"LZIP", "lzip", "lzip -d"),
    (b"\x1f\x9d", "compress", "uncompress"),
    (b"PK\3\4", "zip", "unzip"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x"),
    (b"Rar!", "rar", "unrar x"),
)
UTF16 = (b"\xff\xfe", b"\xfe\xff")


@contextmanager
def opened(path: Path | str, source: str, wanted: str) -> Iterator[BinaryIO]:
    """Open a file or standard input; whatever the system refuses, now or while reading, is an InputError.

    source : its name in messages.   wanted : file that messages name in place of a folder.
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
    """Chunks of at most ``block_bytes``; gzip is known by its first bytes: names lie, and pipes have none.

    Raises InputError for damaged or cut gzip, for what another program compressed, and for UTF-16 text.
    """
    head = stream.read(HEAD_BYTES)
    if not head.startswith(GZIP_MAGIC):
        refuse_compressed(head, source)
        yield head + stream.read(max(block_bytes - len(head), 0)) if len(head) < block_bytes else head
        while chunk := stream.read(block_bytes):
            yield chunk
        return
    begun = b""
    for chunk in inflated(stream, source, head, block_bytes):
        if len(begun) < HEAD_BYTES:
            begun += chunk[:HEAD_BYTES]
            refuse_compressed(begun, source)
        for start in range(0, len(chunk), block_bytes):
            yield chunk[start : start + block_bytes] if len(chunk) > block_bytes else chunk


def refuse_compressed(head: bytes, source: str) -> None:
    """Raise InputError for what another program compressed, and for UTF-16 text. head : how it begins, inflated."""
    if head.startswith(GZIP_MAGIC):
        raise InputError(f"{source} is gzip inside gzip: decompress it once with gunzip.")
    if head.startswith(UTF16):
        raise InputError(f"{source} is UTF-16 text: convert it with iconv -f UTF-16 -t UTF-8.")
    for beginning, kind, program in COMPRESSED:
        if head.startswith(beginning):
            raise InputError(
                f"{source} is compressed with {kind}, and only gzip and bgzip are read: decompress it first with"
                f" {program}."
            )
