"""How rows are cut into pieces that lanes run along side by side, so that all lanes end at about the same time."""

import heapq
import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from genolstm.settings.reading import StreamSettings
from genolstm.strands import Rows

CUTS_TRIED = 24  # piece sizes between one piece a lane and four
MOST_PIECES_A_LANE = 4


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


def pieces_of(rows: Rows, settings: StreamSettings) -> list[Piece]:
    """Cut rows into pieces, the longest first.

    Where a row's past is unknown, a witness of no length of its own reads half of the warm-up: when it arrives in
    the same state, what came before has been forgotten.
    """
    warmups = [min(warmup, length) for warmup, length in zip(rows.warmup.tolist(), rows.length.tolist(), strict=True)]
    lengths = rows.length.tolist()
    burn_in = _in_chunks(settings.burn_in, settings.chunk)
    size = max(lengths, default=0) if settings.exact else _best_size(lengths, warmups, burn_in, settings)
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


def _best_size(lengths: list[int], warmups: list[int], burn_in: int, settings: StreamSettings) -> int:
    """Symbols a piece such that the last lane ends soonest when the longest pieces are dealt first (Graham 1969)."""
    total = sum(lengths)
    even = max(1, -(-total // settings.lanes))
    candidates = {
        max(_in_chunks(math.ceil(size), settings.chunk), burn_in, settings.chunk)
        for size in np.geomspace(even / MOST_PIECES_A_LANE, max(2 * even, 1), CUTS_TRIED)
    } | {max(max(lengths, default=1), 1)}
    # of sizes that end together the largest: fewer seams
    return min(
        sorted(candidates, reverse=True), key=lambda size: _steps(lengths, warmups, size, burn_in, settings.lanes)
    )


def _steps(lengths: list[int], warmups: list[int], size: int, burn_in: int, lanes: int) -> int:
    """Symbols that the busiest lane reads."""
    loads = []
    for length, warmup in zip(lengths, warmups, strict=True):
        parts = max(1, -(-(length - warmup) // size))
        each = -(-(length - warmup) // parts)
        loads += [warmup + each] + [each + burn_in] * (parts - 1)
    busy = [0] * lanes
    for load in sorted(loads, reverse=True):
        heapq.heapreplace(busy, busy[0] + load)
    return max(busy)
