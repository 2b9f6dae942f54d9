"""Windows, what is left out of them and why, their signal, and which are open."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolstm.alphabet import DNA
from genolstm.errors import InputError, UsageError
from genolstm.probes import counted_windows as finding
from genolstm.probes.counted_windows import (
    CountedWindows,
    Covered,
    at_most,
    counted_windows,
    depth_normalised,
    open_by_peaks,
    open_by_signal,
    require_both,
    sites_of,
)
from genolstm.regions import Part
from genolstm.settings.probe import AccessibilitySettings
from genolstm.states.windows import Windows

LENGTH = 5_000
SETTINGS = AccessibilitySettings(window=100, mappable_bp=200, kmers="2")


def intervals(*rows):
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return SimpleNamespace(contig=columns[0].astype(np.int32), start=columns[1], end=columns[2])


def track_of(counts, observed):
    """What a probe sees of a track: counts by contig name, NaN where nothing was observed."""
    return SimpleNamespace(
        observed=np.array(observed), unit="cuts/bp",
        counts=lambda name, start, end: counts[name][start:end].astype(np.float32),
    )  # fmt: skip


@pytest.fixture
def made(genome_of, drawn_codes, stretches_of):
    """Four contigs, all cut everywhere but for the last; I holds an N, is for training up to 3000 and then for test."""
    codes = {name: drawn_codes(seed, LENGTH) for seed, name in enumerate(("I", "II", "III", "IV"))}
    codes["I"][1_234] = DNA.unknown
    genome = genome_of(codes)
    split = stretches_of(
        genome,
        [("I", 0, 3_050, Part.TRAIN), ("I", 3_050, LENGTH, Part.TEST), ("II", 0, LENGTH, Part.VALID),
         ("III", 0, LENGTH, Part.TRAIN), ("IV", 0, LENGTH, Part.TRAIN)],
    )  # fmt: skip
    return genome, split, {name: np.ones(LENGTH) for name in genome.names}


def starts_of(counted, contig):
    return counted.windows.start[counted.windows.contig == contig].tolist()


def test_windows_tile_each_contig_and_each_left_out_is_counted_by_its_reason(made):
    genome, split, counts = made
    counts["I"][2_000:2_005] = np.nan
    counts["II"][:1_000] = 0
    settings = AccessibilitySettings(window=100, mappable_bp=200, kmers="2", exclude_contigs=("III",))
    barred = intervals((0, 2_599, 2_600), (0, 2_700, 2_750))
    found = counted_windows(genome, split, track_of(counts, [True, True, True, False]), barred, settings)
    gone = {1_200, 2_000, 2_500, 2_700, 3_000}
    assert starts_of(found, 0) == [start for start in range(0, LENGTH, 100) if start not in gone]
    # a read at 1000 is within 200 bp of the window that ends at 800, from its last base on: 800 + 200 = 1000
    assert starts_of(found, 1) == list(range(800, LENGTH, 100))
    assert starts_of(found, 2) == starts_of(found, 3) == []
    assert found.read == 200 == len(found.cuts) + sum(found.skipped.values())
    assert found.skipped == {
        "with an N": 1,
        "in the blacklist": 3,
        "outside the parts of the split": 1,
        "without a read within 200 bp": 8,
        "on a contig that was excluded": 50,
        "on a contig that the track has not": 50,
    }
    assert found.part[found.windows.contig == 0].tolist() == [
        Part.TRAIN if start < 3_000 else Part.TEST for start in starts_of(found, 0)
    ]


def test_cuts_are_those_of_the_window_whatever_the_slab(made, monkeypatch):
    genome, split, counts = made
    counts["II"] = np.random.default_rng(1).poisson(0.3, LENGTH)
    track = track_of(counts, [True] * 4)
    whole = counted_windows(genome, split, track, None, SETTINGS)
    mine = whole.windows.contig == 1
    assert whole.cuts[mine].tolist() == counts["II"].reshape(-1, 100).sum(axis=1).tolist()
    monkeypatch.setattr("genolstm.probes.counted_windows.SLAB", 700)
    slabs = counted_windows(genome, split, track, None, SETTINGS)
    for name in ("part", "cuts", "read", "skipped"):
        np.testing.assert_array_equal(getattr(slabs, name), getattr(whole, name))
    np.testing.assert_array_equal(slabs.windows.start, whole.windows.start)


def test_no_window_left_is_told_with_the_reasons(made):
    genome, split, counts = made
    with pytest.raises(InputError, match=r"no window of 100 bp of .* can be used \(200 on a contig that the track has"):
        counted_windows(genome, split, track_of(counts, [False] * 4), None, SETTINGS)
    settings = AccessibilitySettings(window=LENGTH + 1)
    with pytest.raises(InputError, match=r"\(its contigs are shorter\): give a track .* or a smaller --window"):
        counted_windows(genome, split, track_of(counts, [True] * 4), None, settings)


rows_of_intervals = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 60), st.integers(1, 20)).map(
        lambda row: (row[0], row[1], row[1] + row[2])
    )
)


@given(rows_of_intervals, st.integers(0, 70), st.integers(0, 20))
def test_covered_bases_are_counted_once_however_intervals_overlap(rows, start, length):
    covered = Covered(intervals(*rows), 3)
    for contig in range(3):
        painted = np.zeros(100, dtype=bool)
        for at, first, last in rows:
            if at == contig:
                painted[first:last] = True
        found = covered.between(contig, np.array([start]), np.array([start + length]))
        assert found.tolist() == [painted[start : start + length].sum()]


def counted_of(cuts, part, *, width=100):
    n = len(cuts)
    return CountedWindows(
        windows=Windows(np.zeros(n, dtype=np.int64), np.arange(n) * width, width),
        part=np.array(part, dtype=np.int8), cuts=np.array(cuts), read=n, skipped={},
    )  # fmt: skip


def test_window_is_open_when_half_of_it_lies_in_peaks():
    counted = counted_of([0] * 5, [0] * 5)
    peaks = intervals((0, 51, 140), (0, 130, 149), (0, 250, 400), (1, 400, 500))
    # of windows 0 to 4: 49, 49, 50, 100 and 0 bases
    assert open_by_peaks(counted, peaks, 2, 0.5).tolist() == [0, 0, 1, 1, 0]
    assert open_by_peaks(counted, peaks, 2, 0.49).tolist() == [1, 1, 1, 1, 0]


def test_top_windows_are_those_of_each_part_and_never_more_than_the_share():
    rng = np.random.default_rng(2)
    part, cuts = np.repeat([0, 1, 2], 200), rng.poisson(3, 600) * np.repeat([1, 5, 20], 200)
    label = open_by_signal(counted_of(cuts, part), 0.05)
    for each in range(3):
        mine = part == each
        assert 0 < label[mine].sum() <= 10
        assert cuts[mine][label[mine] == 1].min() > cuts[mine][label[mine] == 0].max()


def test_signal_does_not_depend_on_the_depth():
    cuts, part = np.random.default_rng(3).poisson(4, 300), np.repeat([0, 1, 2], 100)
    signal, mean = depth_normalised(counted_of(cuts, part))
    assert mean == cuts[:100].mean()
    np.testing.assert_allclose(signal, np.log2(1 + cuts / mean), rtol=1e-6)
    np.testing.assert_array_equal(depth_normalised(counted_of(7 * cuts, part))[0], signal)
    with pytest.raises(InputError, match="the training windows hold no cut"):
        depth_normalised(counted_of([0, 0, 5], [0, 0, 2]))


def test_too_few_open_windows_are_refused_with_their_number_and_part():
    label, part = np.zeros(90, dtype=np.int8), np.repeat(np.array([0, 1, 2], dtype=np.int8), 30)
    label[[*range(12), *range(30, 39), *range(60, 80)]] = 1
    with pytest.raises(InputError) as caught:
        require_both(label, part, "by peaks")
    assert str(caught.value) == (
        "the valid part holds 9 open and 21 closed windows (by peaks), and a probe needs 10 of each; name contigs with"
        " more peaks for it (--valid-contigs)."
    )
    label[39] = 1
    require_both(label, part, "by peaks")


def test_at_most_so_many_windows_of_a_part_are_drawn_and_the_rest_counted():
    counted = counted_of(np.arange(100), np.repeat([0, 1, 2], [50, 20, 30]))
    some = at_most(counted, 25, np.random.default_rng(1))
    assert np.bincount(some.part).tolist() == [25, 20, 25]
    assert (np.diff(some.windows.start) > 0).all()
    assert some.cuts.tolist() == (some.windows.start // 100).tolist()
    assert some.skipped == {"beyond 25 of a part": 30}
    assert at_most(counted, 50, np.random.default_rng(1)).skipped == {}


def test_small_test_parts_are_resampled_in_shorter_blocks():
    counted = counted_of([1] * 100, [2] * 100)
    assert finding.tested_block_length(counted, 100_000) == 100 * 100 // 20
    assert finding.tested_block_length(counted, 300) == 300
    assert finding.tested_block_length(counted_of([1] * 3, [2] * 3), 300) == 100
    sites = sites_of(counted, np.ones(100, dtype=np.int8), ("I",), 500)
    assert len(np.unique(sites.block)) == 20
    assert (sites.strand == 0).all()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"kmers": "3;4"}, r"k-mers '3;4' are not lengths from 1 to 7"),
        ({"kmers": "8"}, r"k-mers '8' are not lengths from 1 to 7"),
        ({"window": 6}, "a window of 6 bp holds no 6-mer"),
        ({"window": 30}, "a window of 30 bp holds no 31-mer, .* give at least 31"),
        ({"twins": 0}, "twins must be at least 1"),
        ({"top_share": 0.0}, "top_share must be above 0 and at most 1"),
        ({"edge_near": 501}, "edge_near lie between 0 and edge_reach"),
    ],
)
def test_wrong_settings_are_refused(settings, sentence):
    with pytest.raises(UsageError, match=sentence):
        AccessibilitySettings(**settings)
