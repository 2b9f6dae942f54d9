"""Labelled places on their way to a probe: points or windows, in parts, each once, with negatives beside them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.readers.labelled_sites import LabelledSites, WindowMeans
from genolstm.regions import Part, Sites, Stretches
from genolstm.settings.probe import SHORTEST_WINDOW
from genolstm.states.sites import readable
from genolstm.store.genome import Genome

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledRows:
    """Places of one width with their labels. width : bp; 1 for points.

    source : what messages call the file.   contig, start : int64 [N].   strand : int8 [N]; 0 for windows.
    label : text [N].   part : int8 [N], a Part or -1.   read, skipped : rows of the file.   of_file : bool [N], False
    for negatives that are not of the file.   row : int64 [N], which of the sites of the file, from 0; -1 for those.
    """

    source: str
    width: int
    contig: Ints
    start: Ints
    strand: NDArray[np.int8]
    label: NDArray[np.str_]
    part: NDArray[np.int8]
    read: int
    skipped: Mapping[str, int]
    of_file: Mask = field(default_factory=lambda: np.ones(0, dtype=np.bool_))
    row: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __post_init__(self) -> None:
        if len(self.row) != len(self.start):
            object.__setattr__(self, "row", np.arange(len(self.start)))
        if not len(self.of_file):
            object.__setattr__(self, "of_file", np.ones(len(self.start), dtype=np.bool_))

    def __len__(self) -> int:
        return len(self.start)

    def starts_of(self, contig: int) -> Ints:
        """Distinct starts on one contig, sorted."""
        return np.unique(self.start[self.contig == contig])

    def kept(self, rows: Mask, reason: str) -> "LabelledRows":
        """Only some rows; those of the file that are lost are counted under a reason."""
        skipped = Counter(self.skipped)
        if lost := int((~rows & self.of_file).sum()):
            skipped[reason] += lost
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in COLUMNS}
        return replace(self, **columns, skipped=dict(skipped))

    def beside(self, other: "LabelledRows") -> "LabelledRows":
        """These rows and those of another list, of which the file says nothing."""
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in COLUMNS
        }
        columns["of_file"] = np.repeat([True, False], [len(self), len(other)])
        columns["row"] = np.where(columns["of_file"], columns["row"], -1)
        return replace(self, **columns)

    def once(self, contigs: tuple[str, ...]) -> "LabelledRows":
        """Each place once, sorted as `Sites` are. Raises InputError where one place has two labels."""
        order = np.lexsort((self.label, self.strand, self.start, self.contig))
        columns = {name: getattr(self, name)[order] for name in COLUMNS}
        same = np.ones(len(order), dtype=np.bool_)
        for name in ("contig", "start", "strand"):
            same[1:] &= columns[name][1:] == columns[name][:-1]
        same[:1] = False
        other = same & np.append(False, columns["label"][1:] != columns["label"][:-1])
        if other.any():
            raise InputError(self._contradiction(columns, np.flatnonzero(other), contigs))
        return replace(self, **columns).kept(~same, "the same site again")

    def _contradiction(
        self, columns: Mapping[str, NDArray[Any]], rows: NDArray[np.intp], contigs: tuple[str, ...]
    ) -> str:
        row = int(rows[0])
        one, two = columns["label"][row - 1], columns["label"][row]
        return (
            f"{self.source}: {len(rows):,} site{'s' * (len(rows) != 1)} with two labels, the first at"
            f" {contigs[int(columns['contig'][row])]}:{int(columns['start'][row]) + 1:,} ('{one}' and '{two}'); keep"
            " one for each site."
        )

    def at_most(self, most: int, rng: np.random.Generator) -> "LabelledRows":
        """At most so many rows of each part, drawn evenly."""
        kept = np.zeros(len(self), dtype=np.bool_)
        for part in Part:
            mine = np.flatnonzero(self.part == part)
            kept[mine if len(mine) <= most else rng.choice(mine, most, replace=False)] = True
        return self.kept(kept, f"beyond {most:,} of a part")

    def in_parts_of(self, split: Stretches) -> "LabelledRows":
        """Rows in one part of a split, with it."""
        contig = self.contig.astype(np.int32)
        part, last = (split.part_at(contig, place) for place in (self.start, self.start + self.width - 1))
        return replace(self, part=part).kept((part >= 0) & (part == last), "outside the parts of the split")

    def sites(self, contigs: tuple[str, ...]) -> Sites:
        """These rows, which are sorted, as sites without labels and blocks."""
        nothing = np.zeros(len(self), dtype=np.int64)
        return Sites(
            contigs=contigs, contig=self.contig.astype(np.int32), position=self.start, strand=self.strand,
            label=nothing.astype(np.int8), part=self.part, block=nothing,
        )  # fmt: skip

    def overlapping_parts(self, flank: int) -> int:
        """Test rows with a base, or one within `flank` bp, that a row of another part has too."""
        apart, found = self.width + 2 * flank, 0
        for contig in np.unique(self.contig).tolist():
            here, test = self.contig == contig, self.part == Part.TEST
            others, mine = np.sort(self.start[here & ~test]), self.start[here & test]
            near = np.searchsorted(others, mine + apart) > np.searchsorted(others, mine - apart, side="right")
            found += int(near.sum())
        return found


COLUMNS = ("contig", "start", "strand", "label", "part", "of_file", "row")


def rows_of_file(found: LabelledSites, genome: Genome, window: int) -> LabelledRows:
    """Rows of a file of sites. window : bp around the middle of each interval; 0 for intervals as they are.

    Raises InputError for intervals of several lengths, and for windows too short to be judged.
    """
    length = found.end - found.start
    width, start = window or int(length[0]), found.start
    if window:
        start = (found.start + found.end) // 2 - window // 2
    elif (length != width).any():
        raise InputError(
            f"{found.source} holds intervals of {int(length.min()):,} to {int(length.max()):,} bp; give points or"
            " windows of one length, or take bases around the middle of each, as with --window 200."
        )
    elif 1 < width < SHORTEST_WINDOW:
        raise InputError(
            f"{found.source} holds windows of {width} bp, which hold no 31-mer; give points of one base, or add"
            f" --window {SHORTEST_WINDOW} or more."
        )
    strand = np.where(found.strand == 0, np.int8(1), found.strand) if width == 1 else np.zeros(len(found), np.int8)
    rows = LabelledRows(
        source=found.source, width=width, contig=found.contig.astype(np.int64), start=start, strand=strand,
        label=np.array(found.label, dtype=np.str_), part=found.part, read=found.read, skipped=found.skipped,
    )  # fmt: skip
    inside = (start >= 0) & (start + width <= genome.lengths[rows.contig])
    return rows.kept(inside, "window over the end of its contig")


def rows_of_signal(means: WindowMeans, genome: Genome, width: int, source: str) -> LabelledRows:
    """Windows of a grid with the mean of a signal; those of contigs that it does not know are left out."""
    windows = genome.lengths // width
    known = sorted(means.mean)
    sizes = [len(means.mean[contig]) for contig in known]
    value = np.concatenate([means.mean[contig] for contig in known]).astype(np.float32)
    skipped = {}
    if unknown := int(windows.sum()) - sum(sizes):
        skipped["on a contig that the signal has not"] = unknown
    n = len(value)
    return LabelledRows(
        source=source, width=width, contig=np.repeat(known, sizes).astype(np.int64),
        start=np.concatenate([np.arange(size) * width for size in sizes]), strand=np.zeros(n, dtype=np.int8),
        label=np.array([repr(float(each)) for each in value], dtype=np.str_), part=np.full(n, -1, dtype=np.int8),
        read=int(windows.sum()), skipped=skipped,
    )  # fmt: skip


def that_can_be_read(rows: LabelledRows, genome: Genome, reach: int) -> LabelledRows:
    """Points with bases enough on either side, windows without an unknown base. reach : largest offset of points."""
    if rows.width == 1:
        return rows.kept(readable(rows.sites(genome.names), genome, reach), "at a contig's end")
    known = np.zeros(len(rows), dtype=np.bool_)
    address = genome.starts[rows.contig] + rows.start
    step = max(1, (1 << 22) // rows.width)
    for first in range(0, len(rows), step):
        codes = genome.windows(address[first : first + step], rows.width)
        known[first : first + step] = (codes < genome.alphabet.n_known).all(axis=1)
    return rows.kept(known, "with an N")
