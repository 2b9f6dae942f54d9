"""Samples: drawn from what the model predicts, each from its own numbers, and what they are held against."""

import dataclasses

import numpy as np
import pytest
import torch

from genolstm.alphabet import DNA, encode, reverse_complement
from genolstm.errors import UsageError
from genolstm.explaining.sample_check import check_samples, jensen_shannon, longest_orf, repeated
from genolstm.explaining.sampling import sample, sample_markov
from genolstm.markov import fit_markov, next_symbol_probabilities, next_symbols
from genolstm.model import NATS_PER_BIT, NextSymbolModel
from genolstm.regions import Part
from genolstm.seen import Seen
from genolstm.settings.explaining import SampleSettings
from genolstm.settings.model import ModelSettings

SETTINGS = SampleSettings(number=5, length=40)


@pytest.fixture(scope="module")
def model():
    model = NextSymbolModel(ModelSettings(hidden=12, forget_bias="-1"), seed=5)
    with torch.no_grad():
        model.head.weight.mul_(8)
    return model.eval()


@torch.no_grad()
def log2_of(model, codes, prompt=()):
    """log2 P of every symbol at each place of one sequence, read in one go after a prompt; [length, symbols]."""
    inputs = np.concatenate([[DNA.unknown], prompt, codes[:-1]]).astype(np.int64)
    logits = model.forward(torch.from_numpy(inputs)[None], model.initial_state(1)).logits[0]
    return (logits.double().log_softmax(-1) / NATS_PER_BIT).numpy()[len(prompt) :]


def test_bits_and_entropy_are_those_of_reading_the_samples(model):
    prompt = encode("ACGTTGCA", DNA)
    found = sample(model, SETTINGS, prompt=prompt)
    read = np.stack([log2_of(model, codes, prompt) for codes in found.codes])
    chosen = np.take_along_axis(read, found.codes[:, :, None].astype(int), axis=2)
    assert found.bits == pytest.approx(-chosen.mean(), abs=1e-5)
    assert found.entropy == pytest.approx(-(np.exp2(read) * read).sum(axis=2).mean(), abs=1e-5)


def test_many_samples_need_as_many_bits_as_the_entropy(model):
    found = sample(model, SampleSettings(number=400, length=200))
    assert abs(found.bits - found.entropy) < 0.02
    assert found.entropy < 1.9


def test_batches_change_no_sample_and_seeds_change_all(model):
    whole = sample(model, SETTINGS).codes
    np.testing.assert_array_equal(sample(model, dataclasses.replace(SETTINGS, batch=2)).codes, whole)
    other = sample(model, dataclasses.replace(SETTINGS, seed=2)).codes
    assert all((one != another).any() for one, another in zip(whole, other, strict=True))
    assert len({row.tobytes() for row in whole}) == 5


def test_temperature_zero_takes_the_likeliest(model):
    found = sample(model, dataclasses.replace(SETTINGS, temperature=0, number=2))
    assert (found.codes[0] == found.codes[1]).all()
    np.testing.assert_array_equal(found.codes[0], log2_of(model, found.codes[0]).argmax(axis=1))


def test_temperature_orders_the_bits(model):
    bits = [sample(model, dataclasses.replace(SETTINGS, temperature=t, number=100)).bits for t in (0, 0.5, 1.0, 2.0)]
    assert bits == sorted(bits)


def test_a_prompt_decides_what_follows(model):
    settings = dataclasses.replace(SETTINGS, temperature=0, number=1)
    plain, other = (sample(model, settings, prompt=encode(text, DNA)).codes[0] for text in ("AAAAAAAA", "GGCGGCGG"))
    assert (plain != other).any()


def test_drawn_frequencies_are_the_predicted_ones(model):
    found = sample(model, SampleSettings(number=4000, length=1))
    expected = np.exp2(log2_of(model, np.zeros(1, np.uint8))[0])
    np.testing.assert_allclose(np.bincount(found.codes[:, 0], minlength=4) / 4000, expected, atol=0.03)


def test_negative_temperature_is_refused():
    with pytest.raises(UsageError, match="temperature must be at least 0, not -1"):
        SampleSettings(temperature=-1)


def test_markov_opinions_of_many_contexts_are_those_of_each(drawn_codes):
    markov = fit_markov([drawn_codes(1, 6000)], DNA)
    for length in (0, 1, 5, 12, 20):
        contexts = drawn_codes(length + 2, 4 * length).reshape(4, length)
        found = next_symbols(markov, contexts)
        for row, context in zip(found, contexts, strict=True):
            np.testing.assert_allclose(row, next_symbol_probabilities(markov, context), rtol=1e-12)
    drawn = sample_markov(markov, SampleSettings(number=3, length=30))
    assert drawn.shape == (3, 30)
    assert len({row.tobytes() for row in drawn}) == 3


def test_divergence_of_known_distributions():
    assert jensen_shannon(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0
    assert jensen_shannon(np.array([1.0, 0]), np.array([0, 1.0])) == pytest.approx(1)


def test_longest_reading_frame_is_found_on_either_strand():
    frame = encode("CC" + "ATG" + "GCA" * 7 + "TAA" + "C", DNA)
    assert longest_orf(frame) == longest_orf(reverse_complement(frame)) == 8
    assert longest_orf(encode("CCATGGCAGCAGC", DNA)) == 0


def test_repeats_are_what_stood_before():
    assert repeated(encode("A" * 30, DNA)) == pytest.approx(18 / 19)
    codes = np.random.default_rng(1).integers(0, 4, 400).astype(np.uint8)
    assert repeated(codes) == 0
    assert repeated(np.concatenate([codes, codes])) == pytest.approx(389 / 789)


@pytest.fixture(scope="module")
def seen(tiny_genome, stretches_of):
    rows = [("I", 0, 2000, Part.TRAIN), ("I", 2000, 3000, Part.TEST)]
    recognised = np.ones(5, dtype=bool)
    return Seen(split=stretches_of(tiny_genome, rows), complete=True, recognised=recognised, near={})


def test_samples_that_stand_in_training_sequence_are_named(genome_of, stretches_of, drawn_codes):
    genome = genome_of({"I": drawn_codes(8, 5000)})
    split = stretches_of(genome, [("I", 0, 3000, Part.TRAIN), ("I", 3000, 5000, Part.TEST)])
    seen = Seen(split=split, complete=True, recognised=np.ones(1, dtype=bool), near={})
    copied = reverse_complement(genome.all_codes[1000:1120])
    held = genome.all_codes[3500:3620]
    part = np.concatenate([genome.all_codes[200:260], drawn_codes(9, 60)])
    found = check_samples(np.stack([held, copied, part]), genome, seen, SampleSettings(number=3, length=120))
    assert found.nearly_whole == ((1, 1.0),)
    assert [row.name for row in found.sets] == ["samples", "markov", "held_out", "held_out_again"]
    assert found.sets[2].divergence == (0,) * 6
    assert found.sets[3].divergence[5] > found.sets[3].divergence[0] > 0
    whole = check_samples(np.stack([held] * 3), genome, dataclasses.replace(seen, complete=False),
                          SampleSettings(number=3, length=120))  # fmt: skip
    assert whole.nearly_whole is None
    assert whole.markov_from == "the same sequence"
