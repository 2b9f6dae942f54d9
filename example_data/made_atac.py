"""Paired ATAC reads of the made organism, cut more often in open promoters, with the blemishes real BAM files have.

A cut is told as the 0-based base at the middle of the Tn5 insertion: a forward read starts 4 bases before it, a
reverse read ends (half open) 5 bases after it.
"""

from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pysam
from made_genome import Contig, Interval
from made_sequence import BASES, markov_table, markov_text, whole_number

FORWARD_SHIFT_BP, REVERSE_SHIFT_BP = 4, 5
READ_BP, PAIRS = 36, 35_000
QUALITY = 37
FRAGMENTS = ((0.72, 72, 18), (0.21, 195, 18), (0.07, 380, 25))  # share, mean and deviation in bp
SHORTEST_FRAGMENT_BP = 38
FREE_FRAGMENT_BP = 130  # fragments shorter than this hold no nucleosome: both cuts want open DNA
CLOSED_SECOND_CUT = 0.15  # share of their second cuts that closed DNA lets pass
MITOCHONDRION, MITOCHONDRION_BP, MITOCHONDRION_SHARE = "chrM", 12_000, 0.03
ERROR_RATE = 0.002
DUPLICATE_SHARE, CLIP_SHARE, INDEL_SHARE, MISHIT_SHARE = 0.03, 0.02, 0.006, 0.04
QC_FAILED_PAIRS, UNMAPPED_PAIRS, HALF_MAPPED_PAIRS, SECONDARY_READS = 60, 80, 40, 50
SURE_MAPQ, UNSURE_MAPQ, MIDDLE_MAPQ = 60, (0, 1, 3), (17, 23, 30, 42)

PAIRED, PROPER, UNMAPPED, MATE_UNMAPPED, REVERSE, MATE_REVERSE, FIRST, SECOND = (1 << bit for bit in range(8))
SECONDARY, QC_FAIL, DUPLICATE = 0x100, 0x200, 0x400
MATCH, INSERTION, DELETION, SOFT_CLIP = 0, 1, 2, 4  # CIGAR codes of the BAM format

Cigar = list[tuple[int, int]]


@dataclass
class Read:
    """One line of the BAM; contig -1 and position -1 where the read has no place."""

    name: str
    flag: int
    contig: int
    position: int
    mapq: int
    cigar: Cigar
    letters: str | None
    mate_contig: int
    mate_position: int
    template_bp: int


def reference_bp(cigar: Cigar) -> int:
    """Return how many reference bases an alignment spans."""
    return sum(length for code, length in cigar if code in (MATCH, DELETION))


def cut_weights(contig: Contig) -> np.ndarray:
    """Return the wanted relative density of cuts [length]: 1 in closed DNA, the planted enrichment in open DNA."""
    weights = np.ones(len(contig.letters))
    for region in contig.open_regions:
        weights[slice(*region.interval)] = region.enrichment
    return weights


def draw_fragments(rng: np.random.Generator, weights: np.ndarray, number: int) -> list[Interval]:
    """Return fragments [start, end) between two cuts, the first drawn by weight, the second a typical length away."""
    cumulative = np.cumsum(weights)
    heaviest = np.percentile(weights, 99)
    shares = np.cumsum([share for share, _, _ in FRAGMENTS])
    fragments = []
    while len(fragments) < number:
        first = int(np.searchsorted(cumulative, rng.random() * cumulative[-1]))
        _, mean_bp, deviation_bp = FRAGMENTS[int(np.searchsorted(shares, rng.random()))]
        length = round(mean_bp + deviation_bp * float(rng.normal()))
        second = first + length if rng.random() < 0.5 else first - length
        if length < SHORTEST_FRAGMENT_BP or not 0 <= second < len(weights):
            continue
        # a nucleosome-long step out of open DNA always lands in closed DNA: only short ones are choosy about both ends
        if (
            length < FREE_FRAGMENT_BP
            and rng.random() > CLOSED_SECOND_CUT + (1 - CLOSED_SECOND_CUT) * weights[second] / heaviest
        ):
            continue
        start, end = min(first, second) - FORWARD_SHIFT_BP, max(first, second) + REVERSE_SHIFT_BP
        if start >= 0 and end <= len(weights):
            fragments.append((start, end))
    return fragments


def draw_cigar(rng: np.random.Generator, *, is_reverse: bool) -> tuple[Cigar, int]:
    """Return an alignment and how many bases its 5' end is clipped: mostly 36M, now and then a clip or an indel."""
    draw = rng.random()
    if draw < CLIP_SHARE:
        clipped, at_start = whole_number(rng, 2, 9), rng.random() < 0.2  # read-through clips the 3' end
        cigar = [(SOFT_CLIP, clipped), (MATCH, READ_BP - clipped)]
        return (cigar if at_start != is_reverse else cigar[::-1]), clipped if at_start else 0
    if draw < CLIP_SHARE + INDEL_SHARE:
        left, indel = whole_number(rng, 10, READ_BP - 13), whole_number(rng, 1, 2)
        if rng.random() < 0.5:
            return [(MATCH, left), (DELETION, indel), (MATCH, READ_BP - left)], 0
        return [(MATCH, left), (INSERTION, indel), (MATCH, READ_BP - left - indel)], 0
    return [(MATCH, READ_BP)], 0


def read_letters(rng: np.random.Generator, reference: str, position: int, cigar: Cigar) -> str:
    """Return the letters a sequencer gives for an alignment, on the reference strand, with rare errors."""
    letters = ""
    for code, length in cigar:
        if code == MATCH:
            letters += reference[position : position + length]
        elif code != DELETION:
            letters += "".join(BASES[whole_number(rng, 0, 3)] for _ in range(length))
        if code in (MATCH, DELETION):
            position += length
    if rng.random() < ERROR_RATE * READ_BP:
        place = whole_number(rng, 0, READ_BP - 1)
        letters = letters[:place] + BASES[whole_number(rng, 0, 3)] + letters[place + 1 :]
    return letters


def draw_mapq(rng: np.random.Generator, repeats: np.ndarray, position: int) -> int:
    """Return a mapping quality: low where half the read lies in a dispersed repeat."""
    if repeats[position : position + READ_BP].mean() > 0.5:
        return UNSURE_MAPQ[whole_number(rng, 0, len(UNSURE_MAPQ) - 1)]
    if rng.random() < MISHIT_SHARE:
        return MIDDLE_MAPQ[whole_number(rng, 0, len(MIDDLE_MAPQ) - 1)]
    return SURE_MAPQ


def draw_pair(
    rng: np.random.Generator, name: str, contig: int, reference: str, repeats: np.ndarray, fragment: Interval
) -> list[Read]:
    """Return the forward and the reverse read of a fragment; which of them is first in the pair is a coin toss."""
    start, end = fragment
    forward_cigar, clipped = draw_cigar(rng, is_reverse=False)
    forward_start = start + clipped
    reverse_cigar, clipped = draw_cigar(rng, is_reverse=True)
    reverse_start = end - clipped - reference_bp(reverse_cigar)
    template_bp = end - clipped - forward_start
    forward_number, reverse_number = (FIRST, SECOND) if rng.random() < 0.5 else (SECOND, FIRST)
    return [
        Read(
            name=name,
            flag=PAIRED | PROPER | strands | number,
            contig=contig,
            position=position,
            mapq=draw_mapq(rng, repeats, position),
            cigar=cigar,
            letters=read_letters(rng, reference, position, cigar),
            mate_contig=contig,
            mate_position=mate_position,
            template_bp=signed_bp,
        )
        for strands, number, position, cigar, mate_position, signed_bp in (
            (MATE_REVERSE, forward_number, forward_start, forward_cigar, reverse_start, template_bp),
            (REVERSE, reverse_number, reverse_start, reverse_cigar, forward_start, -template_bp),
        )
    ]


def with_flag(pair: list[Read], flag: int, name: str | None = None) -> list[Read]:
    """Return copies of both reads with one more flag, under a new name where one is given."""
    return [Read(**{**vars(read), "flag": read.flag | flag, "name": name or read.name}) for read in pair]


def half_mapped(pair: list[Read]) -> list[Read]:
    """Return a pair whose second read found no place; by custom it stands where its mate stands."""
    kept, lost = pair
    kept = Read(**{**vars(kept), "flag": (kept.flag & ~PROPER & ~MATE_REVERSE) | MATE_UNMAPPED})
    kept.mate_position, kept.template_bp = kept.position, 0
    lost = Read(**{**vars(lost), "flag": (lost.flag & ~PROPER & ~REVERSE) | UNMAPPED})
    lost.position, lost.mate_position, lost.template_bp, lost.mapq, lost.cigar = kept.position, kept.position, 0, 0, []
    return [kept, lost]


def unmapped_pair(rng: np.random.Generator, name: str) -> list[Read]:
    """Return two reads of something else."""
    flag = PAIRED | UNMAPPED | MATE_UNMAPPED
    letters = ["".join(BASES[whole_number(rng, 0, 3)] for _ in range(READ_BP)) for _ in range(2)]
    return [
        Read(name, flag | number, -1, -1, 0, [], text, -1, -1, 0)
        for number, text in zip((FIRST, SECOND), letters, strict=True)
    ]


def draw_reads(rng: np.random.Generator, contigs: list[Contig]) -> list[Read]:
    """Return all reads, in no order. Reads on the mitochondrion come last: the FASTA lacks it."""
    mitochondrion = Contig(
        MITOCHONDRION, markov_text(rng, markov_table(rng, (0.4, 0.1, 0.1, 0.4), 2), MITOCHONDRION_BP)
    )
    nuclear_bp = sum(cut_weights(contig).sum() for contig in contigs)
    reads: list[Read] = []
    for index, contig in enumerate([*contigs, mitochondrion]):
        weights, reference = cut_weights(contig), contig.letters.upper()
        share = MITOCHONDRION_SHARE if contig is mitochondrion else weights.sum() / nuclear_bp
        repeats = np.zeros(len(reference))
        for interval in contig.dispersed:
            repeats[slice(*interval)] = 1
        fragments = draw_fragments(rng, weights, round(PAIRS * share))
        # in order, because reads that stand together then have names alike, and the file packs smaller
        fragments = sorted((start, end) for start, end in fragments if not set(reference[start:end]) - set(BASES))
        for number, fragment in enumerate(fragments):
            pair = draw_pair(rng, f"{index}{number:x}", index, reference, repeats, fragment)
            reads += spoiled(rng, pair, len(contigs))
    for number in range(UNMAPPED_PAIRS):
        reads += unmapped_pair(rng, f"u{number:x}")
    return reads


def spoiled(rng: np.random.Generator, pair: list[Read], n_contigs: int) -> list[Read]:
    """Return the pair, rarely with a duplicate beside it, a failed filter, a lost mate or a secondary alignment."""
    draw = rng.random() * PAIRS
    if draw < QC_FAILED_PAIRS:
        return with_flag(pair, QC_FAIL)
    draw -= QC_FAILED_PAIRS
    if draw < HALF_MAPPED_PAIRS:
        return half_mapped(pair)
    draw -= HALF_MAPPED_PAIRS
    if draw < SECONDARY_READS:
        other = Read(**{**vars(pair[0]), "flag": (pair[0].flag | SECONDARY) & ~PROPER, "mapq": 0, "letters": None})
        other.contig = whole_number(rng, 0, n_contigs - 1)
        other.position, other.cigar, other.template_bp = whole_number(rng, 1000, 200_000), [(MATCH, READ_BP)], 0
        return [*pair, other]
    draw -= SECONDARY_READS
    if draw < DUPLICATE_SHARE * PAIRS:
        # x is no hexadecimal digit: the copy's name cannot be that of another pair
        return pair + with_flag(pair, DUPLICATE, pair[0].name + "x")
    return pair


def aligned_segment(read: Read, header: pysam.AlignmentHeader) -> pysam.AlignedSegment:
    """Return the record that pysam writes; all qualities are equal, so that the file stays small."""
    segment = pysam.AlignedSegment(header)
    segment.query_name, segment.flag = read.name, read.flag
    segment.reference_id, segment.reference_start = read.contig, read.position
    segment.mapping_quality, segment.cigartuples = read.mapq, read.cigar or None
    segment.next_reference_id, segment.next_reference_start = read.mate_contig, read.mate_position
    segment.template_length = read.template_bp
    if read.letters is not None:
        segment.query_sequence = read.letters
        segment.query_qualities = array("B", [QUALITY] * len(read.letters))
    return segment


def write_atac(rng: np.random.Generator, contigs: list[Contig], path: Path) -> None:
    """Write the reads by coordinate, and the index beside them."""
    lengths = [(contig.name, len(contig.letters)) for contig in contigs] + [(MITOCHONDRION, MITOCHONDRION_BP)]
    header = pysam.AlignmentHeader.from_dict(
        {
            "HD": {"VN": "1.6", "SO": "coordinate"},
            "SQ": [{"SN": name, "LN": length} for name, length in lengths],
            "CO": ["made by make_example.py; no sequencer was involved"],
        }
    )
    reads = draw_reads(rng, contigs)
    reads.sort(
        key=lambda read: (read.contig < 0, read.contig, read.position, read.flag & REVERSE, read.name, read.flag)
    )
    with pysam.AlignmentFile(str(path), "wb", header=header, format_options=[b"level=9"]) as file:
        for read in reads:
            file.write(aligned_segment(read, header))
    pysam.index(str(path))


def write_peaks(contigs: list[Contig], path: Path) -> None:
    """Write the true open regions: the signal is the planted enrichment (x), p and q are not given (-1)."""
    with path.open("w", newline="\n") as file:
        for contig in contigs:
            for region in contig.open_regions:
                start, end = region.interval
                score = min(1000, round(50 * region.enrichment))
                columns = (contig.name, start, end, f"{region.gene}_promoter", score, ".", f"{region.enrichment:.2f}")
                file.write("\t".join(map(str, (*columns, -1, -1, (end - start) // 2))) + "\n")
