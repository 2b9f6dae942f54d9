"""Fragments as text: one line for the stretch between two Tn5 cuts, for one cut, or for the two reads of a pair.

Three columns (contig, start, end) are whole fragments, which span from the first base of one read to the last of the
other. A fourth column (barcode) and a fifth (number of read pairs) make a 10x file: its starts were moved by +4 and its
ends by -5 already. Six columns are BED with a strand, a read on each line, or, where the lines are single bases, Tn5
insertions that were moved already; without strands ('.') they are whole fragments again, and with two places BEDPE
without strands, a fragment from the first base of one to the last of the other. Ten columns are BEDPE with strands: two
reads. The first line decides, and all others must be like it. A line counts once, whatever its numbers are: these are
duplicates.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError, UsageError
from genolstm.readers.whole_numbers import MOST_DIGITS, position, shortened
from genolstm.settings.track import Assay, Shift, TrackSettings

Ints = NDArray[np.int64]

BLOCK_FRAGMENTS = 1 << 15
FOREIGN, NO_BASES = "contig not in genome", "fragment without a base"
PAST_END, CUT_PAST_END = "past the contig end", "cut shifted past the contig end"
BEFORE_START, UNMAPPED, TWO_CONTIGS = "before the contig start", "unmapped", "fragment on two contigs"
BROWSER_LINES = ("track", "browser")  # what the UCSC browser puts above the lines
PAIR_COLUMNS = 10


class Layout(Enum):
    """What a line is; the value is its name in the log."""

    WHOLE = "fragments of three columns"
    TENX = "fragments with barcodes (10x)"
    READS = "BED of reads, a read on each line"
    INSERTIONS = "BED of single bases, a Tn5 insertion on each line"
    SPANS = "BED without strands, a whole fragment on each line"
    PAIRS = "BEDPE, the two reads of a pair on each line"
    PLACES = "BEDPE without strands, a whole fragment on each line"


SHIFTED_ALREADY = (Layout.TENX, Layout.INSERTIONS)
STRANDED = (Layout.READS, Layout.INSERTIONS, Layout.PAIRS)
THREE_FIRST = (Layout.WHOLE, Layout.TENX, Layout.SPANS)  # the first three columns are a whole fragment


class Fragments:
    """The fragments of one file as spans, and what became of them.

    lengths : bp of the genome's contigs.   read : of fragments two for each line when cuts are counted, one for
    coverage; of reads one for each.   skipped : reason -> number likewise.   contigs : names in the file.
    shifted : the cuts were taken as they are.   layout : of its lines, None before the first.
    """

    def __init__(self, lengths: Mapping[str, int], settings: TrackSettings, source: str) -> None:
        if (settings.min_mapq, settings.proper_pairs, settings.keep_duplicates) != (
            TrackSettings.min_mapq, TrackSettings.proper_pairs, TrackSettings.keep_duplicates,
        ):  # fmt: skip
            raise UsageError(
                f"{source} holds fragments, which have neither mapping quality nor flags: leave out --min-mapq,"
                " --proper-pairs and --keep-duplicates."
            )
        self.settings, self.source = settings, source
        self.firsts = np.cumsum([0, *lengths.values()])
        self.places = {name: (first, lengths[name]) for name, first in zip(lengths, self.firsts.tolist(), strict=False)}
        self.cuts = settings.assay is Assay.ATAC
        self.read = 0
        self.skipped: Counter[str] = Counter()
        self.contigs: dict[str, None] = {}
        self.shifted = False
        self.layout: Layout | None = None
        self.forward, self.reverse = 0, 0

    def spans(self, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[Ints, Ints]]:
        """Starts and ends [n] of some spans at a time, 0-based, half open, in the genome laid end to end.

        Raises InputError for a line that is no fragment.
        """
        starts: list[int] = []
        ends: list[int] = []
        n_columns, whole_columns = 0, 0
        contig, offset, length = "", 0, 0
        for number, line in lines:
            columns = line.split("\t")
            if len(columns) == whole_columns and columns[0] == contig:
                # the common line: a whole fragment on the contig of the line before; all else is looked at below
                first, last = columns[1], columns[2]
                if (
                    first.isdecimal() and last.isdecimal() and line.isascii()
                    and len(first) < MOST_DIGITS and len(last) < MOST_DIGITS
                ):  # fmt: skip
                    start, end = int(first), int(last)
                    if start < end <= length:
                        starts.append(offset + start)
                        ends.append(offset + end)
                        if len(starts) >= BLOCK_FRAGMENTS:
                            yield self._counted(starts, ends)
                            starts, ends = [], []
                        continue
            if not line.strip() or line.startswith("#"):
                continue
            if "\t" not in line:
                columns = line.split()
            if len(columns) != n_columns:
                if columns[0].split(maxsplit=1)[0:1] and columns[0].split(maxsplit=1)[0] in BROWSER_LINES:
                    continue
                n_columns = self._begin(columns, n_columns, number, line)
                whole_columns = n_columns if self.layout in THREE_FIRST else 0
            if self.layout in STRANDED:
                self._add_reads(columns, number, line, starts, ends)
            else:
                self._add_fragment(columns, number, line, starts, ends)
                contig = columns[0]
                offset, length = self.places.get(contig, (0, 0))
            if len(starts) >= BLOCK_FRAGMENTS:
                yield self._counted(starts, ends)
                starts, ends = [], []
        if starts:
            yield self._counted(starts, ends)

    def _begin(self, columns: list[str], before: int, number: int, line: str) -> int:
        """Take the layout from the first line, and hold the number of columns of all others to it."""
        found = len(columns)
        if before:
            raise InputError(
                f"{self.source}, line {number} has {found} columns, and the lines before it have {before}:"
                f" {shortened(line)}; correct the line."
            )
        layout = _layout(columns)
        if layout is None:
            raise InputError(
                f"{self.source}, line {number} has {found} column{'s' * (found != 1)}: {shortened(line)}; give BAM,"
                " CRAM, SAM with its header, or fragments of 3 columns (contig, start, end), 4 or 5 (10x), 6 (BED with"
                " strands) or 10 (BEDPE)."
            )
        self.layout = layout
        shift = self.settings.shift
        self.shifted = shift is Shift.DONE or (shift is Shift.AUTO and layout in SHIFTED_ALREADY)
        if not self.shifted:
            self.forward, self.reverse = self.settings.forward_shift, self.settings.reverse_shift
        elif layout is Layout.INSERTIONS:
            self.reverse = -1  # the base itself, which lies before its half-open end
        return found

    def _add_fragment(self, columns: list[str], number: int, line: str, starts: list[int], ends: list[int]) -> None:
        """A whole fragment: what is counted of it is found out in `_counted`."""
        weight = 2 if self.cuts else 1
        contig, first, last = columns[0], columns[1], columns[2]
        if self.layout is Layout.PLACES:
            if columns[3] != contig or contig == ".":
                self._skip(UNMAPPED if "." in (contig, columns[3]) else TWO_CONTIGS, weight)
                return
            one, two = self._span(first, last, number, line), self._span(columns[4], columns[5], number, line)
            start, end = min(one[0], two[0]), max(one[1], two[1])
        else:
            start, end = self._span(first, last, number, line)
        self.contigs[contig] = None
        offset, length = self.places.get(contig, (-1, 0))
        if reason := _misplaced(offset, length, start, end):
            self._skip(reason, weight)
            return
        starts.append(offset + start)
        ends.append(offset + end)

    def _skip(self, reason: str, weight: int) -> None:
        self.read += weight
        self.skipped[reason] += weight

    def _counted(self, starts: list[int], ends: list[int]) -> tuple[Ints, Ints]:
        """What is counted of some fragments or reads: both cuts of a whole fragment, or the bases that it spans."""
        first, last = np.array(starts, np.int64), np.array(ends, np.int64)
        if self.layout in STRANDED:
            return first, last
        if not self.cuts:
            self.read += len(first)
            return first, last
        self.read += 2 * len(first)
        after = np.searchsorted(self.firsts, first, side="right")
        low, high = self.firsts[after - 1], self.firsts[after]
        cuts = np.stack([first + self.forward, last + self.reverse])  # [2, n]
        within = (cuts >= low) & (cuts < high)
        if lost := int(within.size - np.count_nonzero(within)):
            self.skipped[CUT_PAST_END] += lost
        cuts = cuts[within]
        return cuts, cuts + 1

    def _add_reads(self, columns: list[str], number: int, line: str, starts: list[int], ends: list[int]) -> None:
        """The cut of each read of a line, or the bases that it spans."""
        paired = self.layout is Layout.PAIRS
        reads = [(*columns[0:3], columns[8 if paired else 5])]
        if paired:
            reads.append((*columns[3:6], columns[9]))
        for contig, first, last, strand in reads:
            self.read += 1
            if contig == ".":
                self.skipped[UNMAPPED] += 1
                continue
            start, end = self._span(first, last, number, line)
            if strand not in {"+", "-"}:
                raise InputError(
                    f"{self.source}, line {number} has the strand {shortened(strand)}, not + or -, unlike the lines"
                    " before it; correct the line."
                )
            if self.layout is Layout.INSERTIONS and end != start + 1:
                raise InputError(
                    f"{self.source}, line {number} spans {end - start} bases, and the lines before it are single bases"
                    " (Tn5 insertions); give reads and insertions as two files."
                )
            self.contigs[contig] = None
            offset, length = self.places.get(contig, (-1, 0))
            if reason := _misplaced(offset, length, start, end):
                self.skipped[reason] += 1
                continue
            if self.cuts:
                start = start + self.forward if strand == "+" else end + self.reverse
                end = start + 1
                if not 0 <= start < length:
                    self.skipped[CUT_PAST_END] += 1
                    continue
            starts.append(offset + start)
            ends.append(offset + end)

    def _span(self, first: str, last: str, number: int, line: str) -> tuple[int, int]:
        if first.isdecimal() and last.isdecimal() and len(first) < MOST_DIGITS and len(last) < MOST_DIGITS:
            start, end = int(first), int(last)
        else:
            try:
                start, end = position(first), position(last)
            except ValueError as problem:
                if "beyond" in str(problem):
                    raise InputError(f"{self.source}, line {number}: {problem}; correct the line.") from None
                raise InputError(
                    f"{self.source}, line {number}: start and end must be whole numbers: {shortened(line)};"
                    " give BAM, CRAM, SAM or fragments, and put '#' before a line of column names."
                ) from None
        if end < start:
            raise InputError(
                f"{self.source}, line {number}: the fragment {start} to {end} has a negative length; correct the line."
            )
        return start, end


def _misplaced(offset: int, length: int, start: int, end: int) -> str:
    """Why a span is not on the genome; empty where it is."""
    if offset < 0:
        return FOREIGN
    if end > length:
        return PAST_END
    if start < 0:
        return BEFORE_START
    return NO_BASES if start == end else ""


def _layout(columns: list[str]) -> Layout | None:
    """What the first line shows; None where it is of no layout that is known."""
    n_columns = len(columns)
    if n_columns < 6:
        return {3: Layout.WHOLE, 4: Layout.TENX, 5: Layout.TENX}.get(n_columns)
    paired = _are_places(columns[4:6])
    if n_columns == 6:
        if columns[5] in {"+", "-"}:
            return Layout.INSERTIONS if _is_single(columns) else Layout.READS
        return Layout.SPANS if columns[5] == "." else Layout.PLACES if paired else None
    strands = set(columns[8:PAIR_COLUMNS])
    return Layout.PAIRS if n_columns >= PAIR_COLUMNS and paired and strands <= {"+", "-", "."} else None


def _are_places(columns: list[str]) -> bool:
    return all(column.isdecimal() or column == "-1" for column in columns)


def _is_single(columns: list[str]) -> bool:
    return columns[1].isdecimal() and columns[2].isdecimal() and int(columns[2][:18]) == int(columns[1][:18]) + 1
