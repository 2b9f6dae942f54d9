"""Splits of a genome: shares, margins, named contigs, and where each place lies."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genolstm.errors import InputError
from genolstm.regions import BLOCK_BP, MARGIN_BP, Part, Sites, Stretches, put_together, split_genome
from genolstm.seeds import spawn

POMBE = {"I": 5_579_133, "II": 4_539_804, "III": 2_452_883, "MT": 19_431}


def rng(seed=1):
    return spawn(seed, "split")


def rows_of(stretches):
    return list(
        zip(
            [stretches.contigs[i] for i in stretches.contig],
            stretches.start.tolist(),
            stretches.end.tolist(),
            [Part(part) for part in stretches.part],
            strict=True,
        )
    )


GENOMES = {
    "pombe": POMBE,
    "one contig": {"chr": 21_146_708},
    "large": {f"chr{i}": 20_000_000 + 12_345 * i for i in range(1, 23)},
    "thousand scaffolds": {f"s{i}": 500 + 7 * i for i in range(1000)},
    "small": {"a": 3000, "b": 1700, "c": 411},
}


@pytest.mark.parametrize("lengths", GENOMES.values(), ids=GENOMES.keys())
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shares_are_about_90_5_5(lengths, seed):
    split = split_genome(lengths, rng(seed))
    total = sum(lengths.values())
    for part, share in ((Part.TRAIN, 0.90), (Part.VALID, 0.05), (Part.TEST, 0.05)):
        assert split.of(part).bases / total == pytest.approx(share, abs=0.026 if part is not Part.TRAIN else 0.05)


@pytest.mark.parametrize("lengths", GENOMES.values(), ids=GENOMES.keys())
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_stretches_are_sorted_disjoint_in_bounds_and_keep_their_margin(lengths, seed):
    split = split_genome(lengths, rng(seed))
    rows = rows_of(split)
    block = min(BLOCK_BP, sum(lengths.values()) // 20)
    order = list(lengths)
    assert split.contigs == tuple(lengths)
    assert rows == sorted(rows, key=lambda row: (order.index(row[0]), row[1]))
    for name, start, end, _ in rows:
        assert 0 <= start < end <= lengths[name]
    for (name, _, end, part), (next_name, next_start, _, next_part) in pairwise(rows):
        if name == next_name:
            assert part is not next_part
            assert next_start - end == min(MARGIN_BP, block // 10)


def test_all_that_is_not_a_margin_is_in_a_part():
    split = split_genome(POMBE, rng())
    seams = sum(a == b for a, b in pairwise(split.contig))
    assert split.bases + seams * min(MARGIN_BP, sum(POMBE.values()) // 200) == sum(POMBE.values())


def test_the_same_seed_draws_the_same_split_and_another_seed_another():
    assert rows_of(split_genome(POMBE, rng(1))) == rows_of(split_genome(POMBE, rng(1)))
    assert rows_of(split_genome(POMBE, rng(1))) != rows_of(split_genome(POMBE, rng(2)))


def test_named_contigs_go_whole_to_their_part():
    split = split_genome(POMBE, rng(), valid_contigs=["II"], test_contigs=["III", "MT"])
    assert rows_of(split) == [
        ("I", 0, POMBE["I"], Part.TRAIN),
        ("II", 0, POMBE["II"], Part.VALID),
        ("III", 0, POMBE["III"], Part.TEST),
        ("MT", 0, POMBE["MT"], Part.TEST),
    ]


def test_test_contigs_alone_leave_validation_to_the_draw():
    split = split_genome(POMBE, rng(), test_contigs=["III"])
    assert rows_of(split.of(Part.TEST)) == [("III", 0, POMBE["III"], Part.TEST)]
    assert "III" not in (*split.of(Part.TRAIN).names(), *split.of(Part.VALID).names())
    rest = sum(POMBE.values()) - POMBE["III"]
    assert split.of(Part.VALID).bases / rest == pytest.approx(0.05, abs=0.01)


def test_validation_contigs_alone_leave_no_test_part():
    split = split_genome(POMBE, rng(), valid_contigs=["III"])
    assert split.of(Part.TEST).bases == 0
    assert split.of(Part.TRAIN).bases == sum(POMBE.values()) - POMBE["III"]


def test_train_contigs_leave_out_what_is_not_named():
    split = split_genome(POMBE, rng(), train_contigs=["II", "MT"], test_contigs=["III"])
    assert set(split.names()) == {"II", "III", "MT"}
    assert set(split.of(Part.TRAIN).names()) <= {"II", "MT"}


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_an_unknown_contig_is_named_beside_those_that_exist(part):
    with pytest.raises(InputError) as caught:
        split_genome(POMBE, rng(), **{f"{part}_contigs": ["chrI"]})
    assert str(caught.value) == (
        f"{part} contig 'chrI' is not in the genome, which has I, II, III, MT. Correct the name."
    )


def test_only_the_first_contigs_of_a_long_list_are_shown():
    with pytest.raises(InputError, match=r"which has s0, s1, s2, s3, s4, s5, s6, s7, \.\.\.\. Correct the name\."):
        split_genome(GENOMES["thousand scaffolds"], rng(), test_contigs=["x"])


@pytest.mark.parametrize(("one", "other"), [("train", "valid"), ("train", "test"), ("valid", "test")])
def test_one_contig_in_two_parts_is_refused(one, other):
    with pytest.raises(InputError) as caught:
        split_genome(POMBE, rng(), **{f"{one}_contigs": ["II"], f"{other}_contigs": ["II"]})
    assert str(caught.value) == f"contig 'II' is named for {one} and for {other}; choose one."


def test_a_name_given_twice_for_one_part_is_one_contig():
    split = split_genome(POMBE, rng(), valid_contigs=["II", "II"], test_contigs=["III"])
    assert split.of(Part.VALID).bases == POMBE["II"]


def test_nothing_left_for_training_is_refused():
    with pytest.raises(InputError) as caught:
        split_genome({"a": 10, "b": 10}, rng(), valid_contigs=["a"], test_contigs=["b"])
    assert str(caught.value) == (
        "no contig is left for training: every contig is named for validation or test; name fewer."
    )


@settings(max_examples=100)
@given(lengths=st.lists(st.integers(1, 200), min_size=1, max_size=12), seed=st.integers(0, 99))
def test_however_small_the_genome_something_is_left_to_train_on(lengths, seed):
    split = split_genome({str(i): n for i, n in enumerate(lengths)}, rng(seed))
    assert split.of(Part.TRAIN).bases > 0
    assert split.bases <= sum(lengths)


@settings(max_examples=100)
@given(
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=6),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_part_of_a_place_is_what_a_search_through_all_stretches_finds(lengths, seed, data):
    split = split_genome({str(i): n for i, n in enumerate(lengths)}, rng(seed))
    places = data.draw(st.lists(st.tuples(st.integers(0, len(lengths)), st.integers(0, 310)), max_size=60))
    contig, position = np.array(places, dtype=np.int64).reshape(-1, 2).T
    found = split.part_at(contig.astype(np.int32), position)
    assert found.dtype == np.int8
    for (here, at), part in zip(places, found.tolist(), strict=True):
        expected = [
            int(split.part[k])
            for k in range(len(split.part))
            if split.contig[k] == here and split.start[k] <= at < split.end[k]
        ]
        assert [part] == (expected or [-1])


def test_part_changes_exactly_at_the_ends():
    split = Stretches(
        contigs=("a", "b"),
        contig=np.array([0, 0, 1], dtype=np.int32),
        start=np.array([2, 6, 0]),
        end=np.array([5, 8, 1]),
        part=np.array([0, 2, 1], dtype=np.int8),
    )
    parts = split.part_at(np.zeros(10, dtype=np.int32), np.arange(10))
    assert parts.tolist() == [-1, -1, 0, 0, 0, -1, 2, 2, -1, -1]
    assert split.part_at(np.ones(2, dtype=np.int32), np.arange(2)).tolist() == [1, -1]
    assert split.of(Part.TEST).names() == ("a",)


def sites(**changes):
    columns = {
        "contig": np.array([0, 0, 0, 1], dtype=np.int32),
        "position": np.array([3, 3, 9, 1]),
        "strand": np.array([-1, 1, 1, 1], dtype=np.int8),
        "label": np.array([1, 0, 1, 0], dtype=np.int8),
        "part": np.zeros(4, dtype=np.int8),
        "block": np.arange(4),
    }
    return Sites(contigs=("a", "b"), **{**columns, **changes})


def test_sites_must_be_sorted_and_of_one_length():
    assert len(sites()) == 4
    with pytest.raises(ValueError, match="not sorted"):
        sites(position=np.array([3, 9, 3, 1]))
    with pytest.raises(ValueError, match="not sorted"):
        sites(strand=np.array([1, -1, 1, 1], dtype=np.int8))
    with pytest.raises(ValueError, match="not sorted"):
        sites(contig=np.array([1, 0, 0, 0], dtype=np.int32))
    with pytest.raises(ValueError, match="differ in length"):
        sites(label=np.array([1], dtype=np.int8))


def test_rows_of_sites_keep_their_columns_together():
    some = sites()[np.array([True, False, False, True])]
    assert some.position.tolist() == [3, 1]
    assert some.strand.tolist() == [-1, 1]
    assert some.block.tolist() == [0, 3]
    assert some.contigs == ("a", "b")


@pytest.mark.parametrize(
    ("pieces", "found"),
    [
        (["BVAB1", "_complete_genome", "II"], ("BVAB1,_complete_genome", "II")),
        (["a", "b", "c"], ("a,b,c",)),
        (["II", "x"], ("II", "x")),
        (["_complete_genome", "BVAB1"], ("_complete_genome", "BVAB1")),
        ([], ()),
    ],
)
def test_names_with_commas_are_put_together_again(pieces, found):
    assert put_together(pieces, {"BVAB1,_complete_genome", "II", "a,b,c"}) == found


def test_a_contig_with_a_comma_can_be_held_out():
    split = split_genome({"A,_1": 5000, "B": 90_000}, rng(), test_contigs=("A", "_1"))
    assert split.of(Part.TEST).names() == ("A,_1",)
