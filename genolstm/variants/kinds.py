"""Kinds of single-base changes: substitution and trinucleotide, both strands as one; 96 of them."""

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import DNA
from genolstm.regions import Stretches
from genolstm.store.genome import Genome
from genolstm.variants.places import Alleles

N_KINDS = 128  # numbers; 96 are in use, those of the strand on which the changed base is C or T
PYRIMIDINES = (1, 3)
WINDOWS, WINDOW_BP = 4, 50_000  # stretches of held-out sequence that changes are drawn on
NONE = -1
Whole = NDArray[np.int64]


def kinds_of(genome: Genome, alleles: Alleles) -> Whole:
    """Kind of each allele, int64 [A]; -1 for what is no single-base change, or has an unknown or no neighbour."""
    single = (alleles.end - alleles.start == 1) & (np.diff(alleles.first) == 1)
    place = genome.starts[alleles.contig] + alleles.start
    inner = single & (alleles.start > 0) & (alleles.end < genome.lengths[alleles.contig])
    found = np.full(len(alleles), NONE, dtype=np.int64)
    rows = np.flatnonzero(inner)
    if len(rows):
        around = genome.all_codes[place[rows, None] + np.arange(-1, 2)].astype(np.int64)  # [n, 3]
        new = alleles.letters[alleles.first[:-1][rows]].astype(np.int64)
        known = (around < DNA.n_known).all(axis=1) & (new < DNA.n_known)
        found[rows[known]] = _numbers(around[known], new[known])
    return found


def _numbers(around: Whole, new: Whole) -> Whole:
    """Number of each change on the strand on which the changed base is C or T. around : [n, 3].   new : [n]."""
    turned = ~np.isin(around[:, 1], PYRIMIDINES)
    pairing = DNA.complement.astype(np.int64)  # type: ignore[union-attr]
    left, old, right = around.T.copy()
    left, right = np.where(turned, pairing[right], left), np.where(turned, pairing[left], right)
    old, new = np.where(turned, pairing[old], old), np.where(turned, pairing[new], new)
    numbers: Whole = ((left * 4 + right) * 4 + new) * 2 + (old == PYRIMIDINES[1])
    return numbers


def drawn_changes(genome: Genome, held_out: Stretches, number: int, rng: np.random.Generator) -> tuple[Alleles, Whole]:
    """Up to `number` changes of each kind, drawn on some windows of held-out stretches, and their kinds."""
    spans = held_out.end - held_out.start
    rows = rng.choice(len(spans), WINDOWS, p=spans / spans.sum())
    contig, position = [], []
    taken: set[tuple[int, int]] = set()
    for row in rows.tolist():
        length = min(WINDOW_BP, int(spans[row]))
        start = int(held_out.start[row]) + int(rng.integers(int(spans[row]) - length + 1))
        where = [at for at in range(start, start + length) if (int(held_out.contig[row]), at) not in taken]
        taken |= {(int(held_out.contig[row]), at) for at in where}
        contig.append(np.full(3 * len(where), int(held_out.contig[row]), dtype=np.int64))
        position.append(np.repeat(np.array(where, dtype=np.int64), 3))
    at = np.concatenate(position)
    of = np.concatenate(contig)
    old = genome.all_codes[genome.starts[of] + at].astype(np.int64)
    new = (old + np.tile(np.arange(1, 4), len(at) // 3)) % DNA.n_known
    everything = _singles(of, at, new.astype(np.uint8))
    kinds = np.where(old < DNA.n_known, kinds_of(genome, everything), NONE)
    order = rng.permutation(np.flatnonzero(kinds >= 0))
    order = order[np.argsort(kinds[order], kind="stable")]
    rank = np.arange(len(order)) - np.searchsorted(kinds[order], kinds[order])
    kept = np.sort(order[rank < number])
    return _singles(of[kept], at[kept], new[kept].astype(np.uint8)), kinds[kept]


def _singles(contig: Whole, position: Whole, letters: NDArray[np.uint8]) -> Alleles:
    return Alleles(contig=contig, start=position, end=position + 1, letters=letters, first=np.arange(len(contig) + 1))


class Percentiles:
    """Log-likelihood ratios of drawn changes by kind, and the percentile of others among them."""

    def __init__(self, kinds: Whole, ratios: NDArray[np.float64]) -> None:
        self.of_kind = [np.sort(ratios[kinds == kind]) for kind in range(N_KINDS)]

    def of(self, kinds: Whole, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
        """Per cent of the changes of its kind that are less likely; ties count half; NaN without any. [n]."""
        found = np.full(len(kinds), np.nan)
        for kind in np.unique(kinds[kinds >= 0]).tolist():
            background, mine = self.of_kind[kind], kinds == kind
            if len(background):
                below, upto = (np.searchsorted(background, ratios[mine], side) for side in ("left", "right"))
                found[mine] = 50 * (below + upto) / len(background)
        return found
