"""Feature lines to drafts: which transcript each exon, CDS or UTR line belongs to, in any line order.

GTF repeats the transcript's name on every line; GFF3 names a parent, whose own line may stand anywhere in the file.
So both are gathered first, and judged when the file has been read. Each line ends with one fate: read = used + skipped.
"""

import re
import sys
from array import array
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from genolstm.readers.gff_lines import Feature, feature_lines

USED = "used"
PENDING = ""  # the fate of a line that is judged with its transcript

PHASES = ("0", "1", "2")  # anything else says nothing
PARENT_DEPTH = 8  # gene > transcript > exon is 3; deeper than 8 is a circle of parents


class Part(Enum):
    """What a line says of its transcript."""

    SELF = "self"  # the transcript's own line
    EXON = "exon"
    CODING = "coding"
    STOP = "stop"  # the stop codon, which GTF2 leaves out of the CDS
    RIM = "rim"  # UTRs, and start codons: exonic, but says nothing new where exons or CDS are given

    __hash__ = object.__hash__  # Enum's own hash is a Python call, twice a line


GFF3_PARTS = {"exon": Part.EXON, "pseudogenic_exon": Part.EXON, "CDS": Part.CODING} | dict.fromkeys(
    ["five_prime_UTR", "three_prime_UTR", "five_prime_utr", "three_prime_utr", "UTR", "5UTR", "3UTR"], Part.RIM
)
GTF_PARTS = GFF3_PARTS | {
    "transcript": Part.SELF,
    "mRNA": Part.SELF,
    "stop_codon": Part.STOP,
    "start_codon": Part.RIM,
}


Piece = tuple[int, int, int]  # start and end, 0-based and half open, and the index of the feature line that told of it


@dataclass(slots=True)
class Draft:
    """One transcript while its lines are still coming in.

    gene and biotype are None until a line tells them; flaw is the reason to leave the transcript out, if there is one.
    numbers : by part, start, end and line of each piece in a row: a human annotation has three million.
    phase : bases before the first whole codon of the CDS, from the piece that begins it (its 5' end: coding_from).
    """

    name: str
    contig: str
    strand: str
    gene: str | None = None
    biotype: str | None = None
    flaw: str | None = None
    numbers: dict[Part, "array[int]"] = field(default_factory=dict)
    phase: int = 0
    coding_from: int | None = None

    def pieces(self, part: Part) -> list[Piece]:
        """All pieces of one part, in file order."""
        numbers = self.numbers.get(part, ())
        return list(zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True))


class Declared(NamedTuple):
    """A GFF3 line that others may name as their parent; line is its feature index."""

    type: str
    parent: str | None
    contig: str
    strand: str
    line: int


@dataclass(slots=True)
class Gathered:
    """All that one pass over a file has found.

    drafts : by (gene, transcript) in GTF, by (None, parent) in GFF3.   declared : by ID, GFF3 only.
    fates : [n_lines] what became of each feature line.   orphans : parents that are named but have no line.
    """

    drafts: dict[tuple[str | None, str], Draft] = field(default_factory=dict)
    declared: dict[str, Declared] = field(default_factory=dict)
    fates: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)


def gather_drafts(path: Path | str) -> Gathered:
    """Drafts of all transcripts of a GTF or GFF3 file; which of the two is decided by the first attributes that tell.

    Raises InputError as ``feature_lines`` does.
    """
    gathered = Gathered()
    note: Callable[[Gathered, Feature], str] = _note_neither
    for feature in feature_lines(path):
        if note is _note_neither:
            note = _dialect(feature.attributes)
        gathered.fates.append(note(gathered, feature))
    if note is _note_gff3:
        _settle_parents(gathered)
    return gathered


GFF3_ATTRIBUTE = re.compile(r'\s*[^\s=;"]+\s*=')
GTF_ATTRIBUTE = re.compile(r'\s*[^\s=;"]+\s+[^\s=]')


def _dialect(attributes: str) -> Callable[[Gathered, Feature], str]:
    """Reader for ``key=value`` or ``key "value"``; where the attributes show neither, the next line may."""
    if GFF3_ATTRIBUTE.match(attributes):
        return _note_gff3
    if GTF_ATTRIBUTE.match(attributes):
        return _note_gtf
    return _note_neither


def _note_neither(_: Gathered, feature: Feature) -> str:
    """Give the fate of a line from which the format cannot be told."""
    return f"{feature.type} without attributes" if feature.type in GTF_PARTS else _type_reason(feature.type)


# --- GTF ---

QUOTED = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
ONE_ATTRIBUTE = rf'[^";]*+(?:{QUOTED}[^";]*+)*+;'  # a ';' within quotes does not end it


def _gtf_value(key: str) -> re.Pattern[str]:
    """Pattern of one key's value; attributes before it are passed over whole, so that quoted text is never a key."""
    return re.compile(rf'(?:{ONE_ATTRIBUTE})*?\s*{key}\s+(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([^\s;"]+))')


TRANSCRIPT_ID = _gtf_value("transcript_id")
GENE_ID = _gtf_value("gene_id")
BIOTYPES = [_gtf_value(key) for key in ("transcript_biotype", "transcript_type", "gene_biotype", "gene_type")]


def _value(match: re.Match[str] | None) -> str | None:
    """Text of a GTF value, quoted or bare, or None where it is absent or empty."""
    return (match[1] or match[2] or "").strip() or None if match else None


def _note_gtf(gathered: Gathered, feature: Feature) -> str:
    """Add a GTF line to its transcript's draft; give back the line's fate."""
    part = GTF_PARTS.get(feature.type)
    if part is None:
        return _type_reason(feature.type)
    gene = _value(GENE_ID.match(feature.attributes))
    name = _value(TRANSCRIPT_ID.match(feature.attributes)) or gene  # a gene without transcripts stands for its own
    if name is None:
        return f"{feature.type} without transcript_id"
    # NCBI gives one 'unknown_transcript_1' to many genes: the name alone would weld them together
    draft = _add(gathered, (gene, name), part, feature)
    draft.gene = gene
    if draft.biotype is None and "type" in feature.attributes:
        draft.biotype = next(filter(None, (_value(key.match(feature.attributes)) for key in BIOTYPES)), None)
    if draft.biotype is None and part is Part.SELF:
        draft.biotype = feature.type
    return PENDING


# --- GFF3 ---

ID = re.compile(r"(?:^|;)\s*ID\s*=([^;]*)")
PARENT = re.compile(r"(?:^|;)\s*Parent\s*=([^;]*)")


def _values(match: re.Match[str] | None) -> list[str]:
    """Comma-separated values of a GFF3 attribute, unescaped; empty ones (a comma too many) are dropped."""
    if match is None:
        return []
    values = [value for raw in match[1].split(",") if (value := raw.strip())]
    return [unquote(value) for value in values] if "%" in match[1] else values


def _identity(attributes: str) -> str | None:
    """Unescaped ID, in which a comma is a letter like any other."""
    match = ID.search(attributes)
    return unquote(match[1].strip()) or None if match else None


def _note_gff3(gathered: Gathered, feature: Feature) -> str:
    """Add a GFF3 line to the drafts of all its parents, or keep it as a possible parent; give back its fate."""
    if "%" in feature.contig:
        feature = feature._replace(contig=unquote(feature.contig))
    part = GFF3_PARTS.get(feature.type)
    parents = _values(PARENT.search(feature.attributes))
    if part is None:
        return _declare(gathered, feature, parents)
    if not parents and part is Part.CODING and (own := _identity(feature.attributes)):
        # prokaryote annotations (Prokka) give CDS alone: it is its own transcript
        _add(gathered, (None, own), part, feature).biotype = feature.type
        return PENDING
    if not parents:
        return f"{feature.type} without Parent"
    for parent in dict.fromkeys(parents):
        _add(gathered, (None, parent), part, feature)
    return PENDING


def _declare(gathered: Gathered, feature: Feature, parents: list[str]) -> str:
    """Keep what a line says of itself, for the children that name it; give back its fate if none does."""
    name = _identity(feature.attributes)
    if name is None:
        return (
            f"{feature.type} without ID" if feature.type.endswith(("RNA", "transcript")) else _type_reason(feature.type)
        )
    # where a gene and its transcript share one ID, the transcript is the parent that their exons mean
    before = gathered.declared.get(name)
    if before is None or before.type.endswith("gene"):
        parent = next(iter(parents), None)
        gathered.declared[name] = Declared(
            feature.type, parent, feature.contig, feature.strand, line=len(gathered.fates)
        )
    return _type_reason(feature.type)


def _settle_parents(gathered: Gathered) -> None:
    """Give every GFF3 draft its parent's type, gene and own line, now that all lines are known."""
    transcripts: dict[str, list[Draft]] = defaultdict(list)  # by gene
    for draft in gathered.drafts.values():
        if draft.biotype is not None:  # a CDS that stands alone
            continue
        draft.gene = _gene_above(draft.name, gathered.declared)
        if draft.gene != draft.name:
            transcripts[draft.gene].append(draft)
        declared = gathered.declared.get(draft.name)
        if declared is None:
            gathered.orphans.append(draft.name)
            continue
        draft.biotype = declared.type
        draft.numbers[Part.SELF] = array("q", [0, 0, declared.line])
        _check_place(draft, declared.contig, draft.strand if declared.strand in ".?" else declared.strand)
    for gene in transcripts.keys() & {name for _, name in gathered.drafts}:
        _hand_down(gathered, gene, transcripts[gene])


def _hand_down(gathered: Gathered, gene: str, transcripts: list[Draft]) -> None:
    """Give parts that name the gene as their parent to its only transcript; else nobody can tell whose they are."""
    draft = gathered.drafts[None, gene]
    draft.numbers.pop(Part.SELF, None)  # the gene's own line is a gene's, not a transcript's
    if len(transcripts) == 1:
        # NCBI hangs the CDS of a transcript with a frameshift on the gene, and the exon on the mRNA
        for part in draft.numbers.keys() - transcripts[0].numbers.keys():
            transcripts[0].numbers[part] = draft.numbers.pop(part)
            if part is Part.CODING:
                transcripts[0].phase, transcripts[0].coding_from = draft.phase, draft.coding_from
            _check_place(transcripts[0], draft.contig, draft.strand)
    draft.flaw = "parts of a gene that has transcripts"
    if not draft.numbers:
        del gathered.drafts[None, gene]


def _gene_above(name: str, declared: dict[str, Declared]) -> str:
    """Nearest ancestor that is a gene, else the topmost one; the name itself where it has no parent."""
    for _ in range(PARENT_DEPTH):
        line = declared.get(name)
        if line is None or line.parent is None or line.type.endswith("gene"):
            break
        name = line.parent
    return name


# --- both ---


def _add(gathered: Gathered, key: tuple[str | None, str], part: Part, feature: Feature) -> Draft:
    """Draft of that key, begun where it is new, with one more piece."""
    draft = gathered.drafts.get(key)
    if draft is None:
        flaw = "transcript without strand" if feature.strand in ".?" else None
        draft = Draft(key[1], feature.contig, feature.strand, flaw=flaw)
        gathered.drafts[key] = draft
    else:
        _check_place(draft, feature.contig, feature.strand)
    numbers = draft.numbers.get(part)
    if numbers is None:
        numbers = draft.numbers[part] = array("q")
    numbers.extend((feature.start, feature.end, len(gathered.fates)))
    if part is Part.CODING:
        _note_phase(draft, feature)
    return draft


def _note_phase(draft: Draft, feature: Feature) -> None:
    """Keep the phase of the piece that is nearest to the CDS's 5' end so far; all others follow from the lengths."""
    first = -feature.end if draft.strand == "-" else feature.start
    if draft.coding_from is None or first < draft.coding_from:
        draft.coding_from = first
        draft.phase = int(feature.phase) if feature.phase in PHASES else 0


def _check_place(draft: Draft, contig: str, strand: str) -> None:
    """Mark a draft whose lines contradict each other: no intron can be read from it."""
    if contig != draft.contig:
        draft.flaw = "transcript on two contigs"
    elif strand != draft.strand and draft.flaw is None:
        draft.flaw = "transcript on two strands"


def _type_reason(feature_type: str) -> str:
    """Reason to skip lines of a type that is no part of a transcript."""
    if feature_type == "intron":
        return "intron features (introns are taken from exons)"
    return sys.intern(f"{feature_type} features")  # one string for a million lines
