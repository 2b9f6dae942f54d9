"""The program as a user runs it: in this process for speed, in its own where signals and imports matter."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from in_process import Ended, called

from genolstm.cli.app import main

PROGRAM = [sys.executable, "-c", "from genolstm.cli.app import main; main()"]
SMALL = ("--hidden", "8", "--lanes", "4", "--chunk", "16", "-t", "1", "--device", "cpu")


@pytest.fixture
def run(monkeypatch, capsys):
    """Function: arguments -> exit code, stdout and stderr of `genolstm` in this process."""

    def ran(*arguments):
        monkeypatch.setattr(sys, "argv", ["genolstm", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        told = capsys.readouterr()
        return Ended(code, told.out, told.err)

    return ran


@pytest.fixture(scope="session")
def ran():
    """Function: arguments -> exit code, stdout and stderr of `genolstm` in this process, outside any test."""
    return called


@pytest.fixture(scope="session")
def program():
    """Function: arguments -> a started process of `genolstm`."""

    def started(*arguments, cwd=None, **settings):
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **settings}
        return subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            cwd=cwd,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return started


@pytest.fixture(scope="session")
def finished(program):
    """Function: arguments -> exit code, stdout and stderr of `genolstm` in a process of its own."""

    def ran(*arguments, cwd=None, **settings):
        process = program(*arguments, cwd=cwd, **settings)
        out, err = process.communicate(timeout=120)
        return Ended(process.returncode, out, err)

    return ran


def drawn_dna(length, seed=1):
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), length))


@pytest.fixture(scope="session")
def fasta(tmp_path_factory):
    """Three contigs; one begins soft-masked and holds two IUPAC codes."""
    path = tmp_path_factory.mktemp("fasta") / "genome.fa"
    first = drawn_dna(1200)
    path.write_text(
        f">I first\n{first[:100].lower()}RY{first[100:]}\n>II\n{drawn_dna(500, 2)}\n>III\n{drawn_dna(400, 3)}\n"
    )
    return path


@pytest.fixture(scope="session")
def genome_file(fasta, finished, tmp_path_factory):
    path = Path(tmp_path_factory.mktemp("genome")) / "genome.h5"
    assert finished("ingest", fasta, "-o", path).code == 0
    return path


@pytest.fixture(scope="session")
def model_file(genome_file, finished, tmp_path_factory):
    path = Path(tmp_path_factory.mktemp("model")) / "model.h5"
    assert finished("train", genome_file, "-o", path, *SMALL, "--bases", "600").code == 0
    return path
