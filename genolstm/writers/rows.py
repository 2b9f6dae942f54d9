"""Tables of any length as text, some rows at a time, with every digit that the numbers have."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pysam
from numpy.typing import NDArray

from genolstm.errors import InputError

Values = NDArray[Any] | Sequence[str]

MISSING = "NA"  # as R writes it; pandas reads it too
STDOUT = Path("-")
_SPACED = str.maketrans("\t\n\r", "   ")  # a name must not break its row


def write_rows(path: Path, header: Sequence[str] | None, slabs: Iterable[Sequence[Values]]) -> int:
    """Write columns of slabs beside each other, whole or not at all; the number of rows.

    path : a name that ends in .gz is written by bgzip, which gzip reads too; '-' is standard output.
    header : names of the columns, or None.   slabs : each a list of columns of one length.
    Numbers are as short as they can be read back to the same bits; NaN is NA. Raises InputError when the disk refuses.
    """
    count = 0
    with _opened(path) as out:
        if header is not None:
            out.write(("\t".join(name.translate(_SPACED) for name in header) + "\n").encode())
        for slab in slabs:
            rows = ["\t".join(row) for row in zip(*map(spelled, slab), strict=True)]
            count += len(rows)
            out.write("".join(row + "\n" for row in rows).encode())
    return count


def spelled(values: Values) -> Iterable[str]:
    """Text of each value of a column."""
    if not isinstance(values, np.ndarray):
        return [value.translate(_SPACED) for value in values]
    if not np.issubdtype(values.dtype, np.floating):
        return map(str, values.tolist())
    # of a float32 the shortest text that names it among float32, not among float64
    words = map(repr, values.tolist()) if values.dtype == np.float64 else map(str, values)
    return [MISSING if word == "nan" else word for word in words]


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open standard output, or a file that appears under its name only when complete."""
    if path == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    growing = path.with_name(f".{path.name}.partial")
    try:
        with _stream(growing, bgzip=path.suffix == ".gz") as out:
            yield out
        with growing.open("rb") as written:
            os.fsync(written.fileno())
        growing.replace(path)
    except OSError as problem:
        raise InputError(
            f"{path} was not written ({problem.strerror or problem}); free space or write elsewhere."
        ) from problem
    finally:
        growing.unlink(missing_ok=True)


def _stream(path: Path, *, bgzip: bool) -> Any:  # noqa: ANN401  (pysam's files are no IO)
    return pysam.BGZFile(str(path), "wb", None) if bgzip else path.open("wb")
