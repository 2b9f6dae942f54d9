"""Made inputs of the parts that are timed."""

from pathlib import Path

import numpy as np

from genolstm.alphabet import DNA
from genolstm.regions import Part, Stretches
from genolstm.store.genome import Genome

RANDOM_GENOME = 4_000_000  # bases; more than the lanes of one round read
RANDOM_FASTA = 20_000_000  # bases
LINE = 60  # bases a line of the FASTA that is timed


def random_genome(bases: int | None = None) -> tuple[Genome, Stretches]:
    """One contig of evenly drawn bases, in memory, and a stretch of all of it."""
    bases = bases or RANDOM_GENOME
    codes = np.random.default_rng(0).integers(0, DNA.n_known, bases, dtype=np.uint8)
    one = np.array([bases])
    genome = Genome(
        path=Path("random"), alphabet=DNA, names=("random",), lengths=one, starts=one - one, unknown=one - one,
        mapped=codes, sha256="",
    )  # fmt: skip
    stretch = Stretches(
        contigs=("random",),
        contig=np.zeros(1, np.int32),
        start=one - one,
        end=one,
        part=np.full(1, Part.TRAIN, np.int8),
    )
    return genome, stretch


def random_fasta(path: Path) -> Path:
    """Write 20 Mb in one record, half of it soft-masked in runs of 1 kb."""
    rng = np.random.default_rng(0)
    letters = np.frombuffer(b"ACGTacgt", dtype=np.uint8)
    lines = RANDOM_FASTA // LINE
    text = letters[rng.integers(0, 4, (lines, LINE)) + 4 * (np.arange(lines)[:, None] // 17 % 2)]
    with path.open("wb") as out:
        out.write(b">random\n")
        out.write(np.insert(text, LINE, ord("\n"), axis=1).tobytes())
    return path
