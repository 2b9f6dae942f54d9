"""Effects of alleles: equal to reading the mutated contig whole, whatever the batches, pieces and neighbours."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from genolstm.alphabet import DNA, decode, encode, reverse_complement
from genolstm.model import NATS_PER_BIT, NextSymbolModel
from genolstm.settings.model import ModelSettings, TrainableCell
from genolstm.settings.reading import VariantSettings
from genolstm.stream.seams import Seams
from genolstm.variants.effects import effects_of
from genolstm.variants.places import Alleles, neighbourhoods

WINDOW = 12
SMALL = VariantSettings(window=WINDOW, batch=7, lanes=4, chunk=8, burn_in=160)


def model_of(cell=TrainableCell.LSTM, *, layers=1, hidden=12, forget_bias="-2", device="cpu"):
    """A model that has opinions (its head is scaled up) and forgets as fast as its bias says."""
    model = NextSymbolModel(ModelSettings(cell=cell, layers=layers, hidden=hidden, forget_bias=forget_bias), seed=5)
    with torch.no_grad():
        model.head.weight.mul_(8)
    return model.to(device).eval()


def alleles_of(genome, rows):
    """Alleles from rows of (contig, start, end, letters)."""
    lengths = [len(letters) for *_, letters in rows]
    return Alleles(
        contig=np.array([genome.names.index(name) for name, *_ in rows], dtype=np.int64),
        start=np.array([start for _, start, _, _ in rows], dtype=np.int64),
        end=np.array([end for _, _, end, _ in rows], dtype=np.int64),
        letters=encode("".join(letters for *_, letters in rows), DNA),
        first=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )


@torch.no_grad()
def read_whole(model, codes):
    """log2 P of each symbol (0 where N) and the hidden states of all layers after each, read by one lane in one go."""
    device = next(model.parameters()).device
    inputs = torch.from_numpy(np.concatenate([[DNA.unknown], codes]).astype(np.int64))[None].to(device)
    reading = model.forward(inputs, model.initial_state(1))
    log = reading.logits[0, :-1].log_softmax(-1).double().cpu().numpy() / NATS_PER_BIT
    known = codes != DNA.unknown
    bits = np.where(known, log[np.arange(len(codes)), np.where(known, codes, 0)], 0)
    return bits, torch.cat([layer[0] for layer in reading.layers], dim=1).double().cpu().numpy()


def one_strand(model, codes, start, end, letters, window):
    """The definition, word by word, on the strand that `codes` is."""
    mutated = np.concatenate([codes[:start], letters, codes[end:]])
    flank = min(window, len(codes) - end)
    (ref, ref_states), (alt, alt_states) = read_whole(model, codes), read_whole(model, mutated)
    until = start + len(letters) + flank
    # states[i] : after i symbols
    shift = np.linalg.norm(alt_states[until] - ref_states[end + flank])
    return alt[start:until].sum() - ref[start : end + flank].sum(), shift


def both_strands(model, codes, start, end, letters, window=WINDOW):
    letters = encode(letters, DNA)
    forward = one_strand(model, codes, start, end, letters, window)
    size = len(codes)
    reverse = one_strand(
        model, reverse_complement(codes), size - end, size - start, reverse_complement(letters), window
    )
    return np.array([forward, reverse]).T  # [log ratio | shift, strand]


def other(letter):
    return {"A": "C", "C": "G", "G": "T", "T": "A", "N": "A"}[letter]


def planted(codes, contig):
    """SNV, insertion, deletion and MNV at the start, in the middle and at the end of a contig."""
    text, size = decode(codes, DNA), len(codes)
    rows = []
    for at in (0, 1, size // 2, size - 2, size - 1):
        rows.append((contig, at, at + 1, other(text[at])))
        rows.append((contig, at, at, "GATTACA"))
        rows.append((contig, at, min(at + 5, size), ""))
        rows.append((contig, at, min(at + 3, size), "".join(map(other, text[at : at + 3]))))
    return [*rows, (contig, size, size, "C"), (contig, size - 5, size, "GG"), (contig, 0, size // 2, "TTTTTTTTTTT")]


def check(model, genome, rows, settings, tolerance, *, seams=None):
    found = effects_of(model, genome, alleles_of(genome, rows), settings, seams=seams)
    for place, (contig, start, end, letters) in enumerate(rows):
        first = int(genome.starts[genome.names.index(contig)])
        codes = np.array(genome.all_codes[first : first + genome.length_of[contig]])
        ratio, shift = both_strands(model, codes, start, end, letters, settings.window)
        np.testing.assert_allclose(found.log_ratio[place], ratio, rtol=0, atol=tolerance, err_msg=str(rows[place]))
        np.testing.assert_allclose(found.shift[place], shift, rtol=0, atol=tolerance, err_msg=str(rows[place]))
    return found


def contig_codes(genome, name):
    first = int(genome.starts[genome.names.index(name)])
    return np.array(genome.all_codes[first : first + genome.length_of[name]])


@pytest.mark.parametrize(
    ("cell", "layers"),
    [
        (TrainableCell.LSTM, 1), (TrainableCell.LSTM, 2), (TrainableCell.GRU, 2), (TrainableCell.RNN, 1),
        (TrainableCell.TIED, 2),
    ],
)  # fmt: skip
def test_effects_equal_those_of_mutated_contigs_read_whole(device, genome_of, drawn_codes, cell, layers):
    genome = genome_of({"a": drawn_codes(1, 150), "b": drawn_codes(2, 31, unknown=0.1), "c": drawn_codes(3, 70)})
    rows = [row for name in ("c", "a", "b") for row in planted(contig_codes(genome, name), name)]
    check(model_of(cell, layers=layers, device=device), genome, rows, SMALL, 1e-4 if device.type == "cpu" else 1e-2)


@pytest.mark.parametrize("cell", list(TrainableCell))
def test_in_double_precision_they_are_equal_to_nine_digits(genome_of, drawn_codes, cell):
    genome = genome_of({"a": drawn_codes(4, 90), "b": drawn_codes(5, 37)})
    rows = [row for name in ("b", "a") for row in planted(contig_codes(genome, name), name)]
    model = model_of(cell, layers=2).double()
    check(model, genome, rows, VariantSettings(window=WINDOW, batch=50, chunk=16, exact=True), 1e-9)
    check(model, genome, rows, VariantSettings(window=0, batch=3, chunk=3, exact=True), 1e-9)


def test_a_variant_far_inside_a_contig_is_read_from_a_lead_that_tells_how_good_it_is(genome_of, drawn_codes):
    genome = genome_of({"a": drawn_codes(1, 5000)})
    rows = [("a", 2500, 2501, "" if at else "GG") for at in range(2)]
    seams = Seams()
    check(model_of(), genome, rows, SMALL, 1e-4, seams=seams)
    assert len(seams.unchecked_starts) == 2  # one a strand
    assert seams.to_json()["lead_max_state"] < 1e-5
    stretches = neighbourhoods(alleles_of(genome, rows), genome, WINDOW, SMALL.stream)
    assert 2500 - WINDOW - 1 - SMALL.chunk < stretches.start[0] <= 2500 - WINDOW - 1
    assert 2501 + WINDOW + 1 <= stretches.end[0] < 2501 + WINDOW + 1 + SMALL.chunk


def test_a_model_that_does_not_forget_is_read_from_the_ends_of_contigs(genome_of, drawn_codes):
    genome = genome_of({"a": drawn_codes(1, 1200), "b": drawn_codes(2, 700)})
    rows = [("a", 900, 901, "TT"), ("a", 300, 302, ""), ("b", 400, 400, "A"), ("a", 600, 600, "C")]
    seams = Seams()
    settings = VariantSettings(window=WINDOW, chunk=8, burn_in=16)
    check(model_of(forget_bias="9"), genome, rows, settings, 1e-4, seams=seams)
    assert seams.in_sequence
    assert not seams.unchecked_starts
    symbols = []
    fresh = Seams()
    effects_of(
        model_of(forget_bias="9"), genome, alleles_of(genome, rows), settings, seams=fresh,
        told=lambda _, read: symbols.append(read),
    )  # fmt: skip
    assert symbols[-1] < 2 * (1200 + 700)  # each contig once, not once for each variant on it


def test_what_a_repair_reads_again_is_what_counts(genome_of, drawn_codes, monkeypatch):
    genome = genome_of({"a": drawn_codes(1, 900)})
    text = decode(contig_codes(genome, "a"), DNA)
    rows = [("a", at, at + 1, other(text[at])) for at in range(5, 890, 40)]
    seams = Seams()
    monkeypatch.setattr("genolstm.stream.reading.forgets", lambda *_: True)  # else this model is read exactly
    settings = VariantSettings(window=WINDOW, batch=5, lanes=4, chunk=16, burn_in=16)
    check(model_of(forget_bias="6"), genome, rows, settings, 1e-4, seams=seams)
    assert seams.repaired >= 2


def test_long_alleles_are_read_in_parts(genome_of, drawn_codes):
    genome = genome_of({"a": drawn_codes(1, 1500)})
    inserted = decode(drawn_codes(9, 700), DNA)
    rows = [("a", 400, 400, inserted), ("a", 100, 1200, ""), ("a", 300, 301, "AC"), ("a", 900, 1500, inserted)]
    check(model_of(), genome, rows, SMALL, 1e-3)


def test_unknown_bases_beside_a_variant_add_nothing(genome_of):
    genome = genome_of({"a": "ACGTACGTTGCA" + "N" * 40 + "TTGACATGCAAC"})
    found = check(model_of(), genome, [("a", 10, 11, "G"), ("a", 52, 53, "C")], SMALL, 1e-4)
    assert np.isfinite(found.log_ratio).all()


@examples(max_examples=25)
@given(
    seed=st.integers(0, 99),
    batch=st.integers(1, 40),
    lanes=st.integers(1, 9),
    chunk=st.integers(1, 40),
    burn_in=st.integers(200, 400),
    order=st.randoms(use_true_random=False),
)
def test_effects_do_not_depend_on_batches_lanes_chunks_order_or_neighbours(
    genome_of, drawn_codes, seed, batch, lanes, chunk, burn_in, order
):
    genome = genome_of({"a": drawn_codes(seed, 400, unknown=0.02), "b": drawn_codes(seed + 1, 60)})
    rows = planted(contig_codes(genome, "a"), "a") + planted(contig_codes(genome, "b"), "b")
    exact = effects_of(model_of(), genome, alleles_of(genome, rows), VariantSettings(window=WINDOW, exact=True))
    chosen = order.sample(range(len(rows)), order.randint(1, len(rows)))
    settings = VariantSettings(window=WINDOW, batch=batch, lanes=lanes, chunk=chunk, burn_in=burn_in)
    found = effects_of(model_of(), genome, alleles_of(genome, [rows[at] for at in chosen]), settings)
    np.testing.assert_allclose(found.log_ratio, exact.log_ratio[chosen], rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.shift, exact.shift[chosen], rtol=0, atol=1e-4)


def test_an_allele_equal_to_the_reference_changes_nothing(genome_of, drawn_codes):
    genome = genome_of({"a": drawn_codes(1, 200)})
    text = decode(contig_codes(genome, "a"), DNA)
    found = effects_of(model_of(), genome, alleles_of(genome, [("a", 50, 60, text[50:60])]), SMALL)
    assert np.abs(found.log_ratio).max() < 1e-5
    assert found.shift.max() < 1e-5


def test_reverse_strand_of_a_genome_is_the_forward_strand_of_its_complement(genome_of, drawn_codes):
    codes = drawn_codes(1, 200)
    genome, mirrored = genome_of({"a": codes}), genome_of({"a": reverse_complement(codes)})
    rows = planted(codes, "a")
    turned = [("a", 200 - e, 200 - s, decode(reverse_complement(encode(x, DNA)), DNA)) for _, s, e, x in rows]
    one, two = (effects_of(model_of(), g, alleles_of(g, r), SMALL) for g, r in ((genome, rows), (mirrored, turned)))
    np.testing.assert_allclose(one.log_ratio, two.log_ratio[:, ::-1], rtol=0, atol=1e-4)
    np.testing.assert_allclose(one.shift, two.shift[:, ::-1], rtol=0, atol=1e-4)


def test_progress_is_told(genome_of, drawn_codes):
    genome, told = genome_of({"a": drawn_codes(1, 300)}), []
    effects_of(model_of(), genome, alleles_of(genome, [("a", 50, 51, "A")]), SMALL, told=lambda *at: told.append(at))
    assert told == sorted(told)
    assert 0 < told[0][0] <= told[-1][0] <= 1
