"""`genolstm doctor`: will it work here?"""

import json
from importlib import metadata

import pytest

from genolstm.cli import doctor as command
from genolstm.errors import GenolstmError
from genolstm.settings.model import TrainableCell


def test_versions_and_every_cell_are_told(run):
    ended = run("doctor", "-t", "1", "--device", "cpu")
    assert ended.code == 0
    assert f"torch {metadata.version('torch')}" in ended.out.splitlines()
    for cell in TrainableCell:
        assert f"{cell}: forward and backward work; fused and reference cell agree to " in ended.out
    assert "device cpu, 1 thread, seed 0" in ended.err.splitlines()
    assert ended.err.splitlines()[-1].startswith("everything works in ")


def test_json_is_all_there_is_on_stdout(run):
    told = json.loads(run("doctor", "-t", "1", "--device", "cpu", "--json").out)
    assert (told["command"], told["output"]) == ("doctor", None)
    assert told["versions"]["h5py"] == metadata.version("h5py")
    assert set(told["agreement"]) == set(TrainableCell)
    assert all(0 <= apart < 1e-3 for apart in told["agreement"].values())


def test_missing_package_is_told_and_not_a_crash(run, monkeypatch):
    monkeypatch.setattr(command, "PACKAGES", ("numpy", "no-such-package"))
    ended = run("doctor", "-t", "1", "--device", "cpu")
    assert ended.code == 0
    assert "no-such-package is not installed; pip install no-such-package" in ended.out.splitlines()


def test_wrong_arithmetic_is_exit_1(run, monkeypatch):
    def broken(*_):
        raise GenolstmError("the fast path of lstm is off by 2.0e+00 on cpu; try --device cpu.")

    monkeypatch.setattr("genolstm.training.self_check.trial_step", broken)
    ended = run("doctor", "-t", "1", "--device", "cpu", "--json")
    assert ended.code == 1
    assert ended.out == ""
    assert ended.err.splitlines()[-1] == "genolstm: the fast path of lstm is off by 2.0e+00 on cpu; try --device cpu."


@pytest.mark.parametrize(
    ("device", "why"), [("cuda", "torch sees no CUDA device"), ("mps", "sums are made in float64")]
)
def test_device_that_is_not_here_is_exit_2(run, device, why, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    ended = run("doctor", "--device", device, "--json")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines()[-1].startswith(f"genolstm: --device {device}: {why}")
