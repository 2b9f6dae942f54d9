"""A model that remembers more than a burn-in is found out before the genome is cut, and read in sequence."""

import numpy as np
import pytest
import torch

from genolstm.alphabet import DNA
from genolstm.model import NextSymbolModel
from genolstm.regions import Part
from genolstm.settings.model import ModelSettings
from genolstm.settings.reading import StreamSettings
from genolstm.strands import SequenceFetcher
from genolstm.stream.burn_in_check import forgets, try_burn_in
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import read_stretches
from genolstm.stream.seams import Seams, max_state_difference

STREAM = StreamSettings(lanes=4, chunk=16, burn_in=40)


def model_of(forget_bias, layers=1):
    return NextSymbolModel(ModelSettings(hidden=8, layers=layers, forget_bias=forget_bias), seed=5).eval()


def trial_of(model, genome, stretches, stream=STREAM):
    fetcher = SequenceFetcher(genome, torch.device("cpu"), stretches.contig)
    return try_burn_in(model, genome, fetcher, stretches, stream)


def read(model, genome, stretches, stream=STREAM):
    seams = Seams()
    rows = [len(block.row) for block in read_stretches(GenomeReader(model, genome, stream), stretches, seams=seams)]
    return seams, rows


def test_states_with_a_past_and_without_one_are_compared_at_the_middles_of_equal_parts(
    genome_of, drawn_codes, stretches_of
):
    codes, model = drawn_codes(1, 5080), model_of("9", layers=2)
    genome = genome_of({"short": drawn_codes(2, 79), "a": codes})
    found = trial_of(model, genome, stretches_of(genome))
    assert found.burn_in == 40, "the states never agree"
    assert len(found.differences) == 2 * 5159 // (50 * 40)  # a place for every 50 burn-ins, both strands
    with torch.no_grad():
        for place, difference in zip((500, 1500, 2500, 3500, 4500), found.differences, strict=True):
            text = torch.from_numpy(codes[place : place + 80].astype(np.int64))[None]
            past, empty = (model.forward(text[:, skipped:], model.initial_state(1)).state for skipped in (0, 40))
            assert difference == pytest.approx(float(max_state_difference(empty, past)), rel=1e-3)


def test_the_burn_in_is_as_long_as_the_states_took_to_agree_everywhere_and_a_chunk(
    genome_of, drawn_codes, stretches_of
):
    stream = StreamSettings(lanes=4, chunk=16, burn_in=640)
    codes, model = drawn_codes(1, 90_000), model_of("0")
    genome = genome_of({"a": codes})
    found = trial_of(model, genome, stretches_of(genome), stream)
    assert len(found.differences) == 5
    assert 32 < found.burn_in < 320
    agreed = []
    with torch.no_grad():
        for place in [(2 * n + 1) * (90_000 - 1_280) // 10 for n in range(5)]:
            text = torch.from_numpy(codes[place : place + 1_280].astype(np.int64))[None]
            past, empty = model.forward(text[:, :640], model.initial_state(1)).state, model.initial_state(1)
            chunks = 0
            while float(max_state_difference(empty, past)) > stream.tolerance:
                step = text[:, 640 + 16 * chunks : 656 + 16 * chunks]
                past, empty = (model.forward(step, state).state for state in (past, empty))
                chunks += 1
            agreed.append(16 * chunks)
    assert found.burn_in == max(agreed) + 16


def test_the_sooner_a_model_forgets_the_less_is_read(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 60_000)})
    stretches, stream = stretches_of(genome), StreamSettings(lanes=8, chunk=16, burn_in=1_600)

    def symbols(model, settings):
        seams = Seams()
        blocks = read_stretches(GenomeReader(model, genome, settings), stretches, seams=seams)
        return sum(block.targets.numel() for block in blocks), seams

    quick, fast = symbols(model_of("-2"), stream)
    slow, late = symbols(model_of("3"), stream)
    assert fast.burn_in < late.burn_in < 1_600
    assert 120_000 <= quick <= 1.05 * 120_000
    assert quick < slow
    assert fast.max_state <= stream.tolerance >= late.max_state


def test_what_a_reader_needs_before_a_piece_is_read_whatever_the_trial_says(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 60_000)})
    found = [
        trial_of(model_of("-2"), genome, stretches_of(genome), StreamSettings(burn_in=640, chunk=16, least_burn_in=n))
        for n in (0, 320)
    ]
    assert found[0].burn_in < found[1].burn_in == 320


def test_a_model_that_remembers_is_read_in_one_lane_a_row(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 5000), "b": drawn_codes(2, 60)})
    seams, rows = read(model_of("9"), genome, stretches_of(genome))
    assert seams.in_sequence
    assert seams.count == 0
    assert seams.to_json()["trial_max_state"] == max(seams.trial) > STREAM.tolerance
    assert max(rows) == 4  # both strands of both contigs


def test_a_model_that_forgets_is_read_in_pieces(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 5000)})
    seams, _ = read(model_of("-2"), genome, stretches_of(genome))
    assert not seams.in_sequence
    assert seams.count > 0
    assert len(seams.trial) > 0


def test_a_stretch_within_a_contig_is_then_read_from_the_contigs_ends(genome_of, drawn_codes, stretches_of):
    codes = drawn_codes(1, 4000)
    genome, model = genome_of({"a": codes}), model_of("9")
    within = stretches_of(genome, [("a", 2000, 2100, Part.TEST)])
    seams = Seams()
    for block in read_stretches(GenomeReader(model, genome, STREAM), within, seams=seams, warmup=True):
        last = block
    assert seams.in_sequence
    assert not seams.unchecked_starts
    forward = int(np.flatnonzero(last.sign > 0)[0]) if (last.sign > 0).any() else None
    assert set(last.end.tolist()) <= {2100, 2000}
    if forward is not None:
        with torch.no_grad():
            inputs = torch.from_numpy(np.concatenate([[DNA.unknown], codes[:2099]]).astype(np.int64))[None]
            logits = model.forward(inputs, model.initial_state(1)).logits[0, -1]
        torch.testing.assert_close(last.logits[forward, 2099 - last.first[forward]], logits, atol=1e-5, rtol=0)


def test_nothing_is_tried_where_contigs_are_short_or_no_burn_in_is_read(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 80)})  # a head start and a burn-in of 40
    assert trial_of(model_of("9"), genome, stretches_of(genome)) == (40, [])
    long = genome_of({"a": drawn_codes(1, 800)})
    assert trial_of(model_of("9"), long, stretches_of(long), StreamSettings(burn_in=0)) == (0, [])
    assert forgets([], STREAM)


@pytest.mark.parametrize(("bad", "answer"), [(0, True), (2, True), (3, False), (8, False)])
def test_one_place_in_four_may_disagree(bad, answer):
    assert forgets([1.0] * bad + [0.0] * (8 - bad), STREAM) is answer
