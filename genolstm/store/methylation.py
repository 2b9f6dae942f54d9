"""Methylation fits: the gates of the cell at each CpG, with the reads they were fitted to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from genolstm.store.files import Provenance, Records, open_file, strings, write_file, write_records, write_strings
from genolstm.store.schema import Kind

Floats = NDArray[np.float64]
CHUNK_ROWS = 1 << 16
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

    @property
    def identifiable(self) -> NDArray[np.bool_]:
        """Sites whose rate the reads identify: fitted, with an interval of k closed within its bounds; bool [N]."""
        excluding = [bit for name, bit in self.flag_names.items() if name.startswith(OPEN_RATE)]
        mask = np.bitwise_or.reduce(np.array(excluding, dtype=np.uint16)) if excluding else np.uint16(0)
        identifiable: NDArray[np.bool_] = np.isfinite(self.rate) & ((self.flags & mask) == 0)
        return identifiable

    @property
    def median_half_life(self) -> float:
        """Median over identifiable sites, in `unit`; NaN where there is none. Elsewhere it is where k has its bound."""
        known = self.half_life[self.identifiable]
        return float(np.median(known)) if known.size else float("nan")


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
    with write_file(path, Kind.METHYLATION, provenance) as file:
        write_records(file, records)
        file.attrs["model"], file.attrs["unit"] = fit.model, fit.unit
        file.attrs["free_start"], file.attrs["form"] = int(fit.free_start), fit.form
        file.attrs["numbers"] = json.dumps(dict(fit.numbers), sort_keys=True)
        file.attrs["flag_names"] = json.dumps(dict(fit.flag_names), sort_keys=True)
        write_strings(file.create_group("contigs"), "name", fit.contigs)
        samples = file.create_group("samples")
        write_strings(samples, "name", fit.samples)
        samples["elapsed"] = fit.elapsed
        sites = file.create_group("sites")
        for name in PLACE:
            _write_column(sites, name, getattr(fit, name))
        for name, written in column_names(fit.unit).items():
            _write_column(sites, written, getattr(fit, name))
        if fit.posterior is not None:
            posterior = file.create_group("posterior")
            posterior["rate"], posterior["steady"] = fit.posterior.rate, fit.posterior.steady
            _write_column(posterior, "draws", fit.posterior.draws)
        _write_held_out(file.create_group("held_out"), fit.held_out)


def column_names(unit: str) -> dict[str, str]:
    """Field of a fit -> its name in the file and in tables, which holds the unit ('hours' or 'divisions')."""
    return {name: written.format(unit=unit.removesuffix("s"), units=unit) for name, written in COLUMNS.items()}


def _write_column(group: h5py.Group, name: str, values: NDArray[Any]) -> None:
    if not values.size:  # an empty dataset has no chunks to compress
        group[name] = values
        return
    chunks = (min(CHUNK_ROWS, len(values)), *values.shape[1:])
    group.create_dataset(name, data=values, chunks=chunks, shuffle=True, compression=1)


def _write_held_out(group: h5py.Group, scores: tuple[HeldOutScore, ...]) -> None:
    for name in ("hold_out", "what", "model", "against"):
        write_strings(group, name, [getattr(score, name) for score in scores])
    for name in ("log_likelihood", "difference", "low", "high"):
        group[name] = np.array([getattr(score, name) for score in scores], dtype=np.float64)
    group["reads"] = np.array([score.reads for score in scores], dtype=np.int64)


def read_methylation(path: Path) -> MethylationFit:
    """Read a fit. Raises InputError as `files.open_file`."""
    with open_file(path, Kind.METHYLATION) as file:
        unit = str(file.attrs["unit"])
        sites = file["sites"]
        columns: dict[str, Any] = {name: sites[name][()] for name in PLACE}
        columns |= {name: sites[written][()] for name, written in column_names(unit).items()}
        posterior = None
        if "posterior" in file:
            posterior = Posterior(**{name: item[()] for name, item in file["posterior"].items()})
        return MethylationFit(
            contigs=strings(file["contigs/name"]),
            samples=strings(file["samples/name"]),
            elapsed=file["samples/elapsed"][()],
            unit=unit,
            model=str(file.attrs["model"]),
            free_start=bool(file.attrs["free_start"]),
            form=str(file.attrs.get("form", "single")),
            numbers=json.loads(file.attrs["numbers"]),
            flag_names=json.loads(file.attrs["flag_names"]),
            posterior=posterior,
            held_out=_read_held_out(file["held_out"]),
            **columns,
        )


def _read_held_out(group: h5py.Group) -> tuple[HeldOutScore, ...]:
    texts = [name for name in ("hold_out", "what", "model", "against") if name in group]
    table: dict[str, Any] = {name: strings(group[name]) for name in texts}
    table |= {name: group[name][()].tolist() for name in ("log_likelihood", "difference", "low", "high", "reads")}
    rows = zip(*table.values(), strict=True)
    return tuple(HeldOutScore(**dict(zip(table, row, strict=True))) for row in rows)
