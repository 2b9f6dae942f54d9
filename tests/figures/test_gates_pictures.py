"""Pictures of a gates file: three figures of memory that are told apart, and what the boundaries did."""

import numpy as np
import pytest

from genolstm.figures.of_file import pictures_of
from genolstm.gates.places import sample_plan
from genolstm.regions import Part
from genolstm.store.files import Records
from genolstm.store.gates import GatesTables, write_gates

NAMES = ("forget", "half_life", "novelty")
TABLES = {
    "units": {"forget": {figure: np.full((2, 4), 0.5) for figure in ("mean", "sd", "above", "below")}},
    "half_life": {"nominal": np.ones((2, 4)), "realised": np.array([[1.0, 2, 4, np.inf], [np.inf] * 4])},
    "samples": 7,
    "thresholds": [0.25, 0.5],
    "summary": {"resets": 2},
    "seams": {"count": 3.0},
}


@pytest.fixture
def drawn(genome_of, drawn_codes, stretches_of, provenance, tmp_path):
    """Function: further tables -> name -> picture, and the tracks [strands, samples, tracks, layers]."""

    def made(**more):
        genome = genome_of({"$a$": drawn_codes(1, 95), "b": drawn_codes(2, 40)})
        stretches = stretches_of(genome, [("$a$", 5, 95, Part.TEST), ("b", 0, 40, Part.TEST)])
        plan = sample_plan(genome, stretches, 10)
        values = np.random.default_rng(0).random((2, plan.samples, 3, 2)).astype(np.float32)
        samples = (plan.first, plan.first_position, 10)
        with write_gates(tmp_path / "g.h5", stretches, genome.length_of, samples, (NAMES, 2, 2), provenance) as file:
            for strand in range(2):
                file.write(strand, 0, values[strand])
            file.finish(GatesTables(**{**TABLES, **more}), Records())
        return {picture.name: picture for picture in pictures_of(tmp_path / "g.h5")}, values

    return made


def test_the_track_is_drawn_sample_by_sample_where_bins_are_no_longer(drawn):
    pictures, values = drawn()
    assert list(pictures) == ["half-life", "forget-along", "units"]
    first = pictures["forget-along"].figure.axes[0]
    for strand, patch in enumerate(first.patches):
        np.testing.assert_allclose(patch.get_data().values, values[strand, :9, 0, 1], rtol=1e-6)


def test_nominal_and_realised_half_lives_stand_apart_and_endless_ones_are_counted(drawn):
    picture = drawn()[0]["half-life"]
    nominal, realised = picture.figure.axes
    assert "nominal" in nominal.get_title(loc="left")
    assert "realised" in realised.get_title(loc="left")
    assert sum(patch.get_data().values.sum() for patch in nominal.patches) == 8
    assert sum(patch.get_data().values.sum() for patch in realised.patches) == 3
    assert "5 units that never forget are not drawn" in picture.caption


def test_functional_memory_is_the_stored_curve_with_its_band(drawn):
    every, excess = np.array([1, 2, 4, 8]), np.array([0.2, 0.05, 0.004, 0.0])
    memory = {"reset_every": every, "bits": 1.8 + excess, "excess": excess, "low": excess - 0.01, "high": excess + 0.01}
    pictures, _ = drawn(memory=memory)
    assert next(iter(pictures)) == "functional-memory"
    picture = pictures["functional-memory"]
    axes = picture.figure.axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), np.stack([every, excess], axis=1))
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(-0.01)
    assert band[:, 1].max() == pytest.approx(0.21)
    assert "every 4 bases costs less than 0.01 bits" in picture.title


def test_boundaries_are_drawn_beside_matched_positions(drawn):
    rng = np.random.default_rng(3)
    profiles = {"kind": ["donor", "donor"], "direction": ["into", "out"], "layer": np.array([0, 0], np.int32),
                "offset": np.arange(-2, 3), "forget": rng.random((2, 5)), "matched": rng.random((2, 5))}  # fmt: skip
    edges = {"kind": ["donor"], "direction": ["into"], "layer": np.array([0], np.int32), "measure": ["forget at"],
             "boundaries": np.array([9]), "p_adjusted": np.array([0.01]), "low": np.array([0.1]),
             "high": np.array([0.3]),
             **{name: np.array([0.2]) for name in ("value", "matched", "difference", "sd", "p")}}  # fmt: skip
    pictures, _ = drawn(profiles=profiles, edges=edges)
    at, matched, change = (axes.images[0].get_array() for axes in pictures["boundaries"].figure.axes[:3])
    np.testing.assert_array_equal(at, profiles["forget"])
    np.testing.assert_array_equal(matched, profiles["matched"])
    np.testing.assert_array_equal(change, profiles["forget"] - profiles["matched"])
    assert "1 of 1 comparisons" in pictures["boundary-tests"].title
    spans = [tuple(line.get_xdata()) for line in pictures["boundary-tests"].figure.axes[0].lines[1:2]]
    assert spans == [(0.1, 0.3)]
