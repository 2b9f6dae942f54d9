"""Where any of our files comes from: its root attributes as a record."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genolstm.store.files import open_any
from genolstm.store.schema import ROOT_ATTRIBUTES, Kind


@dataclass(frozen=True, kw_only=True)
class FileInfo:
    """Root attributes of a file.

    inputs : name -> SHA-256.   records : read, used, skipped by reason; empty where the file has none.
    sequence_sha256 : of the genome's sequence that it was made on; '' where the file does not hold it.
    others : what its kind adds, plain values.
    """

    kind: Kind
    genolstm_version: str
    command: str
    settings: Mapping[str, Any]
    seed: int
    inputs: Mapping[str, str]
    device: str
    created: str
    records: Mapping[str, Any]
    content_sha256: str
    sequence_sha256: str
    others: Mapping[str, Any]


def read_file_info(path: Path) -> FileInfo:
    """Read where a file comes from. Raises InputError as `files.open_any`."""
    with open_any(path) as file:
        return _read({name: _plain(value) for name, value in file.attrs.items()})


def _read(about: Mapping[str, Any]) -> FileInfo:
    inputs = json.loads(about["inputs"])
    sequence = about.get("sequence_sha256") or about.get("genome_sha256") or inputs.get("genome", "")
    return FileInfo(
        kind=Kind(str(about["kind"])),
        genolstm_version=str(about["genolstm_version"]),
        command=str(about["command"]),
        settings=json.loads(about["settings"]),
        seed=int(about["seed"]),
        inputs=inputs,
        device=str(about["device"]),
        created=str(about["created"]),
        records=json.loads(about.get("records", "{}")),
        content_sha256=str(about["content_sha256"]),
        sequence_sha256=str(sequence),
        others={name: value for name, value in sorted(about.items()) if name not in ROOT_ATTRIBUTES},
    )


def _plain(value: Any) -> Any:  # noqa: ANN401  (HDF5 attributes of any type)
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
