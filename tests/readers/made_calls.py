"""Reads with modified bases made by hand or drawn, and what their tests share."""

import numpy as np

from genolstm.alphabet import DNA, encode
from genolstm.readers.fasta import read_fasta
from genolstm.readers.motifs import Reference

SEQUENCE = "ACGTTCGATCCGATCCGGAT"  # C of CpG on the forward strand at 1, 5, 10, 15; on the reverse one base later
FORWARD, REVERSE = [1, 5, 10, 15], [2, 6, 11, 16]


def reference_of(contigs, name="genome.h5"):
    codes = [encode(letters, DNA) if isinstance(letters, str) else letters for letters in contigs.values()]
    length = np.array([len(each) for each in codes])
    return Reference(
        name=name, contigs=tuple(contigs), start=np.cumsum(length) - length, length=length, codes=np.concatenate(codes)
    )


def fasta_reference(path):
    contigs = {}
    for block in read_fasta(path, DNA):
        contigs.setdefault(block.name, []).append(block.codes)
    return reference_of({name: np.concatenate(codes) for name, codes in contigs.items()}, str(path))


def reference_lengths(reference):
    return dict(zip(reference.contigs, reference.length.tolist(), strict=True))


def line(tags, *, sequence=SEQUENCE, flag=0, start=1, cigar=None, mapq=60, contig="I"):
    cigar = cigar or f"{len(sequence)}M"
    return f"{flag}\t{contig}\t{start}\t{mapq}\t{cigar}\t*\t0\t0\t{sequence}\t*" + "".join(f"\t{tag}" for tag in tags)


def mm(text, *levels, more=()):
    return [f"MM:Z:{text}", f"ML:B:C{''.join(f',{level}' for level in levels)}", *more]


def table(found):
    """(position, strand) -> (modified, covered)."""
    rows = zip(found.position, found.strand, found.modified[:, 0], found.covered[:, 0], strict=True)
    return {(int(position), int(strand)): (int(one), int(every)) for position, strand, one, every in rows}


def assert_same(one, other):
    for name in ("contig", "position", "strand", "modified", "covered"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True, err_msg=name)
    for name in ("contigs", "samples", "read", "used", "skipped", "calls", "dropped", "warnings"):
        assert getattr(one, name) == getattr(other, name), name


def drawn_read(rng, sequence):
    """A SAM line with whatever oddity a read may have; most have none."""
    length, start = int(rng.integers(1, 60)), int(rng.integers(0, len(sequence) - 80))
    read = list(sequence[start : start + length])
    for at in range(length):
        if rng.random() < 0.02:
            read[at] = "ACGTN"[rng.integers(5)]
    cut = int(rng.integers(0, length + 1))
    extra = "".join(rng.choice(list("ACGT"), int(rng.integers(0, 4))))
    cigar = "".join(
        f"{count}{operation}"
        for count, operation in ((cut, "M"), (len(extra), "I"), (int(rng.integers(0, 3)), "D"), (length - cut, "M"))
        if count
    )
    if rng.random() < 0.3:
        cigar, read = "2S" + cigar, ["C", "G", *read]
    text = "".join(read[: len(read) - length + cut]) + extra + "".join(read[len(read) - length + cut :])
    clipped = rng.random() < 0.15
    cigar = "5H" + cigar if clipped else cigar
    flag = int(rng.choice([0, 16, 0, 16, 0, 16, 4, 256, 2048, 512, 1024]))
    tags = [f"MN:i:{len(text) + int(rng.random() < 0.2)}"] if clipped and rng.random() < 0.8 else []
    tags += drawn_xm(rng, text) if rng.random() < 0.15 else drawn_mm(rng)
    tags += [f"NM:i:{int(rng.integers(0, 300))}", "AB:B:s,1,-2"] if rng.random() < 0.3 else []
    return line(tags, sequence=text, flag=flag, start=start + 1, cigar=cigar, mapq=int(rng.integers(0, 61)))


def drawn_xm(rng, text):
    letters = "".join(rng.choice(list(".....zZxXhHuU"), len(text) + int(rng.random() < 0.1)))
    return [f"XM:Z:{letters}", *([f"XG:Z:{rng.choice(['CT', 'GA'])}"] if rng.random() < 0.9 else [])]


def drawn_mm(rng):
    groups, levels = "", []
    lists = ["C+m", "C+h", "C+mh", "G-m", "A+a", "T-a", "N+n", "C+76792", "C+999", "T+g", "N+m", "G+o", "C+C", "G-h"]
    for codes in rng.choice(lists, int(rng.integers(0, 4)), replace=False).tolist():
        count = int(rng.integers(0, 5))
        skips = rng.integers(0, 3, count).tolist()
        groups += codes + str(rng.choice(["", ".", "?"])) + "".join(f",{skip}" for skip in skips) + ";"
        levels += rng.integers(0, 256, count * (2 if codes.endswith("mh") else 1)).tolist()
    if rng.random() < 0.1:
        levels = levels[: int(rng.integers(0, len(levels) + 1))] if rng.random() < 0.6 else [*levels, 7]
    if rng.random() < 0.05:
        groups = groups.replace(";", "", 1) or "X"
    old = rng.random() < 0.2
    tags = [f"{'Mm' if old else 'MM'}:Z:{groups}"] if groups or rng.random() < 0.5 else []
    return tags + (
        [f"{'Ml' if old else 'ML'}:B:C" + "".join(f",{level}" for level in levels)] if rng.random() < 0.95 else []
    )
