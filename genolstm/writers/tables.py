"""Plain tables of text, tab separated, that appear under their name only when complete."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolstm.writers.text_file import cell, text_file

ROWS = 1 << 16  # rows that are Python text at one time


def write_table(
    path: Path, columns: Sequence[tuple[str, NDArray[Any] | Sequence[str]]], *, header: bool = True
) -> None:
    """Write columns of one length beside each other; numbers with six significant digits, NaN as '.'.

    The caller has checked that the target may be replaced. Raises InputError when the disk refuses.
    """
    write_slabs(path, [columns], header=header)


def write_slabs(
    path: Path, slabs: Iterable[Sequence[tuple[str, NDArray[Any] | Sequence[str]]]], *, header: bool = True
) -> None:
    """Write a table of any length, some rows at a time, each with the columns of all; else as `write_table`."""
    with text_file(path) as out:
        for place, columns in enumerate(slabs):
            if header and not place:
                out.write(("\t".join(cell(name) for name, _ in columns) + "\n").encode())
            for first in range(0, len(columns[0][1]) if columns else 0, ROWS):
                parts = [_spelled(values[first : first + ROWS], cell if header else str) for _, values in columns]
                out.write("".join("\t".join(row) + "\n" for row in zip(*parts, strict=True)).encode())


def _spelled(values: NDArray[Any] | Sequence[str], named: Callable[[str], str]) -> Iterable[str]:
    if isinstance(values, np.ndarray) and np.issubdtype(values.dtype, np.floating):
        return ["." if value != value else f"{value:.6g}" for value in values.tolist()]
    plain = values.tolist() if isinstance(values, np.ndarray) else values
    return [named(value) if isinstance(value, str) else str(value) for value in plain]
