"""Mean bits inside coding sequence, untranslated regions, introns, and between genes; sense and antisense apart."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from genolstm.readers.annotation import Transcript
from genolstm.regions import Stretches
from genolstm.scoring.blocks import BLOCK_BP, covered, resampled_sums, slabs
from genolstm.store.score import ClassBits

# a base that is several things is the first of these
CLASSES = ("CDS", "UTR", "intron", "noncoding exon")
BETWEEN = "intergenic"
CLASS_NAMES = (*CLASSES, BETWEEN)
SENSE, ANTISENSE, BOTH = "sense", "antisense", "both"
Spans = NDArray[np.int64]
Painted = dict[tuple[str, int], dict[int, Spans]]


def class_spans(transcripts: Iterable[Transcript], contigs: Sequence[str]) -> Painted:
    """Merged spans of each class and strand: (class, +1 or -1) -> contig index -> int64 [k, 2], sorted, disjoint.

    Transcripts with coding sequence have CDS, UTR (the rest of their exons) and introns, all others noncoding exons
    and introns.
    """
    index = {name: place for place, name in enumerate(contigs)}
    drawn: dict[tuple[str, int], dict[int, list[Spans]]] = {
        (name, strand): {} for name in CLASSES for strand in (1, -1)
    }
    for transcript in transcripts:
        strand, contig = {"+": 1, "-": -1}[transcript.strand], index[transcript.contig]
        # where CDS and UTR overlap the base is CDS: that one is asked for first
        exons = "UTR" if len(transcript.coding) else "noncoding exon"
        for name, spans in (("CDS", transcript.coding), (exons, transcript.exons), ("intron", transcript.introns())):
            drawn[name, strand].setdefault(contig, []).append(spans)
    return {
        key: {contig: _merged(np.concatenate(spans)) for contig, spans in mine.items()} for key, mine in drawn.items()
    }


def _merged(spans: Spans) -> Spans:
    """Sort spans [k, 2] and join those that overlap or touch."""
    spans = spans[spans[:, 1] > spans[:, 0]]
    if not len(spans):
        return spans
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    reached = np.maximum.accumulate(spans[:, 1])
    begins = np.flatnonzero(np.append(True, spans[1:, 0] > reached[:-1]))
    return np.stack([spans[begins, 0], reached[np.append(begins[1:], len(spans)) - 1]], axis=1)


def class_bits(
    read: Callable[[int, int, int], NDArray[np.float32]],
    stretches: Stretches,
    painted: Painted,
    rng: np.random.Generator,
) -> tuple[ClassBits, ...]:
    """Mean bits of the scored bases of each class, with the 95 % interval of a bootstrap over blocks of 100 kb.

    read : strand, first, end -> bits of these scored bases, strand 0 forward.
    """
    blocks: dict[tuple[int, int], int] = {}
    names = [(name, sense) for name in CLASSES for sense in (SENSE, ANTISENSE)] + [(BETWEEN, BOTH)]
    sums: list[NDArray[np.float64]] = []  # of each block, [classes, 2]: bits, symbols
    for contig, first, start, end in slabs(stretches):
        for low in range(start - start % BLOCK_BP, end, BLOCK_BP):
            from_, to = max(low, start), min(low + BLOCK_BP, end)
            tracks = [read(strand, first + from_ - start, first + to - start) for strand in (0, 1)]
            place = blocks.setdefault((contig, low), len(blocks))
            if place == len(sums):
                sums.append(np.zeros((len(names), 2)))
            sums[place] += _block_sums(tracks, painted, contig, from_, to)
    table = np.stack(sums)  # [blocks, classes, 2]
    drawn = resampled_sums(table.reshape(len(table), -1), rng).reshape(-1, len(names), 2)
    with np.errstate(invalid="ignore"):
        means, values = drawn[:, :, 0] / drawn[:, :, 1], table.sum(axis=0)
    return tuple(
        ClassBits(
            name, sense, int(values[row, 1]), values[row, 0] / values[row, 1],
            *np.nanpercentile(means[:, row], [2.5, 97.5]).tolist(),
        )
        for row, (name, sense) in enumerate(names)
        if values[row, 1]
    )  # fmt: skip


def _block_sums(
    tracks: list[NDArray[np.float32]], painted: Painted, contig: int, start: int, end: int
) -> NDArray[np.float64]:
    """Bits and known bases of each class and sense in one block; [classes, 2]."""
    taken = np.zeros(end - start, dtype=bool)
    rows: list[tuple[float, int]] = []
    for plus, minus in _of_strands(painted, contig, start, end):
        taken |= plus | minus
        for own, other in ((0, 1), (1, 0)):
            rows.append(_sum([tracks[own][plus], tracks[other][minus]]))
    rows.append(_sum([tracks[0][~taken], tracks[1][~taken]]))
    return np.array(rows, dtype=np.float64)


def class_masks(painted: Painted, contig: int, start: int, end: int) -> list[NDArray[np.bool_]]:
    """Which bases of [start, end) are of each of `CLASS_NAMES`, on whichever strand; every base is of one."""
    masks = [plus | minus for plus, minus in _of_strands(painted, contig, start, end)]
    return [*masks, ~np.logical_or.reduce(masks)]


def _of_strands(
    painted: Painted, contig: int, start: int, end: int
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Bases of [start, end) that each class has on the forward and on the reverse strand, and no class before it."""
    taken = np.zeros(end - start, dtype=bool)
    nothing = np.zeros((0, 2), dtype=np.int64)
    for name in CLASSES:
        plus, minus = (covered(painted[name, strand].get(contig, nothing), start, end) & ~taken for strand in (1, -1))
        minus &= ~plus  # on both strands: read as on the forward one
        taken |= plus | minus
        yield plus, minus


def _sum(parts: list[NDArray[np.float32]]) -> tuple[float, int]:
    values = np.concatenate(parts).astype(np.float64)
    known = ~np.isnan(values)
    return float(values[known].sum()), int(known.sum())
