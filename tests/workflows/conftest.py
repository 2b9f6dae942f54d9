"""Real batch systems and a real Snakemake, in environments of their own; tests say so and are skipped without them."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"
ONE_NODE_SLURM = Path(__file__).with_name("one_node_slurm.sh")
SECONDS = 900  # after which whatever a test started is killed


@pytest.fixture(scope="session")
def workflows():
    """Folder of the workflow and of the batch scripts."""
    return WORKFLOWS


@pytest.fixture(scope="session")
def environment():
    """Environment of what a test starts: the scripts of this Python, genolstm among them, come first; one thread."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    # the tests' own coverage and warning settings stay here
    return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"}


@pytest.fixture(scope="session")
def ran(environment):
    """Function: words of a command -> how it ended, with what it printed."""

    def run(*command, seconds=SECONDS, **options):
        return subprocess.run(
            [str(word) for word in command],
            capture_output=True, text=True, timeout=seconds, check=False, env=environment, **options,
        )  # fmt: skip

    return run


@pytest.fixture(scope="session")
def snakemake():
    """Path of a real Snakemake, from its own environment: its dependencies are none of ours."""
    found = os.environ.get("GENOLSTM_SNAKEMAKE") or shutil.which("snakemake")
    if not found:
        pytest.skip("no Snakemake: name one in GENOLSTM_SNAKEMAKE, or put it on the PATH")
    return Path(found)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """Start a real SLURM of one node; gives the folder of its state and logs."""
    missing = [tool for tool in ("slurmctld", "slurmd", "munged", "sbatch") if not shutil.which(tool)]
    if missing:
        pytest.skip(f"no SLURM here: {', '.join(missing)} not installed (Debian packages slurm-wlm and munge)")
    if os.geteuid() != 0:
        pytest.skip("only root can start a SLURM of its own")
    folder = tmp_path_factory.mktemp("slurm")
    with (Path(tempfile.gettempdir()) / "genolstm-test-slurm.lock").open("w") as turn:  # one for all runs of a machine
        fcntl.flock(turn, fcntl.LOCK_EX)
        if Path("/etc/slurm/slurm.conf").exists():
            pytest.skip("this machine has a SLURM of its own; its /etc/slurm/slurm.conf is left alone")
        with (folder / "up.log").open("w") as log:  # a file: the daemons keep their stdout, and a pipe would never end
            subprocess.run(["bash", ONE_NODE_SLURM, "up", folder], stdout=log, stderr=log, timeout=60, check=True)
        yield folder
        subprocess.run(["bash", ONE_NODE_SLURM, "down", folder], timeout=60, check=True)
