"""Letters drawn by rule: Markov texts, weight matrices, proteins, codons and introns of the made organism.

Random numbers are handed over as a NumPy generator. Only `random` and `normal` are asked of it, so that a seed
keeps giving the same letters from one NumPy release to the next.
"""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import product

import numpy as np

BASES = "ACGT"
COMPLEMENT = str.maketrans("ACGTRYSWKMBDHVNacgtryswkmbdhvn", "TGCAYRSWMKVHDBNtgcayrswmkvhdbn")
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
STANDARD_CODE = dict(
    zip(
        map("".join, product("TCAG", repeat=3)),
        "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG",
        strict=True,
    )
)

# Weight matrices: one row per position, columns A C G T; | is the border of exon and intron.
EXON_END = ((0.38, 0.34, 0.16, 0.12), (0.58, 0.10, 0.16, 0.16), (0.12, 0.06, 0.72, 0.10))  # (A/C) A G |
EXON_START = ((0.26, 0.12, 0.46, 0.16),)  # | G
DONOR = (
    (0.00, 0.00, 1.00, 0.00),  # | G
    (0.00, 0.00, 0.00, 1.00),  # T
    (0.60, 0.06, 0.28, 0.06),  # A
    (0.28, 0.10, 0.12, 0.50),  # T
    (0.14, 0.08, 0.68, 0.10),  # G
    (0.19, 0.13, 0.14, 0.54),  # T
)
BRANCH_POINT = (
    (0.10, 0.58, 0.08, 0.24),  # C
    (0.04, 0.10, 0.04, 0.82),  # T
    (0.58, 0.04, 0.34, 0.04),  # A (or G)
    (0.97, 0.01, 0.01, 0.01),  # A, the branching one
    (0.08, 0.70, 0.04, 0.18),  # C
)
ACCEPTOR = ((0.20, 0.38, 0.06, 0.36), (1.00, 0.00, 0.00, 0.00), (0.00, 0.00, 1.00, 0.00))  # Y A G |
START_CONTEXT = ((0.50, 0.20, 0.12, 0.18), (0.62, 0.12, 0.12, 0.14), (0.78, 0.04, 0.14, 0.04), (0.55, 0.22, 0.10, 0.13))
POLYPYRIMIDINE = ((0.18, 0.22, 0.07, 0.53),)

INTRON_BP = (45, 180)  # shortest and longest
INTRON_MEDIAN_BP, INTRON_SPREAD = 74, 0.36  # of the log-normal lengths; spread in natural-log units
BRANCH_TO_ACCEPTOR_BP = (8, 40)  # letters between the branch point's last letter and the acceptor's first
BRANCH_MEDIAN_BP, BRANCH_SPREAD = 17, 0.40
SHORTEST_INTRON_HEAD_BP = 8  # letters between donor and branch point

# Relative residue weights of the kinds of stretch a protein is made of, and their lengths in residues.
STRETCHES = {
    "globular": ("A8 C1 D5 E6 F4 G7 H2 I6 K6 L9 M2 N4 P4 Q4 R5 S6 T5 V7 W1 Y3", (40, 110)),
    "membrane": ("A10 C2 F11 G7 I15 L22 M4 S3 T3 V14 W4 Y3 P1 N1 Q1", (19, 24)),
    "acidic": ("A5 D16 E24 G4 K5 L5 N4 P3 Q5 R3 S10 T4 V3 I2", (18, 45)),
    "basic": ("A5 D2 E4 G6 K25 R18 H3 L5 N4 P4 Q5 S8 T4 V3 I2", (18, 45)),
    "linker": ("A6 D3 E3 G11 H2 K3 L2 N9 P13 Q11 R2 S17 T12 V2 Y2", (8, 30)),
}
PROTEIN_KINDS = (  # share of genes, then the stretches taken in turn, again and again
    (0.50, ("globular", "linker", "globular", "acidic", "globular", "basic")),
    (0.30, ("membrane", "basic", "membrane", "linker", "membrane", "globular")),
    (0.20, ("basic", "linker", "globular", "acidic", "linker")),
)
PROTEIN_MEDIAN, PROTEIN_SPREAD, PROTEIN_RESIDUES = 300, 0.42, (80, 800)


@dataclass(frozen=True)
class Species:
    """What all genes and gaps of one made organism share.

    Tables of letters are cumulative, [4**order, 4]. `codon_weights` holds, per residue, codons and positive weights.
    `neighbour_weights` is [20, 20]: how much a residue (row) favours the next one (column); 1 is indifferent.
    """

    gap_table: np.ndarray
    intron_table: np.ndarray
    utr5_table: np.ndarray
    utr3_table: np.ndarray
    codon_weights: dict[str, tuple[tuple[str, ...], np.ndarray]]
    neighbour_weights: np.ndarray
    repeat_families: tuple[str, ...]


def reverse_complement(letters: str) -> str:
    """Return the other strand, read in its own direction; case is kept."""
    return letters.translate(COMPLEMENT)[::-1]


def translated(coding: str) -> str:
    """Return the residues of whole codons, with * for a stop."""
    return "".join(STANDARD_CODE[coding[i : i + 3]] for i in range(0, len(coding), 3))


def whole_number(rng: np.random.Generator, low: int, high: int) -> int:
    """Return a number from low to high, both possible."""
    return low + int(rng.random() * (high - low + 1))


def pick(rng: np.random.Generator, weights: np.ndarray) -> int:
    """Return an index, drawn in proportion to the weights."""
    cumulative = np.cumsum(weights)
    return int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))


def log_normal_number(rng: np.random.Generator, median: float, spread: float, limits: tuple[int, int]) -> int:
    """Return a log-normal whole number; draws outside the limits are drawn again."""
    while True:
        number = round(median * float(np.exp(spread * rng.normal())))
        if limits[0] <= number <= limits[1]:
            return number


def motif(rng: np.random.Generator, matrix: tuple[tuple[float, ...], ...]) -> str:
    """Return one letter per row of a weight matrix."""
    return "".join(BASES[pick(rng, np.array(row))] for row in matrix)


def markov_table(
    rng: np.random.Generator, composition: tuple[float, ...], order: int, *, symmetric: bool = False
) -> np.ndarray:
    """Return a cumulative table [4**order, 4] whose words stray at random from a plain composition.

    A symmetric table weighs a word as its reverse complement: gaps have no strand, transcripts do.
    """
    words = ["".join(word) for word in product(BASES, repeat=order + 1)]
    weight = {word: float(np.exp(0.4 * rng.normal())) for word in words}
    if symmetric:
        weight = {word: np.sqrt(weight[word] * weight[reverse_complement(word)]) for word in words}
        for word in ("A" * (order + 1), "T" * (order + 1)):
            weight[word] *= 1.5  # AT-rich gaps of real genomes hold runs of A and of T
    rows = np.array([weight[word] for word in words]).reshape(-1, 4) * np.array(composition)
    cumulative = np.cumsum(rows, axis=1)
    return cumulative / cumulative[:, -1:]


def markov_text(rng: np.random.Generator, table: np.ndarray, length: int) -> str:
    """Return `length` letters of the Markov chain, after a start that has forgotten how it began."""
    rows, contexts = table[:, :3].tolist(), len(table)
    burn_in, context, codes = 12, 0, []
    for draw in rng.random(length + burn_in).tolist():
        code = bisect_right(rows[context], draw)
        codes.append(BASES[code])
        context = (4 * context + code) % contexts
    return "".join(codes[burn_in:])


def draw_species(rng: np.random.Generator) -> Species:
    """Return the organism's habits: letter tables, codon usage, residue neighbours, repeat families."""
    gap_table = markov_table(rng, (0.32, 0.18, 0.18, 0.32), 3, symmetric=True)
    residue_codons: dict[str, list[str]] = {}
    for codon, residue in STANDARD_CODE.items():
        residue_codons.setdefault(residue, []).append(codon)
    codon_weights = {
        residue: (tuple(codons), np.exp(2.0 * rng.normal(size=len(codons))))
        for residue, codons in residue_codons.items()
    }
    return Species(
        gap_table=gap_table,
        intron_table=markov_table(rng, (0.30, 0.15, 0.16, 0.39), 2),
        utr5_table=markov_table(rng, (0.40, 0.20, 0.14, 0.26), 2),
        utr3_table=markov_table(rng, (0.32, 0.14, 0.14, 0.40), 2),
        codon_weights=codon_weights,
        neighbour_weights=np.exp(0.7 * rng.normal(size=(len(RESIDUES), len(RESIDUES)))),
        repeat_families=tuple(
            markov_text(rng, markov_table(rng, (0.26, 0.24, 0.24, 0.26), 2), length) for length in (158, 236, 305, 392)
        ),
    )


def stretch_weights(kind: str) -> np.ndarray:
    """Return the weights [20] of the residues in one kind of stretch."""
    weights = np.full(len(RESIDUES), 0.15)  # no residue is ever impossible
    for item in STRETCHES[kind][0].split():
        weights[RESIDUES.index(item[0])] += float(item[1:])
    return weights


def draw_protein(rng: np.random.Generator, species: Species) -> str:
    """Return a protein that starts with M: stretches in turn, each residue minding the one before it."""
    length = log_normal_number(rng, PROTEIN_MEDIAN, PROTEIN_SPREAD, PROTEIN_RESIDUES)
    stretches = PROTEIN_KINDS[pick(rng, np.array([share for share, _ in PROTEIN_KINDS]))][1]
    residues, turn = [RESIDUES.index("M")], 0
    while len(residues) < length:
        kind = stretches[turn % len(stretches)]
        weights = stretch_weights(kind)
        for _ in range(whole_number(rng, *STRETCHES[kind][1])):
            residues.append(pick(rng, weights * species.neighbour_weights[residues[-1]]))
        turn += 1
    return "".join(RESIDUES[code] for code in residues[:length])


def draw_coding(rng: np.random.Generator, species: Species, protein: str) -> str:
    """Return codons for the protein and a stop; genes differ in how strictly they keep to the favoured codons."""
    strictness = 0.7 + 0.6 * rng.random()
    codons = []
    for residue in protein + "*":
        choices, weights = species.codon_weights[residue]
        codons.append(choices[pick(rng, weights**strictness)])
    return "".join(codons)


def without_acceptors(rng: np.random.Generator, letters: str) -> str:
    """Return the letters with each AG made TG or CG: the first AG after the branch point is the acceptor."""
    while "AG" in letters:
        letters = letters.replace("AG", "TG" if rng.random() < 0.7 else "CG", 1)
    return letters


def draw_intron(rng: np.random.Generator, species: Species) -> str:
    """Return an intron: donor, AT-rich letters, branch point, polypyrimidine tract, acceptor."""
    fixed_bp = len(DONOR) + SHORTEST_INTRON_HEAD_BP + len(BRANCH_POINT) + len(ACCEPTOR)
    length = log_normal_number(rng, INTRON_MEDIAN_BP, INTRON_SPREAD, INTRON_BP)
    longest = min(BRANCH_TO_ACCEPTOR_BP[1], length - fixed_bp)
    distance = log_normal_number(rng, BRANCH_MEDIAN_BP, BRANCH_SPREAD, (BRANCH_TO_ACCEPTOR_BP[0], longest))
    tract = min(distance, whole_number(rng, 5, 14))
    head = markov_text(rng, species.intron_table, length - fixed_bp + SHORTEST_INTRON_HEAD_BP - distance)
    spacer = markov_text(rng, species.intron_table, distance - tract) + motif(rng, POLYPYRIMIDINE * tract)
    acceptor = motif(rng, ACCEPTOR)
    # letter by letter from the branch point on, or an A at a border would pair with a G behind it
    tail = without_acceptors(rng, (motif(rng, BRANCH_POINT) + spacer + acceptor)[:-2]) + acceptor[-2:]
    return motif(rng, DONOR) + head + tail
