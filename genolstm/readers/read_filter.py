"""Why an aligned read is used or skipped: one rule and one set of reasons for every reader of alignments."""

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from genolstm.readers.sam_codes import DUPLICATE, PAIRED, PROPER, QC_FAIL, SECONDARY, SUPPLEMENTARY, UNMAPPED

Kind = TypeVar("Kind", bound=IntEnum)


class ReadFilter(IntEnum):
    """What becomes of a read. The first that applies is counted, in this order.

    Those from NO_TAGS on are of reads with modified bases.
    """

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
    NO_TAGS = 12
    NO_SEQUENCE = 13
    MISFIT = 14
    HARD_CLIPPED = 15
    NO_LEVELS = 16
    SHORT_LEVELS = 17
    DAMAGED = 18
    EMPTY_TAGS = 19
    OTHER_CODES = 20
    NO_STRAND = 21
    SURPLUS = 22  # counted beside USED: ML is longer than MM


class FlagRules(NamedTuple):
    """Requirements on the fixed columns of a read. excluded : flags of which it may have none."""

    min_mapq: int
    excluded: int = SECONDARY | SUPPLEMENTARY | QC_FAIL | DUPLICATE
    proper: bool = False


def filter_by_flags(flag: int, mapq: int, rules: FlagRules, *, is_placed: bool, in_genome: bool) -> ReadFilter:
    """What the fixed columns of a read decide; USED where they leave it in.

    is_placed : it names a contig and a position.   in_genome : the genome has that contig.
    """
    if flag & UNMAPPED or not is_placed:
        return ReadFilter.UNMAPPED
    if not in_genome:
        return ReadFilter.FOREIGN
    refused = flag & rules.excluded
    for bit, reason in (
        (SECONDARY, ReadFilter.SECONDARY),
        (SUPPLEMENTARY, ReadFilter.SUPPLEMENTARY),
        (QC_FAIL, ReadFilter.QC_FAIL),
        (DUPLICATE, ReadFilter.DUPLICATE),
    ):
        if refused & bit:
            return reason
    if rules.proper and flag & (PAIRED | PROPER) != PAIRED | PROPER:
        return ReadFilter.IMPROPER
    return ReadFilter.LOW_QUALITY if mapq < rules.min_mapq else ReadFilter.USED


def skip_reasons(min_mapq: int, code: str = "") -> dict[ReadFilter, str]:
    """Reasons why a read is skipped. code : the wanted modifications."""
    return {
        ReadFilter.UNMAPPED: "unmapped",
        ReadFilter.FOREIGN: "contig not in genome",
        ReadFilter.SECONDARY: "secondary alignment",
        ReadFilter.SUPPLEMENTARY: "supplementary alignment",
        ReadFilter.QC_FAIL: "failed quality control",
        ReadFilter.DUPLICATE: "duplicate",
        ReadFilter.IMPROPER: "not a proper pair",
        ReadFilter.LOW_QUALITY: f"mapping quality below {min_mapq}",
        ReadFilter.NO_ALIGNMENT: "mapped but without aligned bases",
        ReadFilter.PAST_END: "past the contig end",
        ReadFilter.CUT_PAST_END: "cut shifted past the contig end",
        ReadFilter.NO_TAGS: "without MM or XM tag",
        ReadFilter.NO_SEQUENCE: "without SEQ",
        ReadFilter.MISFIT: "tags that do not fit SEQ",
        ReadFilter.HARD_CLIPPED: "hard-clipped, without the MN tag that tells whether MM fits SEQ",
        ReadFilter.NO_LEVELS: "MM without ML",
        ReadFilter.SHORT_LEVELS: "ML shorter than MM",
        ReadFilter.DAMAGED: "damaged MM, ML or XM tag",
        ReadFilter.EMPTY_TAGS: "MM tag that names no modification",
        ReadFilter.OTHER_CODES: f"tags of other modifications than '{code}'",
        ReadFilter.NO_STRAND: "XM without XG",
    }


def commonest_first(counts: Mapping[Kind, int] | NDArray[np.int64], reasons: Mapping[Kind, str]) -> dict[str, int]:
    """Reason -> how many, commonest first; none that did not happen. counts : by kind."""
    found = {reason: int(counts[kind]) for kind, reason in reasons.items() if int(counts[kind])}
    return dict(sorted(found.items(), key=lambda item: -item[1]))
