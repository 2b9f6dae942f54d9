"""Flags and CIGAR operations as the SAM specification numbers them (sections 1.4 and 4.2)."""

PAIRED, PROPER, UNMAPPED, MATE_UNMAPPED, REVERSE, FIRST, LAST = 0x1, 0x2, 0x4, 0x8, 0x10, 0x40, 0x80
SECONDARY, QC_FAIL, DUPLICATE, SUPPLEMENTARY = 0x100, 0x200, 0x400, 0x800
CIGAR_LETTERS = "MIDNSHP=X"  # in the order of the BAM codes
MATCH, INSERTION, DELETION, SKIP, SOFT_CLIP, HARD_CLIP, PADDING, SAME, MISMATCH = range(9)
ON_REFERENCE = frozenset({MATCH, DELETION, SKIP, SAME, MISMATCH})
COVERING = frozenset({MATCH, SAME, MISMATCH})  # bases of the read: neither deleted nor skipped ones, as samtools depth
