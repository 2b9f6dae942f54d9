"""Gates files: what is written comes back, and tracks as runs stand for the bases up to the next sample."""

import numpy as np
import pytest

from genolstm.errors import InputError
from genolstm.gates.places import sample_plan
from genolstm.regions import Part, Region
from genolstm.store.files import Records, open_file
from genolstm.store.gates import GatesTables, open_gates, read_dump, read_gates_tables, read_resets, write_gates
from genolstm.store.schema import Kind

NAMES = ("forget", "half_life", "novelty")


@pytest.fixture
def written(genome_of, drawn_codes, stretches_of, provenance, tmp_path):
    """Path of a file of two stretches, every 10 bases, and its tracks [strands, samples, tracks, layers]."""
    genome = genome_of({"a": drawn_codes(1, 95), "b": drawn_codes(2, 40)})
    stretches = stretches_of(genome, [("a", 5, 95, Part.TEST), ("b", 0, 40, Part.TEST)])
    plan = sample_plan(genome, stretches, 10)
    values = np.random.default_rng(0).random((2, plan.samples, 3, 2)).astype(np.float32)
    values[0, -1] = np.nan
    values[1, 2, 1] = np.inf
    tables = GatesTables(
        units={"forget": {figure: np.full((2, 4), 0.5) for figure in ("mean", "sd", "above", "below")}},
        half_life={"nominal": np.ones((2, 4)), "realised": np.full((2, 4), np.inf)},
        samples=7, thresholds=[0.25, 0.5], memory={"reset_every": np.array([1, 2]), "bits": np.array([2.0, 1.9])},
        edges={"kind": ["donor"], "p": np.array([0.5])}, summary={"resets": 2}, seams={"count": 3.0},
    )  # fmt: skip
    path = tmp_path / "g.h5"
    samples = (plan.first, plan.first_position, 10)
    with write_gates(path, stretches, genome.length_of, samples, (NAMES, 2, 2), provenance) as file:
        for strand in range(2):
            file.write(strand, 0, values[strand, :5])
            file.write(strand, 5, values[strand, 5:])
        for start in (3, 9):
            file.add_resets({"layer": [1], "contig": [0], "start": [start], "end": [start + 1], "strand": [-1],
                             "forget": [0.1]})  # fmt: skip
        file.start_dump(Region(contig="b", start=2, end=6), ("forget",), 4)
        file.write_dump("memory", 1, 0, 1, np.ones((2, 4), np.float32))
        file.finish(tables, Records(read=2, used=2))
    return path, values, tables


def test_tracks_and_tables_come_back(written):
    path, values, tables = written
    with open_gates(path) as file:
        assert (file.samples, file.strands, file.layers, file.every) == (13, 2, 2, 10)
        for strand in range(2):
            np.testing.assert_array_equal(file.read(strand, 0, 13), values[strand])
            np.testing.assert_array_equal(file.track("novelty", strand, 1, 3, 9), values[strand, 3:9, 2, 1])
    back = read_gates_tables(path)
    assert back.samples == 7
    assert back.thresholds == [0.25, 0.5]
    assert back.summary == tables.summary
    assert back.seams == tables.seams
    assert back.edges["kind"] == ["donor"]
    assert back.profiles == back.windows == {}
    np.testing.assert_array_equal(back.memory["bits"], tables.memory["bits"])
    np.testing.assert_array_equal(back.half_life["realised"], tables.half_life["realised"])
    np.testing.assert_array_equal(back.units["forget"]["sd"], tables.units["forget"]["sd"])
    assert read_resets(path)["start"].tolist() == [3, 9]
    region, dump = read_dump(path)
    assert region == Region(contig="b", start=2, end=6)
    assert dump.keys() == {"forget", "hidden", "memory"}
    assert np.argwhere(~np.isnan(dump["memory"]).any(axis=3)).tolist() == [[1, 1, 0], [2, 1, 0]]


@pytest.mark.parametrize("strand", [0, 1, None])
def test_runs_reach_to_the_next_sample_and_not_past_the_stretch(written, strand):
    path, values, _ = written
    with open_gates(path) as file:
        for place, name in enumerate(NAMES):
            (a, start_a, end_a, value_a), (b, start_b, end_b, value_b) = file.runs(name, 1, strand)
            assert (a, b) == ("a", "b")
            assert start_a.tolist() == list(range(10, 95, 10))
            assert end_a.tolist() == [*range(20, 95, 10), 95]
            assert (start_b.tolist(), end_b.tolist()) == ([0, 10, 20, 30], [10, 20, 30, 40])
            shown = values[:, :, place, 1].astype(np.float64)
            if strand is not None:
                expected = shown[strand]
            else:
                expected = 1 / (1 / shown).mean(axis=0) if name == "half_life" else shown.mean(axis=0)
            expected = np.where(np.isfinite(expected), expected, np.nan)
            np.testing.assert_allclose(np.concatenate([value_a, value_b]), expected, rtol=1e-6)


def test_another_kind_of_file_is_told_how_to_be_made(genome_of):
    with (
        pytest.raises(InputError, match="make one with 'genolstm gates'"),
        open_file(genome_of({"a": "A"}).path, Kind.GATES),
    ):
        pass
