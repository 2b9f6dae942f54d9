"""Plain tables of text, tab separated, that appear under their name only when complete."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError

ROWS = 1 << 16  # rows that are Python text at one time


def write_table(
    path: Path, columns: Sequence[tuple[str, NDArray[Any] | Sequence[str]]], *, header: bool = True
) -> None:
    """Write columns of one length beside each other; numbers with six significant digits, NaN as '.'.

    The caller has asked whether the target may be replaced. Raises InputError when the disk refuses.
    """
    growing = path.with_name(f".{path.name}.partial")
    try:
        with growing.open("w", encoding="utf-8") as stream:
            if header:
                stream.write("\t".join(name for name, _ in columns) + "\n")
            for first in range(0, len(columns[0][1]) if columns else 0, ROWS):
                parts = [_spelled(values[first : first + ROWS]) for _, values in columns]
                stream.writelines("\t".join(row) + "\n" for row in zip(*parts, strict=True))
            stream.flush()
            os.fsync(stream.fileno())
        growing.replace(path)
    except OSError as problem:
        raise InputError(f"{path} was not written: {problem.strerror}; free space or write elsewhere.") from problem
    finally:
        growing.unlink(missing_ok=True)


def _spelled(values: NDArray[Any] | Sequence[str]) -> Iterable[str]:
    if isinstance(values, np.ndarray) and np.issubdtype(values.dtype, np.floating):
        return ["." if value != value else f"{value:.6g}" for value in values.tolist()]
    return [str(value) for value in (values.tolist() if isinstance(values, np.ndarray) else values)]
