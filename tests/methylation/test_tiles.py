"""A fit in tiles is the fit whole, and what is told of it needs no more memory than a tile."""

import numpy as np
import pytest
import torch

from genolstm.errors import InputError
from genolstm.methylation import fitting, kinetic, site_fit, tiles
from genolstm.methylation.fitting import TILE_SITES, fit_counts, learned, log_likelihood_per_read, site_records
from genolstm.methylation.grid import fractions, gate_grid, with_error
from genolstm.methylation.grid_kernels import draw_rows, quantile_rows, sum_neighbours
from genolstm.methylation.kinetic import STRETCH, gate_model, likelihoods, stretches
from genolstm.methylation.scatter import grid_log_likelihood, paired
from genolstm.methylation.sharing import Sharing
from genolstm.methylation.simulate import drawn_truth, simulated_counts
from genolstm.methylation.site_fit import CHUNK_SITES
from genolstm.methylation.tiles import Tally, fitted_tiles, median, median_half_life
from genolstm.methylation.trajectory import Kinetics
from genolstm.settings.methylation import MethylationSettings, PooledSettings, SimulateSettings
from genolstm.store.counts import Counts, open_counts, write_counts
from genolstm.store.files import Records, content_sha256, open_file
from genolstm.store.methylation import open_methylation, read_methylation, write_methylation, write_tiles
from genolstm.store.schema import Kind

TIMES, OFFSET = (0.0, 1.0, 4.0, 16.0), 0.5
DRAWN = PooledSettings(draws=8)


def counts_of(sites, coverage=8, dispersion=0.1):
    """Counts of three contigs, some CpGs without reads."""
    asked = SimulateSettings(
        times=TIMES, time_offset=OFFSET, sites=sites, spread=0.7, coupling_bp=2000, coverage=coverage,
        dispersion=dispersion,
    )  # fmt: skip
    rng = np.random.default_rng(3)
    made = simulated_counts(drawn_truth(Kinetics(0.4, 0.8), asked, rng), asked, rng)
    covered, modified = made.covered.copy(), made.modified.copy()
    covered[5:9] = modified[5:9] = 0
    third = sites // 3
    contig = np.minimum(np.arange(sites) // (third + 7), 2).astype(np.int32)
    return Counts(
        contigs=("I", "II", "III"), contig=contig, position=made.position, strand=made.strand,
        modified=modified, covered=covered, samples=made.samples,
    )  # fmt: skip


def settings_of(model, **options):
    return MethylationSettings(model=model, times=TIMES, time_offset=OFFSET, **options)


@pytest.fixture
def small(monkeypatch):
    """Tiles of 200 CpGs, each of several pieces."""
    for module in (fitting, tiles):
        monkeypatch.setattr(module, "TILE_SITES", 200)
    monkeypatch.setattr(site_fit, "CHUNK_SITES", 100)
    monkeypatch.setattr(kinetic, "STRETCH", 50)
    for module in (fitting, kinetic):
        monkeypatch.setattr(module, "OVERLAP", 30)


def test_a_tile_is_made_of_the_very_pieces_of_the_whole():
    assert TILE_SITES % STRETCH == 0
    assert TILE_SITES % CHUNK_SITES == 0


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("site", {"likelihood": "binomial"}),
        ("site", {"likelihood": "beta-binomial"}),
        ("kinetic", {"likelihood": "beta-binomial"}),
        ("kinetic", {"likelihood": "binomial", "sample_effects": True}),
        ("kinetic", {"likelihood": "beta-binomial", "form": "coupled"}),
    ],
)
def test_tiles_of_a_file_are_the_fit_whole_to_the_bit(tmp_path, provenance, monkeypatch, model, options):
    monkeypatch.setattr(fitting, "check_coupled", lambda *_: None)
    monkeypatch.setattr(kinetic, "sharing_of", lambda *_: Sharing(0.3, 100.0))
    counts, settings = counts_of(730), settings_of(model, **options)
    write_counts(tmp_path / "c.h5", counts, Records(), provenance)
    whole = fit_counts(counts, settings, DRAWN)
    write_methylation(tmp_path / "whole.h5", whole, site_records(whole), provenance)
    tally = Tally()
    with open_counts(tmp_path / "c.h5") as table:
        parts = tally.watch(fitted_tiles(table, learned(table, settings), settings, DRAWN))
        write_tiles(tmp_path / "tiles.h5", len(table), parts, lambda: tally.records, provenance)
    hashes = []
    for name in ("whole.h5", "tiles.h5"):
        with open_file(tmp_path / name, Kind.METHYLATION) as file:
            hashes.append(content_sha256(file))
    assert hashes[0] == hashes[1]
    np.testing.assert_array_equal(read_methylation(tmp_path / "tiles.h5").rate, whole.rate)
    assert np.isfinite(whole.rate).sum() == (730 if model == "kinetic" else 726)
    assert tally.records == site_records(whole)
    assert tally.nats_per_read == pytest.approx(log_likelihood_per_read(whole), rel=1e-12)
    assert tally.identifiable == whole.identifiable.sum()
    assert tally.flags["no_reads"] == 4
    with open_methylation(tmp_path / "tiles.h5") as file:
        assert median_half_life(file) == whole.median_half_life
        np.testing.assert_array_equal(file.part(190, 410).flags, whole.part(190, 410).flags)
        assert [file.rows_of(name) for name in ("I", "III", "IV")] == [(0, 250), (500, 730), (0, 0)]
        assert whole.rows_of("III") == (500, 730)


@pytest.mark.parametrize("form", ["auto", "coupled"])
def test_neighbours_beyond_a_stretch_change_priors_by_less_than_a_millionth(monkeypatch, form):
    counts = counts_of(1500)
    reads = fitting.site_reads(counts)
    model = gate_model(reads, np.array(TIMES) + OFFSET, settings_of("kinetic", form=form))._replace(distance_bp=1500.0)
    found = []
    for stretch in (300, 1500):
        monkeypatch.setattr(kinetic, "STRETCH", stretch)
        found.append(list(stretches(model, reads)))
    priors = [np.concatenate([each.mixed for each in parts]) for parts in found]
    assert np.abs(priors[0] - priors[1]).max() < 1e-6
    if form == "coupled":
        classes = [np.concatenate([each.classes for each in parts]) for parts in found]
        np.testing.assert_array_equal(*classes)
        assert len(np.unique(classes)) == kinetic.CLASSES


@pytest.mark.usefixtures("small")
def test_what_is_learned_comes_from_cpgs_spread_evenly_over_all(monkeypatch):
    monkeypatch.setattr(fitting, "SAMPLED_SITES", 100)
    counts = counts_of(730)
    spread = fitting._evenly(counts, 1, 100)
    usable = np.flatnonzero(counts.covered.sum(axis=1) > 0)
    np.testing.assert_array_equal(spread.position, counts.position[usable[:: len(usable) // 100]])
    common = learned(counts, settings_of("site", likelihood="beta-binomial"))
    assert 100 <= common.numbers["learned_from_sites"] < 200
    assert "learned_from_sites" not in learned(counts, settings_of("site")).numbers
    for module in (fitting, kinetic):
        monkeypatch.setattr(module, "PRIOR_SITES", 300)
    monkeypatch.setattr(fitting, "check_coupled", lambda *_: None)
    for options in ({}, {"form": "coupled"}, {"sample_effects": True}):
        asked = settings_of("kinetic", **options)
        in_memory = gate_model(fitting.site_reads(counts), np.array(TIMES) + OFFSET, asked)
        np.testing.assert_array_equal(learned(counts, asked).gates.prior, in_memory.prior)


def test_intervals_of_rates_are_wider_by_what_the_clock_may_be_off():
    counts = counts_of(300)
    common = learned(counts, settings_of("kinetic", sample_effects=True))
    clock_sd = common.gates.effects.clock_sd
    assert clock_sd > 0
    sure = common._replace(gates=common.gates._replace(effects=common.gates.effects._replace(clock_sd=0.0)))
    asked = settings_of("kinetic", sample_effects=True)
    (wide, _), (narrow, _) = (fitting.fit_part(counts, 0, len(counts), each, asked, DRAWN) for each in (common, sure))
    np.testing.assert_array_equal(wide.rate, narrow.rate)
    for ends in ("rate_low", "rate_high"):
        one, other = (np.log(getattr(fit, ends) / fit.rate) for fit in (wide, narrow))
        np.testing.assert_allclose(one**2 - other**2, (1.959964 * clock_sd) ** 2, rtol=1e-6)
    np.testing.assert_array_equal(wide.steady_high, narrow.steady_high)


def test_without_reads_there_is_nothing_for_the_kinetic_model_to_learn():
    counts = counts_of(40, coverage=0)
    with pytest.raises(InputError, match="the counts hold no reads, so that the kinetic model has nothing to learn"):
        learned(counts, settings_of("kinetic"))
    assert site_records(fit_counts(counts, settings_of("site"), DRAWN)).skipped == {"sites without reads": 40}


def summed_slowly(values, kept):
    """Sum over all rows before each, every step on the way multiplied by `kept` of the row it leads to."""
    sums, carried = np.zeros_like(values), np.zeros(values.shape[1], values.dtype)
    for place in range(1, len(values)):
        carried = (carried + values[place - 1]) * kept[place]
        sums[place] = carried
    return sums


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_sums_of_neighbours_are_those_of_the_loop(dtype):
    rng = np.random.default_rng(1)
    values, kept = rng.random((40, 7)).astype(dtype), rng.random(40).astype(dtype)
    sums = np.empty_like(values)
    sum_neighbours(values, kept, sums)
    back = np.append(kept[:1], kept[:0:-1])
    np.testing.assert_array_equal(sums, summed_slowly(values, kept) + summed_slowly(values[::-1], back)[::-1])


def test_compiled_draws_are_those_of_cumulative_sums():
    weights = np.random.default_rng(2).dirichlet(np.full(60, 0.05), 50).astype(np.float32)
    weights[3] = np.eye(60, dtype=np.float32)[59]
    draws = np.empty((50, 16), np.uint16)
    draw_rows(weights, draws)
    for row, drawn in zip(weights.astype(np.float64), draws, strict=True):
        below = np.cumsum(row)
        np.testing.assert_array_equal(drawn, np.searchsorted(below, (np.arange(16) + 0.5) / 16 * below[-1]))


def test_compiled_quantiles_are_those_of_interpolated_cumulative_sums():
    rng, edges = np.random.default_rng(3), (np.cumsum(np.arange(1.0, 7)), np.linspace(0, 1, 5))
    weights = (rng.dirichlet(np.ones(20), 30) + 1e-3).astype(np.float32)
    at, found = np.array([0.5, 0.025, 0.975]), np.empty((2, 3, 30))
    quantile_rows(weights, (5, 4), edges, at, found)
    for row, each in enumerate(weights.astype(np.float64).reshape(30, 5, 4)):
        for gate, marginal in enumerate((each.sum(axis=1), each.sum(axis=0))):
            below = np.append(0, np.cumsum(marginal))
            np.testing.assert_allclose(found[gate, :, row], np.interp(at * below[-1], below, edges[gate]), rtol=1e-12)


@pytest.mark.parametrize("dispersion", [0.0, 0.1])
def test_likelihoods_of_a_stretch_are_those_of_each_pair_of_counts(dispersion):
    counts = counts_of(300, coverage=20)
    probability = with_error(fractions(gate_grid(settings_of("kinetic")).points, np.array(TIMES) + OFFSET), 0.01)
    likely, top = likelihoods(fitting.site_reads(counts), probability, dispersion)
    pairs = paired(*(torch.from_numpy(each.astype(np.float32)) for each in (counts.modified, counts.covered)))
    logs = grid_log_likelihood(
        pairs, torch.arange(300), torch.from_numpy(probability.astype(np.float32)),
        torch.tensor(dispersion) if dispersion else None,
    ).numpy()  # fmt: skip
    np.testing.assert_allclose(top, logs.max(axis=1), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(likely, np.exp(logs - logs.max(axis=1, keepdims=True)), atol=2e-4)


@pytest.mark.parametrize("size", [0, 1, 2, 7, 1000])
def test_median_in_blocks_is_the_median(size):
    numbers = np.random.default_rng(size).lognormal(0, 3, size).round(3)
    blocks = np.array_split(numbers, 5)
    assert median(lambda: iter(blocks)) == pytest.approx(np.median(numbers) if size else np.nan, nan_ok=True, rel=0)
