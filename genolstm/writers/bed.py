"""Scored BED: six columns, the fifth a whole number from 0 to 1000, and further columns after them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.regions import STRAND_LETTERS
from genolstm.settings.export import Scale
from genolstm.writers.rows import Values, write_rows

Floats = NDArray[np.float64]

HIGHEST = 1000  # of BED's score
COLUMNS = ("contig", "start", "end", "name", "score", "strand")
COMMENT, HEADERS = "#", ("track", "browser")  # how a line begins that is no row


MEANINGS = {
    Scale.LOG_ODDS: "1000 x probability (the logistic function of the log odds)",
    Scale.FRACTION: "1000 x value, at most 1000",
    Scale.COUNT: "value as it is, at most 1000",
    Scale.RANGE: "0 at the lowest value, 1000 at the highest",
}


class BedRows(NamedTuple):
    """Some rows, in the order of the file; places are 0-based half open.

    contig, name : text [n].   score : see `bed_scores`.   strand : +1, -1, 0 for none.   further : columns after the
    sixth, each [n].
    """

    contig: Sequence[str]
    start: NDArray[Any]
    end: NDArray[Any]
    name: Sequence[str]
    score: NDArray[np.int64]
    strand: NDArray[np.int8]
    further: Sequence[Values] = ()


def bed_scores(values: NDArray[Any], scale: Scale, ends: tuple[float, float] = (0.0, 1.0)) -> NDArray[np.int64]:
    """Scores from 0 to 1000, int64 [n]; 0 where a value is NaN. ends : lowest and highest value, for `Scale.RANGE`."""
    numbers: Floats = np.asarray(values, dtype=np.float64)
    if scale is Scale.LOG_ODDS:
        numbers = HIGHEST * 0.5 * (1 + np.tanh(0.5 * numbers))  # the logistic function, without overflow
    elif scale is Scale.FRACTION:
        numbers = HIGHEST * numbers
    elif scale is Scale.RANGE:
        numbers = HIGHEST * (numbers - ends[0]) / ((ends[1] - ends[0]) or 1.0)  # all values alike: 0
    return np.rint(np.clip(np.nan_to_num(numbers), 0, HIGHEST)).astype(np.int64)


def write_bed(path: Path, slabs: Iterable[BedRows], *, further: Sequence[str] = ()) -> int:
    """Write scored BED, whole or not at all; the number of rows.

    path : bgzipped where it ends in .gz.   further : names of the columns after the sixth, which a first line that
    begins with # then gives with those of the six.
    Raises InputError for a contig whose rows would be read as comments, and when the disk refuses.
    """
    return write_rows(path, None, _columns(further, slabs)) - bool(further)


def _columns(further: Sequence[str], slabs: Iterable[BedRows]) -> Iterator[list[Values]]:
    if further:
        yield [[name] for name in (f"{COMMENT}{COLUMNS[0]}", *COLUMNS[1:], *further)]
    for rows in slabs:
        for contig in dict.fromkeys(rows.contig):
            if contig.startswith(COMMENT) or contig in HEADERS or any(letter.isspace() for letter in contig):
                raise InputError(
                    f"contig '{contig}' cannot be written as BED: it would be read as a comment or as two columns;"
                    " rename it in the FASTA, or write .tsv."
                )
        names = [name or "." for name in rows.name]
        letters = [STRAND_LETTERS[sign] for sign in rows.strand.tolist()]
        yield [rows.contig, rows.start, rows.end, names, rows.score, letters, *rows.further]
