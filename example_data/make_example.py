"""Make the example data of genolstm from a seed: a genome, its genes, and reads, all of an organism that never lived.

    python example_data/make_example.py [--seed 7] [-o DIR]

Text comes out the same byte for byte, BAM files the same record for record.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pysam
from made_atac import write_atac, write_peaks
from made_genome import Contig, Gene, Interval, draw_genome, untranslated
from made_methylation import write_methylation
from made_variants import write_variants

ORGANISM = "Fictomyces exemplaris"
FASTA_COLUMNS = 60
SOURCE = "made"  # GFF3 column 2


def wrapped(letters: str) -> str:
    """Return lines of FASTA_COLUMNS letters, each with its newline."""
    return "".join(letters[i : i + FASTA_COLUMNS] + "\n" for i in range(0, len(letters), FASTA_COLUMNS))


def write_genome(contigs: list[Contig], path: Path) -> None:
    """Write the contigs as bgzip, which gzip reads and samtools faidx can index; it holds no name and no time."""
    text = "".join(f">{contig.name} {ORGANISM}, made, not real\n{wrapped(contig.letters)}" for contig in contigs)
    with pysam.BGZFile(str(path), "wb") as file:
        file.write(text.encode())


def write_proteins(contigs: list[Contig], path: Path) -> None:
    """Write one protein per gene, without the stop."""
    with path.open("w", newline="\n") as file:
        for contig in contigs:
            for gene in contig.genes:
                file.write(f">{gene.name}.1 gene={gene.name}\n{wrapped(gene.protein)}")


def phases(gene: Gene) -> list[int]:
    """Return for each CDS interval (ascending) how many bases its first whole codon is away from its first base."""
    in_reading_order = gene.cds if gene.strand == "+" else gene.cds[::-1]
    result, read_bp = [], 0
    for start, end in in_reading_order:
        result.append(-read_bp % 3)
        read_bp += end - start
    return result if gene.strand == "+" else result[::-1]


def gff3_lines(gene: Gene) -> Iterator[str]:
    """Yield the lines of one gene: gene, mRNA, then exons, CDS and UTRs along the contig."""

    def line(kind: str, interval: Interval, phase: int | str, attributes: str) -> str:
        start, end = interval[0] + 1, interval[1]  # GFF3 counts from 1 and includes the end
        return f"{gene.contig}\t{SOURCE}\t{kind}\t{start}\t{end}\t.\t{gene.strand}\t{phase}\t{attributes}\n"

    transcript = f"{gene.name}.1"
    yield line("gene", gene.span, ".", f"ID={gene.name};Name={gene.name};gene_biotype=protein_coding")
    yield line("mRNA", gene.span, ".", f"ID={transcript};Parent={gene.name}")
    parts = [(interval, "exon", ".", f"ID={transcript}:exon{number};") for number, interval in enumerate(gene.exons, 1)]
    parts += [
        (interval, "CDS", phase, f"ID={transcript}:cds;")
        for interval, phase in zip(gene.cds, phases(gene), strict=True)
    ]
    parts += [(interval, kind, ".", "") for kind, interval in untranslated(gene)]
    for interval, kind, phase, identity in sorted(parts, key=lambda part: (part[0][0], -part[0][1], part[1] != "exon")):
        yield line(kind, interval, phase, f"{identity}Parent={transcript}")


def write_genes(contigs: list[Contig], path: Path) -> None:
    """Write all genes as GFF3."""
    with path.open("w", newline="\n") as file:
        file.write("##gff-version 3\n")
        file.writelines(f"##sequence-region {contig.name} 1 {len(contig.letters)}\n" for contig in contigs)
        for contig in contigs:
            for gene in contig.genes:
                file.writelines(gff3_lines(gene))


def make_example(seed: int, directory: Path) -> None:
    """Write every file of the example data; each part has its own stream of random numbers."""
    directory.mkdir(parents=True, exist_ok=True)
    genome_rng, atac_rng, methylation_rng, variant_rng = (np.random.default_rng([seed, part]) for part in range(4))
    contigs = draw_genome(genome_rng)
    write_genome(contigs, directory / "genome.fa.gz")
    write_genes(contigs, directory / "genes.gff3")
    write_proteins(contigs, directory / "proteins.fa")
    write_peaks(contigs, directory / "peaks.narrowPeak")
    write_atac(atac_rng, contigs, directory / "atac.bam")
    write_methylation(methylation_rng, contigs, directory / "methylation")
    write_variants(variant_rng, contigs, directory / "variants.vcf")


def main() -> None:
    """Read the command line and make the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=7, help="which organism (default: 7, the one that is committed)")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path(__file__).resolve().parent, help="directory to write (default: here)"
    )
    arguments = parser.parse_args()
    make_example(arguments.seed, arguments.output)


if __name__ == "__main__":
    main()
