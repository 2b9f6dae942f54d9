"""Which reads a track counts, and at which base."""

import re
from dataclasses import dataclass
from enum import StrEnum

from genolstm.errors import UsageError
from genolstm.settings.option import option
from genolstm.settings.record import Settings

MOST_SHIFT = 1000  # bp
_NUMBER = re.compile(r"[-+]?[0-9]{1,9}")


class Assay(StrEnum):
    """What a track counts: where Tn5 has cut, or how many reads cover each base."""

    ATAC = "atac"
    COVERAGE = "coverage"


class Shift(StrEnum):
    """Whether ends are still to be moved to the cut; auto: yes, but for 10x fragments and single-base insertions."""

    AUTO = "auto"
    APPLY = "apply"
    DONE = "done"


@dataclass(frozen=True, kw_only=True)
class TrackSettings(Settings):
    """Which reads a track counts, and at which base.

    min_mapq : mapping quality that a read needs.   proper_pairs : count only reads of proper pairs.
    keep_duplicates : count duplicates too.   shift : see `Shift`.
    forward_shift, reverse_shift : bp from the start of a forward read, and from the half-open end of a reverse read, to
    the base counted as cut. By default a forward read on [start, end) cuts at start + 4 and a reverse read at end - 5,
    which is 4 bases inside its last base, end - 1: Tn5 cuts the strands 9 bp apart, and so the two reads of one
    insertion meet on its middle base (Buenrostro et al. 2013, +4/-5). Tools that take 5 from the last base itself
    count reverse reads one base further inside: that is a reverse_shift of -6 here.
    """

    assay: Assay = option(Assay.ATAC, "atac: Tn5 cut sites; coverage: reads over each base.")
    min_mapq: int = option(10, "Mapping quality that a read needs.", min=0, max=255)
    proper_pairs: bool = option(False, "Count only reads of proper pairs.")
    keep_duplicates: bool = option(False, "Count reads marked as duplicates too.")
    shift: Shift = Shift.AUTO
    forward_shift: int = 4
    reverse_shift: int = -5

    def __post_init__(self) -> None:
        object.__setattr__(self, "assay", Assay(self.assay))
        object.__setattr__(self, "shift", Shift(self.shift))
        if not 0 <= self.min_mapq <= 255:
            raise UsageError(f"the mapping quality must lie within 0 and 255, not be {self.min_mapq}.")
        if max(abs(self.forward_shift), abs(self.reverse_shift)) > MOST_SHIFT:
            raise UsageError(f"a read's end is moved by {MOST_SHIFT:,} bp at most; give --shift as 4,-5.")
        if self.assay is Assay.COVERAGE and self.shift is not Shift.AUTO:
            raise UsageError("--shift moves read ends to Tn5 cuts, and coverage counts whole reads: leave it out.")


def parsed_shift(text: str) -> tuple[Shift, int, int]:
    """Value of --shift: auto, apply, done, or FORWARD,REVERSE in bp, which are applied. Raises UsageError."""
    if text in set(Shift):
        return Shift(text), TrackSettings.forward_shift, TrackSettings.reverse_shift
    numbers = [part.strip() for part in text.split(",")]
    if len(numbers) != 2 or not all(_NUMBER.fullmatch(number) for number in numbers):
        raise UsageError(f"--shift is auto, apply, done, or two whole numbers as in 4,-5; not {text[:40]!r}.")
    forward, reverse = map(int, numbers)
    return Shift.APPLY, forward, reverse
