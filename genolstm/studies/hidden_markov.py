"""Made sequences whose true next-symbol probabilities are known: hidden Markov sources."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.uint8]


class Source(NamedTuple):
    """Hidden states and what they emit. start : [S].   moves : [S, S], rows sum to 1.   emits : [S, symbols]."""

    start: Floats
    moves: Floats
    emits: Floats


def sticky_source(rng: np.random.Generator, *, states: int, symbols: int, stay: float, concentration: float) -> Source:
    """Draw a source that stays in a state with probability `stay` and else moves to any other alike.

    concentration : of the Dirichlet draw of each state's emissions; the smaller, the further apart states are.
    """
    moves = np.full((states, states), (1 - stay) / (states - 1))
    np.fill_diagonal(moves, stay)
    emits = rng.dirichlet(np.full(symbols, concentration), size=states)
    return Source(np.full(states, 1 / states), moves, emits)


def draw(source: Source, rng: np.random.Generator, sequences: int, length: int) -> Codes:
    """Draw sequences, each from the source's start; uint8 [sequences, length]."""
    state = _chosen(np.broadcast_to(source.start, (sequences, len(source.start))), rng)
    codes = np.empty((sequences, length), dtype=np.uint8)
    for step in range(length):
        codes[:, step] = _chosen(source.emits[state], rng)
        state = _chosen(source.moves[state], rng)
    return codes


def _chosen(probabilities: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """One draw a row. probabilities : [N, choices]."""
    edge = np.cumsum(probabilities, axis=1)
    edge[:, -1] = 1.0  # rounding must leave no gap at the end
    chosen: NDArray[np.int64] = (rng.random((len(probabilities), 1)) >= edge).sum(axis=1)
    return chosen


def true_bits(source: Source, codes: Codes) -> Floats:
    """Bits of each symbol under the true probabilities given all before it; no predictor expects fewer.

    Forward algorithm (Rabiner 1989, eq. 20). codes : [N, T].   Returns [N, T].
    """
    posterior = np.broadcast_to(source.start, (len(codes), len(source.start)))
    bits = np.empty(codes.shape)
    for step in range(codes.shape[1]):
        joint = posterior * source.emits[:, codes[:, step]].T  # [N, S]
        likelihood = joint.sum(axis=1)
        bits[:, step] = -np.log(likelihood) / math.log(2)
        posterior = (joint / likelihood[:, None]) @ source.moves
    return bits
