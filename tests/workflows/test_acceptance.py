"""Acceptance ratios beside the benchmarks follow part, baseline, device and size."""

import importlib

import pytest


@pytest.fixture
def least_ratio(workflows, monkeypatch):
    monkeypatch.syspath_prepend(workflows / "benchmarks")
    return importlib.import_module("acceptance").least_ratio


def timing(part, baseline="nn.LSTM forward", hidden=256, lanes=64):
    return {"part": part, "baseline": baseline, "shape": f"1x{hidden}, {lanes} lanes x 512"}


def test_more_is_expected_of_training_on_a_gpu(least_ratio):
    assert (least_ratio(timing("train"), "cpu"), least_ratio(timing("train"), "cuda (A100)")) == (0.85, 0.90)


@pytest.mark.parametrize(("hidden", "ratio"), [(127, None), (128, 3.0), (511, 3.0), (512, 8.0), (1024, 8.0)])
def test_one_lane_is_outrun_by_more_where_units_are_many(least_ratio, hidden, ratio):
    assert least_ratio(timing("score", "nn.LSTM forward, one lane", hidden), "cpu") == ratio
    assert least_ratio(timing("score", "nn.LSTM forward, same lanes", hidden), "cpu") == 0.9


@pytest.mark.parametrize(
    ("part", "device", "hidden", "lanes", "times"),
    [
        ("gates, 1 % of positions", "cpu", 8, 4, 1.05), ("gates, 1 % of positions", "cuda (A100)", 8, 4, 1.05),
        ("gates, all gates at all positions", "cuda (A100)", 8, 4, 1.5),
        ("gates, all gates at all positions", "cpu", 256, 64, 2.2),
        ("gates, tracks at all positions", "cpu", 255, 64, None),
        ("gates, tracks at all positions", "cpu", 256, 63, None),
    ],
)  # fmt: skip
def test_gates_may_take_a_multiple_of_the_forward(least_ratio, part, device, hidden, lanes, times):
    ratio = least_ratio(timing(part, hidden=hidden, lanes=lanes), device)
    assert ratio == (None if times is None else pytest.approx(1 / times))


@pytest.mark.parametrize(
    ("part", "baseline", "ratio"),
    [
        ("bam", "plain pysam loop", 5), ("bam", "samtools view -c", 0.7), ("fasta", "Bio.SeqIO + lookup table", 3),
        ("mods", "pysam loop", 8), ("fit", "scipy.optimize per CpG", 100), ("hdf5", "h5py gzip default", 10),
    ],
)  # fmt: skip
def test_readers_and_writers_have_one_ratio_each(least_ratio, part, baseline, ratio):
    assert least_ratio({"part": part, "baseline": baseline, "shape": "1,000 reads"}, "cpu") == ratio
