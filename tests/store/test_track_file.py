"""Track files: what was counted comes back at every base, and what was not observed is NaN."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolstm.errors import InputError
from genolstm.store.files import Records, open_file
from genolstm.store.schema import Kind
from genolstm.store.track import Intervals, TrackOrigin, check_track, open_track, signals, write_track

ORIGIN = TrackOrigin(assay="atac", form="BAM", forward_shift=4, reverse_shift=-5, filters={"min_mapq": 10})
NOTHING = Intervals(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int64))


def runs_of(values):
    """Runs of dense counts by contig index, as a reader hands them over."""
    rows = [
        (contig, int(place), 1, int(counts[place]))
        for contig, counts in values.items()
        for place in np.flatnonzero(counts)
    ]
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    return SimpleNamespace(
        contig=np.array(columns[0], np.int32),
        start=np.array(columns[1], np.int64),
        length=np.array(columns[2], np.int32),
        counts=np.array(columns[3], np.int32),
    )


@pytest.fixture(scope="module")
def genome(genome_of):
    return genome_of({"I": "ACGT" * 10, "II": "A" * 12, "III": "C" * 7})


@pytest.fixture
def write(genome, tmp_path, provenance):
    """Function: blocks of runs -> an open track."""

    def written(*blocks, observed=(True, True, True), blacklist=NOTHING, name="t.h5", origin=ORIGIN):
        return write_track(
            tmp_path / name, genome, blocks, origin, observed=np.array(observed), blacklist=blacklist,
            records=Records(read=9, used=7, skipped={"unmapped": 2}), provenance=provenance,
        )  # fmt: skip

    return written


def test_counts_come_back_at_every_base_from_every_window(write):
    first, second = np.array([0, 3, 2, 1] * 10), np.array([5] + [0] * 10 + [2])
    track = write(runs_of({0: first}), runs_of({1: second}))
    for start in range(40):
        for end in range(start, 41):
            assert np.array_equal(track.counts("I", start, end), first[start:end])
    assert np.array_equal(track.counts("II", 0, 12), second)
    assert track.counts("III", 0, 7).tolist() == [0] * 7
    assert track.counts("I", 3, 9).dtype == np.float32
    assert (track.total, track.bases, track.unit) == (67, 32, "cuts/bp")


def test_values_of_a_signal_keep_their_fractions_and_places_stay_whole(write):
    runs = runs_of({0: np.array([0, 1, 0, 1] + [0] * 36)})
    runs.counts = np.array([0.25, 1.75], np.float32)
    track = write(runs, origin=replace(ORIGIN, assay="signal"))
    assert track.counts("I", 0, 4).tolist() == [0, 0.25, 0, 1.75]
    assert track.total == 2.0
    with open_file(track.path, Kind.TRACK) as file:
        kinds = {name: column.dtype.kind for name, column in file["runs"].items()}
    assert kinds == {"start": "i", "length": "i", "count": "f"}, "float32 would round places beyond 2^24"


def test_long_runs_are_cut_at_the_window(write):
    block = SimpleNamespace(
        contig=np.array([0, 0]), start=np.array([5, 30]), length=np.array([20, 10], np.int32), counts=np.array([3, 1])
    )
    track = write(block)
    assert track.counts("I", 7, 9).tolist() == [3, 3]
    assert track.counts("I", 24, 31).tolist() == [3, 0, 0, 0, 0, 0, 1]
    assert (track.total, track.bases) == (70, 30)


def test_what_was_not_observed_is_nan(write):
    masked = Intervals(np.array([0, 0], np.int32), np.array([2, 38]), np.array([5, 40]))
    track = write(runs_of({0: np.array([1] + [0] * 38 + [0])}), observed=(True, True, False), blacklist=masked)
    counts = track.counts("I", 0, 40)
    assert np.flatnonzero(np.isnan(counts)).tolist() == [2, 3, 4, 38, 39]
    assert np.isnan(track.counts("I", 3, 8)).tolist() == [True, True, False, False, False]
    assert np.isnan(track.counts("III", 1, 4)).all()
    assert not np.isnan(track.counts("II", 0, 12)).any()


@given(
    places=st.dictionaries(st.integers(0, 39), st.integers(1, 9), max_size=20),
    edges=st.lists(st.integers(0, 40), unique=True, max_size=6).filter(lambda e: len(e) % 2 == 0),
)
def test_signal_tells_the_same_as_counts(places, edges, genome, provenance, tmp_path_factory):
    values = np.zeros(40, np.int64)
    masked = np.array(sorted(edges), np.int64).reshape(-1, 2)
    for start, end in masked:
        for place in range(start, end):
            places.pop(place, None)
    for place, count in places.items():
        values[place] = count
    track = write_track(
        tmp_path_factory.mktemp("track") / "t.h5", genome, [runs_of({0: values})], ORIGIN,
        observed=np.array([True, False, True]), records=Records(), provenance=provenance,
        blacklist=Intervals(np.zeros(len(masked), np.int32), masked[:, 0], masked[:, 1]),
    )  # fmt: skip
    for name, starts, ends, signal in signals(track):
        assert starts[0] == 0
        assert (starts[1:] == ends[:-1]).all()
        dense = np.repeat(signal, ends - starts)
        assert np.array_equal(dense, track.counts(name, 0, len(dense)), equal_nan=True)
    assert np.array_equal(np.nan_to_num(track.counts("I", 0, 40)), values)


def test_file_follows_its_table_and_carries_what_was_done(write, genome):
    track = write(runs_of({0: np.array([1] * 40)}))
    with open_file(track.path, Kind.TRACK, verify=True) as file:
        assert file["runs/start"].compression == "gzip"
        assert file["runs/start"].shuffle
        assert '"unmapped": 2' in file.attrs["records"]
    again = open_track(track.path)
    assert again.origin == ORIGIN
    assert (again.names, again.lengths.tolist()) == (genome.names, [40, 12, 7])
    check_track(again, genome)


def test_track_of_another_genome_is_refused(write, genome_of):
    track = write(runs_of({}))
    other = genome_of({"I": "ACGT" * 10, "II": "A" * 12, "III": "G" * 7})
    with pytest.raises(InputError, match=r"t\.h5 was made on another genome than .*: run 'genolstm track' with this"):
        check_track(track, other)


@pytest.mark.parametrize(("start", "end"), [(-1, 4), (5, 4), (0, 41)])
def test_places_that_are_not_there_are_refused(write, start, end):
    with pytest.raises(InputError, match=rf"I:{start}-{end} lies outside contig 'I' of 40 bp"):
        write(runs_of({})).counts("I", start, end)
    with pytest.raises(InputError, match=r"contig 'X' is not in .*t2\.h5; it has I, II, III\."):
        write(runs_of({}), name="t2.h5").counts("X", 0, 1)


def test_another_kind_of_file_is_named_with_the_command_that_makes_a_track(genome):
    with pytest.raises(InputError, match="is a genome file where a track file is needed; make one with 'genolstm tra"):
        open_track(genome.path)


def test_file_written_again_is_not_mixed_with_what_was_read_before(write):
    old = write(runs_of({0: np.array([1] * 40)}))
    assert old.counts("I", 0, 1).tolist() == [1]
    new = write(runs_of({0: np.array([2] * 40)}))
    assert new.counts("I", 0, 1).tolist() == [2]
    third = write(runs_of({1: np.array([2] * 12)}))
    with pytest.raises(InputError, match="was written again while it was being read"):
        new.counts("II", 0, 1)
    assert third.counts("II", 0, 1).tolist() == [2]


def test_failure_leaves_no_file(genome, tmp_path, provenance):
    def failing():
        yield runs_of({0: np.array([1] * 40)})
        raise InputError("the reads end")

    with pytest.raises(InputError, match="the reads end"):
        write_track(
            tmp_path / "t.h5", genome, failing(), ORIGIN, observed=np.ones(3, bool), blacklist=NOTHING,
            records=Records(), provenance=provenance,
        )  # fmt: skip
    assert not list(tmp_path.iterdir())
