"""VCF and BCF: the lines of another file with more in their INFO column, bgzipped and indexed by suffix."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pysam
import pysam.bcftools
from pysam.utils import SamtoolsError

from genolstm.errors import InputError, UsageError
from genolstm.outputs import NAME_BYTES, growing_file, partial_path, publish
from genolstm.writers.text_file import TextFile, refusals, text_stream, why_not_written

INDEXES = (".tbi", ".csi")
SUFFIXES = (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf")
TBI_LIMIT = 1 << 29  # bp; a tabix index cannot hold places from here on, a CSI index can
INDEX_LIMIT = 1 << 31  # bp; no index that htslib makes of a VCF holds places from here on
INFO_COLUMN = 7
NOTES = "##genolstm_"
_ID = re.compile(r"##(?:INFO|contig)=<(?:.*,)?ID=([^,>]+)")


class InfoField(NamedTuple):
    """One INFO field as a header has it. number : 'A' for one value an alternative, '0' for a flag."""

    name: str
    number: str
    kind: str
    description: str

    @property
    def line(self) -> str:
        """Header line."""
        return f'##INFO=<ID={self.name},Number={self.number},Type={self.kind},Description="{self.description}">'


def vcf_suffix(path: Path) -> str:
    """Suffix by which a VCF is written. Raises UsageError for any other, InputError for a name that is too long."""
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            if suffix != ".vcf" and len(os.fsencode(path.name)) + len(INDEXES[0]) > NAME_BYTES:
                raise UsageError(f"output {path} has too long a name for its index beside it; name another.")
            return suffix
    raise UsageError(f"output {path} must end with .vcf, .vcf.gz (bgzip and tabix index) or .bcf; name another.")


def annotated_header(
    header: Sequence[str], fields: Iterable[InfoField], notes: Mapping[str, str], lengths: Mapping[str, int]
) -> list[str]:
    """A header with INFO fields, notes and the contigs that it does not declare; its own lines stay as they are.

    header : lines, the column names last.   notes : name -> text, written as ##genolstm_NAME=text; those of an earlier
    run, and its fields of the same names, are replaced.   lengths : bp of each contig of the genome.
    """
    fields = list(fields)
    names = {each.name for each in fields}
    kept, contigs = [], set()
    for line in header[:-1]:
        match = _ID.match(line)
        if line.startswith("##contig=") and match:
            contigs.add(match[1])
        elif line.startswith(NOTES) or (match and match[1] in names):
            continue
        kept.append(line)
    return [
        *kept,
        *(f"##contig=<ID={name},length={length}>" for name, length in lengths.items() if name not in contigs),
        *(each.line for each in fields),
        *(NOTES + name + "=" + text.replace("\n", "\\n") for name, text in notes.items()),
        header[-1],
    ]


def with_info(line: str, values: Mapping[str, str | None], names: Iterable[str]) -> str:
    """A record with more in its INFO column, every other byte as it was.

    values : name -> text; None for a flag.   names : of all our fields; what an earlier run left of them is dropped.
    """
    columns = line.split("\t", INFO_COLUMN + 1)
    ours = set(names)
    old = [each for each in columns[INFO_COLUMN].split(";") if each.partition("=")[0] not in ours]
    info = [each for each in old if each not in {".", ""}]
    info += [name if text is None else f"{name}={text}" for name, text in values.items()]
    columns[INFO_COLUMN] = ";".join(info) or "."
    return "\t".join(columns)


class VcfFile:
    """A VCF that grows.

    unsorted : first record that lies before the one above it, or whose contig was left earlier; None while sorted.
    """

    def __init__(self, stream: TextFile) -> None:
        self._stream = stream
        self._done: set[str] = set()
        self._contig, self._place = "", 0
        self.unsorted: str | None = None
        self.reach = 0

    def write(self, line: str) -> None:
        """Add a line of text, its end left out."""
        self._stream.write(line.encode("utf-8", "surrogateescape") + b"\n")

    def write_record(self, line: str, contig: str, position: int, length: int) -> None:
        """Add a record. position : 0-based.   length : bp of REF."""
        if contig != self._contig:
            self._done.add(self._contig)
            self._contig, self._place = contig, position
            back = contig in self._done
        else:
            back = position < self._place
        if back and not self.unsorted:
            self.unsorted = f"{contig}:{position + 1}"
        self._place = position
        self.reach = max(self.reach, position + length)
        self.write(line)


@contextmanager
def write_vcf(path: Path, header: Iterable[str]) -> Iterator[VcfFile]:
    """Write a VCF or BCF that appears under its name only when complete, with its index where it is compressed.

    A file that is not sorted by contig and place, or has places beyond 2^31, has no index, and an old one beside it is
    removed. Raises InputError when the disk refuses, for a name that is too long, or when BCF cannot hold what the
    header does not declare; UsageError for an unknown suffix.
    """
    suffix = vcf_suffix(path)
    # htslib goes by the ending of a name
    ending = suffix if suffix in {".vcf", ".bcf"} else ".vcf.gz"
    with growing_file(path, ending, as_text=suffix == ".bcf") as growing:
        beside: list[Path] = []
        text = growing if suffix != ".bcf" else partial_path(path, ".vcf.gz")
        try:
            if suffix == ".bcf":
                beside.append(text)
            with text_stream(text, path, packed=suffix != ".vcf") as stream:
                file = VcfFile(stream)
                for line in header:
                    file.write(line)
                yield file
            with refusals(path):
                if suffix == ".bcf":
                    _to_bcf(text, growing, path)
                indexed = suffix != ".vcf" and not file.unsorted and file.reach < INDEX_LIMIT
                index, index_ending = _index(growing, suffix, file.reach) if indexed else (None, "")
                _forget(path, itself=index is not None)
            if index:
                beside.append(index)
                publish([(index, path.with_name(path.name + index_ending))])
        finally:
            for each in beside:
                each.unlink(missing_ok=True)


def _forget(path: Path, *, itself: bool) -> None:
    """Remove the indexes of what a file replaces, then that: an index never lies beside a file that it is not of."""
    for ending in (*INDEXES, *([""] if itself else [])):
        if len(os.fsencode(path.name + ending)) <= NAME_BYTES:
            path.with_name(path.name + ending).unlink(missing_ok=True)


def _to_bcf(text: Path, target: Path, path: Path) -> None:
    """Turn bgzipped VCF into BCF, by bcftools as pysam carries it: pysam's own records change END on their way."""
    verbosity = pysam.set_verbosity(0)
    try:
        pysam.bcftools.view("--no-version", "-O", "b", "-o", str(target), str(text), catch_stdout=False)
    except SamtoolsError as problem:
        if undeclared := _undeclared(text):
            raise InputError(
                f"{path} was not written: BCF cannot hold what the header does not declare ({undeclared}); declare it,"
                " or write .vcf.gz."
            ) from problem
        raise InputError(f"{path} was not written ({why_not_written(path, problem)}.") from problem
    finally:
        pysam.set_verbosity(verbosity)


def _undeclared(text: Path) -> str:
    """First header line that htslib had to make up for a record; empty where it made up none."""
    with pysam.VariantFile(str(text)) as file:
        declared = set(str(file.header).splitlines())
        for _ in file:
            if made_up := [line for line in str(file.header).splitlines() if line not in declared]:
                return made_up[0].removeprefix("##").partition(",")[0] + ">"
    return ""


def _index(growing: Path, suffix: str, reach: int) -> tuple[Path, str]:
    """Index a complete file; gives where the index is and its ending."""
    ending = ".csi" if suffix == ".bcf" or reach >= TBI_LIMIT else ".tbi"
    index = growing.with_name(growing.name + ending)
    preset: Any = "bcf" if suffix == ".bcf" else "vcf"  # pysam's stubs lack bcf
    verbosity = pysam.set_verbosity(0)  # of a header that htslib finds odd, it has been told to no purpose
    try:
        pysam.tabix_index(str(growing), preset=preset, index=str(index), csi=ending == ".csi", force=True)
    finally:
        pysam.set_verbosity(verbosity)
    return index, ending
