"""Whether a file holds aligned reads or a table, by its content: names lie."""

import zlib
from pathlib import Path

from genolstm.errors import InputError
from genolstm.readers.bam_walk import MAGIC
from genolstm.readers.bgzf import GZIP_MAGIC, GZIP_WBITS
from genolstm.readers.gzipped import STDIN, opened

HEAD_BYTES = 1 << 12
CRAM_MAGIC = b"CRAM"
SAM_HEADER = b"@"  # no table begins so; SAM without a header names no contig lengths, and is of no use


def not_bgzf(head: bytes, source: str) -> InputError:
    """Error for BAM that is not in BGZF. head : how the file begins."""
    kind = "plain gzip" if head.startswith(GZIP_MAGIC) else "no compression"
    return InputError(f"{source} is BAM in {kind} in place of BGZF; write it again with samtools view -b.")


def beginning(head: bytes, most: int = HEAD_BYTES) -> bytes:
    """First inflated bytes of a file that begins like this, plain, gzip or bgzip; none where it is damaged."""
    if not head.startswith(GZIP_MAGIC):
        return head[:most]
    try:
        return zlib.decompressobj(GZIP_WBITS).decompress(head, most)
    except zlib.error:
        return b""


def holds_reads(path: Path) -> bool:
    """Whether a file is BAM, CRAM or SAM; standard input is taken for it. Raises InputError for one that is missing."""
    if str(path) == STDIN:
        return True
    with opened(path, str(path), "BAM, CRAM, SAM or table") as stream:
        head = stream.read(HEAD_BYTES)
    inner = beginning(head)
    if head and not inner:
        return path.suffix == ".bam"  # its reader reports what is wrong
    return inner.startswith((MAGIC, CRAM_MAGIC, SAM_HEADER))
