"""Measure how time and memory of the commands grow with the genome, and with the number of contigs at one size.

    python workflows/benchmarks/growth.py -o growth.tsv [--bases 250k] [--times 1 4 16] [--contigs 10 100 1000]
        [--hidden 32] [--only score gates]

What `--only` names runs, and whatever it reads from; ingest and train always do.

Genomes of random bases, read by a model of 1 x HIDDEN that is trained on another for a moment. Every command is a
process of its own, of one thread: CPU seconds (user and system) and peak memory are those the system counted, start-up
included. A line for each run, at once. About ten minutes of one core as it stands.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from bench_runs import log, say_progress, write_line

from genolstm.settings.quantities import parse_size

COLUMNS = ("command", "bases", "contigs", "cpu_seconds", "seconds", "peak_mb", "exit")
MODEL_BASES = 240_000
SITES, MARGIN, REGION, SAMPLE, LINE = 500, 200, 100, 150, 80
OTHER = "score by the other model"  # for compare; not among the rows
NEEDS = {  # what each command reads from, but for the genome and a model
    "predict": ["probe"], "control": ["embed"], "motifs": ["score"], "compare": ["score", OTHER],
    "report": ["score", "gates", "probe"],
}  # fmt: skip
KNOWN = [
    "ingest", "train", "score", "embed", "gates", "variants", "probe", "predict",
    "control", "motifs", "compare", "report", "dependencies", "sample",
]  # fmt: skip
MEMORY_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Case(NamedTuple):
    """A genome. contigs : all of one length."""

    bases: int
    contigs: int


def main(words: Sequence[str] | None = None) -> int:
    """Run the script; gives the exit code, 1 where a command failed."""
    arguments = _arguments(words)
    say_progress()
    cases = [Case(arguments.bases * times, 4) for times in arguments.times]
    cases += [Case(arguments.bases * max(arguments.times, default=1), contigs) for contigs in arguments.contigs]
    asked = {"ingest", "train", *arguments.only, *(each for name in arguments.only for each in NEEDS.get(name, []))}
    failed = 0
    with TemporaryDirectory() as scratch, arguments.output.open("w") as table:
        write_line(table, COLUMNS)
        model = _trained(Path(scratch), arguments.hidden)
        for number, case in enumerate(cases):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            genome = _write_genome(folder, case)
            for name, words_of in _commands(folder, genome, model, arguments.hidden):
                if name not in asked:
                    continue
                row = _measured(words_of)
                failed += row[-1] != 0
                if name == OTHER:
                    continue
                write_line(table, COLUMNS, dict(zip(COLUMNS, (name, *case, *row), strict=True)))
                log.info("%s, %s bases, %s contigs: %.1f CPU s, %.0f MB", name, *case, row[0], row[2])
    return min(failed, 1)


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--bases", type=parse_size, default=250_000)
    parser.add_argument("--times", type=int, nargs="*", default=[1, 4, 16])
    parser.add_argument("--contigs", type=int, nargs="*", default=[10, 100, 1_000])
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--only", nargs="+", choices=KNOWN, default=KNOWN)
    return parser.parse_args(words)


def _write_genome(folder: Path, case: Case) -> Path:
    """Write genome, sites, labels and variants of one case; gives the FASTA."""
    rng = np.random.default_rng(case)  # no genome holds what the model was trained on
    each = case.bases // case.contigs
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)[rng.integers(0, 4, (case.contigs, each), dtype=np.uint8)]
    fasta = folder / "genome.fa"
    with fasta.open("wb") as file:
        for number, row in enumerate(letters):
            file.write(b">c%d\n" % number)
            file.writelines(row[first : first + LINE].tobytes() + b"\n" for first in range(0, each, LINE))
    margin = min(MARGIN, each // 4)  # of a window
    within = each - 2 * margin
    chosen = np.sort(rng.choice(case.contigs * within, SITES, replace=False))
    sites = [(int(one) // within, int(one) % within + margin) for one in chosen]
    (folder / "sites.bed").write_text("".join(f"c{n}\t{at}\t{at + 1}\ts{at % 2}\t0\t+\n" for n, at in sites))
    with_sites = list(dict.fromkeys(f"c{n}" for n, _ in sites))
    (folder / "test_contigs").write_text(",".join(with_sites[-(len(with_sites) // 4) :]))
    with (folder / "in.vcf").open("w") as file:
        file.write("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for n, at in sites:
            ref = chr(letters[n, at])
            file.write(f"c{n}\t{at + 1}\t.\t{ref}\t{'ACGT'['ACGT'.index(ref) - 1]}\t.\t.\t.\n")
    return fasta


def _trained(folder: Path, hidden: int) -> Path:
    """A model of a genome of its own, that of no case."""
    fasta, genome, model = _write_genome(folder, Case(MODEL_BASES, 4)), folder / "genome.h5", folder / "model.h5"
    for words in (
        ["ingest", str(fasta), "-o", str(genome)],
        ["train", str(genome), "-o", str(model), "--hidden", str(hidden), "--bases", "500k"],
    ):
        if _measured(words)[-1]:
            raise SystemExit(f"genolstm {' '.join(words)} failed")
    return model


def _commands(folder: Path, fasta: Path, model: Path, hidden: int) -> Iterator[tuple[str, list[str]]]:
    """Name and words of every command, in an order in which each finds its inputs.

    One model reads all genomes, but a probe needs that of its own, whose split it takes.
    """
    genome, probe = str(folder / "genome.h5"), str(folder / "probe.h5")
    yield "ingest", ["ingest", str(fasta), "-o", genome]
    trained = folder / "model.h5"
    yield "train", ["train", genome, "-o", str(trained), "--hidden", str(hidden), "--bases", "500k"]
    of_model, sites = str(model), str(folder / "sites.bed")
    yield "score", ["score", of_model, genome, "-o", str(folder / "score.h5")]
    yield "embed", ["embed", of_model, genome, "--sites", sites, "-o", str(folder / "hidden.h5")]
    yield "gates", ["gates", of_model, genome, "-o", str(folder / "gates.h5"), "--memory-bases", "0"]
    yield (
        "variants",
        ["variants", of_model, genome, str(folder / "in.vcf"), "-o", str(folder / "out.vcf"), "--no-markov"],
    )
    yield "probe", ["probe", "sites", str(trained), "--genome", genome, "--sites", sites, "-o", probe]
    yield "predict", ["predict", probe, genome, "--sites", sites, "-o", str(folder / "predictions.h5")]
    yield (
        "control",
        ["control", str(folder / "hidden.h5"), "--genome", genome, "--sites", sites,
         "--test-contigs", (folder / "test_contigs").read_text(), "-o", str(folder / "control.h5")],
    )  # fmt: skip
    score, gates = str(folder / "score.h5"), str(folder / "gates.h5")
    yield "motifs", ["motifs", score, genome, "-o", str(folder / "motifs.meme")]
    other = str(folder / "score_2.h5")
    yield OTHER, ["score", str(trained), genome, "-o", other]
    yield "compare", ["compare", score, other, "-o", str(folder / "compare.h5")]
    yield "report", ["report", str(trained), probe, score, gates, "-o", str(folder / "report.html")]
    yield (
        "dependencies",
        ["dependencies", of_model, genome, "--region", f"c0:1-{REGION}", "-o", str(folder / "dependencies.h5")],
    )
    yield (
        "sample",
        ["sample", str(trained), "-o", str(folder / "samples.fa"), "--check", genome,
         "--length", str(SAMPLE), "--table", str(folder / "samples.tsv")],
    )  # fmt: skip


def _measured(words: Sequence[str]) -> tuple[float, float, float, int]:
    """CPU seconds, seconds, peak memory in MB and exit code of one command."""
    began = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "genolstm", *words, "--quiet"], env={**os.environ, **ONE_THREAD},
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss * MEMORY_UNIT / 1e6
    return round(cpu, 2), round(time.perf_counter() - began, 2), round(peak, 1), child.returncode


if __name__ == "__main__":
    sys.exit(main())
