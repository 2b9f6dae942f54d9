"""What of the genome an aligned read counts for: the base that it cuts, or what its bases cover; the readable rule."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genolstm.readers.read_filter import FlagRules, ReadFilter, filter_by_flags
from genolstm.readers.sam_codes import COVERING, DUPLICATE, ON_REFERENCE, QC_FAIL, REVERSE, SECONDARY, SUPPLEMENTARY
from genolstm.settings.track import Assay, TrackSettings


@dataclass(frozen=True, kw_only=True, eq=False)
class SpanPlan:
    """What to do with reads: filters, shifts, and where the contigs of the input lie in the genome.

    first : int64 [contigs of the input], where each begins when the contigs of the genome are laid end to end; -1 for
    one that the genome lacks.   length : int64 [contigs of the input], in bp.   rules : of the fixed columns.
    forward_shift, reverse_shift : bp from the first base of a forward read, and from the half-open end of a reverse
    read, to the base that is counted as cut.
    """

    first: NDArray[np.int64]
    length: NDArray[np.int64]
    rules: FlagRules
    cuts: bool
    forward_shift: int
    reverse_shift: int


def span_plan(
    settings: TrackSettings, first: NDArray[np.int64], length: NDArray[np.int64], *, shifted: bool
) -> SpanPlan:
    """Plan by the settings. shifted : the input's ends are cut sites already."""
    kept = 0 if not settings.keep_duplicates else DUPLICATE
    return SpanPlan(
        first=first,
        length=length,
        rules=FlagRules(
            min_mapq=settings.min_mapq,
            excluded=(SECONDARY | SUPPLEMENTARY | QC_FAIL | DUPLICATE) & ~kept,
            proper=settings.proper_pairs,
        ),
        cuts=settings.assay is Assay.ATAC,
        forward_shift=0 if shifted else settings.forward_shift,
        reverse_shift=0 if shifted else settings.reverse_shift,
    )


def filtered(flag: int, contig: int, start: int, mapq: int, wanted: SpanPlan) -> ReadFilter:
    """What the fixed columns of a read decide; contig, start : -1 for none."""
    is_placed = contig >= 0 and start >= 0
    in_genome = is_placed and bool(wanted.first[contig] >= 0)
    return filter_by_flags(flag, mapq, wanted.rules, is_placed=is_placed, in_genome=in_genome)


def place(
    flag: int, contig: int, start: int, cigar: Sequence[tuple[int, int]], wanted: SpanPlan
) -> tuple[ReadFilter, list[tuple[int, int]]]:
    """What becomes of a read that its flags left in, and what of the genome it counts for.

    cigar : (operation, length).   Returns the base that it cuts as one span, or the spans that its bases cover;
    0-based, half open, in the genome laid end to end.
    """
    end = start + sum(length for operation, length in cigar if operation in ON_REFERENCE)
    if not any(length for operation, length in cigar if operation in COVERING):
        return ReadFilter.NO_ALIGNMENT, []
    if end > wanted.length[contig]:
        return ReadFilter.PAST_END, []
    first = int(wanted.first[contig])
    if wanted.cuts:
        cut = end + wanted.reverse_shift if flag & REVERSE else start + wanted.forward_shift
        if not 0 <= cut < wanted.length[contig]:
            return ReadFilter.CUT_PAST_END, []
        return ReadFilter.USED, [(first + cut, first + cut + 1)]
    spans: list[tuple[int, int]] = []
    at = first + start
    for operation, length in cigar:
        if operation in COVERING and length:
            if spans and spans[-1][1] == at:
                spans[-1] = spans[-1][0], at + length
            else:
                spans.append((at, at + length))
        at += length if operation in ON_REFERENCE else 0
    return ReadFilter.USED, spans
