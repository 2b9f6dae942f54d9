"""Small results that later runs would only compute again: files in the user's cache folder, named by what they are of.

A file holds some arrays and the key that it answers to. It appears under its name only when it is complete, so that
jobs may read and write the same folder at a time; whatever is damaged, or was made by another version, is made anew.
"""

import hashlib
import io
import json
import logging
import os
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

FOLDER = "GENOLSTM_CACHE"  # environment variable: the folder, or this word for none
NOTHING = "none"
MOST_BYTES = 64 << 20  # of all files; those that were not asked for the longest time go first
SECTOR_BYTES = 4096  # that the smallest file takes on a disk
DAMAGE = (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)

Arrays = Mapping[str, NDArray[Any]]


def cache_folder() -> Path | None:
    """Where results are kept: GENOLSTM_CACHE, else 'genolstm' in XDG_CACHE_HOME or ~/.cache; None for nowhere."""
    chosen = os.environ.get(FOLDER)
    if chosen == NOTHING:
        return None
    if chosen:
        return Path(chosen)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "genolstm"
    except RuntimeError:  # a user without a home
        return None


def read_kept(key: Mapping[str, Any]) -> dict[str, NDArray[Any]] | None:
    """Arrays that were kept under a key of plain values; None where there are none, or they cannot be read."""
    folder = cache_folder()
    path = folder and _path(folder, key)
    if path is None:
        return None
    try:
        content = path.read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if str(arrays.pop("key")) != _text(key):
            raise ValueError("it is of something else")
    except FileNotFoundError:
        return None
    except (OSError, *DAMAGE) as problem:
        log.warning("%s cannot be used (%s); computed anew", path, problem)
        return None
    with suppress(OSError):
        os.utime(path)
    return arrays


def keep(key: Mapping[str, Any], arrays: Arrays) -> None:
    """Keep some arrays under a key; where the disk refuses, that is logged and nothing is kept."""
    folder = cache_folder()
    if folder is None:
        return
    grown = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder, suffix=".partial", delete=False) as file:
            grown = Path(file.name)
            content: dict[str, Any] = {"key": np.array(_text(key)), **arrays}
            np.savez(file, **content)
        grown.replace(_path(folder, key))
        _make_room(folder)
    except OSError as problem:
        log.info("Markov lines are not kept for later runs: %s (set %s to another folder)", problem, FOLDER)
        if grown:
            with suppress(OSError):
                grown.unlink(missing_ok=True)


def _text(key: Mapping[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)


def _path(folder: Path, key: Mapping[str, Any]) -> Path:
    return folder / f"{hashlib.sha256(_text(key).encode()).hexdigest()[:32]}.npz"


def _make_room(folder: Path) -> None:
    """Remove the files of ours that were used longest ago, until the rest fit; another job may remove them too."""
    found = []
    for path in [*folder.glob("*.npz"), *folder.glob("*.partial")]:
        with suppress(OSError):
            about = path.stat()
            found.append((about.st_mtime, max(about.st_size, SECTOR_BYTES), path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= MOST_BYTES:
            return
        with suppress(OSError):
            path.unlink()
        total -= size
