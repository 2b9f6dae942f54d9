"""Tables of features in HDF5 files of other programs: AnnData, and a dataset called 'features'."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from genolstm.errors import InputError
from genolstm.store.schema import FORMAT, type_name

FEATURES = "features"  # the dataset of a plain file
MATRIX, ROWS = "X", "obs"  # of AnnData: the table, and what is known of its rows
COMPRESSED = {"csr_matrix": sparse.csr_matrix, "csc_matrix": sparse.csc_matrix}
Array = NDArray[Any]


def is_ours(path: Path) -> bool:
    """Whether an HDF5 file is one of this program. Raises InputError for what HDF5 cannot read."""
    with _opened(path) as file:
        return bool(file.attrs.get("format") == FORMAT)


def read_foreign_features(path: Path, places: Sequence[str]) -> tuple[Array, dict[str, Array]]:
    """Features [N, ...] of an HDF5 file, and its columns that say which site a row is, by name.

    Of AnnData X (dense, or compressed by rows or columns) and columns of obs, its index as 'name' where it has no such
    column; of other files the dataset 'features' and those beside it. places : names of such columns.
    Raises InputError where neither is there.
    """
    with _opened(path) as file:
        try:
            if MATRIX in file and ROWS in file:
                return _matrix(file[MATRIX], path), _columns_of(file[ROWS], places)
            if isinstance(file.get(FEATURES), h5py.Dataset):
                beside = {
                    name: _text_or_numbers(file[name]) for name in places if isinstance(file.get(name), h5py.Dataset)
                }
                return file[FEATURES][()], beside
        except (OSError, KeyError, RuntimeError) as problem:
            raise InputError(
                f"{path} is damaged, or no AnnData file of today ({problem}); write it again."
            ) from problem
        raise InputError(
            f"{path} holds neither X and obs, as AnnData does, nor a dataset '{FEATURES}', but"
            f" {', '.join(list(file)[:8]) or 'nothing'}; name the table '{FEATURES}'."
        )


def _opened(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except OSError as problem:
        raise InputError(f"{path} is cut short, or no HDF5 file; write it again.") from problem


def _matrix(item: h5py.Dataset | h5py.Group, path: Path) -> Array:
    if isinstance(item, h5py.Dataset):
        matrix: Array = item[()]
        return matrix
    kind = str(item.attrs.get("encoding-type", ""))
    if kind not in COMPRESSED:
        raise InputError(f"{path} holds X as '{kind or 'a group'}'; write a dense or a compressed (CSR, CSC) matrix.")
    parts = (item["data"][()], item["indices"][()], item["indptr"][()])
    dense: Array = COMPRESSED[kind](parts, shape=tuple(item.attrs["shape"])).toarray()
    return dense


def _columns_of(frame: h5py.Group, places: Sequence[str]) -> dict[str, Array]:
    """Columns of a data frame as AnnData writes it, categories as what they stand for."""
    index = str(frame.attrs.get("_index", "_index"))
    found = {name: _text_or_numbers(frame[name]) for name in places if name in frame}
    if "name" in places and "name" not in found and index in frame:
        found["name"] = _text_or_numbers(frame[index])
    return found


def _text_or_numbers(item: h5py.Dataset | h5py.Group) -> Array:
    if isinstance(item, h5py.Group):
        if "values" in item:  # with a mask beside them, of values that may be lacking
            return _text_or_numbers(item["values"])
        category: Array = _text_or_numbers(item["categories"])[item["codes"][()]]
        return category
    if type_name(item) == "string":
        return np.array(item.asstr()[()], dtype=np.str_)
    values: Array = item[()]
    return values
