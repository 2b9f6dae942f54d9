"""Genes, gaps and contigs of the made organism: where everything was planted is kept beside the letters."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from made_sequence import (
    BASES,
    EXON_END,
    EXON_START,
    START_CONTEXT,
    Species,
    draw_coding,
    draw_intron,
    draw_protein,
    draw_species,
    markov_text,
    motif,
    pick,
    reverse_complement,
    whole_number,
)

Interval = tuple[int, int]  # 0-based, half open

CONTIG_BP = {"chrA": 450_000, "chrB": 330_000, "chrC": 220_000}  # a contig ends with the first gap after this
INTRONS_PER_GENE = (0.24, 0.27, 0.23, 0.14, 0.08, 0.04)  # shares of genes with 0, 1, 2 ... introns in the CDS
UTR5_INTRON_SHARE = 0.06
SHORTEST_EXON_BP = 36  # also the least distance of an intron from start and stop codon
UTR5_BP, UTR3_BP = (30, 120), (70, 180)
POLY_A_SIGNALS = (("AATAAA", 0.60), ("ATTAAA", 0.14), ("AATACA", 0.10), ("", 0.16))
POLY_A_TO_END_BP = (12, 28)

GAP_BP = {0: (200, 560), 1: (360, 960), 2: (580, 1100)}  # by the number of promoters that the gap holds
PROMOTER_BP, TAIL_BP = 270, 40  # what a gap keeps free of repeats beside a gene's start, beside its end
PROMOTERS = {"poly(dA:dT)": (0.62, 0.92), "TATA": (0.20, 0.15), "none": (0.18, 0.05)}  # share of genes, share open
TATA_BOX = (*((0, 0, 0, 1), (1, 0, 0, 0)) * 2, (1, 0, 0, 1), (1, 0, 0, 0), (1, 0, 0, 0), (1, 0, 2, 0))  # TATAWAAR
FACTOR_SITE, FACTOR_SHARE = "TTACCCG", 0.75  # a Reb1-like site, in this share of poly(dA:dT) promoters

TELOMERE_UNIT, TELOMERE_UNITS = "TTAGGG", (20, 32)
DISPERSED_SHARE, TANDEM_SHARE = 0.26, 0.42  # of gaps that get one
DIVERGENCE = (0.05, 0.15)
MICROSATELLITES = ("A", "T", "AC", "GT", "AT", "AG", "AAT", "CAG", "AAAG", "GATA", "TTGCC", "AACCCT")
ASSEMBLY_GAP_BP, ASSEMBLY_GAP_CONTIG = 500, "chrB"
SHORT_N_RUNS, SHORT_N_BP, AMBIGUITY_CODES = 6, (3, 25), "RYSWKMBDHVRY"


@dataclass(frozen=True)
class Gene:
    """A protein-coding gene on a contig; intervals ascend along the contig whatever the strand."""

    name: str
    contig: str
    strand: str
    exons: tuple[Interval, ...]
    cds: tuple[Interval, ...]
    protein: str

    @property
    def span(self) -> Interval:
        """From the first exon's start to the last exon's end."""
        return self.exons[0][0], self.exons[-1][1]

    @property
    def introns(self) -> tuple[Interval, ...]:
        """What lies between neighbouring exons."""
        return tuple((left[1], right[0]) for left, right in zip(self.exons, self.exons[1:], strict=False))


def untranslated(gene: Gene) -> Iterator[tuple[str, Interval]]:
    """Yield the parts of exons before and after the CDS, with the GFF3 type that their side has on this strand."""
    coding_start, coding_end = gene.cds[0][0], gene.cds[-1][1]
    left, right = ("five_prime_UTR", "three_prime_UTR") if gene.strand == "+" else ("three_prime_UTR", "five_prime_UTR")
    for start, end in gene.exons:
        if start < coding_start:
            yield left, (start, min(end, coding_start))
        if end > coding_end:
            yield right, (max(start, coding_end), end)


@dataclass(frozen=True)
class OpenRegion:
    """A nucleosome-free promoter: where, of which gene, and how much more often Tn5 cuts there (x)."""

    contig: str
    interval: Interval
    gene: str
    enrichment: float


@dataclass
class Contig:
    """A contig while it grows; `masked` and `dispersed` are repeats, `plain` is gap with nothing planted in it."""

    name: str
    letters: str = ""
    genes: list[Gene] = field(default_factory=list)
    masked: list[Interval] = field(default_factory=list)
    dispersed: list[Interval] = field(default_factory=list)
    plain: list[Interval] = field(default_factory=list)
    open_regions: list[OpenRegion] = field(default_factory=list)

    def append(self, letters: str) -> Interval:
        """Add letters and return where they stand."""
        start = len(self.letters)
        self.letters += letters
        return start, len(self.letters)

    def overwrite(self, start: int, letters: str) -> None:
        """Put letters in the place of as many others."""
        self.letters = self.letters[:start] + letters + self.letters[start + len(letters) :]


@dataclass(frozen=True)
class Transcript:
    """A gene before it has a place: intervals in letters of the unspliced sense strand."""

    letters: str
    exons: tuple[Interval, ...]
    cds: tuple[Interval, ...]
    protein: str
    promoter: str
    is_open: bool


def intron_places(rng: np.random.Generator, mature: str, cds: Interval, number: int) -> list[int]:
    """Return positions in the mature transcript where introns go: there the exons look like MAG|G already.

    Choosing places, and not writing letters, leaves the protein as it is and lets all three phases occur.
    """
    rows = np.array(EXON_END + EXON_START) * 4  # likelihood ratio against even letters
    codes = np.array([BASES.index(letter) for letter in mature])
    ratio = np.zeros(len(mature))
    for place in range(cds[0] + SHORTEST_EXON_BP, cds[1] - SHORTEST_EXON_BP):
        ratio[place] = np.prod(rows[range(len(rows)), codes[place - len(EXON_END) : place + len(EXON_START)]])
    places = []
    while len(places) < number and ratio.any():
        places.append(pick(rng, ratio))
        ratio[max(0, places[-1] - SHORTEST_EXON_BP) : places[-1] + SHORTEST_EXON_BP] = 0
    if cds[0] > 2 * SHORTEST_EXON_BP and rng.random() < UTR5_INTRON_SHARE:
        places.append(whole_number(rng, SHORTEST_EXON_BP // 2, cds[0] - SHORTEST_EXON_BP // 2))
    return sorted(places)


def draw_utr3(rng: np.random.Generator, species: Species) -> str:
    """Return a 3' UTR, most often with a poly(A) signal near its end."""
    letters = markov_text(rng, species.utr3_table, whole_number(rng, *UTR3_BP))
    signal = POLY_A_SIGNALS[pick(rng, np.array([share for _, share in POLY_A_SIGNALS]))][0]
    place = len(letters) - whole_number(rng, *POLY_A_TO_END_BP) - len(signal)
    return letters[:place] + signal + letters[place + len(signal) :]


def draw_transcript(rng: np.random.Generator, species: Species) -> Transcript:
    """Return one gene with UTRs, coding exons and introns, and the kind of promoter it wants."""
    protein = draw_protein(rng, species)
    coding = draw_coding(rng, species, protein)
    utr5 = markov_text(rng, species.utr5_table, whole_number(rng, *UTR5_BP)) + motif(rng, START_CONTEXT)
    mature = utr5 + coding + draw_utr3(rng, species)
    cds = (len(utr5), len(utr5) + len(coding))
    places = intron_places(rng, mature, cds, pick(rng, np.array(INTRONS_PER_GENE)))

    letters, exons, coding_exons = "", [], []
    for left, right in zip([0, *places], [*places, len(mature)], strict=True):
        shift = len(letters) - left
        exons.append((left + shift, right + shift))
        if max(left, cds[0]) < min(right, cds[1]):
            coding_exons.append((max(left, cds[0]) + shift, min(right, cds[1]) + shift))
        letters += mature[left:right]
        if right < len(mature):
            letters += draw_intron(rng, species)
    promoter = tuple(PROMOTERS)[pick(rng, np.array([share for share, _ in PROMOTERS.values()]))]
    is_open = rng.random() < PROMOTERS[promoter][1]
    return Transcript(letters, tuple(exons), tuple(coding_exons), protein, promoter, is_open)


def with_promoter(rng: np.random.Generator, upstream: str, promoter: str) -> str:
    """Return the letters upstream of a gene (sense, ending at its start) with the elements of its promoter."""
    elements = []
    if promoter == "poly(dA:dT)":
        run = "".join("A" if rng.random() < 0.95 else BASES[whole_number(rng, 0, 3)] for _ in range(24))
        run = run[: whole_number(rng, 14, 24)]
        elements.append((whole_number(rng, 100, 150), run if rng.random() < 0.5 else reverse_complement(run)))
        if rng.random() < FACTOR_SHARE:
            site = FACTOR_SITE if rng.random() < 0.5 else reverse_complement(FACTOR_SITE)
            elements.append((whole_number(rng, 165, 205), site))
    elif promoter == "TATA":
        elements.append((whole_number(rng, 45, 85), motif(rng, TATA_BOX)))
    for distance, element in elements:
        start = len(upstream) - distance
        upstream = upstream[:start] + element + upstream[start + len(element) :]
    return upstream


def diverged(rng: np.random.Generator, element: str) -> str:
    """Return a copy of a repeat with substitutions, a few short indels, on either strand."""
    rate = DIVERGENCE[0] + (DIVERGENCE[1] - DIVERGENCE[0]) * rng.random()
    letters = []
    for letter in element:
        draw = rng.random()
        if draw < 0.9 * rate:
            letter = BASES[(BASES.index(letter) + whole_number(rng, 1, 3)) % 4]
        elif draw < 0.95 * rate:
            letter = ""
        elif draw < rate:
            letter += BASES[whole_number(rng, 0, 3)]
        letters.append(letter)
    copy = "".join(letters)
    return copy if rng.random() < 0.5 else reverse_complement(copy)


def draw_repeats(rng: np.random.Generator, species: Species) -> list[tuple[str, bool]]:
    """Return the repeats of one gap, in order: letters, and whether it is a dispersed one."""
    repeats = []
    if rng.random() < DISPERSED_SHARE:
        family = species.repeat_families[whole_number(rng, 0, len(species.repeat_families) - 1)]
        repeats.append((diverged(rng, family), True))
    if rng.random() < TANDEM_SHARE:
        unit = MICROSATELLITES[whole_number(rng, 0, len(MICROSATELLITES) - 1)]
        repeats.append(((unit * 40)[: whole_number(rng, 16, 60)], False))
    return repeats


def append_gap(
    rng: np.random.Generator, species: Species, contig: Contig, before: Transcript | None, after: Transcript | None
) -> None:
    """Add the gap between two genes; `before` and `after` are given only if their promoter lies in this gap."""
    length = whole_number(rng, *GAP_BP[(before is not None) + (after is not None)])
    letters = markov_text(rng, species.gap_table, length)
    left, right = (PROMOTER_BP if gene else TAIL_BP for gene in (before, after))
    start, middle, end = letters[:left], letters[left : length - right], letters[length - right :]
    if before:
        start = reverse_complement(with_promoter(rng, reverse_complement(start), before.promoter))
    if after:
        end = with_promoter(rng, end, after.promoter)

    contig.append(start)
    for repeat, is_dispersed in draw_repeats(rng, species):
        cut = whole_number(rng, 0, len(middle))
        contig.plain.append(contig.append(middle[:cut]))
        middle = middle[cut:]
        contig.masked.append(contig.append(repeat))
        if is_dispersed:
            contig.dispersed.append(contig.masked[-1])
    contig.plain.append(contig.append(middle))
    contig.append(end)


def append_gene(contig: Contig, transcript: Transcript, strand: str) -> None:
    """Add a gene on the strand asked for."""
    length = len(transcript.letters)
    start, _ = contig.append(transcript.letters if strand == "+" else reverse_complement(transcript.letters))

    def placed(intervals: tuple[Interval, ...]) -> tuple[Interval, ...]:
        if strand == "-":
            intervals = tuple((length - right, length - left) for left, right in reversed(intervals))
        return tuple((start + left, start + right) for left, right in intervals)

    name = f"FE{contig.name[-1]}{10 * (len(contig.genes) + 1):05d}"  # in tens, as where genes may yet be found between
    contig.genes.append(
        Gene(name, contig.name, strand, placed(transcript.exons), placed(transcript.cds), transcript.protein)
    )


def append_open_region(rng: np.random.Generator, contig: Contig, gene: Gene) -> None:
    """Note the nucleosome-free region upstream of a gene's start."""
    near, width = whole_number(rng, 5, 30), whole_number(rng, 200, 300)
    enrichment = 10 * float(np.exp(0.4 * rng.normal()))
    start, end = gene.span
    interval = (start - near - width, start - near) if gene.strand == "+" else (end + near, end + near + width)
    contig.open_regions.append(OpenRegion(contig.name, interval, gene.name, enrichment))


def draw_contig(rng: np.random.Generator, species: Species, name: str, length: int) -> Contig:
    """Return a contig: telomere, gap, gene, gap, gene ... gap, telomere."""
    contig = Contig(name)
    contig.masked.append(contig.append(reverse_complement(TELOMERE_UNIT) * whole_number(rng, *TELOMERE_UNITS)))
    before, strand, has_assembly_gap = None, "+", name != ASSEMBLY_GAP_CONTIG
    opened = []
    while len(contig.letters) < length:
        transcript = draw_transcript(rng, species)
        previous, strand = strand, "+-"[whole_number(rng, 0, 1)]
        append_gap(rng, species, contig, before if previous == "-" else None, transcript if strand == "+" else None)
        if not has_assembly_gap and len(contig.letters) > length / 2 and before and previous == "+" and strand == "-":
            has_assembly_gap = True
            contig.append("N" * ASSEMBLY_GAP_BP + markov_text(rng, species.gap_table, 2 * TAIL_BP))
        append_gene(contig, transcript, strand)
        if transcript.is_open:
            opened.append(contig.genes[-1])
        before = transcript
    append_gap(rng, species, contig, before if strand == "-" else None, None)
    contig.masked.append(contig.append(TELOMERE_UNIT * whole_number(rng, *TELOMERE_UNITS)))
    for gene in opened:
        append_open_region(rng, contig, gene)
    contig.open_regions.sort(key=lambda region: region.interval)
    return contig


def plant_unknown_letters(rng: np.random.Generator, contigs: list[Contig]) -> None:
    """Overwrite a few plain gap letters by short runs of N and by IUPAC codes."""
    runs = ["N" * whole_number(rng, *SHORT_N_BP) for _ in range(SHORT_N_RUNS)] + list(AMBIGUITY_CODES)
    for number, run in enumerate(runs):
        contig = contigs[number % len(contigs)]
        roomy = [interval for interval in contig.plain if interval[1] - interval[0] > 3 * SHORT_N_BP[1]]
        start, end = roomy[whole_number(rng, 0, len(roomy) - 1)]
        contig.overwrite(whole_number(rng, start, end - len(run)), run)


def draw_genome(rng: np.random.Generator) -> list[Contig]:
    """Return the contigs of the organism, repeats in lower case."""
    species = draw_species(rng)
    contigs = [draw_contig(rng, species, name, length) for name, length in CONTIG_BP.items()]
    plant_unknown_letters(rng, contigs)
    for contig in contigs:
        for start, end in contig.masked:
            contig.overwrite(start, contig.letters[start:end].lower())
    return contigs
