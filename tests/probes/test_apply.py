"""A fitted probe, read back from its file, says of freshly read states what the file says."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
from scipy.special import expit

from genolstm.errors import InputError
from genolstm.model import NextSymbolModel
from genolstm.probes.apply import read_fitted
from genolstm.probes.controls import composition
from genolstm.probes.run import run_tasks
from genolstm.probes.state_sources import point_states, window_states
from genolstm.probes.task import BINARY, CONTINUOUS, MULTICLASS, ProbeTarget, ProbeTask
from genolstm.regions import Sites
from genolstm.settings.model import ModelSettings
from genolstm.settings.probe import ProbeSettings
from genolstm.settings.reading import StreamSettings
from genolstm.settings.site_reading import SiteReading, merged_reading, parse_pools
from genolstm.states.windows import Windows, pools_of
from genolstm.store.files import Records, content_sha256
from genolstm.store.results import read_probe, write_probe
from genolstm.stream.reader import GenomeReader

SETTINGS = ProbeSettings(twins=1, resamples=20, states="h+c")
STREAM = StreamSettings(lanes=4, chunk=64, burn_in=128)
WIDTH = 20


@pytest.fixture(scope="module")
def reader(genome_of, drawn_codes):
    genome = genome_of({name: drawn_codes(seed, 6_000) for seed, name in enumerate(("I", "II", "III"))})
    return GenomeReader(NextSymbolModel(ModelSettings(hidden=4), seed=3).eval(), genome, STREAM)


@pytest.fixture(scope="module")
def sites(reader):
    contig, position = (each.ravel() for each in np.meshgrid(np.arange(3), np.arange(40, 5_940, WIDTH), indexing="ij"))
    rng = np.random.default_rng(1)
    return Sites(
        contigs=reader.genome.names, contig=contig.astype(np.int32), position=position,
        strand=rng.choice(np.array([-1, 1], dtype=np.int8), len(contig)),
        label=rng.integers(0, 2, len(contig)).astype(np.int8), part=contig.astype(np.int8),
        block=10 * contig + position // 600,
    )  # fmt: skip


def task_of(sites, targets, **others):
    codes = np.random.default_rng(2).integers(0, 4, (len(sites), 11)).astype(np.uint8)
    return ProbeTask(
        sites=sites, targets=targets, controls=lambda: iter([("composition", composition(codes, 4))]),
        homology=lambda: 0.0, **others,
    )  # fmt: skip


def written(results, path, provenance, **inputs):
    write_probe(path, "sites", results, Records(), replace(provenance, inputs=inputs))
    return path


@pytest.fixture(scope="module")
def of_points(reader, sites, provenance, tmp_path_factory):
    """One pass, three types of target at the same sites, offsets swept for each: a file."""
    rng = np.random.default_rng(4)
    of_three, value = rng.integers(0, 3, len(sites)).astype(np.int8), rng.standard_normal(len(sites)).astype(np.float32)
    targets = (
        ProbeTarget(name="two", type=BINARY, truth=sites.label),
        ProbeTarget(name="three", type=MULTICLASS, truth=of_three),
        ProbeTarget(name="value", type=CONTINUOUS, truth=value),
    )
    sets = (SiteReading((0,)), SiteReading((2, 5)))
    source = point_states([sites], SiteReading((0, 2, 5)), memories=True)
    results = run_tasks([task_of(sites, targets, readings=sets)], source, reader, SETTINGS, lambda _: None)
    return written(results, tmp_path_factory.mktemp("points") / "p.h5", provenance, model="abc")


@pytest.mark.parametrize("target", ["two", "three", "value"])
@pytest.mark.parametrize("features", ["trained", "shuffled"])
def test_a_probe_of_sites_says_of_fresh_states_what_its_file_says(of_points, reader, sites, target, features):
    result = read_probe(of_points)[target]
    probe = read_fitted(of_points, target, features)
    assert (probe.task, probe.offsets, probe.pooling, probe.memories) == ("sites", result.offsets, (), True)
    said = probe.at_sites(reader, sites)
    np.testing.assert_array_equal(said.astype(np.float32), result.features[features].log_odds)
    assert {fit.model for fit in result.sweep} == {"trained", "untrained_1"}
    assert [fit.offsets for fit in result.sweep] == [(0,), (2, 5)] * 2
    with h5py.File(of_points) as file:
        sweep = file[target]["sweep"]
        columns = {"two": "valid_auprc", "three": "valid_accuracy", "value": "valid_r2"}
        assert sweep[columns[target]][()].tolist() == [fit.ranked for fit in result.sweep]
        assert np.isnan(sweep["valid_auprc"][()]).all() == (target != "two")


def test_a_probe_of_components_with_pools_is_told_over_the_states(reader, sites, provenance, tmp_path):
    """Its file needs no projection: one dot product of what is read at each site; trees beside judge nothing."""
    pools = parse_pools("mean:-12:-3,max:-6:2")
    readings = (SiteReading((0, 3)), SiteReading((-5, 0, 3), pools))
    target = ProbeTarget(name="two", type=BINARY, truth=sites.label)
    task = task_of(sites, (target,), readings=readings, components=3, nn=True)
    source = point_states([sites], merged_reading(readings), memories=True)
    results = run_tasks([task], source, reader, SETTINGS, lambda _: None)
    path = written(results, tmp_path / "p.h5", provenance)
    result = read_probe(path)["two"]
    assert [(fit.offsets, fit.pools) for fit in result.sweep] == [(each.offsets, each.pools) for each in readings] * 2
    chosen = SiteReading(result.offsets, result.pools)
    assert chosen in readings
    for features in ("trained", "shuffled"):
        probe = read_fitted(path, "two", features)
        assert probe.reading == chosen
        assert len(probe.linear.mean) == chosen.n_blocks * 8
        said = probe.at_sites(reader, sites).astype(np.float32)
        np.testing.assert_allclose(said, result.features[features].log_odds, rtol=1e-6, atol=1e-7)
    assert set(result.features) - set(result.differences) == {"trained", "shuffled", "nn"}
    assert (len(result.features["nn"].coefficients), result.best_control == "nn") == (0, False)
    assert result.features["nn"].scores.keys() == result.features["trained"].scores.keys()


def test_states_are_the_same_kept_on_disk_as_in_memory(reader, sites, monkeypatch):
    reading = SiteReading((-5, 2), parse_pools("max:-6:2"))

    def read():
        return [each.blocks(reading).together() for each in point_states([sites], reading, memories=False)(reader, "t")]

    in_memory = read()
    monkeypatch.setattr("genolstm.probes.state_sources.STATES_IN_MEMORY", 0)
    np.testing.assert_array_equal(read(), in_memory)


@pytest.mark.parametrize("ends", [False, True])
def test_a_probe_of_windows_says_of_fresh_states_what_its_file_says(ends, reader, sites, provenance, tmp_path):
    windows = Windows(sites.contig.astype(np.int64), sites.position, WIDTH)
    target = ProbeTarget(name="open", type=BINARY, truth=sites.label)
    task = task_of(sites, (target,), pooling=pools_of(ends=ends), width=WIDTH)
    results = run_tasks([task], window_states(windows, memories=True, ends=ends), reader, SETTINGS, lambda _: None)
    probe = read_fitted(written(results, tmp_path / "p.h5", provenance), "open")
    assert (probe.pooling, probe.width, probe.offsets) == (pools_of(ends=ends), WIDTH, ())
    said = probe.in_windows(reader, windows)
    np.testing.assert_array_equal(said.astype(np.float32), results["open"].features["trained"].log_odds)
    with pytest.raises(ValueError, match="holds no probe of windows of 30 bp"):
        probe.in_windows(reader, replace(windows, width=30))
    with pytest.raises(ValueError, match="holds a probe of windows, not of single sites"):
        probe.at_sites(reader, sites)


def test_probability_is_that_of_the_log_odds(of_points):
    probe = read_fitted(of_points, "two")
    states = np.random.default_rng(1).standard_normal((7, len(probe.linear.mean))).astype(np.float16)
    np.testing.assert_array_equal(probe.probability(states), expit(probe.decision(states)))
    with pytest.raises(ValueError, match=r"the probe takes \d+ numbers a site, and got 3"):
        probe.decision(states[:, :3])


def test_another_model_is_refused(of_points):
    probe = read_fitted(of_points, "two")
    probe.check_model("abc", "m.h5")
    with pytest.raises(InputError, match=r"p\.h5 was fitted to the states of another model than n\.h5; give the model"):
        probe.check_model("abd", "n.h5")


def test_missing_target_is_named(of_points):
    with pytest.raises(InputError, match=r"p\.h5 holds no target 'four'; it has three, two, value\.$"):
        read_fitted(of_points, "four")


def test_file_of_version_3_says_which_states_by_its_settings(of_points, tmp_path):
    """What version 4 says in attributes of the target."""
    path = tmp_path / "old.h5"
    path.write_bytes(of_points.read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = 3
        file.attrs["settings"] = json.dumps({"states": "h+c"})
        del file["two"].attrs["states"], file["two"].attrs["pooling"]
        for target in ("two", "three", "value"):  # version 5 added pools
            del file[target].attrs["pools"], file[target]["sweep/pools"]
        file["two"].attrs["standing"] = np.array([0.5, 0.25, 0.75])
        file.attrs["content_sha256"] = content_sha256(file)
    result = read_probe(path)["two"]
    assert (result.states, result.pooling) == ("h+c", ())
    assert (result.pools, {fit.pools for fit in result.sweep}) == ((), {()})
    assert read_fitted(path, "two").reading == SiteReading(result.offsets)
    assert tuple(result.fraction_of_ceiling) == (0.5, 0.25, 0.75)
