"""From a table of samples to a contrast of two groups, by site or by region, as a file and as a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.methylation.contrast import Contrast, GroupReads, Intervals, contrast, region_sums
from genolstm.methylation.kinetic_form import Course
from genolstm.methylation.sample_groups import counts_of, rows_of
from genolstm.methylation.tracks import CPG_BP
from genolstm.readers.bed import Bed
from genolstm.readers.sample_tables import SampleRow
from genolstm.regions import STRAND_LETTERS
from genolstm.settings.methylation import ContrastSettings
from genolstm.store.contrast import DIFFERENCES, GroupContrast, gate_names
from genolstm.store.counts import Counts
from genolstm.store.files import Records

Columns = list[tuple[str, NDArray[Any] | list[str]]]


def group_counts(rows: tuple[SampleRow, ...], names: tuple[str, str]) -> Counts:
    """Counts of the samples of both groups, the first group's first, at all sites of either."""
    return counts_of([row for name in names for row in rows_of(rows, name, "")])


def compared(
    counts: Counts,
    rows: tuple[SampleRow, ...],
    names: tuple[str, str],
    settings: ContrastSettings,
    regions: Bed | None = None,
) -> GroupContrast:
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
    chosen = found.rows
    place = _site_places(counts, chosen) if regions is None else _region_places(regions, chosen)
    return GroupContrast(
        groups=names,
        samples=counts.samples,
        sample_group=np.repeat(np.arange(2, dtype=np.int8), [len(each.settings.times) for each in groups]),
        elapsed=np.concatenate([each.settings.elapsed for each in groups]),
        unit=str(settings.unit),
        what="sites" if regions is None else "regions",
        given=len(modified),
        numbers={"dispersion": found.dispersion, "level": settings.level, "fdr": settings.fdr,
                 "min_reads": settings.min_reads},
        contigs=counts.contigs,
        gates=_gates(found, str(settings.unit)),
        differences=_differences(found),
        **place,
    )  # fmt: skip


def _site_places(counts: Counts, rows: NDArray[np.intp]) -> dict[str, Any]:
    start, strand = counts.position[rows], counts.strand[rows]
    end = start + np.where(strand == 0, CPG_BP, 1)
    return {"contig": counts.contig[rows], "start": start, "end": end, "strand": strand, "names": ()}


def _region_places(regions: Bed, rows: NDArray[np.intp]) -> dict[str, Any]:
    names = [regions.name[row] for row in rows.tolist()] if regions.name else ["."] * len(rows)
    return {
        "contig": regions.contig[rows].astype(np.int32), "start": regions.start[rows], "end": regions.end[rows],
        "strand": np.zeros(len(rows), np.int8), "names": tuple(names),
    }  # fmt: skip


def contig_ends(counts: Counts) -> dict[str, int]:
    """Contigs of the counts with a length beyond any: counts do not hold it."""
    if not len(counts):
        raise InputError("the counts hold no site; count reads at sites first.")
    return dict.fromkeys(counts.contigs, 1 << 40)


def counts_files(rows: Sequence[SampleRow], names: tuple[str, str]) -> dict[str, Path]:
    """Counts files of both groups, each once, as provenance names them."""
    files = dict.fromkeys(row.file for name in names for row in rows if row.group == name)
    return {f"counts {place + 1}": path for place, path in enumerate(files)}


def contrast_records(found: GroupContrast) -> Records:
    """Sites or regions that were given, compared, and left out."""
    left_out = found.given - len(found)
    why = f"fewer than {found.numbers['min_reads']:g} reads, or one age, in a group"
    return Records(read=found.given, used=len(found), skipped={why: left_out} if left_out else {})


def contrast_columns(found: GroupContrast) -> Columns:
    """Name and values of each column: places, gates of both groups, differences with intervals, p and q."""
    return [
        ("contig", [found.contigs[index] for index in found.contig.tolist()]),
        ("start", found.start),
        ("end", found.end),
        ("name", list(found.names))
        if found.names
        else ("strand", [STRAND_LETTERS[sign] for sign in found.strand.tolist()]),
        *(
            (f"{column}_{group}", values[:, place])
            for place, group in enumerate(found.groups)
            for column, values in found.gates.items()
        ),
        *found.differences.items(),
    ]


def _gates(found: Contrast, unit: str) -> dict[str, NDArray[Any]]:
    """Columns by `gate_names`, [N, 2] each."""
    fits, single = (found.first, found.second), Course()
    columns = [
        [fit.reads, fit.rate, fit.rate_low, fit.rate_high, fit.steady, fit.steady_low, fit.steady_high,
         *(single.half_life(each) for each in (fit.rate, fit.rate_high, fit.rate_low))]
        for fit in fits
    ]  # fmt: skip
    return {name: np.stack(both, axis=1) for name, *both in zip(gate_names(unit), *columns, strict=True)}


def _differences(found: Contrast) -> dict[str, NDArray[np.float64]]:
    """Columns by DIFFERENCES, [N] each."""
    rate, steady, octaves = found.rate, found.steady, 1 / np.log(2)
    columns = [
        rate.value * octaves, rate.low * octaves, rate.high * octaves, rate.p, rate.q,
        steady.value, steady.low, steady.high, steady.p, steady.q, found.p, found.q,
    ]  # fmt: skip
    return dict(zip(DIFFERENCES, columns, strict=True))
