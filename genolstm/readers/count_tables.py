"""Tables of methylation counts to counts at sites: rows are checked against each other and the genome."""

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError, UsageError
from genolstm.readers.contig_match import matched
from genolstm.readers.gzipped import decompressed, opened
from genolstm.readers.motifs import Motif, MotifSites, Reference
from genolstm.readers.site_counts import SiteCounts
from genolstm.readers.table_dialects import BEDGRAPH_HEADER, FORMATS, find_dialect
from genolstm.readers.table_readings import Columns, Dialect, Floats
from genolstm.readers.table_rows import LARGEST_POSITION, UNTOLD, BadRow
from genolstm.settings.methylation import CountSettings

BLOCK_BYTES = 1 << 20
LONGEST_LINE = 1 << 22  # bytes; a table over time points has two columns a sample
BLOCK_ROWS = 1 << 14  # judged at one time
ENOUGH_ROWS, LEAST_AGREEMENT = 100, 0.5  # fewer rows on the motif mean another genome
NEARLY_ALL, NEARLY_NONE = (
    0.9,
    0.1,
)  # rows at the motif where positions count as the format defines, and where they do not
MOST_READS = np.iinfo(np.int32).max
START, SPAN, STRAND = 0, 1, 2  # the first numbers of a row
UTF8_BOM = "\ufeff"
NO_ROW = ("#", "track ", "browser ")  # how a line may begin that is none
UNUSUAL = frozenset("#tb \t\r\v\f")  # first letters of lines that may be no row, and of rows to be stripped
TOO_LARGE = "it holds a number that is larger than any position or count"
VAGUE = "vague"  # field of rows that do not name the modification that they count


@dataclass(frozen=True, kw_only=True, eq=False)
class _Table:
    """Rows as read. contig : index into names.   strand : UNTOLD where the table has none.   counts : [N, S]."""

    names: tuple[str, ...]
    contig: NDArray[np.int32]
    start: NDArray[np.int64]
    span: NDArray[np.int64]
    strand: NDArray[np.int8]
    vague: NDArray[np.bool_]
    modified: NDArray[np.int32]
    covered: NDArray[np.int32]
    reading: str


class _Fixed(NamedTuple):
    """What of some rows does not depend on their reading, as in `_Table`."""

    start: NDArray[np.int64]
    span: NDArray[np.int64]
    strand: NDArray[np.int8]
    vague: NDArray[np.bool_]


class _Placed(NamedTuple):
    """Where rows lie. position : 0-based.   strand : UNTOLD off the motif.   phrases : how positions were counted."""

    position: NDArray[np.int64]
    strand: NDArray[np.int8]
    phrases: tuple[str, ...]
    warnings: tuple[str, ...]


def read_count_table(
    path: Path, motif: Motif, settings: CountSettings, reference: Reference | None, sites: MotifSites | None
) -> SiteCounts:
    """Counts of one table, one column a sample.

    path : plain, gzip or bgzip.   reference, sites : where rows must lie on the motif; None to take them as they are.
    Which dialect a file is written in, its header and its rows decide: see `table_dialects` and `table_readings`. Where
    its rows may count from 0 or from 1, the genome decides.
    Raises InputError, naming the line, for a row that cannot be read, that contradicts itself, or whose counts are
    negative or hold more modified than covered reads; for a site given twice, or a table most of whose rows are not at
    the motif; UsageError where strands are to be merged, or positions are meant, that nothing tells.
    """
    source = str(path)
    skipped: Counter[str] = Counter()
    lines = _Lines(path, source)
    first = next(lines, None)
    if first is None:
        raise InputError(f"{source} is empty; give {FORMATS}.")
    dialect, is_header = find_dialect(first[1], motif, settings, source, has_genome=reference is not None)
    table = _parsed(lines if is_header else _put_back(first, lines), dialect, source, skipped)
    read = len(table.contig) + sum(skipped.values())
    if not len(table.contig):
        why = "; ".join(f"{count:,} {reason}" for reason, count in skipped.most_common())
        raise InputError(
            f"{source} holds no row of '{settings.code}' ({why}); choose another --code or --motif."
            if why
            else f"{source} holds no rows after its header; give a table that does."
        )
    kept, notes = _named(table, dialect, settings, source, skipped)
    empty = kept & ~table.covered.any(axis=1)
    skipped["without reads"] += int(empty.sum())
    kept &= ~empty
    if reference is None or sites is None:
        names, contig = table.names, table.contig
        placed = _placed_blindly(table, dialect, motif, source, has_bedgraph_header=lines.has_bedgraph_header)
        if settings.merge_strands and (placed.strand == UNTOLD).any():
            raise UsageError(f"{source} holds no strands: give --genome, or leave out --merge-strands.")
        strand = np.where(placed.strand == UNTOLD, 0, placed.strand).astype(np.int8)
    else:
        known = dict(zip(reference.contigs, reference.length.tolist(), strict=True))
        notes += matched(table.names, None, known, source=source, genome_name=reference.name).warnings
        names = reference.contigs
        contig = np.array([reference.index.get(name, -1) for name in table.names], np.int32)[table.contig]
        skipped["contig not in genome"] += int((kept & (contig < 0)).sum())
        kept &= contig >= 0
        placed = _placed(table, dialect, contig, kept, sites, source)
        strand = placed.strand
        off = kept & (strand == UNTOLD)
        _check_agreement(int(off.sum()), int(kept.sum()), source, reference.name, motif)
        skipped[f"not at {motif} in the genome"] += int(off.sum())
        kept &= ~off
    rows = _order(kept, contig, placed.position, strand)
    covered = table.covered[rows]
    found = SiteCounts(
        contigs=names,
        contig=contig[rows],
        position=placed.position[rows],
        strand=strand[rows],
        modified=table.modified[rows],
        covered=covered,
        samples=dialect.samples,
        read=read,
        used=len(covered),
        skipped={reason: count for reason, count in skipped.most_common() if count},
        calls=int(covered.sum(dtype=np.int64)),
        dropped={},
        warnings=notes + placed.warnings,
        form="; ".join((dialect.name, *([table.reading] if table.reading else []), *placed.phrases)),
    )
    _check_once(found, source)
    return found


def _order(
    kept: NDArray[np.bool_], contig: NDArray[np.int32], position: NDArray[np.int64], strand: NDArray[np.int8]
) -> slice | NDArray[np.intp]:
    """The rows that are kept, in genome order; all of them as they stand, without a copy, where that is their order."""
    if kept.all():
        step, same = np.diff(position), contig[1:] == contig[:-1]
        later = (step > 0) | ((step == 0) & (strand[1:] > strand[:-1]))
        if np.where(same, later, contig[1:] > contig[:-1]).all():
            return slice(None)
    rows = np.flatnonzero(kept)
    return rows[np.lexsort((strand[rows], position[rows], contig[rows]))]


class _Lines:
    """Number and text of each line that is neither blank nor a comment nor for a browser, one after the other.

    has_bedgraph_header : a line so far declares the rows bedGraph, whose positions are counted from 0.
    Raises InputError for a line that no row of a table can be as long as.
    """

    def __init__(self, path: Path, source: str) -> None:
        self.has_bedgraph_header = False
        self._lines = self._read(path, source)

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> tuple[int, str]:
        return next(self._lines)

    def _read(self, path: Path, source: str) -> Iterator[tuple[int, str]]:
        number, rest = 0, b""
        with opened(path, source, "table") as stream:
            for block in decompressed(stream, BLOCK_BYTES, source):
                whole_lines, end_of_line, rest = (rest + block).rpartition(b"\n")
                if end_of_line:
                    for line in whole_lines.decode("utf-8", "backslashreplace").split("\n"):
                        number += 1
                        if line and line[0] not in UNUSUAL and number > 1:
                            yield number, line
                        elif text := self._text(line, number):
                            yield number, text
                if len(rest) > LONGEST_LINE:
                    raise InputError(
                        f"{source}, line {number + 1} is longer than {LONGEST_LINE:,} bytes, which no row of a table"
                        f" is; give {FORMATS}."
                    )
            if text := self._text(rest.decode("utf-8", "backslashreplace"), number + 1):
                yield number + 1, text

    def _text(self, line: str, number: int) -> str:
        text = line.rstrip("\r")
        text = text.removeprefix(UTF8_BOM) if number == 1 else text
        if text.startswith(NO_ROW):
            self.has_bedgraph_header |= bool(BEDGRAPH_HEADER.match(text))
            return ""
        return text if text.strip() else ""


def _put_back(first: tuple[int, str], lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield first
    yield from lines


def _parsed(lines: Iterator[tuple[int, str]], dialect: Dialect, source: str, skipped: Counter[str]) -> _Table:
    """Every row of a table. Raises InputError naming the line of one that cannot be, or where two readings are left."""
    index: dict[str, int] = {}
    contig, numbers, line_of = array("i"), array("d"), array("q")
    rows = _Judging(dialect, source)
    row_of, place = dialect.row, dialect.contig
    for number, line in lines:
        fields = line.split()
        try:
            row = row_of(fields)
            if isinstance(row, str):
                skipped[row] += 1
                continue
            numbers.extend(row)
        except (BadRow, OverflowError) as problem:
            rows.add(numbers[: len(line_of) * dialect.width], line_of)  # an earlier row may be wrong too
            why = problem if isinstance(problem, BadRow) else TOO_LARGE
            raise InputError(f"{source}, line {number} cannot be right: {why}; correct or delete it.") from problem
        contig.append(index.setdefault(fields[place], len(index)))
        line_of.append(number)
        if len(line_of) == BLOCK_ROWS:
            rows.add(numbers, line_of)
            numbers, line_of = array("d"), array("q")
    rows.add(numbers, line_of)
    return rows.table(tuple(index), np.array(contig, np.int32))


class _Judging:
    """The readings of a dialect that no row has contradicted so far, and what the rows are by each."""

    def __init__(self, dialect: Dialect, source: str) -> None:
        self.dialect, self.source = dialect, source
        self.alive = list(dialect.readings)
        self.shown = list(dialect.evidence)
        self.fixed: list[_Fixed] = []
        self.counts: dict[str, list[tuple[NDArray[np.int32], NDArray[np.int32]]]] = {
            reading.name: [] for reading in dialect.readings
        }

    def add(self, numbers: "array[float]", line_of: "array[int]") -> None:
        """Take a block of rows. Raises InputError naming the line of a row that no reading left explains."""
        if not line_of:
            return
        block = np.array(numbers, np.float64).reshape(len(line_of), -1)
        fields = self.dialect.fields
        columns = {name: block[:, STRAND + 1 + place] for place, name in enumerate(fields)}
        self._check_places(block, line_of)
        left, last = [], None
        for reading in self.alive:
            modified, covered, fits = reading.judge(columns)
            fits &= self._possible(modified, covered, line_of, is_nominal=reading is self.dialect.readings[0])
            if fits.all():
                left.append(reading)
                self.counts[reading.name].append((_as_counts(modified), _as_counts(covered)))
                continue
            self.counts[reading.name].clear()
            row = int(np.argmin(fits))
            last = row if last is None else max(last, row)
        if not left and last is not None:
            raise InputError(f"{self.source}, line {line_of[last]} cannot be right: {self._clash(columns, last)}.")
        self.alive = left
        self.shown = [name for name in self.shown if self.dialect.evidence[name](columns).all()]
        vague = columns.get(VAGUE, np.zeros(len(block)))
        self.fixed.append(
            _Fixed(
                block[:, START].astype(np.int64), block[:, SPAN].astype(np.int64), block[:, STRAND].astype(np.int8),
                vague > 0,
            )
        )  # fmt: skip

    def _check_places(self, block: Floats, line_of: "array[int]") -> None:
        if (wrong := block[:, START] < (1 if self.dialect.from_one else 0)).any():
            self._refuse(line_of[int(np.argmax(wrong))], "its position lies before the contig")
        too_large = np.argwhere(block[:, : STRAND + 1] > LARGEST_POSITION)
        if len(too_large):
            self._refuse(line_of[int(too_large[0, 0])], TOO_LARGE)

    def _possible(
        self, modified: Floats, covered: Floats, line_of: "array[int]", *, is_nominal: bool
    ) -> NDArray[np.bool_]:
        """Rows whose counts can be, bool [n]; of the nominal reading they must."""
        can_be = np.logical_and.reduce([modified >= 0, modified <= covered, covered <= MOST_READS])
        if is_nominal and not can_be.all():
            row = tuple(np.argwhere(~can_be)[0].tolist())
            one, every = int(modified[row]), int(covered[row])
            wrong = f"it counts {every} reads" if every > MOST_READS else f"it counts {one} methylated of {every} reads"
            self._refuse(line_of[row[0]], wrong)
        whole_row: NDArray[np.bool_] = np.all(can_be.reshape(len(can_be), -1), axis=1)
        return whole_row

    def _refuse(self, line: int, why: str) -> None:
        raise InputError(f"{self.source}, line {line} cannot be right: {why}; correct or delete it.")

    def _clash(self, columns: Columns, row: int) -> str:
        """Message on the values of a row that contradict each other."""
        listing = ", ".join(
            f"{name} {values[row]:g}" for name, values in columns.items() if name not in (VAGUE, "decimals")
        )
        hint = (
            " (fractions in place of percentages?)"
            if 0 < columns.get("percentage", np.zeros(row + 1))[row] <= 1
            else ""
        )
        return f"its {listing} do not fit each other{hint}; correct or delete it"

    def table(self, names: tuple[str, ...], contig: NDArray[np.int32]) -> _Table:
        """All rows, by the one reading that is meant. Raises InputError where two are left that differ."""
        samples = len(self.dialect.samples)
        meant = self._meant()
        if not self.fixed:
            none = np.empty(0, np.int64)
            fixed = _Fixed(none, none, none.astype(np.int8), none.astype(np.bool_))
            modified, covered = np.empty((0, samples)), np.empty((0, samples))
        else:
            fixed = _Fixed(*(np.concatenate([getattr(each, name) for each in self.fixed]) for name in _Fixed._fields))
            self.fixed.clear()  # what is put together need not be held twice
            of_meant = self.counts.pop(meant)
            self.counts.clear()
            modified, covered = (np.concatenate([each[place] for each in of_meant]) for place in range(2))
        nominal = self.dialect.readings[0].name
        return _Table(
            names=names,
            contig=contig,
            **fixed._asdict(),
            modified=modified.reshape(-1, samples).astype(np.int32, copy=False),
            covered=covered.reshape(-1, samples).astype(np.int32, copy=False),
            reading=meant if len(self.dialect.readings) > 1 or meant != nominal else "",
        )

    def _meant(self) -> str:
        names = [reading.name for reading in self.alive]
        nominal = self.dialect.readings[0].name
        if self._say_the_same(names):
            return names[0]
        by_default = nominal if nominal in names else None
        meant = self.dialect.chosen(names, self.shown) if self.dialect.chosen else by_default
        if meant is None:
            raise InputError(
                f"{self.source} may be read in {len(names)} ways ({'; '.join(names)}), and its rows leave it open;"
                " give more rows, or write counts of modified and unmodified reads."
            )
        return meant

    def _say_the_same(self, names: list[str]) -> bool:
        first, *others = (self.counts[name] for name in names)
        return all(
            np.array_equal(mine, its)
            for other in others
            for one, two in zip(first, other, strict=True)
            for mine, its in zip(one, two, strict=True)
        )


def _as_counts(values: Floats) -> NDArray[np.int32]:
    return np.minimum(np.maximum(values, 0), MOST_READS).astype(np.int32)


def _named(
    table: _Table, dialect: Dialect, settings: CountSettings, source: str, skipped: Counter[str]
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Rows of the wanted modification, bool [N], and warnings on names that leave it open.

    Rows that only may be of it count where no row plainly is.
    """
    if not dialect.vague:
        return np.ones(len(table.contig), np.bool_), ()
    if not table.vague.all():
        for name, rows in dialect.vague.items():
            skipped[f"another modification ({name or 'unnamed'})"] += rows
        return ~table.vague, ()
    notes = tuple(
        f"{source}: {rows:,} rows of '{name}' count any modification of {name}, here taken for '{settings.code}'."
        for name, rows in dialect.vague.items()
        if name
    )
    return np.ones(len(table.contig), np.bool_), notes


def _placed_blindly(
    table: _Table, dialect: Dialect, motif: Motif, source: str, *, has_bedgraph_header: bool
) -> _Placed:
    """Positions as the format defines them. Raises UsageError where only a genome can decide how they are counted."""
    if not (table.strand == UNTOLD).any():
        return _Placed(table.start - dialect.from_one, table.strand, (), ())
    if (table.span == 1).any() and not has_bedgraph_header:
        raise UsageError(
            f"{source} may count from 0 (a base a row) or from 1 (a CpG a row): give --genome, which decides."
        )
    _check_spans(table, motif, source)
    one_based, merged = table.span == 0, table.span > 1
    position = table.start - one_based
    phrase = "counted from 1" if one_based.all() else "counted from 0"
    return _Placed(position, np.where(merged, 0, UNTOLD).astype(np.int8), (phrase,), ())


def _check_spans(table: _Table, motif: Motif, source: str) -> None:
    """Stop at a row that is neither one base nor one motif long."""
    allowed = {0, 1, *([motif.shift, motif.shift + 1] if motif.is_palindrome else [])}
    wrong = ~np.isin(table.span, list(allowed))
    if wrong.any():
        row = int(np.argmax(wrong))
        start, end = int(table.start[row]), int(table.start[row] + table.span[row])
        raise InputError(
            f"{source} has a row of {table.names[table.contig[row]]} that cannot be right: it spans {start} to {end},"
            f" which is not one base, nor one {motif}; correct or delete it."
        )


def _placed(
    table: _Table, dialect: Dialect, contig: NDArray[np.int32], kept: NDArray[np.bool_], sites: MotifSites, source: str
) -> _Placed:
    """Positions and strands of rows by the genome, which also decides from where they are counted."""
    if (table.strand == UNTOLD).any():
        return _placed_intervals(table, contig, kept, sites, source)
    nominal = table.start - dialect.from_one
    other = nominal + (1 if dialect.from_one else -1)
    strand = _strands(nominal, table.strand, contig, sites)
    rows = int(kept.sum())
    if rows and (kept & (strand != UNTOLD)).sum() < NEARLY_NONE * rows:
        shifted = _strands(other, table.strand, contig, sites)
        if (kept & (shifted != UNTOLD)).sum() >= NEARLY_ALL * rows:
            counted = (1, 0) if not dialect.from_one else (0, 1)
            warning = (
                f"{source} counts positions from {counted[0]}, not from {counted[1]} as its format does: this fits the"
                f" {sites.motif} of the genome, and so it was read."
            )
            return _Placed(other, shifted, (f"in fact counted from {counted[0]}",), (warning,))
    return _Placed(nominal, strand, (), ())


def _placed_intervals(
    table: _Table, contig: NDArray[np.int32], kept: NDArray[np.bool_], sites: MotifSites, source: str
) -> _Placed:
    """Rows of six columns, which have no strand and whose two positions are those of a base or of a motif.

    One position twice is a base, counted from 1 (Bismark). Two neighbours are a base counted from 0, or a CpG counted
    from 1 (Bismark's merged coverage): the way in which more rows are at the motif; where all rows are in both, the
    latter, since the other would have every row on the reverse strand. Three are a CpG counted from 0 (MethylDackel).
    """
    motif = sites.motif
    _check_spans(table, motif, source)
    untold, merged = np.full(len(table.start), UNTOLD, np.int8), np.zeros(len(table.start), np.int8)
    one, zero = table.span == 0, table.span == 1
    position, strand = table.start.copy(), untold.copy()
    phrases = []
    if one.any():
        position[one] -= 1
        strand[one] = _strands(position, untold, contig, sites)[one]
        phrases.append("a base a row, counted from 1")
    if zero.any():
        bases = _strands(table.start, untold, contig, sites)
        as_base, as_motif = kept & zero & (bases != UNTOLD), np.zeros(len(kept), np.bool_)
        if motif.is_palindrome and motif.shift == 1:
            motifs = _strands(table.start - 1, merged, contig, sites)
            as_motif = kept & zero & (motifs != UNTOLD)
        if as_motif.any() and as_motif.sum() >= as_base.sum():
            position[zero] -= 1
            strand[zero] = motifs[zero]
            phrases.append(f"a {motif.letters} a row, counted from 1, strands merged")
        else:
            strand[zero] = bases[zero]
            phrases.append("a base a row, counted from 0")
    for span, offset in ((motif.shift, 1), (motif.shift + 1, 0)):
        here = (table.span == span) & (span > 1)
        if here.any():
            position[here] -= offset
            strand[here] = _strands(position, merged, contig, sites)[here]
            phrases.append(f"a {motif.letters} a row, counted from {offset}, strands merged")
    return _Placed(position, strand, tuple(dict.fromkeys(phrases)), ())


def _strands(
    position: NDArray[np.int64], given: NDArray[np.int8], contig: NDArray[np.int32], sites: MotifSites
) -> NDArray[np.int8]:
    """Strand of each row by the genome: UNTOLD where the motif is not as the row has it."""
    found = np.full(len(contig), UNTOLD, np.int8)
    for place in np.unique(contig[contig >= 0]).tolist():
        here = np.flatnonzero(contig == place)
        on_forward = np.isin(position[here], sites.at(place, 1))
        on_reverse = np.isin(position[here], sites.at(place, -1))
        inferred = np.where(on_forward, 1, np.where(on_reverse, -1, UNTOLD))
        agrees = np.where(given[here] == -1, on_reverse, on_forward)
        found[here] = np.where(given[here] == UNTOLD, inferred, np.where(agrees, given[here], UNTOLD))
    return found


def _check_agreement(off: int, rows: int, source: str, genome: str, motif: Motif) -> None:
    if rows >= ENOUGH_ROWS and rows - off < LEAST_AGREEMENT * rows:
        raise InputError(
            f"only {rows - off:,} of {rows:,} rows of {source} are at {motif} in {genome}: it belongs to another"
            " genome, or its positions are counted from 1; give its own genome, or subtract 1."
        )


def _check_once(found: SiteCounts, source: str) -> None:
    """Stop at a site that occurs twice."""
    columns = (found.contig, found.position, found.strand)
    again = np.logical_and.reduce([column[1:] == column[:-1] for column in columns])
    if again.any():
        row = int(np.argmax(again))
        strand = {1: " +", -1: " -", 0: ""}[int(found.strand[row])]
        raise InputError(
            f"{source} gives {found.contigs[found.contig[row]]}:{found.position[row] + 1:,}{strand} twice; delete one."
        )
