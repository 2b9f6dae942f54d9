"""Sums and tracks of sampled steps: equal to the replay of all steps, whatever the lanes, and every base once."""

import math

import numpy as np
import pytest
import torch

from genolstm.alphabet import PROTEIN
from genolstm.cells.initial import nominal_half_life
from genolstm.gates import tracks as tracks_module
from genolstm.gates.factors import FactorReader
from genolstm.gates.places import sample_plan
from genolstm.gates.reading import GateStatistics, tracks_of, walk
from genolstm.gates.sums import statistics_of
from genolstm.gates.tracks import Pages
from genolstm.model import NextSymbolModel
from genolstm.regions import Part
from genolstm.settings.model import ModelSettings, TrainableCell
from genolstm.settings.reading import StreamSettings
from genolstm.stream import reading as stream_reading
from genolstm.stream.blocks import traces_of
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import read_stretches
from genolstm.stream.seams import Seams

WHOLE = StreamSettings(lanes=3, chunk=64, exact=True)
PIECES = StreamSettings(lanes=5, chunk=16, burn_in=64)
UNITS = 6


class Memory:
    """A sink in memory: [strands, samples, tracks, layers]."""

    def __init__(self, samples, tracks, layers, strands=2):
        self.values = np.full((strands, samples, tracks, layers), np.nan, dtype=np.float32)

    def write(self, strand, first, values):
        self.values[strand, first : first + len(values)] = values

    def read(self, strand, first, end):
        return self.values[strand, first:end]


def model_of(cell=TrainableCell.LSTM, *, layers=1, forget_bias="-1", alphabet="dna", device="cpu", scale=1.0):
    settings = ModelSettings(cell=cell, layers=layers, hidden=UNITS, forget_bias=forget_bias, alphabet=alphabet)
    model = NextSymbolModel(settings, seed=5)
    with torch.no_grad():
        for weight in model.cells.parameters():
            weight.mul_(scale)
    return model.to(device).eval()


def gauged(model, genome, stretches, stream, *, every=1, units_every=1, seams=None):
    """Tracks [strands, samples, tracks, layers] and figures of every layer."""
    plan, statistics = sample_plan(genome, stretches, every), GateStatistics(model, units_every)
    strands = 1 if genome.alphabet.complement is None else 2
    sink = Memory(plan.samples, *statistics.shape, strands)
    pages = Pages(sink, plan.samples, statistics.shape, stream.lanes)
    walk(GenomeReader(model, genome, stream), plan, statistics, pages, seams=seams)
    return sink.values, statistics_of(model, statistics.sums)


def replayed(model, genome, stretches):
    """The slow twin, by `traces_of` in one lane a row.

    Per layer: name -> values at every read base of both strands [N, H]; and tracks [strands, samples, tracks, layers].
    """
    plan, layers = sample_plan(genome, stretches, 1), model.settings.layers
    names = tracks_of(model)
    factors = [{} for _ in range(layers)]
    tracks = np.full((2, plan.samples, len(names), layers), np.nan)
    for block in read_stretches(GenomeReader(model, genome, WHOLE), plan.read, warmup=True):
        for layer, trace in enumerate(traces_of(model, block)):
            hidden = torch.cat([block.before.hidden[layer].unsqueeze(1), block.layers[layer]], dim=1).double()
            moved = (hidden[:, 1:] - hidden[:, :-1]).norm(dim=2) / math.sqrt(UNITS)
            for lane, row in enumerate(block.row):
                stretch = row % len(plan.code_start)
                for place in range(block.begin[lane], block.end[lane]):
                    step = place - block.first[lane]
                    position = block.address[lane] + block.sign[lane] * (step - 1) - plan.code_start[stretch]
                    if not stretches.start[stretch] <= position < stretches.end[stretch]:
                        continue
                    sample = plan.first[stretch] + position - stretches.start[stretch]
                    for name, values in trace.gates._asdict().items():
                        if values is not None:
                            factors[layer].setdefault(name, []).append(values[lane, step].double())
                    told = [float(moved[lane, step])]
                    if names[0] == "forget":
                        forget = trace.gates.forget[lane, step].double()
                        told = [float(forget.mean()), math.log(0.5) / float(forget.log().mean()), *told]
                    tracks[int(block.sign[lane] < 0), sample, :, layer] = told
    return [{name: torch.stack(rows).numpy() for name, rows in each.items()} for each in factors], tracks


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", list(TrainableCell))
def test_gates_at_chosen_steps_equal_the_replay_of_all(
    genome_of, drawn_codes, stretches_of, cell, layers, dtype, tolerance
):
    genome = genome_of({"a": drawn_codes(1, 150, unknown=0.02), "b": drawn_codes(2, 33), "c": "A"})
    model, stretches = model_of(cell, layers=layers).to(dtype), stretches_of(genome)
    values, figures = gauged(model, genome, stretches, PIECES)
    factors, tracks = replayed(model, genome, stretches)
    np.testing.assert_allclose(values, tracks, rtol=1e-5, atol=1e-5)  # tracks are float32
    for mine, twin in zip(figures, factors, strict=True):
        assert mine.samples == len(twin["candidate"]) == 2 * 184 - 2 * 3  # the last base of a strand is never read
        if cell is TrainableCell.RNN:
            assert set(mine.factors) == {"candidate"}
            assert mine.realised_half_life is mine.nominal_half_life is None
        else:
            assert twin.keys() <= mine.factors.keys()
            half_life = math.log(0.5) / np.log(twin["forget"]).mean(axis=0)
            np.testing.assert_allclose(mine.realised_half_life.numpy(), half_life, rtol=10 * tolerance)
        for name in mine.factors.keys() & twin.keys():
            told, true = mine.factors[name], twin[name]
            np.testing.assert_allclose(told.mean.numpy(), true.mean(axis=0), atol=tolerance)
            np.testing.assert_allclose(told.sd.numpy(), true.std(axis=0), atol=tolerance)
            if name != "candidate":
                np.testing.assert_allclose(told.above.numpy(), (true > 0.9).mean(axis=0), atol=1e-12)
                np.testing.assert_allclose(told.below.numpy(), (true < 0.1).mean(axis=0), atol=1e-12)


def test_shares_of_open_and_shut_gates_are_counted_where_gates_saturate(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 300)})
    model, stretches = model_of(forget_bias="0", scale=12.0).double(), stretches_of(genome)
    _, (layer,) = gauged(model, genome, stretches, PIECES)
    (twin,), _ = replayed(model, genome, stretches)
    for name in ("forget", "write", "read"):
        above, below = (twin[name] > 0.9).mean(axis=0), (twin[name] < 0.1).mean(axis=0)
        assert above.max() > 0.3
        assert below.max() > 0.3
        np.testing.assert_allclose(layer.factors[name].above.numpy(), above, atol=1e-12)
        np.testing.assert_allclose(layer.factors[name].below.numpy(), below, atol=1e-12)


def test_reset_gate_of_a_gru_is_told_too(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 60)})
    _, (layer,) = gauged(model_of(TrainableCell.GRU), genome, stretches_of(genome), PIECES)
    assert set(layer.factors) == {"reset", "forget", "write", "candidate"}
    np.testing.assert_allclose(layer.factors["write"].mean, 1 - layer.factors["forget"].mean)
    np.testing.assert_allclose(layer.factors["write"].above, layer.factors["forget"].below)


@pytest.mark.parametrize("bias", [-2.0, 3.0, 12.0, 25.0])
def test_three_half_lives_of_a_constant_gate_agree(genome_of, drawn_codes, stretches_of, bias):
    """With no weights f is sigmoid(b); at b = 25 it is 1 in float32, and its logarithm is still told."""
    genome, model = genome_of({"a": drawn_codes(1, 90)}), model_of(forget_bias=str(bias))
    with torch.no_grad():
        model.cells[0].kernel.weight_ih_l0.zero_()
        model.cells[0].kernel.weight_hh_l0.zero_()
    values, (layer,) = gauged(model, genome, stretches_of(genome), PIECES)
    expected = nominal_half_life(bias)
    np.testing.assert_allclose(layer.nominal_half_life.numpy(), expected, rtol=1e-9)
    np.testing.assert_allclose(layer.realised_half_life.numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(values[0, :-1, 1], expected, rtol=1e-5)
    np.testing.assert_allclose(layer.factors["forget"].sd.numpy(), 0, atol=1e-7)


@pytest.mark.parametrize(
    ("cell", "sampled"), [*((cell, (3, 2)) for cell in TrainableCell), (TrainableCell.LSTM, (1, 1))]
)
def test_lanes_chunks_and_repairs_change_nothing(
    monkeypatch, device, genome_of, drawn_codes, stretches_of, cell, sampled
):
    # cut into pieces whatever a trial says, so that seams have to be repaired
    monkeypatch.setattr(stream_reading, "forgets", lambda differences, settings: True)  # noqa: ARG005
    genome = genome_of({"a": drawn_codes(1, 1500), "b": drawn_codes(3, 400)})
    model, stretches = model_of(cell, forget_bias="2", layers=2, device=device), stretches_of(genome)
    tolerance = 1e-5 if device.type == "cpu" else 2e-3
    every, units_every = sampled
    exact, whole = gauged(model, genome, stretches, WHOLE, every=every, units_every=units_every)
    for stream in (StreamSettings(lanes=4, chunk=16, burn_in=16), StreamSettings(lanes=7, chunk=50, burn_in=50)):
        seams = Seams()
        values, figures = gauged(model, genome, stretches, stream, every=every, units_every=units_every, seams=seams)
        assert seams.repaired > 0 or cell is TrainableCell.RNN  # what was counted from wrong states has been taken back
        assert np.array_equal(np.isnan(values), np.isnan(exact))
        shown = [0, 2] if cell is not TrainableCell.RNN else [0]  # half-lives are held by their rates
        np.testing.assert_allclose(values[:, :, shown], exact[:, :, shown], atol=tolerance, rtol=0)
        if cell is not TrainableCell.RNN:
            np.testing.assert_allclose(1 / values[:, :, 1], 1 / exact[:, :, 1], atol=tolerance, rtol=0)
        for mine, theirs in zip(figures, whole, strict=True):
            assert mine.samples == theirs.samples
            for name in theirs.factors:
                for figure in ("mean", "sd"):
                    np.testing.assert_allclose(
                        getattr(mine.factors[name], figure),
                        getattr(theirs.factors[name], figure),
                        atol=tolerance,
                        rtol=0,
                    )


def test_both_strands_sample_the_same_bases_of_the_forward_strand(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 205), "b": drawn_codes(2, 100)})
    model, stretches = model_of(), stretches_of(genome)
    every, figures = gauged(model, genome, stretches, PIECES, every=1, units_every=10)
    tenth, same = gauged(model, genome, stretches, PIECES, every=10, units_every=10)
    picked = np.concatenate([np.arange(0, 205, 10), 205 + np.arange(0, 100, 10)])
    np.testing.assert_allclose(tenth, every[:, picked], rtol=1e-6)  # a product of other rows rounds otherwise
    assert np.flatnonzero(np.isnan(every[0, :, 0, 0])).tolist() == [204, 304]  # forward: last bases
    assert np.flatnonzero(np.isnan(every[1, :, 0, 0])).tolist() == [0, 205]
    assert figures[0].samples == same[0].samples == 2 * 31 - 2


def test_all_gates_come_with_the_states_and_from_no_second_product(genome_of, drawn_codes, stretches_of, monkeypatch):
    genome, model = genome_of({"a": drawn_codes(1, 205), "b": drawn_codes(2, 100)}), model_of(layers=2)
    expected, figures = gauged(model, genome, stretches_of(genome), PIECES, every=1, units_every=2)
    before = list(model.cells)
    monkeypatch.setattr(FactorReader, "read", lambda *_: pytest.fail("gates were recomputed"))
    values, all_of_them = gauged(model, genome, stretches_of(genome), PIECES)
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-6)
    assert all_of_them[1].samples == 2 * 305 - 2 * 2 > figures[1].samples
    assert list(model.cells) == before  # only a view of the model was read by other cells


def test_a_region_has_the_values_of_the_whole(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"x": drawn_codes(4, 70), "a": drawn_codes(1, 2000)})
    model = model_of()
    stream = StreamSettings(lanes=4, chunk=16, burn_in=160)
    whole, _ = gauged(model, genome, stretches_of(genome), stream)
    within, _ = gauged(model, genome, stretches_of(genome, [("a", 700, 777, Part.TEST)]), stream)
    assert within.shape[1] == 77
    assert not np.isnan(within).any()  # its own last base is read, for the contig goes on
    np.testing.assert_allclose(within, whole[:, 770:847], atol=1e-5)


def test_a_protein_has_one_strand(genome_of, stretches_of):
    genome = genome_of({"p": "MKVLAWX", "q": "GG"}, PROTEIN)
    values, (layer,) = gauged(model_of(alphabet="protein"), genome, stretches_of(genome), PIECES)
    assert values.shape[:2] == (1, 9)
    assert layer.samples == 7


def test_nothing_sampled_is_refused(genome_of, stretches_of):
    genome = genome_of({"a": "A"})
    with pytest.raises(ValueError, match="no position was sampled"):
        gauged(model_of(), genome, stretches_of(genome), PIECES)


def test_pages_hold_no_more_than_their_pool_and_lose_nothing(monkeypatch):
    monkeypatch.setattr(tracks_module, "PAGE", 8)
    rng, sink = np.random.default_rng(0), Memory(100, 2, 3)
    pages = Pages(sink, 100, (2, 3), 1)
    assert len(pages.pool) == 2 + tracks_module.SPARE
    expected = sink.values.copy()
    for _ in range(300):
        strand, first = rng.integers(2), rng.integers(0, 100)
        values = rng.normal(size=(min(rng.integers(1, 30), 100 - first), 2, 3)).astype(np.float32)
        pages.put(strand, first, values)
        expected[strand, first : first + len(values)] = values
    assert len(pages.slot) <= len(pages.pool)
    pages.flush()
    np.testing.assert_array_equal(sink.values, expected)
