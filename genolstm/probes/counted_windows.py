"""Windows along contigs, how much of them was cut, and whether they are open."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.readers.bed import Bed
from genolstm.regions import Part, Sites, Stretches, block_length, block_numbers
from genolstm.settings.probe import AccessibilitySettings
from genolstm.states.windows import Windows
from genolstm.store.genome import Genome
from genolstm.store.track import Track

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

SLAB = 1 << 20  # bases processed at a time
FEWEST = 10  # open and closed windows that each part needs


class Covered:
    """How many bases of a contig below a place lie in some intervals; intervals that overlap count once."""

    def __init__(self, intervals: Bed, n_contigs: int) -> None:
        self.edges: list[tuple[Ints, Ints, Ints]] = []  # starts, ends, covered bases before each
        for contig in range(n_contigs):
            mine = np.flatnonzero(intervals.contig == contig)
            order = mine[np.argsort(intervals.start[mine], kind="stable")]
            start, end = intervals.start[order], np.maximum.accumulate(intervals.end[order])
            opens = np.ones(len(start), dtype=np.bool_)
            opens[1:] = start[1:] > end[:-1]
            first, last = start[opens], end[np.append(opens[1:], True)] if len(end) else end
            self.edges.append((first, last, np.concatenate([[0], np.cumsum(last - first)])))

    def between(self, contig: int, start: Ints, end: Ints) -> Ints:
        """Covered bases of [start, end), [N]."""
        return self._below(contig, end) - self._below(contig, start)

    def _below(self, contig: int, place: Ints) -> Ints:
        first, last, before = self.edges[contig]
        if not len(first):
            return np.zeros(len(place), dtype=np.int64)
        slot = np.searchsorted(first, place, side="right") - 1
        inside = np.maximum(slot, 0)
        found: Ints = before[inside] + np.minimum(place, last[inside]) - first[inside]
        return np.where(slot >= 0, found, 0)


@dataclass(frozen=True, kw_only=True)
class CountedWindows:
    """Windows that a probe may use, in genome order.

    part : int8 [N].   cuts : float64 [N], cuts in each (of a coverage track aligned bases, of a signal its sum).
    read : windows considered.   skipped : reason -> windows.
    """

    windows: Windows
    part: NDArray[np.int8]
    cuts: NDArray[np.float64]
    read: int
    skipped: dict[str, int]

    def kept(self, rows: Ints, reason: str) -> "CountedWindows":
        """Only some rows; the others are counted under a reason."""
        skipped = Counter(self.skipped)
        if len(rows) < len(self.cuts):
            skipped[reason] += len(self.cuts) - len(rows)
        windows = Windows(self.windows.contig[rows], self.windows.start[rows], self.windows.width)
        return CountedWindows(
            windows=windows, part=self.part[rows], cuts=self.cuts[rows], read=self.read, skipped=dict(skipped)
        )


class _Slab(NamedTuple):
    """Some windows of one contig: starts [n], and their cuts [n]."""

    start: Ints
    part: NDArray[np.int8]
    cuts: NDArray[np.float64]


def counted_windows(
    genome: Genome,
    split: Stretches,
    track: Track,
    blacklist: Bed | None,
    settings: AccessibilitySettings,
) -> CountedWindows:
    """Tile every contig from its first base, and leave out unusable windows, each by its first reason.

    Left out are windows of excluded contigs, of contigs that the track did not observe, outside the parts of the split
    (or in two of them), with any N, with any blacklisted base, and those without a read in them or within
    `mappable_bp` of them. Contigs are processed a slab at a time.
    Raises InputError when no window is left.
    """
    skipped: Counter[str] = Counter()
    found: list[tuple[int, _Slab]] = []
    read = 0
    barred = Covered(blacklist, len(genome.names)) if blacklist is not None else None
    for contig, (name, length) in enumerate(genome.length_of.items()):
        n = length // settings.window
        read += n
        if name in settings.exclude_contigs:
            skipped["on a contig that was excluded"] += n
        elif not track.observed[contig]:
            skipped["on a contig that the track has not"] += n
        else:
            found += [(contig, slab) for slab in _slabs(genome, contig, split, track, barred, settings, skipped)]
    if not sum(len(slab.start) for _, slab in found):
        why = "; ".join(f"{count:,} {reason}" for reason, count in skipped.items() if count)
        raise InputError(
            f"no window of {settings.window} bp of {genome.path} can be used ({why or 'its contigs are shorter'}):"
            f" give a track that covers contigs of the split, or a smaller --window."
        )
    return CountedWindows(
        windows=Windows(
            contig=np.concatenate([np.full(len(slab.start), contig, dtype=np.int64) for contig, slab in found]),
            start=np.concatenate([slab.start for _, slab in found]),
            width=settings.window,
        ),
        part=np.concatenate([slab.part for _, slab in found]),
        cuts=np.concatenate([slab.cuts for _, slab in found]),
        read=read,
        skipped={reason: count for reason, count in skipped.items() if count},
    )


def _slabs(
    genome: Genome, contig: int, split: Stretches, track: Track, barred: Covered | None,
    settings: AccessibilitySettings, skipped: Counter[str],
) -> Iterator[_Slab]:  # fmt: skip
    """Windows of one contig that may be used, a slab at a time; counts what is left out."""
    width, near = settings.window, settings.mappable_bp
    length, name = int(genome.lengths[contig]), genome.names[contig]
    step = max(1, SLAB // width) * width
    for first in range(0, length - width + 1, step):
        start = np.arange(first, min(first + step, length - width + 1), width)
        end = int(start[-1]) + width
        low, high = max(0, first - near), min(length, end + near)
        counts = track.counts(name, low, high)
        cuts = np.concatenate([[0], np.cumsum(np.nan_to_num(counts), dtype=np.float64)])
        unseen = np.concatenate([[0], np.cumsum(np.isnan(counts))])
        address = int(genome.starts[contig])
        unknown = genome.all_codes[address + first : address + end].reshape(-1, width) >= genome.alphabet.n_known
        part = split.part_at(np.full(len(start), contig, dtype=np.int32), start)
        last_part = split.part_at(np.full(len(start), contig, dtype=np.int32), start + width - 1)
        at = start - low
        around = np.maximum(at - near, 0), np.minimum(at + width + near, high - low)
        bad = {
            "outside the parts of the split": (part < 0) | (part != last_part),
            "with an N": unknown.any(axis=1),
            "in the blacklist": unseen[at + width] > unseen[at],
            f"without a read within {near:,} bp": cuts[around[1]] == cuts[around[0]],
        }
        if barred is not None:
            bad["in the blacklist"] |= barred.between(contig, start, start + width) > 0
        kept = np.ones(len(start), dtype=np.bool_)
        for reason, rows in bad.items():
            skipped[reason] += int((kept & rows).sum())
            kept &= ~rows
        inside = cuts[at + width] - cuts[at]
        yield _Slab(start[kept], part[kept], inside[kept])


def at_most(counted: CountedWindows, most: int, rng: np.random.Generator) -> CountedWindows:
    """At most so many windows of each part, drawn evenly."""
    rows = [np.flatnonzero(counted.part == part) for part in Part]
    some = [mine if len(mine) <= most else rng.choice(mine, most, replace=False) for mine in rows]
    return counted.kept(np.sort(np.concatenate(some)), f"beyond {most:,} of a part")


def depth_normalised(counted: CountedWindows) -> tuple[NDArray[np.float32], float]:
    """Signal of each window, log2(1 + c / m), float32 [N], and m: the mean cuts of the training windows.

    c / m does not depend on the depth of sequencing. Raises InputError where the training windows hold no cut.
    """
    mean = float(counted.cuts[counted.part == Part.TRAIN].mean()) if (counted.part == Part.TRAIN).any() else 0.0
    if not mean:
        raise InputError("the training windows hold no cut; give a track that covers the training contigs.")
    return np.log2(1 + counted.cuts / mean).astype(np.float32), mean


def open_by_peaks(counted: CountedWindows, peaks: Bed, n_contigs: int, fraction: float) -> NDArray[np.int8]:
    """1 where at least a fraction of a window lies in peaks, int8 [N]."""
    covered = Covered(peaks, n_contigs)
    inside = np.zeros(len(counted.cuts), dtype=np.int64)
    for contig in np.unique(counted.windows.contig).tolist():
        mine = counted.windows.contig == contig
        start = counted.windows.start[mine]
        inside[mine] = covered.between(contig, start, start + counted.windows.width)
    return (inside >= fraction * counted.windows.width).astype(np.int8)


def open_by_signal(counted: CountedWindows, fraction: float) -> NDArray[np.int8]:
    """1 for the windows of each part that hold most cuts, int8 [N]: at most a fraction, fewer where many are tied."""
    label = np.zeros(len(counted.cuts), dtype=np.int8)
    for part in Part:
        mine = counted.part == part
        if mine.any():
            label[mine] = counted.cuts[mine] > np.quantile(counted.cuts[mine], 1 - fraction)
    return label


def require_both(label: NDArray[np.int8], part: NDArray[np.int8], how: str) -> None:
    """Fail before the genome is read, not after. Raises InputError where a part holds too few windows of a kind."""
    for each in Part:
        mine = label[part == each]
        n_open = int(mine.sum())
        if n_open < FEWEST or len(mine) - n_open < FEWEST:
            raise InputError(
                f"the {each.name.lower()} part holds {n_open} open and {len(mine) - n_open} closed windows ({how}), and"
                f" a probe needs {FEWEST} of each; name contigs with more peaks for it (--{each.name.lower()}-contigs)."
            )


def tested_block_length(counted: CountedWindows, block_bp: int) -> int:
    """Bases resampled together, `regions.block_length` of the test windows; at least one window."""
    tested = int((counted.part == Part.TEST).sum()) * counted.windows.width
    return block_length(block_bp, tested, least=counted.windows.width)


def sites_of(counted: CountedWindows, label: NDArray[np.int8], contigs: tuple[str, ...], block_bp: int) -> Sites:
    """Windows as sites at their first base; those of one stretch of `block_bp` bases are resampled together."""
    contig, start = counted.windows.contig, counted.windows.start
    return Sites(
        contigs=contigs,
        contig=contig.astype(np.int32),
        position=start,
        strand=np.zeros(len(start), dtype=np.int8),
        label=label,
        part=counted.part,
        block=block_numbers(contig, start, block_bp),
    )
