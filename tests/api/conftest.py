"""A folder with what a notebook reads: a genome, places and genes on it, a small model, counts."""

import gzip
import logging
import shutil
from pathlib import Path

import pytest

import genolstm as gl
from genolstm.cli.app import app

EXAMPLE = Path(__file__).resolve().parents[2] / "example_data"
LINES = 100  # of each contig of the small genome
SITES = (("chrA", 1000, 1010, "one", "+"), ("chrA", 2000, 2010, "two", "-"),
         ("chrB", 3000, 3020, "three", "."), ("chrC", 4000, 4001, "four", "+"))  # fmt: skip


@pytest.fixture(autouse=True)
def _logging_of_commands_ends_with_them():
    """Commands set the handlers of this process for good, as a program may."""
    loggers = [logging.getLogger(name) for name in (None, "genolstm")]
    before = [(each, each.level, list(each.handlers)) for each in loggers]
    yield
    for each, level, handlers in before:
        each.setLevel(level)
        each.handlers[:] = handlers


def small_fasta(target):
    """The first lines of each contig of the example genome."""
    left = 0
    with gzip.open(EXAMPLE / "genome.fa.gz", "rt") as source, target.open("w") as small:
        for line in source:
            left = LINES if line.startswith(">") else left - 1
            if left >= 0:
                small.write(line)


@pytest.fixture(scope="session")
def notebook_files(tmp_path_factory):
    """The folder itself; tests work in a copy."""
    folder = tmp_path_factory.mktemp("notebook")
    for name in ("genome.fa.gz", "genes.gff3", "peaks.narrowPeak"):
        shutil.copy(EXAMPLE / name, folder)
    small_fasta(folder / "small.fa")
    rows = (f"{contig}\t{start}\t{end}\t{name}\t0\t{strand}\n" for contig, start, end, name, strand in SITES)
    (folder / "sites.bed").write_text("".join(rows))
    small = gl.Genome.from_fasta(folder / "small.fa", save_to=folder / "small.h5")
    first = next(line for line in (folder / "small.fa").read_text().split(">chrC")[1].splitlines()[1:])
    change = "A" if first[20].upper() != "A" else "C"
    (folder / "small.vcf").write_text(
        f"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchrC\t21\t.\t{first[20]}\t{change}\t.\t.\t.\n"
    )
    gl.train(small, hidden=8, bases="20k", test_contigs="chrC", device="cpu").save(folder / "model.h5")
    gl.Genome.from_fasta(folder / "genome.fa.gz", save_to=folder / "genome.h5")
    courses = [str(EXAMPLE / "methylation" / f"t{hours}h.bam") for hours in ("00", "01", "04", "16")]
    common = ("--genome", str(folder / "genome.h5"), "-q", "-o")
    app(
        ["methylation", "count", *courses, "--merge-strands", *common, str(folder / "counts.h5")], standalone_mode=False
    )
    app(["track", str(EXAMPLE / "atac.bam"), *common, str(folder / "atac.h5")], standalone_mode=False)
    return folder


@pytest.fixture
def notebook(notebook_files, tmp_path, monkeypatch):
    """A folder of its own with those files, which is the working one."""
    for path in notebook_files.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path
