"""Threads: the least of what a job was given, no more than the machine has, and few for small steps."""

import os
import subprocess
import sys

import pytest
import torch

from genolstm import threads
from genolstm.errors import UsageError
from genolstm.settings.environment import process_count, whole_number
from genolstm.settings.model import ModelSettings
from genolstm.threads import ThreadTrial, allotted_threads, set_threads, threads_of_step, try_threads


@pytest.fixture
def cores(monkeypatch, tmp_path):
    """Function: affinity, control groups (file -> text), environment -> threads allotted."""

    def allotted(mask=8, groups=None, **environment):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(mask)), raising=False)
        for name in ("OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK", "LOCAL_WORLD_SIZE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        for name, text in (groups or {}).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        monkeypatch.setattr(threads, "CGROUP_OF_PROCESS", tmp_path / "own")
        monkeypatch.setattr(threads, "CGROUPS", tmp_path)
        return allotted_threads()

    return allotted


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, 8), ({"OMP_NUM_THREADS": "1"}, 1), ({"OMP_NUM_THREADS": "3,2"}, 3), ({"OMP_NUM_THREADS": "64"}, 8),
        ({"OMP_NUM_THREADS": "many"}, 8), ({"SLURM_CPUS_PER_TASK": "4"}, 4),
        ({"SLURM_CPUS_PER_TASK": "4", "OMP_NUM_THREADS": "2"}, 2), ({"LOCAL_WORLD_SIZE": "4"}, 2),
        ({"LOCAL_WORLD_SIZE": "16"}, 1), ({"LOCAL_WORLD_SIZE": "4", "OMP_NUM_THREADS": "2"}, 2),
    ],
)  # fmt: skip
def test_the_least_of_what_is_set_counts(cores, environment, expected):
    assert cores(**environment) == expected


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ({"own": "0::/job/step\n", "job/step/cpu.max": "max 100000\n", "job/cpu.max": "250000 100000\n"}, 2),
        ({"own": "0::/\n", "cpu.max": "50000 100000\n"}, 1),
        ({"own": "0::/\n", "cpu.max": "max 100000\n"}, 8),
        ({"own": "4:cpu,cpuacct:/x\n3:memory:/y\n", "cpu,cpuacct/x/cpu.cfs_quota_us": "300000\n",
          "cpu,cpuacct/x/cpu.cfs_period_us": "100000\n"}, 3),
        ({"own": "4:cpu:/\n", "cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
    ],
)  # fmt: skip
def test_quota_of_a_control_group_or_of_one_above_it_counts(cores, groups, expected):
    assert cores(groups=groups) == expected


def test_more_threads_than_the_machine_has_are_refused(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    with pytest.raises(UsageError, match=r"^--threads 100000: this machine has 2 logical cores; give 2 at most, or 0 "):
        set_threads(100_000)


def test_threads_follow_the_size_of_a_step():
    small, large = ModelSettings(hidden=128), ModelSettings(hidden=1024)
    assert threads_of_step(small, 16, 8) == 1
    assert threads_of_step(small, 64, 8) == 1
    assert threads_of_step(ModelSettings(hidden=256), 64, 8) == 4
    assert threads_of_step(large, 64, 8) == 8
    assert threads_of_step(large, 64, 1) == 1


@pytest.mark.parametrize(
    ("one", "several", "used", "told"),
    [
        (0.001, 0.004, 1, "takes 1 ms with 1 thread, 4 ms with 2: more do not pay"),
        (0.001, 0.004, 2, "--threads 1 would be faster"), (0.004, 0.001, 1, "--threads 2 would be faster"),
        (0.004, 0.001, 2, "they pay"), (0.001, 0.001, 2, "about the same"),
    ],
)  # fmt: skip
def test_advice_follows_what_was_measured(one, several, used, told):
    assert ThreadTrial(one, several, 2).advice(used).endswith(told)


@pytest.mark.parametrize("training", [True, False])
def test_trial_leaves_threads_gradients_and_random_state_as_they_were(training):
    before = torch.get_rng_state()
    trial = try_threads(ModelSettings(hidden=8), 4, 16, 2, training=training)
    assert trial.one > 0
    assert trial.several > 0
    assert trial.most == 2
    assert torch.get_num_threads() == 1
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("text", ["abc", "-1", "0", "1.5", "9" * 30])
def test_number_of_processes_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("WORLD_SIZE", text)
    with pytest.raises(UsageError, match=f"^WORLD_SIZE is '{text}' in the environment, which is no whole number of at"):
        process_count()


def test_unset_number_is_the_default(monkeypatch):
    monkeypatch.setenv("RANK", " ")
    assert whole_number("RANK", 5) == 5


@pytest.mark.parametrize(
    ("given", "policy"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"), ({"GOMP_SPINCOUNT": "9"}, "None")]
)
def test_waiting_threads_sleep_unless_the_user_says_otherwise(given, policy):
    code = (
        "import os\nfrom genolstm.cli import app\n"
        "app.app = lambda: print(os.environ.get('OMP_WAIT_POLICY'))\napp.main()"
    )
    spinning = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}
    environment = {name: value for name, value in os.environ.items() if name not in spinning}
    ran = subprocess.run(
        [sys.executable, "-c", code], env={**environment, **given}, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == policy
