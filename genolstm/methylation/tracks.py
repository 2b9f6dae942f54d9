"""A fit for people: a table with one row a CpG, and tracks along the genome."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolstm.methylation.trajectory import upkeep_columns
from genolstm.regions import STRAND_LETTERS
from genolstm.settings.methylation import StrandState, TimeUnit
from genolstm.store.methylation import FitFile, MethylationFit, column_names

ROWS = 1 << 16  # sites of a track that are held at one time
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


def table_slabs(
    fit: MethylationFit | FitFile, state: StrandState
) -> Iterator[list[tuple[str, NDArray[Any] | list[str]]]]:
    """The same, some rows at a time; once without rows where there are none."""
    return (table_columns(fit.part(first, first + ROWS), state) for first in range(0, max(1, len(fit)), ROWS))


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
    fit: MethylationFit | FitFile, name: str, contigs: list[str]
) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """One column along the genome: contig, start, end, value; in the order of `contigs`, some sites at a time.

    A site of merged strands is drawn as two bases, or up to the next site; a site of one strand as one.
    """
    for contig in contigs:
        begin, stop = fit.rows_of(contig)
        for first in range(begin, stop, ROWS):
            last = min(first + ROWS, stop)
            before, after = max(begin, first - 1), min(stop, last + 1)  # a neighbour on each side
            position, strand, values = (fit.column(each, before, after) for each in ("position", "strand", name))
            # two sites of one place (both strands of a palindrome's middle) cannot both be drawn: the first is
            drawn = np.append(True, np.diff(position) > 0)
            following = np.append(position[1:], np.iinfo(np.int64).max)
            end = np.minimum(position + np.where(strand == 0, CPG_BP, 1), np.maximum(following, position + 1))
            drawn[: first - before] = drawn[last - before :] = False
            shown = values.astype(np.float32)
            value = np.where(np.isfinite(shown), shown, np.float32(np.nan))
            yield contig, position[drawn], end[drawn], value[drawn]


def bedgraph_slabs(fit: MethylationFit | FitFile, name: str) -> Iterator[list[tuple[str, NDArray[Any] | list[str]]]]:
    """The four columns of a bedGraph: contig, start, end, value; sites without a finite value are left out."""
    for contig, start, end, value in runs(fit, name, list(fit.contigs)):
        known = np.isfinite(value)
        yield [
            ("contig", [contig] * int(known.sum())), ("start", start[known]), ("end", end[known]),
            ("value", value[known].astype(np.float64)),
        ]  # fmt: skip
