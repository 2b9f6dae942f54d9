r"""GTF and GFF3 as text: opens what is given, finds the feature lines and checks their columns.

The two formats have eight columns in common and differ in the ninth, which is handed on unread. Starts become 0-based
here. Bytes that are not UTF-8 (old files carry Latin-1 in their notes) are kept as ``\xe9``: no line is lost, and two
names stay different where their bytes are.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from genolstm.errors import InputError
from genolstm.readers.text_lines import opened_lines, source_name
from genolstm.readers.whole_numbers import FURTHEST, position, shortened

KIND = "GTF or GFF3"
WANTED = "the gene annotation as GTF or GFF3, plain or gzipped"

N_COLUMNS = 9  # contig, source, type, start, end, score, strand, phase, attributes
STRAND_MARKS = frozenset("+-.?")
BROWSER_LINES = ("track", "browser")  # what the UCSC browser puts above the features


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


def feature_lines(path: Path | str) -> Iterator[Feature]:
    """Each feature line of a GTF or GFF3 file, in file order.

    Parameters
    ----------
    path
        Plain, gzip or bgzip text, distinguished by its first bytes; ``-`` is standard input.

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
    with opened_lines(path, KIND, WANTED) as lines:
        for number, line in lines:
            if line.startswith("#"):
                if line.startswith("##FASTA"):
                    return
                continue
            columns = line.split("\t", N_COLUMNS - 1)
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
                digits = first + last
                if not (
                    0 <= start < end <= FURTHEST and strand in STRAND_MARKS and digits.isascii() and digits.isdigit()
                ):
                    start, end = _checked(path, number, columns)
                # past the Python call in Feature's own constructor: once a line
                feature = tuple.__new__(Feature, (contig, kind, start, end, strand, attributes, phase))
            n_features += 1
            yield feature


def _without_attributes(path: Path | str, number: int, columns: list[str]) -> Feature:
    """Feature of a line that stops after the phase, as GFF2 allowed."""
    start, end = _checked(path, number, columns)
    return Feature(columns[0], columns[2], start, end, columns[6], "")


def _checked(path: Path | str, number: int, columns: list[str]) -> tuple[int, int]:
    """Start and end, 0-based and half open, of a line that looks odd. Raises InputError where it is no feature."""
    try:
        start, end = position(columns[3]) - 1, position(columns[4])
    except ValueError:
        raise _bad_line(path, number, columns) from None
    if not (0 <= start < end and columns[6] in STRAND_MARKS):
        raise _bad_line(path, number, columns)
    return start, end


def _bad_line(path: Path | str, number: int, columns: list[str]) -> InputError:
    """Message for a line that cannot be a feature."""
    line = "\t".join(columns)
    shown = shortened(line)
    where = f"{source_name(path)} line {number}"
    if line.startswith(">"):
        return InputError(f"{where} looks like FASTA, not like {KIND}: {shown}; give {WANTED}.")
    if len(columns) > 2 and columns[1].isdigit() and columns[2].isdigit():
        return InputError(f"{where} looks like BED, not like {KIND}: {shown}; give {WANTED}.")
    if len(columns) < N_COLUMNS - 1:
        problem = f"has {len(columns)} tab-separated column{'s' * (len(columns) != 1)} instead of {N_COLUMNS}: {shown}"
        if len(line.split()) >= N_COLUMNS - 1:
            return InputError(f"{where} {problem}; its columns are separated by spaces, replace these by tabs.")
        return InputError(f"{where} {problem}; mend or remove the line, or give {WANTED}.")
    return InputError(f"{where} {_bad_column(columns)}; mend or remove the line.")


def _bad_column(columns: list[str]) -> str:
    """Name of the first column of a line that is wrong."""
    first, last, strand = columns[3], columns[4], columns[6]
    try:
        start, end = position(first), position(last)
    except ValueError as problem:
        if "beyond" in str(problem):
            return f"has a place that cannot be: {problem}"
        return f"has start {shortened(first)} and end {shortened(last)}, which must be whole numbers"
    if start < 1:
        return f"has start {start}, but the first base of a contig is 1"
    if start > end:
        return f"has start {start} after end {end}"
    return f"has strand {shortened(strand)} instead of '+', '-', '.' or '?'"
