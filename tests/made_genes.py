"""Genes planted in random sequence, for the tests of probes."""

import numpy as np


def made_genes(seed, lengths):
    """Contig -> letters, and rows of (contig, strand, exons) of genes whose introns all read GTATGT...TTTTAG."""
    rng = np.random.default_rng(seed)
    texts, genes = {}, []
    for contig, length in lengths.items():
        text = rng.choice(list("ACGT"), length)
        for start in range(60, length - 260, 210):
            exons = start + np.cumsum([0, *rng.integers(26, 44, 4), 30]).reshape(3, 2)
            strand = "+-"[int(rng.integers(2))]
            first, last = ("GTATGT", "TTTTAG") if strand == "+" else ("CTAAAA", "ACATAC")
            for left, right in zip(exons[:-1, 1], exons[1:, 0], strict=True):
                text[left : left + 6], text[right - 6 : right] = list(first), list(last)
            genes.append((contig, strand, exons))
        texts[contig] = "".join(text)
    return texts, genes


def as_gff3(genes):
    """GFF3 of such genes: mRNA, exons and CDS."""
    lines = ["##gff-version 3"]
    for number, (contig, strand, exons) in enumerate(genes):
        lines.append(f"{contig}\tmade\tmRNA\t{exons[0, 0] + 1}\t{exons[-1, 1]}\t.\t{strand}\t.\tID=t{number}")
        lines += [
            f"{contig}\tmade\t{kind}\t{start + 1}\t{end}\t.\t{strand}\t{phase}\tParent=t{number}"
            for start, end in exons.tolist()
            for kind, phase in (("exon", "."), ("CDS", "0"))
        ]
    return "\n".join(lines) + "\n"
