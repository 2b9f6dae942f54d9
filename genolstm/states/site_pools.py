"""Means and maxima over stretches of the own pass at each site, taken while the genome streams by.

The states that the pools of a site need stand side by side in reading order. Where a chunk of the pass ends within
them they are met in two or more pieces, which are pooled apart and made one at the end: a chunk that is read again,
from a state that proved right, then simply takes the place of the one before.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.settings.site_reading import Pool, PoolKind

Ints = NDArray[np.int64]

STATES_AT_ONCE = 1 << 22  # numbers gathered from a block before they are pooled


class SitePools:
    """Pieces of the own pass that the pools of some sites take, and what was pooled so far.

    place : int64 [N], place in its row of the state of offset 0 of the own pass.   chunk : of the pass.
    out : float16 [pools, N, D], filled in.
    site, first, length : int64 [pieces], the site of each piece, the offset of its first state, and its states.
    """

    def __init__(self, pools: tuple[Pool, ...], place: Ints, chunk: int, out: NDArray[np.float16]) -> None:
        self.pools, self.out = pools, out
        low, high = min(pool.first for pool in pools), max(pool.last for pool in pools)
        first_chunk = (place + low) // chunk
        pieces = (place + high) // chunk - first_chunk + 1
        self.site = np.repeat(np.arange(len(place)), pieces)
        number = np.arange(len(self.site)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        begin = (first_chunk[self.site] + number) * chunk - place[self.site]  # offset of the chunk's first state
        self.first = np.maximum(begin, low)
        self.length = np.minimum(begin + chunk - 1, high) - self.first + 1
        # pieces of cut stretches are kept in full precision until they are made one
        self.cut = np.flatnonzero((pieces > 1)[self.site])
        self._row = np.full(len(self.site), -1, dtype=np.int64)
        self._row[self.cut] = np.arange(len(self.cut))
        self._kept = np.zeros((len(pools), len(self.cut), out.shape[2]), dtype=np.float32)

    def take(self, piece: Ints, lane: Ints, step: Ints, layers: list[Tensor]) -> None:
        """Pool some pieces. lane, step : int64 [k], of the first state of each.   layers : [B, T, H] each."""
        if not len(piece):
            return
        kinds = np.stack([self.first[piece], self.length[piece]])
        for first, length in np.unique(kinds, axis=1).T.tolist():
            mine = np.flatnonzero((kinds[0] == first) & (kinds[1] == length))
            at_once = max(1, STATES_AT_ONCE // (length * self.out.shape[2]))
            for low in range(0, len(mine), at_once):
                rows = mine[low : low + at_once]
                steps = torch.from_numpy(step[rows]).unsqueeze(1) + torch.arange(length)
                at = torch.from_numpy(lane[rows]).unsqueeze(1).to(layers[0].device), steps.to(layers[0].device)
                self._keep(piece[rows], first, torch.cat([layer[at] for layer in layers], dim=-1))  # [k, length, D]

    def _keep(self, piece: Ints, first: int, states: Tensor) -> None:
        """Pool states of pieces that begin at one offset, [k, length, D]."""
        row, site = self._row[piece], self.site[piece]
        for number, pool in enumerate(self.pools):
            inside = states[:, max(pool.first - first, 0) : max(pool.last - first + 1, 0)]
            if not inside.shape[1]:
                continue
            pooled = inside.mean(dim=1) if pool.how is PoolKind.MEAN else inside.amax(dim=1)
            values = pooled.cpu().numpy()
            if (row < 0).all():  # pieces alike in offset and length are all whole or all cut
                self.out[number, site] = values
            else:
                self._kept[number, row] = values

    def finish(self) -> None:
        """Put the pieces of each cut stretch together."""
        site, row = np.unique(self.site[self.cut], return_inverse=True)
        first, last = self.first[self.cut], self.first[self.cut] + self.length[self.cut] - 1
        for number, pool in enumerate(self.pools):
            states = np.maximum(np.minimum(last, pool.last) - np.maximum(first, pool.first) + 1, 0)  # [cut pieces]
            some = np.flatnonzero(states)
            values = self._kept[number, some]
            if pool.how is PoolKind.MEAN:
                whole = np.zeros((len(site), values.shape[1]), dtype=np.float32)
                np.add.at(whole, row[some], values * (states[some, None] / (pool.last - pool.first + 1)))
            else:
                whole = np.full((len(site), values.shape[1]), -np.inf, dtype=np.float32)
                np.maximum.at(whole, row[some], values)
            self.out[number, site] = whole
