"""What `genolstm show` tells of any file."""

import json
from pathlib import Path
from typing import Any

import h5py

from genolstm.store.files import open_any
from genolstm.store.schema import Kind, type_name

TOLD_FIRST = ("kind", "schema_version", "genolstm_version", "created", "command", "seed", "device", "content_sha256")


def summarise(path: Path, *, verify: bool) -> dict[str, Any]:
    """Title -> text, or title -> {name: value}: provenance, settings, records, key numbers and datasets of a file.

    verify : also check the content hash. Raises InputError as `files.open_any`.
    """
    with open_any(path, verify=verify) as file:
        told: dict[str, Any] = {"file": str(path)}
        told |= {name: _plain(file.attrs[name]) for name in TOLD_FIRST}
        if verify:
            told["content"] = "agrees with its SHA-256"
        for name in sorted(set(file.attrs) - set(TOLD_FIRST) - {"format"}):
            value = _plain(file.attrs[name])
            told[name] = json.loads(value) if isinstance(value, str) and value.startswith("{") else value
        if file.attrs["kind"] == Kind.GENOME:
            told["contigs"] = dict(
                zip(file["contigs/name"].asstr()[()], file["contigs/length"][()].tolist(), strict=True)
            )
        if file.attrs["kind"] == Kind.CHECKPOINT:
            told["bits/base"] = _bits(file["bits"])
        if file.attrs["kind"] == Kind.SCORE:
            told["bits/base"] = _bits(file["parts"])
        if file.attrs["kind"] == Kind.PROBE:
            told |= {target: _verdict(file[target]) for target in file if target != "contigs"}
        told["datasets"] = _datasets(file)
    return told


def _plain(value: Any) -> Any:  # noqa: ANN401  (HDF5 attributes of any type)
    return value.tolist() if hasattr(value, "tolist") else value


def _bits(group: h5py.Group) -> dict[str, str]:
    orders = group["markov_by_order"][()]
    return {
        part: f"{group['model'][row]:.4f}; uniform {group['uniform'][row]:.4f},"
        f" best Markov (order {orders[row].argmin()}) {orders[row].min():.4f},"
        f" interpolated Markov {group['markov_interpolated'][row]:.4f}"
        for row, part in enumerate(group["part"].asstr()[()])
    }


def _verdict(group: h5py.Group) -> dict[str, str]:
    """Verdict of one target of a probe, and every score of every feature set with its interval."""
    told = {name: str(_plain(group.attrs[name])) for name in ("verdict", "offsets", "best_control")}
    told["prevalence in nature"] = f"{group.attrs['prevalence']:.5f}"
    ends = [group["scores"][end][()] for end in ("value", "low", "high")]
    scores = group["scores/score"].asstr()[()]
    for row, name in enumerate(group["scores/features"].asstr()[()]):
        told[name] = ", ".join(
            f"{score} {ends[0][row, column]:.3f} [{ends[1][row, column]:.3f}, {ends[2][row, column]:.3f}]"
            for column, score in enumerate(scores)
        )
    differences = group["differences"]
    for row, control in enumerate(differences["control"].asstr()[()]):
        value, low, high = (differences[end][row] for end in ("value", "low", "high"))
        told[f"trained minus {control}"] = f"AUPRC {value:+.3f} [{low:+.3f}, {high:+.3f}]"
    return told


def _datasets(file: h5py.File) -> dict[str, str]:
    found: dict[str, str] = {}

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = f"{' x '.join(map(str, item.shape)) or 'scalar'} {type_name(item)}"

    file.visititems(visit)
    return found
