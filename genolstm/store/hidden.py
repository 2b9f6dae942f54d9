"""Hidden states at sites, as our HDF5 file and as an AnnData file that scanpy opens."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from genolstm.store.files import (
    Provenance,
    Records,
    open_file,
    strings,
    write_file,
    write_foreign,
    write_records,
    write_strings,
)
from genolstm.store.schema import Kind

ROWS = 256  # sites of a chunk; states do not compress, and a row is read whole
SLAB = 1 << 14  # sites that are copied at a time
FEATURE_COLUMNS = ("pass", "layer", "part", "unit", "pool")
TEXT_COLUMNS, NUMBER_COLUMNS = ("pass", "part", "pool"), ("layer", "unit")
NAMED_BY = ("pass", "pool", "layer", "part", "unit")  # the name of a column; the pool where there are others than last


@dataclass(frozen=True, kw_only=True)
class SiteTable:
    """Intervals whose states are kept, sorted by contig and start; 0-based half open, all [N].

    contigs : names, in genome order.   name : of each site, '.' without one.
    """

    contigs: tuple[str, ...]
    contig: NDArray[np.int32]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    strand: NDArray[np.int8]
    name: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.start)


FeatureRow = tuple[str, int, str, int, str]  # see FEATURE_COLUMNS
States = Iterable[tuple[NDArray[np.int64], int, NDArray[np.float16]]]


def write_hidden(
    path: Path,
    sites: SiteTable,
    features: Sequence[FeatureRow],
    states: States,
    seams: Callable[[], Mapping[str, float]],
    records: Records,
    provenance: Provenance,
) -> None:
    """Write states as they are met, whole or not at all.

    features : pass, layer, part, unit and pool of each column, the pool '' throughout where it is the last state.
    states : sites [k], pass and its states [k, features of a pass]; the last values for a site and pass count.
    seams : asked when all states were handed over.
    """
    with write_file(path, Kind.HIDDEN, provenance) as file, TemporaryFile(dir=path.parent) as spool:
        write_strings(file.create_group("contigs"), "name", sites.contigs)
        group = file.create_group("sites")
        for name in ("contig", "start", "end", "strand"):
            group[name] = getattr(sites, name)
        write_strings(group, "name", sites.name)
        _write_features(file.create_group("features"), features)
        shape = (len(sites), len(features))
        # states come in the order in which lanes meet them: they are put in place on disk, not in memory
        placed = np.memmap(spool, dtype=np.float16, mode="w+", shape=shape)
        half = len(features) // len({feature[0] for feature in features})
        for rows, which, values in states:
            placed[rows, which * half : (which + 1) * half] = values
        target = file.create_dataset(
            "states", shape=shape, dtype=np.float16, chunks=(min(ROWS, len(sites)), len(features))
        )
        for first in range(0, len(sites), SLAB):
            target[first : first + SLAB] = placed[first : first + SLAB]
        file.attrs["seams"] = json.dumps(dict(seams()), sort_keys=True)
        write_records(file, records)


def _write_features(group: h5py.Group, features: Sequence[FeatureRow]) -> None:
    for name, values in feature_columns(features).items():
        if name in TEXT_COLUMNS:
            write_strings(group, name, values)
        else:
            group[name] = values


def feature_columns(features: Sequence[FeatureRow]) -> dict[str, Any]:
    """Columns by name: text as tuples, numbers as int32 [D]; the pool only where there are others than the last."""
    columns = dict(zip(FEATURE_COLUMNS, zip(*features, strict=True), strict=True))
    text = {name: columns[name] for name in TEXT_COLUMNS if name != "pool" or any(columns[name])}
    return {**text, **{name: np.array(columns[name], dtype=np.int32) for name in NUMBER_COLUMNS}}


def feature_rows(columns: Mapping[str, Any]) -> list[FeatureRow]:
    """Rows of columns as `feature_columns` gives them."""
    rows = len(columns["pass"])
    found = (columns.get(name, ("",) * rows) for name in FEATURE_COLUMNS)
    return list(zip(*(np.asarray(values).tolist() for values in found), strict=True))


@dataclass(frozen=True, kw_only=True)
class Hidden:
    """A file of hidden states, read whole. features : columns by name.   states : float16 [N, features].

    seams : summary of how the genome was read, see `stream.seams.Seams.to_json`.
    """

    sites: SiteTable
    features: dict[str, Any]
    states: NDArray[np.float16]
    seams: dict[str, float] = field(default_factory=dict)


def read_hidden(path: Path) -> Hidden:
    """Read a file of hidden states. Raises InputError as `files.open_file`."""
    with open_file(path, Kind.HIDDEN) as file:
        seams = json.loads(file.attrs["seams"])
        return Hidden(sites=_sites(file), features=_features(file), states=file["states"][()], seams=seams)


@dataclass(frozen=True, kw_only=True)
class HiddenSample:
    """Some sites of a file of hidden states. sites : in the file.   strand : int8 [k].   states : float16 [k, D]."""

    sites: int
    name: tuple[str, ...]
    strand: NDArray[np.int8]
    states: NDArray[np.float16]


def read_hidden_sample(path: Path, most: int, rng: np.random.Generator) -> HiddenSample:
    """Read all sites, or `most` of them drawn at random, in file order; memory is that of what is given back.

    Raises InputError as `files.open_file`.
    """
    with open_file(path, Kind.HIDDEN) as file:
        count = len(file["states"])
        rows = np.arange(count) if count <= most else np.sort(rng.choice(count, most, replace=False))
        states = np.empty((len(rows), file["states"].shape[1]), dtype=np.float16)
        for first in range(0, count, SLAB):
            begin, end = np.searchsorted(rows, [first, first + SLAB])
            states[begin:end] = file["states"][first : first + SLAB][rows[begin:end] - first]
        name = np.array(strings(file["sites/name"]), dtype=object)
        return HiddenSample(sites=count, name=tuple(name[rows]), strand=file["sites/strand"][()][rows], states=states)


def _sites(file: h5py.File) -> SiteTable:
    columns = {name: file["sites"][name][()] for name in ("contig", "start", "end", "strand")}
    return SiteTable(contigs=strings(file["contigs/name"]), name=strings(file["sites/name"]), **columns)


def _features(file: h5py.File) -> dict[str, Any]:
    group = file["features"]
    return {
        name: strings(group[name]) if name in TEXT_COLUMNS else group[name][()]
        for name in (*TEXT_COLUMNS, *NUMBER_COLUMNS)
        if name in group
    }


def write_h5ad(path: Path, hidden_path: Path) -> None:
    """Write the states of one of our files as AnnData 0.1.0 on disk: X, obs (sites) and var (features).

    Layout: anndata's "on-disk format" specification. Appears under its name when complete.
    """
    with (
        open_file(hidden_path, Kind.HIDDEN) as source,
        write_foreign(path) as file,
    ):
        sites, features = _sites(source), _features(source)
        _encode(file, "anndata", "0.1.0")
        states = source["states"]
        matrix = file.create_dataset("X", shape=states.shape, dtype=np.float32, chunks=states.chunks)
        _encode(matrix, "array", "0.2.0")
        for first in range(0, len(sites), SLAB):
            matrix[first : first + SLAB] = states[first : first + SLAB]
        _frame(file, "obs", site_names(sites), site_columns(sites))
        _frame(file, "var", feature_names(features), features)
        for name in ("obsm", "varm", "obsp", "varp", "layers", "uns"):
            _encode(file.create_group(name), "dict", "0.1.0")


def site_columns(sites: SiteTable) -> dict[str, Any]:
    """Columns of `obs`: where each site is, and its name."""
    contig = [sites.contigs[index] for index in sites.contig]
    return {
        "contig": contig, "start": sites.start, "end": sites.end, "strand": sites.strand, "name": list(sites.name),
    }  # fmt: skip


def site_names(sites: SiteTable) -> list[str]:
    """Names of the rows, all different: regions as samtools writes them."""
    contig = [sites.contigs[index] for index in sites.contig]
    return _distinct(
        [f"{name}:{start + 1}-{end}" for name, start, end in zip(contig, sites.start, sites.end, strict=True)]
    )


def feature_names(features: Mapping[str, Any]) -> list[str]:
    """Names of the columns: pass, pool (where there are others than the last state), layer, part and unit."""
    named = [features[name] for name in NAMED_BY if name in features]
    return ["_".join(map(str, row)) for row in zip(*named, strict=True)]


def _encode(item: h5py.Group | h5py.Dataset, kind: str, version: str) -> None:
    item.attrs["encoding-type"], item.attrs["encoding-version"] = kind, version


def _frame(file: h5py.File, name: str, index: list[str], columns: Mapping[str, Any]) -> None:
    group = file.create_group(name)
    _encode(group, "dataframe", "0.2.0")
    group.attrs["_index"] = "_index"
    group.attrs["column-order"] = list(columns)
    for key, values in {"_index": index, **columns}.items():
        text = isinstance(values, list | tuple)
        item = group.create_dataset(key, data=values, dtype=h5py.string_dtype() if text else None)
        _encode(item, "string-array" if text else "array", "0.2.0")


def _distinct(names: list[str]) -> list[str]:
    """Names with a number after those that came before: rows of AnnData need names of their own."""
    met: dict[str, int] = {}
    distinct = []
    for name in names:
        met[name] = met.get(name, 0) + 1
        distinct.append(name if met[name] == 1 else f"{name}-{met[name]}")
    return distinct
