"""bedMethyl, the 11 columns of ENCODE: one row a site, for genome browsers and other methylation tools."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolstm.regions import STRAND_LETTERS
from genolstm.writers.text_file import text_file

ROWS = 1 << 16  # that are text at one time
COLOUR = "255,0,0"
HIGHEST_SCORE = 1000  # of BED
# percentages have two decimals, as modkit's, while the count follows from those; then six
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
    with text_file(path) as out:
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
