"""Going on from a model: its weights, its shape, and what it has seen."""

import dataclasses

import numpy as np
import pytest
import torch

from genolstm.alphabet import PROTEIN
from genolstm.errors import InputError, UsageError
from genolstm.regions import Part
from genolstm.seen import seen_in
from genolstm.settings.model import ModelSettings
from genolstm.settings.train import TrainSettings
from genolstm.store.checkpoint import read_checkpoint, write_checkpoint
from genolstm.training.origin import Origin, shape_of
from genolstm.training.session import begin

CPU = torch.device("cpu")
SHAPE = ModelSettings(hidden=8)
FIRST = TrainSettings(lanes=2, chunk=16, bases=2000, valid_contigs=("b",), test_contigs=("c",))


@pytest.fixture(scope="module")
def first_genome(genome_of, drawn_codes):
    return genome_of({name: drawn_codes(seed, 3000) for seed, name in enumerate("abc", 1)})


@pytest.fixture(scope="module")
def second_genome(genome_of, drawn_codes):
    return genome_of({name: drawn_codes(seed, 3000) for seed, name in enumerate("xyz", 11)})


@pytest.fixture(scope="module")
def first(first_genome):
    session = begin(first_genome, SHAPE, FIRST, device=CPU)
    for _ in session.steps():
        pass
    return session


@pytest.fixture(scope="module")
def origin(first):
    return Origin(name="first", sha256="f1", checkpoint=first.checkpoint())


def gone_on(genome, origin, **settings):
    how = dataclasses.replace(TrainSettings(lanes=2, chunk=16, bases=600), **settings)
    session = begin(genome, SHAPE, how, device=CPU, origin=origin)
    before = session.run.model.weight_arrays()
    for _ in session.steps():
        pass
    return session, before


def test_training_begins_with_the_weights_of_the_origin_and_a_fresh_schedule(first, origin, second_genome):
    session, before = gone_on(second_genome, origin, test_contigs=("z",))
    for name, weight in first.run.model.weight_arrays().items():
        np.testing.assert_array_equal(before[name], weight, err_msg=name)
    assert session.run.progress.bases >= 600
    assert session.history.records["learning_rate"][0] < session.run.settings.learning_rate
    assert any((before[name] != weight).any() for name, weight in session.run.model.weight_arrays().items())


def test_what_the_ancestors_saw_is_seen_by_the_descendant_from_its_file_alone(
    origin, first_genome, second_genome, genome_of, drawn_codes, tmp_path, provenance
):
    second, _ = gone_on(second_genome, origin, test_contigs=("z",), valid_contigs=("y",))
    third_genome = genome_of({"m": drawn_codes(21, 3000), "n": drawn_codes(22, 3000)})
    between = Origin(name="second", sha256="f2", checkpoint=second.checkpoint())
    third, _ = gone_on(third_genome, between, test_contigs=("n",))
    write_checkpoint(tmp_path / "third.h5", third.checkpoint(), provenance)
    kept = read_checkpoint(tmp_path / "third.h5")
    assert [(each.name, each.sha256, each.seen) for each in kept.ancestors] == [
        ("first", "f1", ("a",)), ("second", "f2", ("x",)),
    ]  # fmt: skip
    assert [each.bases for each in kept.ancestors] == [origin.checkpoint.bases, second.checkpoint().bases]
    for genome, parts in ((first_genome, "abc"), (second_genome, "xyz")):
        seen = seen_in(kept, genome)
        assert seen.complete
        rows = [(genome.names[contig], Part(part)) for contig, _, _, part in seen.split.rows]
        assert rows == list(zip(parts, (Part.TRAIN, Part.VALID, Part.TEST), strict=True))
        assert seen.sentence("g.h5", "m.h5") is None
    # under other names, and as a near-duplicate
    copy = drawn_codes(1, 3000)
    copy[::200] = 0
    again = genome_of({"same": drawn_codes(1, 3000), "like": copy, "new": drawn_codes(31, 3000)})
    seen = seen_in(kept, again)
    assert [seen.trained(contig) for contig in range(3)] == [True, False, False]
    assert list(seen.near) == [1]


def test_on_its_own_genome_the_split_of_the_origin_stays(origin, first_genome):
    session, _ = gone_on(first_genome, origin)
    assert session.split.rows == origin.checkpoint.split.rows
    assert [row.standing for row in session.evaluate()] == ["held out", "held out"]


def test_a_contig_that_the_origin_never_met_is_for_training(origin, genome_of, drawn_codes):
    genome = genome_of({name: drawn_codes(seed, 3000) for seed, name in enumerate("abcd", 1)})
    session, _ = gone_on(genome, origin)
    assert session.split.of(Part.TRAIN).names() == ("a", "d")


def test_nothing_that_the_origin_was_trained_on_can_be_held_out(origin, first_genome):
    with pytest.raises(
        InputError, match=r"first was trained on a of .*, which would be held out here: .* hold out b, c, or"
    ):
        gone_on(first_genome, origin, test_contigs=("a",), valid_contigs=("b",))


def test_a_near_duplicate_that_is_held_out_gets_no_verdict(origin, genome_of, drawn_codes, caplog):
    copy = drawn_codes(1, 3000)
    copy[::200] = 0
    session, _ = gone_on(genome_of({"new": drawn_codes(41, 6000), "like": copy}), origin, test_contigs=("like",))
    with caplog.at_level("WARNING", logger="genolstm"):
        rows = {row.part: row for row in session.evaluate()}
    assert rows["test"].standing == "near-duplicate of what was trained on"
    assert rows["test"].difference is None
    assert rows["valid"].difference is not None
    assert (
        "near-duplicates of what this model was trained on, or holding some, by their common k-mers: like ("
        in caplog.text
    )


def test_blocks_of_a_near_duplicate_get_no_verdict_either(origin, genome_of, drawn_codes, caplog, tmp_path, provenance):
    copy = drawn_codes(1, 3000)
    copy[::200] = 0
    genome = genome_of({"like": copy})
    with caplog.at_level("WARNING", logger="genolstm"):
        session, _ = gone_on(genome, origin)
    assert (
        "near-duplicates of what first was trained on, or holding some, by their common k-mers: like (" in caplog.text
    )
    assert {row.standing for row in session.evaluate()} == {"near-duplicate of what was trained on"}
    write_checkpoint(tmp_path / "m.h5", session.checkpoint(), provenance)
    assert list(seen_in(read_checkpoint(tmp_path / "m.h5"), genome).near) == [0]


def test_the_shape_must_agree_where_it_is_given(origin):
    assert shape_of(origin, {"hidden": 8, "layers": 1}) == SHAPE
    for given, said in (
        ({"hidden": 16}, "first has hidden 8, not 16: a model that goes on from it has its shape; leave --hidden out."),
        ({"layers": 2}, "first has layers 1, not 2"),
        ({"cell": "gru"}, "first has cell lstm, not gru"),
        ({"size": "base"}, "first has hidden 8, not 512"),
        ({"forget_bias": "1"}, "first has forget bias 3, not 1"),
    ):
        with pytest.raises(InputError, match=said):
            shape_of(origin, given)


def test_proteins_are_no_genome_to_go_on_with(origin, genome_of, drawn_codes):
    proteins = genome_of({"p": drawn_codes(1, 300, alphabet=PROTEIN)}, PROTEIN)
    with pytest.raises(
        InputError, match=r"first was trained on dna and .* holds protein; give a genome of the model's"
    ):
        begin(proteins, SHAPE, TrainSettings(lanes=2), device=CPU, origin=origin)


def test_an_origin_without_hashes_goes_on_on_its_own_genome_alone(first, first_genome, second_genome):
    old = Origin(name="old", sha256="", checkpoint=dataclasses.replace(first.checkpoint(), training=None))
    session, _ = gone_on(first_genome, old)
    np.testing.assert_array_equal(session.ancestors[0].training.kmers, first.checkpoint().training.kmers)
    with pytest.raises(InputError, match=r"old holds no hashes of its training sequence .* finish its training, or"):
        gone_on(second_genome, old)


def test_a_kept_optimiser_begins_with_the_moments_of_the_origin(first, first_genome):
    unfinished = first.checkpoint(resumable=True)
    kept = Origin(name="first.h5", sha256="", checkpoint=unfinished, keep_optimiser=True)
    how = TrainSettings(lanes=2, chunk=16, bases=600)
    warm = begin(first_genome, SHAPE, how, device=CPU, origin=kept)
    fresh = begin(first_genome, SHAPE, how, device=CPU, origin=dataclasses.replace(kept, keep_optimiser=False))
    assert not fresh.run.optimiser.state
    moments = {
        name: warm.run.optimiser.state[weight]["exp_avg"].numpy() for name, weight in warm.run.named_weights().items()
    }
    for name, moment in unfinished.resumable.first_moments.items():
        np.testing.assert_array_equal(moments[name], moment, err_msg=name)
    assert warm.run.progress.bases == 0
    with pytest.raises(UsageError, match="--keep-optimiser: first is a finished model, which holds no state of an"):
        Origin(name="first", sha256="", checkpoint=first.checkpoint(), keep_optimiser=True)


def test_the_seed_of_a_descendant_draws_where_its_lanes_start(origin, second_genome):
    one, two = (
        gone_on(second_genome, origin, train_contigs=("x",), valid_contigs=("y",), test_contigs=("z",), seed=seed)
        for seed in (1, 2)
    )
    assert all((one[1][name] == weight).all() for name, weight in two[1].items())  # the origin's, whatever the seed
    assert (one[0].lanes.starts != two[0].lanes.starts).all()
    assert (
        one[0]
        .lanes.starts.diff()
        .remainder(one[0].lanes.n_chunks)
        .equal(two[0].lanes.starts.diff().remainder(two[0].lanes.n_chunks))
    )


def test_a_resumed_descendant_keeps_its_ancestors_and_its_bits(origin, second_genome):
    how = TrainSettings(lanes=2, chunk=16, bases=1200, test_contigs=("z",))
    whole = begin(second_genome, SHAPE, how, device=CPU, origin=origin)
    stopped = begin(second_genome, SHAPE, how, device=CPU, origin=origin)
    for step in stopped.steps():
        if step.step == 10:
            break
    saved = stopped.checkpoint(resumable=True)
    resumed = begin(second_genome, saved.model, saved.train, device=CPU, saved=saved)
    for session in (whole, resumed):
        for _ in session.steps():
            pass
    assert [each.name for each in resumed.checkpoint().ancestors] == ["first"]
    for name, weight in whole.run.model.weight_arrays().items():
        np.testing.assert_array_equal(weight, resumed.run.model.weight_arrays()[name], err_msg=name)
