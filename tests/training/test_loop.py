"""The course of a training: records and looks in their places, the early stop, and what is learned."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from genolstm.lanes import Lanes
from genolstm.model import NATS_PER_BIT, NextSymbolModel
from genolstm.regions import Part
from genolstm.settings.model import ModelSettings, TrainableCell
from genolstm.settings.reading import StreamSettings
from genolstm.settings.train import TrainSettings
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import mean_bits
from genolstm.training.loop import RECORDS, History, train
from genolstm.training.steps import new_run, steps

CPU = torch.device("cpu")
STREAM = StreamSettings(lanes=16, chunk=64, burn_in=128)


def course_of(genome, stretches, *, cell=TrainableCell.LSTM, hidden=8, device=CPU, **changes):
    settings = TrainSettings(**{"lanes": 4, "chunk": 8, "bases": 4000, **changes})
    model = NextSymbolModel(ModelSettings(cell=cell, hidden=hidden), seed=1).to(device)
    lanes = Lanes(genome, stretches, n_lanes=settings.lanes, chunk=settings.chunk, device=device)
    return new_run(model, settings), lanes


def scripted_look(bits):
    """A look that finds given bits, one after another."""
    values = iter(bits)
    return lambda: next(values)


def test_records_cover_all_steps_once(tiny_genome, stretches_of):
    run, lanes = course_of(tiny_genome, stretches_of(tiny_genome), bases=14_000)
    ticks = list(train(run, lanes, None))
    records = [tick.record for tick in ticks if tick.record]
    assert RECORDS / 2 < len(records) <= RECORDS
    assert [tick.step for tick in ticks] == list(range(1, len(ticks) + 1))
    assert records[-1].step == len(ticks)
    assert records[-1].bases == run.progress.bases
    # bits x known symbols of all records are the nats of all steps
    total = 0.0
    for before, after in pairwise([None, *records]):
        first = before.step if before else 0
        assert after.step > first
        known = sum(int((lanes.batch(step).codes[:, 1:] != 4).sum()) for step in range(first, after.step))
        total += after.bits * known * NATS_PER_BIT
    assert total > 0
    assert run.sums.tolist() == [0, 0, 0]  # nothing was left over
    unrecorded, lanes = course_of(tiny_genome, stretches_of(tiny_genome), bases=14_000)
    assert len(list(steps(unrecorded, lanes))) == len(ticks)
    assert total == pytest.approx(float(unrecorded.sums[0]), rel=1e-9)


def test_looks_are_evenly_spaced_and_the_last_is_at_the_end(tiny_genome, stretches_of):
    run, lanes = course_of(tiny_genome, stretches_of(tiny_genome), bases=5000, valid_looks=5)
    looks = [tick.validation for tick in train(run, lanes, scripted_look([5, 4, 3, 2, 1])) if tick.validation]
    assert [look.bits for look in looks] == [5, 4, 3, 2, 1]
    for number, look in enumerate(looks, start=1):
        assert 0 <= look.bases - number * 1000 < 4 * 8 + 1
    assert looks[-1].bases == run.progress.bases


def test_without_a_validation_part_there_are_no_looks(tiny_genome, stretches_of):
    run, lanes = course_of(tiny_genome, stretches_of(tiny_genome), early_stop=1)
    assert not any(tick.validation for tick in train(run, lanes, None))
    assert run.progress.bases >= 4000


def test_early_stop_stops_and_brings_back_the_best_weights(tiny_genome, stretches_of):
    run, lanes = course_of(tiny_genome, stretches_of(tiny_genome), bases=20_000, valid_looks=10, early_stop=3)
    at_look, looks = [], []
    for tick in train(run, lanes, scripted_look([1.9, 2.0, 1.7, 1.8, 1.75, 1.7, 1.0, 1.0])):
        if tick.validation:
            looks.append(tick.validation.bits)
            at_look.append(run.model.weight_arrays())
    assert looks == [1.9, 2.0, 1.7, 1.8, 1.75, 1.7]  # three in a row that are not better than 1.7
    assert run.progress.bases < 0.7 * 20_000
    for name, weight in run.model.weight_arrays().items():
        np.testing.assert_array_equal(weight, at_look[2][name])
        assert not np.array_equal(weight, at_look[-1][name])


def test_without_early_stop_the_last_weights_stay(tiny_genome, stretches_of):
    run, lanes = course_of(tiny_genome, stretches_of(tiny_genome), valid_looks=4)
    for tick in train(run, lanes, scripted_look([1, 2, 3, 4])):
        if tick.validation:
            last = run.model.weight_arrays()
    assert tick.validation.bits == 4
    assert run.best == {}
    for name, weight in run.model.weight_arrays().items():
        np.testing.assert_array_equal(weight, last[name])


def test_a_look_changes_nothing_in_training(tiny_genome, stretches_of):
    weights = []
    for looks in (1, 7):
        run, lanes = course_of(tiny_genome, stretches_of(tiny_genome), valid_looks=looks)

        def look(run=run):
            run.model.eval()
            return mean_bits(GenomeReader(run.model, tiny_genome, STREAM), stretches_of(tiny_genome), symbols=500)[0]

        for _ in train(run, lanes, look):
            assert run.model.training
        weights.append(run.model.weight_arrays())
    for name, weight in weights[0].items():
        np.testing.assert_array_equal(weight, weights[1][name])


def test_logbook_keeps_columns_and_the_mean_of_the_last_twentieth(tiny_genome, stretches_of):
    run, lanes = course_of(tiny_genome, stretches_of(tiny_genome), valid_looks=3)
    history = History()
    assert math.isnan(history.last_bits)
    ticks = list(train(run, lanes, scripted_look([3, 2, 1])))
    for tick in ticks:
        history.add(tick)
    records = [tick.record for tick in ticks if tick.record]
    assert history.records["step"] == [entry.step for entry in records]
    assert history.records["learning_rate"] == [entry.learning_rate for entry in records]
    assert history.looks["bits"] == [3, 2, 1]
    tail = [entry.bits for entry in records][-(len(records) // 20) :]
    assert history.last_bits == pytest.approx(sum(tail) / len(tail))
    assert len({len(column) for column in history.records.values()}) == 1


def test_one_seed_trains_to_the_same_bits(tiny_genome, stretches_of):
    arrays = []
    for _ in range(2):
        run, lanes = course_of(tiny_genome, stretches_of(tiny_genome))
        list(train(run, lanes, None))
        arrays.append(run.model.weight_arrays())
    for name, weight in arrays[0].items():
        np.testing.assert_array_equal(weight, arrays[1][name])


@pytest.mark.parametrize("cell", list(TrainableCell))
def test_a_repeated_motif_is_learned(device, genome_of, stretches_of, cell):
    computes = device.type == "cpu" or torch.version.cuda  # a pretended GPU does as the CPU, at a tenth of its speed
    motif = "ACGGTTCA"
    genome = genome_of({"train": motif * 150, "test": motif * 20})
    rows = [("train", 0, 1200, Part.TRAIN), ("test", 0, 160, Part.TEST)]
    stretches = stretches_of(genome, rows)
    run, lanes = course_of(
        genome, stretches.of(Part.TRAIN), cell=cell, hidden=16, device=device,
        lanes=8, chunk=32, bases=60_000 if computes else 2_000, learning_rate=0.02,
    )  # fmt: skip
    for _ in train(run, lanes, None):
        pass
    bits = mean_bits(GenomeReader(run.model, genome, STREAM), stretches.of(Part.TEST))[0]
    assert bits < (0.3 if computes else 2)


@pytest.mark.slow
def test_uniform_random_dna_scores_two_bits_per_base(device, genome_of, drawn_codes, stretches_of):
    genome = genome_of({"train": drawn_codes(1, 400_000), "test": drawn_codes(2, 100_000)})
    rows = [("train", 0, 400_000, Part.TRAIN), ("test", 0, 100_000, Part.TEST)]
    stretches = stretches_of(genome, rows)
    run, lanes = course_of(
        genome,
        stretches.of(Part.TRAIN),
        hidden=16,
        device=device,
        lanes=64,
        chunk=64,
        bases=1_500_000,
        learning_rate=1e-3,
    )
    for _ in train(run, lanes, None):
        pass
    assert mean_bits(GenomeReader(run.model, genome, STREAM), stretches.of(Part.TEST))[0] == pytest.approx(
        2.000, abs=0.005
    )
