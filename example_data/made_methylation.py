"""Long modified-base reads of nascent DNA, hours after replication, with the rates that made them.

Just replicated, a nascent strand carries no 5-methylcytosine; each CpG regains it at its own rate k towards its own
steady fraction g: m(t) = g (1 - exp(-k t)) (Busto-Moner et al. 2020). Reads come from nascent strands of both
directions; the two strands of a CpG share k and g. DNA was on average replicated TIME_OFFSET_HOURS before t = 0.
"""

from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pysam
from made_genome import Contig, Interval
from made_sequence import BASES, log_normal_number, reverse_complement, whole_number

CONTIG, REGION = "chrC", (60_000, 120_000)  # 0-based, half open
SAMPLES = {"t00h": 0.0, "t01h": 1.0, "t04h": 4.0, "t16h": 16.0}  # hours of chase
TIME_OFFSET_HOURS = 0.5
MEDIAN_RATE_PER_HOUR, RATE_SPREAD = 0.45, 0.8  # log-normal; spread in natural-log units
STEADY_LOGIT_MEAN, STEADY_LOGIT_SPREAD = 1.6, 1.0
ISLANDS, ISLAND_BP, ISLAND_LOGIT_DROP = 4, (600, 1500), 4.0  # stretches that stay nearly unmethylated
CORRELATION_BP = 400  # distance at which the correlation of neighbours has fallen to 1/e

DEPTH, READ_MEDIAN_BP, READ_SPREAD, READ_BP = 8, 6000, 0.45, (1500, 15_000)
SUBSTITUTION_RATE, DELETION_RATE, INSERTION_RATE = 0.008, 0.0015, 0.0015
UNTAGGED_READS = 2  # per sample
CERTAINTY = 12  # a call is right with probability u**(1/CERTAINTY), u uniform: Beta(12, 1), mean 0.92
QUALITY, MAPQ, ML_LEVELS = 20, 60, 256
MATCH, INSERTION, DELETION = 0, 1, 2  # CIGAR codes of the BAM format


@dataclass(frozen=True)
class Truth:
    """What was planted at each CpG; position is that of the C on the forward strand, 0-based; all [N]."""

    position: np.ndarray
    rate_per_hour: np.ndarray
    steady_fraction: np.ndarray

    def fraction(self, hours: float) -> np.ndarray:
        """Return the methylated fraction of nascent strands [N], `hours` after the label was washed out."""
        return self.steady_fraction * (1 - np.exp(-self.rate_per_hour * (hours + TIME_OFFSET_HOURS)))


def correlated_normals(rng: np.random.Generator, position: np.ndarray) -> np.ndarray:
    """Return standard normals [N] that resemble their neighbours, by exp(-distance / CORRELATION_BP)."""
    fresh = rng.normal(size=len(position))
    kept = np.exp(-np.diff(position, prepend=position[:1]) / CORRELATION_BP)
    values = fresh.copy()
    for i in range(1, len(values)):
        values[i] = kept[i] * values[i - 1] + np.sqrt(1 - kept[i] ** 2) * fresh[i]
    return values


def draw_truth(rng: np.random.Generator, reference: str) -> Truth:
    """Return rate and steady fraction of each CpG of the region, rounded as they are written."""
    position = np.array([i for i in range(*REGION) if reference[i : i + 2] == "CG"])
    rate = MEDIAN_RATE_PER_HOUR * np.exp(RATE_SPREAD * correlated_normals(rng, position))
    logit = STEADY_LOGIT_MEAN + STEADY_LOGIT_SPREAD * correlated_normals(rng, position)
    for _ in range(ISLANDS):
        start, width = whole_number(rng, *REGION), whole_number(rng, *ISLAND_BP)
        logit[(position >= start) & (position < start + width)] -= ISLAND_LOGIT_DROP
    return Truth(position, rate.round(4), (1 / (1 + np.exp(-logit))).round(4))


def copied(rng: np.random.Generator, reference: str, interval: Interval) -> tuple[str, np.ndarray, list[list[int]]]:
    """Return letters read from an interval with errors, the reference position of each (-1: inserted), the CIGAR."""
    letters, places, cigar = [], [], []

    def lengthen(code: int) -> None:
        if cigar and cigar[-1][0] == code:
            cigar[-1][1] += 1
        else:
            cigar.append([code, 1])

    draws = rng.random(interval[1] - interval[0])
    for place, draw in zip(range(*interval), draws.tolist(), strict=True):
        inner = interval[0] + 20 < place < interval[1] - 20  # aligners clip indels off the ends
        if inner and draw > 1 - DELETION_RATE:
            lengthen(DELETION)
            continue
        is_wrong = draw < SUBSTITUTION_RATE or reference[place] not in BASES
        letters.append(BASES[whole_number(rng, 0, 3)] if is_wrong else reference[place])
        places.append(place)
        lengthen(MATCH)
        if inner and 1 - DELETION_RATE - INSERTION_RATE < draw <= 1 - DELETION_RATE:
            letters.append(BASES[whole_number(rng, 0, 3)])
            places.append(-1)
            lengthen(INSERTION)
    return "".join(letters), np.array(places), cigar


def modification_tags(
    rng: np.random.Generator, read: str, dyads: np.ndarray, fraction: np.ndarray
) -> tuple[str, array]:
    """Return MM and ML of a read in the direction it was sequenced.

    dyads : [L] forward position of the CpG that each C of the read belongs to; fraction : [contig], 0 off the CpGs.
    """
    skips, levels, skipped = [], [], 0
    for i, letter in enumerate(read):
        if letter != "C":
            continue
        if read[i + 1 : i + 2] != "G":
            skipped += 1
            continue
        is_modified = rng.random() < (fraction[dyads[i]] if dyads[i] >= 0 else 0)
        certainty = rng.random() ** (1 / CERTAINTY)
        probability = certainty if is_modified else 1 - certainty
        skips.append(skipped)
        levels.append(min(ML_LEVELS - 1, int(probability * ML_LEVELS)))
        skipped = 0
    return "C+m?" + "".join(f",{skip}" for skip in skips) + ";", array("B", levels)


def draw_interval(rng: np.random.Generator) -> Interval:
    """Return where a read lies; reads that stick out of the region are cut at its ends."""
    while True:
        length = log_normal_number(rng, READ_MEDIAN_BP, READ_SPREAD, READ_BP)
        start = whole_number(rng, REGION[0] - length, REGION[1])
        start, end = max(start, REGION[0]), min(start + length, REGION[1])
        if end - start >= READ_BP[0]:
            return start, end


def draw_read(
    rng: np.random.Generator, header: pysam.AlignmentHeader, name: str, reference: str, fraction: np.ndarray
) -> pysam.AlignedSegment:
    """Return one aligned read with MM, ML and MN tags."""
    interval, is_reverse = draw_interval(rng), rng.random() < 0.5
    letters, places, cigar = copied(rng, reference, interval)
    segment = pysam.AlignedSegment(header)
    segment.query_name, segment.flag = name, pysam.FREVERSE if is_reverse else 0
    segment.reference_id, segment.reference_start = header.get_tid(CONTIG), interval[0]
    segment.mapping_quality, segment.cigartuples = MAPQ, [tuple(part) for part in cigar]
    segment.query_sequence = letters
    segment.query_qualities = array("B", [QUALITY] * len(letters))
    # a C sequenced from the reverse strand pairs with the G one base after the forward C
    sequenced = reverse_complement(letters) if is_reverse else letters
    dyads = np.where(places[::-1] > 0, places[::-1] - 1, -1) if is_reverse else places
    modified, levels = modification_tags(rng, sequenced, dyads, fraction)
    segment.set_tag("MM", modified, "Z")
    segment.set_tag("ML", levels)
    segment.set_tag("MN", len(letters), "i")
    return segment


def write_sample(
    rng: np.random.Generator, contigs: list[Contig], reference: str, fraction: np.ndarray, path: Path
) -> None:
    """Write the reads of one time point by coordinate, and the index beside them; the last few have no tags."""
    header = pysam.AlignmentHeader.from_dict(
        {
            "HD": {"VN": "1.6", "SO": "coordinate"},
            "SQ": [{"SN": contig.name, "LN": len(contig.letters)} for contig in contigs],
            "CO": ["made by make_example.py; no sequencer was involved"],
        }
    )
    reads, read_bp = [], 0
    while read_bp < DEPTH * (REGION[1] - REGION[0]):
        reads.append(draw_read(rng, header, f"{path.stem}_{len(reads):03d}", reference, fraction))
        read_bp += reads[-1].query_length
    for read in reads[-UNTAGGED_READS:]:
        for tag in ("MM", "ML", "MN"):
            read.set_tag(tag, None)
    reads.sort(key=lambda read: (read.reference_start, read.query_name))
    with pysam.AlignmentFile(str(path), "wb", header=header, format_options=[b"level=9"]) as file:
        for read in reads:
            file.write(read)
    pysam.index(str(path))


def write_methylation(rng: np.random.Generator, contigs: list[Contig], directory: Path) -> None:
    """Write one BAM per time point and the planted rates."""
    directory.mkdir(parents=True, exist_ok=True)
    reference = next(contig.letters.upper() for contig in contigs if contig.name == CONTIG)
    truth = draw_truth(rng, reference)
    with (directory / "truth.tsv").open("w", newline="\n") as file:
        file.write("contig\tposition\tstrand\trate_per_hour\tsteady_fraction\n")  # a dot: both strands alike
        for position, rate, steady in zip(truth.position, truth.rate_per_hour, truth.steady_fraction, strict=True):
            file.write(f"{CONTIG}\t{position}\t.\t{rate:.4f}\t{steady:.4f}\n")
    for name, hours in SAMPLES.items():
        fraction = np.zeros(len(reference))
        fraction[truth.position] = truth.fraction(hours)
        write_sample(rng, contigs, reference, fraction, directory / f"{name}.bam")
