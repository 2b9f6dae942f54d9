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

BLOCK_FRAGMENTS = 1 << 16
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
        firsts = np.cumsum([0, *lengths.values()]).tolist()
        self.places = {name: (first, lengths[name]) for name, first in zip(lengths, firsts, strict=False)}
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
        n_columns = 0
        for number, line in lines:
            if not line.strip() or line.startswith("#"):
                continue
            columns = line.split("\t") if "\t" in line else line.split()
            if len(columns) != n_columns:
                if columns[0].split(maxsplit=1)[0:1] and columns[0].split(maxsplit=1)[0] in BROWSER_LINES:
                    continue
                n_columns = self._begin(columns, n_columns, number, line)
            if self.layout in STRANDED:
                self._add_reads(columns, number, line, starts, ends)
            else:
                self._add_fragment(columns, number, line, starts, ends)
            if len(starts) >= BLOCK_FRAGMENTS:
                yield np.array(starts, np.int64), np.array(ends, np.int64)
                starts, ends = [], []
        if starts:
            yield np.array(starts, np.int64), np.array(ends, np.int64)

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
        """Both cuts of a whole fragment, or the bases that it spans."""
        weight = 2 if self.cuts else 1
        self.read += weight
        contig, first, last = columns[0], columns[1], columns[2]
        if self.layout is Layout.PLACES:
            if columns[3] != contig or contig == ".":
                self.skipped[UNMAPPED if "." in (contig, columns[3]) else TWO_CONTIGS] += weight
                return
            one, two = self._span(first, last, number, line), self._span(columns[4], columns[5], number, line)
            start, end = min(one[0], two[0]), max(one[1], two[1])
        else:
            start, end = self._span(first, last, number, line)
        self.contigs[contig] = None
        offset, length = self.places.get(contig, (-1, 0))
        if reason := _misplaced(offset, length, start, end):
            self.skipped[reason] += weight
        elif not self.cuts:
            starts.append(offset + start)
            ends.append(offset + end)
        else:
            for cut in (start + self.forward, end + self.reverse):
                if 0 <= cut < length:
                    starts.append(offset + cut)
                    ends.append(offset + cut + 1)
                else:
                    self.skipped[CUT_PAST_END] += 1

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
