"""Folds of a small genome: every base is held out once, at a distance from what is trained on."""

import numpy as np
import pytest

from genolstm.errors import InputError
from genolstm.regions import Part
from genolstm.training.folds import fold_split

LARGE = 1_000_000


@pytest.fixture(scope="module")
def single(genome_of):
    """One contig of 1 Mb."""
    return genome_of({"one": np.zeros(LARGE, dtype=np.uint8)})


def covered(genome, splits, part):
    """How often each base of a genome is for one part."""
    times = np.zeros(int(genome.lengths.sum()), dtype=np.int64)
    for split in splits:
        for contig, start, end, kind in split.rows:
            if kind == part:
                times[int(genome.starts[contig]) + start : int(genome.starts[contig]) + end] += 1
    return times


def test_every_base_is_held_out_in_one_fold(single, genome_of):
    contigs = {
        name: np.zeros(length, dtype=np.uint8) for name, length in zip("abcdef", range(3000, 9000, 1000), strict=True)
    }
    for genome, folds in ((single, 5), (single, 7), (genome_of(contigs), 3)):
        splits = [fold_split(genome, folds, fold) for fold in range(1, folds + 1)]
        assert (covered(genome, splits, Part.TEST) == 1).all()
        assert all(split.of(part).bases for split in splits for part in Part)


def test_contigs_stay_whole_where_folds_of_them_are_alike(genome_of):
    genome = genome_of(
        {name: np.zeros(length, dtype=np.uint8) for name, length in (("a", 5000), ("b", 3000), ("c", 2500))}
    )
    tested = [fold_split(genome, 2, fold).of(Part.TEST).rows for fold in (1, 2)]
    assert tested == [[(0, 0, 5000, Part.TEST)], [(1, 0, 3000, Part.TEST), (2, 0, 2500, Part.TEST)]]


def test_blocks_are_multiples_of_100_kb(single, genome_of):
    for genome, folds in (
        (single, 5),
        (single, 10),
        (genome_of({"a": np.zeros(LARGE, np.uint8), "b": np.zeros(70_000, np.uint8)}), 2),
    ):
        ends = {
            end for fold in range(1, folds + 1) for _, start, stop, part in fold_split(genome, folds, fold).rows
            if part == Part.TEST for end in (start, stop)
        }  # fmt: skip
        assert {end % 100_000 for end in ends} <= {0, 70_000}


@pytest.mark.parametrize("fold", [1, 2, 3, 4, 5])
def test_training_keeps_a_guard_from_all_that_is_held_out(single, fold):
    split = fold_split(single, 5, fold)
    held_out = split.only(split.part != Part.TRAIN)
    for _, start, end, _ in split.of(Part.TRAIN).rows:
        for _, first, last, _ in held_out.rows:
            assert max(start - last, first - end) >= 1000
    assert 0.05 < split.of(Part.VALID).bases / (LARGE - split.of(Part.TEST).bases) < 0.15


def test_more_folds_than_blocks_are_refused(single):
    with pytest.raises(InputError, match=r"cannot be split into 11 folds: it has 1 contigs, and 10 blocks of 100,000"):
        fold_split(single, 11, 1)
