"""The forget gate at edges of peaks, against a replay of whole contigs and a planted answer."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from genolstm.cells.memory import State
from genolstm.cells.replay import replay
from genolstm.model import NextSymbolModel
from genolstm.probes.peak_edges import ForgetAtEdges, edge_sets, forgetting, has_forget_gate
from genolstm.settings.model import ModelSettings
from genolstm.settings.probe import AccessibilitySettings
from genolstm.settings.reading import StreamSettings
from genolstm.states.windows import Windows, pooled_states
from genolstm.stream.reader import GenomeReader

SETTINGS = AccessibilitySettings(
    edge_reach=30, edge_step=5, edge_near=10, edge_word=2, edge_matches=3, permutations=200, resamples=50
)
STREAM = StreamSettings(lanes=3, chunk=40, burn_in=400)
LENGTHS = {"I": 4_000, "II": 3_000}


@pytest.fixture(scope="module")
def genome(genome_of, drawn_codes):
    return genome_of({name: drawn_codes(seed, length) for seed, (name, length) in enumerate(LENGTHS.items())})


@pytest.fixture(scope="module")
def peaks():
    """Peaks of 80 bp, one of them at the very end of its contig; the second contig has two that share an edge."""
    rows = np.array([(0, start, start + 80) for start in range(200, 3_500, 400)] + [(0, 3_920, 4_000)]
                    + [(1, 500, 580), (1, 580, 660)])  # fmt: skip
    return SimpleNamespace(contig=rows[:, 0].astype(np.int32), start=rows[:, 1], end=rows[:, 2])


@pytest.fixture(scope="module")
def sets(genome, peaks):
    return edge_sets(genome, peaks, np.array([0, 1]), SETTINGS, np.random.default_rng(1))


def test_edges_are_those_of_the_peaks_as_each_strand_reads_them(sets, peaks):
    found = set(
        zip(sets.contig.tolist(), sets.sign.tolist(), sets.inside.tolist(), sets.positions[:, 0].tolist(), strict=True)
    )
    expected = set()
    for contig, start, end in zip(peaks.contig.tolist(), peaks.start.tolist(), peaks.end.tolist(), strict=True):
        expected |= {(contig, 1, 1, start), (contig, 1, -1, end), (contig, -1, -1, start - 1), (contig, -1, 1, end - 1)}
    lost = {row for row in expected if row[0] == 0 and row[3] >= 4_000 - 32}
    assert found == expected - lost
    assert sets.skipped == {"edges of peaks without matched positions (both strands)": len(lost)}


def test_matches_lie_far_from_every_edge_and_end_in_the_same_word(sets, genome, peaks):
    edges = {
        contig: np.concatenate([peaks.start[peaks.contig == contig], peaks.end[peaks.contig == contig]])
        for contig in (0, 1)
    }
    for contig, sign, positions in zip(sets.contig, sets.sign, sets.positions, strict=True):
        codes = genome.all_codes[genome.starts[contig] :][: genome.lengths[contig]]
        words = {(codes[at], codes[at - sign]) for at in positions}
        assert len(words) == 1
        assert (np.abs(positions[1:, None] - edges[int(contig)]).min(axis=1) >= 30).all()
        assert len(set(positions.tolist())) == len(positions)


@torch.inference_mode()
def forget_whole(model, genome, contig, sign, layer):
    """Mean forget gate in the step that reads each base of a contig, along the forward strand."""
    codes = genome.all_codes[genome.starts[contig] :][: genome.lengths[contig]]
    codes = codes if sign > 0 else genome.alphabet.complement[codes][::-1]
    codes = torch.from_numpy(np.concatenate([[genome.alphabet.unknown], codes]))[None]
    reading, start = model.forward(codes, model.initial_state(1)), model.initial_state(1)
    trace = replay(
        model.cells[layer],
        reading.inputs[layer],
        reading.layers[layer],
        State(start.hidden[layer], start.memory[layer]),
    )
    gate = trace.gates.forget[0, 1:].mean(dim=1).numpy()
    return gate if sign > 0 else gate[::-1]


@pytest.mark.parametrize("cell", ["lstm", "gru", "tied"])
def test_gates_gathered_while_reading_are_those_of_a_replay(genome, sets, cell):
    model = NextSymbolModel(ModelSettings(cell=cell, layers=2, hidden=6, forget_bias="1"), seed=2).eval()
    assert has_forget_gate(model)
    gates = ForgetAtEdges(model, genome, sets)
    windows = Windows(np.array([0, 1]), np.array([0, 0]), 100)
    pooled_states(GenomeReader(model, genome, STREAM), windows, beside=gates.collect)
    assert not np.isnan(gates.values).any()
    for layer in range(2):
        for contig in (0, 1):
            for sign in (1, -1):
                mine = (sets.contig == contig) & (sets.sign == sign)
                whole = forget_whole(model, genome, contig, sign, layer)
                at = sets.positions[mine][:, :, None] + sign * sets.offsets
                np.testing.assert_allclose(gates.values[layer][mine], whole[at], atol=2e-5)


def test_a_drop_of_the_gate_into_peaks_is_found_and_none_out_of_them(sets):
    rng = np.random.default_rng(3)
    values = rng.normal(0.9, 0.01, (1, *sets.positions.shape, len(sets.offsets))).astype(np.float32)
    values[0, sets.inside == 1, 0] -= 0.05
    edges, profiles = forgetting({"trained": SimpleNamespace(sets=sets, values=values)}, SETTINGS, 200)
    into, out = (edges["direction"].index(direction) for direction in ("into", "out of"))
    assert edges["p"][into] == edges["p"].min() == 1 / 201
    assert edges["high"][into] < -0.04
    assert edges["p"][out] > 0.01
    assert edges["low"][out] < 0 < edges["high"][out]
    assert profiles["forget"][into].mean() == pytest.approx(0.85, abs=0.005)
    assert profiles["matched"][into].mean() == pytest.approx(0.9, abs=0.005)


def test_more_edges_than_can_be_held_are_drawn_and_the_rest_counted(genome, peaks, monkeypatch):
    monkeypatch.setattr("genolstm.probes.peak_edges.MOST_EDGES", 6)
    some = edge_sets(genome, peaks, np.array([0]), SETTINGS, np.random.default_rng(1))
    assert some.skipped["edges of peaks beyond 6"] == 2 * (20 - 6)
    assert 0 < len(some.positions) <= 12
    assert (some.contig == 0).all()


def test_genome_without_any_peak_gives_no_rows(genome, peaks):
    none = edge_sets(genome, peaks, np.array([], dtype=np.int64), SETTINGS, np.random.default_rng(1))
    model = NextSymbolModel(ModelSettings(hidden=4), seed=2).eval()
    assert forgetting({"trained": ForgetAtEdges(model, genome, none)}, SETTINGS, 200) == ({}, {})
