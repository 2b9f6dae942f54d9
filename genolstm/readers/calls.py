"""Outcomes of the calls of reads with modified bases, and their descriptions."""

from enum import IntEnum


class Call(IntEnum):
    """Outcome of a call. The first four are calls at sites; IMPLIED are those of them that MM does not list.

    ELSEWHERE are Bismark's calls in CHG and CHH where CpGs are wanted. SECOND_MATE are calls of a base that the
    other read of the same fragment has called too, whose call counts.
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
    SECOND_MATE = 9


AT_SITES = (Call.MODIFIED, Call.CANONICAL, Call.UNSURE, Call.OTHER)
SECOND_MATE_REASON = "second read of a fragment at the same base"


def dropped_reasons(motif: str, threshold: float) -> dict[Call, str]:
    """Description of each kind of call that is not counted."""
    return {
        Call.UNSURE: f"neither modified nor canonical with probability {threshold:g}",
        Call.OTHER: "another modification",
        Call.OFF_MOTIF: f"not at {motif} in the genome",
        Call.MISMATCH: "genome or read has another base there",
        Call.UNALIGNED: "base inserted or clipped",
        Call.ELSEWHERE: "XM calls outside CpG",
        Call.SECOND_MATE: SECOND_MATE_REASON,
    }
