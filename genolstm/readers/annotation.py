"""Gene models from GTF and GFF3: transcripts with their exons, introns and coding pieces, 0-based and half open."""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.readers.contig_match import listed
from genolstm.readers.gff_drafts import USED, Draft, Part, Piece, gather_drafts
from genolstm.readers.gff_places import settled_drafts
from genolstm.readers.text_lines import source_name

Spans = NDArray[np.int64]

UNNAMED_BIOTYPE = "transcript"  # where the file does not say more
ACROSS_ORIGIN = "across the origin of a circular contig"


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Transcript:
    """One transcript of a gene.

    name : ID or transcript_id.   gene : ID of the gene it belongs to; its own name when there is none.
    contig : as the annotation calls it.   strand : '+' or '-'.
    biotype : type of the parent feature in GFF3 (mRNA, tRNA, ...); transcript_biotype, transcript_type, gene_biotype or
    gene_type in GTF, else 'transcript'.
    exons : [n, 2] 0-based start and end, half open, ascending on both strands; pieces that touch are one exon.
    coding : [m, 2] the CDS likewise, stop codon included; [0, 2] where nothing is translated.
    phase : bases of the CDS before its first whole codon, 0 but where its beginning is missing.
    lines : feature lines that no earlier transcript has used.
    """

    name: str
    gene: str
    contig: str
    strand: str
    biotype: str
    exons: Spans
    coding: Spans
    lines: int = 0
    phase: int = 0

    def introns(self) -> Spans:
        """[n - 1, 2] the gaps between neighbouring exons, 0-based, half open, ascending."""
        return np.stack([self.exons[:-1, 1], self.exons[1:, 0]], axis=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Annotation:
    """The transcripts of one file, in the order in which the file first mentions them, and what became of its lines.

    read : feature lines in the file, always used plus all skipped.   used : those that a transcript was made of.
    skipped : reason -> number of feature lines.   warnings : one sentence for each kind of oddity.
    circular : contigs that a line of the file calls circular.
    """

    transcripts: tuple[Transcript, ...]
    read: int
    used: int
    skipped: dict[str, int]
    warnings: tuple[str, ...]
    circular: frozenset[str] = frozenset()


def read_annotation(path: Path | str) -> Annotation:
    """Transcripts of a GTF or GFF3 file, whichever the attributes show it to be.

    Parameters
    ----------
    path
        Plain, gzip or bgzip; ``-`` is standard input.

    Returns
    -------
    Annotation
        Exons are the ``exon`` features where a transcript has any, else its CDS and UTRs joined. A CDS is believed
        unless its parent is a non-coding RNA or a pseudogene. Without a transcript level the gene stands for its own.

    Raises
    ------
    InputError
        A line cannot be read, the file is of another kind, or nothing in it makes a transcript.
    """
    gathered = gather_drafts(path)
    drafts = settled_drafts(gathered)
    oddities: dict[str, list[str]] = defaultdict(list)
    if gathered.orphans:
        oddities["came from Parent attributes alone, without a feature line"] = gathered.orphans
    if gathered.repeated:
        oddities["stood at several places under one name, each read as a transcript of its own"] = gathered.repeated
    transcripts = [_transcript(draft, gathered.fates, gathered.phases, oddities) for draft in drafts]
    kept = tuple(transcript for transcript in transcripts if transcript is not None)
    skipped = Counter(gathered.fates)
    used = skipped.pop(USED, 0)
    if not kept:
        raise InputError(_nothing_found(source_name(path), skipped))
    return Annotation(
        transcripts=kept,
        read=len(gathered.fates),
        used=used,
        skipped=dict(skipped.most_common()),
        warnings=tuple(_sentence(what, names) for what, names in oddities.items()),
        circular=frozenset(gathered.circular),
    )


def _nothing_found(name: str, skipped: Counter[str]) -> str:
    """Message for a file without a single transcript."""
    wanted = "give a GTF or GFF3 with exon features, or with the CDS and UTR of mRNA features"
    if not skipped:
        return f"{name} holds no features at all; {wanted}."
    found = listed(f"{reason} ({count})" for reason, count in skipped.most_common())
    return f"{name} holds no transcript that can be used, it has only: {found}; {wanted}."


def _sentence(what: str, names: list[str]) -> str:
    """One warning: how many transcripts, what of them, and an example; a name that stands there twice counts once."""
    names = list(dict.fromkeys(names))
    return f"{len(names)} transcript{'s' * (len(names) != 1)} {what}, first {names[0]}."


# --- drafts to transcripts ---


def is_noncoding(biotype: str) -> bool:
    """Whether CDS lines of such a parent are not protein: PomBase writes the exons of its ncRNA and tRNA as CDS."""
    return "pseudogen" in biotype or ("RNA" in biotype and "mRNA" not in biotype)


def _transcript(draft: Draft, fates: list[str], phases: bytearray, oddities: dict[str, list[str]]) -> Transcript | None:
    """Transcript of a draft, or None where it cannot be made; the fate of its lines is written either way."""
    biotype = draft.biotype or UNNAMED_BIOTYPE
    if draft.flaw is not None:
        oddities[f"left out ({draft.flaw})"].append(draft.name)
        for part in list(draft.numbers):
            _skip(draft, part, draft.flaw, fates)
        return None
    _weigh_parts(draft, biotype, fates, oddities)
    exonic, cds, stops = (draft.pieces(part) for part in (Part.EXON, Part.CODING, Part.STOP))
    sources = exonic or cds + stops + draft.pieces(Part.RIM)
    if not sources:
        _skip(draft, Part.SELF, f"{biotype} features without exons", fates)
        return None
    exons, coding = _merged(sources), _merged(cds + stops)
    _tell_oddities(draft.name, exonic or cds, exons, coding, oddities)
    return Transcript(
        name=draft.name,
        gene=draft.gene or draft.name,
        contig=draft.contig,
        strand=draft.strand,
        biotype=biotype,
        exons=_spans(exons),
        coding=_spans(coding),
        lines=_use(draft, fates),
        phase=_phase(cds, draft.strand, phases),
    )


def _phase(cds: list[Piece], strand: str, phases: bytearray) -> int:
    """Phase of the piece that begins the CDS; those of all others follow from the lengths. 0 without CDS."""
    if not cds:
        return 0
    first = max(cds, key=lambda piece: piece[1]) if strand == "-" else min(cds)
    return phases[first[2]]


def _weigh_parts(draft: Draft, biotype: str, fates: list[str], oddities: dict[str, list[str]]) -> None:
    """Take out of a draft what is not believed (CDS of a tRNA) and what is not needed (UTRs beside exons)."""
    if Part.EXON in draft.numbers:
        _skip(draft, Part.RIM, "UTR and start codon features (exons are given)", fates)
    if not is_noncoding(biotype):
        return
    if disbelieved := [part for part in (Part.CODING, Part.STOP, Part.RIM) if part in draft.numbers]:
        oddities[f"of biotype {biotype} had CDS or UTR features, which were not read as coding"].append(draft.name)
        for part in disbelieved:
            _skip(draft, part, f"CDS and UTR features of {biotype} parents", fates)


def _skip(draft: Draft, part: Part, reason: str, fates: list[str]) -> None:
    """Take a part out of a draft, and write why for its lines, unless another transcript uses them."""
    for _, _, line in draft.pieces(part):
        if fates[line] != USED:
            fates[line] = reason
    draft.numbers.pop(part, None)


def _use(draft: Draft, fates: list[str]) -> int:
    """Mark the lines of a draft as used; give back how many were not used before."""
    lines = draft.lines()
    before = [fates[line] for line in lines]
    for line in lines:
        fates[line] = USED
    return len(lines) - before.count(USED)


def _merged(pieces: list[Piece]) -> list[tuple[int, int]]:
    """Ascending spans, those that touch or overlap made one."""
    merged: list[tuple[int, int]] = []
    for start, end, _ in sorted(pieces) if len(pieces) > 1 else pieces:
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _spans(merged: list[tuple[int, int]]) -> Spans:
    """[n, 2] also where n is 0."""
    return np.array(merged, np.int64) if merged else np.empty((0, 2), np.int64)


def _tell_oddities(
    name: str,
    pieces: list[Piece],
    exons: list[tuple[int, int]],
    coding: list[tuple[int, int]],
    oddities: dict[str, list[str]],
) -> None:
    """Note what is odd in a transcript that is kept: overlapping pieces, and CDS that sticks out of the exons."""
    if len(pieces) > 1 and any(left[1] > right[0] for left, right in pairwise(sorted(pieces))):
        oddities["had overlapping exons or CDS, which were merged"].append(name)
    if coding and not all(any(start >= exon[0] and end <= exon[1] for exon in exons) for start, end in coding):
        oddities["had CDS or stop codons outside the exons, which were kept as they are"].append(name)


# --- annotation and genome ---


def clip_to_genome(
    annotation: Annotation, lengths: dict[str, int], *, annotation_name: str, genome_name: str
) -> tuple[Annotation, list[str]]:
    """Transcripts that lie on the genome, and a sentence for each thing that was left out.

    Parameters
    ----------
    annotation
        As ``read_annotation`` gives it.
    lengths
        Length in bp of each contig of the genome.
    annotation_name, genome_name
        What messages call the two files.

    Returns
    -------
    Annotation
        Without the transcripts on other contigs ('contig not in genome'), past an end ('past the contig end'), or
        across the origin of a contig that the file calls circular ('across the origin of a circular contig'); their
        lines are moved from used to skipped. A line shared by several transcripts goes with the first of them.
    list of str
        Empty where everything matches.

    Raises
    ------
    InputError
        The two share no contig, or no transcript lies within its contig.
    """
    contigs = list(dict.fromkeys(transcript.contig for transcript in annotation.transcripts))
    if not any(contig in lengths for contig in contigs):
        raise InputError(_nothing_shared(contigs, list(lengths), annotation_name, genome_name))
    foreign = [t for t in annotation.transcripts if t.contig not in lengths]
    shared = [t for t in annotation.transcripts if t.contig in lengths]
    beyond = [t for t in shared if t.exons[-1, 1] > lengths[t.contig]]
    around = [t for t in beyond if t.contig in annotation.circular and t.exons[0, 0] < lengths[t.contig]]
    kept = tuple(t for t in shared if t.exons[-1, 1] <= lengths[t.contig])
    if not kept:
        raise InputError(
            f"every transcript of {annotation_name} ends past its contig in {genome_name},"
            f" first {_beyond(beyond[0], lengths)}; {_why_beyond(beyond[0], lengths)}."
        )
    past = [t for t in beyond if t not in around]
    left_out = {"contig not in genome": foreign, ACROSS_ORIGIN: around, "past the contig end": past}
    lines = {reason: sum(t.lines for t in lost) for reason, lost in left_out.items() if lost}
    clipped = replace(
        annotation, transcripts=kept, used=annotation.used - sum(lines.values()), skipped=annotation.skipped | lines
    )
    sentences = _contig_sentences(foreign, set(contigs), lengths, annotation_name, genome_name)
    if around:
        sentences.append(
            _sentence(f"left out ({ACROSS_ORIGIN}, which is read as a line from its first base to its last)",
                      [t.name for t in around])
        )  # fmt: skip
    if past:
        sentences.append(
            f"{_sentence('ended past the contig and had to be left out', [t.name for t in past])[:-1]}"
            f" ({_beyond(past[0], lengths)}); {_why_beyond(past[0], lengths)}."
        )
    return clipped, sentences


def _beyond(transcript: Transcript, lengths: dict[str, int]) -> str:
    """Words for how far one transcript reaches over the end."""
    contig = transcript.contig
    return f"{transcript.name} ends at {transcript.exons[-1, 1]} of {contig}, which has {lengths[contig]} bp"


def _why_beyond(transcript: Transcript, lengths: dict[str, int]) -> str:
    """What to do about it: a gene that begins within its contig may cross the origin of a circle."""
    same = "give the annotation of the same assembly"
    if transcript.exons[0, 0] < lengths[transcript.contig]:
        return f"{same}, or, if the contig is circular and the gene crosses its origin, leave this gene out"
    return same


def _contig_sentences(
    foreign: list[Transcript], contigs: set[str], lengths: dict[str, int], annotation_name: str, genome_name: str
) -> list[str]:
    """Sentences for what each of the two files has that the other lacks."""
    sentences = []
    if foreign:
        missing = listed(dict.fromkeys(transcript.contig for transcript in foreign))
        sentences.append(
            f"left out {len(foreign)} transcript{'s' * (len(foreign) != 1)} of {annotation_name},"
            f" on contigs that {genome_name} lacks: {missing}."
        )
    if bare := [contig for contig in lengths if contig not in contigs]:
        sentences.append(
            f"{annotation_name} has no transcript on {len(bare)} contig{'s' * (len(bare) != 1)}"
            f" of {genome_name}: {listed(bare)}."
        )
    return sentences


def _nothing_shared(contigs: list[str], genome_contigs: list[str], annotation_name: str, genome_name: str) -> str:
    """Message for two files without a common contig."""
    bare_names = {name.removeprefix("chr") for name in genome_contigs}
    if any(contig.removeprefix("chr") in bare_names for contig in contigs):
        remedy = "they differ by the prefix 'chr', add or remove it in one of the two"
    else:
        remedy = "rename the contigs in one of the two, or give the annotation of this assembly"
    return (
        f"no contig of {annotation_name} is in {genome_name}: the annotation has {listed(contigs)}"
        f" and the genome has {listed(genome_contigs)}; {remedy}."
    )
