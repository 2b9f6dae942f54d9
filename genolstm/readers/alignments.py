"""Aligned reads, whatever the file, as counts per base: BAM by the compiled walker, CRAM by pysam, SAM and fragments.

Tn5 cut sites. A read aligned to [start, end), 0-based and half open, has its 5' end at ``start`` on the forward strand
and at ``end - 1`` on the reverse strand. Tn5 cuts the two strands 9 bp apart and stays on the middle base: that is
``start + 4`` for a forward read and ``end - 5``, 4 bases inside its last one, for a reverse read, which for two reads
of the same cut is the same base (Buenrostro et al. 2013). Soft-clipped bases are no part of the alignment.

Coverage. Each base of the genome counts the reads that have a base aligned to it (M, = and X of the CIGAR): neither
deleted nor skipped ones (D, N), as ``samtools depth`` does; two mates that overlap count twice.
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError, UsageError
from genolstm.readers.bam_walk import MAGIC, read_header, walked
from genolstm.readers.bgzf import inflated, is_bgzf
from genolstm.readers.contig_match import Match, matched
from genolstm.readers.cram import CRAM_MAGIC, check_cram_end, on_disk, opened_by_pysam, pysam_records
from genolstm.readers.foreign import refuse_other_kinds
from genolstm.readers.fragments import Fragments
from genolstm.readers.gzipped import decompressed, opened
from genolstm.readers.read_filter import ReadFilter, commonest_first, skip_reasons
from genolstm.readers.read_formats import not_bgzf
from genolstm.readers.read_spans import SpanPlan, filtered, place, span_plan
from genolstm.readers.sam_text import SamRecord, headless, is_sam_line, read_sam_header, sam_records
from genolstm.readers.tally import Tally
from genolstm.readers.text_lines import numbered_lines, source_name
from genolstm.settings.track import Shift, TrackSettings

Ints = NDArray[np.int64]
Spans = Iterator[tuple[Ints, Ints]]
Progress = Callable[[float, int], None]

HEAD_BYTES = 1 << 10  # enough to distinguish the formats
TEXT_BYTES = 1 << 18
BLOCK_READS = 1 << 14
WANTED = "BAM, CRAM, SAM or fragments"
IN_BLACKLIST = "cut in the blacklist"


@dataclass(frozen=True, kw_only=True, eq=False)
class Counted:
    """What was counted into a tally.

    form : BAM, SAM, CRAM or fragments.   read : reads (fragment ends for cuts, fragments for coverage), always used
    plus all skipped.   observed : bool [contigs of the genome], False where the input cannot have a read.
    shifted : the ends were taken as cut sites already.   layout : of text without a header, what a line is;
    else empty.   warnings : one sentence for each kind of oddity.
    """

    form: str
    read: int
    used: int
    skipped: dict[str, int]
    observed: NDArray[np.bool_]
    shifted: bool
    warnings: tuple[str, ...]
    layout: str = ""


def count_reads(
    path: Path | str,
    lengths: Mapping[str, int],
    settings: TrackSettings,
    tally: Tally,
    *,
    genome_name: str,
    reference: Path | None = None,
    progress: Progress = lambda _fraction, _reads: None,
) -> Counted:
    """Count the cut sites or the coverage of a file into a tally.

    Parameters
    ----------
    path
        BAM, SAM or fragments (plain, gzip or bgzip), or CRAM, distinguished by content; ``-`` is standard input.
        Neither order nor index is needed.
    lengths
        bp of each contig of the genome, in its order.
    tally
        What is counted into.
    genome_name
        What messages call the genome.
    reference
        FASTA that a CRAM file must agree with. Without it a CRAM file is read as well: where a read lies needs no
        bases.
    progress
        Called with the fraction of the file that was read, and the reads so far.

    Raises
    ------
    InputError
        The file cannot be read, is damaged or cut short, holds a record that cannot be right, belongs to another
        genome, or no read is left after the filters.
    UsageError
        ``reference`` was given with something else than CRAM, or a filter with fragments.
    """
    source = source_name(path)
    with opened(path, source, WANTED) as stream:
        begun = _Begun(stream, progress)
        sink = _Sink(tally, begun, cuts=False)
        if begun.head.startswith(CRAM_MAGIC):
            counted = _count_cram(path, begun, lengths, settings, sink, source, genome_name, reference)
        elif reference is not None:
            raise UsageError(f"--reference is for CRAM, and {source} is none; leave it out.")
        else:
            counted = _count_stream(begun, lengths, settings, sink, source, genome_name)
    if not counted.read:
        raise InputError(f"{source} holds no reads, only a header; give a file of aligned reads.")
    if not counted.used:
        reasons = ", ".join(f"{number} {reason}" for reason, number in counted.skipped.items())
        raise InputError(
            f"no read of {source} is left after the filters ({reasons}); relax them, or give reads aligned to this"
            " genome."
        )
    return counted


class _Begun:
    """A stream whose beginning was inspected, and that reports how much of it is read."""

    def __init__(self, stream: BinaryIO, progress: Progress) -> None:
        self.stream, self.progress = stream, progress
        self.size = _file_bytes(stream)
        self.head = stream.read(HEAD_BYTES)
        self.pending, self.done, self.reads = self.head, 0, 0

    def read(self, size: int, /) -> bytes:
        if not self.pending:
            content = self.stream.read(size)
        else:
            content, self.pending = self.pending[:size], self.pending[size:]
        self.done += len(content)
        return content

    def report(self, reads: int) -> None:
        self.reads += reads
        if self.size:
            self.progress(min(self.done / self.size, 1.0), self.reads)


def _file_bytes(stream: BinaryIO) -> int:
    """Size of a regular file; 0 of a pipe."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # a stream in memory has no number
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


class _Sink:
    """Where spans go."""

    def __init__(self, tally: Tally, begun: _Begun, *, cuts: bool) -> None:
        self.tally, self.begun, self.cuts = tally, begun, cuts
        self.blacklisted = 0

    def take(self, spans: Spans) -> None:
        for starts, ends in spans:
            if self.cuts:
                self.blacklisted += self.tally.add_cuts(starts)
            else:
                self.tally.add_spans(starts, ends)
            self.begun.report(len(starts))


def _count_stream(
    begun: _Begun, lengths: Mapping[str, int], settings: TrackSettings, sink: _Sink, source: str, genome_name: str
) -> Counted:
    """BAM, SAM or fragments, distinguished by the first inflated bytes."""
    compressed = is_bgzf(begun.head)
    chunks = inflated(begun, source) if compressed else decompressed(cast("BinaryIO", begun), TEXT_BYTES, source)
    head = b""
    while len(head) < len(MAGIC) and (chunk := next(chunks, None)) is not None:
        head += chunk
    chunks = chain([head], chunks)
    if head.startswith(MAGIC):
        if not compressed:
            raise not_bgzf(begun.head, source)
        header = read_header(chunks, source)
        match = matched(header.names, header.lengths, lengths, source=source, genome_name=genome_name)
        wanted = _plan(settings, match, header.lengths, sink)
        filters = np.zeros(len(ReadFilter), np.int64)
        sink.take(walked(header, chunks, wanted, filters, source))
        return _counted("BAM", filters, settings, match, sink)
    chunks = refuse_other_kinds(chunks, source, "FASTQ or SAM", WANTED, called="reads or fragments")
    if is_sam_line(head.partition(b"\n")[0].decode("utf-8", "replace").rstrip("\r").split("\t")):
        raise headless(source)
    lines = numbered_lines(chunks, source, WANTED)
    if head.lstrip(b"\xef\xbb\xbf").startswith(b"@"):
        return _count_sam(lines, lengths, settings, sink, source, genome_name)
    return _count_fragments(lines, lengths, settings, sink, source, genome_name)


def _plan(settings: TrackSettings, match: Match, found_lengths: Ints, sink: _Sink) -> SpanPlan:
    wanted = span_plan(settings, match.first, found_lengths, shifted=settings.shift is Shift.DONE)
    sink.cuts = wanted.cuts
    return wanted


def _counted(form: str, filters: Ints, settings: TrackSettings, match: Match, sink: _Sink) -> Counted:
    reasons = commonest_first(filters, skip_reasons(settings.min_mapq))
    if sink.blacklisted:
        reasons[IN_BLACKLIST] = sink.blacklisted
    return Counted(
        form=form,
        read=int(filters.sum()),
        used=int(filters[ReadFilter.USED]) - sink.blacklisted,
        skipped=reasons,
        observed=match.observed,
        shifted=settings.shift is Shift.DONE,
        warnings=match.warnings,
    )


def bam_contigs(path: Path) -> dict[str, int]:
    """Contigs of a BAM file and their lengths in bp, in its order. Raises InputError as `count_reads`."""
    with opened(path, str(path), "BAM") as stream:
        header = read_header(inflated(stream, str(path)), str(path))
    return dict(zip(header.names, header.lengths.tolist(), strict=True))


def _count_sam(
    lines: Iterator[tuple[int, str]],
    lengths: Mapping[str, int],
    settings: TrackSettings,
    sink: _Sink,
    source: str,
    genome_name: str,
) -> Counted:
    header, lines = read_sam_header(lines, source)
    match = matched(header.names, header.lengths, lengths, source=source, genome_name=genome_name)
    wanted = _plan(settings, match, np.array(header.lengths, np.int64), sink)
    filters = np.zeros(len(ReadFilter), np.int64)
    sink.take(placed(sam_records(lines, header, source), wanted, filters))
    return _counted("SAM", filters, settings, match, sink)


def placed(records: Iterator[SamRecord], wanted: SpanPlan, filters: Ints) -> Spans:
    """Spans of the reads that are used, a block at a time: the reference implementation of ``bam_walk.walked``.

    filters : int64 [len(ReadFilter)], counted up here.
    """
    starts: list[int] = []
    ends: list[int] = []
    for flag, contig, start, mapq, cigar in records:
        reason = filtered(flag, contig, start, mapq, wanted)
        if reason is ReadFilter.USED:
            reason, spans = place(flag, contig, start, cigar, wanted)
            for begin, end in spans:
                starts.append(begin)
                ends.append(end)
        filters[reason] += 1
        if len(starts) >= BLOCK_READS:
            yield np.array(starts, np.int64), np.array(ends, np.int64)
            starts, ends = [], []
    if starts:
        yield np.array(starts, np.int64), np.array(ends, np.int64)


def _count_fragments(
    lines: Iterator[tuple[int, str]],
    lengths: Mapping[str, int],
    settings: TrackSettings,
    sink: _Sink,
    source: str,
    genome_name: str,
) -> Counted:
    fragments = Fragments(lengths, settings, source)
    sink.cuts = fragments.cuts
    sink.take(fragments.spans(lines))
    if not fragments.contigs:
        raise InputError(f"{source} holds no fragments; give {WANTED}.")
    match = matched(tuple(fragments.contigs), None, lengths, source=source, genome_name=genome_name)
    reasons = dict(fragments.skipped)
    if sink.blacklisted:
        reasons[IN_BLACKLIST] = sink.blacklisted
    return Counted(
        form="fragments",
        read=fragments.read,
        used=fragments.read - sum(reasons.values()),
        skipped=reasons,
        observed=match.observed,
        shifted=fragments.shifted,
        warnings=match.warnings,
        layout=fragments.layout.value if fragments.layout else "",
    )


def _count_cram(
    path: Path | str,
    begun: _Begun,
    lengths: Mapping[str, int],
    settings: TrackSettings,
    sink: _Sink,
    source: str,
    genome_name: str,
    reference: Path | None,
) -> Counted:
    with on_disk(path, begun) as name, opened_by_pysam(name, source, reference) as file:
        check_cram_end(name, source)
        match = matched(file.references, file.lengths, lengths, source=source, genome_name=genome_name)
        wanted = _plan(settings, match, np.array(file.lengths, np.int64), sink)
        filters = np.zeros(len(ReadFilter), np.int64)
        sink.take(placed(pysam_records(file, source, reference), wanted, filters))
        return _counted("CRAM", filters, settings, match, sink)
