"""Tables of methylation counts, told apart by their columns: bedMethyl, Bismark coverage, counts over time points."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError, UsageError
from genolstm.readers.bedmethyl import BEDMETHYL_COLUMNS, bedmethyl_row
from genolstm.readers.contig_match import matched
from genolstm.readers.gzipped import decompressed, opened
from genolstm.readers.motifs import Motif, MotifSites, Reference
from genolstm.readers.site_counts import SiteCounts
from genolstm.readers.table_rows import BadRow, Row, whole
from genolstm.settings.methylation import CountSettings

BLOCK_BYTES = 1 << 20
COVERAGE_COLUMNS = 6  # contig, start, end, percentage, methylated, unmethylated
METHYLATED, UNMETHYLATED = "meth_", "unmeth_"  # how the columns of a table over time points begin
ENOUGH_ROWS, LEAST_AGREEMENT = 100, 0.5  # fewer rows on the motif mean another genome, or positions counted from 1
LONGEST_SHOWN = 60
UTF8_BOM = "\ufeff"
FORMATS = (
    "bedMethyl (11 or 18 columns), Bismark coverage (6 columns), or a table that begins with the columns chrom, pos,"
    " meth_NAME, unmeth_NAME"
)


class Layout(NamedTuple):
    """One kind of table. row : fields -> what they say, or None for a row of another modification."""

    samples: tuple[str, ...]
    row: Callable[[list[str]], Row | None]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Columns:
    """Rows as read. contig : index into names.   strand : UNTOLD where the table has none."""

    names: tuple[str, ...]
    contig: NDArray[np.int64]
    position: NDArray[np.int64]
    strand: NDArray[np.int64]
    modified: NDArray[np.int64]
    covered: NDArray[np.int64]


UNTOLD = 2  # a strand that the table does not give: found out from the genome


def read_count_table(
    path: Path, motif: Motif, settings: CountSettings, reference: Reference | None, sites: MotifSites | None
) -> SiteCounts:
    """Read the counts of one table, one column a sample.

    path : plain, gzip or bgzip.   reference, sites : where rows must lie on the motif; None to take them as they are.
    Positions are 0-based, of bedMethyl as BED has them and of tables over time points as they stand; Bismark coverage
    counts from 1, unless its end is its start + 1.
    Raises InputError, naming the line, for a row that cannot be read, counts that are negative or with more modified
    than covered reads, a site given twice, or a table most of whose rows are not at the motif; UsageError where strands
    are to be merged that nothing tells.
    """
    source = str(path)
    skipped: Counter[str] = Counter()
    lines = _lines(path, source)
    first = next(lines, None)
    if first is None:
        raise InputError(f"{source} is empty; give {FORMATS}.")
    layout, is_header = _layout(first[1], settings, source)
    columns = _parsed(lines if is_header else _put_back(first, lines), layout, source, skipped)
    read = len(columns.contig) + sum(skipped.values())
    kept, warnings = columns.covered.any(axis=1), tuple[str, ...]()
    skipped["without reads"] += int((~kept).sum())
    if reference is None or sites is None:
        if settings.merge_strands and (columns.strand == UNTOLD).any():
            raise UsageError(f"{source} does not tell strands: give --genome, or leave out --merge-strands.")
        names, contig = columns.names, columns.contig
        strand = np.where(columns.strand == UNTOLD, 0, columns.strand)
    else:
        known = dict(zip(reference.contigs, reference.length.tolist(), strict=True))
        warnings = matched(columns.names, None, known, source=source, genome_name=reference.name).warnings
        names = reference.contigs
        contig = np.array([reference.index.get(name, -1) for name in columns.names], np.int64)[columns.contig]
        skipped["contig not in genome"] += int((kept & (contig < 0)).sum())
        kept &= contig >= 0
        strand = _strands(columns, contig, sites)
        off = kept & (strand == UNTOLD)
        _check_agreement(int(off.sum()), int(kept.sum()), source, reference.name, motif)
        skipped[f"not at {motif} in the genome"] += int(off.sum())
        kept &= ~off
    order = np.flatnonzero(kept)
    order = order[np.lexsort((strand[order], columns.position[order], contig[order]))]
    found = SiteCounts(
        contigs=names,
        contig=contig[order].astype(np.int32),
        position=columns.position[order],
        strand=strand[order].astype(np.int8),
        modified=columns.modified[order].astype(np.int32),
        covered=columns.covered[order].astype(np.int32),
        samples=layout.samples,
        read=read,
        used=len(order),
        skipped={reason: count for reason, count in skipped.most_common() if count},
        calls=int(columns.covered[order].sum()),
        dropped={},
        warnings=warnings,
    )
    _check_once(found, source)
    return found


def _lines(path: Path, source: str) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is neither blank nor a comment nor for a browser."""
    number, rest = 0, b""
    with opened(path, source, "table") as stream:
        for block in decompressed(stream, BLOCK_BYTES, source):
            *whole_lines, rest = (rest + block).split(b"\n")
            for line in whole_lines:
                number += 1
                if text := _text(line, number):
                    yield number, text
        if text := _text(rest, number + 1):
            yield number + 1, text


def _text(line: bytes, number: int) -> str:
    text = line.decode("utf-8", "backslashreplace").rstrip("\r")
    text = text.removeprefix(UTF8_BOM) if number == 1 else text
    return "" if not text.strip() or text.startswith(("#", "track ", "browser ")) else text


def _put_back(first: tuple[int, str], lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield first
    yield from lines


def _layout(line: str, settings: CountSettings, source: str) -> tuple[Layout, bool]:
    """What kind of table begins with this line, and whether the line is its header."""
    fields = line.split()
    if fields[:2] == ["chrom", "pos"]:
        return _time_points(fields, source), True
    is_interval = all(field.isdecimal() for field in fields[1:3])
    if is_interval and len(fields) >= BEDMETHYL_COLUMNS:
        if len(settings.code) > 1:
            raise UsageError(f"{source} tells each modification in rows of its own: choose one of '{settings.code}'.")
        return Layout(("",), lambda row: bedmethyl_row(row, settings.code)), False
    if is_interval and len(fields) == COVERAGE_COLUMNS:
        return Layout(("",), _coverage_row), False
    shown = line if len(line) <= LONGEST_SHOWN else line[:LONGEST_SHOWN] + "..."
    raise InputError(f"{source} begins with {shown!r}, which no table of counts does; give {FORMATS}.")


def _time_points(fields: list[str], source: str) -> Layout:
    """Layout of a table over time points, from its header."""
    names = [field.removeprefix(METHYLATED) for field in fields[2:] if field.startswith(METHYLATED)]
    pairs = [(f"{METHYLATED}{name}", f"{UNMETHYLATED}{name}") for name in names]
    if not pairs or sorted(fields[2:]) != sorted(column for pair in pairs for column in pair):
        raise InputError(
            f"{source} has the columns {', '.join(fields[2:]) or 'chrom and pos only'} where each sample needs one"
            " meth_NAME and one unmeth_NAME; correct its header."
        )
    places = [(fields.index(modified), fields.index(canonical)) for modified, canonical in pairs]
    if len(set(names)) != len(names):
        raise InputError(f"{source} names a sample twice in its header; correct it.")

    def row(values: list[str]) -> Row:
        if len(values) != len(fields):
            raise BadRow(f"it has {len(values)} columns and the header {len(fields)}")
        counts = [(whole(values[one]), whole(values[other])) for one, other in places]
        # a row is a CpG, not one of its strands
        return Row(values[0], whole(values[1]), 0, tuple((one, one + other) for one, other in counts))

    return Layout(tuple(names), row)


def _coverage_row(values: list[str]) -> Row:
    if len(values) != COVERAGE_COLUMNS:
        raise BadRow(f"it has {len(values)} columns, not {COVERAGE_COLUMNS}")
    start, end, modified, canonical = (whole(values[place]) for place in (1, 2, 4, 5))
    if end not in (start, start + 1):
        raise BadRow(f"it spans {start} to {end}, which is not one base")
    return Row(values[0], start if end > start else start - 1, UNTOLD, ((modified, modified + canonical),))


def _parsed(lines: Iterator[tuple[int, str]], layout: Layout, source: str, skipped: Counter[str]) -> _Columns:
    """Every row of a table as columns. Raises InputError naming the line of one that cannot be."""
    index: dict[str, int] = {}
    contig, position, strand, modified, covered = (array("q") for _ in range(5))
    for number, line in lines:
        try:
            row = layout.row(line.split())
            if row is None:
                skipped["another modification"] += 1
                continue
            _check_row(row)
        except BadRow as problem:
            raise InputError(f"{source}, line {number} cannot be right: {problem}; correct or delete it.") from problem
        contig.append(index.setdefault(row.contig, len(index)))
        position.append(row.position)
        strand.append(row.strand)
        for one, other in row.counts:
            modified.append(one)
            covered.append(other)
    shape = (len(contig), len(layout.samples))
    return _Columns(
        names=tuple(index),
        contig=np.array(contig, np.int64),
        position=np.array(position, np.int64),
        strand=np.array(strand, np.int64),
        modified=np.array(modified, np.int64).reshape(shape),
        covered=np.array(covered, np.int64).reshape(shape),
    )


def _check_row(row: Row) -> None:
    if row.position < 0:
        raise BadRow("its position lies before the contig")
    for modified, covered in row.counts:
        if modified < 0 or covered < modified:  # a count of unmethylated reads below 0
            raise BadRow(f"it counts {modified} methylated of {covered} reads")
        if covered > np.iinfo(np.int32).max:
            raise BadRow(f"it counts {covered} reads")


def _strands(columns: _Columns, contig: NDArray[np.int64], sites: MotifSites) -> NDArray[np.int64]:
    """Strand of each row by the genome: UNTOLD where the motif does not stand as the row says."""
    found = np.full(len(contig), UNTOLD, np.int64)
    for place in np.unique(contig[contig >= 0]).tolist():
        here = np.flatnonzero(contig == place)
        on_forward = np.isin(columns.position[here], sites.at(place, 1))
        on_reverse = np.isin(columns.position[here], sites.at(place, -1))
        given = columns.strand[here]
        inferred = np.where(on_forward, 1, np.where(on_reverse, -1, UNTOLD))
        told = np.where(given == -1, on_reverse, on_forward)
        found[here] = np.where(given == UNTOLD, inferred, np.where(told, given, UNTOLD))
    return found


def _check_agreement(off: int, rows: int, source: str, genome: str, motif: Motif) -> None:
    if rows >= ENOUGH_ROWS and rows - off < LEAST_AGREEMENT * rows:
        raise InputError(
            f"only {rows - off:,} of {rows:,} rows of {source} are at {motif} in {genome}: it belongs to another"
            " genome, or its positions are counted from 1; give its own genome, or subtract 1."
        )


def _check_once(found: SiteCounts, source: str) -> None:
    """Stop at a site that stands twice."""
    columns = (found.contig, found.position, found.strand)
    again = np.logical_and.reduce([column[1:] == column[:-1] for column in columns])
    if again.any():
        row = int(np.argmax(again))
        strand = {1: " +", -1: " -", 0: ""}[int(found.strand[row])]
        raise InputError(
            f"{source} gives {found.contigs[found.contig[row]]}:{found.position[row] + 1:,}{strand} twice; delete one."
        )
