"""Open, check and atomically write our HDF5 files, with the provenance that each carries."""

import datetime
import hashlib
import inspect
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from traceback import walk_tb
from typing import Any

import h5py
import numpy as np

from genolstm import __version__
from genolstm.errors import InputError, UsageError
from genolstm.outputs import growing, present_path
from genolstm.outputs import growing_file as growing_file
from genolstm.outputs import partial_path as partial_path
from genolstm.outputs import refuse_existing as refuse_existing
from genolstm.store.checksums import CheckedFile, Checksums, append_checksums, read_checksums
from genolstm.store.schema import (
    CHECKED_SINCE,
    CLOCKED,
    FORMAT,
    PROVENANCE,
    SCHEMA_VERSION,
    Kind,
    problems,
)

HASH_BYTES = 1 << 20  # datasets are hashed in slabs of about this size, so that memory stays bounded
SIGNATURE = b"\x89HDF\r\n\x1a\n"
GZIP_MAGIC, GZIP_WBITS, HEAD_BYTES = b"\x1f\x8b", 31, 512  # to know a FASTA file that was given in place of ours
MOST_PACKED, MOST_EMPTY = 1100, 1 << 30  # deflate packs no better than 1,032 to 1; chunks that were never written
LIBVER = ("earliest", "v110")  # opens in h5dump 1.10 and in R's rhdf5
# what HDF5 and the parsing of its text and JSON raise on damaged bytes
DAMAGE = (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, OverflowError, MemoryError)
_READING = re.compile(r"(h5py|genolstm\.store)(\.|$)")


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a file comes from: written as root attributes.

    settings : every setting, defaults included.   inputs : name -> SHA-256.
    """

    command: str
    settings: Mapping[str, Any]
    seed: int
    inputs: Mapping[str, str]
    device: str


@dataclass(kw_only=True)
class Records:
    """How many records of an input were read, used, and skipped by reason; in every log and every result file."""

    read: int = 0
    used: int = 0
    skipped: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as --json prints them."""
        return {"read": self.read, "used": self.used, "skipped": dict(self.skipped)}


def write_records(file: h5py.File, records: Records) -> None:
    """Write the record counts of a command that reads records."""
    file.attrs["records"] = json.dumps(records.to_json(), sort_keys=True)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes. Raises InputError for a file that the system refuses to read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror}; check its permissions and the disk.") from problem


@contextmanager
def write_file(path: Path, kind: Kind, provenance: Provenance) -> Iterator[h5py.File]:
    """Write a file that appears under its name only when complete and true to its table.

    The caller fills the open file. It grows beside the target under a hidden name, is checked, hashed, synced and
    renamed; whatever fails, the target is untouched. Raises InputError when the disk is full or another process writes
    the same.
    """
    created = _created()
    with growing(path) as grown:
        disk = _Disk(grown.descriptor)
        file = h5py.File(disk, "w", libver=LIBVER)
        try:
            yield file
            disk.raise_failure()
            _write_attributes(file, kind, provenance)
            file.attrs["created"] = created
            if strayed := problems(file, kind):
                raise ValueError(f"{kind} file strays from its table: {'; '.join(strayed)}")
            file.attrs["content_sha256"] = content_sha256(file)
        except BaseException:
            with suppress(*DAMAGE):
                file.close()
            disk.raise_failure()  # rather than what it led to
            raise
        file.close()
        disk.raise_failure()
        append_checksums(grown.descriptor)


@contextmanager
def write_foreign(path: Path) -> Iterator[h5py.File]:
    """Write an HDF5 file of a foreign layout, whole or not at all. Raises InputError as `write_file`."""
    with growing(path) as grown:
        disk = _Disk(grown.descriptor)
        file = h5py.File(disk, "w", libver=LIBVER)
        try:
            yield file
        finally:
            with suppress(*DAMAGE):
                file.close()
            disk.raise_failure()


class _Disk:
    """The file that HDF5 writes to, which swallows the first refusal of the disk and all writes after it.

    HDF5 cannot close a file whose last bytes it may not write: it crashes on a full disk. So it is given success
    for every write, and whoever closed the file asks `raise_failure`.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self.position = descriptor, 0
        self.failure: OSError | None = None
        self._try(lambda: os.ftruncate(descriptor, 0))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: os.fstat(self.descriptor).st_size}[whence]
        self.position = start + offset
        return self.position

    def tell(self) -> int:
        return self.position

    def read(self, count: int) -> bytes:
        content = os.pread(self.descriptor, count, self.position)
        self.position += len(content)
        return content

    def readinto(self, buffer: memoryview) -> int:
        buffer[:] = self.read(len(buffer)).ljust(len(buffer), b"\0")  # zeros past the end, as HDF5's own driver gives
        return len(buffer)

    def write(self, content: memoryview) -> int:
        done = 0
        while done < len(content) and not self.failure:
            done += self._try(lambda: os.pwrite(self.descriptor, content[done:], self.position + done)) or 0  # noqa: B023
        self.position += len(content)
        return len(content)

    def truncate(self, size: int) -> int:
        self._try(lambda: os.ftruncate(self.descriptor, size))
        return size

    def flush(self) -> None:
        """Do nothing: there is no buffer here."""

    def raise_failure(self) -> None:
        if self.failure:
            raise self.failure

    def _try(self, action: Callable[[], int | None]) -> int | None:
        try:
            return None if self.failure else action()
        except OSError as problem:
            self.failure = problem
            return None


def _write_attributes(file: h5py.File, kind: Kind, provenance: Provenance) -> None:
    file.attrs["format"] = FORMAT
    file.attrs["kind"] = str(kind)
    file.attrs["schema_version"] = SCHEMA_VERSION[kind]
    file.attrs["genolstm_version"] = __version__
    # a file name may hold bytes that are not UTF-8, which HDF5 text cannot
    file.attrs["command"] = provenance.command.encode("utf-8", "backslashreplace").decode()
    file.attrs["settings"] = json.dumps(provenance.settings, sort_keys=True)
    file.attrs["seed"] = provenance.seed
    file.attrs["inputs"] = json.dumps(provenance.inputs, sort_keys=True)
    file.attrs["device"] = provenance.device


def _created() -> str:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")  # reproducible-builds.org: the same bytes on every run
    try:
        moment = (
            datetime.datetime.fromtimestamp(int(epoch), datetime.UTC) if epoch else datetime.datetime.now(datetime.UTC)
        )
    except (ValueError, OverflowError, OSError) as problem:
        raise UsageError(f"SOURCE_DATE_EPOCH is {epoch!r}, not seconds since 1970; correct or unset it.") from problem
    return moment.isoformat(timespec="seconds")


def content_sha256(file: h5py.File) -> str:
    """SHA-256 over every name, type, shape, value and attribute but the provenance, in name order.

    What was measured by the clock is left out, so that a command run again gives the same hash. Files from before
    blocks had checksums, of which this hash is the only guard, have it over all but itself.
    """
    digest = hashlib.sha256()
    checked = has_checksums(file)
    left_out = PROVENANCE if checked else {"content_sha256"}

    def attributes(name: str, item: h5py.Dataset | h5py.Group) -> None:
        for key in sorted(item.attrs):
            if name != "/" or key not in left_out:
                value = np.asarray(item.attrs[key]).tolist()  # plain: NumPy's own spelling differs between its versions
                digest.update(f"{name}@{key}={value!r}\n".encode())

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        attributes(name, item)
        if isinstance(item, h5py.Dataset) and not (checked and name in CLOCKED):
            digest.update(f"{name} {item.dtype.str} {item.shape}\n".encode())
            for slab in _slabs(item):
                digest.update(slab)

    attributes("/", file)
    file.visititems(visit)
    return digest.hexdigest()


def has_checksums(file: h5py.File) -> bool:
    """Whether a file is of a version whose files carry the checksums of their blocks."""
    return int(file.attrs["schema_version"]) >= CHECKED_SINCE[Kind(str(file.attrs["kind"]))]


def _slabs(item: h5py.Dataset) -> Iterator[bytes | memoryview]:
    if item.shape == () or item.size == 0:
        yield np.asarray(item[()]).tobytes() if item.size else b""
        return
    rows = max(1, HASH_BYTES // max(1, item.dtype.itemsize * item.size // item.shape[0]))
    for start in range(0, item.shape[0], rows):
        slab = item[start : start + rows]
        yield b"\0".join(slab.tolist()) if slab.dtype == object else np.ascontiguousarray(slab).data


@contextmanager
def open_file(path: Path, kind: Kind, *, verify: bool = False) -> Iterator[h5py.File]:
    """Open one of our files for reading and check that it is of the kind and version that the caller needs.

    Every byte that is read is checked first. verify : check all of them, and recompute the content hash.
    Raises InputError for a file that is missing, cut short, damaged, foreign, of another kind, or from a newer version.
    """
    with open_any(path, verify=verify) as file:
        if file.attrs["kind"] != kind:
            maker = {
                Kind.GENOME: "ingest",
                Kind.CHECKPOINT: "train",
                Kind.PROBE: "probe",
                Kind.TRACK: "track",
                Kind.SCORE: "score",
                Kind.HIDDEN: "embed",
                Kind.GATES: "gates",
                Kind.COUNTS: "methylation count",
                Kind.METHYLATION: "methylation fit",
                Kind.STUDY: "study",
                Kind.COMPARISON: "compare",
                Kind.VARIANTS: "variants --all-snvs",
                Kind.PREDICTION: "predict",
                Kind.DEPENDENCIES: "dependencies",
                Kind.CONTRAST: "methylation compare",
            }[kind]
            raise InputError(
                f"{path} is a {file.attrs['kind']} file where a {kind} file is needed;"
                f" make one with 'genolstm {maker}'."
            )
        yield file


@contextmanager
def open_any(path: Path, *, verify: bool = False) -> Iterator[h5py.File]:
    """Open one of our files whatever its kind; checks as `open_file`, and raises when a later read meets damage."""
    with _descriptor(path) as descriptor:
        checksums = read_checksums(descriptor, path)
        if verify and checksums:
            checksums.check_all()
        file = _open(path, checksums)
        try:
            _check(file, path, checksums, os.fstat(descriptor), verify=verify)
            yield file
        except DAMAGE as problem:
            if not _of_reading(problem):
                raise
            raise InputError(f"{path} is damaged ({_first_line(problem)}); make it again.") from problem
        finally:
            with suppress(*DAMAGE):  # closing a damaged file may fail once more
                file.close()


def _check(file: h5py.File, path: Path, checksums: Checksums | None, about: os.stat_result, *, verify: bool) -> None:
    if file.attrs.get("format") != FORMAT:
        raise InputError(f"{path} is HDF5 but was not written by genolstm; give a file that genolstm made.")
    kind = str(file.attrs["kind"])
    if kind not in set(Kind):
        raise InputError(f"{path} is of the kind '{kind}', which genolstm {__version__} does not know; upgrade it.")
    version = int(file.attrs["schema_version"])
    if version > SCHEMA_VERSION[Kind(kind)]:
        raise InputError(
            f"{path} follows version {version} of the {kind} layout; genolstm {__version__} knows"
            f" {SCHEMA_VERSION[Kind(kind)]}. Upgrade genolstm."
        )
    _check_content(file, path, Kind(kind), about, checked=checksums is not None, verify=verify)


def _of_reading(problem: BaseException) -> bool:
    """Whether an error arose where a file is read: in h5py or in this package. What else a caller raises is its own."""
    for frame, _ in walk_tb(problem.__traceback__):
        passed_through = frame.f_code.co_flags & inspect.CO_GENERATOR  # a context manager around the caller's body
        if _READING.match(str(frame.f_globals.get("__name__"))) and not passed_through:
            return True
    return False


def kind_of(path: Path) -> Kind:
    """Kind of one of our files. Raises InputError as `open_any`."""
    with open_any(path) as file:
        return Kind(str(file.attrs["kind"]))


def _first_line(problem: BaseException) -> str:
    """Text of an error without its quotes and further lines."""
    text = str(problem.args[0]) if problem.args else type(problem).__name__
    return text.strip().splitlines()[0] if text.strip() else type(problem).__name__


@contextmanager
def _descriptor(path: Path) -> Iterator[int]:
    if not path.exists() and present_path(path) == path:
        raise InputError(f"{path} does not exist; correct the path.")
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file.")
    try:
        stream = present_path(path).open("rb")
        signature = stream.read(len(SIGNATURE))
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror}; check its permissions and the disk.") from problem
    with stream:
        if signature != SIGNATURE:
            if _is_fasta(path):
                raise InputError(
                    f"{path} is a FASTA file, where a file that genolstm made is needed: run 'genolstm ingest"
                    f" {path} -o genome.h5' and give genome.h5."
                )
            raise InputError(f"{path} is not an HDF5 file; give a file that genolstm made.")
        yield stream.fileno()


def _open(path: Path, checksums: Checksums | None) -> h5py.File:
    try:
        return h5py.File(CheckedFile(checksums) if checksums else present_path(path), "r")
    except BlockingIOError as problem:
        raise InputError(
            f"{path} is locked by another process, or lies on a file system without locks; wait, or set"
            " HDF5_USE_FILE_LOCKING=FALSE when nobody writes it."
        ) from problem
    except OSError as problem:
        if "unable to lock" in str(problem):  # not 'lock' alone: a damaged file has a bad superblock
            raise InputError(f"{path}: the file system cannot lock; set HDF5_USE_FILE_LOCKING=FALSE.") from problem
        raise InputError(f"{path} is cut short or damaged ({_first_line(problem)}); make it again.") from problem
    except DAMAGE as problem:
        raise InputError(f"{path} is damaged ({_first_line(problem)}); make it again.") from problem


def _is_fasta(path: Path) -> bool:
    """Whether a file, plain or gzip, begins as FASTA does."""
    with suppress(OSError, zlib.error), path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        if head.startswith(GZIP_MAGIC):
            head = zlib.decompressobj(GZIP_WBITS).decompress(head, HEAD_BYTES)
        return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b">")
    return False


def _check_content(
    file: h5py.File, path: Path, kind: Kind, about: os.stat_result, *, checked: bool, verify: bool
) -> None:
    strayed = problems(file, kind) or _too_much(file, about.st_size)
    if not strayed and has_checksums(file) and not checked:
        strayed = ["the checksums at its end are gone"]
    # without checksums the hash of the content is the only guard: it is asked once for each file
    state = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns)
    if not strayed and (verify or (not checked and state not in _verified)):
        if content_sha256(file) != file.attrs.get("content_sha256"):
            strayed = ["its content differs from the SHA-256 it carries"]
        else:
            _verified.add(state)
    if strayed:
        raise InputError(f"{path} is damaged or was changed by hand: {strayed[0]}; make it again.")


_verified: set[tuple[int, int, int, int]] = set()  # files without checksums whose content hash agreed


def _too_much(file: h5py.File, size: int) -> list[str]:
    """Datasets whose header claims more values than a file of this size can hold: reading them would never end."""
    found: list[str] = []

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset) and item.nbytes > MOST_PACKED * size + MOST_EMPTY:
            found.append(f"{name} claims {item.size:,} values, more than the file can hold")

    file.visititems(visit)
    return found


def strings(item: h5py.Dataset) -> tuple[str, ...]:
    """Text of a string dataset."""
    return tuple(value.decode() for value in item[()])


def write_strings(group: h5py.Group, name: str, values: list[str] | tuple[str, ...]) -> None:
    """Write text as a variable-length UTF-8 dataset."""
    group.create_dataset(name, data=np.array(values, dtype=object), dtype=h5py.string_dtype())
