"""Which bases of a genome are sampled, and where they stand in a block of lanes."""

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.regions import Stretches
from genolstm.store.genome import Genome
from genolstm.stream.blocks import Block

Ints = NDArray[np.int64]


class Places(NamedTuple):
    """Sampled steps of a block, ordered by step and lane, as kernels leave their states; each int64 [N].

    lane, step : where in the block; step t reads the symbol before target t, which is the sampled base.
    sample : which sample of the plan that base is; where it is none, the one before.
    """

    lane: Ints
    step: Ints
    sample: Ints

    def of(self, chosen: NDArray[np.bool_]) -> "Places":
        """Only some of them."""
        return Places(self.lane[chosen], self.step[chosen], self.sample[chosen])


@dataclass(frozen=True, kw_only=True)
class SamplePlan:
    """Every base of some stretches whose 0-based forward position is a multiple of `every`; the same for both strands.

    stretches : what was asked for.   read : the same with one base more on either side within the contig: the gates at
    a base are those of the step that reads it, and the last base of a row is never read.
    first_position : int64 [K], of the first sample of each stretch.   first : int64 [K + 1], where its samples begin
    among all samples.   code_start : int64 [K], place in the genome's codes of its contig.
    """

    stretches: Stretches
    read: Stretches
    every: int
    first_position: Ints
    first: Ints
    code_start: Ints

    @property
    def samples(self) -> int:
        """How many bases are sampled, each on every strand."""
        return int(self.first[-1])

    def places_in(self, block: Block, every: int) -> Places:
        """Bases at multiples of `every` that lanes of a block read and count, of whatever weight."""
        stretch = block.row % len(self.code_start)
        step = np.arange(block.targets.shape[1])
        base = block.address - self.code_start[stretch]  # of the first target, in its contig
        position = base[:, None] + block.sign[:, None] * (step - 1)  # [B, T], of the symbol that each step reads
        counted = (step >= (block.begin - block.first)[:, None]) & (step < (block.end - block.first)[:, None])
        start, end = self.stretches.start[stretch], self.stretches.end[stretch]
        counted &= (position >= start[:, None]) & (position < end[:, None])
        if every > 1:
            counted &= position % every == 0
        at, lane = np.nonzero(counted.T)
        mine = stretch[lane]
        return Places(lane, at, self.first[mine] + (position[lane, at] - self.first_position[mine]) // self.every)


def sample_plan(genome: Genome, stretches: Stretches, every: int) -> SamplePlan:
    """Arrange the samples of some stretches, one after the other."""
    first_position = -(-stretches.start // every) * every
    counts = np.maximum(0, -(-(stretches.end - first_position) // every))
    return SamplePlan(
        stretches=stretches,
        read=dataclasses.replace(
            stretches,
            start=np.maximum(stretches.start - 1, 0),
            end=np.minimum(stretches.end + 1, genome.lengths[stretches.contig]),
        ),
        every=every,
        first_position=first_position,
        first=np.concatenate([[0], np.cumsum(counts)]),
        code_start=genome.starts[stretches.contig],
    )
