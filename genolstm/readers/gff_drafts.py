"""Feature lines to drafts: which transcript each exon, CDS or UTR line names, in any line order.

GTF repeats the transcript's name on every line; GFF3 names a parent, whose own line may stand anywhere in the file.
So both are gathered first, by name, contig and strand, and judged when the file has been read (``gff_places``). Each
line ends with one fate: read = used + skipped.
"""

import re
import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from genolstm.readers.gff_lines import Feature, feature_lines

USED = "used"
PENDING = ""  # the fate of a line that is judged with its transcript

PHASES = {"1": 1, "2": 2}  # anything else is 0, or undefined


class Part(Enum):
    """Role of a line in its transcript."""

    SELF = "self"  # the transcript's own line
    EXON = "exon"
    CODING = "coding"
    STOP = "stop"  # the stop codon, which GTF2 leaves out of the CDS
    RIM = "rim"  # UTRs, and start codons: exonic, but redundant where exons or CDS are given

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


Piece = tuple[int, int, int]  # start and end, 0-based and half open, and the index of the feature line that gave it
Key = tuple[str | None, str, str, str]  # gene (None in GFF3), name of the transcript or parent, contig, strand


@dataclass(slots=True)
class Draft:
    """The lines that name one transcript on one strand of one contig.

    gene and biotype are None until a line gives them; flaw is the reason to leave the transcript out, if there is one.
    numbers : by part, start, end and line of each piece in a row: a human annotation has three million.
    trans_spliced : a line of it declares that its RNA was joined from several transcripts.
    """

    name: str
    contig: str
    strand: str
    gene: str | None = None
    biotype: str | None = None
    flaw: str | None = None
    numbers: dict[Part, "array[int]"] = field(default_factory=dict)
    trans_spliced: bool = False

    def pieces(self, part: Part) -> list[Piece]:
        """All pieces of one part, in file order."""
        numbers = self.numbers.get(part)
        return [] if numbers is None else list(zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True))

    def lines(self) -> list[int]:
        """Feature lines of all pieces."""
        return [line for numbers in self.numbers.values() for line in numbers[2::3]]

    def add(self, part: Part, piece: Piece) -> None:
        """Take one more piece."""
        numbers = self.numbers.get(part)
        if numbers is None:
            numbers = self.numbers[part] = array("q")
        numbers.extend(piece)


class Declared(NamedTuple):
    """A GFF3 line that others may name as their parent; line is its feature index.

    parent : what it is part of or derives from.   gene : that it names (``geneID``, ``locus_tag``) without a parent.
    start, end : 0-based, half open.
    """

    type: str
    parent: str | None
    gene: str | None
    contig: str
    strand: str
    start: int
    end: int
    line: int
    trans_spliced: bool


@dataclass(slots=True)
class Gathered:
    """All that one pass over a file has found.

    drafts : in the order in which lines name them.   declared : by ID, GFF3 only; the first line that has it, and
    again : those after it, where there are more.
    fates : [n_lines] what became of each feature line.   phases, ranks : [n_lines] bases before the first whole codon,
    and exon_number (GTF only; 0 where there is none).   orphans : parents that are named but have no line.
    repeated : names that stand at several places.   circular : contigs that a line calls so.
    """

    drafts: dict[Key, Draft] = field(default_factory=dict)
    declared: dict[str, Declared] = field(default_factory=dict)
    again: dict[str, list[Declared]] = field(default_factory=dict)
    fates: list[str] = field(default_factory=list)
    phases: bytearray = field(default_factory=bytearray)
    ranks: "array[int]" = field(default_factory=lambda: array("i"))
    orphans: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    circular: set[str] = field(default_factory=set)
    is_gtf: bool = False

    def lines_of(self, name: str) -> list[Declared]:
        """Every GFF3 line that has this ID."""
        first = self.declared.get(name)
        return [] if first is None else [first, *self.again.get(name, ())]


def gather_drafts(path: Path | str) -> Gathered:
    """Drafts of all transcripts of a GTF or GFF3 file; which of the two the first attributes of either kind decide.

    Raises InputError as ``feature_lines`` does.
    """
    gathered = Gathered()
    note: Callable[[Gathered, Feature], str] = _note_neither
    for feature in feature_lines(path):
        if note is _note_neither:
            note = _dialect(feature.attributes)
            if note is _note_gtf:
                gathered.ranks.extend([0] * len(gathered.fates))
        gathered.phases.append(PHASES.get(feature.phase, 0))
        gathered.fates.append(note(gathered, feature))
    gathered.is_gtf = note is _note_gtf
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
    """Fate of a line from which the format cannot be decided."""
    return f"{feature.type} without attributes" if feature.type in GTF_PARTS else _type_reason(feature.type)


# --- GTF ---

QUOTED = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
ONE_ATTRIBUTE = rf'[^";]*+(?:{QUOTED}[^";]*+)*+;'  # a ';' within quotes does not end it


def _gtf_value(key: str) -> re.Pattern[str]:
    """Pattern of one key's value; attributes before it are passed over whole, so that quoted text is never a key."""
    return re.compile(rf'(?:{ONE_ATTRIBUTE})*?\s*{key}\s+(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([^\s;"]+))')


TRANSCRIPT_ID = _gtf_value("transcript_id")
GENE_ID = _gtf_value("gene_id")
# how UCSC, StringTie and Ensembl begin: what `_value` would find, in one step
USUAL_IDS = re.compile(r'gene_id "([^"\\]*+)"; (?:gene_version "\d+"; )?transcript_id "([^"\\]*+)";')
BIOTYPES = {key: _gtf_value(key) for key in ("transcript_biotype", "transcript_type", "gene_biotype", "gene_type")}


def _value(attributes: str, key: str, pattern: re.Pattern[str]) -> str | None:
    """Text of a GTF value, quoted or bare, or None where it is absent or empty.

    `pattern` is asked where the key's first mention may lie within quotes, or is set oddly.
    """
    at = attributes.find(key)
    if at < 0:
        return None
    begin = at + len(key) + 2
    if (
        attributes[begin - 2 : begin] == ' "'
        and (at == 0 or attributes[at - 2 : at] == "; ")
        and "\\" not in attributes
        and attributes.count('"', 0, at) % 2 == 0
    ):
        end = attributes.find('"', begin)
        if end >= 0:
            return attributes[begin:end].strip() or None
    match = pattern.match(attributes)
    return (match[1] or match[2] or "").strip() or None if match else None


RANK = re.compile(r'exon_number\s+"?(\d{1,9})\b')
TRANS_SPLICED = re.compile(r"""(?:^|;)\s*(?:exception[\s="]+trans[-_ ]splicing|trans_splicing\s*(?:[="]|\s"|;|$))""")


def _is_trans_spliced(attributes: str) -> bool:
    """Whether by a line its RNA was joined from several transcripts: exception=trans-splicing and the like."""
    return TRANS_SPLICED.search(attributes) is not None


def _note_gtf(gathered: Gathered, feature: Feature) -> str:
    """Add a GTF line to its transcript's draft; returns the line's fate."""
    part, attributes = GTF_PARTS.get(feature.type), feature.attributes
    at = -1 if part is None else attributes.find("exon_number")
    rank = RANK.match(attributes, at) if at >= 0 else None
    gathered.ranks.append(int(rank[1]) if rank else 0)
    if part is None:
        return _type_reason(feature.type)
    if usual := USUAL_IDS.match(attributes):
        gene, name = usual[1].strip() or None, usual[2].strip()
    else:
        gene, name = _value(attributes, "gene_id", GENE_ID), _value(attributes, "transcript_id", TRANSCRIPT_ID)
    name = name or gene  # a gene without transcripts stands for its own
    if name is None:
        return f"{feature.type} without transcript_id"
    # NCBI gives one 'unknown_transcript_1' to many genes: the name alone would weld them together
    draft = _add(gathered, gene, name, part, feature)
    draft.gene = gene
    if draft.biotype is None and "type" in attributes:
        draft.biotype = next(filter(None, (_value(attributes, *each) for each in BIOTYPES.items())), None)
    if draft.biotype is None and part is Part.SELF:
        draft.biotype = feature.type
    return PENDING


# --- GFF3 ---

ID = re.compile(r"(?:^|;)\s*ID\s*=([^;]*)")
PARENT = re.compile(r"(?:^|;)\s*Parent\s*=([^;]*)")
DERIVES_FROM = re.compile(r"(?:^|;)\s*Derives_from\s*=([^;]*)")
# how programs name the gene where they give no gene lines: gffread, StringTie and Ensembl, Prokka and NCBI
GENE_NAME = re.compile(r"(?:^|;)\s*(?:geneID|gene_id|locus_tag)\s*=([^;]*)")
CIRCULAR = re.compile(r"(?:^|;)\s*Is_circular\s*=\s*true", re.IGNORECASE)


def _raw(attributes: str, key: str, pattern: re.Pattern[str]) -> str | None:
    """Text of a GFF3 attribute as it stands, None without one; `pattern` is asked where the key is set oddly."""
    at = attributes.find(key)
    if at < 0:
        return None
    after = at + len(key)
    if attributes[after : after + 1] == "=" and (at == 0 or attributes[at - 1] == ";"):
        end = attributes.find(";", after)
        return attributes[after + 1 :] if end < 0 else attributes[after + 1 : end]
    match = pattern.search(attributes)
    return match[1] if match else None


def _values(raw: str | None) -> list[str]:
    """Comma-separated values of a GFF3 attribute, unescaped; empty ones (a comma too many) are dropped."""
    if raw is None:
        return []
    values = [value for each in raw.split(",") if (value := each.strip())]
    return [unquote(value) for value in values] if "%" in raw else values


def _one_value(raw: str | None) -> str | None:
    """Unescaped value in which a comma is a letter like any other."""
    if raw is None:
        return None
    return (unquote(raw.strip()) if "%" in raw else raw.strip()) or None


def _gene_named(attributes: str) -> str | None:
    """Gene that a line names without a parent."""
    match = GENE_NAME.search(attributes)
    return _one_value(match[1]) if match else None


def _note_gff3(gathered: Gathered, feature: Feature) -> str:
    """Add a GFF3 line to the drafts of all its parents, or keep it as a possible parent; returns its fate."""
    if "%" in feature.contig:
        feature = feature._replace(contig=unquote(feature.contig))
    part = GFF3_PARTS.get(feature.type)
    attributes = feature.attributes
    parents = _values(_raw(attributes, "Parent", PARENT))
    if part is None:
        return _declare(gathered, feature, parents)
    if not parents and part is Part.CODING:
        # prokaryote annotations (Prokka) give CDS alone: it is its own transcript
        gene = _gene_named(attributes)
        if own := _one_value(_raw(attributes, "ID", ID)) or gene:
            draft = _add(gathered, None, own, part, feature)
            draft.biotype, draft.gene = feature.type, gene or own
            return PENDING
    if not parents:
        return f"{feature.type} without Parent"
    for parent in parents if len(parents) == 1 else dict.fromkeys(parents):
        _add(gathered, None, parent, part, feature)
    return PENDING


def _declare(gathered: Gathered, feature: Feature, parents: list[str]) -> str:
    """Keep the attributes of a line, for the children that name it; returns its fate if none does."""
    attributes = feature.attributes
    if "ircular" in attributes and CIRCULAR.search(attributes):
        gathered.circular.add(feature.contig)
    name = _one_value(_raw(attributes, "ID", ID))
    if name is None:
        return (
            f"{feature.type} without ID" if feature.type.endswith(("RNA", "transcript")) else _type_reason(feature.type)
        )
    above = parents or _values(_raw(attributes, "Derives_from", DERIVES_FROM))
    declared = Declared(
        sys.intern(feature.type),
        next(iter(above), None),
        None if above or feature.type.endswith("gene") else _gene_named(attributes),
        feature.contig,
        feature.strand,
        feature.start,
        feature.end,
        len(gathered.fates),
        "splicing" in attributes and _is_trans_spliced(attributes),
    )
    if gathered.declared.setdefault(name, declared) is not declared:
        gathered.again.setdefault(name, []).append(declared)
    return _type_reason(feature.type)


# --- both ---


def _add(gathered: Gathered, gene: str | None, name: str, part: Part, feature: Feature) -> Draft:
    """Draft of that name and place, begun where it is new, with one more piece."""
    key = (gene, name, feature.contig, feature.strand)
    draft = gathered.drafts.get(key)
    if draft is None:
        draft = gathered.drafts[key] = Draft(name, feature.contig, feature.strand)
    numbers = draft.numbers.get(part)
    if numbers is None:
        numbers = draft.numbers[part] = array("q")
    numbers.extend((feature.start, feature.end, len(gathered.fates)))
    if "splicing" in feature.attributes and _is_trans_spliced(feature.attributes):
        draft.trans_spliced = True
    return draft


@lru_cache(maxsize=256)  # one string for a million lines
def _type_reason(feature_type: str) -> str:
    """Reason to skip lines of a type that is no part of a transcript."""
    if feature_type == "intron":
        return "intron features (introns are taken from exons)"
    return f"{feature_type} features"
