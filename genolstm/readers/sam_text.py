"""SAM text, every line held against the grammar of the SAM specification (sections 1.3 to 1.5).

htslib reads more than half of the malformed files in the specification's own test set silently; this does not.
"""

import math
import re
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from genolstm.errors import InputError
from genolstm.readers.sam_codes import CIGAR_LETTERS, HARD_CLIP, INSERTION, MATCH, MISMATCH, SAME, SOFT_CLIP

LARGEST_POSITION = (1 << 40) - 1  # htslib reads text beyond what BAM holds, as for genomes with giant chromosomes
LONGEST_SHOWN = 60  # characters of a bad column that a message repeats
N_COLUMNS = 11
ON_READ = frozenset({MATCH, INSERTION, SOFT_CLIP, SAME, MISMATCH})

# the specification bars brackets, quotes, commas and backslashes, which assemblies have all the same
_CONTIG = r"[!-)+-<>-~][!-~]*"
_POSITION = r"(?:0|[1-9][0-9]{0,12})"
GRAMMAR = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("read name", r"[!-?A-~]{1,254}"),
        ("flag", r"(?:0|[1-9][0-9]{0,4})"),
        ("contig", rf"(?:\*|{_CONTIG})"),
        ("position", _POSITION),
        ("mapping quality", r"(?:0|[1-9][0-9]{0,2})"),
        ("CIGAR", r"(?:\*|(?:[0-9]+[MIDNSHPX=])+)"),
        ("mate's contig", rf"(?:\*|=|{_CONTIG})"),
        ("mate's position", _POSITION),
        ("template length", r"-?[0-9]{1,13}"),
        ("sequence", r"(?:\*|[A-Za-z=.]+)"),
        ("base qualities", r"(?:\*|[!-~]+)"),
    )
)
OPERATION = re.compile(r"([0-9]+)([MIDNSHPX=])")
CONTIG_NAME = re.compile(_CONTIG)
_NUMBER = r"[-+]?(?:[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?|[nN][aA][nN]|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)"
TAG = re.compile(
    r"(?P<tag>[A-Za-z][A-Za-z0-9]):(?:A:[!-~]|i:(?P<int>[-+]?[0-9]+)|f:(?P<float>" + _NUMBER + r")|Z:[ !-~]*"
    r"|H:(?:[0-9A-F]{2})*|B:(?P<kind>[cCsSiIf])(?P<list>(?:," + _NUMBER + r")*))"
)
INT_RANGE = (-(1 << 31), (1 << 32) - 1)
ARRAY_CODES = {"c": "b", "C": "B", "s": "h", "S": "H", "i": "i", "I": "I", "f": "f"}  # SAM's letter -> struct's


class SamRecord(NamedTuple):
    """What a track needs of one alignment line.

    contig : index into the header's contigs, -1 for none.   start : 0-based, -1 for none.
    cigar : (operation as in BAM, length).
    """

    flag: int
    contig: int
    start: int
    mapq: int
    cigar: tuple[tuple[int, int], ...]


class SamHeader(NamedTuple):
    """Contigs of a header, in its order, lengths in bp."""

    names: tuple[str, ...]
    lengths: tuple[int, ...]


def read_sam_header(lines: Iterator[tuple[int, str]], source: str) -> tuple[SamHeader, Iterator[tuple[int, str]]]:
    """The header of a SAM file, and its alignment lines.

    lines : number and text of each line. Raises InputError for a header that cannot be right.
    """
    contigs: dict[str, int] = {}
    for number, line in lines:
        if not line.startswith("@"):
            return _header(contigs), _put_back((number, line), lines)
        if line.startswith("@SQ"):
            name, length = _contig(line, f"{source}, line {number}")
            if name in contigs:
                raise InputError(f"{source}, line {number} names the contig '{name}' again; correct the header.")
            contigs[name] = length
        elif not re.match(r"@[A-Z]{2}(\t|$)", line):
            raise InputError(
                f"{source}, line {number} is no SAM header line: {_shown(line)}; give SAM, BAM, CRAM or fragments."
            )
    return _header(contigs), iter(())


def is_sam_line(fields: Sequence[str]) -> bool:
    """Whether the columns of a line are those of a SAM alignment: a table of that many has other things there."""
    return len(fields) >= N_COLUMNS and all(
        pattern.fullmatch(text) for (_, pattern), text in zip(GRAMMAR, fields, strict=False)
    )


def headless(source: str) -> InputError:
    """The error of a file of SAM lines that has no header before them."""
    return InputError(
        f"{source} looks like SAM without its header, which names the contigs: give the whole file, or add the header"
        " with samtools view -ht genome.fa.fai."
    )


def _header(contigs: dict[str, int]) -> SamHeader:
    return SamHeader(tuple(contigs), tuple(contigs.values()))


def _put_back(line: tuple[int, str], lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield line
    yield from lines


def _contig(line: str, where: str) -> tuple[str, int]:
    fields = line.split("\t")[1:]
    tags = {field[:2]: field[3:] for field in fields}
    if len(tags) != len(fields):
        raise InputError(f"{where} gives a tag twice: {_shown(line)}; correct the header.")
    name, length = tags.get("SN", ""), tags.get("LN", "")
    if not CONTIG_NAME.fullmatch(name):
        raise InputError(f"{where}: '{name[:LONGEST_SHOWN]}' is no name for a contig; correct the header.")
    if not re.fullmatch(r"[0-9]{1,13}", length) or not 1 <= int(length) <= LARGEST_POSITION:
        raise InputError(f"{where}: the contig '{name}' has the length '{length[:LONGEST_SHOWN]}'; correct the header.")
    return name, int(length)


def sam_records(lines: Iterator[tuple[int, str]], header: SamHeader, source: str) -> Iterator[SamRecord]:
    """Alignment lines as records. Raises InputError for a line that cannot be right, naming it by its number."""
    order = {name: place for place, name in enumerate(header.names)}
    for number, line in lines:
        if not line:  # editors leave one at the end
            continue
        columns = line.split("\t")
        if fault := _fault(columns, order):
            raise InputError(f"{source}, line {number} cannot be right: {fault}; correct or delete it.")
        cigar = tuple((CIGAR_LETTERS.index(letter), int(size)) for size, letter in OPERATION.findall(columns[5]))
        yield SamRecord(
            flag=int(columns[1]),
            contig=order.get(columns[2], -1),
            start=int(columns[3]) - 1,
            mapq=int(columns[4]),
            cigar=cigar,
        )


def _fault(columns: list[str], order: dict[str, int]) -> str:
    """What is wrong with a line, as a phrase; empty where nothing is."""
    if len(columns) < N_COLUMNS:
        return f"it has {len(columns)} of the {N_COLUMNS} columns of SAM"
    for (name, pattern), text in zip(GRAMMAR, columns, strict=False):
        if not pattern.fullmatch(text):
            return f"its {name} is {_shown(text)}"
    _, flag, contig, start, mapq, cigar, mate, mate_start, template, sequence, qualities = columns[:N_COLUMNS]
    for name, text, largest in (
        ("flag", flag, 0xFFFF),
        ("position", start, LARGEST_POSITION),
        ("mapping quality", mapq, 0xFF),
        ("mate's position", mate_start, LARGEST_POSITION),
        ("template length", template.removeprefix("-"), LARGEST_POSITION),
    ):
        if int(text) > largest:
            return f"its {name} is {text}"
    for name in (contig, mate):
        if name not in order and name not in ("*", "="):
            return f"the header lacks its contig '{name[:LONGEST_SHOWN]}'"
    if qualities != "*" and len(qualities) != (0 if sequence == "*" else len(sequence)):
        return "it has another number of base qualities than of bases"
    return _cigar_fault(cigar, sequence) or _tag_fault(columns[N_COLUMNS:])


def _cigar_fault(text: str, sequence: str) -> str:
    operations = [(CIGAR_LETTERS.index(letter), int(size)) for size, letter in OPERATION.findall(text)]
    bases = sum(size for code, size in operations if code in ON_READ)
    if operations and sequence != "*" and bases != len(sequence):
        return f"its CIGAR has {bases} bases and its sequence {len(sequence)}"
    codes = [code for code, _ in operations]
    if HARD_CLIP in codes[1:-1]:
        return "it is hard-clipped elsewhere than at its ends"
    inner = codes[codes[:1] == [HARD_CLIP] : len(codes) - (codes[-1:] == [HARD_CLIP])]
    return "it is soft-clipped elsewhere than at its ends" if SOFT_CLIP in inner[1:-1] else ""


def _tag_fault(tags: list[str]) -> str:
    seen = set()
    for text in tags:
        match = TAG.fullmatch(text)
        if not match or not _fits(match):
            return f"its tag {_shown(text)} does not fit SAM"
        if match["tag"] in seen:
            return f"its tag {match['tag']} is given twice"
        seen.add(match["tag"])
    return ""


def _fits(tag: re.Match[str]) -> bool:
    """Whether the numbers of a tag fit into their types."""
    try:
        if tag["int"] is not None:
            return INT_RANGE[0] <= int(tag["int"]) <= INT_RANGE[1]
        if tag["float"] is not None:
            return _fits_float(tag["float"])
        if tag["kind"] is not None:
            elements = tag["list"].split(",")[1:]
            if tag["kind"] == "f":
                return all(map(_fits_float, elements))
            struct.pack(f"<{len(elements)}{ARRAY_CODES[tag['kind']]}", *map(int, elements))
    except (ValueError, OverflowError, struct.error):
        return False
    return True


def _fits_float(text: str) -> bool:
    """Whether a number is neither too large nor too small for a float of 32 bits."""
    if not math.isfinite(float(text)):
        return True
    (kept,) = struct.unpack("<f", struct.pack("<f", float(text)))
    return kept != 0 or float(text) == 0


def _shown(text: str) -> str:
    shown = repr(text)
    return shown if len(shown) <= LONGEST_SHOWN else shown[:LONGEST_SHOWN] + "...'"
