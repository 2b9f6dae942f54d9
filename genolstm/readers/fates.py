"""What becomes of an aligned read: used, or skipped for a reason; the readable rule, and its words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from genolstm.settings.track import Assay, TrackSettings

PAIRED, PROPER, UNMAPPED, REVERSE = 0x1, 0x2, 0x4, 0x10  # flags of the SAM specification, section 1.4
SECONDARY, QC_FAIL, DUPLICATE, SUPPLEMENTARY = 0x100, 0x200, 0x400, 0x800
CIGAR_LETTERS = "MIDNSHP=X"  # in the order of the BAM codes
MATCH, INSERTION, DELETION, SKIP, SOFT_CLIP, HARD_CLIP, PADDING, SAME, MISMATCH = range(9)
ON_REFERENCE = frozenset({MATCH, DELETION, SKIP, SAME, MISMATCH})
COVERING = frozenset({MATCH, SAME, MISMATCH})  # bases of the read: neither deleted nor skipped ones, as samtools depth


class Fate(IntEnum):
    """What becomes of a read. The first that applies is counted, in this order."""

    USED = 0
    UNMAPPED = 1
    FOREIGN = 2
    SECONDARY = 3
    SUPPLEMENTARY = 4
    QC_FAIL = 5
    DUPLICATE = 6
    IMPROPER = 7
    LOW_QUALITY = 8
    NO_ALIGNMENT = 9
    PAST_END = 10
    CUT_PAST_END = 11


def reasons(settings: TrackSettings) -> dict[Fate, str]:
    """Words for each fate but USED."""
    return {
        Fate.UNMAPPED: "unmapped",
        Fate.FOREIGN: "contig not in genome",
        Fate.SECONDARY: "secondary alignment",
        Fate.SUPPLEMENTARY: "supplementary alignment",
        Fate.QC_FAIL: "failed quality control",
        Fate.DUPLICATE: "duplicate",
        Fate.IMPROPER: "not a proper pair",
        Fate.LOW_QUALITY: f"mapping quality below {settings.min_mapq}",
        Fate.NO_ALIGNMENT: "mapped but without aligned bases",
        Fate.PAST_END: "past the contig end",
        Fate.CUT_PAST_END: "cut shifted past the contig end",
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """What to do with reads: filters, shifts, and where the contigs of the input lie in the genome.

    first : int64 [contigs of the input], where each begins when the contigs of the genome are laid end to end; -1 for
    one that the genome lacks.   length : int64 [contigs of the input], in bp.
    excluded : flags of which a read may have none.   forward_shift, reverse_shift : bp from the first base of a
    forward read, and from the half-open end of a reverse read, to the base that is counted as cut.
    """

    first: NDArray[np.int64]
    length: NDArray[np.int64]
    min_mapq: int
    excluded: int
    proper: bool
    cuts: bool
    forward_shift: int
    reverse_shift: int


def plan(settings: TrackSettings, first: NDArray[np.int64], length: NDArray[np.int64], *, shifted: bool) -> Plan:
    """Settle what settings ask for. shifted : the input's ends are cut sites already."""
    kept = 0 if not settings.keep_duplicates else DUPLICATE
    return Plan(
        first=first,
        length=length,
        min_mapq=settings.min_mapq,
        excluded=(SECONDARY | SUPPLEMENTARY | QC_FAIL | DUPLICATE) & ~kept,
        proper=settings.proper_pairs,
        cuts=settings.assay is Assay.ATAC,
        forward_shift=0 if shifted else settings.forward_shift,
        reverse_shift=0 if shifted else settings.reverse_shift,
    )


def fate_by_flags(flag: int, contig: int, start: int, mapq: int, wanted: Plan) -> Fate:
    """What the fixed columns of a read decide; USED where they leave it in."""
    if flag & UNMAPPED or contig < 0 or start < 0:
        return Fate.UNMAPPED
    if wanted.first[contig] < 0:
        return Fate.FOREIGN
    refused = flag & wanted.excluded
    for bit, fate in (
        (SECONDARY, Fate.SECONDARY),
        (SUPPLEMENTARY, Fate.SUPPLEMENTARY),
        (QC_FAIL, Fate.QC_FAIL),
        (DUPLICATE, Fate.DUPLICATE),
    ):
        if refused & bit:
            return fate
    if wanted.proper and flag & (PAIRED | PROPER) != PAIRED | PROPER:
        return Fate.IMPROPER
    return Fate.LOW_QUALITY if mapq < wanted.min_mapq else Fate.USED


def place(
    flag: int, contig: int, start: int, cigar: Sequence[tuple[int, int]], wanted: Plan
) -> tuple[Fate, list[tuple[int, int]]]:
    """Fate of a read that its flags left in, and what of the genome it counts for.

    cigar : (operation, length).   Returns the base that it cuts as one span, or the spans that its bases cover;
    0-based, half open, in the genome laid end to end.
    """
    end = start + sum(length for operation, length in cigar if operation in ON_REFERENCE)
    if not any(length for operation, length in cigar if operation in COVERING):
        return Fate.NO_ALIGNMENT, []
    if end > wanted.length[contig]:
        return Fate.PAST_END, []
    first = int(wanted.first[contig])
    if wanted.cuts:
        cut = end + wanted.reverse_shift if flag & REVERSE else start + wanted.forward_shift
        if not 0 <= cut < wanted.length[contig]:
            return Fate.CUT_PAST_END, []
        return Fate.USED, [(first + cut, first + cut + 1)]
    spans: list[tuple[int, int]] = []
    at = first + start
    for operation, length in cigar:
        if operation in COVERING and length:
            if spans and spans[-1][1] == at:
                spans[-1] = spans[-1][0], at + length
            else:
                spans.append((at, at + length))
        at += length if operation in ON_REFERENCE else 0
    return Fate.USED, spans


def skipped(counts: Mapping[Fate, int] | NDArray[np.int64], settings: TrackSettings) -> dict[str, int]:
    """Reason -> number of reads, commonest first. counts : by fate."""
    told = {reason: int(counts[fate]) for fate, reason in reasons(settings).items() if int(counts[fate])}
    return dict(sorted(told.items(), key=lambda item: -item[1]))
