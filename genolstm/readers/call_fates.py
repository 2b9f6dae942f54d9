"""What becomes of the reads and of the calls of a file of modified bases, and how it is told."""

from collections.abc import Mapping
from enum import IntEnum
from typing import TypeVar

Kind = TypeVar("Kind", bound=IntEnum)


class Outcome(IntEnum):
    """What becomes of a read. The first that applies is counted."""

    USED = 0
    UNMAPPED = 1
    FOREIGN = 2
    SECONDARY = 3
    SUPPLEMENTARY = 4
    QC_FAIL = 5
    DUPLICATE = 6
    LOW_QUALITY = 7
    NO_TAGS = 8
    NO_SEQUENCE = 9
    PAST_END = 10
    NO_ALIGNMENT = 11
    MISFIT = 12
    HARD_CLIPPED = 13
    NO_LEVELS = 14
    SHORT_LEVELS = 15
    DAMAGED = 16
    OTHER_CODES = 17
    NO_STRAND = 18
    SURPLUS = 19  # counted beside USED: ML is longer than MM


class Call(IntEnum):
    """What becomes of a call. The first four are calls at sites; IMPLIED are those of them that MM leaves unsaid.

    ELSEWHERE are Bismark's calls in CHG and CHH where CpGs were asked for.
    """

    MODIFIED = 0
    CANONICAL = 1
    UNSURE = 2
    OTHER = 3
    OFF_MOTIF = 4
    MISMATCH = 5
    UNALIGNED = 6
    IMPLIED = 7
    ELSEWHERE = 8


AT_SITES = (Call.MODIFIED, Call.CANONICAL, Call.UNSURE, Call.OTHER)


def reasons(code: str, min_mapq: int) -> dict[Outcome, str]:
    """Words for why a read is skipped. code : the modifications that were asked for."""
    return {
        Outcome.UNMAPPED: "unmapped",
        Outcome.FOREIGN: "contig not in genome",
        Outcome.SECONDARY: "secondary alignment",
        Outcome.SUPPLEMENTARY: "supplementary alignment",
        Outcome.QC_FAIL: "failed quality control",
        Outcome.DUPLICATE: "duplicate",
        Outcome.LOW_QUALITY: f"mapping quality below {min_mapq}",
        Outcome.NO_TAGS: "without MM or XM tag",
        Outcome.NO_SEQUENCE: "without SEQ",
        Outcome.PAST_END: "past the contig end",
        Outcome.NO_ALIGNMENT: "mapped but without aligned bases",
        Outcome.MISFIT: "tags that do not fit SEQ",
        Outcome.HARD_CLIPPED: "hard-clipped, without the MN tag that tells whether MM fits SEQ",
        Outcome.NO_LEVELS: "MM without ML",
        Outcome.SHORT_LEVELS: "ML shorter than MM",
        Outcome.DAMAGED: "damaged MM, ML or XM tag",
        Outcome.OTHER_CODES: f"tags of other modifications than '{code}'",
        Outcome.NO_STRAND: "XM without XG",
    }


def dropped_words(motif: str, threshold: float) -> dict[Call, str]:
    """Words for each kind of call that is not counted."""
    return {
        Call.UNSURE: f"neither modified nor canonical with probability {threshold:g}",
        Call.OTHER: "another modification",
        Call.OFF_MOTIF: f"not at {motif} in the genome",
        Call.MISMATCH: "genome or read has another base there",
        Call.UNALIGNED: "base inserted or clipped",
        Call.ELSEWHERE: "XM calls outside CpG",
    }


def told(counts: Mapping[Kind, int], words: Mapping[Kind, str]) -> dict[str, int]:
    """Reason -> how many, commonest first; none that did not happen."""
    found = {word: int(counts[kind]) for kind, word in words.items() if int(counts[kind])}
    return dict(sorted(found.items(), key=lambda item: -item[1]))
