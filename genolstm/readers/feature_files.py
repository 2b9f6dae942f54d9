"""Tables of numbers that other programs made, a row a site: NumPy archives, and text with a header."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.readers.text_lines import opened_lines
from genolstm.readers.whole_numbers import shortened

FEATURES = "features"  # name of the array of an archive
NEVER_FEATURES = ("label", "part")  # columns of a table of sites: what is to be predicted may not predict itself
Array = NDArray[Any]


def read_feature_archive(path: Path, places: Sequence[str]) -> tuple[Array, dict[str, Array]]:
    """Array 'features' of an .npz file, and those of its arrays that say which site a row is, by name.

    places : names of such arrays.   Raises InputError for a file that NumPy cannot read without running its code, and
    where the array is lacking.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            if FEATURES not in archive.files:
                there = ", ".join(archive.files[:8]) or "no array"
                raise InputError(
                    f"{path} holds no array '{FEATURES}' but {there}; save it as numpy.savez(..., {FEATURES}=...)."
                )
            return archive[FEATURES], {name: archive[name] for name in places if name in archive.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as problem:
        raise InputError(
            f"{path} is no NumPy archive of plain arrays ({_first_line(problem)}); save it with numpy.savez, text as"
            " strings and not as objects."
        ) from problem


def _first_line(problem: BaseException) -> str:
    return (str(problem).splitlines() or [type(problem).__name__])[0].rstrip(".")


def read_feature_text(path: Path, places: Sequence[str]) -> tuple[Array, dict[str, Array], tuple[str, ...]]:
    """Numbers of a table with a header, float32 [N, F]; its columns that say which site a row is; columns left out.

    Tabs part the columns. All columns are numbers but those of `places` and `NEVER_FEATURES`, which are left out.
    Raises InputError for a row that does not fit the header, and for what is no number.
    """
    told: dict[str, list[str]] = {}
    rows: list[NDArray[np.float32]] = []
    names: list[str] = []
    with opened_lines(path, "a table of features", "a table with a header, .npz, .h5 or .h5ad") as lines:
        for number, line in lines:
            if not line.strip() or line.startswith("##"):
                continue
            fields = line.split("\t")
            if not names:
                names = [name.strip() for name in line.removeprefix("#").split("\t")]
                kept, told = _columns(names, places, path), {name: [] for name in names if name in places}
                continue
            if len(fields) != len(names):
                raise InputError(
                    f"{path}, line {number} has {len(fields)} columns, its header names {len(names)}; complete the"
                    " line, with tabs between columns."
                )
            for name, field in zip(names, fields, strict=True):
                if name in told:
                    told[name].append(field.strip())
            rows.append(_numbers(fields, kept, names, f"{path}, line {number}"))
    if not rows:
        raise InputError(f"{path} holds no row of features; give a table with a header and a row a site.")
    left_out = tuple(name for name in names if name in NEVER_FEATURES)
    return np.stack(rows), {name: np.array(column) for name, column in told.items()}, left_out


def _columns(names: Sequence[str], places: Sequence[str], path: Path) -> list[int]:
    """Places of the columns that are numbers. Raises InputError where there are none, or a name stands twice."""
    for name in (*places, *NEVER_FEATURES):
        if names.count(name) > 1:
            raise InputError(f"{path}: its header names the column '{name}' twice; rename one.")
    kept = [place for place, name in enumerate(names) if name not in places and name not in NEVER_FEATURES]
    if not kept:
        raise InputError(
            f"{path}: its header names no column of features but {', '.join(names)}; give numbers after the"
            " coordinates."
        )
    return kept


def _numbers(fields: Sequence[str], kept: Sequence[int], names: Sequence[str], where: str) -> NDArray[np.float32]:
    try:
        return np.array([float(fields[place]) for place in kept], dtype=np.float32)
    except ValueError:
        wrong = next(place for place in kept if not _is_number(fields[place]))
        raise InputError(
            f"{where}: column '{names[wrong]}' holds {shortened(fields[wrong])}, which is no number; correct it, or"
            " leave the column out."
        ) from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
