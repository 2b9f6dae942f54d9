"""Where the splice sites of an annotation are, and decoys that carry the same dinucleotide."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import DNA, paired
from genolstm.errors import InputError
from genolstm.readers.annotation import Transcript
from genolstm.regions import Part, Sites, Stretches, block_length, block_numbers
from genolstm.settings.probe import DecoySource, ProbeSettings
from genolstm.store.genome import Genome

DRAW = 1 << 18  # places tried at a time while decoys are drawn
SLAB = 1 << 22  # bases processed at a time while candidates are counted
DRAWS_WITHOUT_A_FIND = 50  # then a contig is taken to have no more decoys


class Target(StrEnum):
    """The two ends of an intron."""

    DONOR = "donor"
    ACCEPTOR = "acceptor"


@dataclass(frozen=True)
class Dinucleotide:
    """The two bases of a site along its strand, and which of them is the site's position: always the G."""

    first: int
    second: int
    position: int

    def at(
        self, genome: Genome, contig: int, position: NDArray[np.int64], strand: NDArray[np.int8]
    ) -> NDArray[np.bool_]:
        """At which places of one contig it occurs, the G at `position`; bool [N]. False past the contig's ends."""
        start, length = int(genome.starts[contig]), int(genome.lengths[contig])
        pair = []
        for step in (-self.position, 1 - self.position):
            place = position + strand * step
            code = genome.all_codes[start + np.clip(place, 0, length - 1)]
            code = np.where(strand > 0, code, paired(code, DNA))
            pair.append(np.where((place >= 0) & (place < length), code, DNA.unknown))
        here: NDArray[np.bool_] = (pair[0] == self.first) & (pair[1] == self.second)
        return here


_A, _G, _T = (DNA.letters.index(letter) for letter in "AGT")
DINUCLEOTIDES = {Target.DONOR: Dinucleotide(_G, _T, 0), Target.ACCEPTOR: Dinucleotide(_A, _G, 1)}


@dataclass(frozen=True, kw_only=True)
class SpliceSites:
    """Sites of one target with what was left out.

    prevalence : true sites among all places of the test part that carry the dinucleotide where decoys may lie.
    """

    sites: Sites
    skipped: dict[str, int]
    prevalence: float


Row = tuple[int, int, int]  # contig index, position, strand


@dataclass(frozen=True)
class Places:
    """Distinct places, each [N]: contig index, position, strand."""

    contig: NDArray[np.int32]
    position: NDArray[np.int64]
    strand: NDArray[np.int8]


def splice_sites(
    target: Target,
    genome: Genome,
    transcripts: Sequence[Transcript],
    split: Stretches,
    settings: ProbeSettings,
    rng: np.random.Generator,
) -> SpliceSites:
    """True sites and decoys of one target, divided by the split, in bootstrap blocks.

    Decoys are other places with the same dinucleotide, never an annotated site, however short its intron: inside mRNA
    spans on the same strand, or anywhere on the contig on either strand. Raises InputError when there is no site to be
    had.
    """
    true, annotated, skipped = true_places(target, genome, transcripts, settings.min_intron)
    part = split.part_at(true.contig, true.position)
    usable = part >= 0
    if not usable.any():
        raise InputError(f"no {target} lies on the contigs of the split; name contigs that have introns.")
    if (~usable).any():
        skipped[f"{target} outside the split"] = int((~usable).sum())
    kept = _at_most(usable, part, settings.max_sites, rng)
    if kept.sum() < usable.sum():
        skipped[f"{target} beyond --max-sites"] = int(usable.sum() - kept.sum())
    spans = _spans(genome, transcripts, settings.decoys_from)
    if not spans:
        raise InputError(
            "no transcript is coding (has CDS), so that no span can hold decoys; add --decoys-from contig."
        )
    candidates = _Candidates(target, genome, spans, split)
    decoys = candidates.drawn_for(true, annotated, np.where(kept, part, np.int8(-1)), settings.decoys, rng)
    columns = [
        np.concatenate([getattr(true, name)[kept], getattr(decoys, name)]) for name in ("contig", "position", "strand")
    ]
    label = np.repeat(np.array([1, 0], dtype=np.int8), [kept.sum(), len(decoys.position)])
    order = np.lexsort((columns[2], columns[1], columns[0]))
    contig, position, strand = (column[order] for column in columns)
    block = block_numbers(contig, position, block_length(settings.block_bp, split.of(Part.TEST).bases))
    sites = Sites(
        contigs=genome.names, contig=contig, position=position, strand=strand, label=label[order],
        part=split.part_at(contig, position), block=np.unique(block, return_inverse=True)[1].astype(np.int64),
    )  # fmt: skip
    in_test = ((part == Part.TEST) & candidates.hold(true)).sum() / max(1, candidates.in_test())
    return SpliceSites(sites=sites, skipped=skipped, prevalence=float(in_test))


def true_places(
    target: Target, genome: Genome, transcripts: Sequence[Transcript], min_intron: int
) -> tuple[Places, set[Row], dict[str, int]]:
    """Distinct sites that carry their dinucleotide, sorted; all annotated ones; how many were left out, by reason."""
    index = {name: place for place, name in enumerate(genome.names)}
    rows: set[Row] = set()
    annotated: set[Row] = set()
    short: set[tuple[int, int, int, int]] = set()
    for transcript in transcripts:
        forward = transcript.strand == "+"
        contig, sign = index[transcript.contig], 1 if forward else -1
        for start, end in transcript.introns().tolist():
            # a donor is the intron's first base and an acceptor its last, along the strand
            site = contig, start if (target is Target.DONOR) == forward else end - 1, sign
            annotated.add(site)
            if end - start < min_intron:
                short.add((contig, start, end, sign))
            else:
                rows.add(site)
    table = np.array(sorted(rows), dtype=np.int64).reshape(-1, 3)
    places = Places(table[:, 0].astype(np.int32), table[:, 1], table[:, 2].astype(np.int8))
    canonical = np.concatenate(
        [np.zeros(0, dtype=bool)]
        + [
            DINUCLEOTIDES[target].at(genome, contig, places.position[here], places.strand[here])
            for contig in np.unique(places.contig)
            for here in [places.contig == contig]
        ]
    )
    skipped = {}
    if short:
        skipped[f"intron under {min_intron} bases"] = len(short)
    if (~canonical).any():
        skipped[f"{target} without its dinucleotide"] = int((~canonical).sum())
    kept = Places(places.contig[canonical], places.position[canonical], places.strand[canonical])
    return kept, annotated, skipped


def _at_most(
    usable: NDArray[np.bool_], part: NDArray[np.int8], most: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """At most `most` usable sites of each part, drawn by the seed; bool [N]."""
    kept = np.zeros_like(usable)
    for each in Part:
        mine = np.flatnonzero(usable & (part == each))
        kept[mine if len(mine) <= most else rng.choice(mine, most, replace=False)] = True
    return kept


def _spans(
    genome: Genome, transcripts: Sequence[Transcript], source: DecoySource
) -> dict[tuple[int, int], NDArray[np.int64]]:
    """Where decoys may lie: (contig, strand) -> merged intervals [k, 2]."""
    if source is DecoySource.CONTIG:
        return {
            (contig, sign): np.array([[0, length]])
            for contig, length in enumerate(genome.lengths.tolist())
            for sign in (1, -1)
        }
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    index = {name: place for place, name in enumerate(genome.names)}
    for transcript in transcripts:
        if len(transcript.coding):  # spans of mRNA: what a spliceosome meets
            key = (index[transcript.contig], 1 if transcript.strand == "+" else -1)
            found.setdefault(key, []).append((int(transcript.exons[0, 0]), int(transcript.exons[-1, 1])))
    return {key: _merged(sorted(intervals)) for key, intervals in found.items()}


def _merged(intervals: list[tuple[int, int]]) -> NDArray[np.int64]:
    merged = [list(intervals[0])]
    for start, end in intervals[1:]:
        if start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return np.array(merged, dtype=np.int64)


@dataclass(frozen=True)
class _Candidates:
    """Places of a target's dinucleotide where decoys may lie. spans : (contig, strand) -> merged intervals [k, 2]."""

    target: Target
    genome: Genome
    spans: dict[tuple[int, int], NDArray[np.int64]]
    split: Stretches

    def drawn_for(
        self, true: Places, annotated: set[Row], part: NDArray[np.int8], ratio: int, rng: np.random.Generator
    ) -> Places:
        """Draw `ratio` decoys for each true site that has a part, from the same contig and part of the split."""
        drawn = [(0, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int8))]
        for contig in np.unique(true.contig[part >= 0]).tolist():
            for each in Part:
                wanted = ratio * int(((true.contig == contig) & (part == each)).sum())
                if wanted and ((contig, 1) in self.spans or (contig, -1) in self.spans):
                    taken = {row[1:] for row in annotated if row[0] == contig}
                    drawn.append((contig, *self._drawn(contig, each, taken, wanted, rng)))
        return Places(
            np.concatenate([np.full(len(position), contig, dtype=np.int32) for contig, position, _ in drawn]),
            np.concatenate([position for _, position, _ in drawn]),
            np.concatenate([strand for _, _, strand in drawn]),
        )

    def _drawn(
        self, contig: int, part: Part, taken: set[tuple[int, int]], wanted: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
        """Distinct decoys of one contig and part, by random places: memory follows their number, not the contig.

        Fewer than wanted where the spans hold no more. taken : (position, strand) of what is no decoy; grows.
        """
        spans = {sign: self.spans[contig, sign] for sign in (1, -1) if (contig, sign) in self.spans}
        intervals = np.concatenate(list(spans.values()))
        signs = np.repeat(np.array(list(spans), dtype=np.int8), [len(rows) for rows in spans.values()])
        ends = np.cumsum(intervals[:, 1] - intervals[:, 0])
        found: list[tuple[int, int]] = []
        idle = 0
        while len(found) < wanted and idle < DRAWS_WITHOUT_A_FIND:
            ticket = rng.integers(0, ends[-1], DRAW)
            slot = np.searchsorted(ends, ticket, side="right")
            position, strand = intervals[slot, 1] - (ends[slot] - ticket), signs[slot]
            fits = DINUCLEOTIDES[self.target].at(self.genome, contig, position, strand)
            fits &= self.split.part_at(np.full(DRAW, contig, dtype=np.int32), position) == part
            before = len(found)
            for pair in zip(position[fits].tolist(), strand[fits].tolist(), strict=True):
                if pair not in taken and len(found) < wanted:
                    taken.add(pair)
                    found.append(pair)
            idle = idle + 1 if len(found) == before else 0
        table = np.array(found, dtype=np.int64).reshape(-1, 2)
        return table[:, 0], table[:, 1].astype(np.int8)

    def hold(self, places: Places) -> NDArray[np.bool_]:
        """Which places lie where decoys may lie; an intron of a non-coding transcript need not. bool [N]."""
        inside = np.zeros(len(places.position), dtype=bool)
        for (contig, sign), intervals in self.spans.items():
            here = np.flatnonzero((places.contig == contig) & (places.strand == sign))
            slot = np.searchsorted(intervals[:, 0], places.position[here], side="right") - 1
            inside[here] = (slot >= 0) & (places.position[here] < intervals[np.maximum(slot, 0), 1])
        return inside

    def in_test(self) -> int:
        """How many there are in the test part, true sites included."""
        test, count = self.split.of(Part.TEST), 0
        for contig, first, last in zip(test.contig.tolist(), test.start.tolist(), test.end.tolist(), strict=True):
            for sign in (1, -1):
                for start, end in self.spans.get((contig, sign), np.zeros((0, 2), dtype=np.int64)).tolist():
                    for position in _slabs(max(first, start), min(last, end)):
                        strand = np.full(len(position), sign, np.int8)
                        count += int(DINUCLEOTIDES[self.target].at(self.genome, contig, position, strand).sum())
        return count


def _slabs(start: int, end: int) -> Iterator[NDArray[np.int64]]:
    return (np.arange(first, min(first + SLAB, end)) for first in range(start, end, SLAB))
