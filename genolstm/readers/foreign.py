"""What the user may have given in place of FASTA, and what to do then."""

from genolstm.alphabet import DNA, PROTEIN, Alphabet
from genolstm.errors import InputError

OTHER_FORMATS = (  # how a file begins, what it then is, what to do
    (b"@", "FASTQ or SAM", "give the FASTA of an assembled genome"),
    (b"LOCUS ", "GenBank", "convert it to FASTA with Bio.SeqIO.convert"),
    (b"ID  ", "EMBL or UniProt text", "convert it to FASTA with Bio.SeqIO.convert"),
    (b";", "a comment of old Pearson FASTA", "delete its comment lines with grep -v '^;'"),
    (b"<", "HTML or XML", "download the FASTA file itself"),
    (b"BAM\1", "BAM", "give the FASTA of an assembled genome"),
    (b"\x43\x27\x41\x1a", "2bit", "convert it with twoBitToFa"),
    (b"PK\x03\x04", "a zip archive", "unpack it first"),
    (b"BZh", "bzip2", "decompress it first with bunzip2"),
    (b"\xfd7zXZ", "xz", "decompress it first with unxz"),
    (b"\x28\xb5\x2f\xfd", "zstd", "decompress it first with unzstd"),
    (b"\x1f\x8b", "gzip inside gzip", "decompress it once with gunzip"),
)
PROTEIN_ONLY = frozenset(PROTEIN.letters + PROTEIN.ambiguous) - frozenset(DNA.letters + DNA.ambiguous + "UX*")


def not_fasta(text: bytes, source: str) -> InputError:
    """Say what ``text``, met before the first header, may be."""
    for beginning, kind, remedy in OTHER_FORMATS:
        if text.lstrip().startswith(beginning):
            return InputError(f"{source} is not FASTA but begins like {kind}: {remedy}.")
    line = next(line for line in text.splitlines() if line.strip())[:40].decode("utf-8", "backslashreplace")
    return InputError(
        f"{source} holds text before the first line that begins with '>' ({line!r}): delete it, or give a FASTA file."
    )


def foreign_symbol(byte: int, position: int, line: int, alphabet: Alphabet) -> str:
    """Say what a symbol that is not of the alphabet means, and what to do; ``position`` is 1-based in the record."""
    symbol = chr(byte)
    is_text = symbol.isascii() and symbol.isprintable()
    shown = repr(symbol) if is_text else f"byte 0x{byte:02x}"
    if symbol in "-.":
        meaning = "so the file looks like an alignment: remove the gaps, or give the sequences unaligned"
    elif symbol == ">":
        meaning = "inside a line: break the line before it if a record begins there"
    elif symbol == ";":
        meaning = "perhaps a comment of old Pearson FASTA: delete its comment lines with grep -v '^;'"
    elif symbol.isdigit():
        meaning = "a digit: delete numbers from the sequence lines"
    elif not is_text:
        meaning = "so the file is damaged or not plain text: copy or download it again"
    elif alphabet.name == DNA.name and symbol.upper() in PROTEIN_ONLY:
        meaning = "so the file looks like protein: add --alphabet protein, or give a DNA file"
    elif symbol in "Xx*":
        meaning = "an unknown residue or stop of proteins: add --alphabet protein, or write N if this is DNA"
    else:
        meaning = f"which is no IUPAC letter of {alphabet.name}: correct it, or write {alphabet.unknown_letter}"
    return f"{shown} at position {position} (line {line}), {meaning}."
