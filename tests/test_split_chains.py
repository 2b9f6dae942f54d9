"""Proteins are dealt whole and by whole clusters to training, validation and test."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolstm.errors import InputError
from genolstm.regions import Part, split_chains


def split(lengths, clusters, seed=1, **named):
    return split_chains(lengths, clusters, np.random.default_rng(seed), **named)


def part_of(stretches):
    return {stretches.contigs[c]: Part(part) for c, part in zip(stretches.contig, stretches.part.tolist(), strict=True)}


@given(st.lists(st.tuples(st.integers(1, 900), st.integers(0, 30)), min_size=1, max_size=60), st.integers(0, 50))
def test_no_cluster_is_cut_and_every_protein_is_whole(chains, seed):
    lengths = {f"p{i}": length for i, (length, _) in enumerate(chains)}
    clusters = [cluster for _, cluster in chains]
    made = split(lengths, clusters, seed)
    assert made.start.tolist() == [0] * len(chains)
    assert made.end.tolist() == list(lengths.values())
    parts = part_of(made)
    for cluster in set(clusters):
        assert len({parts[name] for name, its in zip(lengths, clusters, strict=True) if its == cluster}) == 1
    assert Part.TRAIN in parts.values()


@pytest.mark.parametrize("seed", range(5))
def test_parts_hold_their_shares_of_the_residues(seed):
    rng = np.random.default_rng(seed)
    lengths = {f"p{i}": int(n) for i, n in enumerate(rng.lognormal(6, 0.7, 2000).astype(int) + 30)}
    made = split(lengths, rng.integers(0, 1500, 2000), seed)
    total = sum(lengths.values())
    for part, share in ((Part.TRAIN, 0.9), (Part.VALID, 0.05), (Part.TEST, 0.05)):
        assert made.of(part).bases / total == pytest.approx(share, abs=0.002)


def test_a_cluster_larger_than_a_share_is_trained_on():
    lengths = {f"p{i}": 100 for i in range(200)}
    clusters = [0] * 15 + [1 + i // 5 for i in range(185)]  # 7.5 %, and 2.5 % each
    for seed in range(200):
        parts = part_of(split(lengths, clusters, seed))
        assert {parts[f"p{i}"] for i in range(15)} == {Part.TRAIN}


def test_the_draw_follows_the_seed():
    lengths, clusters = {f"p{i}": 100 for i in range(200)}, range(200)
    one, same, other = (part_of(split(lengths, clusters, seed)) for seed in (1, 1, 2))
    assert one == same != other


def test_named_proteins_go_to_their_part_and_their_relatives_to_none():
    lengths = {f"p{i}": 100 for i in range(60)}
    clusters = [0, 0, 0, *range(1, 58)]
    parts = part_of(split(lengths, clusters, test_contigs=["p0"], valid_contigs=["p1", "p9"]))
    assert (parts["p0"], parts["p1"], parts["p9"]) == (Part.TEST, Part.VALID, Part.VALID)
    assert "p2" not in parts
    assert set(parts.values()) == set(Part)
    assert sum(part is Part.TRAIN for part in parts.values()) == 56
    drawn = part_of(split(lengths, clusters, test_contigs=["p0"]))  # validation is drawn
    assert [name for name, part in drawn.items() if part is Part.TEST] == ["p0"]
    assert sum(part is Part.VALID for part in drawn.values()) == 3
    alone = part_of(split(lengths, clusters, train_contigs=["p2", "p5"], valid_contigs=["p6"], test_contigs=["p0"]))
    assert alone == {"p0": Part.TEST, "p2": Part.TRAIN, "p5": Part.TRAIN, "p6": Part.VALID}


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ({"test_contigs": ["q"]}, "test contig 'q' is not in the genome, which has a, b. Correct the name."),
        ({"test_contigs": ["a"], "valid_contigs": ["a"]}, "contig 'a' is named for valid and for test; choose one."),
        (
            {"test_contigs": ["a"]},
            "no protein is left for training: all are named for validation or test, or relatives",
        ),
    ],
)
def test_impossible_splits_are_one_sentence(named, sentence):
    with pytest.raises(InputError) as failure:
        split({"a": 10, "b": 10}, [0, 0], **named)
    assert str(failure.value).startswith(sentence)
