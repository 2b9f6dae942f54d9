"""Which fold predicts what: every base the one whose model and probe never met its contig or block."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.probes.folds import FoldModel
from genolstm.regions import Part, Stretches, stretches_from_rows
from genolstm.scoring.beside_markov import shared
from genolstm.seen import seen_in
from genolstm.store.candidates import Found
from genolstm.store.genome import Genome
from genolstm.store.prediction import MODEL, UNKNOWN

CONTIGS_NAMED = 6
ACROSS = "window across what two folds predict"
Rows = list[tuple[int, int, int, int]]


class FoldOwners:
    """The stretches of a genome that each fold predicts. by_fold : of each fold, in order.

    flags : uint8 [contigs], what has met a contig even so, bits of `store.prediction.FLAGS`: a near-duplicate of it is
    in the training part of the fold that held it out, or what a fold was trained on is not known.
    """

    def __init__(self, by_fold: Sequence[Stretches], flags: NDArray[np.uint8], genome: Genome) -> None:
        self.by_fold, self.flags = tuple(by_fold), flags
        first = [genome.starts[each.contig] for each in by_fold]
        start = np.concatenate([at + each.start for at, each in zip(first, by_fold, strict=True)])
        fold = np.repeat(np.arange(len(by_fold)), [len(each.start) for each in by_fold])
        order = np.argsort(start)
        self._start, self._fold = start[order], fold[order]

    def of(self, address: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of the fold, from 0, that predicts each place in the genome's codes: [n]."""
        found: NDArray[np.int64] = self._fold[np.searchsorted(self._start, address, side="right") - 1]
        return found

    def named(self, regions: Stretches) -> tuple[tuple[str, ...], ...]:
        """What each fold predicts of some regions, as samtools writes regions."""
        return tuple(
            tuple(f"{each.contigs[contig]}:{start + 1}-{end}" for contig, start, end, _ in shared(regions, each).rows)
            for each in self.by_fold
        )

    def own(self, candidates: Iterator[Found], fold: int, width: int) -> Iterator[Found]:
        """Those of some candidates that lie whole in what one fold predicts, from 0. width : bases of a candidate."""
        for found in candidates:
            mine = self.of(found.address) == fold
            mine &= self.of(found.address + width - 1) == fold
            yield Found(found.address[mine], found.strand[mine])

    def across(self, candidates: Iterator[Found], width: int) -> int:
        """How many windows lie across what two folds predict."""
        return sum(
            int((self.of(found.address) != self.of(found.address + width - 1)).sum())
            for found in (candidates if width > 1 else ())
        )


def fold_owners(models: Sequence[FoldModel], genome: Genome, wanted: Sequence[int]) -> FoldOwners:
    """Give every base of a genome to the fold that held it out, and what no fold has met to the first.

    models : of every fold, in order.   wanted : contigs with candidates.
    Raises InputError where each fold has met a wanted contig, of which none held out every base.
    """
    seen = [seen_in(each.checkpoint, genome) for each in models]
    flags = np.zeros(len(genome.names), dtype=np.uint8)
    rows: list[Rows] = [[] for _ in models]
    met: list[str] = []
    for contig, length in enumerate(genome.lengths.tolist()):
        held = [
            (fold, row)
            for fold, each in enumerate(seen)
            for row in each.split.of(Part.TEST).rows
            if row[0] == contig
        ]  # fmt: skip
        free = [fold for fold, each in enumerate(seen) if not each.recognised[contig] and contig not in each.near]
        if sum(end - start for _, (_, start, end, _) in held) != length:
            if not free and contig in wanted:
                met.append(genome.names[contig])
            # what is not wanted has an owner too, so that every place has one
            held = [(free[0] if free else 0, (contig, 0, length, int(Part.TEST)))]
        for fold, row in held:
            rows[fold].append(row)
            flags[contig] |= MODEL * (contig in seen[fold].near) | UNKNOWN * (not seen[fold].known)
    if met:
        more = f" and {len(met) - CONTIGS_NAMED} more" if len(met) > CONTIGS_NAMED else ""
        raise InputError(
            f"every fold has met {', '.join(met[:CONTIGS_NAMED])}{more} of {genome.path}: near-duplicates of what they"
            " were trained on, which none of them held out; leave them out with --region, or predict with the probe of"
            " one model, which marks them."
        )
    return FoldOwners([stretches_from_rows(genome.names, sorted(each)) for each in rows], flags, genome)
