"""Tn5 cut sites by a plain loop over pysam's reads: what most people write, and what the fast path is held against."""

from pathlib import Path

import numpy as np
import pysam
from numpy.typing import NDArray

from genolstm.settings.track import TrackSettings


def cut_sites_slowly(path: Path | str, settings: TrackSettings) -> dict[str, NDArray[np.int64]]:
    """Positions of the cuts of a BAM file, 0-based, by contig in its order and in read order.

    As ``alignments.count_reads`` with the +4/-5 shift, but for the genome: all contigs, also those it lacks.
    """
    cuts: dict[str, list[int]] = {}
    with pysam.AlignmentFile(str(path), check_sq=False) as file:
        lengths = dict(zip(file.references, file.lengths, strict=True))
        for name in lengths:
            cuts[name] = []
        for read in file:
            if read.is_unmapped or read.reference_id < 0 or read.reference_start < 0 or read.reference_end is None:
                continue
            if read.is_secondary or read.is_supplementary or read.is_qcfail:
                continue
            if read.is_duplicate and not settings.keep_duplicates:
                continue
            if settings.proper_pairs and not (read.is_paired and read.is_proper_pair):
                continue
            if read.mapping_quality < settings.min_mapq:
                continue
            if read.is_reverse:
                cut = read.reference_end + settings.reverse_shift
            else:
                cut = read.reference_start + settings.forward_shift
            name = str(read.reference_name)
            if read.reference_end <= lengths[name] and 0 <= cut < lengths[name]:
                cuts[name].append(cut)
    return {name: np.array(positions, dtype=np.int64) for name, positions in cuts.items()}
