"""Auxiliary heads: the loss by hand, what they leave alone, and how they stop and go on."""

import dataclasses

import numpy as np
import pytest
import torch

from genolstm.alphabet import PROTEIN
from genolstm.errors import UsageError
from genolstm.lanes import batches_of
from genolstm.model import NATS_PER_BIT, NextSymbolModel
from genolstm.polypeptide import mean_hydropathy, net_charge
from genolstm.regions import Part
from genolstm.settings.model import ModelSettings
from genolstm.settings.train import AuxiliaryTask, TrainSettings
from genolstm.store.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from genolstm.training.loop import History, train
from genolstm.training.multitask import auxiliary_of
from genolstm.training.snapshots import restore, snapshot
from genolstm.training.steps import new_run

BOTH = tuple(AuxiliaryTask)
SETTINGS = TrainSettings(lanes=3, chunk=16, bases=4000, learning_rate=0.01, valid_looks=3, multitask=BOTH)


@pytest.fixture(scope="module")
def proteome(genome_of, drawn_codes):
    """Twelve proteins of 30 to 200 residues, one in twenty unknown; one begins with two of them."""
    chains = {f"p{i}": drawn_codes(i, 30 + 15 * i, unknown=0.05, alphabet=PROTEIN) for i in range(12)}
    chains["p3"][:2] = PROTEIN.unknown
    return genome_of(chains, PROTEIN)


class Training:
    def __init__(self, genome, stretches, settings, *, saved=None, seed=1, look=None):
        model = NextSymbolModel(ModelSettings(alphabet="protein", hidden=6), seed=seed)
        kept = saved.auxiliary if saved else None
        if saved:
            model.load_weights(saved.weights)
        self.genome, self.stretches, self.settings, self.look = genome, stretches, settings, look
        self.run = new_run(model, settings, auxiliary_of(genome, stretches, settings.multitask, model, saved=kept))
        self.history = History(records=saved.history, looks=saved.looks) if saved else History()
        if saved:
            restore(self.run, saved.resumable)
            self.history.errors += [tuple(row) for row in kept.errors.tolist()]

    def go(self, until=None):
        lanes = batches_of(
            self.genome, self.stretches, n_lanes=self.settings.lanes, chunk=self.settings.chunk,
            device=torch.device("cpu"), seed=self.settings.seed,
        )  # fmt: skip
        for tick in train(self.run, lanes, self.look):
            self.history.add(tick)
            if tick.step == until:
                break
        return self

    def stopped_and_resumed(self, path, provenance):
        run = self.run
        checkpoint = Checkpoint(
            model=run.model.settings, train=run.settings, weights=run.model.weight_arrays(), split=self.stretches,
            lengths=self.genome.lengths, genome_sha256=self.genome.sha256, history=self.history.records,
            looks=self.history.looks, resumable=snapshot(run), auxiliary=run.auxiliary.kept(self.history.errors_of(2)),
        )  # fmt: skip
        write_checkpoint(path, checkpoint, provenance)
        saved = read_checkpoint(path)
        return Training(self.genome, saved.split, saved.train, saved=saved, seed=99, look=self.look)


def assert_same_weights(one, other, *, heads=True):
    mine, theirs = one.run.weight_arrays(), other.run.weight_arrays()
    for name, weight in mine.items():
        if heads or not name.startswith("auxiliary."):
            np.testing.assert_array_equal(weight, theirs[name], err_msg=name, strict=True)


def test_targets_are_the_running_charge_and_hydropathy_standardised_over_the_training_part(proteome, stretches_of):
    rows = [(name, 0, length, Part.TRAIN) for name, length in proteome.length_of.items() if name != "p5"]
    training = stretches_of(proteome, rows)
    auxiliary = auxiliary_of(proteome, training, BOTH, NextSymbolModel(ModelSettings(alphabet="protein"), seed=1))
    for column, target in enumerate((net_charge, mean_hydropathy)):
        values = np.concatenate([target(codes_of(proteome, name)) for name, *_ in rows])
        assert auxiliary.mean[column] == pytest.approx(np.nanmean(values), rel=1e-12)
        assert auxiliary.sd[column] == pytest.approx(np.nanstd(values), rel=1e-12)
        first = int(proteome.starts[proteome.names.index("p3")])
        expected = (target(codes_of(proteome, "p3")) - np.nanmean(values)) / np.nanstd(values)
        here = auxiliary.standardised[first : first + len(expected), column].numpy()
        np.testing.assert_allclose(here, expected, rtol=1e-5, atol=1e-6)
    at = int(proteome.starts[proteome.names.index("p5")])
    assert auxiliary.standardised[at : at + 50].isnan().all()  # of another part


def codes_of(genome, name):
    index = genome.names.index(name)
    return genome.all_codes[genome.starts[index] : genome.starts[index] + genome.lengths[index]]


def test_loss_and_its_gradients_are_those_of_the_formula(proteome, stretches_of):
    training = stretches_of(proteome)
    settings = dataclasses.replace(SETTINGS, multitask_weight=0.7, clip_norm=1e9)
    whole = Training(proteome, training, settings)
    auxiliary, model = whole.run.auxiliary, whole.run.model
    torch.nn.init.normal_(auxiliary.heads.weight, generator=torch.Generator().manual_seed(1))
    twin = NextSymbolModel(model.settings, seed=1)
    head = auxiliary.heads.weight.detach().clone().requires_grad_()
    lanes = batches_of(proteome, training, n_lanes=3, chunk=16, device=torch.device("cpu"), seed=1)
    codes, _, place = lanes.batch(0)
    reading = twin.forward(codes[:, :-1], twin.initial_state(3))
    known = codes[:, 1:] != PROTEIN.unknown
    loss = reading.logits.log_softmax(-1).gather(-1, codes[:, 1:].long().clamp(max=19)[..., None])[..., 0]
    loss = -loss[known].mean()
    for column in range(2):
        missed = []
        for lane in range(3):
            for step in range(place.shape[1]):
                target = auxiliary.standardised[place[lane, step], column]
                if place[lane, step] >= 0 and not target.isnan():
                    told = (reading.layers[-1][lane, step] * head[column]).sum() + auxiliary.heads.bias[column].detach()
                    missed.append((told - target) ** 2)
        loss = loss + 0.7 * NATS_PER_BIT * torch.stack(missed).mean() / 2
    loss.backward()
    whole.go(until=1)
    for (name, weight), other in zip(model.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(weight.grad, other.grad, rtol=1e-4, atol=1e-7, msg=name)
    torch.testing.assert_close(auxiliary.heads.weight.grad, head.grad, rtol=1e-4, atol=1e-7)


def test_weight_zero_gives_the_bits_of_a_training_without_heads(proteome, stretches_of):
    training = stretches_of(proteome)
    without = Training(proteome, training, dataclasses.replace(SETTINGS, multitask=())).go()
    zero = Training(proteome, training, dataclasses.replace(SETTINGS, multitask_weight=0.0)).go()
    some = Training(proteome, training, SETTINGS).go()
    assert without.run.auxiliary is None
    assert_same_weights(without, zero)
    assert without.history.records["bits"] == zero.history.records["bits"]
    assert without.history.records["gradient_norm"] == zero.history.records["gradient_norm"]
    assert any((a != some.run.weight_arrays()[n]).any() for n, a in without.run.weight_arrays().items())


@pytest.mark.slow
def test_errors_fall_below_those_of_the_mean_alone_and_are_recorded(proteome, stretches_of):
    done = Training(proteome, stretches_of(proteome), dataclasses.replace(SETTINGS, bases=60_000)).go()
    errors = done.history.errors_of(2)
    assert errors.shape == (len(done.history.records["bits"]), 2)
    assert (errors[-100:].mean(axis=0) < 0.9).all()
    assert errors[:5].mean() > 0.5  # standardised: 1 is what the mean alone reaches


def test_a_stopped_and_resumed_training_gives_the_same_bits(proteome, stretches_of, tmp_path, provenance, monkeypatch):
    monkeypatch.setattr("genolstm.training.loop.RECORDS", 20)
    training = stretches_of(proteome)
    whole = Training(proteome, training, SETTINGS).go()
    resumed = Training(proteome, training, SETTINGS)
    for number, stop in enumerate((7, 40, 71)):
        resumed = resumed.go(until=stop).stopped_and_resumed(tmp_path / f"{number}.h5", provenance)
    resumed.go()
    assert_same_weights(whole, resumed)
    assert whole.history.errors == resumed.history.errors
    assert whole.history.records["bits"] == resumed.history.records["bits"]


def test_early_stop_keeps_the_heads_of_the_best_look(proteome, stretches_of, tmp_path, provenance):
    settings, looks = dataclasses.replace(SETTINGS, early_stop=1), [4.0, 4.2]
    training = stretches_of(proteome)
    told = iter(looks)
    whole = Training(proteome, training, settings, look=lambda: next(told)).go()
    told_again = iter(looks)
    cut = Training(proteome, training, settings, look=lambda: next(told_again))
    best = None
    for step in range(1, whole.run.progress.step + 1):
        cut.go(until=step)
        if cut.history.looks["bits"] == [4.0]:
            best = cut.run.weight_arrays()
            break
    for name, weight in whole.run.weight_arrays().items():
        np.testing.assert_array_equal(weight, best[name], err_msg=name)
    resumed = cut.stopped_and_resumed(tmp_path / "run.h5", provenance).go()
    assert_same_weights(whole, resumed)


def test_dna_has_no_charge(tiny_genome, stretches_of):
    model = NextSymbolModel(ModelSettings(), seed=1)
    with pytest.raises(UsageError, match=r"--multitask charge needs proteins, and .* holds dna; ingest a protein"):
        auxiliary_of(tiny_genome, stretches_of(tiny_genome), (AuxiliaryTask.CHARGE,), model)


def test_lanes_that_do_not_tell_places_are_refused(proteome, stretches_of):
    class Placeless:
        def __init__(self, lanes):
            self.lanes, self.symbols = lanes, lanes.symbols

        def batch(self, step):
            return self.lanes.batch(step)._replace(place=None)

    stretches = stretches_of(proteome)
    lanes = batches_of(proteome, stretches, n_lanes=3, chunk=16, device=torch.device("cpu"), seed=1)
    with pytest.raises(ValueError, match="place of each symbol"):
        next(train(Training(proteome, stretches, SETTINGS).run, Placeless(lanes), None))
