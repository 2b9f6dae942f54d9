"""Session files of IGV: a genome and the tracks that are opened with it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from genolstm.errors import InputError
from genolstm.writers.text_file import text_file

VERSION = "8"  # of the session format
GZIP, BGZIP_FIELD = (
    b"\x1f\x8b",
    b"BC\x02\x00",
)  # a bgzip block is gzip with the extra field BC of 2 bytes (SAM spec 4.1)
HEADER_BYTES = 18


class FastaForm(NamedTuple):
    """How a FASTA is packed, and what IGV needs beside it that is not there."""

    packed: str
    missing: tuple[str, ...]


def fasta_form(path: Path) -> FastaForm:
    """How a FASTA is packed ('plain', 'bgzip', 'gzip') and which of its index files are missing."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEADER_BYTES)
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror}; check its permissions.") from problem
    packed = "plain" if not head.startswith(GZIP) else "bgzip" if BGZIP_FIELD in head else "gzip"
    needed = {"plain": (".fai",), "bgzip": (".fai", ".gzi"), "gzip": ()}[packed]
    return FastaForm(packed, tuple(end for end in needed if not Path(f"{path}{end}").exists()))


def write_igv_session(path: Path, *, fasta: Path | None, tracks: Sequence[Path]) -> None:
    """Write a session that opens a genome and tracks, in this order, whole or not at all.

    fasta : IGV asks for a genome of its own when it is None. Paths are written relative to the session file, so that
    the folder can be moved. Raises InputError when the disk refuses.
    """
    root = ElementTree.Element("Session", {"locus": "All", "version": VERSION})
    if fasta is not None:
        root.set("genome", _relative(fasta, path))
    resources = ElementTree.SubElement(root, "Resources")
    for track in tracks:
        ElementTree.SubElement(resources, "Resource", {"path": _relative(track, path), "name": track.name})
    ElementTree.indent(root)
    with text_file(path) as out:
        out.write(b'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n')
        out.write(ElementTree.tostring(root, encoding="unicode").encode() + b"\n")


def _relative(path: Path, session: Path) -> str:
    if not str(path).isprintable():
        raise InputError(f"{path} has a name that XML cannot hold: rename it, or link to it under another name.")
    return os.path.relpath(path.resolve(), session.resolve().parent).replace(os.sep, "/")
