"""Resets: the lowest share of a track, and of neighbours only the lowest."""

import numpy as np
import pytest

from genolstm.gates import resets as module
from genolstm.gates.places import sample_plan
from genolstm.gates.resets import resets_along, threshold_of


@pytest.fixture
def planned(genome_of, drawn_codes, stretches_of):
    """Function: contig lengths, every -> plan."""

    def made(lengths, every=1):
        genome = genome_of({str(place): drawn_codes(place, length) for place, length in enumerate(lengths)})
        return sample_plan(genome, stretches_of(genome), every)

    return made


def reader(track):
    return lambda strand, layer, first, end: track[strand, layer, first:end]


def found(track, plan, threshold):
    rows = list(resets_along(reader(track), plan, 0, 0, threshold))
    return [
        (int(stretch), int(position), float(value))
        for row in rows
        for stretch, position, value in zip(row.stretch, row.position, row.forget, strict=True)
    ]


@pytest.mark.parametrize("slab", [7, 50, 1 << 18])
def test_threshold_is_the_quantile_of_all_strands(planned, monkeypatch, slab):
    monkeypatch.setattr(module, "SLAB", slab)
    plan = planned([400, 100])
    track = np.random.default_rng(0).random((2, 1, 500)).astype(np.float32)
    track[0, 0, 3] = np.nan
    for share in (0.01, 0.2, 0.9):
        told = threshold_of(reader(track), plan, 0, 2, share)
        assert told == pytest.approx(np.nanquantile(track, share), abs=2e-3)
        assert (track < told).sum() == pytest.approx(share * 999, abs=2)
    assert np.isnan(threshold_of(reader(np.full((2, 1, 500), np.nan, np.float32)), plan, 0, 2, 0.5))


@pytest.mark.parametrize("slab", [5, 64, 1 << 18])
def test_of_near_drops_only_the_lowest_is_a_reset(planned, monkeypatch, slab):
    monkeypatch.setattr(module, "SLAB", slab)
    plan = planned([100, 60])
    track = np.full((2, 1, 160), 0.9, dtype=np.float32)
    track[0, 0, [20, 25, 30, 41, 60, 61, 99, 100]] = [0.3, 0.2, 0.3, 0.31, 0.25, 0.25, 0.1, 0.15]
    track[0, 0, 80] = 0.6  # not low enough
    track[0, 0, 22] = np.nan
    # 41 is 11 from 30; of equals the first; contig 1 begins at sample 100, next to a drop on another contig
    expected = [(0, 25, 0.2), (0, 41, 0.31), (0, 60, 0.25), (0, 99, 0.1), (1, 0, 0.15)]
    assert found(track, plan, 0.5) == [(s, p, pytest.approx(v)) for s, p, v in expected]


def test_samples_further_apart_are_held_against_their_neighbours(planned):
    plan = planned([1000], every=100)
    track = np.array([[[0.9, 0.2, 0.1, 0.9, 0.3, 0.9, 0.2, 0.2, 0.9, 0.9]]], dtype=np.float32)
    assert [row[1] for row in found(track, plan, 0.5)] == [200, 400, 600]


def test_a_track_without_drops_has_no_resets(planned):
    plan = planned([50])
    assert found(np.full((2, 1, 50), 0.9, np.float32), plan, 0.5) == []
