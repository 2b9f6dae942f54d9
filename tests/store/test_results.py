"""Result files of probes: what is written is what is read, and the file follows its table."""

import dataclasses
import json

import h5py
import numpy as np
import pytest

from genolstm.errors import InputError
from genolstm.regions import Sites
from genolstm.store.files import Records, content_sha256, open_file
from genolstm.store.results import (
    CalibrationBin,
    Estimate,
    FeatureSet,
    ProbeResult,
    SweepFit,
    read_probe,
    write_probe,
)
from genolstm.store.schema import Kind, problems
from genolstm.store.summary import summarise

SWEEP = (("trained", (0,), -0.3, 0.25), ("trained", (0, 2, 4), -0.1, 0.75), ("untrained_1", (6,), -0.2, 0.5))


def made_features(rng, n, width):
    return FeatureSet(
        label=rng.integers(0, 2, n).astype(np.int8),
        log_odds=rng.standard_normal(n).astype(np.float32),
        threshold=float(rng.standard_normal()),
        mean=rng.standard_normal(width).astype(np.float32),
        scale=rng.random(width).astype(np.float32),
        coefficients=rng.standard_normal(width).astype(np.float32),
        intercept=float(rng.standard_normal()),
        regularisation=10**-2.5,
        converged=bool(rng.integers(2)),
        strengths=tuple((float(c), float(rng.random())) for c in (1e-3, 1e-2, 0.1)[: int(rng.integers(1, 4))]),
        scores={name: Estimate(*rng.random(3).tolist()) for name in ("auprc", "auroc", "topk")},
    )


def made_result(target, seed, n, *, swept=True):
    """A result in which every number is another one."""
    rng = np.random.default_rng(seed)
    return ProbeResult(
        target=target,
        sites=Sites(
            contigs=("I", "II"),
            contig=np.repeat([0, 1], [3, n - 3]).astype(np.int32),
            position=np.concatenate([[3, 5, 9], np.arange(n - 3) * 7]),
            strand=rng.choice(np.array([-1, 1], dtype=np.int8), n),
            label=rng.integers(0, 2, n).astype(np.int8),
            part=rng.integers(0, 3, n).astype(np.int8),
            block=rng.integers(0, 9, n),
        ),
        offsets=(0, 2, 4),
        verdict="gain" if seed % 2 else "no gain",
        best_control="onehot",
        features={
            name: made_features(rng, n, width) for name, width in {"trained": 6, "onehot": 11, "kmer": 4}.items()
        },
        differences={name: Estimate(*rng.random(3).tolist()) for name in ("onehot", "kmer")},
        selectivity=float(rng.random()),
        prevalence=float(rng.random()),
        homology=float(rng.random()),
        sweep=tuple(SweepFit(*row) for row in SWEEP) if swept else (),
        calibration=(CalibrationBin(-1.5, 0.25, 0.125, 7), CalibrationBin(1.5, 0.75, 1.0, 8)),
        seams={"trained": {"count": 4.0, "max_state": 0.001}, "untrained_1": {"count": 4.0, "max_state": 0.5}},
    )


def assert_same(one, other, where=""):
    """Two records hold the same numbers, types and orders, however deep."""
    assert type(one) is type(other), where
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other, strict=True, err_msg=where)
    elif dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name), f"{where}.{field.name}")
    elif isinstance(one, dict):
        assert list(one) == list(other), where
        for key, value in one.items():
            assert_same(value, other[key], f"{where}[{key}]")
    else:
        assert one == other, where


@pytest.fixture
def results():
    """Two targets with different numbers of sites."""
    return {"donor": made_result("donor", 1, 20), "acceptor": made_result("acceptor", 2, 13)}


@pytest.fixture
def written(tmp_path, results, provenance):
    path = tmp_path / "p.h5"
    write_probe(path, "splice", results, Records(read=9, used=7, skipped={"odd": 2}), provenance)
    return path


def test_what_is_read_is_what_was_written(written, results):
    found = read_probe(written)
    assert found.keys() == results.keys()
    for target, result in results.items():
        assert_same(found[target], result, target)


def test_result_without_a_sweep_comes_back(tmp_path, provenance):
    result = made_result("donor", 3, 8, swept=False)
    write_probe(tmp_path / "p.h5", "splice", {"donor": result}, Records(), provenance)
    assert_same(read_probe(tmp_path / "p.h5")["donor"], result)


def test_windows_values_and_edges_come_back(tmp_path, provenance):
    classes = made_result("peaks", 3, 8, swept=False)
    sites = dataclasses.replace(classes.sites, strand=np.zeros(8, dtype=np.int8))
    edges = {"model": ["trained", "untrained_1"], "direction": ["into", "out of"], "layer": np.array([1, 1], np.int32)}
    edges |= {"edges": np.array([7, 9]), "p": np.array([0.25, 1.0])}
    peaks = dataclasses.replace(
        classes, sites=sites, width=200, offsets=(), selectivity=None, definition={"open": "so", "mean_cuts": 2.5},
        edges=edges, profiles={"offset": np.array([-20, 0, 20]), "forget": np.arange(6.0).reshape(2, 3)},
    )  # fmt: skip
    features = {
        name: dataclasses.replace(each, label=each.log_odds + 1, threshold=None, scores={"r2": each.scores["auprc"]})
        for name, each in peaks.features.items()
    }
    signal = dataclasses.replace(
        peaks, target="signal", features=features, ranked="r2", prevalence=None, calibration=(), edges={}, profiles={}
    )
    results = {"peaks": peaks, "signal": signal}
    write_probe(tmp_path / "p.h5", "accessibility", results, Records(), provenance)
    found = read_probe(tmp_path / "p.h5")
    for target, result in results.items():
        mine = dataclasses.replace(found[target], edges={}, profiles={})
        assert_same(mine, dataclasses.replace(result, edges={}, profiles={}), target)
        for name in ("edges", "profiles"):
            columns = getattr(found[target], name)
            assert columns.keys() == getattr(result, name).keys()
            for column, values in columns.items():
                np.testing.assert_array_equal(values, getattr(result, name)[column])
    with open_file(tmp_path / "p.h5", Kind.PROBE, verify=True) as file:
        assert problems(file, Kind.PROBE) == []
        assert file["signal/sites/end"][()].tolist() == (sites.position + 200).tolist()
        assert "log_odds" not in file["signal/features/kmer"]
    told = summarise(tmp_path / "p.h5", verify=True)
    assert told["signal"]["open"] == "so"
    assert told["signal"]["trained minus kmer"].startswith("R2 ")
    assert "prevalence in nature" not in told["signal"]


def test_file_of_version_1_is_read(tmp_path, results, provenance):
    path = tmp_path / "p.h5"
    write_probe(path, "splice", results, Records(), provenance)
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = 1
        for target in results:
            del file[target].attrs["ranked"], file[target].attrs["definition"]
        file.attrs["content_sha256"] = content_sha256(file)
    for target, result in read_probe(path).items():
        assert_same(result, results[target], target)


def test_file_follows_its_table_and_says_what_it_is(written):
    with open_file(written, Kind.PROBE, verify=True) as file:
        assert problems(file, Kind.PROBE) == []
        assert file.attrs["task"] == "splice"
        assert json.loads(file.attrs["records"]) == {"read": 9, "used": 7, "skipped": {"odd": 2}}
        assert file["donor"].attrs["verdict"] == "gain"


@pytest.mark.parametrize(
    "path",
    ["donor/sites/label", "acceptor/features/onehot/log_odds", "donor/scores/value", "donor/sweep/valid_auprc"],
)
def test_number_changed_by_hand_is_found(written, path):
    with h5py.File(written, "r+") as file:
        file[path][0] += 1
    with pytest.raises(InputError, match="the checksums at its end are gone"):
        read_probe(written)


def test_missing_column_is_named(written):
    with h5py.File(written, "r+") as file:
        del file["donor/sites/block"]
        del file["acceptor/sites/block"]
    with pytest.raises(InputError, match=r"\*/sites/block is missing"):
        read_probe(written)


def test_predictions_of_another_number_of_sites_are_not_written(tmp_path, results, provenance):
    donor = results["donor"]
    short = dataclasses.replace(donor.features["kmer"], log_odds=donor.features["kmer"].log_odds[:-1])
    broken = dataclasses.replace(donor, features={**donor.features, "kmer": short})
    with pytest.raises(ValueError, match="donor/features/kmer/log_odds has 19 sites, not 20"):
        write_probe(tmp_path / "p.h5", "splice", {"donor": broken}, Records(), provenance)
    assert list(tmp_path.iterdir()) == []


def test_cut_file_and_file_of_another_kind_are_refused(written, tiny_genome):
    with pytest.raises(
        InputError, match="is a genome file where a probe file is needed; make one with 'genolstm probe'"
    ):
        read_probe(tiny_genome.path)
    written.write_bytes(written.read_bytes()[:2000])
    with pytest.raises(InputError, match="cut short or damaged"):
        read_probe(written)
