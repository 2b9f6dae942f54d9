"""FASTA files as blocks of codes: plain, gzip or bgzip, from a file or standard input, in constant memory.

The fast reader works on stretches of many lines with ``bytes.translate``; ``read_fasta_slowly`` is its reference
implementation.
"""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import PROTEIN, Alphabet, Codes
from genolstm.errors import InputError
from genolstm.readers.bgzf import GZIP_MAGIC
from genolstm.readers.foreign import foreign_symbol, not_fasta
from genolstm.readers.gzipped import decompressed, opened
from genolstm.readers.text_lines import source_name

BLOCK_BYTES = 1 << 18  # what stays in the processor's cache between passes: 4 MB blocks take twice the time
HEAD_BYTES = 512  # enough to distinguish FASTA from anything else
HEADER_BYTES = 1 << 16  # how much of a header line is kept: a name ends long before
UTF16_BEGINNINGS = (b"\xff\xfe", b"\xfe\xff", b">\0", b"\0>")
UTF8_BOM = b"\xef\xbb\xbf"
WHITESPACE = b" \t\n\v\f"

# A symbol's mark is its place among all letters of the alphabet, the ambiguous ones included, with flags above it:
LOWER = 64  # soft-masked
BLANK = 128  # white space, to be dropped
FOREIGN = 255  # not of the alphabet

DNA_LETTERS = "ACGTUN"
STOP = "*"
MIN_DNA_SYMBOLS = 50  # a shorter protein may consist of A, C, G, T and N by chance

NO_INTERVALS = np.empty((0, 2), dtype=np.int64)
NO_INTERVALS.flags.writeable = False


@dataclass(frozen=True, kw_only=True)
class SequenceBlock:
    """Some symbols of one record, in order; the blocks of a record follow each other.

    name : first word after '>'.
    starts_record : True for the first block of a record.
    codes : uint8 [n], n > 0, read-only.
    masked : int64 [k, 2], half-open intervals of lower-case symbols, 0-based in this block, sorted, disjoint; a stretch
        that crosses into the next block ends here and begins there.
    ambiguous : upper-case letter -> how many of them became unknown; N (X in proteins) is counted under its own letter.
    read_as : upper-case letter -> how many were read as another one (the U of RNA as T).
    """

    name: str
    starts_record: bool
    codes: Codes
    masked: NDArray[np.int64]
    ambiguous: dict[str, int]
    read_as: dict[str, int]


@dataclass(kw_only=True)
class Stops:
    """Stop signs of proteins, counted while blocks go by.

    ended : proteins that end in '*', which is no residue and is left out.   within : '*' inside proteins, read as X.
    broken : proteins that hold such.
    """

    ended: int = 0
    within: int = 0
    broken: int = 0


class _Piece(NamedTuple):
    """A whole header without its '>', or a stretch of sequence lines.

    symbols : the stretch without its line ends; None for a header.
    line : 1-based, where the text begins.
    """

    text: bytes
    symbols: bytes | None
    line: int


@dataclass(frozen=True, kw_only=True)
class _Tables:
    """Lookup tables of an alphabet.

    marks : [256] byte -> mark.
    codes : uint8 [n_letters] mark without flags -> code.
    letters : the letter of each mark.
    unknown : the unknown symbol's code, which is its mark too.
    """

    alphabet: Alphabet
    marks: bytes
    codes: Codes
    letters: str
    unknown: int


def read_fasta(
    path: Path | str, alphabet: Alphabet, *, block_bytes: int = BLOCK_BYTES, stops: Stops | None = None
) -> Iterator[SequenceBlock]:
    """Blocks of all records in file order, each of one record and from at most ``block_bytes`` of text.

    path : FASTA, plain or gzip or bgzip (distinguished by content); "-" is standard input.   stops : takes the count of
    stop signs; those that end a protein are in no block.

    Raises InputError when a problem is met, which may be after some blocks: a file is good once the iterator has ended.
    """
    source = source_name(path)
    with opened(path, source, "FASTA") as stream:
        text = _fasta_text(decompressed(stream, block_bytes, source), block_bytes, source)
        blocks = _blocks(_pieces(_with_unix_line_ends(text)), _tables(alphabet), source, stops or Stops())
        yield from _refusing_dna(blocks, source) if alphabet.name == PROTEIN.name else blocks


def read_fasta_slowly(path: Path | str, alphabet: Alphabet) -> Iterator[tuple[str, Codes]]:
    """Name and codes uint8 [n] of whole records, by Biopython and a table: what ``read_fasta`` must equal.

    Reads files only; a letter outside the alphabet becomes FOREIGN, and a stop sign that ends a record is left out.
    """
    from Bio import SeqIO  # noqa: PLC0415  (only this twin needs it)

    tables = _tables(alphabet)
    codes = np.full(256, FOREIGN, dtype=np.uint8)
    for letter, code in zip(tables.letters, tables.codes, strict=True):
        codes[[ord(letter), ord(letter.lower())]] = code
    with Path(path).open("rb") as stream:
        open_text = gzip.open if stream.read(2) == GZIP_MAGIC else open
    with open_text(path, "rt", encoding="utf-8-sig") as lines:
        for record in SeqIO.parse(lines, "fasta"):  # type: ignore[no-untyped-call]
            symbols = bytes(record.seq)
            if STOP in tables.letters:
                symbols = symbols.rstrip(STOP.encode())
            yield record.id, codes[np.frombuffer(symbols, dtype=np.uint8)]


def _fasta_text(chunks: Iterator[bytes], block_bytes: int, source: str) -> Iterator[bytes]:
    """The same chunks without a UTF-8 byte order mark, once the beginning has been seen to be FASTA."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= HEAD_BYTES:
            break
    if head.startswith(UTF16_BEGINNINGS):
        raise InputError(f"{source} is UTF-16 text: convert it with iconv -f UTF-16 -t UTF-8.")
    head = head.removeprefix(UTF8_BOM)
    if head.strip() and not head.lstrip().startswith(b">"):
        raise not_fasta(head, source)
    for start in range(0, len(head), block_bytes):
        yield head[start : start + block_bytes]
    yield from chunks


def _with_unix_line_ends(chunks: Iterator[bytes]) -> Iterator[bytes]:
    r"""The same text with ``\n`` for each ``\r\n`` and each lone ``\r``; a chunk may end between the two."""
    held = b""
    for chunk in chunks:
        if held or b"\r" in chunk:
            chunk = held + chunk
            held = chunk[-1:] if chunk.endswith(b"\r") else b""
            chunk = chunk[: len(chunk) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        yield chunk
    yield held.replace(b"\r", b"\n")


def _pieces(chunks: Iterator[bytes]) -> Iterator[_Piece]:
    """Cut text into headers and stretches of sequence, none longer than its chunk."""
    header: bytes | None = None  # what has been seen of a header that goes on
    line, before = 1, ord("\n")
    for chunk in chunks:
        start = 0
        while start < len(chunk):
            if header is None:
                end = _header_start(chunk, start, before)
                if end > start:
                    text = chunk[start:end]
                    symbols = text.replace(b"\n", b"")
                    yield _Piece(text, symbols, line)
                    line += len(text) - len(symbols)
                header = b"" if end < len(chunk) else None
            else:
                found = chunk.find(b"\n", start)
                end = found if found >= 0 else len(chunk)
                header = (header + chunk[start:end])[:HEADER_BYTES]
                if found >= 0:
                    yield _Piece(header, None, line)
                    header, line = None, line + 1
            start = end + 1
        before = chunk[-1] if chunk else before
    if header is not None:
        yield _Piece(header, None, line)


def _header_start(chunk: bytes, start: int, before: int) -> int:
    """Index of the next '>' that begins a line, or the chunk's length; ``before`` is the byte before the chunk."""
    index = chunk.find(b">", start)
    while index >= 0 and (chunk[index - 1] if index else before) != ord("\n"):
        index = chunk.find(b">", index + 1)
    return index if index >= 0 else len(chunk)


def _blocks(pieces: Iterator[_Piece], tables: _Tables, source: str, stops: Stops) -> Iterator[SequenceBlock]:
    """Blocks of all records; raises InputError for whatever does not belong in a record."""
    lines: dict[str, int] = {}  # record name -> line of its header
    name, n_before = "", 0
    ending = _Ending(tables.letters.find(STOP), stops)
    for piece in pieces:
        if piece.symbols is None:
            _refuse_empty_record(name, n_before, lines, source, stops=ending.held)
            ending.close()
            name, n_before = _record_name(piece, lines, source), 0
            lines[name] = piece.line
        elif lines:
            marks = np.frombuffer(piece.symbols.translate(tables.marks), dtype=np.uint8)
            if marks.size and np.maximum.reduce(marks) >= BLANK:
                marks = _without_blanks(marks, piece, f"{source}: record '{name}'", n_before, tables.alphabet)
            if ending.stop >= 0:
                marks = ending.without(marks)
            if marks.size:
                yield _block(name, marks, tables, starts_record=n_before == 0)
                n_before += marks.size
        elif piece.symbols.strip():
            raise not_fasta(piece.text, source)
    if not lines:
        raise InputError(f"{source} holds no records: give a FASTA file with at least one '>' line and its sequence.")
    _refuse_empty_record(name, n_before, lines, source, stops=ending.held)
    ending.close()


class _Ending:
    """Holds stop signs back until something follows them in their record: those that nothing follows end a protein.

    stop : their mark, -1 where the alphabet has none.
    """

    def __init__(self, stop: int, stops: Stops) -> None:
        self.stop, self.stops = stop, stops
        self.held, self.broken = 0, False

    def without(self, marks: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Marks [n] without the stop signs at their end, after those that were held."""
        signs = marks == self.stop
        if not signs.any() and not self.held:
            return marks
        tail = len(marks) if signs.all() else int(signs[::-1].argmin())
        if tail == len(marks):
            self.held += tail
            return marks[:0]
        within = self.held + int(signs.sum()) - tail
        self.stops.within += within
        self.broken |= within > 0
        kept = np.concatenate([np.full(self.held, self.stop, dtype=np.uint8), marks[: len(marks) - tail]])
        self.held = tail
        kept.flags.writeable = False
        return kept

    def close(self) -> None:
        """End a record."""
        self.stops.ended += self.held > 0
        self.stops.broken += self.broken
        self.held, self.broken = 0, False


def _refuse_empty_record(name: str, n_symbols: int, lines: dict[str, int], source: str, *, stops: int) -> None:
    if lines and not n_symbols:
        if stops:
            raise InputError(
                f"{source}: record '{name}' (line {lines[name]}) holds a stop sign (*) and no residue: complete or"
                " delete it."
            )
        raise InputError(f"{source}: record '{name}' (line {lines[name]}) has no sequence: complete or delete it.")


def _record_name(piece: _Piece, lines: dict[str, int], source: str) -> str:
    """First word of a header; raises InputError where there is none, or it is not text, or was there before."""
    parts = piece.text.split(maxsplit=1)
    if not parts or not piece.text.startswith(parts[0]):
        raise InputError(f"{source}: the record on line {piece.line} has no name: write one right after its '>'.")
    try:
        name = parts[0].decode()
    except UnicodeDecodeError:
        name = ""
    if not name.isprintable() or not name or len(parts[0]) == HEADER_BYTES:
        shown = parts[0][:40].decode("utf-8", "backslashreplace")
        raise InputError(
            f"{source}: the record name {shown!r} (line {piece.line}) is not printable UTF-8 of less than"
            f" {HEADER_BYTES} bytes: rename the record."
        )
    if name in lines:
        raise InputError(
            f"{source}: record '{name}' (line {piece.line}) has the name of the record on line {lines[name]}:"
            " rename or delete one of them."
        )
    return name


def _without_blanks(
    marks: NDArray[np.uint8], piece: _Piece, where: str, n_before: int, alphabet: Alphabet
) -> NDArray[np.uint8]:
    """Drop white space from marks [n]; raises InputError at a foreign symbol.

    where : file and record; n_before : symbols of the record before this piece.
    """
    marks = marks[marks != BLANK]
    foreign = marks == FOREIGN
    if foreign.any():
        index = int(foreign.argmax())
        byte = piece.text.translate(None, WHITESPACE)[index]
        line = piece.line + piece.text.count(b"\n", 0, piece.text.index(byte))
        raise InputError(f"{where} holds {foreign_symbol(byte, n_before + index + 1, line, alphabet)}")
    return marks


def _block(name: str, marks: NDArray[np.uint8], tables: _Tables, *, starts_record: bool) -> SequenceBlock:
    """Block of marks [n], n > 0, that are all of the alphabet; each test for the rare is one quick pass."""
    masked, codes = NO_INTERVALS, marks
    ambiguous: dict[str, int] = {}
    read_as: dict[str, int] = {}
    highest, unknown = int(np.maximum.reduce(marks)), tables.unknown
    if highest >= LOWER:
        masked = _intervals(marks >= LOWER)
        codes = marks & np.uint8(LOWER - 1)
        highest = int(np.maximum.reduce(codes))
    if highest >= unknown:
        for letter, count in _counts(codes, tables).items():
            (read_as if letter in tables.alphabet.read_as else ambiguous)[letter] = count
    if highest > unknown:
        codes = tables.codes[codes]
    if codes is not marks:
        codes.flags.writeable = False  # as those over the bytes of the file are
    return SequenceBlock(
        name=name, starts_record=starts_record, codes=codes, masked=masked, ambiguous=ambiguous, read_as=read_as
    )


def _intervals(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Half-open intervals int64 [k, 2] where flags [n], n > 0, are True."""
    padded = np.zeros(flags.size + 2, dtype=np.bool_)
    padded[1:-1] = flags
    return np.flatnonzero(padded[1:] != padded[:-1]).astype(np.int64, copy=False).reshape(-1, 2)


def _counts(marks: NDArray[np.uint8], tables: _Tables) -> dict[str, int]:
    """How many there are of each letter that is not a known one; only letters that occur."""
    unknown = tables.unknown
    counts = np.bincount(marks[marks > unknown], minlength=len(tables.letters))
    counts[unknown] = np.count_nonzero(marks == unknown)  # apart, because bincount takes eight bytes for each of many N
    return {tables.letters[mark]: int(counts[mark]) for mark in np.flatnonzero(counts)}


def _refusing_dna(blocks: Iterator[SequenceBlock], source: str) -> Iterator[SequenceBlock]:
    """The same protein blocks; raises InputError at the end where all that was read are letters of DNA."""
    dna_codes = [PROTEIN.letters.index(letter) for letter in DNA_LETTERS if letter in PROTEIN.letters]
    n_symbols, is_dna = 0, True
    for block in blocks:
        if is_dna:
            n_symbols += block.codes.size
            n_dna = np.count_nonzero(np.isin(block.codes, dna_codes)) + block.ambiguous.get("U", 0)
            is_dna = n_dna == block.codes.size
        yield block
    if is_dna and n_symbols >= MIN_DNA_SYMBOLS:
        raise InputError(f"{source} holds only the letters {DNA_LETTERS}, so it looks like DNA: add --alphabet dna.")


def _tables(alphabet: Alphabet) -> _Tables:
    """Lookup tables of an alphabet: a mark below ``n_known`` is already the code."""
    letters = alphabet.letters + alphabet.ambiguous + "".join(alphabet.read_as)
    marks = bytearray([FOREIGN]) * 256
    for byte in WHITESPACE:
        marks[byte] = BLANK
    codes = np.full(len(letters), alphabet.unknown, dtype=np.uint8)
    codes[: alphabet.n_symbols] = np.arange(alphabet.n_symbols)
    for mark, letter in enumerate(letters):
        marks[ord(letter.lower())] = mark | LOWER
        marks[ord(letter)] = mark  # after the lower case: '*' has none
        if letter in alphabet.read_as:
            codes[mark] = alphabet.letters.index(alphabet.read_as[letter])
    return _Tables(alphabet=alphabet, marks=bytes(marks), codes=codes, letters=letters, unknown=alphabet.unknown)
