r"""GTF and GFF3 as text: opens what is given, finds the feature lines and checks their columns.

The two formats share eight columns and differ in the ninth, which is handed on unread. Starts become 0-based here.
Bytes that are not UTF-8 (old files carry Latin-1 in their notes) are kept as ``\xe9``: no line is lost, and two names
stay different where their bytes are.
"""

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

from genolstm.errors import InputError

STANDARD_INPUT = "-"
GZIP_MAGIC = b"\x1f\x8b"  # bgzip is gzip in many members, and is read as such

# how files that are often given by mistake begin, once decompressed
LOOKS_LIKE = {
    b">": "FASTA",
    b"BAM\x01": "BAM",
    b"CRAM": "CRAM",
    b"@": "SAM or FASTQ",
    b"##fileformat=VCF": "VCF",
    b"BCF": "BCF",
    b"LOCUS ": "GenBank",
    b"\x89HDF": "HDF5",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
WANTED = "give the gene annotation as GTF or GFF3, plain or gzipped"
GET_AGAIN = "copy or download it again, and check it with 'gzip -t'"

N_COLUMNS = 9  # contig, source, type, start, end, score, strand, phase, attributes
STRAND_MARKS = frozenset("+-.?")
BROWSER_LINES = ("track", "browser")  # what the UCSC browser puts above the features
LONGEST_SHOWN = 60  # characters of a bad line that a message repeats


class Feature(NamedTuple):
    """One feature line.

    contig, type, strand, attributes and phase are as written; start and end are 0-based, half open.
    """

    contig: str
    type: str
    start: int
    end: int
    strand: str
    attributes: str
    phase: str = "."


def file_name(path: Path | str) -> str:
    """Name by which messages call a file."""
    return "standard input" if str(path) == STANDARD_INPUT else str(path)


def feature_lines(path: Path | str) -> Iterator[Feature]:
    """Each feature line of a GTF or GFF3 file, in file order.

    Parameters
    ----------
    path
        Plain, gzip or bgzip text, told apart by its first bytes; ``-`` is standard input.

    Yields
    ------
    Feature
        Comments, blank and browser lines are passed over; ``##FASTA`` or a ``>`` after the features ends the file.
        A line of eight columns is a feature whose attributes are empty.

    Raises
    ------
    InputError
        The file cannot be read, is of another kind, or holds a line that is not a feature.
    """
    n_features = 0
    with _opened_text(path) as text:
        for number, line in enumerate(text, start=1):
            if line.startswith("#"):
                if line.startswith("##FASTA"):
                    return
                continue
            columns = line.rstrip("\n").split("\t", N_COLUMNS - 1)
            try:
                contig, _, kind, first, last, _, strand, phase, attributes = columns
                start, end = int(first) - 1, int(last)
            except ValueError:
                if not line.strip() or line.split(maxsplit=1)[0] in BROWSER_LINES:
                    continue
                if line.startswith(">") and n_features:  # GFF3 may leave out ##FASTA before its sequences
                    return
                if len(columns) != N_COLUMNS - 1:
                    raise _bad_line(path, number, columns) from None
                feature = _without_attributes(path, number, columns)
            else:
                if not (0 <= start < end and strand in STRAND_MARKS):
                    raise _bad_line(path, number, columns)
                feature = Feature(contig, kind, start, end, strand, attributes, phase)
            n_features += 1
            yield feature


def _without_attributes(path: Path | str, number: int, columns: list[str]) -> Feature:
    """Feature of a line that stops after the phase, as GFF2 allowed."""
    contig, _, kind, first, last, _, strand, _ = columns
    try:
        start, end = int(first) - 1, int(last)
    except ValueError:
        raise _bad_line(path, number, columns) from None
    if not (0 <= start < end and strand in STRAND_MARKS):
        raise _bad_line(path, number, columns)
    return Feature(contig, kind, start, end, strand, "")


@contextmanager
def _opened_text(path: Path | str) -> Iterator[TextIO]:
    """Lines of a file, decompressed and decoded; CRLF becomes LF and a byte-order mark is dropped.

    Whatever goes wrong with the file, now or while its lines are read, is an InputError.
    """
    name = file_name(path)
    with ExitStack() as closing:
        try:
            binary = closing.enter_context(_opened(path))
            if binary.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC):
                binary = closing.enter_context(io.BufferedReader(gzip.GzipFile(fileobj=binary)))
            _refuse_other_kinds(binary, name)
            text = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="backslashreplace")
            closing.callback(text.detach)  # else it would close standard input, which is not ours
            yield text
        except EOFError:
            raise InputError(f"{name} is cut off in the middle of its gzip data; {GET_AGAIN}.") from None
        except (zlib.error, gzip.BadGzipFile) as exc:
            raise InputError(f"{name} is damaged gzip data ({exc}); {GET_AGAIN}.") from None
        except OSError as exc:
            raise InputError(f"{name} cannot be read ({exc.strerror or exc}); {WANTED}.") from None


def _opened(path: Path | str) -> AbstractContextManager[io.BufferedReader]:
    """Raw bytes of a file or of standard input, as a stream that can be looked into."""
    if str(path) != STANDARD_INPUT:
        return Path(path).open("rb")
    stream: BinaryIO = sys.stdin.buffer
    if isinstance(stream, io.BufferedReader):
        return nullcontext(stream)
    return io.BufferedReader(io.BytesIO(stream.read()))  # a stand-in for standard input, as test runners put there


def _refuse_other_kinds(binary: io.BufferedReader, name: str) -> None:
    """Look at the first bytes, decompressed, for what is often given by mistake."""
    head = binary.peek(max(map(len, LOOKS_LIKE)))
    for magic, kind in LOOKS_LIKE.items():
        if head.startswith(magic):
            raise InputError(f"{name} looks like {kind}, not like GTF or GFF3; {WANTED}.")


def _bad_line(path: Path | str, number: int, columns: list[str]) -> InputError:
    """Message for a line that cannot be a feature."""
    line = "\t".join(columns)
    shown = repr(line if len(line) <= LONGEST_SHOWN else line[:LONGEST_SHOWN] + "...")
    where = f"{file_name(path)} line {number}"
    if line.startswith(">"):
        return InputError(f"{where} looks like FASTA, not like GTF or GFF3: {shown}; {WANTED}.")
    if len(columns) > 2 and columns[1].isdigit() and columns[2].isdigit():
        return InputError(f"{where} looks like BED, not like GTF or GFF3: {shown}; {WANTED}.")
    if len(columns) < N_COLUMNS - 1:
        problem = f"has {len(columns)} tab-separated column{'s' * (len(columns) != 1)} instead of {N_COLUMNS}: {shown}"
        if len(line.split()) >= N_COLUMNS - 1:
            return InputError(f"{where} {problem}; its columns are separated by spaces, replace these by tabs.")
        return InputError(f"{where} {problem}; mend or remove the line, or {WANTED}.")
    return InputError(f"{where} {_bad_column(columns)}; mend or remove the line.")


def _bad_column(columns: list[str]) -> str:
    """Words for the first column of a line that is wrong."""
    first, last, strand = columns[3], columns[4], columns[6]
    try:
        start, end = int(first), int(last)
    except ValueError:
        return f"has start {first!r} and end {last!r}, which must be whole numbers"
    if start < 1:
        return f"has start {start}, but the first base of a contig is 1"
    if start > end:
        return f"has start {start} after end {end}"
    return f"has strand {strand!r} instead of '+', '-', '.' or '?'"
