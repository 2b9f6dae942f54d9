"""Which kind of table a file is, by its header and by the form of its first row: never by its name."""

import re
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from genolstm.errors import InputError, UsageError
from genolstm.readers.bedmethyl import BEDMETHYL_COLUMNS, bedmethyl_dialect
from genolstm.readers.modification_names import BISULFITE
from genolstm.readers.motifs import IUPAC, Motif
from genolstm.readers.sam_text import headless, is_sam_line
from genolstm.readers.table_readings import (
    FRACTION,
    PERCENT,
    Columns,
    Dialect,
    Floats,
    Judged,
    Reading,
    agrees,
    of_total,
)  # fmt: skip
from genolstm.readers.table_rows import UNTOLD, BadRow, Row, one_base, percentage, strand_of, whole
from genolstm.settings.methylation import CountSettings

METHYLATED, UNMETHYLATED = "meth_", "unmeth_"  # how the columns of a table over time points begin
COVERAGE_COLUMNS = 6  # contig, start, end, percentage, methylated, unmethylated
LONGEST_SHOWN = 60
FORMATS = (
    "bedMethyl (11, 14 to 16 or 18 columns), Bismark coverage or MethylDackel (6 columns), a Bismark cytosine report,"
    " allc, methylKit, the table of pb-CpG-tools, or a table that begins with the columns chrom, pos, meth_NAME,"
    " unmeth_NAME"
)
BEDGRAPH_HEADER = re.compile(r"track\b.*\btype=.?bedGraph", re.IGNORECASE)
METHYLKIT_HEADER = ["chrbase", "chr", "base", "strand", "coverage", "freqc", "freqt"]
METHYLKIT_STRANDS = {"F": "+", "R": "-"}
PACBIO_COLUMNS, PACBIO_TYPES = (9, 10), frozenset({"Total", "hap1", "hap2"})
CONTEXT = re.compile(r"[ACGTRYSWKMBDHVN]{1,12}", re.IGNORECASE)


def find_dialect(  # noqa: PLR0911  (one return a dialect)
    line: str, motif: Motif, settings: CountSettings, source: str, *, has_genome: bool
) -> tuple[Dialect, bool]:
    """Dialect of the table that begins with this line, and whether the line is its header.

    Raises InputError for a table of no known kind, UsageError for one that does not count what is wanted.
    """
    fields = line.split()
    lower = [field.lower().strip('#"') for field in fields]
    if fields[:2] == ["chrom", "pos"]:
        return _time_points(fields, source), True
    if lower[:7] == METHYLKIT_HEADER:
        return _bisulfite(_methylkit(), settings, source), True
    if lower[:4] in (["chr", "pos", "strand", "mc_class"], ["chrom", "pos", "strand", "mc_class"]):
        return _bisulfite(
            _allc(len(fields), _context_check(motif, source, has_genome=has_genome)), settings, source
        ), True
    is_interval = len(fields) > 2 and all(field.isdecimal() for field in fields[1:3])
    if is_interval and len(fields) in PACBIO_COLUMNS and fields[4] in PACBIO_TYPES:
        return _bisulfite(_pacbio(len(fields), fields[4]), settings, source, "PacBio's model"), False
    if is_interval and len(fields) >= BEDMETHYL_COLUMNS and not is_sam_line(fields):
        return bedmethyl_dialect(fields, settings, source), False
    if is_interval and len(fields) == COVERAGE_COLUMNS:
        return _bisulfite(_coverage(), settings, source), False
    if len(fields) in (6, 7) and fields[1].isdecimal() and fields[2] in "+-":
        context = _context_check(motif, source, has_genome=has_genome)
        if len(fields) == 7 and _numbers(fields[3:5]) and CONTEXT.fullmatch(fields[5]):
            return _bisulfite(_cytosine_report(context), settings, source), False
        if CONTEXT.fullmatch(fields[3]) and _numbers(fields[4:6]):
            return _bisulfite(_allc(len(fields), context), settings, source), False
    if len(fields) == 7 and fields[0] == f"{fields[1]}.{fields[2]}" and fields[3] in METHYLKIT_STRANDS:
        return _bisulfite(_methylkit(), settings, source), False
    if is_sam_line(fields):
        raise headless(source)
    shown = line if len(line) <= LONGEST_SHOWN else line[:LONGEST_SHOWN] + "..."
    raise InputError(f"{source} begins with {shown!r}, which no table of counts does; give {FORMATS}.")


def _numbers(fields: Sequence[str]) -> bool:
    try:
        return all(whole(field) >= 0 for field in fields)
    except BadRow:
        return False


def _bisulfite(dialect: Dialect, settings: CountSettings, source: str, method: str = "bisulfite") -> Dialect:
    """The dialect, which counts 5mC alone. Raises UsageError where another modification is wanted."""
    if frozenset(settings.code) not in BISULFITE:
        raise UsageError(
            f"{source} ({dialect.name}) counts 5mC by {method} and not '{settings.code}'; leave out --code."
        )
    return dialect


def _given(columns: Columns) -> Judged:
    """Counts that nothing in their row can be held against."""
    return columns["modified"], columns["covered"], np.ones(len(columns["modified"]), np.bool_)


def _time_points(fields: list[str], source: str) -> Dialect:
    """Table over time points, from its header."""
    names = [field.removeprefix(METHYLATED) for field in fields[2:] if field.startswith(METHYLATED)]
    pairs = [(f"{METHYLATED}{name}", f"{UNMETHYLATED}{name}") for name in names]
    if not pairs or sorted(fields[2:]) != sorted(column for pair in pairs for column in pair):
        raise InputError(
            f"{source} has the columns {', '.join(fields[2:]) or 'chrom and pos only'} where each sample needs one"
            " meth_NAME and one unmeth_NAME; correct its header."
        )
    places = [fields.index(column) for pair in pairs for column in pair]
    if len(set(names)) != len(names):
        raise InputError(f"{source} names a sample twice in its header; correct it.")

    def row(values: list[str]) -> Row:
        if len(values) != len(fields):
            raise BadRow(f"it has {len(values)} columns and the header {len(fields)}")
        # a row is a CpG, not one of its strands
        return whole(values[1]), 1, 0, *(whole(values[place]) for place in places)

    def judge(columns: Columns) -> Judged:
        numbers = np.stack([columns[name] for name in names_], axis=1)  # [n, 2 S]
        modified, unmodified = numbers[:, ::2], numbers[:, 1::2]
        return modified, modified + unmodified, np.ones(len(numbers), np.bool_)

    names_ = tuple(f"{kind}{name}" for name in names for kind in (METHYLATED, UNMETHYLATED))
    return Dialect(
        name="table over time points, counted from 0", samples=tuple(names), row=row, fields=names_,
        readings=(Reading("methylated and unmethylated reads", judge),),
    )  # fmt: skip


def _coverage() -> Dialect:
    """Six columns: a place, a percentage or fraction, and two counts, whose meaning is in each row."""

    def row(values: list[str]) -> Row:
        if len(values) != COVERAGE_COLUMNS:
            raise BadRow(f"it has {len(values)} columns, not {COVERAGE_COLUMNS}")
        start, end = whole(values[1]), whole(values[2])
        if end < start:
            raise BadRow(f"it spans {start} to {end}, which is not one base")
        return start, end - start, UNTOLD, *percentage(values[3]), whole(values[4]), whole(values[5])

    def reading(what: str, counts: Callable[[Floats, Floats], tuple[Floats, Floats]], unit: int) -> Reading:
        def judge(columns: Columns) -> Judged:
            modified, covered = counts(columns["count"], columns["next count"])
            return modified, covered, agrees(modified, covered, columns, unit)

        return Reading(f"{'percentage' if unit == PERCENT else 'fraction'}, {what}", judge)

    readings = tuple(
        reading(what, counts, unit)
        for unit in (PERCENT, FRACTION)
        for what, counts in (
            ("methylated, unmethylated", lambda one, two: (one, one + two)),
            ("total, methylated", lambda one, two: (two, one)),
            ("methylated, total", lambda one, two: (one, two)),
        )
    )
    return Dialect(
        name="coverage of 6 columns", samples=("",), row=row, fields=("percentage", "decimals", "count", "next count"),
        readings=readings,
    )  # fmt: skip


def _cytosine_report(is_meant: Callable[[str, str], bool]) -> Dialect:
    """Bismark's report of every C: contig, position, strand, methylated, unmethylated, context, trinucleotide."""

    def row(values: list[str]) -> Row | str:
        if len(values) != 7:
            raise BadRow(f"it has {len(values)} columns, not 7")
        if not is_meant(values[5], values[6]):
            return f"another context ({values[5][:9]})"
        modified, unmodified = whole(values[3]), whole(values[4])
        return whole(values[1]), 1, strand_of(values[2]), modified, modified + unmodified

    return Dialect(
        name="Bismark cytosine report, counted from 1", samples=("",), row=row, fields=("modified", "covered"),
        readings=(Reading("methylated and unmethylated reads", _given),), from_one=True,
    )  # fmt: skip


def _allc(width: int, is_meant: Callable[[str, str], bool]) -> Dialect:
    """The table allc of methylpy and ALLCools: contig, position, strand, context, methylated, total[, significant]."""

    def row(values: list[str]) -> Row | str:
        if len(values) != width:
            raise BadRow(f"it has {len(values)} columns, not {width} as the first")
        if not is_meant(values[3], values[3]):
            return f"another context ({values[3][:9]})"
        return whole(values[1]), 1, strand_of(values[2]), whole(values[4]), whole(values[5])

    return Dialect(
        name="allc, counted from 1", samples=("",), row=row, fields=("modified", "covered"),
        readings=(Reading("methylated and all reads", _given),), from_one=True,
    )  # fmt: skip


def _methylkit() -> Dialect:
    """The text that methylKit reads: name, contig, base, F or R, coverage, percentages of C and of T."""

    def row(values: list[str]) -> Row:
        if len(values) != 7:
            raise BadRow(f"it has {len(values)} columns, not 7")
        percent, decimals = percentage(values[5])
        strand = strand_of(METHYLKIT_STRANDS.get(values[3], values[3]))
        return whole(values[2]), 1, strand, whole(values[4]), percent, decimals, percentage(values[6])[0]

    def reading(name: str, unit: int) -> Reading:
        def judge(columns: Columns) -> Judged:
            covered = columns["coverage"]
            modified, fits = of_total(covered, columns, unit)
            with np.errstate(invalid="ignore"):
                rest = (
                    np.abs(unit - columns["percentage"] - columns["rest"]) <= unit / 50
                )  # others than C and T read there
            return modified, covered, fits & (rest | (covered == 0))

        return Reading(name, judge)

    return Dialect(
        name="methylKit, counted from 1", samples=("",), row=row, fields=("coverage", "percentage", "decimals", "rest"),
        readings=(reading("percentages of C and T", PERCENT), reading("fractions of C and T", FRACTION)),
        from_one=True, contig=1,
    )  # fmt: skip


def _pacbio(width: int, kind: str) -> Dialect:
    """The table of pb-CpG-tools: contig, begin, end, score, type, coverage, modified, unmodified, ..., both strands."""
    is_model = width == PACBIO_COLUMNS[0]  # whose last column is the percentage of its counts

    def row(values: list[str]) -> Row:
        if len(values) != width:
            raise BadRow(f"it has {len(values)} columns, not {width} as the first")
        if values[4] != kind:
            raise BadRow(f"it counts reads of '{values[4][:9]}' and the first row those of '{kind}'; give them apart")
        start = whole(values[1])
        one_base(start, whole(values[2]))
        percent = percentage(values[8]) if is_model else (np.nan, 0)
        return start, 1, 0, *(whole(value) for value in values[5:8]), *percent

    def judge(columns: Columns) -> Judged:
        modified, covered = columns["modified"], columns["coverage"]
        fits = covered == modified + columns["unmodified"]
        return modified, covered, fits & agrees(modified, covered, columns, PERCENT) if is_model else fits

    return Dialect(
        name=f"pb-CpG-tools ({kind}), counted from 0, strands merged", samples=("",), row=row,
        fields=("coverage", "modified", "unmodified", "percentage", "decimals"),
        readings=(Reading("modified and unmodified reads", judge),),
    )  # fmt: skip


def _context_check(motif: Motif, source: str, *, has_genome: bool) -> Callable[[str, str], bool]:
    """Function: context and bases of a row -> may they be the motif. Raises UsageError where a genome is needed."""
    wanted = motif.letters[motif.offset :]
    if not has_genome and (motif.offset or len(wanted) > 3):
        raise UsageError(f"{source} has three bases of each place, which is less than {motif}: give --genome.")

    @cache
    def is_meant(context: str, bases: str) -> bool:
        context, bases = context.upper(), bases.upper()
        if not CONTEXT.fullmatch(context) or not CONTEXT.fullmatch(bases):
            raise BadRow(f"its context is '{context[:9]}' and '{bases[:9]}', which are no bases")
        if not _may_be_same(context, bases):
            raise BadRow(f"its context {context[:9]} does not fit its bases {bases[:9]}")
        return _may_be_same(wanted, bases) and _may_be_same(wanted, context)

    return is_meant


def _may_be_same(one: str, other: str) -> bool:
    """Whether two IUPAC motifs may match the same bases, as far as both go."""
    return all(set(IUPAC[a]) & set(IUPAC[b]) for a, b in zip(one, other, strict=False))
