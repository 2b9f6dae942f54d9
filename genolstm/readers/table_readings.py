"""Dialects of tables of counts: how their rows become numbers, and the readings of those that every row must bear out.

Where columns hold the same thing twice, each row is checked for it: a reading that any row contradicts is out. So the
dialect of a file is decided by its content, and a row that no dialect explains is found.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genolstm.readers.table_rows import Row

Floats = NDArray[np.float64]
Columns = Mapping[str, Floats]
Judged = tuple[Floats, Floats, NDArray[np.bool_]]  # modified, covered [n or n x samples], and the rows that bear it out
PERCENT, FRACTION = 100, 1  # what a whole is
COARSE_FRACTION = 0.005  # a fraction without decimals means none or all


@dataclass(frozen=True)
class Reading:
    """One meaning of the numbers of a row. judge : columns -> modified, covered, and whether each row fits."""

    name: str
    judge: Callable[[Columns], Judged]


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One kind of table.

    row : fields of a line -> numbers, or the reason why it is left out; raises BadRow.   fields : names of the numbers
    after start, span and strand.   readings : the nominal one first.   evidence : name -> what rows may show beside
    them; it holds where it holds of all rows.   chosen : names of the readings left and of the evidence that holds ->
    the reading meant, None where nothing decides; by default the nominal one, where it is left.
    from_one : positions are counted from 1, of the columns as the format defines them.   contig : its column.
    vague : names of rows that do not name the modification that they count -> rows; counted up by `row`.
    """

    name: str
    samples: tuple[str, ...]
    row: Callable[[list[str]], Row | str]
    readings: tuple[Reading, ...]
    fields: tuple[str, ...] = ()
    evidence: Mapping[str, Callable[[Columns], NDArray[np.bool_]]] = field(default_factory=dict)
    chosen: Callable[[list[str], list[str]], str | None] | None = None
    contig: int = 0
    from_one: bool = False
    vague: Counter[str] = field(default_factory=Counter)

    @property
    def width(self) -> int:
        """Numbers of a row."""
        return 3 + len(self.fields)


def tolerance(decimals: Floats, whole: int) -> Floats:
    """How far a printed percentage or fraction may lie from the true one, rounded or cut; [n]."""
    # one unit of the last digit: some programs cut where others round; the rest is what floats may be off
    step = 10.0**-decimals * (1 - 1e-9) + 1e-9 * (decimals > 0)
    return step if whole == PERCENT else np.where(decimals == 0, COARSE_FRACTION, step)


def agrees(modified: Floats, covered: Floats, columns: Columns, whole: int) -> NDArray[np.bool_]:
    """Rows whose percentage, or fraction, is that of their counts; any will do where nothing was called."""
    percent, decimals = columns["percentage"], columns["decimals"]
    with np.errstate(divide="ignore", invalid="ignore"):
        near: NDArray[np.bool_] = np.abs(whole * modified / covered - percent) <= tolerance(decimals, whole)
    fits: NDArray[np.bool_] = near | (covered == 0)
    return fits


def of_total(total: Floats, columns: Columns, whole: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Nearest whole number of modified reads of a total, and where it gives the percentage, or fraction, back."""
    modified = np.nan_to_num(np.rint(total * columns["percentage"] / whole))
    return modified, agrees(modified, total, columns, whole) & (modified <= total)
