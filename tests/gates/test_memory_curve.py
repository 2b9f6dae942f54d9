"""Functional memory: the state emptied every K bases, against a loop; windows that the model has not seen."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from genolstm.alphabet import PROTEIN, reverse_complement
from genolstm.gates import memory_curve as module
from genolstm.gates.memory_curve import MemoryCurve, memory_curve, memory_windows, unseen
from genolstm.model import NATS_PER_BIT, NextSymbolModel
from genolstm.regions import Part
from genolstm.seen import training_sequence
from genolstm.settings.model import ModelSettings
from genolstm.settings.train import TrainSettings
from genolstm.store.checkpoint import Checkpoint


def model_of(alphabet="dna"):
    model = NextSymbolModel(ModelSettings(hidden=8, layers=2, forget_bias="4", alphabet=alphabet), seed=3).double()
    with torch.no_grad():
        model.head.weight.mul_(8)
    return model.eval()


@torch.no_grad()
def emptied_bits(model, codes, start, end, every):
    """Bits of codes[start:end], the state emptied every so many; the input is the real symbol before."""
    bits, state = [], None
    for place in range(start, end):
        if (place - start) % every == 0:
            state = model.initial_state(1)
        before = codes[place - 1] if place else model.alphabet.unknown
        reading = model.forward(torch.tensor([[int(before)]]), state)
        state = reading.state
        if codes[place] != model.alphabet.unknown:
            bits.append(float(-reading.logits[0, 0].log_softmax(-1)[int(codes[place])] / NATS_PER_BIT))
    return bits


@pytest.mark.parametrize(("lanes", "chunk"), [(1024, 512), (3, 8)])
def test_bits_of_every_k_equal_a_loop(monkeypatch, genome_of, drawn_codes, stretches_of, lanes, chunk):
    monkeypatch.setattr(module, "LANES", lanes)
    monkeypatch.setattr(module, "CHUNK", chunk)
    codes = {"a": drawn_codes(1, 150, unknown=0.05), "b": drawn_codes(2, 64)}
    genome, model = genome_of(codes), model_of()
    source = stretches_of(genome, [("a", 3, 70, Part.TEST), ("a", 80, 150, Part.TEST), ("b", 0, 64, Part.TEST)])
    curve = memory_curve(model, genome, (source, "here"), 3 * 64 * 2, 50, np.random.default_rng(0))
    assert curve.reset_every.tolist() == [1, 2, 4, 8, 16, 32, 64]
    assert curve.skipped == tuple(2**n for n in range(7, 17))
    windows = curve.windows
    assert len(windows.start) == 3
    for every, told in zip(curve.reset_every.tolist(), curve.bits, strict=True):
        bits = []
        for contig, start, end in zip(windows.contig, windows.start, windows.end, strict=True):
            row = codes["ab"[contig]]
            bits += emptied_bits(model, row, start, end, every)
            bits += emptied_bits(model, reverse_complement(row), len(row) - end, len(row) - start, every)
        assert told == pytest.approx(np.mean(bits), abs=1e-6)  # bits are float32
        assert curve.symbols == len(bits)
    np.testing.assert_allclose(curve.excess, curve.bits - curve.bits[-1])
    assert (curve.low <= curve.excess + 1e-12).all()
    assert (curve.high >= curve.excess - 1e-12).all()
    assert curve.low[-1] == curve.high[-1] == curve.excess[-1] == 0


def test_a_model_without_memory_has_a_flat_curve(genome_of, drawn_codes, stretches_of):
    genome, model = genome_of({"a": drawn_codes(1, 300)}), model_of()
    with torch.no_grad():
        for cell in model.cells:
            cell.kernel.weight_hh_l0.zero_()
            cell.kernel.bias_ih_l0[8:16] = -100.0  # forget nothing through: c keeps no past
            cell.kernel.bias_hh_l0[8:16] = 0.0
            cell.kernel.weight_ih_l0[8:16] = 0.0
    curve = memory_curve(model, genome, (stretches_of(genome), ""), 512, 50, np.random.default_rng(0))
    np.testing.assert_allclose(curve.excess, 0, atol=1e-9)
    assert curve.flat_from(0.001) == 1


def test_a_protein_is_measured_on_its_one_strand(genome_of, stretches_of):
    genome = genome_of({"p": "MKVLAWXMKVLAWX" * 3}, PROTEIN)
    curve = memory_curve(model_of("protein"), genome, (stretches_of(genome), ""), 1000, 50, np.random.default_rng(0))
    assert curve.reset_every.tolist() == [1, 2, 4, 8, 16, 32]
    assert curve.symbols == 32 - 4


def test_flat_from_is_where_no_larger_k_gains_more():
    columns = {name: np.zeros(5) for name in ("bits", "low", "high")}
    curve = MemoryCurve(
        reset_every=2 ** np.arange(5), excess=np.array([0.1, 0.0005, 0.02, 0.0009, 0.0]), windows=None, symbols=1,
        source="", skipped=(), **columns,
    )  # fmt: skip
    assert curve.flat_from(0.001) == 8
    assert curve.flat_from(0.05) == 2
    assert curve.flat_from(1.0) == 1


def test_windows_are_apart_inside_and_within_the_budget(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 1000), "b": drawn_codes(2, 130), "c": "ACGT"})
    source = stretches_of(genome, [("a", 10, 990, Part.TEST), ("b", 0, 130, Part.TEST), ("c", 0, 4, Part.TEST)])
    length, windows = memory_windows(source, 128 * 2 * 5, 2, np.random.default_rng(1))
    assert (length, len(windows.start)) == (512, 1)  # the longest that the stretches allow
    length, windows = memory_windows(source, 300, 2, np.random.default_rng(1))
    assert (length, len(windows.start)) == (128, 1)  # the longest that the budget allows
    monkey = np.random.default_rng(1)
    length, windows = memory_windows(source, 4, 2, monkey)
    assert length == 2
    with pytest.raises(ValueError, match="no stretch is long enough"):
        memory_windows(source, 3, 2, monkey)
    small = stretches_of(genome, [("b", 0, 130, Part.TEST), ("c", 0, 4, Part.TEST)])
    length, windows = memory_windows(small, 10**6, 1, monkey)
    assert (length, windows.start.tolist(), windows.contig.tolist()) == (128, [0], [1])


def checkpoint_of(genome, split):
    return Checkpoint(
        model=ModelSettings(), train=TrainSettings(), weights={}, split=split, lengths=genome.lengths,
        genome_sha256=genome.sha256, history={}, looks={},
    )  # fmt: skip


def test_memory_is_measured_on_what_was_not_trained_on(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 100), "b": drawn_codes(2, 50)})
    by_contig = stretches_of(genome, [("a", 0, 100, Part.TRAIN), ("b", 0, 50, Part.TEST)])
    stretches, words = unseen(checkpoint_of(genome, by_contig), genome)
    assert (stretches.names(), stretches.bases) == (("b",), 50)
    assert words == "contigs that the model was not trained on"
    rows = [("a", 0, 60, Part.TRAIN), ("a", 70, 100, Part.TEST), ("b", 0, 50, Part.TRAIN)]
    by_block = stretches_of(genome, rows)
    stretches, words = unseen(checkpoint_of(genome, by_block), genome)
    assert (stretches.start.tolist(), stretches.end.tolist()) == ([70], [100])
    assert words == "stretches held out for test"
    everything = stretches_of(genome)
    stretches, words = unseen(checkpoint_of(genome, everything), genome)
    assert stretches.bases == 150
    assert "trained on, for there are no others" in words
    other = genome_of({"a": drawn_codes(9, 80), "renamed": drawn_codes(2, 50)})
    untold = checkpoint_of(genome, by_block)
    assert unseen(untold, other)[1] == "contigs of another genome than the model's"
    stretches, words = unseen(replace(untold, training=training_sequence(genome, by_block)), other)
    assert (stretches.names(), words) == (("a",), "contigs that the model was not trained on")


def test_windows_without_a_known_base_are_refused(genome_of, stretches_of):
    genome = genome_of({"a": "N" * 64})
    with pytest.raises(ValueError, match="no known base"):
        memory_curve(model_of(), genome, (stretches_of(genome), ""), 128, 50, np.random.default_rng(0))
