"""The reader of modified bases beside the plain loop over pysam."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from genolstm.alphabet import DNA, Codes, decode, encode, reverse_complement
from genolstm.bench.bounds import reading_bound
from genolstm.bench.made import random_genome
from genolstm.bench.timing import Baseline, Timing, beside
from genolstm.methylation.counting import as_reference
from genolstm.readers.modification_loop import plain_loop
from genolstm.readers.modifications import count_calls
from genolstm.readers.motifs import motif_sites, parse_motif
from genolstm.settings.methylation import CountSettings
from genolstm.store.genome import Genome
from genolstm.writers.bam import write_bam

GENOME_BASES, READS, READ_BASES = 1_000_000, 600, 8_000  # as long as nanopore reads
MATCHED = 80  # bases between indels, of one base each, taken in turn
ML_LEVELS, QUALITIES, QUALITY_ZERO = 256, (5, 40), 33
REVERSE, MAPQ = 16, 60


def time_mods(rounds: int) -> list[Timing]:
    """Counting the CpG calls of a made BAM against the plain modified_bases and get_aligned_pairs loop.

    Bases are drawn evenly, so that one in 16 is the C of a CpG; each carries a call.
    """
    genome, _ = random_genome(GENOME_BASES)
    reference, settings = as_reference(genome), CountSettings()
    sites = motif_sites(reference, parse_motif(settings.motif, settings.bases))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.bam"
        write_bam(path, genome.length_of, made_reads(genome, READS, READ_BASES))
        loop = Baseline(
            "pysam modified_bases + get_aligned_pairs loop",
            lambda: plain_loop(path, settings.code, settings.threshold),
        )  # fmt: skip
        symbols = READS * READ_BASES
        return beside(
            "mods", "bases", symbols, lambda: count_calls(path, reference, sites, settings), [loop], rounds,
            shape=f"{READS:,} reads of {READ_BASES:,}", bound=reading_bound(path, symbols),
        )  # fmt: skip


def made_reads(genome: Genome, reads: int, bases: int) -> Iterator[str]:
    """Draw SAM lines of reads of either strand with MM, ML and MN, with an insertion or a deletion now and then."""
    rng = np.random.default_rng(0)
    for read in range(reads):
        start = int(rng.integers(0, int(genome.lengths[0]) - bases))
        codes, cigar = _copied(rng, genome.all_codes[start : start + bases])
        skips = _skips(reverse_complement(codes) if read % 2 else codes)
        tags = (
            f"MM:Z:C+m?{''.join(f',{skip}' for skip in skips)};\tML:B:C{_numbers(rng, len(skips))}\tMN:i:{len(codes)}"
        )
        qualities = "".join(map(chr, rng.integers(*QUALITIES, len(codes)) + QUALITY_ZERO))
        flag = REVERSE if read % 2 else 0
        yield (
            f"read{read}\t{flag}\t{genome.names[0]}\t{start + 1}\t{MAPQ}\t{cigar}\t*\t0\t0\t{decode(codes, DNA)}"
            f"\t{qualities}\t{tags}"
        )


def _copied(rng: np.random.Generator, codes: Codes) -> tuple[Codes, str]:
    """Bases of a read with an insertion or a deletion, in turn, after each MATCHED bases; and its CIGAR."""
    pieces, cigar = [], ""
    for step, first in enumerate(range(0, len(codes) - 1, MATCHED)):
        piece = codes[first : min(first + MATCHED, len(codes) - 1)]
        if step % 2:
            pieces += [piece, rng.integers(0, DNA.n_known, 1, dtype=np.uint8)]
            cigar += f"{len(piece)}M1I"
        else:
            pieces.append(piece[:-1])
            cigar += f"{len(piece) - 1}M1D"
    return np.concatenate([*pieces, codes[-1:]]), f"{cigar}1M"


def _skips(sequenced: Codes) -> list[int]:
    """How many C are left out before each C of a CpG, as MM counts them."""
    letter_c, letter_g = encode("CG", DNA)
    every = np.flatnonzero(sequenced[:-1] == letter_c)
    called = np.flatnonzero(sequenced[every + 1] == letter_g)
    return (np.diff(called, prepend=-1) - 1).tolist()  # type: ignore[no-any-return]


def _numbers(rng: np.random.Generator, count: int) -> str:
    return "".join(f",{level}" for level in rng.integers(0, ML_LEVELS, count).tolist())
