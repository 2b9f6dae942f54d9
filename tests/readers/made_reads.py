"""Reads that tests make, drawn at random."""

import numpy as np
import pysam

LENGTHS = {"chrI": 5000, "chrII": 1200, "chrIII": 300}
CIGARS = (
    "50M",
    "10S40M",
    "5H20M2I28M3S",
    "30M5D20M",
    "20M100N30M",
    "25=1X24=",
    "1M1D1M1D48M",
    "12M3I10M2D25M",
    "2M48S",
    "*",
)
BITS = (0x4, 0x10, 0x100, 0x200, 0x400, 0x800)
ON_READ = frozenset("MIS=X")


def cigar_tuples(text):
    """Operations of a CIGAR as pysam takes them."""
    found, size = [], ""
    for letter in text:
        if letter.isdigit():
            size += letter
        else:
            found.append(("MIDNSHP=X".index(letter), int(size)))
            size = ""
    return found


def read_on(contig, start, *, flag=0, cigar="50M", mapq=42, name="r"):
    """One aligned read; contig : index, start : 0-based."""
    read = pysam.AlignedSegment()
    read.query_name, read.flag, read.reference_id, read.reference_start = name, flag, contig, start
    read.mapping_quality = mapq
    operations = [] if cigar == "*" else cigar_tuples(cigar)
    size = sum(length for code, length in operations if "MIDNSHP=X"[code] in ON_READ) or 50
    read.query_sequence = "ACGT" * (size // 4) + "ACGT"[: size % 4]
    read.query_qualities = pysam.qualitystring_to_array("I" * size)
    if operations:
        read.cigartuples = operations
    return read


def drawn_reads(seed, n, lengths=LENGTHS):
    """Reads of every kind, some past the end of their contig, in no order."""
    rng = np.random.default_rng(seed)
    sizes = list(lengths.values())
    for place in range(n):
        contig = int(rng.integers(-1, len(sizes)))
        flag = int(sum(bit for bit in BITS if rng.random() < 0.12)) | (0x4 if contig < 0 else 0)
        flag |= int(rng.choice([0, 0x1, 0x3])) | int(rng.choice([0, 0x10]))
        at_end = rng.random() < 0.05  # where cuts are shifted over the end
        start = (sizes[contig] - 2 if at_end else int(rng.integers(0, sizes[contig]))) if contig >= 0 else -1
        yield read_on(
            contig,
            start,
            flag=flag,
            cigar="*" if contig < 0 else "2M48S" if at_end else str(rng.choice(CIGARS)),
            mapq=int(rng.choice([0, 5, 9, 10, 30, 255])),
            name=f"r{place}",
        )
