"""Aligned reads in whatever format as the inflated bytes of a BAM file, in constant memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import BinaryIO

import pysam

from genolstm.errors import InputError
from genolstm.readers.bgzf import AGAIN, inflated, is_bgzf
from genolstm.readers.gzipped import STDIN, opened

HEAD_BYTES = 1 << 16  # a whole BGZF block and more: enough to see what is in it
UNCOMPRESSED_BAM = "wb0"


@contextmanager
def bam_bytes(path: Path | str, source: str, fasta: Path | None = None) -> Iterator[Iterator[bytes]]:
    """Chunks of the bytes of a BAM file: those of the file itself, or what a CRAM or SAM file is as BAM.

    path : ``-`` is standard input, BAM only.   fasta : reference of a CRAM that does not carry its own.
    Raises InputError, now or while reading, for a file that is missing, damaged, cut short or of another format.
    """
    with opened(path, source, "BAM, CRAM or SAM") as stream:
        head = _head(stream)
        if is_bgzf(head):
            yield inflated(stream, source)
            return
    if not head:
        raise InputError(f"{source} is empty; give BAM, CRAM or SAM.")
    if str(path) == STDIN:
        raise InputError(f"{source} holds no BAM; convert it on the way with samtools view -b.")
    with _converted(path, source, fasta) as stream:
        yield inflated(stream, source)


def _head(stream: BinaryIO) -> bytes:
    return stream.peek(HEAD_BYTES)[:HEAD_BYTES] if hasattr(stream, "peek") else b""


@contextmanager
def _converted(path: Path | str, source: str, fasta: Path | None) -> Iterator[BinaryIO]:
    """Give the reading end of a pipe into which a thread of htslib writes the reads as uncompressed BAM."""
    failures: list[Exception] = []
    out, into = os.pipe()
    verbosity = pysam.set_verbosity(0)  # what htslib says on stderr comes back as an InputError

    def convert() -> None:
        with os.fdopen(into, "wb") as sink:
            try:
                _write_bam(path, sink, fasta)
            except Exception as problem:  # noqa: BLE001  (told by the reading side, which sees the end of the pipe after it)
                failures.append(problem)

    worker = Thread(target=convert, daemon=True)
    stream = os.fdopen(out, "rb")
    worker.start()
    try:
        yield stream
    except InputError:  # a BAM that ends early is not what was wrong
        if not failures:
            raise
    finally:
        stream.close()  # a writer that is still at work now fails
        worker.join()
        pysam.set_verbosity(verbosity)
    if failures:
        raise InputError(
            f"{source} is no whole CRAM or SAM file with a header ({failures[0]}); {AGAIN}, and give the FASTA of a"
            " CRAM with --reference."
        ) from failures[0]


def _write_bam(path: Path | str, sink: BinaryIO, fasta: Path | None) -> None:
    with (
        pysam.AlignmentFile(str(path), "r", reference_filename=str(fasta) if fasta else None) as reads,
        pysam.AlignmentFile(sink, UNCOMPRESSED_BAM, template=reads) as writer,
    ):
        for read in reads:
            writer.write(read)
