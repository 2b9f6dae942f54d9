"""From a table of samples to a contrast of two groups, by site or by region, as a table for people."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.methylation.contrast import Contrast, GroupReads, Intervals, contrast, region_sums
from genolstm.methylation.kinetic_form import Course
from genolstm.methylation.sample_groups import counts_of, rows_of
from genolstm.methylation.site_fit import SiteFit
from genolstm.methylation.tracks import CPG_BP
from genolstm.readers.bed import Bed
from genolstm.readers.sample_tables import SampleRow
from genolstm.regions import STRAND_LETTERS
from genolstm.settings.methylation import ContrastSettings
from genolstm.store.counts import Counts

Columns = list[tuple[str, NDArray[Any] | list[str]]]


class Compared(NamedTuple):
    """A contrast and where its rows lie. place : columns of places.   given : sites or regions in all."""

    names: tuple[str, str]
    found: Contrast
    place: Columns
    given: int


def group_counts(rows: tuple[SampleRow, ...], names: tuple[str, str]) -> Counts:
    """Counts of the samples of both groups, the first group's first, at all sites of either."""
    return counts_of([row for name in names for row in rows_of(rows, name, "")])


def compared(
    counts: Counts,
    rows: tuple[SampleRow, ...],
    names: tuple[str, str],
    settings: ContrastSettings,
    regions: Bed | None = None,
) -> Compared:
    """Compare two groups at every site, or over the reads of all sites of every region.

    counts : of `group_counts`. Raises InputError where nothing is left to compare.
    """
    modified, covered = counts.modified, counts.covered
    if regions is not None:
        inside = Intervals(regions.contig, regions.start, regions.end)
        modified, covered = (
            region_sums(each, counts.contig, counts.position, inside) for each in (counts.modified, counts.covered)
        )
    groups, first = [], 0
    for name in names:
        times = tuple(row.time for row in rows_of(rows, name, ""))
        mine = slice(first, first + len(times))
        groups.append(GroupReads(modified[:, mine], covered[:, mine], settings.fit_settings(times)))
        first = mine.stop
    found = contrast(groups[0], groups[1], names)
    place = _site_places(counts, found.rows) if regions is None else _region_places(counts, regions, found.rows)
    return Compared(names, found, place, len(modified))


def _site_places(counts: Counts, rows: NDArray[np.intp]) -> Columns:
    start, strand = counts.position[rows], counts.strand[rows]
    return [
        ("contig", [counts.contigs[index] for index in counts.contig[rows].tolist()]),
        ("start", start),
        ("end", start + np.where(strand == 0, CPG_BP, 1)),
        ("strand", [STRAND_LETTERS[sign] for sign in strand.tolist()]),
    ]


def _region_places(counts: Counts, regions: Bed, rows: NDArray[np.intp]) -> Columns:
    names = [regions.name[row] for row in rows.tolist()] if regions.name else ["."] * len(rows)
    return [
        ("contig", [counts.contigs[index] for index in regions.contig[rows].tolist()]),
        ("start", regions.start[rows]),
        ("end", regions.end[rows]),
        ("name", names),
    ]


def contig_ends(counts: Counts) -> dict[str, int]:
    """Contigs of the counts with a length beyond any: counts do not hold it."""
    if not len(counts):
        raise InputError("the counts hold no site; count reads at sites first.")
    return dict.fromkeys(counts.contigs, 1 << 40)


def contrast_columns(compared_: Compared, unit: str) -> Columns:
    """Name and values of each column: places, gates of both groups, differences with intervals, p and q."""
    found, per = compared_.found, unit.removesuffix("s")
    columns = list(compared_.place)
    for name, fit in zip(compared_.names, (found.first, found.second), strict=True):
        columns += [(f"{column}_{name}", values) for column, values in _gates(fit, per, unit)]
    in_octaves = 1 / np.log(2)
    columns += [
        ("log2_rate_ratio", found.rate.value * in_octaves),
        ("log2_rate_ratio_low", found.rate.low * in_octaves),
        ("log2_rate_ratio_high", found.rate.high * in_octaves),
        ("rate_p", found.rate.p),
        ("rate_q", found.rate.q),
        ("steady_difference", found.steady.value),
        ("steady_difference_low", found.steady.low),
        ("steady_difference_high", found.steady.high),
        ("steady_p", found.steady.p),
        ("steady_q", found.steady.q),
        ("p", found.p),
        ("q", found.q),
    ]
    return columns


def _gates(fit: SiteFit, per: str, unit: str) -> Columns:
    single = Course()
    return [
        ("reads", fit.reads),
        (f"rate_per_{per}", fit.rate),
        (f"rate_per_{per}_low", fit.rate_low),
        (f"rate_per_{per}_high", fit.rate_high),
        ("steady_fraction", fit.steady),
        ("steady_fraction_low", fit.steady_low),
        ("steady_fraction_high", fit.steady_high),
        (f"half_life_{unit}", single.half_life(fit.rate)),
        (f"half_life_{unit}_low", single.half_life(fit.rate_high)),
        (f"half_life_{unit}_high", single.half_life(fit.rate_low)),
    ]
