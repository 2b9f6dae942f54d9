"""Hidden states as one would write them with h5py alone: the baseline of ``store/hidden.py``."""

from pathlib import Path
from typing import Any

import h5py
from numpy.typing import NDArray


def write_gzipped(path: Path, states: NDArray[Any]) -> None:
    """Write an array with h5py's own chunks and its default gzip level, and nothing else."""
    with h5py.File(path, "w") as file:
        file.create_dataset("states", data=states, compression="gzip")
