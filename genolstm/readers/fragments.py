"""Fragments as text: one line for the stretch between two Tn5 cuts, as 10x and MACS (BEDPE) write them.

Three columns (contig, start, end) are whole fragments, which span from the first base of one read to the last of the
other. A fourth column (barcode) and a fifth (number of read pairs) make a 10x file: its starts were moved by +4 and its
ends by -5 already. A line counts once, whatever its fifth column says: these are duplicates.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError, UsageError
from genolstm.settings.track import Assay, Shift, TrackSettings

Ints = NDArray[np.int64]

WHOLE_COLUMNS, TENX_COLUMNS = 3, (4, 5)
BLOCK_FRAGMENTS = 1 << 16
LONGEST_SHOWN = 60  # characters of a bad line that a message repeats
FOREIGN, NO_BASES = "contig not in genome", "fragment without a base"
PAST_END, CUT_PAST_END = "past the contig end", "cut shifted past the contig end"


class Fragments:
    """The fragments of one file as spans, and what became of them.

    lengths : bp of the genome's contigs.   read : of cuts, two for each line, of coverage, one.
    skipped : reason -> number likewise.   contigs : names in the file.   shifted : the cuts were taken as they are.
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

    def spans(self, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[Ints, Ints]]:
        """Starts and ends [n] of some spans at a time, 0-based, half open, in the genome laid end to end.

        Raises InputError for a line that is no fragment.
        """
        starts: list[int] = []
        ends: list[int] = []
        n_columns = 0
        weight = 2 if self.cuts else 1
        for number, line in lines:
            if not line.strip() or line.startswith("#"):
                continue
            columns = line.split("\t") if "\t" in line else line.split()
            if len(columns) != n_columns:
                n_columns = self._n_columns(columns, n_columns, number, line)
                forward, reverse = self._shifts()
            start, end = self._span(columns, number, line)
            self.read += weight
            self.contigs[columns[0]] = None
            first, length = self.places.get(columns[0], (-1, 0))
            if first < 0:
                self.skipped[FOREIGN] += weight
            elif end > length:
                self.skipped[PAST_END] += weight
            elif start == end:
                self.skipped[NO_BASES] += weight
            elif self.cuts:
                for cut in (start + forward, end + reverse):
                    if 0 <= cut < length:
                        starts.append(first + cut)
                        ends.append(first + cut + 1)
                    else:
                        self.skipped[CUT_PAST_END] += 1
            else:
                starts.append(first + start)
                ends.append(first + end)
            if len(starts) >= BLOCK_FRAGMENTS:
                yield np.array(starts, np.int64), np.array(ends, np.int64)
                starts, ends = [], []
        if starts:
            yield np.array(starts, np.int64), np.array(ends, np.int64)

    def _n_columns(self, columns: list[str], before: int, number: int, line: str) -> int:
        """Take the number of columns from the first line, and hold the others to it."""
        found = len(columns)
        if before:
            raise InputError(
                f"{self.source}, line {number} has {found} columns, and the lines before it have {before}:"
                f" {_shown(line)}; correct the line."
            )
        if found != WHOLE_COLUMNS and found not in TENX_COLUMNS:
            raise InputError(
                f"{self.source}, line {number} has {found} column{'s' * (found != 1)}: {_shown(line)}; give BAM, CRAM,"
                " SAM, or fragments of 3 columns (contig, start, end), 4 or 5 (10x)."
            )
        shift = self.settings.shift
        self.shifted = shift is Shift.DONE or (shift is Shift.AUTO and found in TENX_COLUMNS)
        return found

    def _shifts(self) -> tuple[int, int]:
        return (0, 0) if self.shifted else (self.settings.forward_shift, self.settings.reverse_shift)

    def _span(self, columns: list[str], number: int, line: str) -> tuple[int, int]:
        try:
            start, end = int(columns[1]), int(columns[2])
        except ValueError:
            raise InputError(
                f"{self.source}, line {number}: start and end must be whole numbers: {_shown(line)};"
                " give BAM, CRAM, SAM or fragments, and put '#' before a line of column names."
            ) from None
        if start < 0 or end < start:
            raise InputError(
                f"{self.source}, line {number}: the fragment {start} to {end} has a negative"
                f" {'start' if start < 0 else 'length'}; correct the line."
            )
        return start, end


def _shown(line: str) -> str:
    shown = repr(line)
    return shown if len(shown) <= LONGEST_SHOWN else shown[:LONGEST_SHOWN] + "...'"
