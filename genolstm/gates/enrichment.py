"""Do some places of a track differ from others of the same composition? Matching, profiles and a permutation test.

Pure functions on arrays. A matched set is one place and M others with the same k-mer and GC content; under the
null hypothesis any member of a set might have been the place.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import DNA, Codes
from genolstm.estimate import Estimate

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

GC_REACH = 50  # bases on either side over which GC is counted
GC_BINS = 10
SLAB = 1 << 20  # positions per slab
PICKS = 1 << 22  # permuted labels that are held at once
NONE = -1  # in place of a position, and of the key of one that cannot be matched
_GC = np.isin(np.arange(DNA.n_symbols), [DNA.letters.index(letter) for letter in "GC"])


class PermutationResult(NamedTuple):
    """A difference and the probability of one as large under exchange.

    difference : mean over sets of place minus mean of its matches.   p : two-sided, (1 + b) / (1 + B).
    """

    difference: float
    p: float


def composition_keys(codes: Codes, start: int, end: int, *, sign: int, k: int) -> Ints:
    """One number for the composition at each position start .. end of a contig, int64 [end - start].

    codes : of the contig, forward strand.   sign : +1 or -1, the direction of reading.
    The k-mer that ends at the position as it is read, and GC among the known bases up to 50 on either
    side, in tenths. -1 where the k-mer holds an N or leaves the contig.
    """
    low, high = max(0, start - max(GC_REACH, k)), min(len(codes), end + max(GC_REACH, k))
    around = np.asarray(codes[low:high])
    known = around < DNA.n_known
    place = np.arange(start, end) - low
    letters = np.zeros(end - start, dtype=np.int64)
    whole = np.ones(end - start, dtype=np.bool_)
    for back in range(k - 1, -1, -1):  # the first letter read is the highest digit
        at = place - sign * back
        inside = (at >= 0) & (at < len(around))
        code = around[np.clip(at, 0, len(around) - 1)]
        whole &= inside & known[np.clip(at, 0, len(around) - 1)]
        if sign < 0:
            code = DNA.complement[code]  # type: ignore[index]
        letters = letters * DNA.n_known + code
    counts = np.concatenate([[0], np.cumsum(_GC[around])]), np.concatenate([[0], np.cumsum(known)])
    first, last = np.maximum(place - GC_REACH, 0), np.minimum(place + GC_REACH + 1, len(around))
    gc, bases = (count[last] - count[first] for count in counts)
    gc_bin = np.minimum(gc * GC_BINS // np.maximum(bases, 1), GC_BINS - 1)
    return np.where(whole, letters * GC_BINS + gc_bin, NONE)


def matched_positions(
    codes: Codes,
    positions: Ints,
    rng: np.random.Generator,
    *,
    sign: int,
    k: int,
    matches: int,
    barred: Ints | None = None,
    min_distance: int = 0,
    within: tuple[int, int] | None = None,
) -> Ints:
    """Positions of the same composition on the same contig, drawn evenly and never twice; int64 [N, matches].

    codes : of the contig.   positions : [N], 0-based.   sign, k : see `composition_keys`.
    barred, min_distance : no match lies within `min_distance` bases of a barred position (of the positions
    themselves unless given).
    within : only positions start .. end of the contig.
    A row is -1 throughout where the contig holds too few; nothing is reused to fill it.
    """
    start, end = within or (0, len(codes))
    keys = _keys_at(codes, positions, sign=sign, k=k)
    found = np.full((len(positions), matches), NONE, dtype=np.int64)
    needed, need = np.unique(keys[keys >= 0], return_counts=True)
    if not len(needed):
        return found
    bars = np.sort(positions if barred is None else barred)

    def slabs() -> Iterator[tuple[Ints, Ints]]:
        """Candidates and which of the needed keys each has."""
        for low in range(start, end, SLAB):
            high = min(low + SLAB, end)
            key = composition_keys(codes, low, high, sign=sign, k=k)
            slot = np.minimum(np.searchsorted(needed, key), len(needed) - 1)
            place = np.arange(low, high)
            near = np.searchsorted(bars, place + min_distance, side="right") > np.searchsorted(
                bars, place - min_distance
            )
            chosen = (needed[slot] == key) & ~near
            yield place[chosen], slot[chosen]

    counts = sum((np.bincount(slot, minlength=len(needed)) for _, slot in slabs()), np.zeros(len(needed), np.int64))
    # which of its candidates each key takes: ranks in order of position, so that the second pass finds them
    taken = np.minimum(need, counts // matches) * matches
    ranks = [np.sort(rng.choice(count, n, replace=False)) for count, n in zip(counts, taken, strict=True)]
    drawn = [[] for _ in needed]  # type: list[list[int]]
    seen, offset = np.zeros(len(needed), dtype=np.int64), int(counts.max(initial=0)) + 1
    wanted = np.concatenate([place * offset + each for place, each in enumerate(ranks)])  # ascending
    for place, slot in slabs():
        order = np.argsort(slot, kind="stable")
        sizes = np.bincount(slot, minlength=len(needed))
        rank = np.arange(len(slot)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + seen[slot[order]]
        label = slot[order] * offset + rank
        hit = np.isin(label, wanted, assume_unique=True)
        for key, position in zip(slot[order][hit].tolist(), place[order][hit].tolist(), strict=True):
            drawn[key].append(position)
        seen += sizes
    for key, value in enumerate(needed):
        rows = rng.permutation(np.flatnonzero(keys == value))[: taken[key] // matches]
        found[rows] = rng.permutation(np.array(drawn[key], dtype=np.int64)).reshape(len(rows), matches)
    return found


def _keys_at(codes: Codes, positions: Ints, *, sign: int, k: int) -> Ints:
    """`composition_keys` of single positions, [N], each slab that holds any computed once."""
    keys = np.full(len(positions), NONE, dtype=np.int64)
    for slab in np.unique(positions // SLAB).tolist():
        rows = np.flatnonzero(positions // SLAB == slab)
        low, high = int(positions[rows].min()), int(positions[rows].max()) + 1
        keys[rows] = composition_keys(codes, low, high, sign=sign, k=k)[positions[rows] - low]
    return keys


def edge_profile(track: NDArray[np.floating], positions: Ints, *, sign: int, reach: int) -> Floats:
    """Values of a track around positions, in the order of reading, float64 [N, 2 reach + 1]; NaN outside it.

    track : [L].   positions : [N], places in it.   sign : +1 or -1, the direction of reading.
    """
    at = positions[:, None] + sign * np.arange(-reach, reach + 1)
    inside = (at >= 0) & (at < len(track))
    values: Floats = np.where(inside, track[np.clip(at, 0, len(track) - 1)], np.nan).astype(np.float64)
    return values


def permutation_test(values: Floats, rng: np.random.Generator, *, permutations: int) -> PermutationResult:
    """Exchange places with their matches within each set, and see how often the difference becomes as large.

    values : [N, 1 + M], first that of the place, then those of its matches; no NaN.
    p is (1 + b) / (1 + B), b of B permutations having a difference of at least that size (Phipson & Smyth 2010).
    """
    n, members = values.shape
    if not n or members < 2:
        return PermutationResult(float("nan"), float("nan"))
    total = values.sum(axis=1, keepdims=True)
    differences = values - (total - values) / (members - 1)  # [N, 1 + M], were that member the place
    observed = float(differences[:, 0].mean())
    if not np.ptp(differences):
        return PermutationResult(observed, 1.0)
    flat, row = differences.ravel(), np.arange(n, dtype=np.int64) * members
    extreme, step = 0, max(1, PICKS // n)
    for first in range(0, permutations, step):
        some = min(step, permutations - first)
        picks = row + rng.integers(0, members, (some, n), dtype=np.uint8 if members < 256 else np.uint16)
        # a sum of many rounded numbers: what differs by rounding alone counts as equal
        extreme += int((np.abs(flat[picks].mean(axis=1)) >= abs(observed) * (1 - 1e-12)).sum())
    return PermutationResult(observed, (1 + extreme) / (1 + permutations))


def block_interval(differences: Floats, block: Ints, rng: np.random.Generator, *, resamples: int) -> Estimate:
    """Mean with a 95 % interval from a bootstrap over blocks. differences : [N].   block : [N], any numbers."""
    _, index = np.unique(block, return_inverse=True)
    sums = np.bincount(index, weights=differences)
    sizes = np.bincount(index)
    drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=resamples)  # [R, blocks]
    low, high = np.quantile((drawn @ sums) / (drawn @ sizes), (0.025, 0.975))
    return Estimate(float(differences.mean()), float(low), float(high))


ReadSpan = Callable[[int, int], NDArray[np.float32]]  # start, end on a contig -> track


def profiles_by_slab(
    read: ReadSpan, length: int, positions: Ints, *, sign: int, reach: int
) -> Iterator[tuple[Ints, Floats]]:
    """Profiles around positions of a contig of which only a slab is held at a time: rows of `positions`, profiles.

    positions : [N], any order; those below 0 are passed over.
    """
    order = np.argsort(positions, kind="stable")
    order = order[positions[order] >= 0]
    bounds = np.searchsorted(positions[order], np.arange(0, length + SLAB, SLAB))
    for slab, (first, last) in enumerate(pairwise(bounds)):
        if first == last:
            continue
        low, high = max(0, slab * SLAB - reach), min(length, (slab + 1) * SLAB + reach)
        rows = order[first:last]
        yield rows, edge_profile(read(low, high), positions[rows] - low, sign=sign, reach=reach)
