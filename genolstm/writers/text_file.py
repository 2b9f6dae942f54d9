"""A text file that grows, plain or bgzipped, and appears under its name only when complete."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pysam

from genolstm.errors import InputError
from genolstm.outputs import growing_file

_SPACED = str.maketrans("\t\n\r", "   ")  # a name must not break its row
_FORMULA = re.compile(r"[=+@-](?![\d.,eE+-]*$)")  # what a spreadsheet takes for one; a number or a strand is none


class TextFile:
    """An open text file. Refusals of the disk are told as those of the file that it becomes."""

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
        stream: Any = pysam.BGZFile(str(growing), "wb", None) if packed else growing.open("wb")
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
        why = problem.strerror if problem.errno else "the disk is full or refuses"  # htslib often gives no number
        raise InputError(f"{path} was not written ({why}); free space or write elsewhere.") from problem


def unbroken(text: str) -> str:
    """A name that does not break its row."""
    return text.translate(_SPACED)


def cell(text: str) -> str:
    """A name as a cell of a table with a header, which people open in spreadsheets: never a formula."""
    return f"'{unbroken(text)}" if _FORMULA.match(text) else unbroken(text)
