"""Bits of every base: those of one lane from end to end, whatever the lanes; sums, masks and calibration."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genolstm.alphabet import DNA, reverse_complement
from genolstm.model import NATS_PER_BIT, NextSymbolModel
from genolstm.regions import Part
from genolstm.scoring.along_genome import contig_bits, covered, read_ahead, score_along
from genolstm.scoring.whole import shared
from genolstm.settings.model import ModelSettings
from genolstm.settings.reading import StreamSettings
from genolstm.stream.reader import GenomeReader
from genolstm.stream.seams import Seams


def model_of(forget_bias="-1", *, sharp=4.0, device="cpu"):
    model = NextSymbolModel(ModelSettings(hidden=8, forget_bias=forget_bias), seed=3)
    with torch.no_grad():
        model.head.weight.mul_(sharp)
    return model.to(device).eval()


class Held:
    """A sink in memory."""

    def __init__(self, bases):
        self.tracks = np.full((2, bases), np.inf, dtype=np.float32)

    def write(self, strand, first, bits):
        self.tracks[strand, first : first + len(bits)] = bits

    def read(self, strand, first, end):
        return self.tracks[strand, first:end]


@torch.no_grad()
def plain_bits(model, codes):
    """Bits of each base of one contig, forward and reverse; [2, L], NaN at N."""
    told = []
    for row in (codes, reverse_complement(codes)):
        inputs = torch.from_numpy(np.concatenate([[DNA.unknown], row[:-1]]).astype(np.int64))[None]
        logits = model.cpu().forward(inputs, model.initial_state(1)).logits[0].double().log_softmax(-1).numpy()
        known = np.where(row == DNA.unknown, 0, row)
        bits = -logits[np.arange(len(row)), known] / NATS_PER_BIT
        told.append(np.where(row == DNA.unknown, np.nan, bits))
    return np.stack([told[0], told[1][::-1]])


def scored(model, genome, stretches, stream):
    sink, seams = Held(stretches.bases), Seams()
    calibration = score_along(GenomeReader(model, genome, stream), stretches, sink, seams=seams)
    return sink, calibration, seams


STREAMS = [
    StreamSettings(lanes=5, chunk=16, burn_in=64),
    StreamSettings(lanes=1, chunk=300, burn_in=64),
    StreamSettings(lanes=64, chunk=7, burn_in=21),
    StreamSettings(lanes=2, chunk=64, exact=True),
]


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: f"{stream.lanes}x{stream.chunk}")
@pytest.mark.parametrize("forget_bias", ["-1", "3", "8"])
def test_every_base_has_the_bits_of_one_lane_on_both_strands(
    device, tiny_genome, stretches_of, stream, forget_bias, monkeypatch
):
    monkeypatch.setattr("genolstm.scoring.along_genome.HELD", 100)
    model, stretches = model_of(forget_bias, device=device), stretches_of(tiny_genome)
    sink, _, _ = scored(model, tiny_genome, stretches, stream)
    expected = np.concatenate(
        [
            plain_bits(model, np.array(tiny_genome.all_codes[start : start + length]))
            for start, length in zip(tiny_genome.starts, tiny_genome.lengths, strict=True)
        ],
        axis=1,
    )
    assert np.array_equal(np.isnan(sink.tracks), np.isnan(expected))
    np.testing.assert_allclose(sink.tracks, expected, atol=2e-4 if device.type == "cpu" else 5e-3)


def test_a_region_has_the_bits_that_it_has_within_its_contig(genome_of, drawn_codes, stretches_of):
    codes = drawn_codes(4, 3000)
    genome, model = genome_of({"x": drawn_codes(5, 99), "a": codes}), model_of()
    regions = stretches_of(genome, [("x", 20, 60, Part.TEST), ("a", 0, 10, Part.TEST), ("a", 1200, 1500, Part.TEST)])
    sink, _, seams = scored(model, genome, regions, dataclasses.replace(STREAMS[0], least_burn_in=64))
    expected = np.concatenate(
        [
            plain_bits(model, drawn_codes(5, 99))[:, 20:60],
            plain_bits(model, codes)[:, :10],
            plain_bits(model, codes)[:, 1200:1500],
        ],
        axis=1,
    )
    np.testing.assert_allclose(sink.tracks, expected, atol=1e-4)
    assert len(seams.unchecked_starts) == 3  # both strands of the last, and the reverse strand of the second


def test_flipping_a_base_changes_nothing_before_it(genome_of, drawn_codes, stretches_of):
    codes = drawn_codes(6, 500)
    flipped = codes.copy()
    flipped[200] = (codes[200] + 1) % 4
    before, after = (
        scored(model_of("2"), genome, stretches_of(genome), STREAMS[3])[0].tracks
        for genome in (genome_of({"a": codes}), genome_of({"a": flipped}))
    )
    assert np.array_equal(before[0, :200], after[0, :200])
    assert np.array_equal(before[1, 201:], after[1, 201:])
    assert (before[:, 200] != after[:, 200]).all()
    assert (before[0, 201:205] != after[0, 201:205]).all()


def test_calibration_counts_every_eighth_base_of_both_strands(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 8000)})
    _, calibration, _ = scored(model_of(sharp=0), genome, stretches_of(genome), StreamSettings(lanes=2, chunk=80))
    # a model with no opinion gives each symbol a quarter, and in even text each comes a quarter of the time
    assert calibration.sampled.tolist() == [0] * 5 + [4 * 2 * 1000] + [0] * 14
    assert calibration.predicted[5] == pytest.approx(0.25)
    assert calibration.observed[5] == pytest.approx(0.25)  # one of four symbols comes at every base
    assert calibration.error == pytest.approx(0)


def test_calibration_error_is_that_of_overconfidence(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 8000)})
    model = model_of(sharp=0)
    with torch.no_grad():
        model.head.bias[:] = torch.tensor([0.7, 0.1, 0.1, 0.1]).log()
    _, calibration, _ = scored(model, genome, stretches_of(genome), StreamSettings(lanes=2, chunk=80))
    assert calibration.error == pytest.approx((0.45 + 3 * 0.15) / 4, abs=0.02)


def test_what_is_read_again_is_not_counted_twice_in_the_calibration(genome_of, drawn_codes, stretches_of, monkeypatch):
    monkeypatch.setattr("genolstm.stream.reading.forgets", lambda *_: True)
    genome, model = genome_of({"a": drawn_codes(1, 4000)}), model_of("6")
    stretches = stretches_of(genome)
    _, pieces, seams = scored(model, genome, stretches, StreamSettings(lanes=4, chunk=16, burn_in=16))
    _, exact, _ = scored(model, genome, stretches, StreamSettings(lanes=4, chunk=16, exact=True))
    assert seams.repaired > 0
    assert pieces.sampled.sum() == exact.sampled.sum()
    np.testing.assert_allclose(pieces.sampled, exact.sampled, atol=2)


def test_sums_are_apart_for_strands_and_soft_mask(genome_of, stretches_of, monkeypatch):
    monkeypatch.setattr("genolstm.scoring.along_genome.SLAB", 7)
    genome = genome_of({"a": "A" * 20, "b": "C" * 10})
    stretches = stretches_of(genome, [("a", 3, 18, Part.TEST), ("b", 0, 10, Part.TEST)])
    sink = Held(25)
    sink.tracks[:] = np.arange(50).reshape(2, 25)
    sink.tracks[1, 4] = np.nan
    masks = {0: np.array([[0, 5], [9, 11], [17, 20]]), 1: np.zeros((0, 2), dtype=np.int64)}
    told = contig_bits(sink.read, stretches, masks.__getitem__, 2)
    masked = np.isin(np.arange(3, 18), [3, 4, 9, 10, 17])
    for strand in range(2):
        values = sink.tracks[strand, :15]
        for kind, chosen in enumerate((~masked, masked)):
            mine = values[chosen & ~np.isnan(values)]
            assert told.symbols[0, strand, kind] == len(mine)
            assert told.bits[0, strand, kind] == mine.sum()
        assert told.symbols[1, strand].tolist() == [10, 0]
        assert told.bits[1, strand].tolist() == [sink.tracks[strand, 15:].sum(), 0]


@given(st.lists(st.integers(0, 40), max_size=8, unique=True), st.integers(0, 40), st.integers(1, 40))
def test_covered_bases_are_those_of_any_interval(ends, start, length):
    ends = sorted(ends)[: len(ends) // 2 * 2]
    intervals = np.array(ends, dtype=np.int64).reshape(-1, 2)
    inside = {base for first, last in intervals.tolist() for base in range(first, last)}
    assert covered(intervals, start, start + length).tolist() == [b in inside for b in range(start, start + length)]


def test_shared_stretches_are_the_bases_of_both(genome_of, stretches_of):
    genome = genome_of({"a": "A" * 50, "b": "C" * 50})
    some = stretches_of(genome, [("a", 0, 20, Part.TEST), ("a", 30, 50, Part.TEST), ("b", 5, 10, Part.TEST)])
    others = stretches_of(genome, [("a", 10, 35, Part.TRAIN), ("a", 40, 45, Part.TRAIN), ("b", 10, 50, Part.TRAIN)])
    both = shared(some, others)
    rows = list(zip(both.contig.tolist(), both.start.tolist(), both.end.tolist(), strict=True))
    assert rows == [(0, 10, 20), (0, 30, 35), (0, 40, 45)]


def test_reading_ahead_gives_the_same_bits_in_fewer_calls():
    track, calls = np.arange(2 * 5_000, dtype=np.float32).reshape(2, 5_000), []

    def read(strand, first, end):
        calls.append((strand, first, end))
        return track[strand, first:end]

    ahead, rng = read_ahead(read, 5_000), np.random.default_rng(1)
    cuts = np.unique(rng.integers(0, 5_000, 300)).tolist()
    for first, end in [*pairwise([0, *cuts, 5_000]), (10, 20), (4_990, 5_000)]:
        for strand in (0, 1):
            np.testing.assert_array_equal(ahead(strand, first, end), track[strand, first:end])
    assert len(calls) == 2
