"""A training as a notebook steps through it, without a command."""

import dataclasses

import numpy as np
import pytest
import torch

from genolstm.errors import InputError, UsageError
from genolstm.settings.model import ModelSettings
from genolstm.settings.train import CUDA_CHUNK, CUDA_LANES, LEAST_LOOK, Precision, TrainSettings
from genolstm.training.session import begin, settings_from

CPU = torch.device("cpu")
SHAPE = ModelSettings(hidden=8)
SETTINGS = TrainSettings(lanes=2, chunk=16, bases=4000, test_contigs=("III",))


@pytest.fixture
def session(tiny_genome):
    return begin(tiny_genome, SHAPE, SETTINGS, device=CPU)


def weights_of(session):
    return session.run.model.weight_arrays()


def test_steps_end_where_the_settings_say(session):
    steps = list(session.steps())
    assert [step.step for step in steps] == list(range(1, len(steps) + 1))
    assert session.fraction_done == 1
    assert session.run.progress.bases >= SETTINGS.bases
    assert sum(step.validation is not None for step in steps) == len(session.history.looks["bits"]) > 0


def test_a_saved_session_goes_on_to_the_same_bits(tiny_genome, session):
    stopped = begin(tiny_genome, SHAPE, SETTINGS, device=CPU)
    for step in stopped.steps():
        if step.step == 20:
            break
    saved = stopped.checkpoint(resumable=True)
    resumed = begin(tiny_genome, saved.model, saved.train, device=CPU, saved=saved)
    for each in (session, resumed):
        for _ in each.steps():
            pass
    for name, weight in weights_of(session).items():
        np.testing.assert_array_equal(weight, weights_of(resumed)[name], err_msg=name)
    assert resumed.history.looks == session.history.looks
    assert resumed.evaluate() == session.evaluate()


@pytest.mark.usefixtures("bf16")
@pytest.mark.parametrize(
    ("bases", "minutes", "seen", "seconds", "symbols"),
    [
        (40_000_000, 0.0, 4_000_000, 60, 800_000), (700_000, 0.0, 70_000, 9, LEAST_LOOK), (0, 0.5, 150_000, 3, 30_000),
        (40_000_000, 0.5, 150_000, 3, 30_000), (10**9, 0.0, 10**8, 60, 1_000_000),
    ],
)  # fmt: skip
def test_a_validation_is_a_fiftieth_of_what_the_training_will_have_read(
    tiny_genome, monkeypatch, bases, minutes, seen, seconds, symbols
):
    asked = []
    monkeypatch.setattr(
        "genolstm.training.session.mean_bits", lambda reader, _, symbols: asked.append((reader, symbols)) or (2.0, 1)
    )
    settings = dataclasses.replace(SETTINGS, bases=bases, minutes=minutes, precision=Precision.BF16)
    session = begin(tiny_genome, SHAPE, settings, device=CPU)
    validate = session._validation()
    session.run.progress.bases, session.run.progress.seconds = seen, seconds
    assert validate() == 2.0
    session.run.progress.bases *= 3  # faster since: all validations read the same
    validate()
    assert [each for _, each in asked] == [symbols, symbols]
    assert all(reader.model.precision is Precision.BF16 for reader, _ in asked)
    assert session._reader.model.precision is Precision.FP32, "what is kept of the held-out parts"


def test_a_session_is_resumed_on_its_own_genome_alone(genome_of, session):
    other = genome_of({"I": "ACGT" * 300})
    saved = session.checkpoint(resumable=True)
    with pytest.raises(InputError, match="is not the genome file that the unfinished training read"):
        begin(other, saved.model, saved.train, device=CPU, saved=saved)


def test_held_out_parts_are_measured_beside_markov_models(session):
    bits = {row.part: row for row in session.evaluate()}
    assert bits.keys() == {"valid", "test"}
    assert bits["test"].symbols > 0
    assert bits["test"].uniform == 2


def test_settings_follow_the_device_where_nothing_is_given():
    _, on_cpu = settings_from({}, CPU, where="a test")
    shape, on_gpu = settings_from({}, torch.device("cuda"), where="a test")
    assert (on_cpu.lanes, on_cpu.chunk) == (TrainSettings.lanes, TrainSettings.chunk)
    assert (on_gpu.lanes, on_gpu.chunk, shape.hidden) == (CUDA_LANES, CUDA_CHUNK, 512)
    assert on_cpu == TrainSettings()


def test_settings_are_read_as_people_write_them():
    given = {"size": "large", "hidden": 32, "bases": "40k", "test_contigs": "I, II", "forget_bias": 1}
    shape, settings = settings_from(given, CPU, where="a test")
    assert (shape.layers, shape.hidden, shape.forget_bias) == (2, 32, "1")
    assert (settings.bases, settings.test_contigs) == (40_000, ("I", "II"))


@pytest.mark.parametrize(
    ("given", "kind", "sentence"),
    [
        ({"lane": 3}, InputError, "a test has the unknown key 'lane'"),
        ({"lanes": "many"}, InputError, "a test: lanes must be a whole number, not 'many'."),
        ({"size": "tiny"}, UsageError, "size 'tiny' is not known"),
        ({"bases": 0}, UsageError, "training needs an end"),
        ({"multitask_weight": 0.1}, UsageError, "--multitask-weight weighs the errors of --multitask"),
    ],
)
def test_settings_that_cannot_be_are_one_sentence(given, kind, sentence):
    with pytest.raises(kind) as problem:
        settings_from(given, CPU, where="a test")
    assert sentence in str(problem.value)


def test_clusters_are_refused_for_dna(tiny_genome):
    with pytest.raises(UsageError, match="--clusters is for proteins"):
        begin(tiny_genome, SHAPE, dataclasses.replace(SETTINGS, clusters="x.tsv"), device=CPU)


@pytest.mark.parametrize(
    ("device", "given", "rate"),
    [
        ("cpu", {"lanes": 128, "chunk": 128}, 3e-3),
        ("cuda", {}, 4 * 3e-3),  # 128 x 128 is 16 times 16 x 64
        ("cuda", {"lanes": 4, "chunk": 16}, 3e-3),
        ("cuda", {"lanes": 4096}, 8 * 3e-3),
        ("cuda", {"learning_rate": 1e-3}, 1e-3),
    ],
)
def test_the_learning_rate_follows_the_batch_on_a_gpu_unless_given(device, given, rate):
    _, settings = settings_from(given, torch.device(device), where="a test")
    assert settings.learning_rate == pytest.approx(rate)
