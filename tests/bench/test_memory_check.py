"""What does not fit a device, or is of a number format that it lacks, is refused in one sentence."""

import re

import pytest
import torch

from genolstm.bench import memory_check
from genolstm.bench.memory_check import Load, check_memory, explained_when_full, free_bytes
from genolstm.errors import UsageError
from genolstm.settings.model import ModelSettings

CPU = torch.device("cpu")


def load(hidden=64, lanes=8, chunk=32, *, training=True):
    return Load(ModelSettings(hidden=hidden), lanes, chunk, training=training, keeps_gates=training)


def refusal(monkeypatch, wanted, free):
    monkeypatch.setattr(memory_check, "free_bytes", lambda _device: free)
    with pytest.raises(UsageError) as caught:
        check_memory(wanted, CPU)
    return str(caught.value)


def test_what_fits_is_let_through(monkeypatch):
    monkeypatch.setattr(memory_check, "free_bytes", lambda _device: load().bytes)
    check_memory(load(), CPU)


@pytest.mark.parametrize("training", [False, True])
def test_refusal_names_the_most_lanes_that_fit(monkeypatch, training):
    wanted = load(lanes=1000, training=training)
    free = load(lanes=123, training=training).bytes
    said = refusal(monkeypatch, wanted, free)
    assert said.startswith("lstm 1x64, 1000 lanes x 32 needs at least 0.")
    assert said.endswith("are free on cpu; it fits with --lanes 123.")
    assert load(lanes=124, training=training).bytes > free


def test_refusal_names_the_chunk_where_one_lane_is_too_much(monkeypatch):
    said = refusal(monkeypatch, load(lanes=1, chunk=100_000), load(lanes=1, chunk=777).bytes)
    assert said.endswith("it fits with --chunk 777.")


def test_refusal_names_the_units_where_the_weights_are_too_much(monkeypatch):
    said = refusal(monkeypatch, load(hidden=4096), load(hidden=99, lanes=1, chunk=1).bytes)
    assert said.endswith("it fits in no number of lanes: lower --hidden to 99 at most, or --layers.")


def test_estimate_is_below_what_a_backward_pass_keeps():
    wanted = load(hidden=128, lanes=16, chunk=64)
    kernel = torch.nn.LSTM(5, 128, batch_first=True)
    kept = {}

    def note(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        kernel(torch.randn(16, 64, 5))
    weights = sum(weight.numel() for weight in kernel.parameters()) * 4
    activations = sum(kept.values())
    estimated = wanted.bytes - weights * memory_check.COPIES_TRAINED
    assert activations / 4 < estimated < activations


def test_memory_of_a_job_is_what_its_limit_leaves(monkeypatch, tmp_path):
    (tmp_path / "max").write_text("5000000\n")
    (tmp_path / "current").write_text("1000000\n")
    monkeypatch.setattr(memory_check, "CGROUPS", ((str(tmp_path / "max"), str(tmp_path / "current")),))
    assert free_bytes(CPU) == 4_000_000
    (tmp_path / "max").write_text("max\n")
    assert free_bytes(CPU) > 4_000_000


def test_gpu_that_runs_full_is_told_in_one_sentence():
    said = re.escape("ran out of memory with lstm 1x64, 8 lanes x 32; lower --lanes (now 8), --chunk or --hidden.")
    with pytest.raises(UsageError, match=said), explained_when_full(load()):
        raise torch.OutOfMemoryError
