"""Known gates of CpGs as a table of text: where they lie, how fast they move, where they rest."""

import math
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.readers.text_lines import opened_lines
from genolstm.readers.whole_numbers import position as position_of
from genolstm.readers.whole_numbers import shortened

PLACE = ("contig", "position")
STEADY = "steady_fraction"


class RateTable(NamedTuple):
    """Gates of N CpGs, sorted by contig and position. position : int64 [N], 0-based.   rate : float64 [N], per unit."""

    contigs: tuple[str, ...]
    contig: NDArray[np.int32]
    position: NDArray[np.int64]
    rate: NDArray[np.float64]
    steady: NDArray[np.float64]


def read_rates(path: Path, unit: str) -> RateTable:
    """Read a tab-separated table with a header that names contig, position, rate_per_<unit> and steady_fraction.

    unit : 'hour' or 'division'. Further columns are left alone. Raises InputError for a table that lacks a column, or
    holds anything but numbers, a rate that is not above 0, a fraction outside 0 to 1, or one CpG twice.
    """
    source = str(path)
    with opened_lines(path, "a table", "a table of rates") as numbered:
        lines = [line for _, line in numbered]
    wanted = (*PLACE, f"rate_per_{unit}", STEADY)
    header = lines[0].split("\t") if lines else []
    missing = [name for name in wanted if name not in header]
    if missing:
        raise InputError(
            f"{source} has no column '{missing[0]}'; its first line must name {', '.join(wanted)}, with tabs between."
        )
    places = [header.index(name) for name in wanted]
    rows = [_row(line, places, f"{source} line {number}") for number, line in enumerate(lines[1:], 2) if line.strip()]
    if not rows:
        raise InputError(f"{source} has a header but no CpGs; give one row for each.")
    contigs = tuple(dict.fromkeys(row[0] for row in rows))
    order = {name: place for place, name in enumerate(contigs)}
    rows.sort(key=lambda row: (order[row[0]], row[1]))
    for one, next_one in pairwise(rows):
        if one[:2] == next_one[:2]:
            raise InputError(f"{source} names {one[0]} position {one[1]} twice; keep one row for each CpG.")
    _, position, rate, steady = zip(*rows, strict=True)
    return RateTable(
        contigs,
        np.array([order[row[0]] for row in rows], dtype=np.int32),
        np.array(position, dtype=np.int64),
        np.array(rate, dtype=np.float64),
        np.array(steady, dtype=np.float64),
    )


def _row(line: str, places: list[int], where: str) -> tuple[str, int, float, float]:
    fields = line.split("\t")
    if len(fields) <= max(places):
        raise InputError(f"{where} has {len(fields)} fields, fewer than the header; complete it.")
    contig, position, rate, steady = (fields[place] for place in places)
    try:
        row = contig, position_of(position), float(rate), float(steady)
    except ValueError as problem:
        raise InputError(f"{where} holds {shortened(line.strip())}, where numbers are needed; correct it.") from problem
    if row[1] < 0 or not 0 < row[2] < math.inf or not 0 <= row[3] <= 1:
        raise InputError(
            f"{where}: position {position}, rate {rate} or steady fraction {steady} cannot be; positions are 0 or more,"
            " rates above 0, fractions from 0 to 1."
        )
    return row
