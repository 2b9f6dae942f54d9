"""Coding genes: the mRNA as it is read, the protein as Biopython translates it, and what is left out and why."""

import gzip

import numpy as np
import pytest
from Bio import SeqIO
from Bio.Seq import Seq

from genolstm.alphabet import DNA, PROTEIN, decode, encode, reverse_complement
from genolstm.errors import InputError
from genolstm.probes.protein_genes import SHORTER, coding_genes
from genolstm.readers.annotation import clip_to_genome, read_annotation
from genolstm.readers.genetic_codes import genetic_code
from genolstm.store.genome import open_genome, write_genome

STANDARD = genetic_code(1)
CDS = "ATGGCTGAAAAATGGTAA"  # M A E K W stop
INTRON = "GTAAGTTTTTTTCAG"


def row(kind, start, end, parent, *, strand="+", phase=".", contig="I"):
    """GFF3 line. start, end : 0-based, half open."""
    return f"{contig}\tmade\t{kind}\t{start + 1}\t{end}\t.\t{strand}\t{phase}\tParent={parent}\n"


def transcript(name, gene, start, end, *, strand="+", kind="mRNA", contig="I"):
    return f"{contig}\tmade\t{kind}\t{start + 1}\t{end}\t.\t{strand}\t.\tID={name};Parent={gene}\n"


def genes_of(genome, text, tmp_path, code=STANDARD):
    path = tmp_path / "genes.gff3"
    path.write_text("##gff-version 3\n" + text)
    return coding_genes(genome, read_annotation(path).transcripts, code)


@pytest.fixture
def split_gene(genome_of):
    """Genome with 5' UTR, two coding exons and 3' UTR between 10 and 73, and the pieces of its transcript."""
    cut = 7  # within a codon
    mrna = "CCCCC" + CDS[:cut], CDS[cut:] + "TTTTT"
    text = "G" * 10 + mrna[0] + INTRON + mrna[1] + "G" * 9
    first, second = 10 + len(mrna[0]), 10 + len(mrna[0]) + len(INTRON)
    pieces = [
        ("five_prime_UTR", 10, 15), ("CDS", 15, first), ("CDS", second, second + len(CDS) - cut),
        ("three_prime_UTR", second + len(CDS) - cut, second + len(CDS) - cut + 5),
    ]  # fmt: skip
    return genome_of, text, pieces, "".join(mrna)


def lines(pieces, length=None):
    """Annotation of the pieces; with a length, of the reverse complement."""
    if length is None:
        rows = [row(kind, start, end, "t") for kind, start, end in pieces]
        return transcript("t", "g", pieces[0][1], pieces[-1][2]) + "".join(rows)
    rows = [row(kind, length - end, length - start, "t", strand="-") for kind, start, end in pieces]
    return transcript("t", "g", length - pieces[-1][2], length - pieces[0][1], strand="-") + "".join(rows)


def test_the_mrna_is_spliced_and_begins_at_the_transcription_start(split_gene, tmp_path):
    genome_of, text, pieces, mrna = split_gene
    genome = genome_of({"I": text})
    (gene,), skipped = genes_of(genome, lines(pieces), tmp_path)
    assert decode(gene.mrna(genome), DNA) == mrna
    assert gene.coding_start == 5
    assert decode(gene.protein, PROTEIN) == str(Seq(CDS).translate(to_stop=True)) == "MAEKW"
    assert "".join(text[place] for place in gene.positions()) == mrna
    assert skipped == {}


def test_without_utr_reading_begins_with_the_start_codon(split_gene, tmp_path):
    genome_of, text, pieces, _ = split_gene
    genome = genome_of({"I": text})
    (gene,), _ = genes_of(genome, lines(pieces[1:3]), tmp_path)
    assert decode(gene.mrna(genome), DNA) == CDS
    assert gene.coding_start == 0


def test_a_reverse_strand_gene_reads_as_the_forward_one_of_the_reverse_complement(split_gene, tmp_path):
    genome_of, text, pieces, mrna = split_gene
    forward = genome_of({"I": text})
    backward = genome_of({"I": reverse_complement(encode(text, DNA))})
    (gene,), _ = genes_of(forward, lines(pieces), tmp_path)
    (turned,), _ = genes_of(backward, lines(pieces, len(text)), tmp_path)
    np.testing.assert_array_equal(turned.mrna(backward), gene.mrna(forward))
    np.testing.assert_array_equal(turned.protein, gene.protein)
    np.testing.assert_array_equal(turned.positions(), len(text) - 1 - gene.positions())
    assert (turned.strand, turned.coding_start) == (-1, gene.coding_start)
    assert decode(turned.mrna(backward), DNA) == mrna


@pytest.mark.parametrize(
    ("coding", "phase", "reason"),
    [
        (CDS[:-1], "0", "CDS whose length is no multiple of three"),
        ("CCC" + CDS[3:], "0", "CDS without a start codon"),
        (CDS[:-3], "0", "CDS without a stop codon"),
        (CDS[:6] + "TGA" + CDS[6:], "0", "CDS with a stop codon within"),
        (CDS[:6] + "NNN" + CDS[6:], "0", "CDS with N in it"),
        (CDS, "1", "CDS that begins within a codon (phase 1 or 2)"),
        ("ATG", "0", "CDS of one codon"),
    ],
)
@pytest.mark.parametrize("strand", ["+", "-"])
def test_a_cds_that_is_no_good_is_counted_by_its_reason(genome_of, tmp_path, coding, phase, reason, strand):
    sequence = "CC" + coding + "CC" + CDS + "CC"
    second = 4 + len(coding)
    codes = encode(sequence, DNA)
    spans = [(2, 2 + len(coding)), (second, second + len(CDS))]
    if strand == "-":
        codes = reverse_complement(codes)
        spans = [(len(sequence) - end, len(sequence) - start) for start, end in spans]
    text = "".join(
        transcript(name, f"g{name}", *span, strand=strand) + row("CDS", *span, name, strand=strand, phase=at)
        for name, span, at in (("bad", spans[0], phase), ("good", spans[1], "0"))
    )
    found, skipped = genes_of(genome_of({"I": codes}), text, tmp_path)
    assert [gene.name for gene in found] == ["good"]
    assert skipped == {reason: 1}


def test_only_the_first_piece_of_a_cds_says_that_it_is_partial(split_gene, tmp_path):
    genome_of, text, pieces, _ = split_gene
    rows = transcript("t", "g", 10, 60)
    rows += row("CDS", *pieces[2][1:], "t", phase="2") + row("CDS", *pieces[1][1:], "t", phase="0")
    (gene,), skipped = genes_of(genome_of({"I": text}), rows, tmp_path)
    assert len(gene.protein) == 5
    assert skipped == {}


def test_the_first_piece_of_a_reverse_cds_is_its_rightmost(split_gene, tmp_path):
    genome_of, text, pieces, _ = split_gene
    genome = genome_of({"I": reverse_complement(encode(text, DNA))})
    begins, ends = ((len(text) - end, len(text) - start) for _, start, end in pieces[1:3])

    def rows(first, last):
        head = transcript("t", "g", 0, len(text), strand="-")
        return head + row("CDS", *ends, "t", strand="-", phase=last) + row("CDS", *begins, "t", strand="-", phase=first)

    (gene,), skipped = genes_of(genome, rows("0", "2"), tmp_path)
    assert (len(gene.protein), skipped) == (5, {})
    with pytest.raises(InputError, match="begins within a codon"):
        genes_of(genome, rows("2", "0"), tmp_path)


def test_cds_of_noncoding_parents_and_transcripts_without_any_are_counted(genome_of, tmp_path):
    genome = genome_of({"I": CDS + CDS + "CCC"})
    text = transcript("t", "g", 0, 18) + row("CDS", 0, 18, "t")
    text += transcript("n", "gn", 18, 36, kind="ncRNA") + row("CDS", 18, 36, "n") + row("exon", 18, 36, "n")
    found, skipped = genes_of(genome, text, tmp_path)
    assert [gene.name for gene in found] == ["t"]
    assert skipped == {"ncRNA without a coding sequence": 1}


def test_of_a_gene_the_transcript_of_the_longest_good_cds_is_taken(genome_of, tmp_path):
    long = CDS[:3] + "GGG" + CDS[3:]
    broken = CDS[:3] + "TAA" + "GGGGGG" + CDS[3:]
    genome = genome_of({"I": CDS + long + broken + CDS})
    text, start = "", 0
    for name, coding in (("short", CDS), ("long", long), ("broken", broken), ("shorter", CDS)):
        text += transcript(name, "g", start, start + len(coding)) + row("CDS", start, start + len(coding), name)
        start += len(coding)
    (gene,), skipped = genes_of(genome, text, tmp_path)
    assert gene.name == "long"
    assert skipped == {SHORTER: 2, "CDS with a stop codon within": 1}


def test_another_genetic_code_reads_its_own_stops(genome_of, tmp_path):
    coding = "ATGTGAGCTTAA"  # TGA is W in code 4
    genome = genome_of({"I": coding})
    text = transcript("t", "g", 0, 12) + row("CDS", 0, 12, "t")
    (gene,), _ = genes_of(genome, text, tmp_path, genetic_code(4))
    assert decode(gene.protein, PROTEIN) == "MWA"
    with pytest.raises(InputError, match=r"whole protein.*CDS with a stop codon within \(1\).*genetic-code"):
        genes_of(genome, text, tmp_path)


def test_a_start_codon_other_than_atg_begins_with_methionine(genome_of, tmp_path):
    coding = "GTGGCTTAA"
    text = transcript("t", "g", 0, 9) + row("CDS", 0, 9, "t")
    (gene,), _ = genes_of(genome_of({"I": coding}), text, tmp_path, genetic_code(11))
    assert decode(gene.protein, PROTEIN) == str(Seq(coding).translate(table=11, cds=True)) == "MA"


@pytest.mark.realdata
@pytest.mark.slow
def test_the_proteins_of_fission_yeast_are_those_of_its_database(real_data, tmp_path, provenance):
    from genolstm.readers.fasta import read_fasta

    folder = real_data / "pombe"
    write_genome(tmp_path / "g.h5", read_fasta(folder / "genome.fa.gz", DNA), DNA, provenance)
    genome = open_genome(tmp_path / "g.h5")
    genes, _ = clip_to_genome(
        read_annotation(folder / "genes.gff3.gz"), genome.length_of, annotation_name="a", genome_name="g"
    )
    found, _ = coding_genes(genome, genes.transcripts, STANDARD)
    with gzip.open(folder / "proteins.fa.gz", "rt") as file:
        theirs = {record.id: str(record.seq) for record in SeqIO.parse(file, "fasta")}
    known = [gene for gene in found if gene.name in theirs]
    assert len(known) > 5_000
    assert all(decode(gene.protein, PROTEIN) == theirs[gene.name] for gene in known)


def tair10_lines(gene, start, length):
    """A gene of two isoforms as TAIR10 writes it: a protein of each, and both parents on every CDS line."""
    first, last = start + 5, start + length - 5  # of the CDS, 0-based, half open
    rows = [f"I\tTAIR10\tgene\t{start + 1}\t{start + length}\t.\t+\t.\tID={gene};Note=protein_coding_gene;Name={gene}"]
    for isoform in (f"{gene}.1", f"{gene}.2"):
        protein = f"{isoform}-Protein"
        rows += [
            f"I\tTAIR10\tmRNA\t{start + 1}\t{start + length}\t.\t+\t.\tID={isoform};Parent={gene};Index=1",
            f"I\tTAIR10\tprotein\t{first + 1}\t{last}\t.\t+\t.\tID={protein};Name={isoform};Derives_from={isoform}",
            f"I\tTAIR10\texon\t{start + 1}\t{start + length}\t.\t+\t.\tParent={isoform}",
            f"I\tTAIR10\tCDS\t{first + 1}\t{last}\t.\t+\t0\tParent={isoform},{protein};",
        ]
    return "\n".join(rows) + "\n"


def test_tair10_gives_one_protein_a_gene(genome_of, tmp_path):
    """Ninety genes of two isoforms, two genes without a stop: 88 proteins; the isoforms are no genes of their own."""
    whole, endless = "CCCCC" + CDS + "TTTTT", "CCCCC" + CDS[:-3] + "TGG" + "TTTTT"
    letters, text = "", ""
    for number in range(90):
        letters += "G" * 20
        text += tair10_lines(f"AT1G{number:05d}", len(letters), len(whole))
        letters += endless if number in (10, 50) else whole
    genes, skipped = genes_of(genome_of({"I": letters + "G" * 20}), text, tmp_path)
    assert len(genes) == 88
    assert len({gene.gene for gene in genes}) == 88
    assert skipped == {SHORTER: 88, "CDS without a stop codon": 4}
