"""FASTA files that appear under their name only when complete."""

from collections.abc import Iterable
from pathlib import Path

from genolstm.writers.text_file import text_file, unbroken

WIDTH = 60  # letters of a line


def write_fasta(path: Path, records: Iterable[tuple[str, str]]) -> None:
    """Write headers and sequences; bgzipped where the name ends in .gz. Raises InputError when the disk refuses."""
    with text_file(path) as out:
        for header, letters in records:
            lines = (letters[at : at + WIDTH] for at in range(0, len(letters), WIDTH))
            out.write("\n".join([f">{unbroken(header)}", *lines, ""]).encode())
