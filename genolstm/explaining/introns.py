"""Whether a model couples the two ends of an intron beyond GT..AG pairs at the same distance."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import DNA, encode
from genolstm.errors import InputError
from genolstm.readers.annotation import Transcript
from genolstm.regions import Stretches
from genolstm.seeds import spawn
from genolstm.settings.explaining import DependencySettings
from genolstm.store.dependencies import CouplingTest
from genolstm.store.genome import Genome

GT, AG = (encode(text, DNA) for text in ("GT", "AG"))
SHORTEST = 20  # bp; what is annotated as shorter is a gap between reading frames
LOW, HIGH = 2.5, 97.5
KEY = 1 << 40  # a key has the contig above this bit
FEWEST_BLOCKS = 8  # of a bootstrap
COUPLED, UNCOUPLED, LESS, UNKNOWN = "coupled", "no coupling", "less than matched pairs", "cannot tell"
Whole = NDArray[np.int64]


class Pairs(NamedTuple):
    """GT..AG pairs; all int64 [n]. contig : index.   donor, acceptor : 0-based place of either G.   strand : +1 or -1.

    of : the intron that a matched pair belongs to; of introns their own number.
    """

    contig: Whole
    donor: Whole
    acceptor: Whole
    strand: Whole
    of: Whole


def introns_in(
    transcripts: Sequence[Transcript], genome: Genome, stretches: Stretches, settings: DependencySettings
) -> Pairs:
    """Introns that begin with GT and end with AG, within stretches and the window; at most as many as are wanted.

    Raises InputError where there is none.
    """
    index = {name: place for place, name in enumerate(genome.names)}
    rows = sorted(
        {
            (index[each.contig], int(start), int(end), 1 if each.strand == "+" else -1)
            for each in transcripts
            if len(each.coding)
            for start, end in each.introns()
        }
    )
    kept = [row for row in rows if _fits(row, genome, stretches, settings.window)]
    if not kept:
        raise InputError(
            f"no intron of the annotation lies in the regions, begins with GT, ends with AG and is {SHORTEST} to"
            f" {settings.window + 1} bp long; name another --region, or a longer --window."
        )
    rng = spawn(settings.seed, "introns")
    if len(kept) > settings.introns:
        kept = [kept[place] for place in np.sort(rng.choice(len(kept), settings.introns, replace=False)).tolist()]
    contig, start, end, strand = (np.array(column, dtype=np.int64) for column in zip(*kept, strict=True))
    donor, acceptor = np.where(strand > 0, start, end - 1), np.where(strand > 0, end - 1, start)
    return Pairs(contig, donor, acceptor, strand, np.arange(len(kept)))


def _fits(row: tuple[int, int, int, int], genome: Genome, stretches: Stretches, window: int) -> bool:
    contig, start, end, strand = row
    if not SHORTEST <= end - start <= window + 1:
        return False
    inside = (stretches.contig == contig) & (stretches.start <= start) & (stretches.end >= end)
    codes = genome.all_codes[int(genome.starts[contig]) + start : int(genome.starts[contig]) + end]
    if strand < 0:
        codes = DNA.complement[codes][::-1]  # type: ignore[index]
    return bool(inside.any()) and (codes[:2] == GT).all() and bool((codes[-2:] == AG).all())


def matched_pairs(introns: Pairs, genome: Genome, stretches: Stretches, settings: DependencySettings) -> Pairs:
    """For each intron some GT..AG pairs of the same strand at the same distance, no end of which is an intron's.

    Raises InputError where there is none at all.
    """
    rng = spawn(settings.seed, "matched")
    ends = np.concatenate([_key(introns.contig, introns.donor), _key(introns.contig, introns.acceptor)])
    donors: dict[int, Whole] = {}
    acceptors: dict[int, Whole] = {}
    for strand in (1, -1):
        for found, pair, place in ((donors, GT, 0), (acceptors, AG, 1)):
            found[strand] = np.setdiff1d(_places_of(genome, stretches, pair, strand, place), ends)
    rows: list[NDArray[np.int64]] = []
    for number in range(len(introns.of)):
        strand, distance = int(introns.strand[number]), int(introns.acceptor[number] - introns.donor[number])
        fitting = donors[strand][np.isin(donors[strand] + distance, acceptors[strand], assume_unique=True)]
        drawn = rng.choice(fitting, min(settings.matches, len(fitting)), replace=False)
        contig, donor = np.divmod(drawn, KEY)
        rows.append(
            np.stack([contig, donor, donor + distance, np.full_like(donor, strand), np.full_like(donor, number)])
        )
    columns = np.concatenate(rows, axis=1)
    if not columns.shape[1]:
        raise InputError("no GT..AG pair matches an intron in the regions; name a longer --region.")
    return Pairs(*columns)


def _key(contig: Whole, place: Whole) -> Whole:
    return contig.astype(np.int64) * KEY + place


def _places_of(
    genome: Genome, stretches: Stretches, pair: NDArray[np.uint8], strand: int, place: int
) -> NDArray[np.int64]:
    """Sorted keys of one base of every occurrence of two bases on a strand. place : which, 0 or 1 as they are read."""
    letters = pair if strand > 0 else DNA.complement[pair][::-1]  # type: ignore[index]
    at = place if strand > 0 else 1 - place
    found = []
    for contig, start, end in zip(
        stretches.contig.tolist(), stretches.start.tolist(), stretches.end.tolist(), strict=True
    ):
        codes = genome.all_codes[int(genome.starts[contig]) + start : int(genome.starts[contig]) + end]
        here = np.flatnonzero((codes[:-1] == letters[0]) & (codes[1:] == letters[1]))
        found.append(contig * KEY + start + at + here)
    return np.concatenate(found).astype(np.int64)


class Couplings:
    """Gathers D between the ends of pairs, from changes at both: a sink of `substitutions.dependencies_along`.

    A donor's G is changed on the gene's own strand, and D is taken at both bases of AG; an acceptor's G on the other
    strand, and D is taken at both bases of GT.
    """

    def __init__(self, genome: Genome, stretches: Stretches, pairs: Pairs) -> None:
        self.genome, self.pairs = genome, pairs
        shift = genome.starts[pairs.contig]
        self.of_strand = [shift + np.where(pairs.strand == sign, pairs.donor, pairs.acceptor) for sign in (1, -1)]
        self.values: dict[tuple[int, int], NDArray[np.float32]] = {}
        spans = stretches.end - stretches.start
        first = genome.starts[stretches.contig] + stretches.start
        self.chosen = np.zeros((2, int(spans.sum())), dtype=bool)
        for strand, address in enumerate(self.of_strand):
            stretch = np.searchsorted(first, address, side="right") - 1
            self.chosen[strand, address - first[stretch] + (np.cumsum(spans) - spans)[stretch]] = True

    def write(self, strand: int, address: Whole, values: NDArray[np.float32]) -> None:
        """Keep what depends on the ends of pairs."""
        self.values |= {(strand, place): row for place, row in zip(address.tolist(), values, strict=True)}

    def coupling(self) -> NDArray[np.float64]:
        """Mean of the four D of each pair, float64 [n]."""
        pairs, shift = self.pairs, self.genome.starts[self.pairs.contig]
        distance = np.abs(pairs.acceptor - pairs.donor)
        found = np.zeros(len(distance))
        for row, (donor, acceptor, sign, far) in enumerate(
            zip((pairs.donor + shift).tolist(), (pairs.acceptor + shift).tolist(), pairs.strand.tolist(),
                distance.tolist(), strict=True)
        ):  # fmt: skip
            own = 0 if sign > 0 else 1
            of_donor, of_acceptor = self.values[own, donor], self.values[1 - own, acceptor]
            # values begin at distance 1: the A of AG is one base nearer than its G, and so is the T of GT
            found[row] = np.mean([of_donor[far - 2], of_donor[far - 1], of_acceptor[far - 2], of_acceptor[far - 1]])
        return found


def joined(one: Pairs, other: Pairs) -> Pairs:
    """All pairs of both."""
    return Pairs(*(np.concatenate(columns) for columns in zip(one, other, strict=True)))


def coupling_test(
    model: str, introns: Pairs, value: NDArray[np.float64], matched: NDArray[np.float64], pairs: int,
    settings: DependencySettings,
) -> CouplingTest:  # fmt: skip
    """Mean difference of introns and their matched pairs, with its interval by a bootstrap over blocks of genome.

    value, matched : float64 [introns]; matched is the mean of each intron's pairs, NaN where it has none.
    """
    known = np.isfinite(matched)
    difference = (value - matched)[known]
    block = _key(introns.contig, np.minimum(introns.donor, introns.acceptor) // settings.block_bp)[known]
    _, number = np.unique(block, return_inverse=True)
    sums = np.stack([np.bincount(number, difference), np.bincount(number)])  # [2, blocks]
    blocks = sums.shape[1]
    low, high, verdict = float("-inf"), float("inf"), UNKNOWN
    if blocks >= FEWEST_BLOCKS:
        drawn = spawn(settings.seed, "bootstrap").integers(0, blocks, (settings.resamples, blocks))
        total, count = sums[:, drawn].sum(axis=2)
        low, high = (float(each) for each in np.percentile(total / count, [LOW, HIGH]))
        verdict = COUPLED if low > 0 else LESS if high < 0 else UNCOUPLED
    return CouplingTest(
        model, int(known.sum()), pairs, float(value[known].mean()), float(matched[known].mean()),
        float(difference.mean()), low, high, verdict,
    )  # fmt: skip


def means_of_matched(pairs: Pairs, values: NDArray[np.float64], introns: int) -> NDArray[np.float64]:
    """Mean of the matched pairs of each intron, NaN where it has none; float64 [introns]."""
    total, count = np.bincount(pairs.of, values, introns), np.bincount(pairs.of, minlength=introns)
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, total / count, np.nan)
