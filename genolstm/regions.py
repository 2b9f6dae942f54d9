"""Places on a genome, 0-based and half open, with strand; no files, no torch."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError

STRAND_NAMES = ("forward", "reverse")  # in the order in which arrays and files hold them
N_STRANDS = len(STRAND_NAMES)
STRAND_LETTERS = {1: "+", -1: "-", 0: "."}
STRAND_SIGNS = {letter: sign for sign, letter in STRAND_LETTERS.items()}
BLOCK_BP = 1_000_000  # a split cuts the genome into blocks of this length, or of a twentieth of the genome
BLOCKS_AT_LEAST = 20  # of a split, and of a bootstrap: an interval from fewer means little
CONTIG_SHIFT = 40  # a block number has the contig above this bit
MARGIN_BP = 1_000  # dropped between stretches of different parts, so that no window straddles them
HELD_OUT_FRACTION = 0.05  # of the genome, for validation and again for test, when no contigs are named


MOST_COMMAS = 16  # in a contig's name


class Part(IntEnum):
    """What a stretch of the genome is for."""

    TRAIN = 0
    VALID = 1
    TEST = 2


@dataclass(frozen=True, kw_only=True)
class Region:
    """One place: contig name, 0-based half-open [start, end)."""

    contig: str
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Stretches:
    """Disjoint intervals of a genome with the part each is for, sorted by contig and start.

    contigs : names, in genome order.   contig : int32 [K], index into contigs.
    start, end : int64 [K], 0-based half open.   part : int8 [K], a Part.
    """

    contigs: tuple[str, ...]
    contig: NDArray[np.int32]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    part: NDArray[np.int8]

    def of(self, part: Part) -> "Stretches":
        """Only the stretches of one part."""
        return self.only(self.part == part)

    def only(self, keep: NDArray[np.bool_]) -> "Stretches":
        """Only some of the stretches. keep : bool [K]."""
        return replace(self, contig=self.contig[keep], start=self.start[keep], end=self.end[keep], part=self.part[keep])

    @property
    def rows(self) -> list[tuple[int, int, int, int]]:
        """Contig, start, end and part of each, as plain numbers."""
        columns = (self.contig, self.start, self.end, self.part)
        return list(zip(*(column.tolist() for column in columns), strict=True))

    @property
    def bases(self) -> int:
        """Total length in bases, one strand."""
        return int((self.end - self.start).sum())

    def names(self) -> tuple[str, ...]:
        """Names of the contigs that these stretches touch, in genome order."""
        return tuple(self.contigs[index] for index in np.unique(self.contig))

    def part_at(self, contig: NDArray[np.int32], position: NDArray[np.int64]) -> NDArray[np.int8]:
        """Part of each place: int8 [N]; -1 where it lies in no stretch (a margin, a contig left out).

        contig, position : [N].
        """
        found = np.full(len(position), -1, dtype=np.int8)
        for index in np.unique(contig):
            mine = np.flatnonzero(self.contig == index)
            if not len(mine):
                continue
            here = np.flatnonzero(contig == index)
            slot = np.searchsorted(self.start[mine], position[here], side="right") - 1
            inside = (slot >= 0) & (position[here] < self.end[mine][np.maximum(slot, 0)])
            found[here[inside]] = self.part[mine][slot[inside]]
        return found


def stretches_of(regions: Iterable[Region], contigs: Sequence[str]) -> Stretches:
    """Regions as sorted stretches, those that overlap or touch made one. The part of all is TEST."""
    index = {name: place for place, name in enumerate(contigs)}
    joined: list[list[int]] = []
    for contig, start, end in sorted((index[region.contig], region.start, region.end) for region in regions):
        if joined and joined[-1][0] == contig and start <= joined[-1][2]:
            joined[-1][2] = max(joined[-1][2], end)
        else:
            joined.append([contig, start, end])
    return stretches_from_rows(tuple(contigs), [(contig, start, end, Part.TEST) for contig, start, end in joined])


@dataclass(frozen=True, kw_only=True)
class Sites:
    """Labelled single-base places, sorted by contig, position and strand; checked at birth, trusted afterwards.

    contigs : names, in genome order.   contig : int32 [N], index into contigs.   position : int64 [N], 0-based.
    strand : int8 [N], +1 or -1.   label : int8 [N].   part : int8 [N], a Part.   block : int64 [N], resampled together.
    """

    contigs: tuple[str, ...]
    contig: NDArray[np.int32]
    position: NDArray[np.int64]
    strand: NDArray[np.int8]
    label: NDArray[np.int8]
    part: NDArray[np.int8]
    block: NDArray[np.int64]

    def __post_init__(self) -> None:
        columns = (self.contig, self.position, self.strand, self.label, self.part, self.block)
        if len({len(column) for column in columns}) != 1:
            raise ValueError("the columns of Sites differ in length")
        order = np.lexsort((self.strand, self.position, self.contig))
        if not np.array_equal(order, np.arange(len(order))):
            raise ValueError("Sites are not sorted by contig, position and strand")

    def __len__(self) -> int:
        return len(self.position)

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> "Sites":
        """Only these rows, which must keep the order."""
        names = ("contig", "position", "strand", "label", "part", "block")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def block_length(block_bp: int, bases: int, *, least: int = 1) -> int:
    """Bases that are resampled together: those asked for, or a twentieth of `bases` where that is less.

    One block drawn again and again would give an interval of no width, and any difference would seem certain.
    """
    return max(least, min(block_bp, bases // BLOCKS_AT_LEAST))


def block_numbers(
    contig: NDArray[np.int32] | NDArray[np.int64], position: NDArray[np.int64], block_bp: int
) -> NDArray[np.int64]:
    """Number of the block of a genome that each place lies in, int64 [N], by contig and position."""
    blocks: NDArray[np.int64] = (contig.astype(np.int64) << CONTIG_SHIFT) + position // block_bp
    return blocks


def split_genome(
    lengths: dict[str, int],
    rng: np.random.Generator,
    *,
    train_contigs: Sequence[str] = (),
    valid_contigs: Sequence[str] = (),
    test_contigs: Sequence[str] = (),
    block_bp: int = BLOCK_BP,
    held_out_fraction: float = HELD_OUT_FRACTION,
) -> Stretches:
    """Cut a genome into stretches for training, validation and test.

    Named contigs go whole to their part; what is not named is for training (all of it, or only `train_contigs` when
    given). With no validation contigs a seeded draw of blocks gives a fraction of the training contigs to validation;
    with no test contigs either, another fraction to test. Margins are dropped between blocks of different parts.

    lengths : bases of each contig, in genome order.   block_bp : length of a block at most.   Raises InputError for
    unknown names, or one name in two parts.
    """
    train_contigs, valid_contigs, test_contigs = (
        put_together(names, lengths) for names in (train_contigs, valid_contigs, test_contigs)
    )
    wanted = {Part.TRAIN: train_contigs, Part.VALID: valid_contigs, Part.TEST: test_contigs}
    check_names(lengths, wanted)
    whole = {name: part for part in (Part.VALID, Part.TEST) for name in wanted[part]}
    for_training = set(train_contigs or lengths)  # of a genome of many contigs, most may be named
    rest = [name for name in lengths if name not in whole and name in for_training]
    if not rest:
        raise InputError("no contig is left for training: every contig is named for validation or test; name fewer.")
    block_bp = block_length(block_bp, sum(lengths[name] for name in rest))
    drawn = (*([] if valid_contigs else [Part.VALID]), *([] if valid_contigs or test_contigs else [Part.TEST]))
    index = {name: place for place, name in enumerate(lengths)}
    rows = [(index[name], 0, lengths[name], part) for name, part in whole.items() if lengths[name]]
    rows += [
        (index[name], start, end, part)
        for name, start, end, part in _drawn(rest, lengths, block_bp, drawn, held_out_fraction, rng)
    ]
    return stretches_from_rows(tuple(lengths), sorted(rows))


def split_chains(
    lengths: dict[str, int],
    clusters: Sequence[int] | NDArray[np.int64],
    rng: np.random.Generator,
    *,
    train_contigs: Sequence[str] = (),
    valid_contigs: Sequence[str] = (),
    test_contigs: Sequence[str] = (),
    held_out_fraction: float = HELD_OUT_FRACTION,
) -> Stretches:
    """Deal chains (proteins), whole and by whole clusters, to training, validation and test.

    Named chains go to their part; their relatives, the other chains of their clusters, go to no part unless they are
    named too. Of the other clusters a seeded draw gives a fraction of the symbols to validation where none is named for
    it, and to test where neither is named; a cluster larger than that fraction is for training.

    lengths : symbols of each chain, in file order.   clusters : cluster of each.   Raises InputError as `split_genome`.
    """
    train_contigs, valid_contigs, test_contigs = (
        put_together(names, lengths) for names in (train_contigs, valid_contigs, test_contigs)
    )
    wanted = {Part.TRAIN: train_contigs, Part.VALID: valid_contigs, Part.TEST: test_contigs}
    check_names(lengths, wanted)
    cluster_of = dict(zip(lengths, np.asarray(clusters).tolist(), strict=True))
    part_of = {name: part for part, named in wanted.items() for name in named}
    held_out = {cluster_of[name] for name, part in part_of.items() if part is not Part.TRAIN}
    members: dict[int, list[str]] = {}
    for name in lengths:
        if cluster_of[name] not in held_out and (not train_contigs or name in part_of):
            members.setdefault(cluster_of[name], []).append(name)
    drawn = (*([] if valid_contigs else [Part.VALID]), *([] if valid_contigs or test_contigs else [Part.TEST]))
    part_of |= _drawn_clusters(list(members.values()), lengths, drawn, held_out_fraction, rng)
    if Part.TRAIN not in part_of.values():
        raise InputError("no protein is left for training: all are named for validation or test, or relatives of them.")
    index = {name: place for place, name in enumerate(lengths)}
    return stretches_from_rows(
        tuple(lengths), sorted((index[name], 0, lengths[name], part) for name, part in part_of.items() if lengths[name])
    )


def _drawn_clusters(
    members: list[list[str]], lengths: dict[str, int], parts: Sequence[Part], fraction: float, rng: np.random.Generator
) -> dict[str, Part]:
    """Part of each chain of some clusters: a fraction of symbols drawn for each of `parts`, the rest for training."""
    sizes = [sum(lengths[name] for name in names) for names in members]
    goal = fraction * sum(sizes)
    order = [int(place) for place in rng.permutation(len(members))]
    part_of = {name: Part.TRAIN for names in members for name in names}
    for part in parts:
        taken, passed = 0, []
        while order and taken < goal:
            place = order.pop()
            if taken + sizes[place] / 2 < goal and sizes[place] <= goal:  # with it the part is nearer to its fraction
                taken += sizes[place]
                part_of |= dict.fromkeys(members[place], part)
            else:
                passed.append(place)
        order = passed + order
    return part_of


def stretches_from_rows(contigs: tuple[str, ...], rows: Sequence[tuple[int, int, int, int]]) -> Stretches:
    """Stretches from sorted rows of contig, start, end and part."""
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    return Stretches(
        contigs=contigs,
        contig=np.array(columns[0], dtype=np.int32),
        start=np.array(columns[1], dtype=np.int64),
        end=np.array(columns[2], dtype=np.int64),
        part=np.array(columns[3], dtype=np.int8),
    )


def put_together(pieces: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    """Names of contigs from a list that was cut at its commas: 'BVAB1,_complete_genome' is one name where it is known.

    A piece that is a name by itself stays one; what is no part of a name is left for whoever checks the names.
    """
    found: list[str] = []
    at = 0
    while at < len(pieces):
        ends = range(at + 1, min(len(pieces), at + 1 + MOST_COMMAS) + 1)
        end = next((end for end in ends if ",".join(pieces[at:end]) in known), at + 1)
        found.append(",".join(pieces[at:end]))
        at = end
    return tuple(found)


def check_names(lengths: Mapping[str, int], wanted: Mapping[Part, Sequence[str]]) -> None:
    """Refuse contigs that the genome lacks, or that are named for two parts. Raises InputError."""
    seen: dict[str, Part] = {}
    for part, names in wanted.items():
        for name in names:
            if name not in lengths:
                known = ", ".join(list(lengths)[:8]) + (", ..." if len(lengths) > 8 else "")
                raise InputError(
                    f"{part.name.lower()} contig '{name}' is not in the genome, which has {known}. Correct the name."
                )
            if name in seen and seen[name] is not part:
                raise InputError(
                    f"contig '{name}' is named for {seen[name].name.lower()} and for {part.name.lower()}; choose one."
                )
            seen[name] = part


def _drawn(
    names: list[str],
    lengths: dict[str, int],
    block_bp: int,
    parts: Sequence[Part],
    fraction: float,
    rng: np.random.Generator,
) -> list[tuple[str, int, int, Part]]:
    """Blocks of `names`, a fraction drawn for `parts`; neighbours of one part merged, margins between parts dropped."""
    blocks = [
        (name, start, min(start + block_bp, lengths[name]))
        for name in names
        for start in range(0, lengths[name], block_bp)
    ]
    goal = fraction * sum(end - start for _, start, end in blocks)
    part_of = dict.fromkeys(range(len(blocks)), Part.TRAIN)
    order = list(rng.permutation(len(blocks)))
    for part in parts:
        taken = 0
        while len(order) > 1:  # one block at least is left for training
            _, start, end = blocks[order[-1]]
            if taken + (end - start) / 2 >= goal:  # without it the part is nearer to its fraction
                break
            part_of[int(order.pop())] = part
            taken += end - start
    merged: list[tuple[str, int, int, Part]] = []
    margin = min(MARGIN_BP, block_bp // 10)
    for place, (name, start, end) in enumerate(blocks):
        part = part_of[place]
        if merged and merged[-1][0] == name and merged[-1][3] is part:
            merged[-1] = (name, merged[-1][1], end, part)
        else:
            inner = start + margin if start else 0
            if inner < end:
                merged.append((name, inner, end, part))
    return merged
