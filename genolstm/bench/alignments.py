"""BAM to cut sites beside the plain loop over pysam's reads, and beside samtools, which only counts records."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from genolstm.alphabet import DNA, decode
from genolstm.bench.bounds import reading_bound
from genolstm.bench.timing import Baseline, NotRun, Timing, beside
from genolstm.readers.alignments import bam_contigs, count_reads
from genolstm.readers.pysam_loop import cut_sites_slowly
from genolstm.readers.tally import Tally, no_stretches
from genolstm.settings.track import TrackSettings
from genolstm.writers.bam import write_bam

SAMTOOLS = "samtools view -c"

RANDOM_READS, READ_BASES = 1_000_000, 50
GENOME = {"random": 12_000_000}
QUALITIES, QUALITY_ZERO = (20, 41), 33
REVERSE, MAPQ = 16, 42


def time_bam(path: Path | None, rounds: int) -> list[Timing | NotRun]:
    """Cut sites of a BAM file, binned and counted by reason, against what takes as many reads.

    A file of 1 M made reads when none is given. The plain loop makes the same positions, and nothing of them;
    ``samtools view -c``, where samtools is installed, starts a process and counts records.
    """
    settings, samtools = TrackSettings(), shutil.which("samtools")
    with tempfile.TemporaryDirectory() as folder:
        bam = path or _random_bam(Path(folder) / "random.bam")
        lengths = bam_contigs(bam)

        def ours() -> int:
            with Tally(lengths, no_stretches(), Path(folder)) as tally:
                return count_reads(bam, lengths, settings, tally, genome_name=str(bam)).read

        reads = ours()
        baselines = [Baseline("plain pysam loop", lambda: cut_sites_slowly(bam, settings))]
        if samtools:
            command = [samtools, "view", "-c", str(bam)]
            baselines.append(Baseline(SAMTOOLS, lambda: subprocess.run(command, check=True, capture_output=True)))
        timings = beside(
            "bam", "reads", reads, ours, baselines, rounds, shape=f"{reads:,} reads", bound=reading_bound(bam, reads)
        )
        return [*timings, *([] if samtools else [NotRun("bam", SAMTOOLS, "samtools is not on the PATH")])]


def _random_bam(path: Path) -> Path:
    """Write reads of evenly drawn bases and qualities, in order of their places, half of them reverse."""
    write_bam(path, GENOME, _random_reads())
    return path


def _random_reads() -> Iterator[str]:
    """SAM lines."""
    rng = np.random.default_rng(0)
    starts = np.sort(rng.integers(0, GENOME["random"] - READ_BASES, RANDOM_READS))
    codes = rng.integers(0, DNA.n_known, GENOME["random"], dtype=np.uint8)
    letters = decode(codes, DNA)
    qualities = "".join(map(chr, rng.integers(*QUALITIES, RANDOM_READS + READ_BASES) + QUALITY_ZERO))
    for read, start in enumerate(starts.tolist()):
        flag = REVERSE if read % 2 else 0
        yield (
            f"read{read}\t{flag}\trandom\t{start + 1}\t{MAPQ}\t{READ_BASES}M\t*\t0\t0"
            f"\t{letters[start : start + READ_BASES]}\t{qualities[read : read + READ_BASES]}"
        )
