"""Aligned reads in whatever format as the inflated bytes of a BAM file, in constant memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import pysam

from genolstm.errors import InputError
from genolstm.readers.bam_walk import MAGIC, read_header
from genolstm.readers.bgzf import AGAIN, inflated, is_bgzf
from genolstm.readers.cram import CRAM_MAGIC, check_cram_end, opened_by_pysam
from genolstm.readers.gzipped import STDIN, opened, refuse_compressed
from genolstm.readers.read_formats import SAM_HEADER, beginning, not_bgzf

HEAD_BYTES = 1 << 16  # a whole BGZF block and more: enough to see what is in it
UNCOMPRESSED_BAM = "wb0"
BATCH_BASES, BATCH_READS = 1 << 22, 1 << 13  # converted at one time: a read has about two bytes a base


@contextmanager
def bam_bytes(path: Path | str, source: str, fasta: Path | None = None) -> Iterator[Iterator[bytes]]:
    """Chunks of the bytes of a BAM file: those of the file itself, or what a CRAM or SAM file is as BAM.

    path : ``-`` is standard input, BAM only.   fasta : reference of a CRAM that does not carry its own.
    Raises InputError, now or while reading, for a file that is missing, damaged, cut short or of another format.
    """
    with opened(path, source, "BAM, CRAM or SAM") as stream:
        head = _head(stream)
        inner = beginning(head)
        if is_bgzf(head) and not inner.startswith(SAM_HEADER):
            yield inflated(stream, source)
            return
    if inner.startswith(MAGIC) and not head.startswith(MAGIC):
        raise not_bgzf(head, source)
    if not head:
        raise InputError(f"{source} is empty; give BAM, CRAM or SAM.")
    refuse_compressed(inner, source)
    if str(path) == STDIN:
        raise InputError(f"{source} holds no BAM; convert it on the way with samtools view -b.")
    yield _converted(str(path), source, fasta, is_cram=head.startswith(CRAM_MAGIC))


def _head(stream: BinaryIO) -> bytes:
    return stream.peek(HEAD_BYTES)[:HEAD_BYTES] if hasattr(stream, "peek") else b""


def _converted(path: str, source: str, fasta: Path | None, *, is_cram: bool) -> Iterator[bytes]:
    """Bytes of CRAM or SAM as BAM, a batch of reads after the other, each by way of a temporary file.

    A pipe within one process would block it for ever: htslib holds the interpreter's lock while it writes.
    """
    if is_cram:
        check_cram_end(path, source)
    number = 0  # of the last read that could be read
    try:
        with opened_by_pysam(path, source, fasta, only_places=False) as reads:
            yield _as_bam([], reads.header, source, with_header=True)
            batch: list[Any] = []
            bases = 0
            for read in reads:
                number += 1
                batch.append(read)
                bases += read.query_length
                if bases >= BATCH_BASES or len(batch) == BATCH_READS:
                    yield _as_bam(batch, reads.header, source, with_header=False)
                    batch, bases = [], 0
            if batch:
                yield _as_bam(batch, reads.header, source, with_header=False)
    except (OSError, ValueError) as problem:
        kind, remedy = ("CRAM", ", and give the FASTA of a CRAM with --reference") if is_cram else ("SAM", "")
        raise InputError(
            f"{source} is no whole {kind} file with a header ({problem}, after record {number}); {AGAIN}{remedy}."
        ) from problem


def _as_bam(batch: list[Any], header: pysam.AlignmentHeader, source: str, *, with_header: bool) -> bytes:
    """Inflated BAM of some reads, with or without the header before them."""
    with TemporaryFile() as file:
        with pysam.AlignmentFile(file, UNCOMPRESSED_BAM, header=header) as writer:
            for read in batch:
                writer.write(read)
        file.seek(0)
        chunks = inflated(file, source)
        return b"".join(chunks) if with_header else b"".join(_after_header(chunks, source))


def _after_header(chunks: Iterator[bytes], source: str) -> Iterator[bytes]:
    yield read_header(chunks, source).rest
    yield from chunks
