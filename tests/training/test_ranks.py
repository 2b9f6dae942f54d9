"""Several processes under torchrun train the model that one process trains."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from genolstm.errors import UsageError
from genolstm.ranks import ALONE, Ranks
from genolstm.store.checkpoint import read_checkpoint

SHAPE = (
    "--hidden", "16", "--lanes", "4", "--chunk", "32", "--bases", "60k", "--device", "cpu", "--threads", "1",
    "--train-contigs", "chrA,chrB", "--test-contigs", "chrC",
)  # fmt: skip
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
ON_GPUS = Path(__file__).with_name("on_gpus.py")
GENOME = Path(__file__).resolve().parents[2] / "example_data" / "genome.fa.gz"


def test_a_process_alone_has_every_lane_and_changes_nothing():
    values = torch.arange(6.0).view(1, 3, 2)
    assert ALONE.own_lanes(5) == slice(0, 5)
    ALONE.sum_over_processes([values])
    assert torch.equal(values, torch.arange(6.0).view(1, 3, 2))
    assert ALONE.joined(values) is values
    assert ALONE.from_main(2.5) == ALONE.largest(2.5) == 2.5


def test_every_lane_belongs_to_one_process():
    slices = [Ranks(rank=rank, size=4).own_lanes(12) for rank in range(4)]
    assert [lane for each in slices for lane in range(12)[each]] == list(range(12))


def test_lanes_that_cannot_be_divided_are_refused_with_both_numbers():
    with pytest.raises(UsageError, match="5 lanes cannot be divided over 2 processes"):
        Ranks(rank=0, size=2).own_lanes(5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ranks")


@pytest.fixture(scope="module")
def together(folder):
    """Function: words after torchrun's own -> the running processes, their log."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"}

    def start(*words, torchrun=TORCHRUN, program=("-m", "genolstm")):
        log = folder / f"{len(list(folder.glob('*.log')))}.log"
        with log.open("w") as stream:
            running = subprocess.Popen(
                [*torchrun, *program, *map(str, words)], stdout=stream, stderr=stream, env=environment
            )
        return running, log

    return start


@pytest.fixture(scope="module")
def genome(folder):
    path = folder / "genome.h5"
    subprocess.run([sys.executable, "-m", "genolstm", "ingest", GENOME, "-o", path, "-q"], check=True, timeout=120)
    return path


@pytest.fixture(scope="module")
def alone(folder, genome):
    """One process's model of the same settings."""
    path = folder / "one.h5"
    words = [sys.executable, "-m", "genolstm", "train", genome, "-o", path, *SHAPE, "-q"]
    subprocess.run(words, check=True, timeout=300)
    return read_checkpoint(path)


@pytest.mark.slow
def test_two_gpus_train_what_one_process_trains(folder, genome, together):
    words = ("train", genome, *SHAPE[:-6], "--bases", "10k", "--threads", "1", *SHAPE[-4:])
    alone = [sys.executable, "-m", "genolstm", *map(str, words), "-o", folder / "cpu.h5", "--device", "cpu", "-q"]
    subprocess.run(alone, check=True, timeout=300)
    running, log = together(*words, "-o", folder / "gpus.h5", "--device", "cuda", program=[str(ON_GPUS)])
    assert running.wait(timeout=300) == 0, log.read_text()
    made = read_checkpoint(folder / "gpus.h5")
    assert_same_course(read_checkpoint(folder / "cpu.h5"), made)
    assert "device cuda (pretended)" in log.read_text()


@pytest.mark.slow
def test_processes_on_different_devices_are_refused_with_both(folder, genome, together):
    words = ("train", genome, "-o", folder / "mixed.h5", *SHAPE[:8], "--threads", "1", "--device", "auto")
    running, log = together(*words, program=[str(ON_GPUS), "--first-only"])
    assert running.wait(timeout=300) != 0
    assert "process 0 computes on cuda and process 1 of 2 on cpu: start all on machines with as" in log.read_text()
    assert not (folder / "mixed.h5").exists()


def assert_same_course(one, other):
    """Float32 sums in another order: each step differs by rounding, which training then carries on."""
    assert len(one.history["bits"]) == len(other.history["bits"])
    np.testing.assert_allclose(one.history["bits"], other.history["bits"], rtol=0, atol=2e-6)
    np.testing.assert_allclose(one.history["bits"][:100], other.history["bits"][:100], rtol=0, atol=1e-6)
    assert one.history["bases"] == other.history["bases"]
    for name, weights in one.weights.items():
        np.testing.assert_allclose(weights, other.weights[name], rtol=0, atol=1e-3, err_msg=name)


@pytest.mark.slow
def test_two_processes_train_what_one_trains(folder, genome, together, alone):
    running, log = together("train", genome, "-o", folder / "two.h5", *SHAPE)
    assert running.wait(timeout=300) == 0, log.read_text()
    assert "2 processes, 2 lanes each" in log.read_text()
    assert log.read_text().count("wrote ") == 1  # one speaks, one writes
    assert_same_course(alone, read_checkpoint(folder / "two.h5"))


@pytest.mark.slow
def test_a_killed_process_starts_all_again_from_the_checkpoint_and_ends_the_same(folder, genome, together, alone):
    output = folder / "killed.h5"
    running, log = together(
        "train", genome, "-o", output, *SHAPE, "--checkpoint-minutes", "0.005", "--resume",
        torchrun=[*TORCHRUN, "--max-restarts=3"],
    )  # fmt: skip
    resume = output.with_name("killed.h5.resume")
    until = time.monotonic() + 120
    while not resume.exists():
        assert time.monotonic() < until, log.read_text()
        assert running.poll() is None, log.read_text()
        time.sleep(0.05)
    told = subprocess.run(["pgrep", "-P", str(running.pid)], capture_output=True, text=True, check=True).stdout
    os.kill(int(told.split()[-1]), signal.SIGKILL)
    assert running.wait(timeout=300) == 0, log.read_text()
    assert "resuming after" in log.read_text()
    assert_same_course(alone, read_checkpoint(output))


@pytest.mark.slow
def test_one_process_asked_to_stop_stops_all_at_one_step_and_any_number_goes_on(folder, genome, together, alone):
    output = folder / "stopped.h5"
    resume = output.with_name("stopped.h5.resume")
    words = ("train", genome, "-o", output, *SHAPE, "--checkpoint-minutes", "0.001", "--resume")
    running, log = together(*words)
    until = time.monotonic() + 120
    while not resume.exists():
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.01)
    told = subprocess.run(["pgrep", "-P", str(running.pid)], capture_output=True, text=True, check=True).stdout
    os.kill(int(told.split()[-1]), signal.SIGUSR1)
    assert running.wait(timeout=300) != 0
    assert "stopped by signal 10" in log.read_text()
    assert resume.exists()
    # one process restores what two saved
    subprocess.run([sys.executable, "-m", "genolstm", *map(str, words), "-q"], check=True, timeout=300)
    assert_same_course(alone, read_checkpoint(output))
