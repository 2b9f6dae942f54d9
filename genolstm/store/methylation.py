"""Methylation fits: the gates of the cell at each CpG, with the reads they were fitted to."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from genolstm.store.counts import first_row
from genolstm.store.files import Provenance, Records, open_file, strings, write_file, write_records, write_strings
from genolstm.store.schema import Kind

Floats = NDArray[np.float64]
CHUNK_ROWS, CHUNK_BYTES = 1 << 16, 1 << 20  # at most, of a column: HDF5 keeps 1 MiB of chunks unpacked
PLACE = ("contig", "position", "strand", "modified", "covered")
COLUMNS = {  # field of the record -> name in the file; {unit} is hour or division, {units} hours or divisions
    "rate": "rate_per_{unit}",
    "rate_low": "rate_per_{unit}_low",
    "rate_high": "rate_per_{unit}_high",
    "steady": "steady_fraction",
    "steady_low": "steady_fraction_low",
    "steady_high": "steady_fraction_high",
    "half_life": "half_life_{units}",
    "half_life_low": "half_life_{units}_low",
    "half_life_high": "half_life_{units}_high",
    "start": "start_fraction",
    "log_likelihood": "log_likelihood",
    "reads": "reads",
    "flags": "flags",
}


OPEN_RATE = "rate_"  # flags that begin so mean that k is open to a side, at a bound, or not identifiable


@dataclass(frozen=True, kw_only=True)
class MethylationFit:
    """The cell fitted to every CpG, with the counts it was fitted to.

    contigs, contig, position, strand, modified, covered, samples : as `store.counts.Counts`.
    unit : 'hours' or 'divisions'.   elapsed : float64 [S], age of each sample in that unit.   model : 'site', 'pooled'.
    numbers : common to all CpGs: conversion_error, dispersion, level, and the bounds of k and g.   form : course of the
    state, with its shared number `form_parameter` among the numbers; 'single' in files of 0.1.
    rate, steady, half_life : float64 [N], with the ends of their intervals; NaN where nothing was fitted; rates per
    unit of time. start : state when the clock starts.   reads : int64 [N].   flags : uint16 [N], bits by `flag_names`.
    posterior : of the pooled model, else None.   held_out : table of held-out scores, empty when none were asked for.
    """

    contigs: tuple[str, ...]
    contig: NDArray[np.int32]
    position: NDArray[np.int64]
    strand: NDArray[np.int8]
    modified: NDArray[np.int32]
    covered: NDArray[np.int32]
    samples: tuple[str, ...]
    unit: str
    elapsed: Floats
    model: str
    free_start: bool
    numbers: Mapping[str, float]
    flag_names: Mapping[str, int]
    rate: Floats
    rate_low: Floats
    rate_high: Floats
    steady: Floats
    steady_low: Floats
    steady_high: Floats
    half_life: Floats
    half_life_low: Floats
    half_life_high: Floats
    start: Floats
    log_likelihood: Floats
    reads: NDArray[np.int64]
    flags: NDArray[np.uint16]
    posterior: "Posterior | None" = None
    held_out: tuple["HeldOutScore", ...] = field(default=())
    form: str = "single"

    def __len__(self) -> int:
        return len(self.position)

    def part(self, first: int, end: int) -> "MethylationFit":
        """Only the sites from row `first` to before `end`."""
        columns: dict[str, Any] = {name: getattr(self, name)[first:end] for name in (*PLACE, *COLUMNS)}
        some = self.posterior and replace(self.posterior, draws=self.posterior.draws[first:end])
        return replace(self, **columns, posterior=some)

    def column(self, name: str, first: int, end: int) -> NDArray[Any]:
        """Values of one field from row `first` to before `end`."""
        values: NDArray[Any] = getattr(self, name)[first:end]
        return values

    def rows_of(self, contig: str) -> tuple[int, int]:
        """Row of the first site of a contig, and of the first after it."""
        if contig not in self.contigs:
            return 0, 0
        index = self.contigs.index(contig)
        begin, end = (int(np.searchsorted(self.contig, place)) for place in (index, index + 1))
        return begin, end

    @property
    def identifiable(self) -> NDArray[np.bool_]:
        """Sites whose rate the reads identify: fitted, with an interval of k closed within its bounds; bool [N]."""
        return _identifiable(self.rate, self.flags, self.flag_names)

    @property
    def median_half_life(self) -> float:
        """Median over identifiable sites, in `unit`; NaN where there is none. Elsewhere it is where k has its bound."""
        known = self.half_life[self.identifiable]
        return float(np.median(known)) if known.size else float("nan")


def _identifiable(rate: Floats, flags: NDArray[np.uint16], flag_names: Mapping[str, int]) -> NDArray[np.bool_]:
    excluding = [bit for name, bit in flag_names.items() if name.startswith(OPEN_RATE)]
    mask = np.bitwise_or.reduce(np.array(excluding, dtype=np.uint16)) if excluding else np.uint16(0)
    identifiable: NDArray[np.bool_] = np.isfinite(rate) & ((flags & mask) == 0)
    return identifiable


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """Posterior of the pooled model for each CpG, as equally likely draws from a grid of gates.

    rate, steady : float64 [G], the grid.   draws : uint16 [N, D], index into it.
    """

    rate: Floats
    steady: Floats
    draws: NDArray[np.uint16]


@dataclass(frozen=True, kw_only=True)
class HeldOutScore:
    """Log-likelihood of held-out reads under a model, in nats a read, beside the model that it is compared with.

    hold_out : what was held out, as 'time:4'; empty in files of 0.1.
    what : 'all', or the group of CpGs by their training reads.   difference : this model less `against`, paired, with
    the 95 % interval of a block bootstrap.
    """

    what: str
    model: str
    log_likelihood: float
    reads: int
    against: str
    difference: float
    low: float
    high: float
    hold_out: str = ""


def write_methylation(path: Path, fit: MethylationFit, records: Records, provenance: Provenance) -> None:
    """Write a fit, whole or not at all."""
    write_tiles(path, len(fit), [(0, fit)], lambda: records, provenance)


def write_tiles(
    path: Path,
    sites: int,
    tiles: Iterable[tuple[int, MethylationFit]],
    records: Callable[[], Records],
    provenance: Provenance,
) -> None:
    """Write a fit as it comes, whole or not at all; memory is that of one tile.

    sites : of all.   tiles : row of the first site of each with its fit, one at least, in any order; what they share
    is taken from the first.   records : asked for when the last one is written.
    """
    with write_file(path, Kind.METHYLATION, provenance) as file:
        for first, fit in tiles:
            if "sites" not in file:
                _write_header(file, fit, sites)
            for name, written in _site_columns(fit.unit).items():
                file["sites"][written][first : first + len(fit)] = getattr(fit, name)
            if fit.posterior is not None:
                file["posterior/draws"][first : first + len(fit)] = fit.posterior.draws
        write_records(file, records())


def _write_header(file: h5py.File, fit: MethylationFit, sites: int) -> None:
    """Write all but the columns of the sites, which are laid out empty."""
    file.attrs["model"], file.attrs["unit"] = fit.model, fit.unit
    file.attrs["free_start"], file.attrs["form"] = int(fit.free_start), fit.form
    file.attrs["numbers"] = json.dumps(dict(fit.numbers), sort_keys=True)
    file.attrs["flag_names"] = json.dumps(dict(fit.flag_names), sort_keys=True)
    write_strings(file.create_group("contigs"), "name", fit.contigs)
    samples = file.create_group("samples")
    write_strings(samples, "name", fit.samples)
    samples["elapsed"] = fit.elapsed
    group = file.create_group("sites")
    for name, written in _site_columns(fit.unit).items():
        _lay_out(group, written, sites, getattr(fit, name))
    if fit.posterior is not None:
        posterior = file.create_group("posterior")
        posterior["rate"], posterior["steady"] = fit.posterior.rate, fit.posterior.steady
        _lay_out(posterior, "draws", sites, fit.posterior.draws)
    _write_held_out(file.create_group("held_out"), fit.held_out)


def _site_columns(unit: str) -> dict[str, str]:
    """Field of a fit with a value a site -> its name in the file."""
    return {**{name: name for name in PLACE}, **column_names(unit)}


def column_names(unit: str) -> dict[str, str]:
    """Field of a fit -> its name in the file and in tables, which holds the unit ('hours' or 'divisions')."""
    return {name: written.format(unit=unit.removesuffix("s"), units=unit) for name, written in COLUMNS.items()}


def _lay_out(group: h5py.Group, name: str, sites: int, like: NDArray[Any]) -> None:
    """Make room for a column. like : some of its values, [n, ...]."""
    shape = (sites, *like.shape[1:])
    if not sites:  # an empty dataset has no chunks to compress
        group[name] = np.empty(shape, like.dtype)
        return
    rows = max(1, min(CHUNK_ROWS, sites, CHUNK_BYTES // max(1, like.itemsize * int(np.prod(shape[1:])))))
    group.create_dataset(name, shape, like.dtype, chunks=(rows, *shape[1:]), shuffle=True, compression=1)


def _write_held_out(group: h5py.Group, scores: tuple[HeldOutScore, ...]) -> None:
    for name in ("hold_out", "what", "model", "against"):
        write_strings(group, name, [getattr(score, name) for score in scores])
    for name in ("log_likelihood", "difference", "low", "high"):
        group[name] = np.array([getattr(score, name) for score in scores], dtype=np.float64)
    group["reads"] = np.array([score.reads for score in scores], dtype=np.int64)


class FitFile:
    """An open fit, of which a part is read at a time."""

    def __init__(self, file: h5py.File) -> None:
        self.file, self.unit = file, str(file.attrs["unit"])
        self.contigs = strings(file["contigs/name"])

    def __len__(self) -> int:
        return int(self.file["sites/position"].shape[0])

    def column(self, name: str, first: int, end: int) -> NDArray[Any]:
        """Values of one field from row `first` to before `end`."""
        values: NDArray[Any] = self.file["sites"][_site_columns(self.unit)[name]][first:end]
        return values

    def known_half_lives(self, first: int, end: int) -> Floats:
        """Half-lives of the identifiable sites from row `first` to before `end`."""
        life, rate, flags = (self.column(name, first, end) for name in ("half_life", "rate", "flags"))
        known: Floats = life[_identifiable(rate, flags, json.loads(self.file.attrs["flag_names"]))]
        return known

    def part(self, first: int, end: int) -> MethylationFit:
        """Read the sites from row `first` to before `end`."""
        file = self.file
        columns: dict[str, Any] = {name: self.column(name, first, end) for name in _site_columns(self.unit)}
        posterior = None
        if "posterior" in file:
            rate, steady, draws = (file["posterior"][name] for name in ("rate", "steady", "draws"))
            posterior = Posterior(rate=rate[()], steady=steady[()], draws=draws[first:end])
        return MethylationFit(
            contigs=self.contigs,
            samples=strings(file["samples/name"]),
            elapsed=file["samples/elapsed"][()],
            unit=self.unit,
            model=str(file.attrs["model"]),
            free_start=bool(file.attrs["free_start"]),
            form=str(file.attrs.get("form", "single")),
            numbers=json.loads(file.attrs["numbers"]),
            flag_names=json.loads(file.attrs["flag_names"]),
            posterior=posterior,
            held_out=_read_held_out(file["held_out"]),
            **columns,
        )

    def rows_of(self, contig: str) -> tuple[int, int]:
        """Row of the first site of a contig, and of the first after it."""
        if contig not in self.contigs:
            return 0, 0
        index = self.contigs.index(contig)
        begin, end = (first_row(self.file["sites/contig"], place) for place in (index, index + 1))
        return begin, end


@contextmanager
def open_methylation(path: Path) -> Iterator[FitFile]:
    """Open a fit to read parts of it. Raises InputError as `files.open_file`."""
    with open_file(path, Kind.METHYLATION) as file:
        yield FitFile(file)


def read_methylation(path: Path) -> MethylationFit:
    """Read a fit. Raises InputError as `files.open_file`."""
    with open_methylation(path) as file:
        return file.part(0, len(file))


def _read_held_out(group: h5py.Group) -> tuple[HeldOutScore, ...]:
    texts = [name for name in ("hold_out", "what", "model", "against") if name in group]
    table: dict[str, Any] = {name: strings(group[name]) for name in texts}
    table |= {name: group[name][()].tolist() for name in ("log_likelihood", "difference", "low", "high", "reads")}
    rows = zip(*table.values(), strict=True)
    return tuple(HeldOutScore(**dict(zip(table, row, strict=True))) for row in rows)
