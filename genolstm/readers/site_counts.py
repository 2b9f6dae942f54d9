"""What a reader of methylation gives: modified and covered counts at sites, and what became of its records."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class SiteCounts:
    """Counts of one file, sorted by contig, position and strand, each site once.

    contigs : names.   contig : int32 [N].   position : int64 [N], 0-based.   strand : int8 [N], +1, -1 or 0.
    modified, covered : int32 [N, S].   samples : S names, empty text where the file does not name them.
    read, used, skipped : records and reasons.   calls : calls at sites, before the threshold.
    dropped : reason -> calls not counted.   warnings : one sentence each.   form : how the file was read, as text.
    """

    contigs: tuple[str, ...]
    contig: NDArray[np.int32]
    position: NDArray[np.int64]
    strand: NDArray[np.int8]
    modified: NDArray[np.int32]
    covered: NDArray[np.int32]
    samples: tuple[str, ...]
    read: int
    used: int
    skipped: dict[str, int]
    calls: int
    dropped: dict[str, int]
    warnings: tuple[str, ...]
    form: str = ""
