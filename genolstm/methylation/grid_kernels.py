"""Compiled loops over CpGs and the points of a grid of gates; each has a readable twin in the tests."""

import numpy as np
from numpy.typing import NDArray

from genolstm.readers.compiled import compiled

Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]


@compiled
def sum_neighbours(values: NDArray[np.floating], kept: NDArray[np.floating], sums: NDArray[np.floating]) -> None:
    """Sum the rows on both sides of each, every step on the way multiplied by `kept`.

    values, sums : [N, C].   kept : [N], of the step from the row before.   sums : filled in.
    """
    rows, columns = values.shape
    carried = np.zeros(columns, values.dtype)
    sums[0] = 0
    for row in range(1, rows):
        here, before = sums[row], values[row - 1]
        for column in range(columns):
            carried[column] = (carried[column] + before[column]) * kept[row]
            here[column] = carried[column]
    carried[:] = 0
    for row in range(rows - 2, -1, -1):
        here, after = sums[row], values[row + 1]
        for column in range(columns):
            carried[column] = (carried[column] + after[column]) * kept[row + 1]
            here[column] += carried[column]


@compiled
def add_rows(table: Float32s, place: NDArray[np.int64], logs: Float32s) -> None:
    """Add to each row of `logs` [n, G] the row of a table [K, G] that `place` [n] names."""
    for row in range(len(place)):
        target, added = logs[row], table[place[row]]
        for point in range(len(target)):
            target[point] += added[point]


@compiled
def draw_rows(weights: Float32s, draws: NDArray[np.uint16]) -> None:
    """Draw D equally likely points for each row of weights [n, G]: systematic resampling (Kitagawa 1996).

    draws : [n, D], filled in.
    """
    points, wanted = weights.shape[1], draws.shape[1]
    for row in range(len(weights)):
        total = 0.0
        for point in range(points):
            total += weights[row, point]
        below, point = np.float64(weights[row, 0]), 0
        for place in range(wanted):
            at = (place + 0.5) / wanted * total
            while below < at and point < points - 1:
                point += 1
                below += weights[row, point]
            draws[row, place] = point


@compiled
def quantile_rows(
    weights: Float32s, shape: tuple[int, int], edges: tuple[Floats, Floats], at: Floats, found: Floats
) -> None:
    """Quantiles of both gates of each row of weights [n, R * S], each point's weight spread evenly over its cell.

    shape : R, S.   edges : of the cells along each gate, [R + 1] and [S + 1].   found : [2, len(at), n], filled in.
    """
    for row in range(len(weights)):
        rates, steady = np.zeros(shape[0]), np.zeros(shape[1])
        for rate in range(shape[0]):
            total = 0.0
            for place in range(shape[1]):
                weight = weights[row, rate * shape[1] + place]
                total += weight
                steady[place] += weight
            rates[rate] = total
        for gate in range(2):
            marginal, ends = (rates, edges[0]) if gate == 0 else (steady, edges[1])
            total = marginal.sum()
            for number in range(len(at)):
                wanted, cell, below = at[number] * total, 0, 0.0
                while cell < len(marginal) - 1 and below + marginal[cell] < wanted:
                    below += marginal[cell]
                    cell += 1
                part = (wanted - below) / marginal[cell] if marginal[cell] > 0 else 0.0
                part = min(1.0, max(0.0, part))
                found[gate, number, row] = ends[cell] + part * (ends[cell + 1] - ends[cell])
