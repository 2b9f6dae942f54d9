"""Which boundaries an annotation has, and whether a track that was planted, or not, stands out at them."""

import numpy as np
import pytest

from genolstm.gates.boundaries import Boundaries, adjusted, annotated_boundaries, compare_edges, interval_boundaries
from genolstm.readers.annotation import Transcript
from genolstm.readers.bed import read_bed
from genolstm.settings.reading import GatesSettings

QUICK = GatesSettings(
    every=1, match_kmer=2, matches=4, permutations=499, resamples=100, block_bp=1000, reach=20, near=5
)


def transcript(strand, exons, coding=()):
    return Transcript(
        name="t", gene="g", contig="b", strand=strand, biotype="mRNA", exons=np.array(exons),
        coding=np.array(coding, dtype=np.int64).reshape(-1, 2),
    )  # fmt: skip


def rows(boundaries):
    return {kind: each.table.tolist() for kind, each in boundaries.items()}


def test_boundaries_of_a_forward_and_a_reverse_gene():
    exons, coding = [[10, 30], [60, 90], [95, 120]], [[20, 30], [60, 80]]
    assert rows(annotated_boundaries([transcript("+", exons, coding)], ["a", "b"])) == {
        "donor": [[1, 30, -1]],  # the gap of 5 is no intron
        "acceptor": [[1, 60, 1]],
        "transcript_start": [[1, 10, 1]],
        "transcript_end": [[1, 120, -1]],
        "cds_start": [[1, 20, 1]],
        "cds_end": [[1, 80, -1]],
    }
    twice = [transcript("-", exons), transcript("-", exons)]
    assert rows(annotated_boundaries(twice, ["a", "b"])) == {
        "donor": [[1, 60, 1]],
        "acceptor": [[1, 30, -1]],
        "transcript_start": [[1, 120, -1]],
        "transcript_end": [[1, 10, 1]],
    }


def test_boundaries_of_intervals(tmp_path):
    (tmp_path / "a.bed").write_text("b\t5\t9\nb\t5\t7\na\t0\t3\n")
    told = interval_boundaries(read_bed(tmp_path / "a.bed", {"a": 10, "b": 10}))
    assert rows(told) == {"start": [[0, 0, 1], [1, 5, 1]], "end": [[0, 3, -1], [1, 7, -1], [1, 9, -1]]}


@pytest.fixture
def compared(genome_of, drawn_codes, stretches_of):
    """Function: (edges, inside), strand tracks -> findings; a track is read as that of the forget gate."""

    def made(edges, inside, tracks, resets=(), settings=QUICK, rows_=None):
        genome = genome_of({"a": drawn_codes(1, 20_000), "b": drawn_codes(2, 300)})
        boundaries = {"kind": Boundaries(np.zeros(len(edges), np.int64), np.array(edges), np.array(inside))}
        return compare_edges(
            genome, stretches_of(genome, rows_), boundaries,
            lambda _stretch, strand, _layer, start, end: tracks[strand][start:end],
            lambda _stretch, strand, _layer: np.array(resets if strand == 0 else [], dtype=np.int64),
            1, settings, np.random.default_rng(0), str,
        )  # fmt: skip

    return made


def noise(seed=0):
    return list(np.random.default_rng(seed).normal(0.9, 0.02, (2, 20_000)).astype(np.float32))


EDGES = np.arange(300, 19_700, 130)


def test_a_planted_drop_is_found_on_the_side_that_it_is_read_from(compared):
    tracks = noise()
    tracks[0][EDGES] -= 0.1  # the forward strand forgets at the first base within; read from behind there is nothing
    found = compared(EDGES, np.ones(len(EDGES), np.int64), tracks, resets=EDGES + 3)
    told = {
        (test.direction, test.measure): (test, p) for test, p in zip(found.tests, adjusted(found.tests), strict=True)
    }
    assert len(told) == 6
    test, p = told["into", "forget at"]
    assert p < 0.05
    assert test.difference.high < -0.08
    assert test.difference.low <= test.difference.value == pytest.approx(test.value - test.matched)
    assert test.boundaries > 100
    assert told["into", "forget around"][0].difference.value == pytest.approx(-0.1 / 11, abs=0.003)
    assert told["into", "resets around"][0].value == 1.0
    for measure in ("forget at", "forget around", "resets around"):
        assert told["out", measure][1] > 0.05
    profile = next(each for each in found.profiles if each.direction == "into")
    assert len(profile.forget) == 41
    assert profile.forget.argmin() == 20
    assert profile.matched.min() > 0.88


def test_reading_from_behind_crosses_at_the_base_before_the_edge(compared):
    tracks = noise()
    tracks[1][EDGES - 1] -= 0.1
    found = compared(EDGES, np.ones(len(EDGES), np.int64), tracks)
    told = {(test.direction, test.measure): test for test in found.tests}
    assert told["out", "forget at"].difference.high < -0.08
    assert abs(told["into", "forget at"].difference.value) < 0.02


def test_a_feature_on_the_left_is_left_when_read_forward(compared):
    tracks = noise()
    tracks[0][EDGES] -= 0.1
    found = compared(EDGES, np.full(len(EDGES), -1), tracks)
    told = {(test.direction, test.measure): test for test in found.tests}
    assert told["out", "forget at"].difference.high < -0.08


def test_a_track_that_follows_composition_alone_is_no_enrichment(compared, drawn_codes):
    """Boundaries stand before A alone, and the track is low at every A: matched positions end in A as well."""
    codes = drawn_codes(1, 20_000)
    tracks = noise()
    tracks[0][codes == 0] -= 0.1
    edges = np.array([place for place in EDGES if codes[place] == 0])
    found = compared(edges, np.ones(len(edges), np.int64), tracks)
    test = next(each for each in found.tests if (each.direction, each.measure) == ("into", "forget at"))
    assert test.value < 0.85
    assert abs(test.difference.value) < 0.01
    assert test.p > 0.01


def test_noise_gives_no_small_p(compared):
    ps = [test.p for seed in range(6) for test in compared(EDGES, np.ones(len(EDGES), np.int64), noise(seed)).tests]
    assert min(adjusted_p := [min(1, p * len(ps)) for p in ps]) > 0.05, adjusted_p


def test_boundaries_that_cannot_be_matched_are_counted(compared):
    edges = np.array([3, 500, 5000, 19_990])
    found = compared(edges, np.ones(4, np.int64), noise())
    assert found.skipped == {"kind without matched positions (both directions)": 4}
    nothing = compared(np.array([3]), np.ones(1, np.int64), noise())
    assert (nothing.tests, nothing.profiles) == ((), ())


def test_only_what_was_read_is_compared(compared):
    from genolstm.regions import Part

    tracks = [np.full(20_000, np.nan, np.float32) for _ in range(2)]
    for mine, drawn in zip(tracks, noise(), strict=True):
        mine[5_000:9_000] = drawn[5_000:9_000]
    found = compared(EDGES, np.ones(len(EDGES), np.int64), tracks, rows_=[("a", 5_000, 9_000, Part.TEST)])
    assert found.tests
    assert not any(np.isnan([test.value, test.matched]).any() for test in found.tests)


def test_too_many_boundaries_are_drawn_from(compared, monkeypatch):
    monkeypatch.setattr("genolstm.gates.boundaries.MOST_BOUNDARIES", 50)
    found = compared(EDGES, np.ones(len(EDGES), np.int64), noise())
    assert found.skipped["kind beyond 50"] == len(EDGES) - 50
    assert max(test.boundaries for test in found.tests) <= 50
