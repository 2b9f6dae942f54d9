"""Blocks off the diagonal of a dependency map, each beside pairs of the same bases at about the same distance."""

import numpy as np
from numpy.typing import NDArray

from genolstm.store.dependencies import DependencyBlock

SIDE = 3  # bases of a block
APART = 3  # sides from the start of a block to that of another
NEAREST = 8  # bases between the middles of a block, at least: nearer ones depend on each other everywhere
BANDS = 8  # distances that are one class, so that each has some thousand pairs
FEWEST = 50  # pairs of a class in which one can stand out
LETTERS = 4
MAD_OF_NORMAL = 1.4826  # standard deviation of a normal distribution over its median absolute deviation
Floats = NDArray[np.float64]


def pair_map(forward: NDArray[np.floating], reverse: NDArray[np.floating]) -> Floats:
    """Both directions of each pair, [n, window]: at (i, d - 1) the sum of D[i, i + d] and D[i + d, i].

    forward, reverse : [n, window], what depends on each base after it, and before it. NaN past the stretch.
    """
    n, window = forward.shape
    pairs = np.full((n, window), np.nan)
    for distance in range(1, min(window, n - 1) + 1):
        here = slice(0, n - distance)
        pairs[here, distance - 1] = forward[here, distance - 1] + reverse[distance:, distance - 1]
    return pairs


def corrected(values: NDArray[np.float32], sign: int) -> Floats:
    """What a base does to another beyond its distance, beyond what it does and what is done to the other everywhere.

    In medians of each distance. A base whose change ends a reading frame moves all that follows, and some predictions
    move with any change: what is expected is the product of both bases' medians over that of all, like the average
    product correction of contact maps (Dunn et al. 2008), by direction.

    values : float32 [n, window], at distance 1, 2, ...   sign : +1 where these are after the base, -1 before it.
    """
    n, window = values.shape
    relative = np.full((n, window), np.nan)
    for distance, column in enumerate(values.T):
        known = column[np.isfinite(column)]
        median = float(np.median(known)) if known.size else 0.0
        if median > 0:
            relative[:, distance] = column / median
    other = np.arange(n)[:, None] + sign * np.arange(1, window + 1)
    inside = np.isfinite(relative) & (other >= 0) & (other < n)
    relative[~inside] = np.nan
    done_to = np.full((n, window), np.nan)  # the same values by the other base
    at, distance_at = np.nonzero(inside)
    done_to[other[at, distance_at], distance_at] = relative[at, distance_at]
    cause, effect = _row_medians(relative), _row_medians(done_to)
    # medians: one pair that stands out is not to be taken for what its bases do everywhere
    overall = max(float(np.median(cause)), np.finfo(np.float64).tiny)
    beyond: Floats = relative - cause[:, None] * effect[np.clip(other, 0, n - 1)] / overall
    return beyond


def _row_medians(values: Floats) -> Floats:
    """Median of what is known in each row, 1 where nothing is: [n]."""
    known = np.isfinite(values).any(axis=1)
    medians = np.ones(len(values))
    medians[known] = np.nanmedian(values[known], axis=1)
    return medians


def squares(pairs: Floats, side: int = SIDE) -> Floats:
    """Sum over the square of bases i .. i + side and i + d .. i + d + side, [n, window]; NaN where it is not whole."""
    n, window = pairs.shape
    total = np.zeros((n, window))
    for row in range(side):
        for column in range(side):
            shift = column - row
            moved = np.full((n, window), np.nan)
            of = pairs[row:]
            low, high = max(0, -shift), window - max(0, shift)
            moved[: n - row, low:high] = of[:, low + shift : high + shift]
            total += moved
    return total


def strongest_blocks(
    forward: NDArray[np.float32],
    reverse: NDArray[np.float32],
    codes: NDArray[np.uint8],
    *,
    contig: int,
    start: int,
    most: int,
    side: int = SIDE,
) -> list[DependencyBlock]:
    """The blocks that stand out most from their class, each apart from the others by two sides at least.

    A class is the two middle bases and a band of distances; z and p are taken within it, of sums of `corrected`.
    codes : uint8 [n].   start : of the stretch in its contig.
    """
    raw = squares(pair_map(forward, reverse), side)
    value = squares(pair_map(corrected(forward, 1), corrected(reverse, -1)), side)
    n, window = value.shape
    matched, middle_of, spread, count, rank = (np.full((n, window), np.nan) for _ in range(5))
    middle = side // 2
    for band in range(NEAREST - 1, window, BANDS):
        columns = slice(band, min(band + BANDS, window))
        distance = np.arange(columns.start, columns.stop) + 1
        other = np.arange(n)[:, None] + middle + distance
        letter = codes[np.minimum(np.arange(n) + middle, n - 1)].astype(np.int64)
        pair = letter[:, None] * (LETTERS + 1) + codes[np.minimum(other, n - 1)]
        known = np.isfinite(value[:, columns]) & (letter[:, None] < LETTERS)
        for kind in np.unique(pair[known]):
            mine = known & (pair == kind)
            if mine.sum() < FEWEST:
                continue
            of = value[:, columns][mine]
            centre = float(np.median(of))
            matched[:, columns][mine] = np.median(raw[:, columns][mine])
            middle_of[:, columns][mine] = centre
            spread[:, columns][mine] = MAD_OF_NORMAL * np.median(np.abs(of - centre))
            count[:, columns][mine] = len(of)
            order = np.argsort(-of, kind="stable")
            ranks = np.empty(len(of))
            ranks[order] = np.arange(1, len(of) + 1)
            rank[:, columns][mine] = ranks
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(spread > 0, (value - middle_of) / spread, np.nan)
    found: list[DependencyBlock] = []
    left = np.where(np.isfinite(z), z, -np.inf)
    while len(found) < most and left.size and np.isfinite(highest := left.max()):
        i, d = (int(each) for each in np.unravel_index(left.argmax(), left.shape))
        j = i + d + 1
        found.append(
            DependencyBlock(
                contig, start + i, start + i + side, start + j, start + j + side, float(raw[i, d]),
                float(matched[i, d]), float(highest), int(count[i, d]), float(rank[i, d] / count[i, d]),
            )
        )  # fmt: skip
        reach = APART * side  # one stem or repeat would else be told many times, a base further each time
        rows = slice(max(0, i - reach + 1), i + reach)
        apart = np.abs(np.arange(n)[rows, None] + np.arange(window) + 1 - j)
        left[rows][apart < reach] = -np.inf
    return found
