"""A text file that grows, plain or bgzipped, and appears under its name only when complete."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from genolstm.errors import InputError
from genolstm.outputs import growing_file

LITTLE_SPACE = 1 << 20  # bytes free on a disk that counts as full
_SPACED = str.maketrans("\t\n\r", "   ")  # a name must not break its row
_FORMULA = re.compile(r"[=+@-](?![\d.,eE+-]*$)")  # what a spreadsheet takes for one; a number or a strand is none


class TextFile:
    """An open text file. Errors of the disk name the file that it becomes."""

    def __init__(self, stream: Any, path: Path) -> None:  # noqa: ANN401  (pysam's files are no IO)
        self._stream, self._path = stream, path

    def write(self, content: bytes) -> None:
        """Add some bytes. Raises InputError when the disk refuses."""
        with refusals(self._path):
            self._stream.write(content)


@contextmanager
def text_file(path: Path) -> Iterator[TextFile]:
    """Write a text file, whole or not at all; bgzipped where the name ends in .gz.

    Raises InputError when the disk refuses, or another process writes the same.
    """
    with growing_file(path) as growing, text_stream(growing, path, packed=path.suffix == ".gz") as file:
        yield file


@contextmanager
def text_stream(growing: Path, path: Path, *, packed: bool) -> Iterator[TextFile]:
    """Open the file under which `path` grows, bgzipped or plain. Raises InputError when the disk refuses."""
    with refusals(path):
        if packed:
            import pysam  # noqa: PLC0415  (only packed text needs it)

            stream: Any = pysam.BGZFile(str(growing), "wb", None)
        else:
            stream = growing.open("wb")
    try:
        yield TextFile(stream, path)
    finally:
        with refusals(path):
            stream.close()


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Turn what the disk refuses of one file into one sentence. Raises InputError."""
    try:
        yield
    except OSError as problem:
        raise InputError(f"{path} was not written ({why_not_written(path, problem)}.") from problem


def why_not_written(path: Path, problem: Exception) -> str:
    """Cause and remedy. htslib often has no error number: then no space means full, else its message is used."""
    number = problem.errno if isinstance(problem, OSError) else None
    if number in {errno.ENOSPC, errno.EDQUOT} or (not number and _free(path) < LITTLE_SPACE):
        return "the disk is full); free space or write elsewhere"
    if number:
        return f"{os.strerror(number)}); write elsewhere, or change what forbids it"
    message = " ".join(str(problem).split())[:200] or type(problem).__name__
    return f"htslib says: {message}); write .vcf in place of it, or write elsewhere"


def _free(path: Path) -> int:
    """Bytes that are free where a file is to be written; a disk that does not report it has enough."""
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return LITTLE_SPACE
    return disk.f_bavail * disk.f_frsize


def unbroken(text: str) -> str:
    """A name that does not break its row."""
    return text.translate(_SPACED)


def cell(text: str) -> str:
    """A name as a cell of a table with a header, which people open in spreadsheets: never a formula."""
    return f"'{unbroken(text)}" if _FORMULA.match(text) else unbroken(text)
