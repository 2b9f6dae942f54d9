"""A fit for people: a table with one row a CpG, and tracks along the genome."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolstm.methylation.trajectory import upkeep_columns
from genolstm.regions import STRAND_LETTERS
from genolstm.settings.methylation import StrandState, TimeUnit
from genolstm.store.methylation import MethylationFit, column_names

CPG_BP = 2  # of a site whose strands are merged; one base else


def table_columns(fit: MethylationFit, state: StrandState) -> list[tuple[str, NDArray[Any] | list[str]]]:
    """Name and values of each column: place (0-based, half open), gates, half-life, intervals, flags by name.

    A clock of divisions has mu and delta too, by the convention that `state` names.
    """
    start = fit.position
    columns: list[tuple[str, NDArray[Any] | list[str]]] = [
        ("contig", [fit.contigs[index] for index in fit.contig.tolist()]),
        ("start", start),
        ("end", start + widths(fit)),
        ("strand", [STRAND_LETTERS[sign] for sign in fit.strand.tolist()]),
        *((written, getattr(fit, name)) for name, written in column_names(fit.unit).items() if name != "flags"),
    ]
    if fit.unit == TimeUnit.DIVISIONS:
        maintenance, gain = upkeep_columns(fit.rate, fit.steady, state)
        columns += [("maintenance", maintenance), ("gain", gain)]
    return [*columns, ("flags", _flag_text(fit))]


def widths(fit: MethylationFit) -> NDArray[np.int64]:
    """Bases of each site, [N]: a CpG of merged strands is two."""
    return np.where(fit.strand == 0, CPG_BP, 1)


def _flag_text(fit: MethylationFit) -> list[str]:
    """Names of the flags that are raised at each CpG, with commas between; '.' where there are none."""
    values, place = np.unique(fit.flags, return_inverse=True)
    spelled = [
        ",".join(name for name, bit in fit.flag_names.items() if value & bit) or "." for value in values.tolist()
    ]
    return [spelled[index] for index in place.tolist()]


def runs(
    fit: MethylationFit, name: str, contigs: list[str]
) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """One column along the genome: contig, start, end, value; in the order of `contigs`.

    A site of merged strands is drawn as two bases, or up to the next site; a site of one strand as one.
    """
    values = getattr(fit, name).astype(np.float32)
    for contig in contigs:
        mine = (
            np.flatnonzero(fit.contig == fit.contigs.index(contig)) if contig in fit.contigs else np.empty(0, np.intp)
        )
        if not mine.size:
            continue
        start = fit.position[mine]
        # two sites of one place (both strands of a palindrome's middle) cannot both be drawn: the first is
        first = np.append(True, np.diff(start) > 0)
        mine, start = mine[first], start[first]
        end = np.minimum(start + widths(fit)[mine], np.append(start[1:], np.iinfo(np.int64).max))
        yield contig, start, end, np.where(np.isfinite(values[mine]), values[mine], np.nan).astype(np.float32)


def bedgraph_columns(fit: MethylationFit, name: str) -> list[tuple[str, NDArray[Any] | list[str]]]:
    """The four columns of a bedGraph: contig, start, end, value; sites without a finite value are left out."""
    contigs: list[str] = []
    parts: list[tuple[NDArray[Any], ...]] = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for contig, start, end, value in runs(fit, name, list(fit.contigs)):
        known = np.isfinite(value)
        contigs += [contig] * int(known.sum())
        parts.append((start[known], end[known], value[known].astype(np.float64)))
    starts, ends, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    return [("contig", contigs), ("start", starts), ("end", ends), ("value", values)]
