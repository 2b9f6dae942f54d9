"""Which reads a track counts, and at which base."""

from dataclasses import dataclass
from enum import StrEnum

from genolstm.errors import UsageError
from genolstm.settings.option import option
from genolstm.settings.record import Settings


class Assay(StrEnum):
    """What a track counts: where Tn5 has cut, or how many reads cover each base."""

    ATAC = "atac"
    COVERAGE = "coverage"


class Shift(StrEnum):
    """Whether cut sites are still to be shifted; auto: yes, but for fragments with a barcode column."""

    AUTO = "auto"
    APPLY = "apply"
    DONE = "done"


@dataclass(frozen=True, kw_only=True)
class TrackSettings(Settings):
    """Which reads a track counts, and at which base.

    min_mapq : mapping quality that a read needs.   proper_pairs : count only reads of proper pairs.
    keep_duplicates : count duplicates too.   shift : see `Shift`.
    forward_shift, reverse_shift : bp from the 5' end of a read to the base counted as cut: a forward read on
    [start, end) cuts at start + 4, a reverse read at end - 5, which is 4 bases inside its last base. Tn5 leaves 9 bp
    of overlap, so both name the middle base of the same cut (Buenrostro et al. 2013, +4/-5).
    """

    assay: Assay = option(Assay.ATAC, "atac: Tn5 cut sites; coverage: reads over each base.")
    min_mapq: int = option(10, "Mapping quality that a read needs.", min=0, max=255)
    proper_pairs: bool = option(False, "Count only reads of proper pairs.")
    keep_duplicates: bool = option(False, "Count reads marked as duplicates too.")
    shift: Shift = option(
        Shift.AUTO, "Move ends by +4/-5 to the cut: apply; done already; auto: done in 10x fragments."
    )
    forward_shift: int = 4
    reverse_shift: int = -5

    def __post_init__(self) -> None:
        object.__setattr__(self, "assay", Assay(self.assay))
        object.__setattr__(self, "shift", Shift(self.shift))
        if not 0 <= self.min_mapq <= 255:
            raise UsageError(f"the mapping quality must lie within 0 and 255, not be {self.min_mapq}.")
        if self.assay is Assay.COVERAGE and self.shift is not Shift.AUTO:
            raise UsageError("--shift moves read ends to Tn5 cuts, and coverage counts whole reads: leave it out.")
