"""How rows are cut into pieces that lanes run along side by side: many lanes a step, and few burn-ins."""

import heapq
import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.settings.reading import StreamSettings
from genolstm.strands import Rows

CUTS_TRIED = 36  # piece sizes between a quarter of a lane's even part of all symbols and sixteen times that
MOST_PIECES_A_LANE = 4
LARGEST_SIZE = 16
MANY = 64  # loads a lane beyond which their order matters no more
STEP_LANES = 2.0  # what a step on a CPU costs beside its lanes, in lanes: 16 read as fast as 64 at 1x256 and 1x512
GPU_STEP_LANES = 1e6  # a GPU takes as long for one lane as for hundreds: only the number of steps counts


class Piece(NamedTuple):
    """A part of a row that one lane processes.

    first : first target to be read, burn-in included.   start, end : the targets that count, half open.
    checked : its state at `start` can be compared with that of another piece.
    followed : another piece needs the state in which this one ends.
    """

    row: int
    first: int
    start: int
    end: int
    checked: bool
    followed: bool


def pieces_of(rows: Rows, settings: StreamSettings, step_lanes: float = STEP_LANES) -> list[Piece]:
    """Cut rows into pieces, the longest first. step_lanes : what a step costs beside its lanes, in lanes.

    Where a row's past is unknown, a witness of no length of its own reads half of the warm-up: when it arrives in
    the same state, what came before has been forgotten.
    """
    warmups = [min(warmup, length) for warmup, length in zip(rows.warmup.tolist(), rows.length.tolist(), strict=True)]
    lengths = rows.length.tolist()
    burn_in = _in_chunks(settings.burn_in, settings.chunk)
    size = max(lengths, default=0) if settings.exact else _best_size(lengths, warmups, burn_in, settings, step_lanes)
    pieces = []
    for row, (warmup, total, unknown_past) in enumerate(zip(warmups, lengths, rows.unknown_past.tolist(), strict=True)):
        parts = max(1, -(-(total - warmup) // max(size, 1)))
        step = _in_chunks(-(-(total - warmup) // parts), settings.chunk)
        # whole chunks from the row's first symbol, so that each piece ends where a chunk does
        starts = (
            [warmup, *range(warmup - warmup % settings.chunk + step, total, max(step, 1))] if warmup < total else []
        )
        pieces += [
            Piece(
                row=row,
                first=_burned_in(start, burn_in, settings.chunk) if start > warmup else 0,
                start=start,
                end=end,
                checked=start > warmup or bool(unknown_past),
                followed=end < total,
            )
            for start, end in pairwise([*starts, total])
        ]
        if unknown_past and starts:
            half = _burned_in(warmup, warmup // 2, settings.chunk)
            pieces.append(Piece(row=row, first=half, start=warmup, end=warmup, checked=False, followed=True))
    return sorted(pieces, key=lambda piece: piece.first - piece.end)


def _in_chunks(symbols: int, chunk: int) -> int:
    """Round up to whole chunks."""
    return -(-symbols // chunk) * chunk


def _burned_in(start: int, burn_in: int, chunk: int) -> int:
    """Where a piece that begins at `start` is read from: whole chunks before it, within the row."""
    return start - min(-(-burn_in // chunk), start // chunk) * chunk


def _best_size(
    lengths: list[int], warmups: list[int], burn_in: int, settings: StreamSettings, step_lanes: float
) -> int:
    """Symbols a piece such that reading costs least: the symbols of all lanes, burn-ins too, and the steps."""
    longest = max(lengths, default=1)
    even = max(1, -(-sum(lengths) // settings.lanes))
    candidates = {
        max(_in_chunks(math.ceil(size), settings.chunk), burn_in, settings.chunk)
        for size in np.geomspace(even / MOST_PIECES_A_LANE, LARGEST_SIZE * even, CUTS_TRIED)
    } | {max(longest, 1)}
    rows = np.array(lengths, dtype=np.int64), np.array(warmups, dtype=np.int64)
    # of sizes that cost the same the largest: fewer seams
    sizes = sorted((size for size in candidates if size <= max(longest, 1)), reverse=True)
    return min(sizes, key=lambda size: _cost(*rows, size, burn_in, settings.lanes, step_lanes))


def _cost(
    lengths: NDArray[np.int64], warmups: NDArray[np.int64], size: int, burn_in: int, lanes: int, step_lanes: float
) -> float:
    """Symbols that all lanes read together, and those of the busiest one as often as a step costs lanes.

    The longest pieces are dealt first (Graham 1969); of very many the lanes end together.
    """
    parts = np.maximum(1, -(-(lengths - warmups) // size))
    each = -(-(lengths - warmups) // parts)
    loads = np.concatenate([warmups + each, np.repeat(each + burn_in, parts - 1)])
    total = int(loads.sum())
    if len(loads) > MANY * lanes:
        return total + step_lanes * max(total / lanes, float(loads.max()))
    busy = [0] * lanes
    for load in np.sort(loads)[::-1].tolist():
        heapq.heapreplace(busy, busy[0] + load)
    return total + step_lanes * max(busy)
