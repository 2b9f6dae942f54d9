"""Models made small for handing on."""

import dataclasses

import h5py
import numpy as np
import pytest
import torch
from made_results import genolstm

from genolstm.errors import InputError
from genolstm.estimate import Estimate
from genolstm.model import trained_model
from genolstm.packing import packed, rounded, without_folders
from genolstm.regions import Part
from genolstm.settings.reading import StreamSettings
from genolstm.store.checkpoint import read_checkpoint, write_checkpoint
from genolstm.store.genome import open_genome
from genolstm.store.model_card import ModelCard
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import mean_bits

CPU = torch.device("cpu")
WORDS = {"data": "Made up, 2026", "licence": "CC0"}


@pytest.fixture(scope="module")
def small(results, tmp_path_factory):
    """A packed model, read back from its file."""
    path = tmp_path_factory.mktemp("packed") / "small.h5"
    genolstm(
        "models", "pack", results["model"], results["genome"], "-o", path, "--probe", results["probe"], "-q", "-t", "1",
        *(word for name, text in WORDS.items() for word in (f"--{name}", text)),
    )  # fmt: skip
    return path


def test_weights_lie_in_the_file_as_the_nearest_float16(results, small):
    before, after = read_checkpoint(results["model"]), read_checkpoint(small)
    with h5py.File(small) as file:
        assert {item.dtype for item in file["weights"].values()} == {np.dtype(np.float16)}
    for name, array in before.weights.items():
        assert after.weights[name].dtype == np.float32
        np.testing.assert_array_equal(after.weights[name], array.astype(np.float16))
        np.testing.assert_allclose(after.weights[name], array, rtol=2**-11, atol=2**-25)


def test_held_out_bits_are_those_of_the_rounded_weights(results, small):
    before, after = read_checkpoint(results["model"]), read_checkpoint(small)
    model, genome = trained_model(after.model, after.weights), open_genome(results["genome"])
    assert [row.part for row in after.bits] == [row.part for row in before.bits]
    for old, new in zip(before.bits, after.bits, strict=True):
        part = after.split.of(Part[new.part.upper()])
        assert new.model == mean_bits(GenomeReader(model, genome, StreamSettings()), part)[0]
        assert abs(new.model - old.model) <= after.card.rounding < 1e-3
        moved = Estimate(*(end + new.model - old.model for end in old.difference))
        assert new.difference == pytest.approx(moved)
        assert dataclasses.replace(new, model=old.model, difference=old.difference) == old
    assert after.card.rounding == max(abs(a.model - b.model) for a, b in zip(before.bits, after.bits, strict=True))


def test_card_says_where_the_model_comes_from_and_what_its_probes_found(small):
    card = read_checkpoint(small).card
    assert (card.data, card.licence, card.seed, card.device) == ("Made up, 2026", "CC0", 3, "cpu")
    assert card.command.startswith("genolstm train genome.h5 -o model.h5 --hidden 8")
    donor = {line.target: line for line in card.probes}["donor"]
    assert (donor.verdict, donor.ranked, donor.control, donor.tested_on) == ("gain", "auprc", "untrained_1", ("III",))
    assert donor.sites == 20
    assert donor.trained == (0.8, 0.4, 0.9)
    assert donor.of_control == (0.7, 0.4, 0.9)
    assert donor.difference == (0.1234, 0.0567, 0.2)
    assert {line.target: line.verdict for line in card.probes} == {"donor": "gain", "acceptor": "no gain"}
    assert ModelCard.from_text(card.to_text()) == card


def test_no_folder_of_its_maker_is_handed_on(results, small):
    with h5py.File(small) as file:
        told = " ".join(str(value) for value in file.attrs.values())
    assert str(results["model"].parent) not in told
    assert "/" not in told
    assert without_folders("genolstm train /home/me/a.h5 -o ../b.h5 --bases 40M") == (
        "genolstm train a.h5 -o b.h5 --bases 40M"
    )


def test_packed_model_is_read_like_any_other(results, small, tmp_path):
    genolstm("score", small, results["genome"], "-o", tmp_path / "s.h5", "-q", "-t", "1")
    write_checkpoint(tmp_path / "again.h5", read_checkpoint(small), made_provenance())
    assert read_checkpoint(tmp_path / "again.h5").card == read_checkpoint(small).card


def made_provenance():
    from genolstm.store.files import Provenance

    return Provenance(command="pytest", settings={}, seed=1, inputs={}, device="cpu")


def test_another_genome_is_refused(results, genome_of):
    other = genome_of({"I": "ACGT" * 50})
    with pytest.raises(InputError, match=r"is not the genome that .*model\.h5 was trained on"):
        packed(read_checkpoint(results["model"]), results["model"], other, [], **WORDS, device=CPU)


def test_probe_of_another_model_is_refused(results, tmp_path):
    other = tmp_path / "other.h5"
    write_checkpoint(other, read_checkpoint(results["model"]), made_provenance())
    with pytest.raises(InputError, match=r"probe\.h5 is a probe of another model than .*other\.h5"):
        packed(
            read_checkpoint(other), other, open_genome(results["genome"]), [results["probe"]], **WORDS, device=CPU
        )  # fmt: skip


def test_file_that_is_no_probe_is_refused(results):
    with pytest.raises(InputError, match="is a score file where a probe file is needed"):
        packed(
            read_checkpoint(results["model"]), results["model"], open_genome(results["genome"]), [results["score"]],
            **WORDS, device=CPU,
        )  # fmt: skip


@pytest.mark.parametrize("value", [1e5, -7e4, np.inf, np.nan])
def test_weight_that_float16_cannot_hold_is_refused(tmp_path, value):
    weights = {"head.bias": np.array([0.5, value], np.float32)}
    with pytest.raises(InputError, match=r"m\.h5 holds a weight in 'head\.bias' that float16 cannot \(65504"):
        rounded(weights, tmp_path / "m.h5")
