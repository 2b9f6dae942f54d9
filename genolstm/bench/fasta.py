"""The FASTA reader beside Biopython."""

import tempfile
from pathlib import Path

from genolstm.alphabet import DNA
from genolstm.bench.made import random_fasta
from genolstm.bench.timing import Timing, compare
from genolstm.readers.fasta import read_fasta, read_fasta_slowly


def time_fasta(path: Path | None, rounds: int) -> Timing:
    """Reading a FASTA into codes against Bio.SeqIO with a lookup table; a made file of 20 Mb when none is given."""
    with tempfile.TemporaryDirectory() as folder:
        fasta = path or random_fasta(Path(folder) / "random.fa")
        symbols = sum(len(block.codes) for block in read_fasta(fasta, DNA))
        return compare(
            "fasta", "Bio.SeqIO + lookup table", "bases", symbols,
            lambda: sum(len(block.codes) for block in read_fasta(fasta, DNA)),
            lambda: sum(len(codes) for _, codes in read_fasta_slowly(fasta, DNA)), rounds,
        )  # fmt: skip
