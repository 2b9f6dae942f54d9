"""Score files of one genome: bits of the bases that all of them scored."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolstm.comparing.measured import Floats, Measured
from genolstm.errors import InputError
from genolstm.scoring.blocks import FEWEST_BLOCKS, Grid, resampled_sums
from genolstm.seeds import spawn
from genolstm.store.comparison import Shared
from genolstm.store.score import ScoreFile, open_score, read_score_tables

BITS, ALL, UNSEEN = "bits", "all shared bases", "contigs that no model saw"
Interval = tuple[int, int, int]  # contig, start, end


def measured_scores(
    paths: Mapping[str, Path], *, resamples: int, seed: int
) -> tuple[list[Measured], list[Shared], list[str]]:
    """Mean bits of each file over the bases that all scored, by blocks of the contigs' grid; contigs unseen apart.

    paths : name -> score file, all of one genome.   Returns the measures, what is shared, and notes.
    Raises InputError where the files share no stretch.
    """
    with ExitStack() as stack:
        files = {name: stack.enter_context(open_score(path)) for name, path in paths.items()}
        lengths = next(iter(files.values())).lengths
        both = _shared_stretches(files)
        bases = sum(end - start for _, start, end in both)
        grid = Grid.of_lengths(np.array(list(lengths.values()), np.int64), bases)
        sums, symbols = _block_sums(list(files.values()), both, grid)
    seen = np.stack([read_score_tables(path).seen for path in paths.values()])  # [files, contigs]
    of_contig = np.searchsorted(grid.first, np.arange(grid.blocks), side="right") - 1
    unseen = (seen == 0).all(axis=0)
    chosen = {ALL: symbols > 0, UNSEEN: (symbols > 0) & unseen[of_contig]}
    if not chosen[UNSEEN].any() or chosen[UNSEEN].sum() == chosen[ALL].sum():
        del chosen[UNSEEN]
    if not symbols.sum():
        raise InputError(f"{' and '.join(paths)} share no known base; score the same contigs.")
    measured = [
        _measure(target, sums[:, rows], symbols[rows], resamples, seed) for target, rows in chosen.items()
    ]  # fmt: skip
    shared = [Shared(target, int(symbols[rows].sum()), int(rows.sum())) for target, rows in chosen.items()]
    read = sorted({contig for contig, _, _ in both})
    return measured, shared, list(_notes(list(paths), list(lengths), seen[:, read], read))


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
    files: Sequence[ScoreFile], stretches: Sequence[Interval], grid: Grid
) -> tuple[Floats, NDArray[np.int64]]:
    """Bits of each file [files, blocks] and known symbols [blocks], over the strands that all files have."""
    places = [_Places(file) for file in files]
    strands = min(file.strands for file in files)
    sums, symbols = np.zeros((len(files), grid.blocks)), np.zeros(grid.blocks, np.int64)
    for contig, begin, stop in stretches:
        for block, start, end in grid.cut(contig, begin, stop):
            for strand in range(strands):
                bits = np.stack([each.read(strand, contig, start, end) for each in places]).astype(np.float64)
                known = np.isfinite(bits).all(axis=0)
                sums[:, block] += bits[:, known].sum(axis=1)
                symbols[block] += int(known.sum())
    return sums, symbols


class _Places:
    """Bits of a score file by place on the genome."""

    def __init__(self, file: ScoreFile) -> None:
        self.file = file
        self.first: dict[Interval, int] = {}
        first = 0
        for each in _intervals(file):
            self.first[each] = first
            first += each[2] - each[1]
        self.of_contig = _by_contig(self.first)

    def read(self, strand: int, contig: int, start: int, end: int) -> NDArray[np.float32]:
        """Bits of [start, end), which lies in one stretch."""
        (stretch,) = (each for each in self.of_contig[contig] if each[1] <= start and end <= each[2])
        first = self.first[stretch] + start - stretch[1]
        return self.file.read(strand, first, first + end - start)


def _measure(target: str, sums: Floats, symbols: NDArray[np.int64], resamples: int, seed: int) -> Measured:
    """Mean bits, and means in resamples of blocks. sums : [files, blocks].   symbols : [blocks]."""
    table = np.vstack([sums, symbols]).T.astype(np.float64)
    drawn = resampled_sums(table, spawn(seed, "bootstrap"), resamples).T
    return Measured(
        target=target, measure=BITS, values=sums.sum(axis=1) / symbols.sum(), drawn=drawn[:-1] / drawn[-1],
        lower_is_better=True, few_blocks=len(symbols) < FEWEST_BLOCKS,
    )  # fmt: skip


def _notes(names: Sequence[str], contigs: Sequence[str], seen: NDArray[np.int8], read: Sequence[int]) -> Iterator[str]:
    """Which models were trained on what is compared. seen : [files, contigs read]."""
    for name, row in zip(names, seen, strict=True):
        if known := [contigs[read[place]] for place in np.flatnonzero(row == 1).tolist()]:
            yield f"{name}: its model was trained on bases of {', '.join(known)}: bits there are not held out."
        elif (row < 0).any():
            yield f"{name}: its model comes from another genome; whether it met these bases cannot be told."
