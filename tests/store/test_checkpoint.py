"""Model files: everything that was put in comes out, or nothing does."""

import dataclasses

import h5py
import numpy as np
import pytest

from genolstm.errors import InputError
from genolstm.regions import Part, Stretches
from genolstm.settings.model import ModelSettings
from genolstm.settings.train import TrainSettings
from genolstm.store.checkpoint import (
    HISTORY,
    LOOKS,
    Checkpoint,
    PartBits,
    TrainingState,
    check_alphabet,
    read_checkpoint,
    write_checkpoint,
)


def arrays(seed):
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(size=shape).astype(np.float32) for name, shape in (("head.bias", 4), ("cells.0.w", (8, 5)))
    }


@pytest.fixture
def checkpoint():
    """A checkpoint that has everything."""
    return Checkpoint(
        model=ModelSettings(cell="gru", layers=2, hidden=4, forget_bias="chrono:100"),
        train=TrainSettings(lanes=3, valid_contigs=("II",), learning_rate=0.1, seed=9),
        weights=arrays(1),
        split=Stretches(
            contigs=("I", "II", "III"),
            contig=np.array([0, 0, 1], np.int32),
            start=np.array([0, 60, 0], np.int64),
            end=np.array([50, 100, 70], np.int64),
            part=np.array([Part.TRAIN, Part.TEST, Part.VALID], np.int8),
        ),
        lengths=np.array([100, 70, 5], np.int64),
        genome_sha256="ab" * 32,
        history={name: [1.0, 2.0] if dtype is np.float64 else [1, 2] for name, dtype in HISTORY.items()},
        looks={name: [0.5] if dtype is np.float64 else [5] for name, dtype in LOOKS.items()},
        bits=(
            PartBits(part="valid", model=1.9, symbols=10, uniform=2.0, by_order=(2.0, 1.8, 1.85), interpolated=1.7),
            PartBits(part="test", model=1.8, symbols=11, uniform=2.0, by_order=(1.5, 1.8, 1.85), interpolated=1.6),
        ),
        resumable=TrainingState(
            first_moments=arrays(2),
            second_moments=arrays(3),
            hidden=np.ones((2, 3, 4), np.float32),
            memory=np.full((2, 3, 4), np.nan, np.float32),
            progress={"step": 3, "best_bits": float("inf"), "sums": [0.1, 0.2, 0.3]},
            best=arrays(4),
        ),
    )


def same(one, other):
    """Equality of records that hold arrays; NaN equals NaN."""
    if dataclasses.is_dataclass(one):
        return type(one) is type(other) and all(
            same(getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(one)
        )
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) or (one != one and other != other)


@pytest.mark.parametrize(
    "left_out",
    [{}, {"resumable": None}, {"bits": ()}, {"bits": (), "history": {}, "looks": {}}],
    ids=["all", "finished", "unfinished", "first step"],
)
def test_checkpoint_comes_back_as_it_was(checkpoint, tmp_path, provenance, left_out):
    checkpoint = dataclasses.replace(checkpoint, **left_out)
    write_checkpoint(tmp_path / "m.h5", checkpoint, provenance)
    back = read_checkpoint(tmp_path / "m.h5")
    if not checkpoint.history:  # comes back with its columns, empty
        checkpoint = dataclasses.replace(
            checkpoint, history={name: [] for name in HISTORY}, looks={name: [] for name in LOOKS}
        )
    assert same(back, checkpoint)


def test_resumable_without_a_best_comes_back(checkpoint, tmp_path, provenance):
    resumable = dataclasses.replace(checkpoint.resumable, best={}, first_moments={}, second_moments={})
    write_checkpoint(tmp_path / "m.h5", dataclasses.replace(checkpoint, resumable=resumable), provenance)
    assert same(read_checkpoint(tmp_path / "m.h5").resumable, resumable)


def test_seen_contigs_are_those_trained_on(checkpoint, tmp_path, provenance):
    write_checkpoint(tmp_path / "m.h5", checkpoint, provenance)
    assert read_checkpoint(tmp_path / "m.h5").seen == ("I",)
    with h5py.File(tmp_path / "m.h5") as file:
        assert file["contigs/seen"][()].tolist() == [1, 0, 0]


def test_best_markov_order_is_the_lowest_bits(checkpoint):
    assert [(row.best_order, row.best_bits) for row in checkpoint.bits] == [(1, 1.8), (0, 1.5)]


def test_clock_is_left_out_under_source_date_epoch(checkpoint, tmp_path, provenance, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    slower = {**checkpoint.history, "bases_per_second": [0.1, 0.2]}
    write_checkpoint(tmp_path / "one.h5", checkpoint, provenance)
    write_checkpoint(tmp_path / "two.h5", dataclasses.replace(checkpoint, history=slower), provenance)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()
    back = read_checkpoint(tmp_path / "one.h5").history
    assert np.isnan(back.pop("bases_per_second")).all()
    assert back == {name: column for name, column in checkpoint.history.items() if name != "bases_per_second"}


@pytest.mark.parametrize("name", ["weights/head.bias", "optimiser/first_moment/cells.0.w", "state/memory", "split/end"])
def test_changed_value_is_refused(checkpoint, tmp_path, provenance, name):
    path = tmp_path / "m.h5"
    write_checkpoint(path, checkpoint, provenance)
    with h5py.File(path, "r+") as file:
        file[name][0] += 1 if name == "split/end" else 1e-3
        file[name][0] = 7
    with pytest.raises(InputError) as refused:
        read_checkpoint(path)
    assert str(refused.value) == (
        f"{path} is damaged or was changed by hand: the checksums at its end are gone; make it again."
    )


def test_any_flipped_byte_is_refused_or_changes_nothing(checkpoint, tmp_path, provenance):
    path = tmp_path / "m.h5"
    write_checkpoint(path, checkpoint, provenance)
    content = path.read_bytes()
    rng = np.random.default_rng(1)
    refused = []
    for at, flip in zip(rng.integers(len(content), size=200), rng.integers(1, 256, size=200), strict=True):
        damaged = bytearray(content)
        damaged[at] ^= flip
        path.write_bytes(damaged)
        try:
            assert same(read_checkpoint(path), checkpoint)
        except InputError as problem:
            refused.append(str(problem))
    assert len(refused) > 20
    assert all(sentence.startswith(f"{path}") and "\n" not in sentence for sentence in refused)


def test_settings_of_a_newer_version_are_named(checkpoint, tmp_path, provenance):
    path = tmp_path / "m.h5"

    class Newer:
        def to_json(self):
            return {**checkpoint.model.to_json(), "dreams": 1}

    write_checkpoint(path, dataclasses.replace(checkpoint, model=Newer()), provenance)
    with pytest.raises(
        InputError, match=r"^model file .*m\.h5 has the unknown key 'dreams'; known are alphabet, cell, "
    ):
        read_checkpoint(path)


def test_genome_of_another_alphabet_is_refused(checkpoint, genome_of, tmp_path):
    genome = genome_of({"I": "ACGT"})
    check_alphabet(checkpoint, tmp_path / "m.h5", genome)
    protein = dataclasses.replace(checkpoint, model=ModelSettings(alphabet="protein"))
    with pytest.raises(InputError) as refused:
        check_alphabet(protein, tmp_path / "m.h5", genome)
    assert str(refused.value) == (
        f"{tmp_path / 'm.h5'} was trained on protein and {genome.path} holds dna;"
        " give a genome of the model's alphabet."
    )
