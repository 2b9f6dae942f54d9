"""Files that users may give in place of the one wanted, and the remedy."""

from collections.abc import Iterable, Iterator

from genolstm.alphabet import DNA, PROTEIN, Alphabet
from genolstm.errors import InputError

OTHER_KINDS = (  # how a file begins, what it then is, what to do where FASTA is wanted
    (b">", "FASTA", ""),
    (b"@", "FASTQ or SAM", "give the FASTA of an assembled genome"),
    (b"LOCUS ", "GenBank", "convert it to FASTA with Bio.SeqIO.convert"),
    (b"ID  ", "EMBL or UniProt text", "convert it to FASTA with Bio.SeqIO.convert"),
    (b"<", "HTML or XML", "download the file itself"),
    (b"BAM\1", "BAM", "give the FASTA of an assembled genome"),
    (b"CRAM", "CRAM", "give the FASTA of an assembled genome"),
    (b"BCF\2", "BCF", "give the FASTA of an assembled genome"),
    (b"##fileformat=VCF", "VCF", "give the FASTA of an assembled genome"),
    (b"##gff-version", "GTF or GFF3", "give the FASTA of an assembled genome"),
    (b"\x43\x27\x41\x1a", "2bit", "convert it with twoBitToFa"),
    (b"\x1a\x41\x27\x43", "2bit", "convert it with twoBitToFa"),
    (b"\x26\xfc\x8f\x88", "bigWig", "give the FASTA of an assembled genome"),
    (b"\x88\x8f\xfc\x26", "bigWig", "give the FASTA of an assembled genome"),
    (b"\xeb\xf2\x89\x87", "bigBed", "give the FASTA of an assembled genome"),
    (b"\x87\x89\xf2\xeb", "bigBed", "give the FASTA of an assembled genome"),
    (b"\x89HDF", "HDF5", "give the FASTA from which it was made"),
    (b"%PDF", "PDF", "download the file itself"),
    (b"{\\rtf", "RTF", "save it as plain text"),
)
PEARSON = (b";", "a comment of old Pearson FASTA", "delete its comment lines with grep -v '^;'")
HEAD_BYTES = 16
PROTEIN_ONLY = frozenset(PROTEIN.letters + PROTEIN.ambiguous) - frozenset(DNA.letters + DNA.ambiguous + "UX*")


def foreign_kind(head: bytes, own: str = "") -> str:
    """Kind of a file that begins so, once decompressed; empty where it is not known, or the kind is ``own``."""
    head = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return next((kind for beginning, kind, _ in OTHER_KINDS if head.startswith(beginning) and kind != own), "")


def refuse_other_kinds(
    chunks: Iterable[bytes], source: str, own: str, wanted: str, called: str = ""
) -> Iterator[bytes]:
    """Chunks of text as they are, once their beginning was seen to be of no other kind than ``own``.

    called : name of the kind in messages, where it is not ``own``.   wanted : what to give.
    Raises InputError naming the kind.
    """
    head, begun = b"", []
    chunks = iter(chunks)
    for chunk in chunks:
        head += chunk[:HEAD_BYTES]
        begun.append(chunk)
        if len(head) >= HEAD_BYTES:
            break
    if kind := foreign_kind(head, own):
        raise InputError(f"{source} looks like {kind}, not like {called or own}; give {wanted}.")
    yield from begun
    yield from chunks


def not_fasta(text: bytes, source: str) -> InputError:
    """Error for ``text``, met before the first header: what it may be."""
    for beginning, kind, remedy in (*OTHER_KINDS, PEARSON):
        if remedy and text.lstrip().startswith(beginning):
            return InputError(f"{source} is not FASTA but begins like {kind}: {remedy}.")
    line = next(line for line in text.splitlines() if line.strip())[:40].decode("utf-8", "backslashreplace")
    return InputError(
        f"{source} holds text before the first line that begins with '>' ({line!r}): delete it, or give a FASTA file."
    )


def foreign_symbol(byte: int, position: int, line: int, alphabet: Alphabet) -> str:
    """Message on a symbol that is not of the alphabet, with the remedy; ``position`` is 1-based in the record."""
    symbol = chr(byte)
    is_text = symbol.isascii() and symbol.isprintable()
    shown = repr(symbol) if is_text else f"byte 0x{byte:02x}"
    if symbol == "." and alphabet.name == PROTEIN.name:
        meaning = "a gap of an alignment, or a stop as gffread writes it: remove it, or write stops as '*' (gffread -S)"
    elif symbol in "-.":
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
