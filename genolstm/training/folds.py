"""Held-out sets of a small genome, one a fold, so that every base is held out once: contigs, or blocks of them.

Contigs are dealt to the folds whole where that gives folds of similar size. Else the genome is cut into blocks of a
multiple of 100 kb, at least two a fold where it is long enough, which are dealt to the folds in a drawn order. Folds
do not depend on the seed of a training, so that models of several seeds are judged on the same. The training stretches
keep a guard of 1 kb (less in a tiny genome) from everything that is held out beside them on their contig.
"""

from itertools import pairwise

import numpy as np

from genolstm.errors import InputError
from genolstm.regions import MARGIN_BP, Part, Stretches, block_length, stretches_from_rows
from genolstm.seeds import spawn
from genolstm.store.genome import Genome

UNIT_BP = 100_000  # of the length of a block
BLOCKS_A_FOLD = 2
MOST_UNEVEN = 2.0  # largest fold of whole contigs over the mean
VALID_FRACTION = 0.1  # of what is not held out: probes choose on it too
DEALT_BY = 0  # seed of the draws: the same folds in every training
Span = tuple[int, int, int]  # contig, start, end


def fold_split(genome: Genome, folds: int, fold: int) -> Stretches:
    """What is for training, validation and test in one fold, from 1. Every base is for test in exactly one.

    Raises InputError for more folds than there are blocks.
    """
    test = [span for span, number in _dealt(genome, folds) if number == fold]
    rest = _without(genome, test)
    bases = sum(end - start for _, start, end in rest)
    size = block_length(UNIT_BP, bases)
    valid = _drawn(_cut(rest, size), VALID_FRACTION * bases, fold)
    guard = min(MARGIN_BP, size // 10)
    rows = [(*span, Part.TEST) for span in _joined(test)] + [(*span, Part.VALID) for span in _joined(valid)]
    rows += [(*span, Part.TRAIN) for span in _guarded(_without(genome, [*test, *valid]), genome, guard)]
    return stretches_from_rows(genome.names, sorted(rows))


def _dealt(genome: Genome, folds: int) -> list[tuple[Span, int]]:
    """Every contig or block, with its fold."""
    spans: list[Span] = [(contig, 0, length) for contig, length in enumerate(genome.lengths.tolist())]
    whole = _by_size(spans, folds)
    sizes = np.bincount([fold for _, fold in whole], [end for (_, _, end), _ in whole], folds + 1)[1:]
    if sizes.min() > 0 and sizes.max() <= MOST_UNEVEN * sizes.mean():
        return whole
    total = int(genome.lengths.sum())
    size = max(UNIT_BP, total // (BLOCKS_A_FOLD * folds) // UNIT_BP * UNIT_BP)
    blocks = _cut(spans, size)
    if len(blocks) < folds:
        raise InputError(
            f"{genome.path} cannot be split into {folds} folds: it has {len(spans)} contigs, and {len(blocks)} blocks"
            f" of {UNIT_BP:,} bases; lower --folds."
        )
    order = spawn(DEALT_BY, "folds").permutation(len(blocks)).tolist()
    return _by_size([blocks[place] for place in order], folds)


def _by_size(spans: list[Span], folds: int) -> list[tuple[Span, int]]:
    """Spans dealt to folds from 1: the longest first, each to the fold that has least."""
    sizes, dealt = [0] * folds, []
    for span in sorted(spans, key=lambda span: span[1] - span[2]):
        fold = sizes.index(min(sizes))
        sizes[fold] += span[2] - span[1]
        dealt.append((span, fold + 1))
    return dealt


def _cut(spans: list[Span], size: int) -> list[Span]:
    """Spans cut into blocks of one size; an end of less than half of it stays with the block before."""
    blocks = []
    for contig, start, end in spans:
        count = max(1, (end - start + size // 2) // size)
        cuts = [start + place * size for place in range(count)] + [end]
        blocks += [(contig, low, high) for low, high in pairwise(cuts) if low < high]
    return blocks


def _drawn(blocks: list[Span], goal: float, fold: int) -> list[Span]:
    """Some blocks, until their bases are nearest to a goal; one at least, and one at least is left."""
    taken = 0
    found: list[Span] = []
    for place in spawn(DEALT_BY, "validation of a fold", fold).permutation(len(blocks))[: len(blocks) - 1].tolist():
        _, start, end = blocks[place]
        if found and taken + (end - start) / 2 >= goal:
            break
        found.append(blocks[place])
        taken += end - start
    return found


def _joined(spans: list[Span]) -> list[Span]:
    """Sorted spans, those that touch made one."""
    joined: list[Span] = []
    for contig, start, end in sorted(spans):
        if joined and joined[-1][0] == contig and joined[-1][2] == start:
            joined[-1] = (contig, joined[-1][1], end)
        else:
            joined.append((contig, start, end))
    return joined


def _without(genome: Genome, spans: list[Span]) -> list[Span]:
    """What some spans leave of the genome."""
    left = []
    for contig, length in enumerate(genome.lengths.tolist()):
        at = 0
        for _, start, end in (span for span in _joined(spans) if span[0] == contig):
            if at < start:
                left.append((contig, at, start))
            at = end
        if at < length:
            left.append((contig, at, length))
    return left


def _guarded(spans: list[Span], genome: Genome, guard: int) -> list[Span]:
    """Spans without their first and last bases, where these are no ends of their contig."""
    guarded = [
        (contig, start + guard * (start > 0), end - guard * (end < int(genome.lengths[contig])))
        for contig, start, end in spans
    ]
    return [span for span in guarded if span[1] < span[2]]
