"""Which fold predicts what: each base one that never met it, no window two, and nothing that all have met."""

from types import SimpleNamespace

import numpy as np
import pytest

from genolstm.errors import InputError
from genolstm.predicting.by_fold import fold_owners
from genolstm.regions import Part
from genolstm.seen import training_sequence
from genolstm.store.candidates import Found
from genolstm.store.prediction import MODEL


@pytest.fixture
def own(genome_of, drawn_codes):
    return genome_of({"I": drawn_codes(0, 6000), "II": drawn_codes(1, 4000), "again": drawn_codes(1, 4000)})


@pytest.fixture
def models(own, stretches_of):
    """Three folds: blocks of I, and II with its copy apart."""

    def fold(rows):
        split = stretches_of(own, rows)
        checkpoint = SimpleNamespace(
            ancestors=(), genomes=(), genome_sha256=own.sha256, split=split, training=training_sequence(own, split),
            lengths=own.lengths,
        )  # fmt: skip
        return SimpleNamespace(name="m", checkpoint=checkpoint)

    train, test = Part.TRAIN, Part.TEST
    return [
        fold([("I", 0, 3000, test), ("I", 3100, 6000, train), ("II", 0, 4000, train), ("again", 0, 4000, train)]),
        fold([("I", 0, 2900, train), ("I", 3000, 6000, test), ("II", 0, 4000, train), ("again", 0, 4000, train)]),
        fold([("I", 0, 6000, train), ("II", 0, 4000, test), ("again", 0, 4000, test)]),
    ]


def test_every_base_has_the_fold_that_held_it_out(models, own):
    owners = fold_owners(models, own, [0, 1, 2])
    assert owners.of(np.array([0, 2999, 3000, 5999, 6000, 13_999])).tolist() == [0, 0, 1, 1, 2, 2]
    assert owners.flags.tolist() == [0, 0, 0]
    everything = models[0].checkpoint.split
    assert owners.named(everything)[0] == ("I:1-3000",)


def test_windows_across_two_folds_are_nobodys(models, own):
    owners = fold_owners(models, own, [0])
    starts = np.array([2900, 2950, 3000])
    found = Found(starts, np.ones(3, dtype=np.int8))
    mine = [[place for slab in owners.own(iter([found]), fold, 100) for place in slab.address] for fold in range(3)]
    assert mine == [[2900], [3000], []]
    assert owners.across(iter([found]), 100) == 1
    assert owners.across(iter([found]), 1) == 0


def test_a_contig_that_its_own_fold_met_in_a_copy_is_marked(models, own, stretches_of):
    """II is held out by the third fold, which was trained on its copy here."""
    split = stretches_of(own, [("I", 0, 6000, Part.TRAIN), ("II", 0, 4000, Part.TEST), ("again", 0, 4000, Part.TRAIN)])
    models[2].checkpoint.split, models[2].checkpoint.training = split, training_sequence(own, split)
    owners = fold_owners(models, own, [1])
    assert owners.of(np.array([6000])).tolist() == [2]
    assert owners.flags[1] == MODEL
    with pytest.raises(InputError, match=r"every fold has met again of .* which none of them held out"):
        fold_owners(models, own, [1, 2])


def test_a_new_contig_is_the_first_folds_and_a_copy_of_what_all_met_is_refused(models, genome_of, drawn_codes):
    mixed = np.concatenate([drawn_codes(0, 6000)[:1500], drawn_codes(0, 6000)[4000:5500], drawn_codes(1, 4000)[:1500]])
    other = genome_of({"new": drawn_codes(9, 3000), "mixed": mixed, "II's": drawn_codes(1, 4000)})
    owners = fold_owners(models, other, [0, 2])
    assert owners.of(np.array([0, 3000 + len(mixed)])).tolist() == [0, 2]
    with pytest.raises(InputError, match="every fold has met mixed of"):
        fold_owners(models, other, [0, 1])
