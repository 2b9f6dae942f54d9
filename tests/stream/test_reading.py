"""Reading whole stretches in pieces: the same bits as one lane, every symbol once, seams checked, memory flat."""

import gc
import tracemalloc
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genolstm.alphabet import DNA, PROTEIN, reverse_complement
from genolstm.cells.memory import State
from genolstm.model import NATS_PER_BIT, NextSymbolModel
from genolstm.regions import Part
from genolstm.settings.model import ModelSettings, TrainableCell
from genolstm.settings.reading import StreamSettings
from genolstm.strands import Rows
from genolstm.strands import rows_of as laid_out
from genolstm.stream.blocks import traces_of
from genolstm.stream.pieces import pieces_of
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import mean_bits, read_stretches
from genolstm.stream.seams import Seams, max_state_difference


@pytest.fixture
def no_trial(monkeypatch):
    """Cut into pieces whatever the trial says, so that seams have to be repaired."""
    monkeypatch.setattr("genolstm.stream.reading.forgets", lambda *_: True)


WHOLE = StreamSettings(lanes=3, chunk=64, exact=True)


def model_of(cell=TrainableCell.LSTM, *, forget_bias="-2", layers=1, hidden=12, alphabet="dna", device="cpu"):
    """A model that has opinions (its head is scaled up) and forgets as fast as its bias says."""
    settings_ = ModelSettings(cell=cell, layers=layers, hidden=hidden, forget_bias=forget_bias, alphabet=alphabet)
    model = NextSymbolModel(settings_, seed=5)
    with torch.no_grad():
        model.head.weight.mul_(8)
    return model.to(device).eval()


def rows_of(genome, stretches):
    forward = [
        np.array(genome.all_codes[genome.starts[contig] + start : genome.starts[contig] + end])
        for contig, start, end in zip(stretches.contig, stretches.start, stretches.end, strict=True)
    ]
    return forward + ([reverse_complement(row) for row in forward] if genome.alphabet.complement is not None else [])


@torch.no_grad()
def plain_nats(model, row):
    """Nats of each symbol of one row, read by one lane in one go; [L]."""
    inputs = np.concatenate([[model.alphabet.unknown], row[:-1]])
    device = next(model.parameters()).device
    reading = model.forward(torch.from_numpy(inputs)[None].to(device), model.initial_state(1))
    return model.nats(reading.logits, torch.from_numpy(row)[None].to(device))[0].cpu().numpy().astype(np.float64)


def plain_bits(model, genome, stretches):
    rows = rows_of(genome, stretches)
    known = sum(int((row != model.alphabet.unknown).sum()) for row in rows)
    return sum(plain_nats(model, row).sum() for row in rows) / known / NATS_PER_BIT, known


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", list(TrainableCell))
def test_bits_of_pieces_equal_one_lane_from_start_to_end(device, tiny_genome, stretches_of, cell, layers):
    model, stretches = model_of(cell, layers=layers, device=device), stretches_of(tiny_genome)
    seams = Seams()
    blocks = list(read_stretches(GenomeReader(model, tiny_genome, PIECES), stretches, seams=seams))
    assert seams.count > 0
    assert len(blocks) > 1
    bits, known = mean_bits(GenomeReader(model, tiny_genome, PIECES), stretches)
    expected, expected_known = plain_bits(model, tiny_genome, stretches)
    assert known == expected_known
    assert bits == pytest.approx(expected, abs=1e-6 if device.type == "cpu" else 1e-3)


PIECES = StreamSettings(lanes=5, chunk=16, burn_in=64)


def test_bits_are_exact_when_pieces_are_whole_contigs(tiny_genome, stretches_of):
    model, stretches = model_of(forget_bias="6").double(), stretches_of(tiny_genome)
    seams = Seams()
    for _ in read_stretches(GenomeReader(model, tiny_genome, WHOLE), stretches, seams=seams):
        pass
    assert seams == Seams(tolerance=seams.tolerance)
    expected, _ = plain_bits(model, tiny_genome, stretches)
    assert mean_bits(GenomeReader(model, tiny_genome, WHOLE), stretches)[0] == pytest.approx(expected, rel=1e-9)
    together = StreamSettings(lanes=64, chunk=100, exact=True)
    assert mean_bits(GenomeReader(model, tiny_genome, together), stretches)[0] == pytest.approx(expected, rel=1e-9)


def test_every_block_holds_the_logits_and_states_of_one_lane(tiny_genome, stretches_of):
    model = model_of(TrainableCell.LSTM, layers=2).double()
    stretches = stretches_of(
        tiny_genome, [("I", 10, 900, Part.TRAIN), ("II", 0, 77, Part.TRAIN), ("IV", 0, 1, Part.TEST)]
    )
    rows = rows_of(tiny_genome, stretches)
    with torch.no_grad():
        plain = []
        for row in rows:
            inputs, state, steps = np.concatenate([[DNA.unknown], row[:-1]]), model.initial_state(1), []
            for code in inputs:  # symbol by symbol, so that c is seen at each
                reading = model.forward(torch.tensor([[int(code)]]), state)
                state = reading.state
                steps.append((reading.logits[0, 0], state.hidden[:, 0], state.memory[:, 0]))
            plain.append(steps)
    checked = 0
    for block in read_stretches(GenomeReader(model, tiny_genome, WHOLE), stretches):
        memories = [trace.memory for trace in traces_of(model, block)]
        for lane, row in enumerate(block.row):
            for place in range(block.begin[lane], block.end[lane]):
                step = place - block.first[lane]
                logits, hidden, memory = plain[row][place]
                assert int(block.targets[lane, step]) == rows[row][place]
                torch.testing.assert_close(block.logits[lane, step], logits, rtol=0, atol=1e-11)
                for layer in range(2):
                    torch.testing.assert_close(block.layers[layer][lane, step], hidden[layer], rtol=0, atol=1e-12)
                    torch.testing.assert_close(memories[layer][lane, step], memory[layer], rtol=0, atol=1e-12)
                checked += 1
    assert checked == sum(map(len, rows))


@pytest.mark.usefixtures("no_trial")
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=4),
    lanes=st.integers(1, 9),
    chunk=st.integers(1, 40),
    burn_in=st.integers(0, 30),
    seed=st.integers(0, 99),
    exact=st.booleans(),
)
@pytest.mark.slow
def test_every_symbol_is_counted_once_after_what_was_taken_back(
    genome_of, drawn_codes, stretches_of, lengths, lanes, chunk, burn_in, seed, exact
):
    genome = genome_of({str(i): drawn_codes(seed + i, n, unknown=0.1) for i, n in enumerate(lengths)})
    stretches = stretches_of(genome)
    rows, times = rows_of(genome, stretches), Counter()
    stream, seams = StreamSettings(lanes=lanes, chunk=chunk, burn_in=burn_in, exact=exact), Seams()
    for block in read_stretches(
        GenomeReader(model_of(hidden=2, forget_bias="4"), genome, stream), stretches, seams=seams
    ):
        assert len(block.row) <= max(lanes, 2)
        for lane, step in zip(*np.nonzero(block.scored.numpy()), strict=True):
            row, place = block.row[lane], block.first[lane] + step
            assert block.begin[lane] <= place < block.end[lane]
            assert int(block.targets[lane, step]) == rows[row][place]
            address = block.address[lane] + block.sign[lane] * step
            code = genome.all_codes[address]
            assert int(block.targets[lane, step]) == (code if block.sign[lane] > 0 else DNA.complement[code])
            times[row, place] += block.weight[lane]
        assert int(block.scored.sum()) == int((block.end - block.begin).sum())
    assert times == {(row, place): 1 for row, codes in enumerate(rows) for place in range(len(codes))}
    pieces = pieces_of(laid_out(genome, stretches), stream)
    assert seams.count == len(pieces) - len(rows)
    assert not (exact and seams.count)


def test_mean_bits_counts_known_symbols_of_both_strands(genome_of, stretches_of):
    genome = genome_of({"a": "ACGTNNACG", "b": "NA"})
    assert mean_bits(GenomeReader(model_of(), genome, PIECES), stretches_of(genome))[1] == 2 * 8


def test_mean_bits_of_an_undecided_model_are_two(tiny_genome, stretches_of):
    model = model_of()
    torch.nn.init.zeros_(model.head.weight)
    assert mean_bits(GenomeReader(model, tiny_genome, PIECES), stretches_of(tiny_genome))[0] == pytest.approx(
        2, abs=1e-7
    )


def test_only_the_stretches_asked_for_are_scored(genome_of, drawn_codes, stretches_of):
    codes = drawn_codes(1, 400)
    whole, part = genome_of({"a": codes}), genome_of({"a": codes[100:300]})
    model = model_of()
    within = stretches_of(whole, [("a", 100, 300, Part.TEST)])
    assert mean_bits(GenomeReader(model, whole, PIECES), within) == mean_bits(
        GenomeReader(model, part, PIECES), stretches_of(part)
    )


def test_a_protein_is_read_along_one_strand(genome_of, stretches_of):
    proteins = genome_of({"p": "MKVLAWX", "q": "GG"}, PROTEIN)
    model, stretches = model_of(alphabet="protein"), stretches_of(proteins)
    bits, known = mean_bits(GenomeReader(model, proteins, PIECES), stretches)
    assert known == 8
    assert bits == pytest.approx(plain_bits(model, proteins, stretches)[0], abs=1e-6)


def test_nothing_known_to_score_is_refused(genome_of, stretches_of):
    genome = genome_of({"a": "NNNNN"})
    with pytest.raises(ValueError, match="no known symbol to score"):
        mean_bits(GenomeReader(model_of(), genome, PIECES), stretches_of(genome))


def test_a_look_stops_after_about_as_many_symbols_as_asked_for(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 20_000)})
    model, stretches = model_of(), stretches_of(genome)
    stream = StreamSettings(lanes=4, chunk=50, burn_in=0)
    _, known = mean_bits(GenomeReader(model, genome, stream), stretches, symbols=1000)
    assert known == 1000
    assert mean_bits(GenomeReader(model, genome, stream), stretches, symbols=10**9)[1] == 40_000


def test_a_short_look_goes_on_until_a_symbol_is_known(genome_of, stretches_of):
    genome = genome_of({"a": "N" * 3000 + "ACGT" * 10})
    stream = StreamSettings(lanes=1, chunk=50, burn_in=50)
    assert mean_bits(GenomeReader(model_of(), genome, stream), stretches_of(genome), symbols=10)[1] > 0


def read_all(model, genome, stretches, stream, *, warmup=False):
    """Nats of every symbol as last told, per row: (row, place) -> nats; their weighted sum; and the seams."""
    nats, total, seams = {}, 0.0, Seams()
    for block in read_stretches(GenomeReader(model, genome, stream), stretches, seams=seams, warmup=warmup):
        values = model.nats(block.logits, block.targets).double().cpu().numpy()
        total += float((values * block.scored.cpu().numpy() * block.weight[:, None]).sum())
        for lane in np.flatnonzero(block.weight > 0):
            for place in range(block.begin[lane], block.end[lane]):
                nats[block.row[lane], place] = values[lane, place - block.first[lane]]
    return nats, total, seams


def differences(some, others):
    assert some.keys() == others.keys()
    return max(abs(some[key] - others[key]) for key in some)


def test_seams_of_a_model_that_forgets_fast_agree(device, genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 5000), "b": drawn_codes(2, 30)})
    stretches, model = stretches_of(genome), model_of(device=device)
    _, _, seams = read_all(model, genome, stretches, PIECES)
    assert seams.count == len(pieces_of(laid_out(genome, stretches), PIECES)) - 4 > 0
    assert seams.repaired == 0
    assert seams.max_state < (5e-6 if device.type == "cpu" else 1e-3)


@pytest.mark.parametrize("burn_in", [0, 16])
@pytest.mark.parametrize("cell", list(TrainableCell))
@pytest.mark.usefixtures("no_trial")
def test_a_burn_in_that_is_too_short_is_repaired_to_the_tolerance(genome_of, drawn_codes, stretches_of, burn_in, cell):
    genome = genome_of({"a": drawn_codes(1, 4000), "b": drawn_codes(3, 900)})
    model, stretches = model_of(cell, forget_bias="2", layers=2), stretches_of(genome)
    stream = StreamSettings(lanes=4, chunk=16, burn_in=burn_in)
    nats, total, seams = read_all(model, genome, stretches, stream)
    exact, exact_total, _ = read_all(model, genome, stretches, WHOLE)
    assert max(seam.found_state for seam in seams.table) > stream.tolerance
    assert 0 < seams.repaired <= seams.count
    assert seams.max_state <= stream.tolerance
    assert seams.max_bits < 1e-4
    assert differences(nats, exact) < 2e-4
    assert total == pytest.approx(exact_total, rel=1e-7)  # what was taken back is gone from sums too


@pytest.mark.usefixtures("no_trial")
def test_a_model_that_never_forgets_is_read_again_in_sequence(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 3000), "b": drawn_codes(3, 900)})
    model, stretches = model_of(forget_bias="9"), stretches_of(genome)
    stream = StreamSettings(lanes=4, chunk=16, burn_in=32)
    nats, total, seams = read_all(model, genome, stretches, stream)
    exact, exact_total, _ = read_all(model, genome, stretches, WHOLE)
    assert seams.repaired == seams.count > 0
    pieces = [piece for piece in pieces_of(laid_out(genome, stretches), stream) if piece.checked]
    assert sum(seam.repaired for seam in seams.table) == sum(piece.end - piece.start for piece in pieces)
    assert seams.max_state == 0  # each piece was read from the very state in which the one before ended
    assert seams.to_json()["found_max_state"] > 0.01
    assert differences(nats, exact) < 1e-5
    assert total == pytest.approx(exact_total, rel=1e-7)


def test_without_repair_seams_are_told_and_left(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 2000)})
    stream = StreamSettings(lanes=4, chunk=16, burn_in=16, repair=False)
    _, _, seams = read_all(model_of(forget_bias="6"), genome, stretches_of(genome), stream)
    assert seams.repaired == 0
    assert seams.max_state > 0.05
    assert seams.max_bits > 0.01


def test_seam_difference_is_that_of_the_burned_in_and_the_true_state(genome_of, drawn_codes, stretches_of):
    codes = drawn_codes(1, 64)
    genome, model = genome_of({"a": codes}), model_of(forget_bias="4")
    stream = StreamSettings(lanes=4, chunk=4, burn_in=4, repair=False)
    stretches = stretches_of(genome)
    _, _, seams = read_all(model, genome, stretches, stream)
    assert seams.count == 2
    place = next(piece.start for piece in pieces_of(laid_out(genome, stretches), stream) if piece.checked)
    with torch.no_grad():
        for seam, row in zip(seams.table, (codes, reverse_complement(codes)), strict=True):
            inputs = torch.from_numpy(np.concatenate([[DNA.unknown], row]).astype(np.int64))[None]
            true = model.forward(inputs[:, :place], model.initial_state(1)).state
            ours = model.forward(inputs[:, place - 4 : place], model.initial_state(1)).state
            memory = ((true.memory - ours.memory).abs() / (1 + true.memory.abs())).max()
            assert seam.found_state == pytest.approx(
                float(max((true.hidden - ours.hidden).abs().max(), memory)), rel=1e-4
            )
            told = [
                model.forward(inputs[:, place : place + 1], state).logits.log_softmax(-1) / NATS_PER_BIT
                for state in (true, ours)
            ]
            assert seam.found_bits == pytest.approx(float((told[0] - told[1]).abs().max()), rel=1e-3)
            assert (seam.address, seam.sign) in {(place, 1), (63 - place, -1)}
            assert seam.repaired == 0


def test_a_stretch_with_a_lead_is_read_as_within_its_contig(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"x": drawn_codes(7, 50), "a": drawn_codes(1, 4000)})
    model = model_of()
    within = stretches_of(genome, [("a", 1500, 1900, Part.TEST)])
    stream = StreamSettings(lanes=4, chunk=16, burn_in=160, least_burn_in=160)
    nats, _, seams = read_all(model, genome, within, stream, warmup=True)
    whole, _, _ = read_all(model, genome, stretches_of(genome, [("a", 0, 4000, Part.TEST)]), WHOLE)
    assert len(nats) == 2 * 400
    expected = {(0, 160 + at): whole[0, 1500 + at] for at in range(400)}
    expected |= {(1, 160 + at): whole[1, 4000 - 1900 + at] for at in range(400)}
    assert differences(nats, expected) < 1e-5
    assert len(seams.unchecked_starts) == 2
    assert max(seam.found_state for seam in seams.unchecked_starts) < 1e-5


@pytest.mark.parametrize("start", [0, 87, 88, 300])
def test_pieces_of_a_stretch_near_its_contigs_end_meet_where_chunks_end(genome_of, drawn_codes, stretches_of, start):
    genome, model = genome_of({"a": drawn_codes(1, 1500)}), model_of(forget_bias="1")
    stream = StreamSettings(lanes=4, chunk=8, burn_in=160, least_burn_in=160)
    nats, _, seams = read_all(model, genome, stretches_of(genome, [("a", start, 1213, Part.TEST)]), stream, warmup=True)
    whole, _, _ = read_all(model, genome, stretches_of(genome), WHOLE)
    warmup = min(start, 160)
    expected = {(0, warmup + at): whole[0, start + at] for at in range(1213 - start)}
    expected |= {(1, 160 + at): whole[1, 1500 - 1213 + at] for at in range(1213 - start)}
    assert seams.count > 0
    assert differences(nats, expected) < 1e-4


@pytest.mark.usefixtures("no_trial")
def test_a_lead_too_short_for_the_model_is_told(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 4000)})
    within = stretches_of(genome, [("a", 1500, 1900, Part.TEST), ("a", 100, 200, Part.TEST)])
    stream = StreamSettings(lanes=4, chunk=16, burn_in=160)
    _, _, seams = read_all(model_of(forget_bias="6"), genome, within, stream, warmup=True)
    # only the second stretch's forward strand begins near enough to its contig's end to be read from there
    assert len(seams.unchecked_starts) == 3
    assert seams.to_json()["lead_max_state"] > 0.01
    assert seams.to_json()["lead_max_bits"] > 0.001


def test_an_exact_stretch_is_read_from_the_end_of_its_contig(genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 900)})
    model = model_of(forget_bias="6")
    within = stretches_of(genome, [("a", 300, 500, Part.TEST)])
    nats, _, seams = read_all(model, genome, within, WHOLE, warmup=True)
    whole, _, _ = read_all(model, genome, stretches_of(genome), WHOLE)
    wanted = {
        (row, place): value for (row, place), value in whole.items() if (300, 400)[row] <= place < (500, 600)[row]
    }
    assert nats.keys() == wanted.keys()
    assert differences(nats, wanted) < 1e-6
    assert seams == Seams(tolerance=seams.tolerance)


@settings(max_examples=60)
@given(
    lengths=st.lists(st.integers(0, 5000), min_size=1, max_size=5),
    lanes=st.integers(1, 70),
    chunk=st.integers(1, 40),
    burn_in=st.integers(0, 200),
    warmup=st.integers(0, 100),
)
def test_pieces_tile_each_row_in_whole_chunks_with_their_burn_in_before(lengths, lanes, chunk, burn_in, warmup):
    stream = StreamSettings(lanes=lanes, chunk=chunk, burn_in=burn_in)
    column = torch.tensor(lengths)
    nothing = torch.zeros_like(column)
    leads = torch.full_like(column, warmup).minimum(column)
    pieces = pieces_of(Rows(nothing, nothing + 1, column, leads, nothing), stream)
    assert len(pieces) <= 4 * lanes + 2 * len(lengths)
    assert [piece.end - piece.first for piece in pieces] == sorted((p.end - p.first for p in pieces), reverse=True)
    for row, total in enumerate(lengths):
        mine = sorted((piece for piece in pieces if piece.row == row), key=lambda piece: piece.start)
        led = min(warmup, total)
        assert [place for piece in mine for place in range(piece.start, piece.end)] == list(range(led, total))
        for piece in mine:
            first = piece.start == led
            assert first or (piece.start - piece.first) % chunk == 0
            assert piece.first == (
                0 if first else piece.start - min(-(-burn_in // chunk), piece.start // chunk) * chunk
            )
            assert piece.followed == (piece.end < total)
            assert not piece.followed or (piece.end - piece.first) % chunk == 0
            assert piece.checked == (not first)


def test_pieces_are_no_shorter_than_their_burn_in():
    column = torch.tensor([6400, 6400])
    nothing = torch.zeros_like(column)
    stream = StreamSettings(lanes=64, chunk=16, burn_in=3200)
    pieces = pieces_of(Rows(nothing, nothing + 1, column, nothing, nothing), stream)
    assert min(piece.end - piece.start for piece in pieces) >= 3200, "more would be read before pieces than in them"


def test_short_contigs_are_read_once_in_steps_that_are_not_much_longer(genome_of, drawn_codes, stretches_of):
    lengths = [1, 2, 60, 64, 65, *[60] * 30]
    genome = genome_of({f"c{n}": drawn_codes(n, length) for n, length in enumerate(lengths)})
    stretches, model, said = stretches_of(genome), model_of(layers=2), []
    stream = StreamSettings(lanes=8, chunk=512, burn_in=16_384)
    reader = GenomeReader(model, genome, stream, on_progress=lambda *now: said.append(now))
    read = sum(block.targets.numel() for block in read_stretches(reader, stretches))
    assert read <= 2.2 * sum(2 * length for length in lengths), "512 a contig and strand would be 9 times as many"
    assert said[-1] == (1.0, 2 * sum(lengths)), "progress counts what stands in contigs, each base and strand once"
    fractions = [fraction for fraction, _ in said]
    assert all(later > earlier for earlier, later in pairwise(fractions))
    bits, known = mean_bits(reader, stretches)
    expected, expected_known = plain_bits(model, genome, stretches)
    assert known == expected_known
    assert bits == pytest.approx(expected, abs=1e-6)


def test_a_difference_of_memories_counts_whichever_is_larger():
    hidden, low, high = torch.zeros(1, 2, 1), torch.tensor([[[1.0], [3.0]]]), torch.tensor([[[3.0], [1.0]]])
    found = max_state_difference(State(hidden, low), State(hidden, high))
    torch.testing.assert_close(found, torch.tensor([2 / 4, 2 / 2]))


def test_no_stretch_gives_no_block(tiny_genome, stretches_of):
    nothing = stretches_of(tiny_genome).of(Part.TEST)
    assert list(read_stretches(GenomeReader(model_of(), tiny_genome, PIECES), nothing)) == []


@pytest.mark.slow
def test_memory_does_not_grow_with_the_contig(genome_of, drawn_codes, stretches_of):
    model, stream = model_of(), StreamSettings(lanes=4, chunk=64, burn_in=64)

    def held(length):
        genome = genome_of({"a": drawn_codes(1, length)})
        mapped = genome.all_codes.nbytes
        tensors, counts, blocks = [], [], 0
        tracemalloc.start()
        for block in read_stretches(GenomeReader(model, genome, stream), stretches_of(genome)):
            if blocks % 20 == 10:
                del block
                all_tensors = (item for item in gc.get_objects() if type(item) is torch.Tensor)
                storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in all_tensors}
                tensors.append(sum(size for size in storages.values() if size != mapped))
                counts.append(len(storages))
            blocks += 1
        traced = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return max(tensors), traced, blocks, max(counts)

    held(20_000)  # warm up
    short, long = held(20_000), held(200_000)
    assert long[2] > 9 * short[2]
    assert long[0] <= 1.05 * short[0]
    assert long[3] <= short[3] + 2 * stream.lanes  # states that wait for their neighbour are let go
    assert long[1] <= 1.3 * short[1] + 20_000


def test_a_model_in_training_mode_reads_the_same(tiny_genome, stretches_of):
    model, stretches = model_of(), stretches_of(tiny_genome)
    before = mean_bits(GenomeReader(model, tiny_genome, PIECES), stretches)
    assert mean_bits(GenomeReader(model.train(), tiny_genome, PIECES), stretches) == before
