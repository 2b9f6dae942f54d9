"""Score files of one genome: bits of the bases that all of them scored, of all and of each class of an annotation."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolstm.comparing.measured import Floats, Measured, equal_blocks, widened
from genolstm.errors import InputError
from genolstm.readers.annotation import Annotation, Transcript, clip_to_genome, read_annotation
from genolstm.scoring.blocks import FEWEST_BLOCKS, Grid, resampled_sums
from genolstm.scoring.classes import CLASS_NAMES, Painted, class_masks, class_spans
from genolstm.seeds import spawn
from genolstm.store.comparison import Shared
from genolstm.store.score import SLAB, ScoreFile, open_score, read_score_tables

BITS, ALL, UNSEEN = "bits", "all shared bases", "contigs that no model saw"
CLASS_BITS = "bits by class"  # a measure of its own: p is corrected over the classes
Interval = tuple[int, int, int]  # contig, start, end


def genes_on(scores: Path, annotation: Path) -> tuple[Annotation, list[str]]:
    """Genes that lie on the genome of a score file, and a sentence for each thing that was left out.

    Raises InputError as `readers.annotation` and `files.open_file`.
    """
    with open_score(scores) as file:
        lengths = file.lengths
    genes, notes = clip_to_genome(
        read_annotation(annotation), lengths, annotation_name=str(annotation), genome_name=f"the genome of {scores}"
    )
    return genes, [*genes.warnings, *notes]


def measured_scores(
    paths: Mapping[str, Path], *, resamples: int, seed: int, transcripts: Sequence[Transcript] = ()
) -> tuple[list[Measured], list[Shared], list[str]]:
    """Mean bits of each file over the bases that all scored, by blocks of the contigs' grid; contigs unseen apart.

    paths : name -> score file, all of one genome.   transcripts : for the bits of each class of bases too, on contigs
    that no model saw where there are any.   Returns the measures, what is shared, and notes.
    Raises InputError where the files share no stretch.
    """
    with ExitStack() as stack:
        files = {name: stack.enter_context(open_score(path)) for name, path in paths.items()}
        lengths = next(iter(files.values())).lengths
        both = _shared_stretches(files)
        bases = sum(end - start for _, start, end in both)
        grid = Grid.of_lengths(np.array(list(lengths.values()), np.int64), bases)
        painted = class_spans(transcripts, tuple(lengths)) if transcripts else None
        sums, symbols = _block_sums(list(files.values()), both, grid, painted)
    seen = np.stack([read_score_tables(path).seen for path in paths.values()])  # [files, contigs]
    of_contig = np.searchsorted(grid.first, np.arange(grid.blocks), side="right") - 1
    unseen = (seen == 0).all(axis=0)[of_contig]  # [blocks]
    if not symbols[0].sum():
        raise InputError(f"{' and '.join(paths)} share no known base; score the same contigs.")
    rows = [(BITS, ALL, 0, symbols[0] > 0)]
    held_out = (symbols[0] > 0) & unseen
    if held_out.any() and held_out.sum() < rows[0][-1].sum():
        rows.append((BITS, UNSEEN, 0, held_out))
    judged = unseen if held_out.any() else np.ones_like(unseen)
    rows += [
        (CLASS_BITS, name, place, chosen)
        for place, name in enumerate(CLASS_NAMES[: len(symbols) - 1], start=1)
        if (chosen := (symbols[place] > 0) & judged).any()
    ]
    measured = [
        _measure(target, measure, sums[:, place, chosen], symbols[place, chosen], resamples, seed)
        for measure, target, place, chosen in rows
    ]
    shared = [Shared(target, int(symbols[place, chosen].sum()), int(chosen.sum())) for _, target, place, chosen in rows]
    read = sorted({contig for contig, _, _ in both})
    notes = list(_notes(list(paths), list(lengths), seen[:, read], read))
    if painted is not None:
        notes.append(_note_of_classes(np.array(list(lengths))[np.unique(of_contig[held_out])].tolist()))
    return measured, shared, notes


def _note_of_classes(held_out: Sequence[str]) -> str:
    if held_out:
        return f"classes: bases of {', '.join(held_out)}, which no model saw; both strands' readings of each base."
    return "classes: no contig is known to be new to every model, so that these bits are not held out."


def _shared_stretches(files: Mapping[str, ScoreFile]) -> list[Interval]:
    """Stretches that all files scored. Raises InputError where there are none."""
    first, *others = (list(_intervals(file)) for file in files.values())
    for other in others:
        of_contig = _by_contig(other)
        first = [
            (contig, max(start, low), min(end, high))
            for contig, start, end in first
            for _, low, high in of_contig[contig]
            if max(start, low) < min(end, high)
        ]
    if not first:
        raise InputError(f"{' and '.join(files)} scored no stretch in common; score the same contigs.")
    return first


def _intervals(file: ScoreFile) -> Iterator[Interval]:
    """What was scored; files of one genome number its contigs alike."""
    stretches = file.stretches
    yield from zip(stretches.contig.tolist(), stretches.start.tolist(), stretches.end.tolist(), strict=True)


def _by_contig(intervals: Iterable[Interval]) -> dict[int, list[Interval]]:
    found: defaultdict[int, list[Interval]] = defaultdict(list)
    for each in intervals:
        found[each[0]].append(each)
    return found


def _block_sums(
    files: Sequence[ScoreFile], stretches: Sequence[Interval], grid: Grid, painted: Painted | None
) -> tuple[Floats, NDArray[np.int64]]:
    """Bits of each file [files, rows, blocks] and known symbols [rows, blocks], over the strands that all files have.

    The first row is of all bases, the others are of the classes where there are any.
    """
    places = [_Places(file) for file in files]
    strands, rows = min(file.strands for file in files), 1 if painted is None else 1 + len(CLASS_NAMES)
    sums, symbols = np.zeros((len(files), rows, grid.blocks)), np.zeros((rows, grid.blocks), np.int64)
    for contig, begin, stop in stretches:
        for block, start, end in grid.cut(contig, begin, stop):
            masks = [np.ones(end - start, dtype=np.bool_)]
            if painted is not None:
                masks += class_masks(painted, contig, start, end)
            for strand in range(strands):
                bits = np.stack([each.read(strand, contig, start, end) for each in places]).astype(np.float64)
                known = np.isfinite(bits).all(axis=0)
                for row, mask in enumerate(masks):
                    sums[:, row, block] += bits[:, known & mask].sum(axis=1)
                    symbols[row, block] += int((known & mask).sum())
    return sums, symbols


class _Places:
    """Bits of a score file by place on the genome; what is read next lies near what was read last."""

    def __init__(self, file: ScoreFile) -> None:
        self.file = file
        self.first: dict[Interval, int] = {}
        first = 0
        for each in _intervals(file):
            self.first[each] = first
            first += each[2] - each[1]
        self.of_contig, self.bases = _by_contig(self.first), first
        self.held: dict[int, tuple[int, NDArray[np.float32]]] = {}  # of each strand, where it begins

    def read(self, strand: int, contig: int, start: int, end: int) -> NDArray[np.float32]:
        """Bits of [start, end), which lies in one stretch."""
        (stretch,) = (each for each in self.of_contig[contig] if each[1] <= start and end <= each[2])
        first = self.first[stretch] + start - stretch[1]
        stop = first + end - start
        begin, bits = self.held.get(strand, (0, np.zeros(0, dtype=np.float32)))
        if first < begin or stop > begin + len(bits):  # of short stretches, many at a time
            begin, bits = first, self.file.read(strand, first, min(self.bases, max(stop, first + SLAB)))
            self.held[strand] = begin, bits
        return bits[first - begin : stop - begin]


def _measure(
    target: str, measure: str, sums: Floats, symbols: NDArray[np.int64], resamples: int, seed: int
) -> Measured:
    """Mean bits, and means in resamples of blocks, widened. sums : [files, blocks].   symbols : [blocks]."""
    table = np.vstack([sums, symbols]).T.astype(np.float64)
    drawn = resampled_sums(table, spawn(seed, "bootstrap"), resamples).T
    values, blocks = sums.sum(axis=1) / symbols.sum(), equal_blocks(symbols)
    means = widened(drawn[:-1] / drawn[-1], values, blocks, spawn(seed, "spread of few blocks"))
    return Measured(
        target=target, measure=measure, values=values, drawn=means,
        lower_is_better=True, few_blocks=blocks < FEWEST_BLOCKS,
    )  # fmt: skip


def _notes(names: Sequence[str], contigs: Sequence[str], seen: NDArray[np.int8], read: Sequence[int]) -> Iterator[str]:
    """Which models were trained on what is compared. seen : [files, contigs read]."""
    for name, row in zip(names, seen, strict=True):
        if known := [contigs[read[place]] for place in np.flatnonzero(row == 1).tolist()]:
            yield f"{name}: its model was trained on bases of {', '.join(known)}: bits there are not held out."
        elif (row < 0).any():
            yield f"{name}: its model comes from another genome; whether it met these bases cannot be told."
