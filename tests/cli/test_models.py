"""`genolstm models`, and a model by name wherever a model file is asked for."""

import json

import h5py
import numpy as np
import pytest

from genolstm.cli.models import lines_of
from genolstm.shipped import shipped_models
from genolstm.store.checkpoint import read_checkpoint
from genolstm.store.files import file_sha256

HELD_OUT = {"pombe-256": "III", "pombe-512": "III", "yeast-256": "chrIV, chrXV"}
PROBED = {"pombe-256": {"donor", "acceptor"}, "pombe-512": {"donor", "acceptor"}, "yeast-256": {"peaks", "signal"}}


@pytest.fixture(scope="module", params=sorted(shipped_models()))
def name(request):
    return request.param


def test_list_tells_of_each_model_what_it_is_worth(run, name):
    ended = run("models")
    assert (ended.code, ended.err) == (0, "")
    checkpoint = read_checkpoint(shipped_models()[name])
    lines = ended.out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(f"{name}: LSTM "))
    told = lines[at + 1 : at + 1 + len(lines_of(checkpoint))]
    assert [line.strip() for line in told] == [line.strip() for line in lines_of(checkpoint)]
    text = "\n".join(told)
    test = {row.part: row for row in checkpoint.bits}["test"]
    for word in (
        f"test: {test.model:.4f} bits/base", "uniform 2.0000", "interpolated Markov", "strongest control", "licence",
        f"never seen: {HELD_OUT[name]}", "genolstm train ", "seed 1",
    ):  # fmt: skip
        assert word in text


def test_models_list_is_models(run):
    assert run("models", "list").out == run("models").out
    assert json.loads(run("models", "list", "--json").out).keys() == set(shipped_models())


def test_a_shipped_model_is_below_every_markov_line_on_a_contig_it_never_saw(name):
    checkpoint = read_checkpoint(shipped_models()[name])
    test = {row.part: row for row in checkpoint.bits}["test"]
    assert test.model < min(test.interpolated, test.best_bits, test.uniform)
    assert not set(HELD_OUT[name].split(", ")) & set(checkpoint.seen)
    assert checkpoint.card.probes
    assert checkpoint.resumable is None


def test_json_holds_cards(run, name):
    told = json.loads(run("models", "--json").out)
    assert list(told) == sorted(shipped_models())
    card = told[name]["card"]
    assert {line["target"] for line in card["probes"]} >= PROBED[name]
    assert not set(HELD_OUT[name].split(", ")) & set(told[name]["trained_on"])


def test_card_names_no_folder(name):
    with h5py.File(shipped_models()[name]) as file:
        told = "".join(str(value) for value in file.attrs.values())
    assert "/" not in told


def test_name_stands_for_the_file(run, genome_file, tmp_path, name):
    path = shipped_models()[name]
    assert run("score", name, genome_file, "-o", tmp_path / "n.h5", "-q", "-t", "1", "--device", "cpu").code == 0
    assert run("score", path, genome_file, "-o", tmp_path / "p.h5", "-q", "-t", "1", "--device", "cpu").code == 0
    with h5py.File(tmp_path / "n.h5") as one, h5py.File(tmp_path / "p.h5") as other:
        assert json.loads(one.attrs["inputs"])["model"] == file_sha256(path)
        for strand in ("forward", "reverse"):
            np.testing.assert_array_equal(one["bits"][strand][()], other["bits"][strand][()])
    assert f"file: {path}" in run("show", name).out.splitlines()


@pytest.mark.parametrize(
    "words",
    [
        ("score", "pombe", "g.h5", "-o", "x.h5"),
        ("gates", "pombe", "g.h5", "-o", "x.h5"),
        ("embed", "pombe", "g.h5", "--sites", "s.bed", "-o", "x.h5"),
        ("variants", "pombe", "g.h5", "v.vcf", "-o", "x.vcf"),
        ("probe", "splice", "pombe", "--genome", "g.h5", "--annotation", "a.gff3", "-o", "x.h5"),
        ("probe", "accessibility", "pombe", "--genome", "g.h5", "--track", "t.h5", "-o", "x.h5"),
        ("probe", "protein", "pombe", "--genome", "g.h5", "--annotation", "a.gff3", "-o", "x.h5"),
        ("models", "pack", "pombe", "g.h5", "--data", "d", "--licence", "l", "-o", "x.h5"),
        ("show", "pombe"),
    ],
    ids=lambda words: "-".join(word for word in words[:2]),
)  # fmt: skip
def test_unknown_name_is_told_with_the_known_ones(run, words):
    ended = run(*words)
    assert ended.code == 3
    assert ended.err.count("\n") == 1
    assert ended.err.startswith("genolstm: 'pombe' is no file, and no model that comes with genolstm: pombe-256")
