"""The plain loop over pysam's modified_bases and get_aligned_pairs: reference and baseline of `count_calls`.

It processes one read and one call at a time, with the same counts and the same account.
"""

import re
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pysam

from genolstm.alphabet import DNA
from genolstm.readers.call_kernels import CHEBI, LETTER
from genolstm.readers.calls import Call
from genolstm.readers.modifications import (
    COMPLEMENT,
    XM_CODES,
    CallTally,
    finished,
    match_contigs,
    new_tally,
)  # fmt: skip
from genolstm.readers.motifs import Motif, MotifSites, Reference
from genolstm.readers.read_filter import FlagRules, ReadFilter, filter_by_flags
from genolstm.readers.site_counts import SiteCounts
from genolstm.settings.methylation import CountSettings, CountUnit

GROUP = re.compile(r"([ACGTUN])([-+])([A-Za-z]{1,16}|[0-9]+)([.?]?)((?:,[0-9]+)*)(;?)")
LETTER_OF = {number: chr(letter) for number, letter in zip(CHEBI, LETTER, strict=True)}
LEVELS = 256  # of ML
SEEN_AS_UNKNOWN = 0

Read = Any  # pysam.AlignedSegment, whose stubs leave the type of every tag open


class Waiting(NamedTuple):
    """A read whose mate may yet come. calls : row -> modified or canonical, and whether MM leaves it unsaid."""

    is_first: bool
    calls: dict[int, tuple[Call, bool]]


class BaseCall(NamedTuple):
    """Call of one base of a read.

    query : 0-based in SEQ.   strand : +1 or -1, on the genome.   modified : probability of the wanted codes.
    canonical : what all codes leave.   listed : MM or XM lists it; else it is implied.
    outside : XM calls it outside CpG, where CpGs are wanted.
    """

    query: int
    strand: int
    modified: float
    canonical: float
    listed: bool
    outside: bool


def count_calls_slowly(path: Path, reference: Reference, sites: MotifSites, settings: CountSettings) -> SiteCounts:
    """Counts of `modifications.count_calls`, read by read."""
    tally = new_tally(sites)
    row_of = {
        (contig, strand, position): first
        for contig in range(len(reference.contigs))
        for strand in (1, -1)
        for first, position in enumerate(
            sites.at(contig, strand).tolist(), start=int(sites.first[2 * contig + (strand < 0)])
        )
    }
    rules, waiting = FlagRules(settings.min_mapq), dict[tuple[str, int], Waiting]()
    verbosity = pysam.set_verbosity(0)
    with pysam.AlignmentFile(str(path), "r") as file:
        lengths = np.array(file.lengths, np.int64)
        contig_of, warnings = match_contigs(file.references, lengths, reference, str(path))
        for read in file:
            place = int(contig_of[read.reference_id]) if read.reference_id >= 0 else -1
            is_placed = read.reference_id >= 0 and read.reference_start >= 0
            reason = filter_by_flags(read.flag, read.mapping_quality, rules, is_placed=is_placed, in_genome=place >= 0)
            if reason is ReadFilter.USED:
                reason = _refused(read, int(reference.length[place]), settings.code, tally)
            tally.filters[reason] += 1
            if reason in (ReadFilter.USED, ReadFilter.SURPLUS):
                tally.filters[ReadFilter.USED] += reason is ReadFilter.SURPLUS
                calls = _count_read(read, place, reference, sites, row_of, settings, tally)
                if settings.count is CountUnit.MOLECULES:
                    _join_mates(read, place, calls, waiting, tally)
    pysam.set_verbosity(verbosity)
    return finished(str(path), reference, sites, settings, tally, warnings)


def _count_read(
    read: Read,
    place: int,
    reference: Reference,
    sites: MotifSites,
    row_of: Mapping[tuple[int, int, int], int],
    settings: CountSettings,
    tally: CallTally,
) -> dict[int, tuple[Call, bool]]:
    """Count the calls of one read at its sites: row -> the counted call, and whether MM leaves it unsaid."""
    counted: dict[int, tuple[Call, bool]] = {}
    position_of = dict(read.get_aligned_pairs(matches_only=True))
    first = int(reference.start[place])
    for call in _calls(read, settings.code, sites.motif):
        own = sites.motif.base if call.strand > 0 else COMPLEMENT[sites.motif.base]
        position = position_of.get(call.query)
        reads_own = read.query_sequence[call.query] == own or _is_xm(read)
        if not call.listed and not reads_own:
            continue
        if position is None:
            tally.calls[Call.UNALIGNED] += call.listed
        elif call.listed and not (reads_own and DNA.letters[reference.codes[first + position]] == own):
            tally.calls[Call.MISMATCH] += 1
        elif (row := row_of.get((place, call.strand, position))) is None:
            tally.calls[Call.ELSEWHERE if call.outside else Call.OFF_MOTIF] += call.listed
        else:
            kind = _kind(call, settings.threshold)
            tally.calls[kind] += 1
            tally.calls[Call.IMPLIED] += not call.listed
            tally.modified[row] += kind is Call.MODIFIED
            tally.covered[row] += kind in (Call.MODIFIED, Call.CANONICAL)
            if kind in (Call.MODIFIED, Call.CANONICAL):
                counted[row] = kind, not call.listed
    return counted


def _kind(call: BaseCall, threshold: float) -> Call:
    if call.modified >= threshold:
        return Call.MODIFIED
    if call.canonical >= threshold:
        return Call.CANONICAL
    return Call.OTHER if 1 - call.canonical - call.modified >= threshold else Call.UNSURE


def _join_mates(
    read: Read,
    place: int,
    calls: dict[int, tuple[Call, bool]],
    waiting: dict[tuple[str, int], Waiting],
    tally: CallTally,
) -> None:
    """Take back the last read's calls where both reads of a fragment call a base, or let the calls wait for the mate.

    calls : the counted ones of this read, by row.   waiting : by read name and contig.
    """
    if not read.is_paired or read.is_read1 == read.is_read2:
        return
    key = re.sub(r"(?<=.)/[12]$", "", read.query_name), place
    mate = waiting.get(key)
    if mate is not None and mate.is_first != read.is_read1:
        del waiting[key]
        lost_calls = mate.calls if read.is_read1 else calls
        for row in mate.calls.keys() & calls.keys():
            kind, is_implied = lost_calls[row]
            tally.covered[row] -= 1
            tally.modified[row] -= kind is Call.MODIFIED
            tally.calls[kind] -= 1
            tally.calls[Call.IMPLIED] -= is_implied
            tally.calls[Call.SECOND_MATE] += 1
        return
    tells_mate = read.next_reference_id >= 0 and read.next_reference_start >= 0
    may_overlap = read.next_reference_id == read.reference_id and read.next_reference_start < read.reference_end
    if calls and not read.mate_is_unmapped and (may_overlap or not tells_mate):
        waiting[key] = Waiting(read.is_read1, calls)


def _is_xm(read: Read) -> bool:
    return not (read.has_tag("MM") or read.has_tag("Mm"))


def _tag(read: Read, new: str, old: str) -> Any:  # noqa: ANN401  (whatever type the tag has)
    """Value of a tag in its new spelling, or in the one before the specification."""
    name = new if read.has_tag(new) else old
    return read.get_tag(name) if read.has_tag(name) else None


def _refused(read: Read, contig_length: int, code: str, tally: CallTally) -> ReadFilter:  # noqa: PLR0911
    """Why the tags of a read are unusable, or USED, or SURPLUS."""
    if _is_xm(read) and not (read.has_tag("XM") and isinstance(read.get_tag("XM"), str)):
        return ReadFilter.NO_TAGS
    if not read.query_sequence:
        return ReadFilter.NO_SEQUENCE
    if not read.cigartuples or not read.get_aligned_pairs(matches_only=True):
        return ReadFilter.NO_ALIGNMENT
    if read.reference_end > contig_length:
        return ReadFilter.PAST_END
    if _is_xm(read):
        return _refused_xm(read, code)
    if read.has_tag("MN") and read.get_tag("MN") != len(read.query_sequence):
        return ReadFilter.MISFIT
    if not read.has_tag("MN") and any(operation == pysam.CHARD_CLIP for operation, _ in read.cigartuples):
        return ReadFilter.HARD_CLIPPED
    return _refused_mm(read, code, tally)


def _refused_xm(read: Read, code: str) -> ReadFilter:
    if set(code) not in XM_CODES:
        return ReadFilter.OTHER_CODES
    if len(read.get_tag("XM")) != len(read.query_sequence):
        return ReadFilter.MISFIT
    if not read.has_tag("XG") or read.get_tag("XG")[:1] not in ("C", "G"):
        return ReadFilter.NO_STRAND
    return ReadFilter.DAMAGED if set(read.get_tag("XM")) - set(".zZxXhHuU") else ReadFilter.USED


def _refused_mm(read: Read, code: str, tally: CallTally) -> ReadFilter:  # noqa: PLR0911
    text, levels = _tag(read, "MM", "Mm"), _tag(read, "ML", "Ml")
    if not isinstance(text, str):
        return ReadFilter.DAMAGED
    if levels is not None and not (isinstance(levels, array) and levels.typecode == "B"):
        return ReadFilter.DAMAGED
    if not text:
        return ReadFilter.EMPTY_TAGS
    needed, any_wanted, at = 0, False, 0
    sequence = read.get_forward_sequence()
    while at < len(text):
        if not (group := GROUP.match(text, at)):
            return ReadFilter.DAMAGED
        base, _, codes, _, skips, end = group.groups()
        names, at = _code_names(codes), group.end()
        any_wanted |= bool(set(names) & set(code))
        for name in names:
            tally.seen[ord(name) if name else SEEN_AS_UNKNOWN] = 1
        bases = len(sequence) if base == "N" else sequence.count("T" if base == "U" else base)
        for skip in skips.split(",")[1:]:
            bases -= int(skip) + 1
            needed += len(names)
            if bases < 0:
                return ReadFilter.MISFIT
            if levels is None:
                return ReadFilter.NO_LEVELS
            if needed > len(levels):
                return ReadFilter.SHORT_LEVELS
        if not end:
            return ReadFilter.DAMAGED
    if not any_wanted:
        return ReadFilter.OTHER_CODES
    return ReadFilter.SURPLUS if levels is not None and len(levels) > needed else ReadFilter.USED


def _code_names(codes: str) -> list[str]:
    """Letters of the modifications of a group; empty text for a ChEBI number that the specification does not list."""
    return [LETTER_OF.get(int(codes), "")] if codes.isdecimal() else list(codes)


def _calls(read: Read, code: str, motif: Motif) -> Iterator[BaseCall]:
    """Every base of a read that is called or implied."""
    if _is_xm(read):
        strand = 1 if read.get_tag("XG")[0] == "C" else -1
        for query, letter in enumerate(read.get_tag("XM")):
            if letter != ".":
                methylated = float(letter.isupper())
                yield BaseCall(query, strand, methylated, 1 - methylated, True, motif.is_cpg and letter.lower() != "z")
        return
    modified: dict[tuple[int, int], float] = {}  # by base and strand, over the wanted codes
    altered: dict[tuple[int, int], float] = {}  # over all codes
    for (_, on_reverse, name), listed in _modified_bases(read).items():
        letter = name if isinstance(name, str) else LETTER_OF.get(name, "")
        for query, level in listed:
            at, probability = (query, -1 if on_reverse else 1), (level + 0.5) / LEVELS
            altered[at] = altered.get(at, 0) + probability
            if letter and letter in code:
                modified[at] = modified.get(at, 0) + probability
    for (query, strand), probability in modified.items():
        yield BaseCall(query, strand, probability, 1 - altered[query, strand], True, False)
    for strand in _implied_strands(read, code, motif.base):
        for query in range(len(read.query_sequence)):
            if (query, strand) not in modified:
                yield BaseCall(query, strand, 0, 1 - altered.get((query, strand), 0), False, False)


def _modified_bases(read: Read) -> Mapping[tuple[str, int, str | int], list[tuple[int, int]]]:
    """Pysam's table, for which ML must not be longer than MM."""
    text, levels = _tag(read, "MM", "Mm"), _tag(read, "ML", "Ml")
    needed = sum(len(_code_names(codes)) * skips.count(",") for _, _, codes, _, skips, _ in GROUP.findall(str(text)))
    if isinstance(levels, array) and len(levels) > needed:
        read.set_tag("ML" if read.has_tag("ML") else "Ml", levels[:needed])
    return read.modified_bases or {}


def _implied_strands(read: Read, code: str, canonical: str) -> set[int]:
    """Strands of the genome on which a canonical base that MM does not list is unmodified."""
    found = set()
    for base, sign, codes, mode, _, _ in GROUP.findall(str(_tag(read, "MM", "Mm"))):
        strand = 1 if read.is_reverse == (sign == "-") else -1
        modifies = COMPLEMENT[canonical] if sign == "-" else canonical  # as sequenced
        if mode != "?" and set(_code_names(codes)) & set(code) and base in (modifies, "N"):
            found.add(strand)
    return found


def plain_loop(path: Path, code: str, threshold: float) -> dict[tuple[int, int, int], list[int]]:
    """Modified and covered reads by contig, position and strand, as most scripts count them: the baseline of `bench`.

    No filter but that of unaligned bases, no motif, no implied calls, one code.
    """
    counts: dict[tuple[int, int, int], list[int]] = {}
    with pysam.AlignmentFile(str(path), "r") as file:
        for read in file:
            position_of = dict(read.get_aligned_pairs(matches_only=True))
            for (_, on_reverse, name), listed in (read.modified_bases or {}).items():
                if name != code:
                    continue
                for query, level in listed:
                    probability = (level + 0.5) / LEVELS
                    if query in position_of and not 1 - threshold < probability < threshold:
                        site = counts.setdefault((read.reference_id, position_of[query], on_reverse), [0, 0])
                        site[0] += probability >= threshold
                        site[1] += 1
    return counts
