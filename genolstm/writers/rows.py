"""Tables of any length as text, some rows at a time, with every digit that the numbers have."""

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from genolstm.writers.text_file import TextFile, cell, text_file, unbroken

Values = NDArray[Any] | Sequence[str]

MISSING = "NA"  # as R writes it; pandas reads it too
STDOUT = Path("-")


def write_rows(path: Path, header: Sequence[str] | None, slabs: Iterable[Sequence[Values]]) -> int:
    """Write columns of slabs beside each other, whole or not at all; the number of rows.

    path : a name that ends in .gz is written by bgzip, which gzip reads too; '-' is standard output.
    header : names of the columns, or None.   slabs : each a list of columns of one length.
    With a header, names that a spreadsheet would take for a formula have an apostrophe before them.
    Numbers are as short as they can be read back to the same bits; NaN is NA. Raises InputError when the disk refuses.
    """
    count, named = 0, unbroken if header is None else cell
    with _opened(path) as out:
        if header is not None:
            out.write(("\t".join(cell(name) for name in header) + "\n").encode())
        for slab in slabs:
            rows = ["\t".join(row) for row in zip(*(spelled(column, named) for column in slab), strict=True)]
            count += len(rows)
            out.write("".join(row + "\n" for row in rows).encode())
    if path == STDOUT:
        sys.stdout.buffer.flush()
    return count


def spelled(values: Values, named: Callable[[str], str] = unbroken) -> Iterable[str]:
    """Text of each value of a column. named : what becomes of a name."""
    if not isinstance(values, np.ndarray):
        return [named(value) for value in values]
    if not np.issubdtype(values.dtype, np.floating):
        return map(str, values.tolist())
    # of a float32 the shortest text that names it among float32, not among float64
    texts = map(repr, values.tolist()) if values.dtype == np.float64 else map(str, values)
    return [MISSING if text == "nan" else text for text in texts]


def _opened(path: Path) -> AbstractContextManager[TextFile | IO[bytes]]:
    """Standard output, or a file that appears under its name only when complete."""
    return nullcontext(sys.stdout.buffer) if path == STDOUT else text_file(path)
