"""Batch jobs on a real SLURM: warned, laid down, queued again, and ending as if nothing had happened."""

import functools
import os
import time

import numpy as np
import pytest

from genolstm.store.checkpoint import read_checkpoint

pytestmark = [pytest.mark.workflow, pytest.mark.slow, pytest.mark.usefixtures("slurm")]

SHAPE = ("--hidden", "32", "--lanes", "4", "--chunk", "16", "--device", "cpu", "--threads", "1")
BASES = {1: "400k", 2: "150k"}  # by processes: two wait for each other at each step, and take four times as long


def eventually(seen, what, seconds=240):
    """Wait until something is seen."""
    until = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < until, f"{what} did not come about in {seconds} s"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def genome(ran, workflows, tmp_path_factory):
    path = tmp_path_factory.mktemp("batch") / "genome.h5"
    ended = ran("genolstm", "ingest", workflows.parent / "example_data" / "genome.fa.gz", "-o", path)
    assert ended.returncode == 0, ended.stderr
    return path


@pytest.fixture(scope="module")
def undisturbed(ran, genome):
    """Function: number of processes -> the model of a training that was never disturbed."""

    @functools.cache
    def train(processes):
        path = genome.with_name(f"undisturbed{processes}.h5")
        start = ("torchrun", "--standalone", f"--nproc-per-node={processes}", "-m") if processes > 1 else ()
        ended = ran(*start, "genolstm", "train", genome, "-o", path, *SHAPE, "--bases", BASES[processes], "-q")
        assert ended.returncode == 0, ended.stderr
        return read_checkpoint(path)

    return train


@pytest.mark.parametrize(
    ("script", "options", "signal", "processes"),
    [
        ("train_one_gpu", (), 10, 1),
        ("train_gpus_of_one_node", ("--export=ALL,PROCESSES=2",), 15, 2),
        ("train_several_nodes", ("--export=ALL,PROCESSES=2", "--nodes=1"), 15, 2),
    ],
)
def test_a_warned_training_job_queues_again_and_ends_as_an_undisturbed_one(
    ran, workflows, genome, undisturbed, tmp_path, script, options, signal, processes
):
    log = tmp_path / "job.log"
    sent = ran(
        "sbatch", "--parsable", "--gres=gpu:1", "--cpus-per-task=1", "--mem=4G", "--time=20", f"--output={log}",
        *options, workflows / "slurm" / f"{script}.sbatch", genome, "-o", tmp_path / "model.h5", *SHAPE,
        "--bases", BASES[processes], cwd=tmp_path,
    )  # fmt: skip
    assert sent.returncode == 0, sent.stderr
    job = sent.stdout.strip()

    def told():
        return log.read_text() if log.exists() else ""

    # a tenth of the way: far enough from the end for the signal to arrive while there is something to lay down
    eventually(lambda: ": validation " in told(), "the first look at the validation part")
    assert ran("scancel", "--signal=USR1", "--batch", job).returncode == 0
    eventually(lambda: "queues again" in told(), "the job's word that it queues again")
    assert f"stopped by signal {signal}" in told()
    assert not (tmp_path / "model.h5").exists()
    assert (tmp_path / "model.h5.resume").exists()

    # a job that was queued again waits two minutes, so that nothing of it is left on the node: here seconds will do
    time.sleep(15)

    def ended():
        ran("scontrol", "update", f"JobId={job}", "StartTime=now")
        return (tmp_path / "model.h5").exists()

    eventually(ended, "the end of the training")
    assert "resuming after" in told()
    one, other = undisturbed(processes), read_checkpoint(tmp_path / "model.h5")
    assert one.history["bits"] == other.history["bits"]
    for name, weights in one.weights.items():
        assert np.array_equal(weights, other.weights[name]), name


def test_a_training_job_takes_its_cores_from_the_batch_system(ran, genome, tmp_path):
    if (os.cpu_count() or 1) < 2:
        pytest.skip("one core leaves nothing to choose from")
    ended = ran(
        "srun", "--cpus-per-task=1", "--mem=1G", "--time=5", "genolstm", "train", genome, "-o", tmp_path / "model.h5",
        "--hidden", "8", "--bases", "20k", "--device", "cpu",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "1 thread, seed" in ended.stderr
