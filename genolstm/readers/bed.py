"""BED and its kin (narrowPeak, broadPeak, bedGraph) as columns of intervals on a genome, 0-based and half open."""

import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.readers.contig_match import listed
from genolstm.readers.text_lines import opened_lines, source_name
from genolstm.readers.whole_numbers import MOST_DIGITS, position, shortened
from genolstm.regions import STRAND_SIGNS

COLUMNS_NEEDED = 3  # contig, start, end
NAME_COLUMN, SCORE_COLUMN, STRAND_COLUMN = 3, 4, 5
BROWSER_LINES = ("track", "browser")  # what the UCSC browser puts above the intervals
NO_INTERVAL = ("#", *BROWSER_LINES)  # how a line may begin that is none
FOREIGN_CONTIG, NO_BASES = "contig not in genome", "interval without a base"
NO_PLACE = "no place ('.', as bedtools writes it)"
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, kw_only=True, eq=False)
class Bed:
    """The intervals of one file that lie on the genome, in file order, and what became of its lines.

    contig : int32 [n], index into the contigs of the genome.   start, end : int64 [n], 0-based, half open, within the
    contig, start < end.   name : one for each interval, '.' where its line has none; empty where no line has one.
    strand : int8 [n], +1, -1, or 0 where the file has no strand.
    read : interval lines, always used plus all skipped.   skipped : reason -> lines.   warnings : one sentence each.
    """

    contig: NDArray[np.int32]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    name: tuple[str, ...]
    strand: NDArray[np.int8]
    read: int
    used: int
    skipped: dict[str, int]
    warnings: tuple[str, ...]


def read_bed(
    path: Path | str, lengths: Mapping[str, int], *, genome_name: str = "the genome", named_by: int = NAME_COLUMN
) -> Bed:
    """Intervals of a BED file on a genome.

    Parameters
    ----------
    path
        Plain, gzip or bgzip; ``-`` is standard input. Columns after the sixth are ignored. Blank lines, comments,
        ``track`` and ``browser`` lines are no intervals.
    lengths
        Bases of each contig of the genome, in its order.
    genome_name
        What messages call the genome.
    named_by
        Column, from 0, that is taken for the name: the fourth of the file, or the score, its fifth.

    Returns
    -------
    Bed
        Without the intervals on contigs that the genome lacks ('contig not in genome') and those of length 0
        ('interval without a base').

    Raises
    ------
    InputError
        A line is no interval, ends before it starts, or reaches over the end of its contig; no interval is left.
    """
    source = source_name(path)
    order = {contig: place for place, contig in enumerate(lengths)}
    contigs, starts, ends, strands = array("i"), array("q"), array("q"), array("b")
    names: list[str] = []
    skipped: Counter[str] = Counter()
    foreign: dict[str, None] = {}
    named = False
    for number, line in _lines(path):
        columns = line.split("\t") if "\t" in line else line.split()
        if columns[0] == "." and columns[1:3] == ["-1", "-1"]:
            skipped[NO_PLACE] += 1
            continue
        start, end = _checked_span(columns, source, number, line)
        contig = columns[0]
        if contig not in order:
            skipped[FOREIGN_CONTIG] += 1
            foreign[contig] = None
        elif end > lengths[contig]:
            raise InputError(
                f"{source}, line {number}: the interval {start}-{end} reaches over the end of {contig}, which has"
                f" {lengths[contig]} bp in {genome_name}; give the file of the same assembly, or cut the interval."
            )
        elif start == end:
            skipped[NO_BASES] += 1
        else:
            named = named or len(columns) > named_by
            names.append(_name(columns, source, number, named_by))
            contigs.append(order[contig])
            starts.append(start)
            ends.append(end)
            strands.append(_strand(columns, source, number))
    if not names:
        raise InputError(_nothing_left(source, list(foreign), list(lengths), skipped, genome_name))
    return Bed(
        contig=np.array(contigs, np.int32),
        start=np.array(starts, np.int64),
        end=np.array(ends, np.int64),
        name=tuple(names) if named else (),
        strand=np.array(strands, np.int8),
        read=len(names) + skipped.total(),
        used=len(names),
        skipped=dict(skipped),
        warnings=_warnings(source, skipped, list(foreign), genome_name),
    )


def _lines(path: Path | str) -> Iterator[tuple[int, str]]:
    """Number and text of each line that should be an interval, without its line end."""
    with opened_lines(path, "BED", "a BED file") as lines:
        for number, line in lines:
            if not line.startswith(NO_INTERVAL) and not line[:1].isspace():
                if line:
                    yield number, line
                continue
            fields = line.split(maxsplit=1)
            if fields and not line.startswith("#") and fields[0] not in BROWSER_LINES:
                yield number, line


def _checked_span(columns: list[str], source: str, number: int, line: str) -> tuple[int, int]:
    """Start and end of one line. Raises InputError for a line that is no interval."""
    if len(columns) < COLUMNS_NEEDED:
        raise InputError(
            f"{source}, line {number} has {len(columns)} column{'s' * (len(columns) != 1)}, an interval needs contig,"
            f" start and end: {shortened(line)}; give a BED file."
        )
    first, last = columns[1], columns[2]
    try:
        if first.isdecimal() and last.isdecimal() and len(first) < MOST_DIGITS and len(last) < MOST_DIGITS:
            start, end = int(first), int(last)
        else:
            start, end = position(first), position(last)
    except ValueError as problem:
        if "beyond" in str(problem):
            raise InputError(f"{source}, line {number}: {problem}; correct the line.") from None
        raise InputError(
            f"{source}, line {number}: start and end must be whole numbers: {shortened(line)};"
            " give a BED file, and put '#' before a line of column names."
        ) from None
    if start < 0:
        raise InputError(
            f"{source}, line {number}: the start {start} is negative; BED counts from 0, correct the line."
        )
    if end < start:
        raise InputError(
            f"{source}, line {number}: the interval ends at {end}, before its start at {start};"
            " exchange the two, BED has the strand in its sixth column."
        )
    return start, end


def _name(columns: list[str], source: str, number: int, column: int) -> str:
    """Name of a line, '.' where it has none. Raises InputError for one that no file could hold."""
    name = columns[column] if len(columns) > column else "."
    if not name.isprintable() and CONTROL.search(name):
        raise InputError(
            f"{source}, line {number}: the name (column {column + 1}) holds a control character:"
            f" {shortened(name)}; remove it."
        )
    return name


def _strand(columns: list[str], source: str, number: int) -> int:
    """+1, -1, or 0 where the line has no strand. Raises InputError for anything else in its column."""
    text = columns[STRAND_COLUMN] if len(columns) > STRAND_COLUMN else "."
    if text not in STRAND_SIGNS:
        raise InputError(
            f"{source}, line {number}: the strand (column 6) is {shortened(text)}, not +, - or a dot;"
            " correct it, or keep only the columns before it."
        )
    return STRAND_SIGNS[text]


def _warnings(source: str, skipped: Counter[str], foreign: list[str], genome_name: str) -> tuple[str, ...]:
    warnings = []
    if count := skipped[FOREIGN_CONTIG]:
        warnings.append(
            f"left out {count} interval{'s' * (count != 1)} of {source}, on contigs that {genome_name} lacks:"
            f" {listed(foreign)}."
        )
    if count := skipped[NO_PLACE]:
        warnings.append(f"left out {count} line{'s' * (count != 1)} of {source} that name no place ('.').")
    if count := skipped[NO_BASES]:
        warnings.append(f"left out {count} interval{'s' * (count != 1)} of {source} that end where they start.")
    return tuple(warnings)


def _nothing_left(source: str, foreign: list[str], contigs: list[str], skipped: Counter[str], genome_name: str) -> str:
    """Message for a file of which nothing can be used."""
    if not skipped or set(skipped) == {NO_PLACE}:
        return f"{source} holds no intervals; give a BED file with at least one line of contig, start and end."
    if not foreign:
        return f"every interval of {source} ends where it starts; give intervals of at least one base."
    if {name.removeprefix("chr") for name in foreign} & {name.removeprefix("chr") for name in contigs}:
        remedy = "they differ by the prefix 'chr', add or remove it in one of the two"
    else:
        remedy = "rename the contigs in one of the two, or give the file of this assembly"
    return (
        f"no interval of {source} is on a contig of {genome_name}: it has {listed(foreign)} and the genome has"
        f" {listed(contigs)}; {remedy}."
    )
