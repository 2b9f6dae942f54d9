"""From the records of a BAM file to counts of modified bases at sites: the compiled loops.

Their result for every read is that of the reference implementation, `modification_loop`; they trust no number read. All
stand in this one file because numba's cache notices changes in the file of the outermost function only.
"""

# ruff: noqa: FBT001  (compiled functions are called by place)

import numpy as np
from numpy.typing import NDArray

from genolstm.readers.bam_walk import (
    BAD_BASES,
    BAD_CONTIG,
    BAD_LONG_CIGAR,
    BAD_NAME,
    BAD_OPERATION,
    BAD_POSITION,
    BAD_SIZE,
    CONTIG,
    CROWDED,
    FIXED_BYTES,
    FLAGS,
    LARGEST_RECORD,
    LENGTHS,
    MATE_CONTIG,
    MATE_START,
    N_BASES,
    N_OPERATIONS,
    NO_FAULT,
    SIZE_BYTES,
    START,
)  # fmt: skip
from genolstm.readers.calls import Call
from genolstm.readers.compiled import compiled, int32_at
from genolstm.readers.read_filter import ReadFilter
from genolstm.readers.sam_codes import (
    DELETION,
    DUPLICATE,
    FIRST,
    HARD_CLIP,
    INSERTION,
    LAST,
    MATCH,
    MATE_UNMAPPED,
    MISMATCH,
    PAIRED,
    QC_FAIL,
    REVERSE,
    SAME,
    SECONDARY,
    SKIP,
    SOFT_CLIP,
    SUPPLEMENTARY,
    UNMAPPED,
)  # fmt: skip

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Marks = NDArray[np.int32]

# where the tags of a record begin and end, -1 where it lacks one; -2 where its type is not the specification's
MM, MM_END, ML, ML_END, MN, XM, XM_END, XG, LONG_CIGAR, LONG_CIGAR_SIZE = range(10)
TAGS, ABSENT, MISTYPED = 10, -1, -2
TAG_BYTES, ARRAY_BYTES = 3, 5
LISTED, MATCHING, OUTSIDE = 1, 2, 4  # of a base: some code; a wanted code; outside CpG, where only CpGs are wanted
IMPLIED = 1  # of a strand: its canonical bases that MM does not list are unmodified
WHOLE = 512  # ML value q stands for the probabilities of [q, q+1) / 256: its middle is (2 q + 1) / 512
CODES_TOGETHER = 16  # modifications in one group of MM, as C+mh; the specification has five of one base
CODES_SEEN = 128  # ASCII
# ChEBI numbers, and the letters that the SAM tags specification (section 1.7) gives to the same modifications
CHEBI = (27551, 76792, 76794, 76793, 16964, 80961, 17477, 28871, 44605, 18107)
LETTER = (109, 104, 102, 99, 103, 101, 98, 97, 111, 110)  # m h f c g e b a o n
UNKNOWN_NUMBER = 0
A, C, G, T, ANY = 1, 2, 4, 8, 15  # bases as BAM spells them, half a byte each
MIN_MAPQ, CANONICAL, FORWARD_CODE, REVERSE_CODE, TAKES_XM, ONLY_CPG, THRESHOLD, BY_MOLECULE = range(8)
RULES = 8
# Fragments of which one read was met whose mate may yet come: a hash table with open addressing. `keys` [SLOTS] holds
# the hash of a fragment's name and contig, `fragments` [SLOTS, FRAGMENT] what is known of it, `waiting_calls`
# [CALLS_WAITING] its counted calls as row << 2 | implied << 1 | modified, ascending; 42 MB at most, however long the
# file is. Only the first progress[SLOTS_USED] slots are used, so that few fragments touch little memory.
SLOTS, FRAGMENTS_WAITING, CALLS_WAITING = 1 << 19, 1 << 18, 1 << 21
VACANT, REMOVED = 0, 1  # keys that no fragment has
WHICH, MATE_AT, CALLS_AT, N_CALLS, RECORD = range(5)  # FIRST or LAST; start of the mate; its calls; record number
FRAGMENT = 5
WAITING, TAKEN, CALLS_END, RECORDS, UNSORTED, LAST_CONTIG, LAST_START, PAIRS, LARGEST_GAP, SLOTS_USED = range(10)
PROGRESS = 10
FEWEST_SLOTS = 1 << 10
NEAR, ENOUGH_PAIRS = 16, 1000  # mates that always came within so many records will not come later
NO_START = 0xFFFFFFFF
HASH_BASIS, HASH_PRIME = -3750763034362895579, 1099511628211  # FNV-1a of 64 bits


@compiled
def _number(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Whole number that begins here as text, and the place after it; the same place where there is none."""
    value = 0
    while at < end:
        digit = int(data[at]) - 48
        if digit < 0 or digit > 9:
            break
        value = value * 10 + digit
        if value > LARGEST_RECORD:
            value = LARGEST_RECORD
        at += 1
    return value, at


@compiled
def _find_tags(data: Bytes, at: int, end: int, found: Ints) -> bool:
    """Fill `found` [TAGS]; false where the tags do not fit into the record. MM and ML win over their old Mm and Ml."""
    found[:] = ABSENT
    while at + TAG_BYTES <= end:
        first, second, kind, value = data[at], data[at + 1], data[at + 2], at + TAG_BYTES
        number, element, width = 1, 0, 0
        if kind == ord("Z") or kind == ord("H"):
            at = value
            while at < end and data[at] != 0:
                at += 1
            if at == end:
                return False
            value_end = at
            at += 1
        else:
            if kind == ord("B"):
                if value + ARRAY_BYTES > end:
                    return False
                element, number = data[value], int32_at(data, value + 1)
                value += ARRAY_BYTES
            of = element if kind == ord("B") else kind
            if of == ord("c") or of == ord("C") or of == ord("A"):
                width = 1
            elif of == ord("s") or of == ord("S"):
                width = 2
            elif of == ord("i") or of == ord("I") or of == ord("f"):
                width = 4
            at = value + width * number
            if width == 0 or number < 0 or at > end:
                return False
            value_end = at
        if first == ord("M"):
            is_text, is_bytes = kind == ord("Z"), element == ord("C")
            if second == ord("M") or (second == ord("m") and found[MM] == ABSENT):
                found[MM], found[MM_END] = value if is_text else MISTYPED, value_end
            elif second == ord("L") or (second == ord("l") and found[ML] == ABSENT):
                found[ML], found[ML_END] = value if is_bytes else MISTYPED, value_end
            elif second == ord("N") and width and not element:
                found[MN] = 0
                for byte in range(width):
                    found[MN] |= np.int64(data[value + byte]) << (8 * byte)
        elif first == ord("X"):
            if second == ord("M"):
                if kind == ord("Z"):  # XM:i of other aligners counts mismatches
                    found[XM], found[XM_END] = value, value_end
            elif second == ord("G") and kind == ord("Z"):
                found[XG] = data[value]
        elif first == ord("C") and second == ord("G") and element == ord("I"):
            found[LONG_CIGAR], found[LONG_CIGAR_SIZE] = value, number
    return at == end


@compiled
def _place_bases(
    data: Bytes, cigar: int, n_cigar: int, start: int, length: int, contig_length: int, place: Marks
) -> tuple[int, int, bool]:
    """Fill `place` [length] with the position of each base on the contig, -1 where it has none.

    Returns a Fault, a ReadFilter, and whether the read is hard-clipped.
    """
    query, position, clipped, aligned = 0, start, False, False
    for operation in range(n_cigar):
        packed = int32_at(data, cigar + 4 * operation) & 0xFFFFFFFF
        code, extent = packed & 15, packed >> 4
        if code >= N_OPERATIONS:
            return BAD_OPERATION, ReadFilter.USED, clipped
        if code in (MATCH, SAME, MISMATCH):
            if query + extent > length:
                return BAD_BASES, ReadFilter.USED, clipped
            if position + extent > contig_length:
                return NO_FAULT, ReadFilter.PAST_END, clipped
            for step in range(extent):
                place[query + step] = position + step
            query += extent
            position += extent
            aligned = aligned or extent > 0
        elif code in (INSERTION, SOFT_CLIP):
            if query + extent > length:
                return BAD_BASES, ReadFilter.USED, clipped
            for step in range(extent):
                place[query + step] = -1
            query += extent
        elif code in (DELETION, SKIP):
            position += extent
        elif code == HARD_CLIP:
            clipped = True
    if n_cigar and query != length:
        return BAD_BASES, ReadFilter.USED, clipped
    return NO_FAULT, ReadFilter.USED if aligned else ReadFilter.NO_ALIGNMENT, clipped


@compiled
def _paired(base: int) -> int:
    if base == A:
        return T
    if base == C:
        return G
    if base == G:
        return C
    return A if base == T else base


@compiled
def _base_code(letter: int) -> int:
    """Half-byte of a base as MM spells it, 0 for what is none."""
    if letter == ord("A"):
        return A
    if letter == ord("C"):
        return C
    if letter == ord("G"):
        return G
    if letter == ord("T") or letter == ord("U"):
        return T
    return ANY if letter == ord("N") else 0


@compiled
def _base_at(data: Bytes, bases: int, query: int) -> int:
    pair = int(data[bases + (query >> 1)])
    return pair & 15 if query & 1 else pair >> 4


@compiled
def _find_base(data: Bytes, bases: int, length: int, wanted: int, found: Marks) -> int:
    """Fill `found` with the places of a base in SEQ, of every base where it is ANY; how many there are."""
    count, any_base = 0, wanted == ANY
    for query in range(0, length - 1, 2):  # no branch on the bases: the processor could not foresee it
        pair = data[bases + (query >> 1)]
        found[count] = query
        count += any_base | (pair >> 4 == wanted)
        found[count] = query + 1
        count += any_base | (pair & 15 == wanted)
    if length & 1:
        found[count] = length - 1
        count += any_base | (data[bases + (length >> 1)] >> 4 == wanted)
    return count


@compiled
def mark_mm(  # noqa: PLR0911, PLR0915  (one loop over a text)
    data: Bytes, tags: Ints, bases: int, length: int, reverse: bool, canonical: int, wanted: Ints,
    found: Marks, hits: Marks, n_hits: Ints, matching: Marks, total: Marks, listed: NDArray[np.uint8],
    states: NDArray[np.uint8], seen: NDArray[np.uint8],
) -> int:  # fmt: skip
    """Mark the bases that MM lists, by the strand of the genome on which the modification lies; returns a ReadFilter.

    bases, length : where SEQ begins, and its bases.   canonical : half-byte of the base that `wanted` codes modify.
    found : [length + 1] scratch.   hits : [2, length] bases marked, n_hits [2] of them.   matching, total : [2, length]
    sums of 2 q + 1 over wanted codes and over all.   listed : [2, length] LISTED and MATCHING.   states : [2] IMPLIED.
    seen : [CODES_SEEN] codes met.
    """
    at, end, level, level_end = tags[MM], tags[MM_END], tags[ML], tags[ML_END]
    if at == MISTYPED or level == MISTYPED:
        return ReadFilter.DAMAGED
    codes, is_wanted = np.empty(CODES_TOGETHER, np.int64), np.empty(CODES_TOGETHER, np.bool_)
    looked_for, count, any_wanted = 0, 0, False
    if at == end:
        return ReadFilter.EMPTY_TAGS
    while at < end:
        if at + 2 >= end or (data[at + 1] != ord("+") and data[at + 1] != ord("-")):
            return ReadFilter.DAMAGED
        base = _base_code(data[at])
        if base == 0:
            return ReadFilter.DAMAGED
        base = _paired(base) if reverse else base
        strand = 1 if reverse != (data[at + 1] == ord("-")) else 0
        at += 2
        n_codes, wants = 0, False
        number, after = _number(data, at, end)
        if after > at:
            codes[0], n_codes, at = UNKNOWN_NUMBER, 1, after
            for index in range(len(CHEBI)):
                if CHEBI[index] == number:
                    codes[0] = LETTER[index]
        else:
            while at < end and (ord("A") <= data[at] <= ord("Z") or ord("a") <= data[at] <= ord("z")):
                if n_codes == CODES_TOGETHER:
                    return ReadFilter.DAMAGED
                codes[n_codes] = data[at]
                n_codes += 1
                at += 1
        if n_codes == 0 or at >= end:
            return ReadFilter.DAMAGED
        for index in range(n_codes):
            seen[codes[index]] = 1
            is_wanted[index] = False
            for one in wanted:
                is_wanted[index] |= one == codes[index]
            wants |= is_wanted[index]
        any_wanted |= wants
        explicit = data[at] == ord("?")
        at += 1 if explicit or data[at] == ord(".") else 0
        rank = -1
        strand_matching, strand_total, strand_listed = matching[strand], total[strand], listed[strand]
        while at < end and data[at] == ord(","):
            skipped, after = _number(data, at + 1, end)
            if after == at + 1:
                return ReadFilter.DAMAGED
            at = after
            if looked_for != base:
                looked_for, count = base, _find_base(data, bases, length, base, found)
            rank += skipped + 1
            if rank >= count:
                return ReadFilter.MISFIT
            if level == ABSENT:
                return ReadFilter.NO_LEVELS
            if level + n_codes > level_end:
                return ReadFilter.SHORT_LEVELS
            query = found[count - 1 - rank] if reverse else found[rank]
            mark = strand_listed[query]
            if mark == 0:
                hits[strand, n_hits[strand]] = query
                n_hits[strand] += 1
            for index in range(n_codes):
                value = 2 * np.int32(data[level + index]) + 1
                strand_total[query] += value
                strand_matching[query] += value if is_wanted[index] else 0
            strand_listed[query] = mark | LISTED | (MATCHING if wants else 0)
            level += n_codes
        if at >= end or data[at] != ord(";"):
            return ReadFilter.DAMAGED
        at += 1
        own = _paired(canonical) if strand else canonical
        if wants and not explicit and base in (own, ANY):
            states[strand] |= IMPLIED
    if not any_wanted:
        return ReadFilter.OTHER_CODES
    return ReadFilter.SURPLUS if level >= 0 and level < level_end else ReadFilter.USED


@compiled
def mark_xm(
    data: Bytes, tags: Ints, length: int, only_cpg: bool, hits: Marks, n_hits: Ints, matching: Marks, total: Marks,
    listed: NDArray[np.uint8],
) -> int:  # fmt: skip
    """Mark the bases that Bismark's XM calls: upper case is methylated, XG holds the strand; returns a ReadFilter.

    only_cpg : calls in CHG and CHH are no surprise off the motif.   Others as in `mark_mm`.
    """
    first = tags[XM]
    if tags[XM_END] - first != length:
        return ReadFilter.MISFIT
    if tags[XG] != ord("C") and tags[XG] != ord("G"):  # CT: read from the forward strand; GA: from the other
        return ReadFilter.NO_STRAND
    strand = 1 if tags[XG] == ord("G") else 0
    for query in range(length):
        letter = data[first + query]
        if letter == ord("."):
            continue
        methylated = letter < ord("a")
        context = letter + 32 if methylated else letter
        if context != ord("z") and context != ord("x") and context != ord("h") and context != ord("u"):
            return ReadFilter.DAMAGED
        matching[strand, query] = total[strand, query] = WHOLE if methylated else 0
        listed[strand, query] = LISTED | MATCHING | (OUTSIDE if only_cpg and context != ord("z") else 0)
        hits[strand, n_hits[strand]] = query
        n_hits[strand] += 1
    return ReadFilter.USED


@compiled
def _count_strand(
    data: Bytes, bases: int, length: int, backwards: bool, own: int, reads_own: bool, implied: bool, place: Marks,
    hits: Marks, n_hits: int, matching: Marks, total: Marks, listed: NDArray[np.uint8], codes: Bytes, code: int,
    sites: Marks, modified: Marks, covered: Marks, threshold: int, tally: Ints, keeps: bool, row: int, kept: Ints,
    n_kept: int,
) -> int:  # fmt: skip
    """Count the marked bases of one strand at its sites; how many calls are kept now.

    backwards : hits descend.   own : half-byte that a canonical base has in SEQ.   reads_own : it must be read so.
    codes, sites : of this contig and strand.   code : the canonical base in `codes`.   keeps : write each counted call
    to `kept`, of which n_kept are there, as the tables of mates have it.   row : of the first of these sites.
    """
    site, n_sites = 0, len(sites)
    n_modified, n_counted, n_other, n_implied, n_here = 0, 0, 0, 0, 0
    for step in range(length if implied else n_hits):
        query = step if implied else hits[n_hits - 1 - step if backwards else step]
        is_marked = listed[query] & MATCHING != 0
        if not is_marked and not (implied and _base_at(data, bases, query) == own):
            continue  # only other modifications were called here, or another base was read
        at = place[query]
        if at < 0:
            tally[Call.UNALIGNED] += is_marked
            continue
        if is_marked and (codes[at] != code or (reads_own and _base_at(data, bases, query) != own)):
            tally[Call.MISMATCH] += 1
            continue
        if site == 0 or sites[site - 1] >= at:  # the first, or a group of MM that begins anew
            site = np.searchsorted(sites, at)
        while site < n_sites and sites[site] < at:
            site += 1
        if site == n_sites or sites[site] != at:
            if is_marked:
                tally[Call.ELSEWHERE if listed[query] & OUTSIDE else Call.OFF_MOTIF] += 1
            continue
        # sums in place of branches, which the processor could not foresee
        is_modified = int(matching[query] >= threshold)
        is_counted = is_modified | int(WHOLE - total[query] >= threshold)
        is_other = (1 - is_counted) & int(total[query] - matching[query] >= threshold)
        modified[site] += is_modified
        covered[site] += is_counted
        n_modified += is_modified
        n_counted += is_counted
        n_other += is_other
        n_implied += int(not is_marked)
        n_here += 1
        if keeps and is_counted:
            kept[n_kept] = (row + site) << 2 | int(not is_marked) << 1 | is_modified
            n_kept += 1
    tally[Call.MODIFIED] += n_modified
    tally[Call.CANONICAL] += n_counted - n_modified
    tally[Call.OTHER] += n_other
    tally[Call.UNSURE] += n_here - n_counted - n_other
    tally[Call.IMPLIED] += n_implied
    return n_kept


@compiled
def _fragment_key(data: Bytes, name: int, n_name: int, contig: int) -> int:
    """Hash of a read name without /1 or /2, and a contig; neither VACANT nor REMOVED."""
    end = name + n_name - 1  # without the NUL
    if end - name > 2 and data[end - 2] == ord("/") and (data[end - 1] == ord("1") or data[end - 1] == ord("2")):
        end -= 2
    key = np.int64(HASH_BASIS)
    for at in range(name, end):
        key = (key ^ np.int64(data[at])) * np.int64(HASH_PRIME)
    for shift in range(0, 32, 8):
        key = (key ^ np.int64((contig >> shift) & 0xFF)) * np.int64(HASH_PRIME)
    return int(key) if key not in (VACANT, REMOVED) else 2


@compiled
def _slot_of(keys: Ints, key: int, slots: int) -> int:
    """Slot of a key among the first `slots`, or the vacant one where it would be put."""
    at = (key ^ (key >> 32)) & (slots - 1)
    while keys[at] != key and keys[at] != VACANT:
        at = (at + 1) & (slots - 1)
    return at


@compiled
def _tidied(
    keys: Ints, fragments: NDArray[np.int64], waiting_calls: Ints, progress: Ints, lets_go: bool
) -> None:  # fmt: skip
    """Lay the tables of mates anew, with room to grow; lets_go : without the fragments whose mate can come no more.

    In a file sorted so far, that is where the reads are past the mate's start; where mates always came close together,
    after a few records. Else all stay.
    """
    close_together = progress[PAIRS] >= ENOUGH_PAIRS and progress[LARGEST_GAP] <= NEAR
    before = progress[SLOTS_USED]
    old_keys, old_fragments = keys[:before].copy(), fragments[:before].copy()
    old_calls = waiting_calls[: progress[CALLS_END]].copy()
    n_left = 0
    for old in range(before):
        if old_keys[old] in (VACANT, REMOVED):
            continue
        contig, start = old_fragments[old, MATE_AT] >> 32, old_fragments[old, MATE_AT] & NO_START
        if not lets_go:
            is_over = False
        elif progress[UNSORTED] == 0:
            is_over = contig != progress[LAST_CONTIG] or start < progress[LAST_START]
        else:
            is_over = close_together and progress[RECORDS] - old_fragments[old, RECORD] > NEAR
        if is_over:
            old_keys[old] = REMOVED
        else:
            n_left += 1
    slots = FEWEST_SLOTS
    while slots < min(SLOTS, 4 * n_left):
        slots *= 2
    keys[: max(before, slots)] = VACANT
    progress[SLOTS_USED], progress[WAITING], progress[TAKEN], progress[CALLS_END] = slots, n_left, n_left, 0
    for old in range(before):
        key = old_keys[old]
        if key in (VACANT, REMOVED):
            continue
        slot, first = _slot_of(keys, key, slots), progress[CALLS_END]
        keys[slot] = key
        fragments[slot] = old_fragments[old]
        fragments[slot, CALLS_AT] = first
        for call in range(fragments[slot, N_CALLS]):
            waiting_calls[first + call] = old_calls[old_fragments[old, CALLS_AT] + call]
        progress[CALLS_END] += fragments[slot, N_CALLS]


@compiled
def _join_mates(
    key: int, which: int, waits: bool, mate_at: int, kept: Ints, n_kept: int, modified: Marks, covered: Marks,
    tally: Ints, keys: Ints, fragments: NDArray[np.int64], waiting_calls: Ints, progress: Ints,
) -> bool:  # fmt: skip
    """Take back the last read's calls where both reads of a fragment call a base, or let the calls wait for the mate.

    which : FIRST or LAST.   waits : a mate may yet come.   mate_at : its contig << 32 | start.   kept : [n_kept] the
    counted calls of this read.   Returns whether they fit.
    """
    for call in range(1, n_kept):
        if kept[call] < kept[call - 1]:  # a second group of MM began anew
            kept[:n_kept] = np.sort(kept[:n_kept])
            break
    slots = progress[SLOTS_USED]
    slot = _slot_of(keys, key, slots)
    if keys[slot] == key and fragments[slot, WHICH] != which:
        first, n_mate, one, other = fragments[slot, CALLS_AT], fragments[slot, N_CALLS], 0, 0
        while one < n_kept and other < n_mate:
            mine, its = kept[one], waiting_calls[first + other]
            row, its_row = mine >> 2, its >> 2
            if row == its_row:
                lost = mine if which == LAST else its
                covered[row] -= 1
                modified[row] -= lost & 1
                tally[Call.MODIFIED if lost & 1 else Call.CANONICAL] -= 1
                tally[Call.IMPLIED] -= (lost >> 1) & 1
                tally[Call.SECOND_MATE] += 1
            one += int(row <= its_row)
            other += int(its_row <= row)
        if keys[(slot + 1) & (slots - 1)] == VACANT:  # no other key's way leads past it
            keys[slot] = VACANT
            progress[TAKEN] -= 1
        else:
            keys[slot] = REMOVED
        progress[WAITING] -= 1
        progress[PAIRS] += 1
        progress[LARGEST_GAP] = max(progress[LARGEST_GAP], progress[RECORDS] - fragments[slot, RECORD])
        if progress[WAITING] == 0:
            progress[CALLS_END] = 0
        return True
    if not waits or n_kept == 0:
        return True
    if progress[CALLS_END] + n_kept > CALLS_WAITING or progress[TAKEN] >= slots - (slots >> 2):
        is_full = slots == SLOTS or progress[CALLS_END] + n_kept > CALLS_WAITING
        _tidied(keys, fragments, waiting_calls, progress, is_full)
        if progress[CALLS_END] + n_kept > CALLS_WAITING or progress[WAITING] >= FRAGMENTS_WAITING:
            return False
        slot = _slot_of(keys, key, progress[SLOTS_USED])
    if keys[slot] == VACANT:
        keys[slot] = key
        progress[WAITING] += 1
        progress[TAKEN] += 1
    fragments[slot, WHICH], fragments[slot, MATE_AT], fragments[slot, CALLS_AT] = which, mate_at, progress[CALLS_END]
    fragments[slot, N_CALLS], fragments[slot, RECORD] = n_kept, progress[RECORDS]
    for call in range(n_kept):
        waiting_calls[progress[CALLS_END] + call] = kept[call]
    progress[CALLS_END] += n_kept
    return True


@compiled
def _filtered(  # noqa: PLR0911  (one reason each)
    flag: int, contig: int, start: int, mapq: int, min_mapq: int, contig_of: Ints
) -> int:
    """What the fixed columns of a read decide; the order is that of `read_filter.filter_by_flags`."""
    if flag & UNMAPPED or contig < 0 or start < 0:
        return ReadFilter.UNMAPPED
    if contig_of[contig] < 0:
        return ReadFilter.FOREIGN
    if flag & SECONDARY:
        return ReadFilter.SECONDARY
    if flag & SUPPLEMENTARY:
        return ReadFilter.SUPPLEMENTARY
    if flag & QC_FAIL:
        return ReadFilter.QC_FAIL
    if flag & DUPLICATE:
        return ReadFilter.DUPLICATE
    return ReadFilter.LOW_QUALITY if mapq < min_mapq else ReadFilter.USED


@compiled
def count_records(  # noqa: PLR0911, PLR0915  (one record after the other)
    data: Bytes, contig_of: Ints, rules: Ints, wanted: Ints, codes: Bytes, contig_first: Ints, contig_length: Ints,
    sites: Marks, site_first: Ints, modified: Marks, covered: Marks, tally: Ints, filters: Ints,
    seen: NDArray[np.uint8], keys: Ints, fragments: Ints, waiting_calls: Ints, progress: Ints,
) -> tuple[int, int]:  # fmt: skip
    """Count the calls of the whole records in `data` at the sites of a motif; bytes consumed, and a Fault.

    contig_of : place in the genome of each contig of the file, -1 for none.   rules : [RULES].   wanted : codes.
    codes : the genome, contigs end to end.   sites : positions by contig, then strand; those of contig c on strand s
    begin at site_first[2 c + s].   modified, covered : [sites], increased, as are tally (by Call), filters (by
    ReadFilter) and seen (codes).   keys, fragments, waiting_calls, progress : of mates, kept from chunk to chunk.
    """
    tags, n_hits, states = np.empty(TAGS, np.int64), np.zeros(2, np.int64), np.zeros(2, np.uint8)
    place, found, hits = np.empty(0, np.int32), np.empty(1, np.int32), np.empty((2, 0), np.int32)
    matching, total, listed = np.zeros((2, 0), np.int32), np.zeros((2, 0), np.int32), np.zeros((2, 0), np.uint8)
    kept = np.empty(0, np.int64)
    progress[SLOTS_USED] = max(progress[SLOTS_USED], FEWEST_SLOTS)
    at, size, canonical, by_molecule = 0, len(data), rules[CANONICAL], rules[BY_MOLECULE] != 0
    while at + SIZE_BYTES <= size:
        block = int32_at(data, at)
        if block < FIXED_BYTES or block > LARGEST_RECORD:
            return at, BAD_SIZE
        record = at + SIZE_BYTES
        after = record + block
        if after > size:
            break
        lengths, flags = int32_at(data, record + LENGTHS), int32_at(data, record + FLAGS)
        n_name, mapq, n_cigar, flag = lengths & 0xFF, (lengths >> 8) & 0xFF, flags & 0xFFFF, (flags >> 16) & 0xFFFF
        length, contig = int32_at(data, record + N_BASES), int32_at(data, record + CONTIG)
        start = int32_at(data, record + START)
        cigar = record + FIXED_BYTES + n_name
        bases = cigar + 4 * n_cigar
        tags_at = bases + ((length + 1) >> 1) + length
        if length < 0 or tags_at > after:
            return at, BAD_SIZE
        if n_name < 1 or data[cigar - 1] != 0:
            return at, BAD_NAME
        if contig < -1 or contig >= len(contig_of):
            return at, BAD_CONTIG
        if start < -1:
            return at, BAD_POSITION
        at = after
        reason = _filtered(flag, contig, start, mapq, rules[MIN_MAPQ], contig_of)
        if reason != ReadFilter.USED:
            filters[reason] += 1
            continue
        if not _find_tags(data, tags_at, after, tags):
            return record - SIZE_BYTES, BAD_SIZE
        if tags[MM] == ABSENT and tags[XM] == ABSENT:
            filters[ReadFilter.NO_TAGS] += 1
            continue
        if length == 0:
            filters[ReadFilter.NO_SEQUENCE] += 1
            continue
        if length > len(place):
            capacity = 2 * length
            place, found, hits = (
                np.empty(capacity, np.int32),
                np.empty(capacity + 1, np.int32),
                np.empty((2, capacity), np.int32),
            )
            matching, total = np.zeros((2, capacity), np.int32), np.zeros((2, capacity), np.int32)
            listed, kept = np.zeros((2, capacity), np.uint8), np.empty(2 * capacity, np.int64)
        if n_cigar == 2 and data[cigar + 4] & 15 == SKIP and int32_at(data, cigar) == length << 4 | SOFT_CLIP:
            cigar, n_cigar = (
                tags[LONG_CIGAR],
                tags[LONG_CIGAR_SIZE],
            )  # more operations than BAM can count: section 4.2.2
            if cigar < 0:
                return record - SIZE_BYTES, BAD_LONG_CIGAR
        where = contig_of[contig]
        fault, reason, clipped = _place_bases(data, cigar, n_cigar, start, length, contig_length[where], place)
        if fault:
            return record - SIZE_BYTES, fault
        reverse, is_mm = flag & REVERSE != 0, tags[MM] != ABSENT
        states[:], n_hits[:] = 0, 0
        if reason == ReadFilter.USED and is_mm:
            if tags[MN] >= 0 and tags[MN] != length:
                reason = ReadFilter.MISFIT
            elif tags[MN] < 0 and clipped:
                reason = ReadFilter.HARD_CLIPPED
            else:
                reason = mark_mm(
                    data, tags, bases, length, reverse, canonical, wanted, found, hits, n_hits, matching, total, listed,
                    states, seen,
                )  # fmt: skip
        elif reason == ReadFilter.USED:
            reason = ReadFilter.OTHER_CODES
            if rules[TAKES_XM]:
                reason = mark_xm(data, tags, length, rules[ONLY_CPG] != 0, hits, n_hits, matching, total, listed)
        filters[reason] += 1
        if reason == ReadFilter.SURPLUS:
            reason = ReadFilter.USED
            filters[reason] += 1
        which = flag & (FIRST | LAST) if by_molecule and flag & PAIRED else 0
        keeps = (which in (FIRST, LAST)) and reason == ReadFilter.USED  # one of the two reads of a fragment
        n_kept = 0
        for strand in range(2):
            if reason == ReadFilter.USED and (n_hits[strand] or states[strand]):
                first, group = contig_first[where], 2 * where + strand
                one, other = site_first[group], site_first[group + 1]
                n_kept = _count_strand(
                    data, bases, length, is_mm and reverse, _paired(canonical) if strand else canonical, is_mm,
                    states[strand] & IMPLIED != 0, place, hits[strand], n_hits[strand], matching[strand], total[strand],
                    listed[strand], codes[first : first + contig_length[where]], rules[FORWARD_CODE + strand],
                    sites[one:other], modified[one:other], covered[one:other], rules[THRESHOLD], tally, keeps, one,
                    kept, n_kept,
                )  # fmt: skip
            for step in range(n_hits[strand]):  # wipe the marks for the next read
                query = hits[strand, step]
                matching[strand, query], total[strand, query], listed[strand, query] = 0, 0, 0
        if keeps:
            progress[RECORDS] += 1
            if where < progress[LAST_CONTIG] or (where == progress[LAST_CONTIG] and start < progress[LAST_START]):
                progress[UNSORTED] = 1
            progress[LAST_CONTIG], progress[LAST_START] = where, start
            mate, mate_start = int32_at(data, record + MATE_CONTIG), int32_at(data, record + MATE_START)
            end = length - 1
            while place[end] < 0:
                end -= 1
            tells_mate = mate >= 0 and mate_start >= 0
            waits = flag & MATE_UNMAPPED == 0 and (not tells_mate or (mate == contig and mate_start <= place[end]))
            mate_at = where << 32 | (mate_start if tells_mate else NO_START)
            key = _fragment_key(data, record + FIXED_BYTES, n_name, where)
            if not _join_mates(
                key, which, waits, mate_at, kept, n_kept, modified, covered, tally, keys, fragments, waiting_calls,
                progress,
            ):  # fmt: skip
                return record - SIZE_BYTES, CROWDED
    return at, NO_FAULT
