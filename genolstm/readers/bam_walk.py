"""The records of a BAM file by a compiled walker: layout as in the SAM specification, section 4.2.

Its result for every read is that of ``read_filter`` and ``read_spans``, and it trusts no number in the file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.readers.bgzf import AGAIN
from genolstm.readers.compiled import compiled, int32_at
from genolstm.readers.read_filter import ReadFilter
from genolstm.readers.read_spans import SpanPlan
from genolstm.readers.sam_codes import (
    DELETION,
    HARD_CLIP,
    MATCH,
    MISMATCH,
    PAIRED,
    PROPER,
    QC_FAIL,
    REVERSE,
    SAME,
    SECONDARY,
    SKIP,
    SOFT_CLIP,
    SUPPLEMENTARY,
    UNMAPPED,
)

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]

MAGIC = b"BAM\x01"
LARGEST_RECORD = 1 << 28  # bytes; the longest nanopore reads have a tenth of it
LARGEST_HEADER = 1 << 30  # bytes of its text or of a name
LARGEST_NUMBER = (1 << 31) - 1  # contigs, and bp of one
SIZE_BYTES = 4  # of block_size, which stands before each record and does not count itself
FIXED_BYTES = 32  # of a record, before the read name
CONTIG, START, LENGTHS, FLAGS, N_BASES, MATE_CONTIG, MATE_START = 0, 4, 8, 12, 16, 20, 24  # where each begins
N_OPERATIONS = 9
TAG_BYTES = 3  # two letters and the type
ARRAY_BYTES = 5  # type of the elements and their number
BASES_CONSUMED = (1 << MATCH) | (1 << 1) | (1 << SOFT_CLIP) | (1 << SAME) | (1 << MISMATCH)  # M, I, S, =, X
REFERENCE_CONSUMED = (1 << MATCH) | (1 << DELETION) | (1 << SKIP) | (1 << SAME) | (1 << MISMATCH)
COVERS = (1 << MATCH) | (1 << SAME) | (1 << MISMATCH)

_FILTERS = {reason.name: int(reason) for reason in ReadFilter}
USED, IS_UNMAPPED, FOREIGN = _FILTERS["USED"], _FILTERS["UNMAPPED"], _FILTERS["FOREIGN"]
IS_SECONDARY, IS_SUPPLEMENTARY = _FILTERS["SECONDARY"], _FILTERS["SUPPLEMENTARY"]
IS_QC_FAIL, IS_DUPLICATE, IMPROPER = _FILTERS["QC_FAIL"], _FILTERS["DUPLICATE"], _FILTERS["IMPROPER"]
LOW_QUALITY, NO_ALIGNMENT = _FILTERS["LOW_QUALITY"], _FILTERS["NO_ALIGNMENT"]
PAST_END, CUT_PAST_END = _FILTERS["PAST_END"], _FILTERS["CUT_PAST_END"]


class Fault(IntEnum):
    """Why a record cannot be right."""

    NONE = 0
    SIZE = 1
    NAME = 2
    CONTIG = 3
    POSITION = 4
    OPERATION = 5
    BASES = 6
    LONG_CIGAR = 7
    CLIP = 8
    CROWDED = 9


FAULT_WORDS = {
    Fault.SIZE: "its parts do not fit into its size",
    Fault.NAME: "its read name has no end",
    Fault.CONTIG: "it names a contig that the header lacks",
    Fault.POSITION: "its position is negative",
    Fault.OPERATION: "its CIGAR has an unknown operation",
    Fault.BASES: "its CIGAR is not as long as its sequence",
    Fault.LONG_CIGAR: "its CIGAR should stand in a CG tag, which is missing or damaged",
    Fault.CROWDED: "more fragments wait for their second read than fit in memory",
    Fault.CLIP: "it is clipped elsewhere than at its ends",
}
NO_FAULT, BAD_SIZE, BAD_NAME, BAD_CONTIG = int(Fault.NONE), int(Fault.SIZE), int(Fault.NAME), int(Fault.CONTIG)
BAD_POSITION, BAD_OPERATION = int(Fault.POSITION), int(Fault.OPERATION)
BAD_BASES, BAD_LONG_CIGAR, BAD_CLIP = int(Fault.BASES), int(Fault.LONG_CIGAR), int(Fault.CLIP)
CROWDED = int(Fault.CROWDED)


@dataclass(frozen=True, kw_only=True)
class BamHeader:
    """Contigs of a BAM file in its order, and what follows the header in the bytes read so far."""

    names: tuple[str, ...]
    lengths: Ints
    rest: bytes


def read_header(chunks: Iterator[bytes], source: str) -> BamHeader:
    """Header of a BAM file. chunks : its inflated bytes. Raises InputError for one that is damaged or cut short."""
    data = _HeaderBytes(chunks, source)
    if data.take(len(MAGIC)) != MAGIC:
        raise InputError(f"{source} is BGZF but no BAM file (it does not begin with 'BAM'); give a BAM file.")
    data.take(data.number())  # the text, which repeats the same
    names, lengths = [], []
    for _ in range(data.number(LARGEST_NUMBER)):
        name = data.take(data.number())
        if not name.endswith(b"\0") or len(name) < 2:
            raise InputError(f"{source} is damaged: a contig of its header has no name; {AGAIN}.")
        names.append(name[:-1].decode("utf-8", "backslashreplace"))
        lengths.append(data.number(LARGEST_NUMBER))
    return BamHeader(names=tuple(names), lengths=np.array(lengths, dtype=np.int64), rest=data.rest)


class _HeaderBytes:
    """The bytes of a header as they are taken one after the other."""

    def __init__(self, chunks: Iterator[bytes], source: str) -> None:
        self.chunks, self.source = chunks, source
        self.bytes, self.at = b"", 0

    @property
    def rest(self) -> bytes:
        return self.bytes[self.at :]

    def take(self, size: int) -> bytes:
        parts, held = [self.rest], len(self.bytes) - self.at
        while held < size:
            chunk = next(self.chunks, None)
            if chunk is None:
                raise InputError(f"{self.source} is cut short (it ends within its header); {AGAIN}.")
            parts.append(chunk)
            held += len(chunk)
        if len(parts) > 1:
            self.bytes, self.at = b"".join(parts), 0
        self.at += size
        return self.bytes[self.at - size : self.at]

    def number(self, largest: int = LARGEST_HEADER) -> int:
        value = int.from_bytes(self.take(4), "little", signed=True)
        if not 0 <= value <= largest:
            raise InputError(f"{self.source} is damaged: its header holds the length {value}; {AGAIN}.")
        return value


def walked(
    header: BamHeader, chunks: Iterator[bytes], wanted: SpanPlan, filters: Ints, source: str
) -> Iterator[tuple[Ints, Ints]]:
    """Spans of the reads that are used, a block at a time.

    chunks : inflated bytes after ``header.rest``.   filters : int64 [len(ReadFilter)], counted up here.

    Yields starts and ends [n], 0-based, half open, in the genome laid end to end: the base cut, or what the bases of
    the read cover. Raises InputError for a record that cannot be right, naming it by its number.
    """
    rules = np.array(
        [
            *wanted.rules,
            wanted.cuts,
            wanted.forward_shift,
            wanted.reverse_shift,
        ],
        dtype=np.int64,
    )
    rest, starts, ends = header.rest, np.empty(0, np.int64), np.empty(0, np.int64)
    for chunk in _with_last(chunks):
        text = rest + chunk
        if len(starts) < len(text) // SIZE_BYTES + 1:  # a CIGAR operation, which may be a span, has 4 bytes
            starts, ends = np.empty((2, len(text) // SIZE_BYTES + 1), np.int64)
        data = np.frombuffer(text, dtype=np.uint8)
        consumed, spans, fault = walk(data, wanted.first, wanted.length, rules, filters, starts, ends)
        if fault:
            raise InputError(
                f"{source}: record {int(filters.sum()) + 1} cannot be right ({FAULT_WORDS[Fault(fault)]});"
                f" the file is damaged or was written by a faulty program; {AGAIN}, or make it again."
            )
        rest = text[consumed:]
        if spans:
            yield starts[:spans].copy(), ends[:spans].copy()
    if rest:
        raise InputError(f"{source} is cut short (it ends within record {int(filters.sum()) + 1}); {AGAIN}.")


def _with_last(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Pass chunks on, and one empty one: the header's rest is walked also when nothing follows it."""
    yield from chunks
    yield b""


@compiled
def _long_cigar(data: Bytes, tags: int, after: int) -> tuple[int, int]:
    """Where the operations of the CG tag begin and how many there are; -1 where there is none (section 4.2.2)."""
    at = tags
    while at + TAG_BYTES <= after:
        kind = data[at + 2]
        value = at + TAG_BYTES
        if kind == ord("A") or kind == ord("c") or kind == ord("C"):
            at = value + 1
        elif kind == ord("s") or kind == ord("S"):
            at = value + 2
        elif kind == ord("i") or kind == ord("I") or kind == ord("f"):
            at = value + 4
        elif kind == ord("Z") or kind == ord("H"):
            at = value
            while at < after and data[at] != 0:
                at += 1
            at += 1
        elif kind == ord("B") and value + ARRAY_BYTES <= after:
            element = data[value]
            size = 1 if element == ord("c") or element == ord("C") else 4
            if element == ord("s") or element == ord("S"):
                size = 2
            number = int32_at(data, value + 1)
            at = value + ARRAY_BYTES + size * number
            if number < 0 or at > after:
                return -1, 0
            if data[value - 3] == ord("C") and data[value - 2] == ord("G") and element == ord("I"):
                return value + ARRAY_BYTES, number
        else:
            return -1, 0
    return -1, 0


@compiled
def walk(  # noqa: PLR0911, PLR0915
    data: Bytes, first: Ints, length: Ints, rules: Ints, filters: Ints, starts: Ints, ends: Ints
) -> tuple[int, int, int]:
    """Walk over the whole records in ``data``, counting what becomes of them and writing the spans of those used.

    first, length : as in SpanPlan.   rules : min_mapq, excluded, proper, cuts, forward_shift, reverse_shift.
    starts, ends : buffers, one span for each 4 bytes of data.   Returns bytes consumed, spans written, a Fault.

    One function, because an array that is handed on to another costs more than all that is done for a record.
    """
    min_mapq, excluded, proper, cuts, forward_shift, reverse_shift = rules
    at, spans, size, n_contigs = 0, 0, len(data), len(first)
    while at + SIZE_BYTES <= size:
        block = int32_at(data, at)
        if block < FIXED_BYTES or block > LARGEST_RECORD:
            return at, spans, BAD_SIZE
        record = at + SIZE_BYTES
        after = record + block
        if after > size:
            break
        lengths, flags = int32_at(data, record + LENGTHS), int32_at(data, record + FLAGS)
        n_name, mapq, n_cigar, flag = lengths & 0xFF, (lengths >> 8) & 0xFF, flags & 0xFFFF, (flags >> 16) & 0xFFFF
        n_bases = int32_at(data, record + N_BASES)
        cigar = record + FIXED_BYTES + n_name
        tags = cigar + 4 * n_cigar + ((n_bases + 1) >> 1) + n_bases
        if n_bases < 0 or tags > after:
            return at, spans, BAD_SIZE
        if n_name < 1 or data[cigar - 1] != 0:
            return at, spans, BAD_NAME
        contig, start = int32_at(data, record + CONTIG), int32_at(data, record + START)
        mate_contig, mate_start = int32_at(data, record + MATE_CONTIG), int32_at(data, record + MATE_START)
        if contig < -1 or mate_contig < -1 or contig >= n_contigs or mate_contig >= n_contigs:
            return at, spans, BAD_CONTIG
        if start < -1 or mate_start < -1:
            return at, spans, BAD_POSITION
        reason, refused = USED, flag & excluded  # what follows is read_filter.filter_by_flags
        if flag & UNMAPPED or contig < 0 or start < 0:
            reason = IS_UNMAPPED
        elif first[contig] < 0:
            reason = FOREIGN
        elif refused & SECONDARY:
            reason = IS_SECONDARY
        elif refused & SUPPLEMENTARY:
            reason = IS_SUPPLEMENTARY
        elif refused & QC_FAIL:
            reason = IS_QC_FAIL
        elif refused:
            reason = IS_DUPLICATE
        elif proper and flag & (PAIRED | PROPER) != PAIRED | PROPER:
            reason = IMPROPER
        elif mapq < min_mapq:
            reason = LOW_QUALITY
        if reason == USED:  # what follows is read_spans.place
            if n_cigar == 2 and data[cigar + 4] & 15 == SKIP:
                clip = int32_at(data, cigar)
                if clip & 15 == SOFT_CLIP and clip >> 4 == n_bases:
                    cigar, n_cigar = _long_cigar(data, tags, after)
                    if cigar < 0:
                        return at, spans, BAD_LONG_CIGAR
            end, bases, covered = start, 0, 0
            for operation in range(n_cigar):
                packed = int32_at(data, cigar + 4 * operation) & 0xFFFFFFFF
                code, extent = packed & 15, packed >> 4
                if code >= N_OPERATIONS:
                    return at, spans, BAD_OPERATION
                if code == HARD_CLIP and 0 < operation < n_cigar - 1:
                    return at, spans, BAD_CLIP
                if code == SOFT_CLIP and 0 < operation < n_cigar - 1:  # at an end, but for a hard clip beyond it
                    left, right = data[cigar] & 15, data[cigar + 4 * (n_cigar - 1)] & 15
                    if not (
                        (operation == 1 and left == HARD_CLIP) or (operation == n_cigar - 2 and right == HARD_CLIP)
                    ):
                        return at, spans, BAD_CLIP
                end += extent * ((REFERENCE_CONSUMED >> code) & 1)
                bases += extent * ((BASES_CONSUMED >> code) & 1)
                covered += extent * ((COVERS >> code) & 1)
            if n_cigar and n_bases and bases != n_bases:
                return at, spans, BAD_BASES
            cut = end + reverse_shift if flag & REVERSE else start + forward_shift
            if not covered:
                reason = NO_ALIGNMENT
            elif end > length[contig]:
                reason = PAST_END
            elif not cuts:
                place, before = first[contig] + start, spans
                for operation in range(n_cigar):
                    packed = int32_at(data, cigar + 4 * operation) & 0xFFFFFFFF
                    code, extent = packed & 15, packed >> 4
                    if (COVERS >> code) & 1 and extent:
                        if spans > before and ends[spans - 1] == place:
                            ends[spans - 1] = place + extent
                        else:
                            starts[spans], ends[spans] = place, place + extent
                            spans += 1
                    place += extent * ((REFERENCE_CONSUMED >> code) & 1)
            elif cut < 0 or cut >= length[contig]:
                reason = CUT_PAST_END
            else:
                starts[spans], ends[spans] = first[contig] + cut, first[contig] + cut + 1
                spans += 1
        filters[reason] += 1
        at = after
    return at, spans, NO_FAULT
