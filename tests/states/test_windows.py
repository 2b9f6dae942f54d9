"""Pooled states against a twin that reads each contig whole and pools each window by itself."""

import dataclasses

import numpy as np
import pytest
import torch

from genolstm.model import NextSymbolModel
from genolstm.settings.model import ModelSettings, TrainableCell
from genolstm.settings.reading import StreamSettings
from genolstm.states.windows import Windows, pooled_states, pooled_width
from genolstm.stream.reader import GenomeReader
from genolstm.stream.seams import Seams

STREAM = StreamSettings(lanes=4, chunk=24, burn_in=96, repair=False)
HALF = 2e-3  # pieces and windows are each kept in float16


def tiled(genome, width, *, contigs=None):
    """Every whole window of some contigs."""
    rows = [
        (contig, start)
        for contig, length in enumerate(genome.lengths.tolist())
        if contigs is None or genome.names[contig] in contigs
        for start in range(0, length - width + 1, width)
    ]
    table = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return Windows(contig=table[:, 0], start=table[:, 1], width=width)


@torch.inference_mode()
def states_whole(model, genome, contig, *, reverse, memories):
    """State after each base of a contig along the forward strand, [L, D]; the last one read has one here, too."""
    codes = genome.all_codes[genome.starts[contig] :][: genome.lengths[contig]]
    if reverse:
        codes = genome.alphabet.complement[codes][::-1]
    # the stream begins with one N, the symbol before the contig
    codes = torch.from_numpy(np.concatenate([[genome.alphabet.unknown], codes]).astype(np.uint8))[None]
    if not memories:
        found = torch.cat(model.forward(codes, model.initial_state(1)).layers, dim=2)[0, 1:]
        return (found.flip(0) if reverse else found).numpy()
    state, states = model.initial_state(1), []
    for step in range(codes.shape[1]):  # c is seen at each step only where each is a reading of its own
        state = model.forward(codes[:, step : step + 1], state).state
        states.append(torch.cat([state.hidden[:, 0].flatten(), state.memory[:, 0].flatten()]))
    found = torch.stack(states)[1:]
    return (found.flip(0) if reverse else found).numpy()


def pools_of_part(part, nothing, *, ends):
    """Mean and maximum of the states of one pass, [n, D] in the order in which they are read, and first and last."""
    if not len(part):
        return [nothing] * (4 if ends else 2)
    return [part.mean(0), part.max(0), *([part[0], part[-1]] if ends else [])]


def pooled_slowly(model, genome, windows, *, memories=False, ends=False):
    """One window after the other, from whole contigs."""
    found = []
    for contig in range(len(genome.names)):
        length = int(genome.lengths[contig])
        starts = windows.start[windows.contig == contig]
        if not len(starts):
            continue
        forward = states_whole(model, genome, contig, reverse=False, memories=memories)
        backward = states_whole(model, genome, contig, reverse=True, memories=memories)
        for start in starts:
            end = start + windows.width
            parts = (forward[start : min(end, length - 1)], backward[max(start, 1) : end][::-1])
            pools = [pool for part in parts for pool in pools_of_part(part, 0 * forward[0], ends=ends)]
            found.append(np.concatenate(pools))
    return np.array(found)


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("memories", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", list(TrainableCell))
def test_pooled_states_equal_their_slow_twin(tiny_genome, cell, layers, memories, ends, device):
    model = NextSymbolModel(ModelSettings(cell=cell, layers=layers, hidden=5, forget_bias="1"), seed=3).eval()
    windows = tiled(tiny_genome, 30, contigs={"III", "MT"})
    expected = pooled_slowly(model, tiny_genome, windows, memories=memories, ends=ends)
    reader = GenomeReader(model.to(device), tiny_genome, STREAM)
    found = pooled_states(reader, windows, memories=memories, ends=ends)
    assert found.shape == (len(windows), pooled_width(reader, memories=memories, ends=ends)) == expected.shape
    np.testing.assert_allclose(found, expected, atol=HALF * max(1, np.abs(expected).max()))


@pytest.fixture(scope="module")
def model():
    return NextSymbolModel(ModelSettings(hidden=6, forget_bias="2"), seed=3).eval()


@pytest.mark.parametrize(("width", "chunk", "lanes"), [(1, 24, 3), (7, 24, 3), (24, 24, 5), (64, 16, 1), (411, 100, 9)])
def test_windows_of_any_length_meet_chunks_of_any_length(tiny_genome, model, width, chunk, lanes):
    settings = dataclasses.replace(STREAM, chunk=chunk, lanes=lanes, burn_in=8 * chunk)
    windows = tiled(tiny_genome, width, contigs={"I", "III", "IV"})
    expected = pooled_slowly(model, tiny_genome, windows, ends=True)
    found = pooled_states(GenomeReader(model, tiny_genome, settings), windows, ends=True)
    np.testing.assert_allclose(found, expected, atol=HALF)


def test_some_windows_are_pooled_as_among_all(tiny_genome, model):
    every = tiled(tiny_genome, 40)
    rows = np.sort(np.random.default_rng(2).choice(len(every), 20, replace=False))
    some = Windows(contig=every.contig[rows], start=every.start[rows], width=40)
    found = pooled_states(GenomeReader(model, tiny_genome, dataclasses.replace(STREAM, exact=True)), some)
    whole = pooled_states(GenomeReader(model, tiny_genome, dataclasses.replace(STREAM, exact=True)), every)
    np.testing.assert_array_equal(found, whole[rows])
    assert (
        len(pooled_states(GenomeReader(model, tiny_genome, STREAM), Windows(every.contig[:0], every.start[:0], 40)))
        == 0
    )


def test_reverse_complement_of_the_genome_exchanges_the_passes(genome_of, drawn_codes, model):
    codes = drawn_codes(5, 800, unknown=0.02)
    one, other = (
        genome_of({"a": codes}),
        genome_of({"a": np.array([3, 2, 1, 0, 4], dtype=np.uint8)[codes][::-1].copy()}),
    )
    exact = dataclasses.replace(STREAM, exact=True)
    found = pooled_states(GenomeReader(model, one, exact), tiled(one, 40)).reshape(20, 2, -1)
    mirrored = pooled_states(GenomeReader(model, other, exact), tiled(other, 40)).reshape(20, 2, -1)
    np.testing.assert_allclose(found[:, ::-1], mirrored[::-1], atol=HALF)


def test_windows_read_again_after_a_repair_hold_the_repaired_states(genome_of, drawn_codes, monkeypatch):
    """A network that remembers longer than its burn-in: without repair its windows are off, with it they are not."""
    monkeypatch.setattr("genolstm.stream.reading.forgets", lambda *_: True)  # else it were read in sequence
    genome = genome_of({"a": drawn_codes(9, 3000)})
    model = NextSymbolModel(ModelSettings(hidden=4, forget_bias="3.5"), seed=2).eval()
    windows = tiled(genome, 50)
    settings = StreamSettings(lanes=4, chunk=32, burn_in=32, repair=False, tolerance=1e-5)
    expected = pooled_slowly(model, genome, windows)
    burned = pooled_states(GenomeReader(model, genome, settings), windows)
    seams = Seams()
    repaired = pooled_states(
        GenomeReader(model, genome, dataclasses.replace(settings, repair=True)), windows, seams=seams
    )
    assert seams.repaired > 0
    assert np.abs(burned - expected).max() > 5 * HALF
    np.testing.assert_allclose(repaired, expected, atol=HALF)


def test_whoever_looks_beside_sees_every_block(tiny_genome, model):
    seen, read = [], []
    reader = GenomeReader(model, tiny_genome, STREAM, on_progress=lambda _, symbols: read.append(symbols))
    pooled_states(reader, tiled(tiny_genome, 40), beside=lambda block: seen.append(block.targets.numel()))
    assert len(read) == len(seen)
    assert all(symbols <= most for symbols, most in zip(read, np.cumsum(seen).tolist(), strict=True))
    assert read[-1] >= 2 * sum(length for length in tiny_genome.lengths.tolist() if length >= 40)
