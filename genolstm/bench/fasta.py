"""The FASTA reader beside Biopython."""

import tempfile
from pathlib import Path

from genolstm.alphabet import DNA
from genolstm.bench.bounds import reading_bound
from genolstm.bench.made import random_fasta
from genolstm.bench.timing import Baseline, Timing, beside
from genolstm.readers.fasta import read_fasta, read_fasta_slowly


def time_fasta(path: Path | None, rounds: int) -> list[Timing]:
    """Reading a FASTA into codes against Bio.SeqIO with a lookup table; a made file of 20 Mb when none is given."""
    with tempfile.TemporaryDirectory() as folder:
        fasta = path or random_fasta(Path(folder) / "random.fa")
        symbols = sum(len(block.codes) for block in read_fasta(fasta, DNA))
        biopython = Baseline(
            "Bio.SeqIO + lookup table", lambda: sum(len(codes) for _, codes in read_fasta_slowly(fasta, DNA)),
        )  # fmt: skip
        return beside(
            "fasta", "bases", symbols, lambda: sum(len(block.codes) for block in read_fasta(fasta, DNA)), [biopython],
            rounds, shape=f"{symbols:,} bases", bound=reading_bound(fasta, symbols),
        )  # fmt: skip
