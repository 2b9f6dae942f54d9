"""What recall gained, a row for each text that it looked in and each part that it was measured on."""

from typing import NamedTuple

import h5py
import numpy as np

from genolstm.store.files import strings, write_strings

TEXT = ("mode", "part")
TEST, ALL_READ = "test", "not trained on"  # parts, of both strands
FORWARD = "test, forward strand"  # which a compressor reads
WINDOW_BP = 10_000
BEST_WINDOWS = 0.05  # the share of windows whose part of the gain is told


class RecallBits(NamedTuple):
    """Bits per known base of one part by the network, by recall, and by both.

    mode : 'frozen' or 'online'.   part : TEST or ALL_READ, of both strands, or FORWARD.
    symbols : known bases.   network : alone.   mixed : network, copies and counts.   without_network : copies and
    counts.   counts : alone.   windows : of 10 kb, with any known base.   median_gain : bits per base that the median
    window gains over the network alone.   top_fraction : of the whole gain, in the best 5 % of the windows; NaN where
    there is no gain.   difference, low, high : `mixed` less the better of `network` and `without_network`, with its
    95 % interval.
    """

    mode: str
    part: str
    symbols: int
    network: float
    mixed: float
    without_network: float
    counts: float
    windows: int
    median_gain: float
    top_fraction: float
    difference: float
    low: float
    high: float


WHOLE = ("symbols", "windows")


def write_recall(group: h5py.Group, rows: tuple[RecallBits, ...]) -> None:
    """Write a column for each field."""
    for place, name in enumerate(RecallBits._fields):
        if name in TEXT:
            write_strings(group, name, [str(row[place]) for row in rows])
        else:
            group[name] = np.array([row[place] for row in rows], dtype=np.int64 if name in WHOLE else np.float64)


def read_recall(group: h5py.Group) -> tuple[RecallBits, ...]:
    """Read what `write_recall` wrote."""
    columns = [strings(group[name]) if name in TEXT else tuple(group[name][()].tolist()) for name in RecallBits._fields]
    return tuple(RecallBits(*row) for row in zip(*columns, strict=True))
