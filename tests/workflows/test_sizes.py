"""The script that tells what larger models know, from result files of a small one."""

import importlib

import pytest
from made_results import AWKWARD

from genolstm.errors import InputError
from genolstm.shipped import shipped_models
from genolstm.store.checkpoint import read_checkpoint


@pytest.fixture
def script(workflows, monkeypatch):
    """Function: arguments -> the exit code of its main function."""
    monkeypatch.syspath_prepend(workflows / "models")
    return lambda *words: importlib.import_module("sizes").main([str(word) for word in words])


def test_models_become_a_table_and_a_picture(script, results, tmp_path):
    alone, probed = str(results["model"]), f"{results['model']}:{results['probe']}"
    assert script("-o", tmp_path, alone, probed) == 0
    test = {row.part: row for row in read_checkpoint(results["model"]).bits}["test"]
    header, _, first, second, _, below = (tmp_path / "sizes.md").read_text().splitlines()
    assert header.endswith("donor: AUPRC [95 %], strongest control, verdict |")
    assert first.startswith("| 1x8 | ")
    assert f"| {test.model:.4f} | not probed | not probed |" in first
    assert (
        "0.800 [0.400, 0.900], untrained_1 0.700, no gain | 0.800 [0.400, 0.900], untrained_1 0.700, gain |" in second
    )
    assert f"interpolated Markov {test.interpolated:.4f}, uniform 2." in below
    assert len({line.count("|") for line in (header, first, second)}) == 1
    assert (tmp_path / "sizes.png").read_bytes().startswith(b"\x89PNG")
    assert AWKWARD not in (tmp_path / "sizes.svg").read_text()


def test_models_without_probes_are_drawn_alone(script, results, tmp_path):
    assert script("-o", tmp_path, results["model"]) == 0
    assert (tmp_path / "sizes.md").read_text().splitlines()[0] == "| model | weights | bases read | bits/base, test |"


def test_probe_of_another_model_is_refused(script, results, tmp_path):
    with pytest.raises(InputError, match=r"is a probe of another model than .*pombe-256\.h5"):
        script("-o", tmp_path, f"{shipped_models()['pombe-256']}:{results['probe']}")


def test_models_of_two_genomes_are_refused(script, results, tmp_path):
    with pytest.raises(InputError, match="were not tested on the same bases"):
        script("-o", tmp_path, results["model"], shipped_models()["pombe-256"])
    assert not (tmp_path / "sizes.md").exists()
