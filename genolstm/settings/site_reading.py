"""What a probe of points reads at a site: states at offsets of both passes, and pools over stretches of the own pass.

The own pass is the one that runs in the direction of the site's strand. Offset o is the state of a pass once it has
read o symbols beyond the site, from its own side; below 0 it has not reached the site yet.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from genolstm.errors import UsageError

N_PASSES = 2  # own and other


class PoolKind(StrEnum):
    """What is made of the states of a stretch, unit by unit."""

    MEAN = "mean"
    MAX = "max"


class Pool(NamedTuple):
    """One pool of the own pass. first, last : offsets of the first and of the last state in it, both included."""

    how: PoolKind
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.how}:{self.first}:{self.last}"


@dataclass(frozen=True)
class SiteReading:
    """Offsets and pools that are read together.

    The features of a site stand block by block, D numbers each: for each offset the own pass, then the other one;
    after all offsets one block a pool, in order. D = layers x H, twice that with memories.
    """

    offsets: tuple[int, ...] = ()
    pools: tuple[Pool, ...] = ()

    @property
    def n_blocks(self) -> int:
        """Blocks of D numbers."""
        return N_PASSES * len(self.offsets) + len(self.pools)

    @property
    def reach(self) -> int:
        """Symbols on either side of a site within which all its states stand."""
        pooled = [offset for pool in self.pools for offset in (pool.first, pool.last)]
        return max(map(abs, (*self.offsets, *pooled)), default=0)

    @property
    def block_names(self) -> tuple[str, ...]:
        """Name of each block: offset and pass, or pool."""
        at_offsets = [f"{offset:+d} {name}" for offset in self.offsets for name in ("own", "other")]
        return (*at_offsets, *map(str, self.pools))

    def __str__(self) -> str:
        return ",".join(map(str, (*self.offsets, *self.pools)))


def merged_reading(readings: tuple[SiteReading, ...]) -> SiteReading:
    """All offsets and pools of several readings, each once."""
    return SiteReading(
        tuple(sorted({offset for each in readings for offset in each.offsets})),
        tuple(sorted({pool for each in readings for pool in each.pools})),
    )


def blocks_of(reading: SiteReading, within: SiteReading) -> list[int]:
    """Where the blocks of a reading stand among those of another that holds them all. Raises ValueError otherwise."""
    at_offsets = [
        N_PASSES * within.offsets.index(offset) + each for offset in reading.offsets for each in range(N_PASSES)
    ]
    before = N_PASSES * len(within.offsets)
    return [*at_offsets, *(before + within.pools.index(pool) for pool in reading.pools)]


def parse_reading(text: str) -> SiteReading:
    """Read '-4,0,4' or '0,2,mean:-28:-15'. Raises UsageError for anything but whole numbers and pools.

    At least one offset must be named.
    """
    parts = text.split(",")
    offsets = [part for part in parts if ":" not in part]
    if not offsets or not all(re.fullmatch(r"-?\d+", part) for part in offsets):
        raise UsageError(
            f"offsets '{text}' are neither 'wide' nor 'sweep' nor whole numbers, as in 0,2,4 or -4,0,4; pools of the"
            " site's own pass may follow, as mean:-28:-15 or max:-16:-3."
        )
    pools = parse_pools(",".join(part for part in parts if ":" in part))
    return SiteReading(tuple(sorted({int(part) for part in offsets})), tuple(dict.fromkeys(pools)))


def parse_pools(text: str) -> tuple[Pool, ...]:
    """Read 'mean:-28:-15,max:-16:-3'. Raises UsageError for anything but such pools."""
    found = []
    for part in text.split(",") if text else ():
        match = re.fullmatch(r"(mean|max):(-?\d+):(-?\d+)", part)
        if not match or int(match[2]) > int(match[3]):
            raise UsageError(f"pool '{part}' is not like mean:-28:-15, a mean or max from one offset to a later one.")
        found.append(Pool(PoolKind(match[1]), int(match[2]), int(match[3])))
    return tuple(found)


def pools_text(pools: tuple[Pool, ...]) -> str:
    """As `parse_pools` reads it."""
    return ",".join(map(str, pools))
