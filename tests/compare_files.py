"""Two result files, or two folders of them, held against each other: every dataset to the bit, every attribute.

By hand: python tests/compare_files.py A B; A is the older. Prints each difference, and exits 1 where there is one.
What must differ between two runs is left out: versions, command, device, time of creation, hashes of files.
An attribute that only B has is a gain, no difference; one that A calls by an old word is looked for by the new one.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

RUN_ATTRIBUTES = {"genolstm_version", "schema_version", "command", "created", "content_sha256", "device"}
HASHED_FILES = {"inputs"}  # SHA-256 of files, which hold times of their own: only their names are compared
MEASURED = {"history/bases_per_second"}  # of the clock
RENAMED_ATTRIBUTES = {"standing": "fraction_of_ceiling"}  # in A -> in B
RENAMED_WORDS = {  # in texts of A -> of B
    "untrained twins": "random-init models",
    "untrained twin": "random-init model",
    "word counts": "k-mer counts",
    "it is no rival here": "it is no baseline here",
}
ENDINGS = (".h5",)


def differences(one: Path, other: Path) -> Iterator[str]:
    """What differs, a sentence each: between two files, or between all files of two folders."""
    if one.is_dir() and other.is_dir():
        names = {path.relative_to(folder) for folder in (one, other) for path in folder.rglob("*") if _is_result(path)}
        if not names:
            yield f"neither {one} nor {other} holds a result file"
        for name in sorted(names):
            missing = [str(folder) for folder in (one, other) if not (folder / name).is_file()]
            if missing:
                yield f"{name}: not in {' and '.join(missing)}"
            else:
                yield from (f"{name}: {found}" for found in _of_files(one / name, other / name))
    else:
        yield from _of_files(one, other)


def _is_result(path: Path) -> bool:
    return path.suffix in ENDINGS and path.is_file()


def _of_files(one: Path, other: Path) -> Iterator[str]:
    with h5py.File(one) as a, h5py.File(other) as b:
        ours, theirs = (_items(file) for file in (a, b))
        yield from (f"{name} is only in {one}" for name in sorted(ours.keys() - theirs.keys()))
        yield from (f"{name} is only in {other}" for name in sorted(theirs.keys() - ours.keys()))
        for name in sorted(ours.keys() & theirs.keys()):
            yield from _of_attributes(name, ours[name].attrs, theirs[name].attrs)
            if isinstance(ours[name], h5py.Dataset) and name not in MEASURED:
                yield from _of_datasets(name, ours[name], theirs[name])


def _items(file: h5py.File) -> dict[str, Any]:
    found: dict[str, Any] = {"/": file}
    file.visititems(found.__setitem__)
    return found


def _of_datasets(name: str, ours: h5py.Dataset, theirs: h5py.Dataset) -> Iterator[str]:
    if not isinstance(theirs, h5py.Dataset) or (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
        yield f"{name}: {ours.shape} {ours.dtype}, {getattr(theirs, 'shape', 'a group')} {getattr(theirs, 'dtype', '')}"
        return
    if ours.dtype.hasobject:
        left, right = (np.atleast_1d(each.asstr()[()]) for each in (ours, theirs))
        unequal = np.array([_renamed(text) != _renamed(new) for text, new in zip(left.flat, right.flat, strict=True)])
    else:
        left, right = (np.atleast_1d(each[()]) for each in (ours, theirs))
        unequal = _bytes_of_items(left) != _bytes_of_items(right)  # so that NaN equals NaN, and 0 is not -0
    if count := int(unequal.any(axis=-1).sum() if unequal.ndim > 1 else unequal.sum()):
        yield f"{name}: {count:,} of {left.size:,} values differ"


def _bytes_of_items(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values).view(np.uint8).reshape(values.size, values.dtype.itemsize)


def _of_attributes(name: str, ours: h5py.AttributeManager, theirs: h5py.AttributeManager) -> Iterator[str]:
    for key in sorted(set(ours) - RUN_ATTRIBUTES):
        new = key if key in theirs else RENAMED_ATTRIBUTES.get(key, key)
        if new not in theirs:
            yield f"{name}: attribute {key} is gone"
            continue
        left, right = _plain(ours[key]), _plain(theirs[new])
        if key in HASHED_FILES:
            left, right = ({Path(name).name for name in each} for each in (left, right))
        if _renamed(left) != _renamed(right):
            yield f"{name}: attribute {key} is {_short(left)}, then {_short(right)}"


def _plain(value: Any) -> Any:
    """Text of JSON as what it says, arrays as lists."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, str) and value[:1] in {"{", "["}:
        return json.loads(value)
    return value


def _renamed(value: Any) -> Any:
    """Old words replaced in every text of a value."""
    if isinstance(value, str):
        for old, new in RENAMED_WORDS.items():
            value = value.replace(old, new)
        return value
    if isinstance(value, dict):
        return {key: _renamed(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each) for each in value]
    return repr(value)  # so that NaN equals NaN, and 1 is not 1.0


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 160 else f"{text[:160]}..."


def main(arguments: list[str]) -> int:
    """Exit status: 0 where all is equal, 1 where something differs, 2 for wrong usage."""
    paths = [Path(each) for each in arguments]
    if len(paths) != 2 or not all(path.exists() for path in paths):
        print(__doc__, file=sys.stderr)  # noqa: T201
        return 2
    found = list(differences(*paths))
    print("\n".join(found) if found else f"equal: {paths[0]} and {paths[1]}")  # noqa: T201
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
