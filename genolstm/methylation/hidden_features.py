"""Hidden states of a language model as something known of each CpG: sequence context that the pooled model may use."""

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.store.counts import Counts
from genolstm.store.hidden import Hidden

ROWS = 1 << 14  # CpGs whose states are held as float64 at once
LEAST_SPREAD = 1e-6  # of a component that is divided by its standard deviation


def hidden_features(counts: Counts, hidden: Hidden, components: int, source: str) -> NDArray[np.float32]:
    """Leading principal components of the states at each CpG, standardised, and whether there are any; [N, K + 1].

    States are matched by contig and first base; CpGs without states have zeros, the mean. source : of the states, for
    messages. Raises InputError where no CpG has states.
    """
    rows = _matched(counts, hidden)
    known = np.flatnonzero(rows >= 0)
    if not known.size:
        raise InputError(
            f"{source} holds states of none of the {len(counts):,} sites of the counts; embed the same sites"
            " (contig and first base) of the same genome."
        )
    count = min(components, hidden.states.shape[1], len(known))
    answer = np.zeros((len(counts), count + 1), dtype=np.float32)
    answer[known, count] = 1
    width = hidden.states.shape[1]
    total: NDArray[np.float64] = np.zeros(width)
    squares: NDArray[np.float64] = np.zeros((width, width))
    for first in range(0, len(known), ROWS):
        some = hidden.states[rows[known[first : first + ROWS]]].astype(np.float64)
        total += some.sum(axis=0)
        squares += some.T @ some
    mean = total / len(known)
    variances, axes = np.linalg.eigh(squares / len(known) - np.outer(mean, mean))
    leading = axes[:, ::-1][:, :count]
    scale = np.sqrt(np.maximum(variances[::-1][:count], LEAST_SPREAD**2))
    for first in range(0, len(known), ROWS):
        part = known[first : first + ROWS]
        answer[part, :count] = (hidden.states[rows[part]].astype(np.float64) - mean) @ leading / scale
    return answer


def _matched(counts: Counts, hidden: Hidden) -> NDArray[np.int64]:
    """Row of the states of each CpG, int64 [N]; -1 where there is none."""
    rows = np.full(len(counts), -1, dtype=np.int64)
    for index, name in enumerate(hidden.sites.contigs):
        if name not in counts.contigs:
            continue
        mine = np.flatnonzero(counts.contig == counts.contigs.index(name))
        theirs = np.flatnonzero(hidden.sites.contig == index)
        if not theirs.size:
            continue
        place = np.searchsorted(hidden.sites.start[theirs], counts.position[mine])
        place = np.minimum(place, len(theirs) - 1)
        same = hidden.sites.start[theirs][place] == counts.position[mine]
        rows[mine[same]] = theirs[place[same]]
    return rows
