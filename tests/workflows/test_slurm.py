"""Batch jobs on a real SLURM: warned, laid down, queued again, and ending as if nothing had happened."""

import os
import time

import numpy as np
import pytest

from genolstm.store.checkpoint import read_checkpoint

pytestmark = [pytest.mark.workflow, pytest.mark.slow, pytest.mark.usefixtures("slurm")]

SHAPE = ("--hidden", "32", "--lanes", "4", "--chunk", "32", "--bases", "400k", "--device", "cpu", "--threads", "1")


def eventually(seen, what, seconds=240):
    """Wait until something is seen."""
    until = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < until, f"{what} did not come about in {seconds} s"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def genome(ran, workflows, tmp_path_factory):
    path = tmp_path_factory.mktemp("batch") / "genome.h5"
    ended = ran("genolstm", "ingest", workflows.parent / "example_data" / "genome.fa.gz", "-o", path)
    assert ended.returncode == 0, ended.stderr
    return path


@pytest.fixture(scope="module")
def whole(ran, genome):
    """Give the model of one process that was never disturbed."""
    path = genome.with_name("whole.h5")
    assert ran("genolstm", "train", genome, "-o", path, *SHAPE, "-q").returncode == 0
    return read_checkpoint(path)


def same_bits(one, other):
    assert one.history["bits"] == other.history["bits"]
    for name, weights in one.weights.items():
        assert np.array_equal(weights, other.weights[name]), name


def same_course(one, other):
    """Two processes sum float32 in another order."""
    np.testing.assert_allclose(one.history["bits"], other.history["bits"], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("script", "options", "signal", "same"),
    [
        ("train_one_gpu", (), 10, same_bits),
        ("train_gpus_of_one_node", ("--export=ALL,PROCESSES=2",), 15, same_course),
        ("train_several_nodes", ("--export=ALL,PROCESSES=2", "--nodes=1"), 15, same_course),
    ],
)
def test_a_warned_training_job_queues_again_and_ends_as_an_undisturbed_one(
    ran, workflows, genome, whole, tmp_path, script, options, signal, same
):
    log = tmp_path / "job.log"
    sent = ran(
        "sbatch", "--parsable", "--gres=gpu:1", "--cpus-per-task=1", "--mem=4G", "--time=20", f"--output={log}",
        *options, workflows / "slurm" / f"{script}.sbatch", genome, "-o", tmp_path / "model.h5", *SHAPE, cwd=tmp_path,
    )  # fmt: skip
    assert sent.returncode == 0, sent.stderr
    job = sent.stdout.strip()

    def told():
        return log.read_text() if log.exists() else ""

    eventually(lambda: "train " in told() and "bases/s" in told(), "the first line of progress")
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
    same(whole, read_checkpoint(tmp_path / "model.h5"))


def test_a_training_job_takes_its_cores_from_the_batch_system(ran, genome, tmp_path):
    if (os.cpu_count() or 1) < 2:
        pytest.skip("one core leaves nothing to choose from")
    ended = ran(
        "srun", "--cpus-per-task=1", "--mem=1G", "--time=5", "genolstm", "train", genome, "-o", tmp_path / "model.h5",
        "--hidden", "8", "--bases", "20k", "--device", "cpu",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "1 thread, seed" in ended.stderr
