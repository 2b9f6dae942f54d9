"""Dependencies: equal to reading every mutated contig whole, whatever the pieces and batches."""

import dataclasses

import numpy as np
import pytest
import torch

from genolstm.alphabet import DNA, reverse_complement
from genolstm.explaining.substitutions import dependencies_along, log2_odds
from genolstm.model import NextSymbolModel
from genolstm.regions import Part
from genolstm.settings.explaining import DependencySettings
from genolstm.settings.model import ModelSettings
from genolstm.stream.reader import GenomeReader

SETTINGS = DependencySettings(window=40, tolerance=0, batch=50, lanes=3, burn_in=320)


class Kept:
    """Dependencies by strand and place."""

    def __init__(self):
        self.found = {}

    def write(self, strand, address, values):
        self.found |= {(strand, place): row for place, row in zip(address.tolist(), values, strict=True)}


@pytest.fixture(scope="module", params=[("lstm", 1), ("lstm", 2), ("gru", 1), ("tied", 1)], ids=str)
def model(request):
    cell, layers = request.param
    model = NextSymbolModel(ModelSettings(cell=cell, hidden=10, layers=layers, forget_bias="-1"), seed=5)
    with torch.no_grad():
        model.head.weight.mul_(6)
    return model.eval()


def measured(model, genome, stretches, settings=SETTINGS, chosen=None):
    kept = Kept()
    reader = GenomeReader(model, genome, settings.stream)
    return kept.found, dependencies_along(reader, stretches, settings, kept, chosen=chosen)


@torch.no_grad()
def odds_along(model, codes):
    """log2 odds of every base at every place, by one lane over the whole sequence."""
    inputs = torch.from_numpy(np.concatenate([[DNA.unknown], codes[:-1]]).astype(np.int64))[None]
    p = model.forward(inputs, model.initial_state(1)).logits[0].double().softmax(-1)
    return torch.log2(p / (1 - p)).numpy()


def brute_force(model, codes, place, window):
    """The definition, word by word, in reading direction."""
    codes = codes[: place + 1 + window]
    plain, largest = odds_along(model, codes), np.zeros(window)
    for letter in {0, 1, 2, 3} - {int(codes[place])}:
        changed = codes.copy()
        changed[place] = letter
        moved = np.abs(odds_along(model, changed) - plain).max(axis=1)[place + 1 : place + 1 + window]
        largest[: len(moved)] = np.maximum(largest[: len(moved)], moved)
    largest[len(codes) - place - 1 :] = np.nan
    return largest


def test_map_equals_reading_every_mutated_contig_whole(tiny_genome, stretches_of, model):
    rows = [("I", 1480, 1500, Part.TEST), ("III", 380, 411, Part.TEST), ("MT", 0, 64, Part.TEST)]
    found, readings = measured(model, tiny_genome, stretches_of(tiny_genome, rows))
    compared = 0
    for name, start, end, _ in rows:
        first = int(tiny_genome.starts[tiny_genome.names.index(name)])
        codes = tiny_genome.all_codes[first : first + tiny_genome.length_of[name]]
        for place in range(start, end, 3):
            if codes[place] == DNA.unknown:
                assert (0, first + place) not in found
                continue
            expected = brute_force(model, codes, place, SETTINGS.window)
            np.testing.assert_allclose(found[0, first + place], expected, atol=1e-5)
            other = brute_force(model, reverse_complement(codes), len(codes) - 1 - place, SETTINGS.window)
            np.testing.assert_allclose(found[1, first + place], other, atol=1e-5)
            compared += 1
    assert compared > 30
    assert readings.ended_early == readings.symbols_saved == 0
    assert readings.read == 3 * len(found)


def test_readings_that_end_early_are_counted_and_change_little(tiny_genome, stretches_of, model):
    stretches = stretches_of(tiny_genome, [("I", 1400, 1440, Part.TEST)])
    whole, _ = measured(model, tiny_genome, stretches, dataclasses.replace(SETTINGS, window=128))
    ending = dataclasses.replace(SETTINGS, window=128, tolerance=1e-4)
    found, readings = measured(model, tiny_genome, stretches, ending)
    assert readings.ended_early > 0
    assert readings.symbols_saved >= readings.ended_early
    for key, values in whole.items():
        np.testing.assert_allclose(found[key], values, atol=0.02)
    assert any((found[key] != values).any() for key, values in whole.items())


def test_only_chosen_bases_are_changed(tiny_genome, stretches_of, model):
    stretches = stretches_of(tiny_genome, [("I", 1400, 1440, Part.TEST), ("III", 100, 130, Part.TEST)])
    everything, _ = measured(model, tiny_genome, stretches)
    chosen = np.zeros((2, 70), dtype=bool)
    chosen[0, [3, 45]], chosen[1, 69] = True, True
    found, _ = measured(model, tiny_genome, stretches, chosen=chosen)
    first = {name: int(tiny_genome.starts[tiny_genome.names.index(name)]) for name in ("I", "III")}
    wanted = {(0, first["I"] + 1403), (0, first["III"] + 105), (1, first["III"] + 129)}
    assert set(found) == wanted & set(everything)
    for key, values in found.items():
        np.testing.assert_allclose(values, everything[key], atol=1e-5)


def test_log_odds_of_near_certainty_are_finite_and_exact():
    logits = torch.tensor([[12.0, 0.0, 0.0, 0.0]])
    p = logits.double().softmax(-1)
    np.testing.assert_allclose(log2_odds(logits).numpy(), torch.log2(p / (1 - p)).numpy(), rtol=2e-3)
