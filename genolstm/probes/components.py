"""Principal components of each block of states, and probes of them told as probes of the states themselves.

The components of a block are those of its standardised training rows, unscaled: all of them together are the states
turned in space, and an L2 probe of all is the probe of the states. Components are linear in the states and a probe is
linear in the components. So its mean, scale and coefficients are given over the states: what is saved and applied is
one dot product, and no projection.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh

from genolstm.store.results import LinearProbe, rows_in_memory
from genolstm.store.spool import release_pages

Half = NDArray[np.float16]
Float32s = NDArray[np.float32]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BlockAxes:
    """Axes of the principal components of one block. mean, scale : float32 [D].   axes : float32 [D, K]."""

    mean: Float32s
    scale: Float32s
    axes: Float32s

    def components(self, block: Float32s) -> Float32s:
        """Components of states, float32 [N, K]. block : float32 [N, D]."""
        return ((block - self.mean) / self.scale).astype(np.float32, copy=False) @ self.axes


@dataclass(frozen=True, eq=False)
class StateBlocks:
    """Blocks of states at the rows of a task, which are its features side by side, [N, blocks * D].

    states : float16 [M, rows, D], blocks of all that was read.   blocks : which of them, in order.   rows : int64 [N],
    the rows of the task.
    """

    states: Half
    blocks: Sequence[int]
    rows: Ints

    @property
    def width(self) -> int:
        """Numbers in a block."""
        return int(self.states.shape[2])

    def of_blocks(self, numbers: Sequence[int]) -> "StateBlocks":
        """Only these of the blocks, in this order."""
        return replace(self, blocks=[self.blocks[number] for number in numbers])

    def block(self, number: int) -> Float32s:
        """States of one block, float32 [N, D]."""
        rows = self.states[self.blocks[number]][self.rows]
        release_pages(self.states)
        states: Float32s = torch.from_numpy(rows).float().numpy()  # five times as fast as NumPy
        return states

    def together(self) -> Half:
        """All blocks side by side, float16 [N, blocks * D]."""
        features = np.empty((len(self.rows), len(self.blocks), self.width), dtype=np.float16)
        for number, block in enumerate(self.blocks):
            features[:, number] = self.states[block][self.rows]
        release_pages(self.states)
        return features.reshape(len(self.rows), -1)

    def decision(self, probe: LinearProbe) -> Floats:
        """Decisions of a probe of all blocks, as `LinearProbe.decision` without a copy of the features."""
        total: Floats | None = None
        for number in range(len(self.blocks)):
            columns = slice(number * self.width, (number + 1) * self.width)
            part = replace(
                probe, mean=probe.mean[columns], scale=probe.scale[columns], coefficients=probe.coefficients[columns],
                intercept=probe.intercept if number == 0 else np.zeros_like(probe.intercept),
            )  # fmt: skip
            decision = part.decision(self.block(number))
            total = decision if total is None else total + decision
        if total is None:
            raise ValueError("no block of states was read")
        return total


@dataclass(frozen=True, eq=False)
class Components:
    """Components of some blocks at the rows of a task, as features of a probe.

    source : the blocks.   fitted : bool [N], rows that a probe is fitted to or chosen on.   values : float32 [fitted
    rows, blocks * K], as many of each block; all others are judged by what the probe says of their states.
    leading : float32 [N, blocks * n], the first few of each block at every row.   axes : of each block.
    """

    source: StateBlocks
    fitted: Mask
    values: Float32s
    leading: Float32s
    axes: Sequence[BlockAxes]

    def of_blocks(self, numbers: Sequence[int]) -> "Components":
        """Only these blocks, in this order."""
        if list(numbers) == list(range(len(self.axes))):
            return self
        values, leading = (
            each.reshape(len(each), len(self.axes), -1)[:, list(numbers)].reshape(len(each), -1)
            for each in (self.values, self.leading)
        )
        axes = [self.axes[number] for number in numbers]
        return Components(self.source.of_blocks(numbers), self.fitted, values, leading, axes)

    def unfolded(self, probe: LinearProbe) -> LinearProbe:
        """A probe of these components as one of the states: the same decisions.

        With z the standardised states of a block, V its axes, m and s what the probe of its components u = V'z
        subtracts and divides by, and w its coefficients: w . (u - m) / s = (V (w / s)) . z - (w / s) . m.
        """
        scale = probe.scale if probe.coefficients.ndim == 1 else probe.scale[:, None]
        slopes = probe.coefficients.astype(np.float64) / scale  # [blocks * K], or with classes behind
        parts = np.split(slopes, len(self.axes))
        return replace(
            probe,
            mean=np.concatenate([each.mean for each in self.axes]),
            scale=np.concatenate([each.scale for each in self.axes]),
            coefficients=np.concatenate(
                [each.axes.astype(np.float64) @ part for each, part in zip(self.axes, parts, strict=True)]
            ).astype(np.float32),
            intercept=probe.intercept - probe.mean.astype(np.float64) @ slopes,
        )


def block_components(source: StateBlocks, components: int, *, train: Mask, valid: Mask, leading: int = 0) -> Components:
    """Components of every block. train, valid : bool [N]; the axes are learned on the training rows alone.

    leading : components of each block that are taken at every row.
    """
    kept, fitted = min(components, source.width), train | valid
    few = min(leading, kept)
    values = np.empty((int(fitted.sum()), len(source.blocks), kept), dtype=np.float32)
    first_few = np.empty((len(fitted), len(source.blocks), few), dtype=np.float32)
    axes = []
    for number in range(len(source.blocks)):
        block = source.block(number)
        axes.append(principal_axes(block, train, kept))
        values[:, number] = axes[-1].components(block[fitted])
        if few:
            axes_of_few = replace(axes[-1], axes=axes[-1].axes[:, :few])
            first_few[:, number] = axes_of_few.components(block)
    return Components(source, fitted, values.reshape(len(values), -1), first_few.reshape(len(fitted), -1), axes)


def principal_axes(block: Float32s, train: Mask, components: int) -> BlockAxes:
    """Axes of most variance of the standardised training rows. block : float32 [N, D].

    From the covariance, D x D, by its eigenvectors: exact, and D is small beside the rows. Each axis points to where
    its largest weight is above 0.
    """
    rows = block[train]
    mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    rows -= mean
    spread = np.sqrt(np.einsum("nd,nd->d", rows, rows, dtype=np.float64) / len(rows))
    # a spread that float32 cannot hold beside the mean is rounding: such a feature is constant, and becomes 0
    scale = np.where(spread > np.finfo(np.float32).eps * np.abs(mean), spread, 1.0).astype(np.float32)
    rows /= scale
    covariance = np.zeros((rows.shape[1], rows.shape[1]))
    for first in range(0, len(rows), rows_in_memory(rows.shape[1])):
        part = rows[first : first + rows_in_memory(rows.shape[1])]
        covariance += part.T @ part  # float32 products of a few thousand rows, summed in float64
    width = len(covariance)
    _, vectors = eigh(covariance / len(rows), subset_by_index=(width - components, width - 1), check_finite=False)
    vectors = vectors[:, ::-1]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0)
    return BlockAxes(mean, scale, (vectors * np.where(largest < 0, -1, 1)).astype(np.float32))
