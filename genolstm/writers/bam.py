"""BAM from SAM text."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pysam


def write_bam(path: Path, lengths: Mapping[str, int], lines: Iterable[str]) -> None:
    """Write SAM lines as BAM, in their order. lengths : bp of each contig."""
    header = pysam.AlignmentHeader.from_references(list(lengths), list(lengths.values()))
    with pysam.AlignmentFile(str(path), "wb", header=header) as out:
        for line in lines:
            out.write(pysam.AlignedSegment.fromstring(line, header))
