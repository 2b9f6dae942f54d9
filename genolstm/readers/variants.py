"""VCF and BCF as lines of text with the few columns that matter, in file order and constant memory.

A record is kept as the text it was: what is written back differs from it in the INFO column alone, whatever version,
undeclared tag or number of samples it has. BCF is turned into that text by htslib.
"""

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pysam

from genolstm.errors import InputError
from genolstm.readers.bgzf import GZIP_MAGIC, is_bgzf
from genolstm.readers.contig_match import listed
from genolstm.readers.foreign import refuse_other_kinds
from genolstm.readers.gzipped import STDIN, decompressed, opened
from genolstm.readers.text_lines import source_name, whole_lines
from genolstm.readers.whole_numbers import FURTHEST, MOST_DIGITS, shortened

BLOCK_BYTES = 1 << 18
HEAD_BYTES = 1 << 6  # enough to distinguish BGZF from plain gzip
FIRST_LINE = "##fileformat=VCF"
COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
BCF_MAGIC = b"BCF\2"

NO_ALTERNATIVE = "no alternative allele"
SPANNED = "* allele of a deletion upstream"
SYMBOLIC = "symbolic allele"
BREAKEND = "breakend"
UNKNOWN_LETTERS = "N or another IUPAC code in ALT"
NO_LETTERS = "letters in ALT that are not of DNA"
SAME = "ALT is REF"
_CONTIG_ID = re.compile(r"##contig=<(?:.*,)?ID=([^,>]+)")
_CONTIG_LENGTH = re.compile(r"[<,]length=(\d+)")
_DNA = re.compile(r"[ACGT]+")
_IUPAC = re.compile(r"[ACGTNRYSWKMBDHV]+")


class Record(NamedTuple):
    """One record.

    number : of its line, or of the record in BCF.   line : its text, no line end.
    position : 0-based, -1 for POS 0, and 2^40 - 1 at most, which is past the end of every contig.
    reference, alternatives : upper case; '.' where the file has no alternative.
    """

    number: int
    line: str
    contig: str
    position: int
    reference: str
    alternatives: tuple[str, ...]


class Difference(NamedTuple):
    """What an alternative does to the reference: bases [start, end) become `letters`. start == end: an insertion."""

    start: int
    end: int
    letters: str


@dataclass(eq=False)
class VariantText:
    """A VCF as it is read.

    header : lines with no line end, that of the column names last.   records : may be taken once.
    """

    source: str
    header: tuple[str, ...]
    records: Iterator[Record]
    _stream: BinaryIO | None = None
    _size: int = 0

    @property
    def fraction_read(self) -> float:
        """How much of the file has been read, 0 to 1; 0 where its length is not known."""
        return min(1.0, self._stream.tell() / self._size) if self._stream and self._size else 0.0


@contextmanager
def read_variants(path: Path | str) -> Iterator[VariantText]:
    """Open a VCF or BCF, plain, gzip or bgzip; ``-`` is standard input.

    Raises InputError, also while records are taken, for a file that is no VCF, is cut short, or has a line that is no
    record.
    """
    source = source_name(path)
    with opened(path, source, "VCF") as stream:
        size = 0 if str(path) == STDIN else Path(path).stat().st_size
        chunks = decompressed(stream, BLOCK_BYTES, source)
        first = next(chunks, b"")
        if not first.startswith(BCF_MAGIC):
            text = refuse_other_kinds(chain([first], chunks), source, "VCF", "a VCF file")
            header, records = _parsed(enumerate(_lines(text, source), 1), source, "line")
            yield VariantText(source, header, records, stream, size)
            return
        with _named(path, first, chunks) as name:
            header, records = _parsed(_bcf_lines(name, source), source, "record")
            yield VariantText(source, header, records)


def check_contigs(text: VariantText, lengths: Mapping[str, int], genome_name: str) -> None:
    """Refuse a header that gives a contig another length than the genome has. Raises InputError naming them."""
    other = []
    for line in text.header:
        name, length = _CONTIG_ID.match(line), _CONTIG_LENGTH.search(line)
        if name and length and name[1] in lengths and int(length[1]) != lengths[name[1]]:
            other.append(f"{name[1]} has {int(length[1]):,} bp in the first and {lengths[name[1]]:,} bp in the second")
    if other:
        raise InputError(
            f"{text.source} was called on another genome than {genome_name}: {listed(other)}; give the VCF of this"
            " assembly, or ingest the other one."
        )


def nothing_shared(foreign: Iterable[str], text: VariantText, lengths: Mapping[str, int], genome_name: str) -> str:
    """Message for a VCF of which no record lies on a contig of the genome."""
    names, plain = list(foreign), {name.removeprefix("chr") for name in lengths}
    if any(name.removeprefix("chr") in plain for name in names):
        remedy = "they differ by the prefix 'chr', rename with 'bcftools annotate --rename-chrs'"
    else:
        remedy = "give the VCF of this assembly, or rename with 'bcftools annotate --rename-chrs'"
    return (
        f"no record of {text.source} is on a contig of {genome_name}: the first has {listed(names)} and the second has"
        f" {listed(lengths)}; {remedy}."
    )


def difference(position: int, reference: str, alternative: str) -> Difference | str:
    """What one alternative changes, without the letters that both alleles end or begin with; or why it is passed over.

    Shared ends are cut before shared beginnings: a repeated base counts as changed at its first place.
    """
    if reason := _passed_over(reference, alternative):
        return reason
    end_ref, end_alt, begin = len(reference), len(alternative), 0
    while end_ref and end_alt and reference[end_ref - 1] == alternative[end_alt - 1]:
        end_ref, end_alt = end_ref - 1, end_alt - 1
    while begin < end_ref and begin < end_alt and reference[begin] == alternative[begin]:
        begin += 1
    return Difference(position + begin, position + end_ref, alternative[begin:end_alt])


def _passed_over(reference: str, alternative: str) -> str:
    """Why an alternative has no sequence that could be scored; empty where it has one."""
    if _DNA.fullmatch(alternative):
        return SAME if alternative == reference else ""
    if alternative in {".", ""}:
        return NO_ALTERNATIVE
    if alternative == "*":
        return SPANNED
    if alternative.startswith("<"):
        return SYMBOLIC
    if "[" in alternative or "]" in alternative or alternative.startswith(".") or alternative.endswith("."):
        return BREAKEND
    return UNKNOWN_LETTERS if _IUPAC.fullmatch(alternative) else NO_LETTERS


def _lines(chunks: Iterable[bytes], source: str) -> Iterator[str]:
    """Lines of text, no line end. Bytes that are no UTF-8 come back as they were when encoded the same way."""
    for block in whole_lines(chunks, source, "a VCF file"):
        for line in block.split(b"\n"):
            yield line.decode("utf-8", "surrogateescape").removesuffix("\r")


@contextmanager
def _named(path: Path | str, first: bytes, chunks: Iterator[bytes]) -> Iterator[str]:
    """Name of a file that htslib can open: standard input is spooled to one, and so is BCF in plain gzip."""
    if str(path) != STDIN:
        with Path(path).open("rb") as stream:
            head = stream.read(HEAD_BYTES)
        if is_bgzf(head) or not head.startswith(GZIP_MAGIC):
            yield str(path)
            return
    with tempfile.NamedTemporaryFile(suffix=".bcf") as spool:
        spool.write(first)
        for chunk in chunks:
            spool.write(chunk)
        spool.flush()
        yield spool.name


def _bcf_lines(name: str, source: str) -> Iterator[tuple[int, str]]:
    """Header lines as number 0, then records from 1. Raises InputError for what htslib cannot read."""
    verbosity = pysam.set_verbosity(0)  # what it prints is reported below, in one sentence
    number = 0
    try:
        with pysam.VariantFile(name) as file:
            for line in str(file.header).splitlines():
                yield 0, line
            for number, record in enumerate(file, 1):
                yield number, str(record).rstrip("\n")
    except (OSError, ValueError, NotImplementedError) as problem:  # the last of BGZF that htslib takes for gzip
        raise InputError(
            f"{source}: BCF is damaged or cut short after record {number}; copy or make it again."
        ) from problem
    finally:
        pysam.set_verbosity(verbosity)


def _parsed(lines: Iterator[tuple[int, str]], source: str, unit: str) -> tuple[tuple[str, ...], Iterator[Record]]:
    header: list[str] = []
    for number, line in lines:
        if number <= 1 and not header and not line.startswith(FIRST_LINE):
            raise InputError(f"{source} is not VCF: it begins with {shortened(line)}, not with '{FIRST_LINE}...'.")
        if not line.startswith("#"):
            break
        header.append(line)
        if not line.startswith("##"):
            break
    if not header:
        raise InputError(f"{source} is empty; give a VCF file, which has a header even when it has no variants.")
    names = header[-1].split("\t")
    if tuple(names[: len(COLUMNS)]) != COLUMNS:
        raise InputError(
            f"{source} has no line of column names ({' '.join(COLUMNS)}, with tabs between) after its header; add it."
        )
    return tuple(header), (_record(line, number, len(names), source, unit) for number, line in lines if line)


def _record(line: str, number: int, columns: int, source: str, unit: str) -> Record:
    where = f"{source}, {unit} {number}"
    if line.startswith("#"):
        raise InputError(f"{where} is a header line among records; join VCF files with 'bcftools concat', not cat.")
    if (found := line.count("\t") + 1) != columns:
        raise InputError(
            f"{where} has {found} column{'s' * (found != 1)} with tabs between where the header names {columns}:"
            f" {shortened(line)}; correct it."
        )
    contig, position, _, reference, alternatives, _ = line.split("\t", 5)
    if not (position.isascii() and position.isdigit()):
        raise InputError(f"{where}: POS is {shortened(position)}, not a whole number; correct it.")
    if not contig or not reference:
        raise InputError(f"{where}: {'REF' if contig else 'CHROM'} is empty; correct it.")
    # a place of any number of digits is past its contig's end, and is counted so
    place = int(position) if len(position) <= MOST_DIGITS else FURTHEST
    return Record(number, line, contig, place - 1, reference.upper(), tuple(alternatives.upper().split(",")))
