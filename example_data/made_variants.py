"""A VCF of variants of the made organism: substitutions at sites that matter and at sites that do not, and oddities."""

from pathlib import Path

import numpy as np
from made_genome import Contig, Interval, untranslated
from made_sequence import BASES, whole_number

# kinds of place, and how many substitutions of one base each gets
SUBSTITUTIONS = {"donor": 20, "acceptor": 20, "branch_side": 10, "cds": 50, "utr": 20, "gap": 36}
INSERTIONS, DELETIONS, BLOCK_SUBSTITUTIONS = 14, 14, 8
INDEL_BP, BLOCK_BP = (1, 12), (2, 4)
STAR_DELETION_BP = 6
QUIET_BP = 16  # variants keep this distance, so that each can be judged alone

HEADER = """##fileformat=VCFv4.2
##source=make_example.py
##FILTER=<ID=PASS,Description="All filters passed">
##INFO=<ID=PLACE,Number=1,Type=String,Description="Where the variant was put: {places}">
"""

Record = tuple[str, int, str, str, str]  # contig, 0-based position, REF, ALT, place


def places(contig: Contig) -> dict[str, list[Interval]]:
    """Return the intervals of each kind of place; donor and acceptor are the GT and the AG."""
    found: dict[str, list[Interval]] = {place: [] for place in SUBSTITUTIONS}
    for gene in contig.genes:
        for start, end in gene.introns:
            first, last, before_last = (start, start + 2), (end - 2, end), (end - 40, end - 6)
            if gene.strand == "-":
                first, last, before_last = last, first, (start + 6, start + 40)
            found["donor"].append(first)
            found["acceptor"].append(last)
            found["branch_side"].append(before_last)
        found["cds"] += gene.cds
        found["utr"] += [interval for _, interval in untranslated(gene)]
    found["gap"] = [interval for interval in contig.plain if interval[1] - interval[0] > 2 * QUIET_BP]
    return found


class Claims:
    """Draws positions that are far from those drawn before, and whose surroundings are plain letters."""

    def __init__(self, rng: np.random.Generator, contigs: list[Contig]) -> None:
        self.rng = rng
        self.references = {contig.name: contig.letters.upper() for contig in contigs}
        self.intervals = {contig.name: places(contig) for contig in contigs}
        self.taken = {name: np.zeros(len(letters), bool) for name, letters in self.references.items()}

    def draw(self, place: str) -> tuple[str, int, str]:
        """Return contig, position and the letters from that position on."""
        names = tuple(self.references)
        while True:
            contig = names[whole_number(self.rng, 0, len(names) - 1)]
            choices = self.intervals[contig][place]
            start, end = choices[whole_number(self.rng, 0, len(choices) - 1)]
            position = whole_number(self.rng, start, end - 1)
            near = slice(max(0, position - QUIET_BP), position + QUIET_BP)
            if self.taken[contig][near].any() or set(self.references[contig][near]) - set(BASES):
                continue
            self.taken[contig][near] = True
            return contig, position, self.references[contig][position : position + QUIET_BP]


def other_base(rng: np.random.Generator, base: str) -> str:
    """Return one of the three other bases."""
    return BASES[(BASES.index(base) + whole_number(rng, 1, 3)) % 4]


def draw_variants(rng: np.random.Generator, contigs: list[Contig]) -> list[Record]:
    """Return the records in no order: one multi-allelic, one with the * of a deletion that covers it."""
    claims = Claims(rng, contigs)
    records: list[Record] = []
    for place, number in SUBSTITUTIONS.items():
        for _ in range(number):
            contig, position, letters = claims.draw(place)
            records.append((contig, position, letters[0], other_base(rng, letters[0]), place))
    for kind, number in (("insertion", INSERTIONS), ("deletion", DELETIONS), ("block", BLOCK_SUBSTITUTIONS)):
        for turn in range(number):
            place = ("cds", "gap")[turn % 2]
            contig, position, letters = claims.draw(place)
            length = whole_number(rng, *(BLOCK_BP if kind == "block" else INDEL_BP))
            inserted = letters[0] + "".join(BASES[whole_number(rng, 0, 3)] for _ in range(length))
            reference, alternate = {
                "insertion": (letters[0], inserted),
                "deletion": (letters[: length + 1], letters[0]),
                "block": (letters[:length], "".join(other_base(rng, base) for base in letters[:length])),
            }[kind]
            records.append((contig, position, reference, alternate, place))
    contig, position, letters = claims.draw("cds")
    two_others = [base for base in BASES if base != letters[0]][:2]
    records.append((contig, position, letters[0], ",".join(two_others), "cds"))
    contig, position, letters = claims.draw("gap")
    records.append((contig, position, letters[: STAR_DELETION_BP + 1], letters[0], "gap"))
    records.append((contig, position + 3, letters[3], f"{other_base(rng, letters[3])},*", "gap"))
    return records


def write_variants(rng: np.random.Generator, contigs: list[Contig], path: Path) -> None:
    """Write the variants by coordinate."""
    order = {contig.name: index for index, contig in enumerate(contigs)}
    records = sorted(draw_variants(rng, contigs), key=lambda record: (order[record[0]], record[1:]))
    with path.open("w", newline="\n") as file:
        file.write(HEADER.format(places=" ".join(SUBSTITUTIONS)))
        file.writelines(f"##contig=<ID={contig.name},length={len(contig.letters)}>\n" for contig in contigs)
        file.write("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for number, (contig, position, reference, alternate, place) in enumerate(records, 1):
            file.write(f"{contig}\t{position + 1}\tv{number:03d}\t{reference}\t{alternate}\t.\tPASS\tPLACE={place}\n")
