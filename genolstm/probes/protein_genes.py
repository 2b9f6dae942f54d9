"""Coding genes of a genome: their mRNA as the ribosome reads it, and the protein; unusable ones are counted."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import PROTEIN, Codes, encode, paired
from genolstm.errors import InputError
from genolstm.readers.annotation import Transcript
from genolstm.readers.genetic_codes import CODON, GeneticCode, codons_of
from genolstm.store.genome import Genome

METHIONINE = encode("M", PROTEIN)[0]
FEWEST_CODONS = 2  # start and stop
SHORTER = "transcript of a gene that has one with a longer CDS"


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Gene:
    """One transcript of a gene that codes for a whole protein.

    contig : index in the genome.   strand : +1 or -1.   exons : [n, 2], 0-based, half open, ascending; only the CDS
    where the annotation has no UTR.   coding_start : place of the first base of the CDS in the spliced mRNA.
    protein : uint8 [L], codes of `alphabet.PROTEIN`, without the stop.
    """

    name: str
    gene: str
    contig: int
    strand: int
    exons: NDArray[np.int64]
    coding_start: int
    protein: Codes

    def positions(self) -> NDArray[np.int64]:
        """Place on the contig of every base of the spliced mRNA, from the transcription start on."""
        return _positions(self.exons, self.strand)

    def mrna(self, genome: Genome) -> Codes:
        """Codes of the spliced mRNA, from the transcription start on."""
        return _read(genome, self.contig, self.positions(), self.strand)


def coding_genes(
    genome: Genome, transcripts: Sequence[Transcript], code: GeneticCode
) -> tuple[list[Gene], dict[str, int]]:
    """Genes by place, each by its transcript of the longest good CDS; and the other transcripts, counted by reason.

    transcripts : on contigs of the genome, within their ends.   Raises InputError where no transcript is any good.
    """
    skipped: Counter[str] = Counter()
    best: dict[tuple[int, str], Gene] = {}
    for transcript in transcripts:
        found = _gene_of(genome, transcript, code)
        if isinstance(found, str):
            skipped[found] += 1
            continue
        key = (found.contig, found.gene)
        before = best.get(key)
        if before is not None:
            skipped[SHORTER] += 1
        if before is None or len(found.protein) > len(before.protein):
            best[key] = found
    if not best:
        why = ", ".join(f"{reason} ({count})" for reason, count in skipped.most_common())
        raise InputError(
            f"no transcript of the annotation codes for a whole protein on {genome.path}: {why or 'there is none'};"
            " give GTF or GFF3 with CDS features of the same assembly, and the right --genetic-code."
        )
    genes = sorted(best.values(), key=lambda gene: (gene.contig, int(gene.exons[0, 0]), gene.strand, gene.name))
    return genes, dict(skipped.most_common())


def _gene_of(genome: Genome, transcript: Transcript, code: GeneticCode) -> Gene | str:
    """Gene of a transcript, or the reason why there is none."""
    if not len(transcript.coding):
        return f"{transcript.biotype} without a coding sequence"
    if transcript.phase:
        return "CDS that begins within a codon (phase 1 or 2)"
    contig = genome.index_of[transcript.contig]
    strand = -1 if transcript.strand == "-" else 1
    spliced, of_cds = (_positions(spans, strand) for spans in (transcript.exons, transcript.coding))
    start = int(np.argmax(spliced == of_cds[0]))
    if not np.array_equal(spliced[start : start + len(of_cds)], of_cds):
        return "CDS that is not one piece of the spliced exons"
    coding = _read(genome, contig, of_cds, strand)
    if flaw := _flaw(coding, code, genome.alphabet.unknown):
        return flaw
    protein = code.residues[codons_of(coding)[:-1]]
    protein[0] = METHIONINE  # whichever codon begins a protein
    return Gene(
        name=transcript.name,
        gene=transcript.gene,
        contig=contig,
        strand=strand,
        exons=transcript.exons,
        coding_start=start,
        protein=protein,
    )


def _flaw(coding: Codes, code: GeneticCode, unknown: int) -> str:
    """What is wrong with a CDS, or nothing. coding : uint8, stop codon included."""
    if len(coding) % CODON or len(coding) < FEWEST_CODONS * CODON:
        return "CDS whose length is no multiple of three" if len(coding) % CODON else "CDS of one codon"
    if (coding == unknown).any():
        return "CDS with N in it"
    codons = codons_of(coding)
    flaws = {
        "CDS without a start codon": not code.starts[codons[0]],
        "CDS without a stop codon": not code.stops[codons[-1]],
        "CDS with a stop codon within": bool(code.always_stops[codons[:-1]].any()),
    }
    return next((flaw for flaw, there in flaws.items() if there), "")


def _positions(spans: NDArray[np.int64], strand: int) -> NDArray[np.int64]:
    """Every base of ascending spans [n, 2] in reading direction, int64 [bases]."""
    forward = np.concatenate([np.arange(start, end) for start, end in spans.tolist()])
    return forward if strand > 0 else forward[::-1]


def _read(genome: Genome, contig: int, positions: NDArray[np.int64], strand: int) -> Codes:
    """Codes at these places of a contig along a strand, uint8 [bases]."""
    codes: Codes = genome.all_codes[genome.starts[contig] + positions]
    return codes if strand > 0 else paired(codes, genome.alphabet)
