"""CRAM, and BAM for the readable loops, by pysam: no server is contacted, nothing is written beside the user's files.

Where a read lies needs no bases: so CRAM is read without its reference, unless one is given to hold it against.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

import pysam

from genolstm.errors import InputError
from genolstm.readers.bgzf import AGAIN, Stream
from genolstm.readers.gzipped import STDIN
from genolstm.readers.sam_text import SamRecord

COPY_BYTES = 1 << 20
CRAM_MAGIC = b"CRAM"
CRAM_WITH_END = b"\x02\x01"  # the first version that ends with an empty container (CRAM specification, section 9)
CRAM_END, CRAM_END_BYTES = b"\xe0EOF", 38  # the position of that container's slice spells EOF
PLACING_FIELDS = 0x3E  # flag, contig, position, mapping quality, CIGAR: CRAM gives these without any reference
NO_PLACE = "/nonexistent"  # where htslib searches for reference sequences, so that it never contacts a server


def check_cram_end(name: str, source: str) -> None:
    """Refuse a CRAM file that was cut between two containers, where htslib only warns. Raises InputError."""
    with Path(name).open("rb") as stream:
        version = stream.read(len(CRAM_MAGIC) + 2)[len(CRAM_MAGIC) :]
        stream.seek(-min(CRAM_END_BYTES, stream.seek(0, os.SEEK_END)), os.SEEK_END)
        if version >= CRAM_WITH_END and CRAM_END not in stream.read():
            raise InputError(f"{source} is cut short (it lacks the container with which CRAM ends); {AGAIN}.")


@contextmanager
def on_disk(path: Path | str, stream: Stream) -> Iterator[str]:
    """Name of a file that pysam can open; what comes on standard input is written to a temporary one."""
    if str(path) != STDIN:
        yield str(path)
        return
    with NamedTemporaryFile(suffix=".cram") as copy:
        while content := stream.read(COPY_BYTES):
            copy.write(content)
        copy.flush()
        yield copy.name


@contextmanager
def opened_by_pysam(
    name: str, source: str, reference: Path | None = None, *, only_places: bool = True
) -> Iterator[pysam.AlignmentFile]:
    """Open BAM or CRAM with pysam, which neither contacts a server nor writes an index beside the reference.

    only_places : of CRAM, decode no sequences, which would need its reference.
    Raises InputError where htslib cannot open the file or the reference.
    """
    verbosity, before = pysam.set_verbosity(0), {key: os.environ.get(key) for key in ("REF_PATH", "REF_CACHE")}
    os.environ |= {"REF_PATH": NO_PLACE, "REF_CACHE": NO_PLACE}
    try:
        with TemporaryDirectory() as folder:
            options: dict[str, Any] = {}
            if reference is not None:
                options["reference_filename"] = _indexed(reference, Path(folder))
            elif only_places and (name.endswith(".cram") or _is_cram(name)):
                options["format_options"] = [f"required_fields={PLACING_FIELDS:#x}".encode()]
            try:
                file = pysam.AlignmentFile(name, "r", check_sq=False, **options)
            except (OSError, ValueError) as problem:
                raise InputError(
                    f"{source} cannot be opened by htslib ({problem}): it is damaged or cut short; copy it again."
                ) from problem
            with file:
                yield file
    finally:
        pysam.set_verbosity(verbosity)
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _is_cram(name: str) -> bool:
    with Path(name).open("rb") as stream:
        return stream.read(len(CRAM_MAGIC)) == CRAM_MAGIC


def _indexed(reference: Path, folder: Path) -> str:
    """Name under which htslib finds the reference with an index, which it would else write beside the user's file."""
    if not reference.is_file():
        raise InputError(f"{reference} does not exist; give the FASTA file that the CRAM file was written against.")
    link = folder / reference.name
    link.symlink_to(reference.resolve())
    try:
        pysam.faidx(str(link))
    except pysam.utils.SamtoolsError as problem:
        raise InputError(
            f"{reference} cannot be read as a reference: give plain FASTA, or FASTA compressed by bgzip."
        ) from problem
    return str(link)


def pysam_records(file: pysam.AlignmentFile, source: str, reference: Path | None = None) -> Iterator[SamRecord]:
    """Records as pysam reads them. Raises InputError where htslib stops."""
    number = 0  # of the last record that could be read
    try:
        for read in file:
            number += 1
            yield SamRecord(
                read.flag, read.reference_id, read.reference_start, read.mapping_quality, tuple(read.cigartuples or ())
            )
    except (OSError, ValueError) as problem:
        clash = f", or does not agree with {reference}: give its own reference" if reference else ""
        raise InputError(
            f"{source} cannot be read after record {number} ({problem}): it is damaged or cut short{clash}."
        ) from problem
