"""A run saved, written, read and restored goes on to the same bits as the run that was never stopped."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from genolstm.lanes import Lanes
from genolstm.model import NextSymbolModel
from genolstm.settings.model import ModelSettings, TrainableCell
from genolstm.settings.reading import StreamSettings
from genolstm.settings.train import TrainSettings
from genolstm.store.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import mean_bits
from genolstm.training.loop import History, train
from genolstm.training.snapshots import restore, snapshot
from genolstm.training.steps import new_run

SETTINGS = TrainSettings(lanes=5, chunk=7, bases=9000, valid_looks=6, learning_rate=0.01)
BY_CLOCK = {"bases_per_second"}


@pytest.fixture(autouse=True)
def _few_records(monkeypatch):
    monkeypatch.setattr("genolstm.training.loop.RECORDS", 40)  # of some 260 steps: most stops cut one in two


class Training:
    """A run with its genome and logbook, as the command keeps them."""

    def __init__(self, genome, stretches, model, settings, *, look=None, history=None):
        self.genome, self.stretches, self.settings = genome, stretches, settings
        self.run = new_run(model, settings)
        self.history = history or History()
        self.look = look or self._measured

    def _measured(self):
        stream = StreamSettings(lanes=4, chunk=32, burn_in=32)
        return mean_bits(GenomeReader(self.run.model, self.genome, stream), self.stretches, symbols=300)[0]

    def go(self, until=None, until_looks=None):
        """Train to the end, or to a step, or until some looks were taken."""
        lanes = Lanes(
            self.genome,
            self.stretches,
            n_lanes=self.settings.lanes,
            chunk=self.settings.chunk,
            device=torch.device("cpu"),
        )
        for tick in train(self.run, lanes, self.look):
            self.history.add(tick)
            if tick.step == until or len(self.history.looks["bits"]) == until_looks:
                break
        return self

    def stopped_and_resumed(self, path, provenance, look=None):
        """Write the run to a file, and give the one that goes on from there."""
        run = self.run
        checkpoint = Checkpoint(
            model=run.model.settings,
            train=run.settings,
            weights=run.model.weight_arrays(),
            split=self.stretches,
            lengths=self.genome.lengths,
            genome_sha256=self.genome.sha256,
            history=self.history.records,
            looks=self.history.looks,
            resumable=snapshot(run),
        )
        write_checkpoint(path, checkpoint, provenance)
        saved = read_checkpoint(path)
        model = NextSymbolModel(saved.model, seed=99)  # every weight comes from the file
        model.load_weights(saved.weights)
        history = History(records=saved.history, looks=saved.looks)
        resumed = Training(self.genome, saved.split, model, saved.train, look=look, history=history)
        restore(resumed.run, saved.resumable)
        return resumed


def model_of(cell=TrainableCell.LSTM, layers=1):
    return NextSymbolModel(ModelSettings(cell=cell, hidden=6, layers=layers), seed=1)


def assert_same(one, other):
    for name, weight in one.run.model.weight_arrays().items():
        np.testing.assert_array_equal(weight, other.run.model.weight_arrays()[name], err_msg=name)
    for name, column in one.history.records.items():
        if name not in BY_CLOCK:
            assert column == other.history.records[name], name
    assert one.history.looks == other.history.looks
    for part, its_part in zip(one.run.state, other.run.state, strict=True):
        assert torch.equal(part, its_part)
    mine, theirs = (dataclasses.asdict(training.run.progress) for training in (one, other))
    by_clock = {"seconds", "record_seconds", "updates", "sums"}  # the last two are set when a run is saved
    assert {k: v for k, v in mine.items() if k not in by_clock} == {
        k: v for k, v in theirs.items() if k not in by_clock
    }


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", list(TrainableCell))
def test_a_stopped_and_resumed_training_gives_the_same_bits(
    tiny_genome, stretches_of, tmp_path, provenance, cell, layers
):
    stretches = stretches_of(tiny_genome)
    whole = Training(tiny_genome, stretches, model_of(cell, layers), SETTINGS).go()
    total = whole.run.progress.step
    assert len(whole.history.looks["bits"]) == 6
    resumed = Training(tiny_genome, stretches, model_of(cell, layers), SETTINGS)
    ends = set(whole.history.records["step"])
    stops = [next(step for step in range(first, total) if not {step, step - 1} & ends) for first in (20, 101, 200)]
    for number, stop in enumerate(stops):  # each in the middle of a record, and between looks
        resumed = resumed.go(until=stop).stopped_and_resumed(tmp_path / f"{number}.h5", provenance)
    assert_same(whole, resumed.go())


def test_stopping_at_every_single_step_changes_nothing(tiny_genome, stretches_of, tmp_path, provenance):
    settings = dataclasses.replace(SETTINGS, bases=700, valid_looks=3)
    stretches = stretches_of(tiny_genome)
    whole = Training(tiny_genome, stretches, model_of(), settings).go()
    resumed = Training(tiny_genome, stretches, model_of(), settings)
    for step in range(1, whole.run.progress.step + 1):
        resumed = resumed.go(until=step).stopped_and_resumed(tmp_path / "run.h5", provenance)
    assert_same(whole, resumed.go())


LOOKS = [1.9, 1.6, 1.7, 1.8, 1.5, 1.4]


@pytest.mark.parametrize("stop_after_looks", [1, 2, 3, 4])
def test_early_stop_survives_a_stop(tiny_genome, stretches_of, tmp_path, provenance, stop_after_looks):
    settings = dataclasses.replace(SETTINGS, early_stop=2)
    stretches = stretches_of(tiny_genome)
    whole = Training(tiny_genome, stretches, model_of(), settings, look=iter(LOOKS).__next__).go()
    assert whole.history.looks["bits"] == LOOKS[:4]
    looks = iter(LOOKS)
    cut = Training(tiny_genome, stretches, model_of(), settings, look=looks.__next__)
    cut.go(until_looks=stop_after_looks)
    resumed = cut.stopped_and_resumed(tmp_path / "run.h5", provenance, look=looks.__next__).go()
    assert resumed.history.looks == whole.history.looks
    assert resumed.run.progress.step == whole.run.progress.step
    for name, weight in whole.run.model.weight_arrays().items():
        np.testing.assert_array_equal(weight, resumed.run.model.weight_arrays()[name])


def test_what_was_saved_is_not_changed_by_going_on(tiny_genome, stretches_of):
    stretches = stretches_of(tiny_genome)
    first = Training(tiny_genome, stretches, model_of(), SETTINGS).go(until=50)
    saved, weights = snapshot(first.run), first.run.model.weight_arrays()
    before = copy.deepcopy(saved)
    first.go(until=60)
    second = Training(tiny_genome, stretches, model_of(), SETTINGS)
    second.run.model.load_weights(weights)
    restore(second.run, saved)
    second.go(until=60)
    for kind in ("first_moments", "second_moments"):
        for name, moment in getattr(before, kind).items():
            np.testing.assert_array_equal(getattr(saved, kind)[name], moment)
    np.testing.assert_array_equal(saved.hidden, before.hidden)
    np.testing.assert_array_equal(saved.memory, before.memory)
    for name, weight in first.run.model.weight_arrays().items():
        np.testing.assert_array_equal(weight, second.run.model.weight_arrays()[name])


def test_optimiser_goes_on_counting_the_updates_it_made(tiny_genome, stretches_of):
    training = Training(tiny_genome, stretches_of(tiny_genome), model_of(), SETTINGS).go(until=30)
    weight = training.run.model.head.weight
    # fp16 skips the update of a step that overflows: the optimiser's count then lags behind the steps
    for state in training.run.optimiser.state.values():
        state["step"] -= 4
    saved = snapshot(training.run)
    assert saved.progress["updates"] == 26
    assert saved.progress["step"] == 30
    resumed = Training(tiny_genome, stretches_of(tiny_genome), model_of(), SETTINGS)
    restore(resumed.run, saved)
    assert float(resumed.run.optimiser.state[resumed.run.model.head.weight]["step"]) == 26
    assert float(training.run.optimiser.state[weight]["step"]) == 26


def test_a_run_laid_down_before_its_first_step_can_be_taken_up(tiny_genome, stretches_of, tmp_path, provenance):
    stretches = stretches_of(tiny_genome)
    settings = dataclasses.replace(SETTINGS, bases=700)
    fresh = Training(tiny_genome, stretches, model_of(), settings)
    assert_same(
        Training(tiny_genome, stretches, model_of(), settings).go(),
        fresh.stopped_and_resumed(tmp_path / "run.h5", provenance).go(),
    )
