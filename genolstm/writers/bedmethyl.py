"""bedMethyl, the 11 columns of ENCODE: one row a site, for genome browsers and other methylation tools."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pysam
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.regions import STRAND_LETTERS

ROWS = 1 << 16  # that are text at one time
COLOUR = "255,0,0"
HIGHEST_SCORE = 1000  # of BED
# percentages have two decimals, as modkit's, while those still give back the count; then six
COARSE_REACH, COARSE, FINE = 9_999, 2, 8


def write_bedmethyl(
    path: Path,
    *,
    contigs: tuple[str, ...],
    contig: NDArray[np.int32],
    position: NDArray[np.int64],
    strand: NDArray[np.int8],
    modified: NDArray[np.int32],
    covered: NDArray[np.int32],
    code: str,
) -> int:
    """Write one sample as bedMethyl, whole or not at all; the number of rows.

    All columns are [N]; sites without reads are left out. Modified is percentage x coverage / 100, rounded. A name that
    ends in .gz is written by bgzip, ready for tabix. Raises InputError when the disk refuses.
    """
    rows = np.flatnonzero(covered)
    with _written(path) as out:
        for first in range(0, len(rows), ROWS):
            some = rows[first : first + ROWS]
            columns = (contig[some], position[some], strand[some], modified[some], covered[some])
            text = (
                _row(contigs[where], at, STRAND_LETTERS[side], one, every, code)
                for where, at, side, one, every in zip(*(column.tolist() for column in columns), strict=True)
            )
            out.write("".join(text).encode())
    return len(rows)


def _row(contig: str, at: int, strand: str, modified: int, covered: int, code: str) -> str:
    percent = f"{100 * modified / covered:.{COARSE if covered <= COARSE_REACH else FINE}f}"
    score = min(covered, HIGHEST_SCORE)
    place = f"{at}\t{at + 1}"
    return f"{contig}\t{place}\t{code}\t{score}\t{strand}\t{place}\t{COLOUR}\t{covered}\t{percent}\n"


def _opened(path: Path, *, bgzip: bool) -> Any:  # noqa: ANN401  (pysam's files are no IO)
    return pysam.BGZFile(str(path), "wb", None) if bgzip else path.open("wb")


@contextmanager
def _written(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that appears under its name only when complete."""
    growing = path.with_name(f".{path.name}.partial")
    try:
        with _opened(growing, bgzip=path.suffix == ".gz") as out:
            yield out
        with growing.open("rb") as written:
            os.fsync(written.fileno())
        growing.replace(path)
    except OSError as problem:
        growing.unlink(missing_ok=True)
        raise InputError(
            f"{path} was not written ({problem.strerror or problem}); free space or write elsewhere."
        ) from problem
    except BaseException:
        growing.unlink(missing_ok=True)
        raise
