"""How every output is written: whole or not at all, by one process at a time, under its name only when complete."""

import errno
import fcntl
import hashlib
import logging
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from genolstm.errors import InputError, UsageError

log = logging.getLogger(__name__)

NAME_BYTES = 255  # of a name in a folder, on every file system that people have
INDEX_BYTES = 4  # of '.tbi', '.csi': what a library adds to a growing name
DISK_ERRORS = {  # what the system may refuse while an output grows, and what to do
    errno.ENOSPC: "the disk is full: {path} was not written; free space or write elsewhere.",
    errno.EDQUOT: "your disk quota is used up: {path} was not written; free space.",
    errno.EFBIG: "the disk or 'ulimit -f' allows no file this large: {path} was not written; raise the limit or write"
    " elsewhere.",
    errno.EIO: "the disk failed: {path} was not written; write elsewhere.",
    errno.EACCES: "{path} cannot be written: permission denied; name another output.",
    errno.EPERM: "{path} cannot be written: operation not permitted; name another output.",
    errno.EROFS: "{path} cannot be written: the file system is read-only; name another output.",
    errno.ENOENT: "{path} cannot be written: its folder is gone; make it again, or name another output.",
    errno.ENAMETOOLONG: "{path} cannot be written: its name is too long; name another output.",
    errno.ELOOP: "{path} cannot be written: a link stands where it would grow; remove it, or name another output.",
    errno.EISDIR: "{path} cannot be written: a folder stands where it would go; name another output.",
    errno.EMFILE: "{path} cannot be written: this process may open no more files; raise 'ulimit -n'.",
    errno.ENFILE: "{path} cannot be written: this machine may open no more files; close some.",
    errno.ESTALE: "{path} cannot be written: its network folder has gone; mount it again, or name another output.",
}


def refuse_existing(path: Path, *, force: bool, inputs: Iterable[Path] = ()) -> None:
    """Stop before any work when an output cannot be written, or is one of the inputs. Raises UsageError."""
    try:
        exists = path.exists()
    except OSError as problem:  # a name that is too long, a folder that may not be read
        raise UsageError(f"output {path} cannot be written ({problem.strerror}); name another.") from problem
    if path.is_dir():
        raise UsageError(f"output {path} is a folder; name a file.")
    if any(same_file(path, each) for each in inputs):
        raise UsageError(f"output {path} is also an input; name another.")
    if exists and not path.is_file():
        raise UsageError(f"output {path} is a device or a pipe; name a file.")
    if os.path.lexists(path) and not force and not completes(path):
        raise UsageError(f"output {path} exists; add --force to replace it, or name another.")
    if not path.parent.is_dir():
        raise UsageError(f"output folder {path.parent} does not exist; make it, or name another.")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"output folder {path.parent} cannot be written to; name another.")
    if path.is_symlink():
        log.warning("%s is a link: it is replaced by a file, and what it points to stays as it is", path)


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths name one file, or would: by what they are where both exist, by folder and name elsewhere."""
    with suppress(OSError):
        if one.exists() and other.exists():
            return one.samefile(other)
        # a name that differs only by case is the same file on some disks
        return one.name.casefold() == other.name.casefold() and one.parent.samefile(other.parent)
    return False


def partial_path(path: Path, suffix: str = "") -> Path:
    """Name under which an output grows, beside its target. suffix : ending that a library asks for.

    One name for one output, so that a later run takes over what a killed one left.
    """
    name = f".{path.name}.partial{suffix}"
    if len(os.fsencode(name)) + INDEX_BYTES > NAME_BYTES or not _is_text(name):
        name = f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}.partial{suffix}"
    return path.with_name(name)


def _is_text(name: str) -> bool:
    """Whether a name is UTF-8, which some libraries ask for."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


class Growing(NamedTuple):
    """A file that grows: its present path, and a descriptor that holds the lock on it."""

    path: Path
    descriptor: int


@contextmanager
def growing(path: Path, suffix: str = "") -> Iterator[Growing]:
    """Open a file that appears under its name when the body is done; whatever fails, the target is untouched.

    Raises InputError when the disk refuses, or another process writes the same output.
    """
    grown = _locked(partial_path(path, suffix), path)
    held = False
    try:
        with disk_errors(path):
            yield grown
            if held := path in _held:
                _let_go(path)  # of an earlier write to it
                _held[path] = grown
            else:
                publish([(grown.path, path)])
    except BaseException:
        grown.path.unlink(missing_ok=True)
        raise
    finally:
        if not held:
            os.close(grown.descriptor)


@contextmanager
def growing_file(path: Path, suffix: str = "", *, as_text: bool = False) -> Iterator[Path]:
    """Name under which a file grows that a library opens by name; else as `growing`.

    as_text : the library takes no path that is not UTF-8; the file's own name may be anything.
    """
    if as_text and not _is_text(str(path.parent)):
        raise InputError(f"{path} cannot be written: its folder's name is not UTF-8, as this format asks; move it.")
    with growing(path, suffix) as grown:
        yield grown.path


def publish(files: Iterable[tuple[Path, Path]]) -> None:
    """Rename complete files to their names, in this order; all are on the disk before the first has its name."""
    files = list(files)
    for grown, _ in files:
        _sync(grown, os.O_RDONLY)
    for grown, path in files:
        grown.replace(path)
    for folder in {path.parent for _, path in files}:
        with suppress(OSError):  # some network file systems cannot
            _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _locked(grown: Path, path: Path) -> Growing:
    with disk_errors(path):
        descriptor = os.open(grown, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(f"{path} cannot be written: {grown} is a pipe or a device; remove it, or name another output.")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as problem:
        os.close(descriptor)
        raise InputError(f"another process is writing {path}; wait for it, or name another output.") from problem
    except OSError as problem:  # some network file systems have no locks
        log.warning("%s: this file system cannot lock files (%s); do not let two jobs write one output", path, problem)
    if not _is_open_as(descriptor, grown):  # another process has just finished, and this lock is on its output
        os.close(descriptor)
        return _locked(grown, path)
    return Growing(grown, descriptor)


def _is_open_as(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the errors of a full, failing or read-only disk into one sentence each. Raises InputError."""
    try:
        yield
    except (OSError, RuntimeError) as problem:
        named = getattr(problem, "filename", None)
        if named is not None and Path(os.fsdecode(named)).parent != path.parent:  # of a file that is read meanwhile
            raise
        found = re.search(r"errno = (\d+)", str(problem))  # HDF5 hides the number in its text
        number = getattr(problem, "errno", None) or (int(found[1]) if found else None)
        if number in DISK_ERRORS:
            raise InputError(DISK_ERRORS[number].format(path=path)) from problem
        raise


# ---- the main output of a command that writes several: complete first, under its name last

_held: dict[Path, Growing | None] = {}
_unfinished: set[Path] = set()  # main outputs of which a killed run left a growing file, and no more


def hold(path: Path) -> None:
    """Keep an output under its growing name until `release`, so that what is made from it has its name first.

    Who reads it meanwhile asks `present_path`. Files beside it that a killed run left may be replaced: a growing file
    of this output without the output shows that there was one.
    """
    _held[path] = None
    if not os.path.lexists(path) and partial_path(path).exists():
        _unfinished.add(path)


def release(path: Path) -> None:
    """Rename a held output to its name, where it is complete. Raises InputError when the disk refuses."""
    grown = _held.pop(path, None)
    _unfinished.discard(path)
    if grown is not None:
        try:
            with disk_errors(path):
                publish([(grown.path, path)])
        finally:
            os.close(grown.descriptor)


def present_path(path: Path) -> Path:
    """Where an output is now: under its growing name while it is held."""
    grown = _held.get(path)
    return path if grown is None else grown.path


def _let_go(path: Path) -> None:
    if (earlier := _held[path]) is not None:
        os.close(earlier.descriptor)


def completes(path: Path) -> bool:
    """Whether a file may be what a killed run left beside its main output, which is not there."""
    return bool(_unfinished) and path not in _unfinished
