"""The dump of a region: what one lane, reading base by base, sees there."""

import numpy as np
import pytest
import torch

from genolstm.alphabet import DNA, reverse_complement
from genolstm.cells.memory import State
from genolstm.errors import UsageError
from genolstm.gates import dump as module
from genolstm.gates.dump import check_dump, dump_region
from genolstm.model import NextSymbolModel
from genolstm.regions import Region
from genolstm.settings.model import ModelSettings, TrainableCell
from genolstm.settings.reading import StreamSettings

PIECES = StreamSettings(lanes=4, chunk=16, burn_in=160)


class Memory:
    def start_dump(self, region, factors, units):
        self.shape, self.factors, self.values = (region.end - region.start, 2, 2, units), factors, {}

    def write_dump(self, name, strand, layer, first, values):
        self.values.setdefault(name, np.full(self.shape, np.nan, np.float32))[
            first : first + len(values), strand, layer
        ] = values


def model_of(cell):
    return NextSymbolModel(ModelSettings(cell=cell, layers=2, hidden=5, forget_bias="-1"), seed=2).double().eval()


@torch.no_grad()
def by_base(model, codes):
    """Name -> [L, layers, H] after each base is read, one by one."""
    state, told = model.initial_state(1), {}
    for code in [DNA.unknown, *codes]:
        before = state
        reading = model.forward(torch.tensor([[int(code)]]), state)
        state = reading.state
        told.setdefault("hidden", []).append(state.hidden[:, 0].numpy())
        told.setdefault("memory", []).append(state.memory[:, 0].numpy())
        from genolstm.cells.replay import replay

        layers = [
            replay(cell, reading.inputs[n], reading.layers[n], State(before.hidden[n], before.memory[n])).gates
            for n, cell in enumerate(model.cells)
        ]
        for name in ("forget", "write", "candidate", "read"):
            if getattr(layers[0], name) is not None:
                told.setdefault(name, []).append(np.stack([getattr(layer, name)[0, 0].numpy() for layer in layers]))
    return {name: np.stack(rows)[1:] for name, rows in told.items()}


@pytest.mark.parametrize("cell", list(TrainableCell))
def test_dump_holds_what_one_lane_sees(genome_of, drawn_codes, cell):
    codes = drawn_codes(3, 600)
    genome, model, sink = genome_of({"x": drawn_codes(1, 30), "a": codes}), model_of(cell), Memory()
    dump_region(model, genome, Region(contig="a", start=250, end=300), PIECES, sink)
    forward, backward = by_base(model, codes), by_base(model, reverse_complement(codes))
    assert sink.values.keys() == forward.keys()
    assert ("read" in sink.values) == (cell in {TrainableCell.LSTM, TrainableCell.TIED})
    for name, values in sink.values.items():
        np.testing.assert_allclose(values[:, 0], forward[name][250:300], atol=1e-5)
        np.testing.assert_allclose(values[:, 1], backward[name][::-1][250:300], atol=1e-5)


def test_bases_that_are_never_read_are_missing(genome_of, drawn_codes):
    genome, sink = genome_of({"a": drawn_codes(3, 40)}), Memory()
    dump_region(model_of(TrainableCell.LSTM), genome, Region(contig="a", start=0, end=40), PIECES, sink)
    missing = np.isnan(sink.values["memory"]).all(axis=(2, 3))
    assert np.argwhere(missing).tolist() == [[0, 1], [39, 0]]


def test_a_dump_that_is_too_large_is_refused(monkeypatch, genome_of, drawn_codes):
    genome, model = genome_of({"a": drawn_codes(3, 400)}), model_of(TrainableCell.LSTM)
    monkeypatch.setattr(module, "MOST_BYTES", 480 * 100)  # 2 strands x 2 layers x 5 units x 6 quantities x 4 bytes
    check_dump(model, genome, Region(contig="a", start=0, end=100))
    with pytest.raises(UsageError, match=r"a dump of 101 bases .* name a region of 100 bases or fewer"):
        check_dump(model, genome, Region(contig="a", start=0, end=101))
