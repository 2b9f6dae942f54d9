"""What recall gains, in windows of 10 kb: sums of every row that is read, added up alike whoever read it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.scoring.blocks import BLOCK_BP, mean_difference
from genolstm.seeds import spawn
from genolstm.store.recall import ALL_READ, BEST_WINDOWS, TEST, WINDOW_BP, RecallBits

PARTS = (ALL_READ, TEST)  # all that was read, and what of it was held out for testing
READ, TESTED = range(len(PARTS))
NETWORK, MIXED, WITHOUT, COUNTS = range(4)  # the lines of bits
LINES = 4
COLUMNS = 4 + LINES  # of a table of sums


class RowSums:
    """Known bases of one row, and their bits by each line, in every window of 10 kb of its contig.

    symbols : [PARTS, windows].   bits : [PARTS, windows, LINES].
    """

    def __init__(self, contig_bases: int) -> None:
        windows = -(-contig_bases // WINDOW_BP)
        self.symbols = np.zeros((len(PARTS), windows), dtype=np.int64)
        self.bits = np.zeros((len(PARTS), windows, LINES))

    def add(self, part: int, position: NDArray[np.int64], bits: NDArray[np.float64]) -> None:
        """Add known bases of the contig. bits : [n, LINES]."""
        window = position // WINDOW_BP
        low = int(window.min(initial=self.symbols.shape[1]))
        counted = np.bincount(window - low) if len(window) else np.zeros(0, dtype=np.int64)
        here = slice(low, low + len(counted))
        self.symbols[part, here] += counted
        for line in range(LINES):
            self.bits[part, here, line] += np.bincount(window - low, bits[:, line])

    def table(self, row: int, first_window: int) -> NDArray[np.float64]:
        """Number of the row, part, window of the genome, symbols and bits of each that has any: [n, COLUMNS]."""
        part, window = np.nonzero(self.symbols)
        columns = (np.full(len(part), row), part, first_window + window, self.symbols[part, window])
        return np.column_stack([*columns, self.bits[part, window]]).astype(np.float64)


class Sums(NamedTuple):
    """Known bases of all rows, and their bits by each line, in every window. symbols : [windows].   bits : [windows,
    LINES].
    """  # noqa: D205

    symbols: NDArray[np.int64]
    bits: NDArray[np.float64]


def summed(tables: NDArray[np.float64], part: int, windows: int) -> Sums:
    """Sums over rows, always in the same order, whichever process read them."""
    mine = tables[tables[:, 1] == part]
    mine = mine[np.lexsort((mine[:, 2], mine[:, 0]))]
    found = Sums(np.zeros(windows, dtype=np.int64), np.zeros((windows, LINES)))
    window = mine[:, 2].astype(np.int64)
    np.add.at(found.symbols, window, mine[:, 3].astype(np.int64))
    np.add.at(found.bits, window, mine[:, 4:])
    return found


def recall_bits(mode: str, part: str, sums: Sums, seed: int) -> RecallBits:
    """Means over all windows, how the gain is spread over them, and whether there is one."""
    used = sums.symbols > 0
    symbols, total = sums.symbols[used], sums.bits.sum(axis=0)
    gain = sums.bits[used, NETWORK] - sums.bits[used, MIXED]
    best = np.sort(gain)[::-1][: max(1, round(BEST_WINDOWS * len(gain)))].sum()
    baseline = NETWORK if total[NETWORK] <= total[WITHOUT] else WITHOUT
    block = np.arange(len(used)) // (BLOCK_BP // WINDOW_BP)
    n_blocks = int(block[-1]) + 1
    ours, theirs = (np.bincount(block, sums.bits[:, line], n_blocks).astype(np.float64) for line in (MIXED, baseline))
    of_block = np.bincount(block, sums.symbols, n_blocks).astype(np.int64)
    difference = mean_difference(ours, theirs, of_block, spawn(seed, "bootstrap of recall"))
    means = total / symbols.sum()
    return RecallBits(
        mode=mode, part=part, symbols=int(symbols.sum()), network=means[NETWORK], mixed=means[MIXED],
        without_network=means[WITHOUT], counts=means[COUNTS], windows=len(symbols),
        median_gain=float(np.median(gain / symbols)),
        top_fraction=float(best / gain.sum()) if gain.sum() > 0 else float("nan"),
        difference=difference.value, low=difference.low, high=difference.high,
    )  # fmt: skip
