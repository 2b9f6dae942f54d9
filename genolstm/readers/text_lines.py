"""Text that comes in chunks of bytes, as numbered lines of bounded length."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from genolstm.errors import InputError
from genolstm.readers.foreign import refuse_other_kinds
from genolstm.readers.gzipped import STDIN, decompressed, opened

BLOCK_BYTES = 1 << 18
# bytes without a line end, from which on a file is no text; the longest reads have a tenth of it
LONGEST_LINE = 1 << 28
UTF8_BOM = b"\xef\xbb\xbf"


@contextmanager
def opened_lines(path: Path | str, kind: str, wanted: str) -> Iterator[Iterator[tuple[int, str]]]:
    """Numbered lines of a text file, plain, gzip or bgzip; ``-`` is standard input.

    kind : what the file should be, by the name that ``foreign`` has for it.   wanted : file that messages name.
    Raises InputError, now or while lines are taken, for a file that cannot be read, is damaged, or of another kind.
    """
    source = source_name(path)
    with opened(path, source, kind) as stream:
        chunks = refuse_other_kinds(decompressed(stream, BLOCK_BYTES, source), source, kind, wanted)
        yield numbered_lines(chunks, source, wanted)


def source_name(path: Path | str) -> str:
    """Name by which messages call a file."""
    return "standard input" if str(path) == STDIN else str(path)


def numbered_lines(chunks: Iterable[bytes], source: str, wanted: str) -> Iterator[tuple[int, str]]:
    r"""Number, from 1, and text of each line, without its line end: Unix, Windows or old Macintosh.

    Bytes that are not UTF-8 become ``\xe9`` and the like.   wanted : file that messages name in place of another.
    Raises InputError where no line ends.
    """
    number = 0
    for block in whole_lines(chunks, source, wanted):
        text = block.decode("utf-8", "backslashreplace")
        if "\r" in text:
            text = text.removesuffix("\r").replace("\r\n", "\n").replace("\r", "\n")
        for line in text.split("\n"):
            number += 1
            yield number, line


def whole_lines(chunks: Iterable[bytes], source: str, wanted: str) -> Iterator[bytes]:
    r"""Text in stretches of whole lines, ``\n`` between them and none at the end; a UTF-8 byte order mark is dropped.

    Raises InputError where no line ends.
    """
    parts: list[bytes] = []
    held, number, first = 0, 0, True
    for chunk in chunks:
        if first and (chunk or parts):
            chunk, first = chunk.removeprefix(UTF8_BOM), False
        end = chunk.rfind(b"\n")
        if end < 0:
            parts.append(chunk)
            held += len(chunk)
            if held > LONGEST_LINE:
                raise InputError(f"{source}, line {number + 1} has no end: this is no text; give {wanted}.")
            continue
        block = b"".join([*parts, chunk[:end]])
        number += block.count(b"\n") + 1
        yield block
        parts = [chunk[end + 1 :]]
        held = len(parts[0])
    if last := b"".join(parts):
        yield last
