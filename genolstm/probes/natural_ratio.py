"""How many of the places of a genome that look like a point at first sight are positives: the ratio found in nature.

A file holds a few negatives for each positive, a genome hundreds. Candidates are the places of the test part, on the
strands of the positives, whose k-mer at the site is one that positives have.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import DNA, Codes
from genolstm.probes.controls import around_sites, kmers
from genolstm.probes.scores import auprc_at_prevalence
from genolstm.regions import Sites, Stretches
from genolstm.store.genome import Genome

SLAB = 1 << 22  # bases looked at at a time
LONGEST = 12  # bases of a shared k-mer that are looked for


@dataclass(frozen=True)
class NaturalRatio:
    """Fraction of candidates that are positives, and what candidates are."""

    prevalence: float
    what: str

    def of_target(self) -> dict[str, Any]:
        """Fields of a `ProbeTarget` that report AUPRC at this ratio, under the name that it has for splice sites."""
        score = partial(auprc_at_prevalence, prevalence=self.prevalence)
        return {
            "prevalence": self.prevalence, "more_scores": {"auprc_natural": score},
            "definition": {"natural_ratio": f"positives among places {self.what}"},
        }  # fmt: skip


@dataclass(frozen=True)
class KmerAtSite:
    """K-mers that candidates have, and the strands that they lie on.

    first : place of the first base from the site, along its strand.   kmers : sorted numbers in base 4, of `length`
    bases each.
    """

    first: int
    length: int
    kmers: NDArray[np.int64]
    strands: tuple[int, ...]

    def described(self) -> str:
        """What candidates are, as a phrase."""
        letters = {_letters(kmer, self.length) for kmer in self.kmers.tolist()}
        named = f"that have {letters.pop()}" if len(letters) == 1 else f"that have one of {len(letters)} k-mers"
        return f"{named} at {self.first:+d} of the site, on {'both strands' if len(self.strands) > 1 else 'its strand'}"

    def places_in(self, genome: Genome, stretches: Stretches) -> int:
        """Places in some stretches, on these strands, that have one of the k-mers within their contig."""
        count = 0
        for contig, start, end in zip(
            stretches.contig.tolist(), stretches.start.tolist(), stretches.end.tolist(), strict=True
        ):
            for low in range(start, end, SLAB):
                high = min(low + SLAB, end)
                count += sum(self._in_slab(genome, contig, low, high, reverse=sign < 0) for sign in self.strands)
        return count

    def _in_slab(self, genome: Genome, contig: int, low: int, high: int, *, reverse: bool) -> int:
        base, length = int(genome.starts[contig]), int(genome.lengths[contig])
        # bases that the k-mers of sites low .. high take, in the genome's direction
        before = self.first + self.length - 1 if reverse else -self.first
        after = -self.first if reverse else self.first + self.length - 1
        begin, end = max(low - before, 0), min(high + after, length)
        codes = genome.all_codes[base + begin : base + end]
        if reverse and genome.alphabet.complement is not None:
            codes = genome.alphabet.complement[codes[::-1]]
        if len(codes) < self.length:
            return 0
        return int(np.isin(kmers(codes[None], self.length, genome.alphabet.n_known)[0], self.kmers).sum())


def _letters(kmer: int, length: int) -> str:
    return "".join(DNA.letters[kmer // 4**place % 4] for place in reversed(range(length)))


def kmers_of_positives(genome: Genome, positives: Sites, first: int, length: int) -> KmerAtSite:
    """K-mers of positives at one place beside them. Those with an unknown base are passed over."""
    flank = max(abs(first), abs(first + length - 1))
    codes = around_sites(genome, positives, flank)[:, flank + first : flank + first + length]
    found = np.unique(kmers(codes, length, genome.alphabet.n_known))
    strands = tuple(sorted(set(positives.strand.tolist())))
    return KmerAtSite(first, length, found[found >= 0], strands)


def shared_kmer(codes: Codes, n_known: int) -> tuple[int, int] | None:
    """First place and length of the longest run of bases around the site that all sites share; None without one.

    codes : [N, W] along each site's strand, the site in the middle, which the run holds. A run of one base is none.
    """
    middle = codes.shape[1] // 2
    same = (codes == codes[:1]).all(axis=0) & (codes[0] < n_known)
    if not same[middle]:
        return None
    low = high = middle
    while low > max(0, middle - LONGEST) and same[low - 1]:
        low -= 1
    while high < min(len(same) - 1, middle + LONGEST) and same[high + 1]:
        high += 1
    return (low - middle, high - low + 1) if high > low else None
