"""What every probe prints: one summary and one table for points, windows and places in proteins."""

from dataclasses import replace

import numpy as np
import pytest
from made_results import probe

from genolstm.cli import probe_output
from genolstm.cli.probe_output import summary
from genolstm.estimate import Estimate

KEYS = {
    "verdict", "close", "best_control", "difference", "n_test", "n_positive", "offsets", "pools", "pooling",
    "selectivity", "natural_prevalence", "definition", "homology", "seams", "fraction_of_ceiling", "standing", "scores",
}  # fmt: skip


def of_values(result):
    """The same sites with a value each, as places in proteins."""
    features = {
        name: replace(each, threshold=None, scores={"r2": Estimate(0.3, 0.2, 0.4)})
        for name, each in result.features.items()
    }
    sites = replace(result.sites, label=np.zeros(len(result.sites), dtype=np.int8))
    return replace(
        result, sites=sites, features=features, ranked="r2", selectivity=None, prevalence=None,
        fraction_of_ceiling=Estimate(0.5, 0.25, 0.75), chains={"name": ["p"]}, definition={"target": "net charge"},
    )  # fmt: skip


@pytest.fixture
def results():
    points, windows = probe("donor", gain=True), probe("peaks", gain=False)
    edges = {"model": ["trained"], "direction": ["into"], "layer": np.array([0]), "edges": np.array([7])}
    columns = ("value", "matched", "difference", "low", "high", "p", "p_adjusted")
    edges |= {name: np.array([0.25]) for name in columns}
    windows = replace(windows, width=200, offsets=(), pooling=("mean", "max"), selectivity=None, edges=edges)
    return {"donor": points, "peaks": windows, "charge": replace(of_values(points), target="charge")}


def test_every_task_has_the_same_keys(results):
    told = summary("made", results)
    assert told.keys() == {"task", "verdict", "targets"}
    assert told["targets"]["donor"].keys() == told["targets"]["charge"].keys() == KEYS
    assert told["targets"]["peaks"].keys() == KEYS | {"edges"}
    assert [told["targets"][name]["pooling"] for name in results] == [[], ["mean", "max"], []]
    assert told["targets"]["charge"]["fraction_of_ceiling"] == [0.5, 0.25, 0.75]


def test_positives_are_counted_of_two_classes_alone(results):
    told = summary("made", results)["targets"]
    assert [told[name]["n_positive"] for name in results] == [10, 10, None]
    assert {told[name]["n_test"] for name in results} == {20}


def test_verdict_of_all_is_theirs_or_mixed(results):
    assert summary("made", results)["verdict"] == "mixed"
    assert summary("made", {"donor": results["donor"], "charge": results["charge"]})["verdict"] == "gain"


def test_a_lone_target_also_stands_by_itself(results):
    told = summary("made", {"donor": results["donor"]})
    assert told.items() >= told["targets"]["donor"].items()
    assert told["task"] == "made"


def test_the_strongest_random_init_model_speaks_for_the_untrained(results):
    features = results["donor"].features
    stronger = replace(features["untrained_1"], scores={"auprc": Estimate(0.99, 0.9, 1.0)})
    result = replace(results["donor"], features={**features, "untrained_2": stronger})
    scores = summary("made", {"donor": result})["scores"]
    assert scores["untrained"] == scores["untrained_2"] == {"auprc": [0.99, 0.9, 1.0]}


@pytest.mark.parametrize(
    ("target", "first"),
    [
        ("donor", "donor: 20 test sites, 10 of them positive; offsets 0,2; 5.0 % of them share a 31-mer with training"),
        (
            "peaks",
            "peaks: 20 test windows, 10 of them positive; mean and max of the states; 5.0 % of them share a 31-mer with"
            " training",
        ),
        ("charge", "charge: net charge; 20 test places in 4 clusters of proteins"),
    ],
)
def test_a_table_begins_with_what_was_tested_and_ends_with_the_verdict(results, target, first, monkeypatch):
    lines = []
    monkeypatch.setattr(probe_output.log, "info", lambda text, *values: lines.append(text % values))
    result = results[target]
    probe_output._log_result(result)
    assert lines[0] == first
    assert [line.split()[0] for line in lines[1:5]] == ["features", "trained", "untrained_1", "kmer"]
    assert lines[5].startswith(f"{result.target}: {result.verdict}; trained states ")
    assert any("the trained states reach 0.50 [0.25, 0.75]" in line for line in lines) == (target == "charge")
    assert any(line.startswith("forget gate reading into peaks, trained") for line in lines) == (target == "peaks")
