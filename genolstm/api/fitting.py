"""The methylation cell, fitted to read counts over time."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from genolstm.api.found import as_found
from genolstm.api.reading import Embedding
from genolstm.api.records import Column, Result, digests_of, made_by, read_provenance
from genolstm.errors import UsageError
from genolstm.methylation.fitting import check_pooled, fit_counts, site_records
from genolstm.methylation.group_contrast import (
    compared,
    contig_ends,
    contrast_columns,
    contrast_records,
    counts_files,
    group_counts,
)  # fmt: skip
from genolstm.methylation.held_out import judged
from genolstm.methylation.hidden_features import hidden_features
from genolstm.methylation.sample_groups import counts_of, pair_of, rows_of
from genolstm.methylation.samples import joined
from genolstm.methylation.tracks import table_columns
from genolstm.readers.bed import read_bed
from genolstm.readers.sample_tables import read_samples
from genolstm.settings.methylation import (
    ContrastSettings,
    FitModel,
    HeldOutSettings,
    MethylationSettings,
    PooledSettings,
    StrandState,
)
from genolstm.store.contrast import GroupContrast, read_contrast, write_contrast
from genolstm.store.counts import Counts, read_counts
from genolstm.store.methylation import HeldOutScore, MethylationFit, read_methylation, write_methylation

CountsGiven = Counts | str | Path


@dataclass(frozen=True, kw_only=True, eq=False)
class Methylation(Result):
    """Rate, steady fraction and half-life of every CpG.

    Attributes
    ----------
    fit
        Columns of all CpGs, [N]: ``rate``, ``steady``, ``half_life`` with the ends of their intervals, ``flags``.
    """

    fit: MethylationFit

    def __len__(self) -> int:
        return len(self.fit)

    def table(self) -> dict[str, Column]:
        """One row a CpG, as ``genolstm methylation fit --table`` writes it.

        Returns
        -------
        dict of str to numpy.ndarray or list
            Columns by name, which includes the unit: ``half_life_hours``; ready for ``pandas.DataFrame``.
        """
        state = StrandState(self.provenance.settings.get("state", MethylationSettings.state))
        return dict(table_columns(self.fit, state))

    def _write(self, path: Path) -> None:
        write_methylation(path, self.fit, self.records, self.provenance)


def read_fit(path: Path) -> Methylation:
    """Read a file of ``genolstm methylation fit``."""
    provenance, records = read_provenance(path)
    return Methylation(provenance=provenance, records=records, fit=read_methylation(path))


@dataclass(frozen=True, kw_only=True, eq=False)
class MethylationContrast(Result):
    """Two groups of samples, at every site or over the reads of every region.

    Attributes
    ----------
    contrast
        Gates of both groups, ``gates``, and their differences with intervals, p and q, ``differences``, by name.
    """

    contrast: GroupContrast

    def __len__(self) -> int:
        return len(self.contrast)

    def table(self) -> dict[str, Column]:
        """One row a site or region, as ``genolstm methylation compare --table`` writes it.

        Returns
        -------
        dict of str to numpy.ndarray or list
            Columns by name; ready for ``pandas.DataFrame``.
        """
        return dict(contrast_columns(self.contrast))

    def _write(self, path: Path) -> None:
        write_contrast(path, self.contrast, self.records, self.provenance)


def read_contrast_file(path: Path) -> MethylationContrast:
    """Read a file of ``genolstm methylation compare``."""
    provenance, records = read_provenance(path)
    return MethylationContrast(provenance=provenance, records=records, contrast=read_contrast(path))


@as_found()
def fit_methylation(
    counts: CountsGiven | Sequence[CountsGiven] = (),
    times: Sequence[float] = (),
    *,
    samples: str | Path | None = None,
    group: str | None = None,
    states: Embedding | None = None,
    **settings: Any,  # noqa: ANN401
) -> Methylation:
    """Fit the methylation cell to read counts over time: m(t) = g (1 - exp(-k t)) on a nascent strand.

    All counts are held in memory, unlike by ``genolstm methylation fit``, which reads and writes a part at a time.

    Parameters
    ----------
    counts
        Of ``genolstm methylation count``: files, or the records of `open_result`, samples in order of age.
    times
        Of each sample.
    samples
        In place of both: TSV with ``file``, ``time``, ``group``, ``replicate`` of each sample, files beside it.
    group
        Of that table, where it has several.
    states
        For the pooled model: hidden states at the same sites.
    **settings
        Any field of ``MethylationSettings``, ``PooledSettings`` and ``HeldOutSettings`` in
        ``genolstm.settings.methylation``: ``time_offset=0.5, model="pooled", hold_out="reads:0.2"``.

    Returns
    -------
    Methylation
        The fit of every CpG, with its scores on held-out reads where ``hold_out`` is set.

    Raises
    ------
    InputError
        Times and samples differ in number, the files are of different genomes, a row of ``samples`` cannot be, or a
        setting is not known.
    UsageError
        A setting cannot be, or ``samples`` has several groups of which none is named.

    Examples
    --------
    >>> found = gl.fit_methylation("counts.h5", times=[0, 1, 4, 16], time_offset=0.5)
    >>> sorted(found.table())[:3]
    ['contig', 'end', 'flags']
    """
    if samples is not None:
        if times or not (isinstance(counts, Sequence) and not isinstance(counts, str) and not counts):
            raise UsageError("samples names the counts files and their times: leave out counts and times.")
        rows = rows_of(read_samples(Path(samples)), group, str(samples))
        times = [row.time for row in rows]
        several: list[CountsGiven] = list(dict.fromkeys(row.file for row in rows))
        both = counts_of(rows)
    else:
        if group is not None:
            raise UsageError("group names a group of samples: give that too.")
        several = [counts] if isinstance(counts, Counts | str | Path) else list(counts)
        if not several or not times:
            raise UsageError("give counts and their times, or a table of samples.")
        tables = [each if isinstance(each, Counts) else read_counts(Path(each)) for each in several]
        names = [f"table {place + 1}" if isinstance(each, Counts) else str(each) for place, each in enumerate(several)]
        both = joined(tables, names)
    how, pooled, judging = _settings(times, settings)
    extra, threads = None, torch.get_num_threads()
    check_pooled(how)
    if states is not None and how.model is not FitModel.POOLED:
        raise UsageError("--hidden-states are for the pooled model: add --model pooled.")
    if states is not None:
        extra = hidden_features(both, states.as_hidden, pooled.components, "states")
    held_out: tuple[HeldOutScore, ...] = ()
    if judging.held:
        held_out = judged(both, how, pooled, judging, extra=extra, threads=threads)
    fit = fit_counts(both, how, pooled, extra=extra, threads=threads, held_out=held_out)
    inputs = digests_of({**{f"counts {place + 1}": each for place, each in enumerate(several)}, "samples": samples})
    saved = {**how.to_json(), **pooled.to_json(), **judging.to_json()}
    came = made_by("fit_methylation", saved, inputs, seed=how.seed)
    return Methylation(provenance=came, records=site_records(fit), fit=fit)


@as_found()
def compare_methylation(
    samples: str | Path,
    groups: Sequence[str] = (),
    *,
    regions: str | Path | None = None,
    **settings: Any,  # noqa: ANN401
) -> MethylationContrast:
    """Compare rate, steady fraction and half-life of two groups of samples, site by site or region by region.

    Parameters
    ----------
    samples
        TSV with ``file``, ``time``, ``group``, ``replicate`` of each sample, files beside it.
    groups
        First and second group, where the table has more than two.
    regions
        BED; the reads of the sites of each are added up.
    **settings
        Any field of ``ContrastSettings`` in ``genolstm.settings.methylation``: ``time_offset=0.5``.

    Returns
    -------
    MethylationContrast
        Gates of both groups and their differences at every site with reads enough.

    Raises
    ------
    InputError
        A file of the table does not exist, times contradict, a group has one replicate, or no site is shared.
    UsageError
        The groups are not two, or a setting cannot be.

    Examples
    --------
    >>> found = gl.compare_methylation("samples.tsv", time_offset=0.5)  # doctest: +SKIP
    """
    how = ContrastSettings.from_json(settings, where="compare_methylation")
    rows = read_samples(Path(samples))
    names = pair_of(rows, groups, str(samples))
    counts = group_counts(rows, names)
    bed = None if regions is None else read_bed(regions, contig_ends(counts), genome_name="the counts")
    found = compared(counts, rows, names, how, bed)
    inputs = digests_of({"samples": samples, "regions": regions, **counts_files(rows, names)})
    came = made_by("compare_methylation", {**how.to_json(), "group": list(names)}, inputs)
    return MethylationContrast(provenance=came, records=contrast_records(found), contrast=found)


def _settings(
    times: Sequence[float], given: dict[str, Any]
) -> tuple[MethylationSettings, PooledSettings, HeldOutSettings]:
    """Settings of fit, network and held-out reads; what is of none of them is refused as no setting of the fit."""
    network, judged_by = (
        {name: value for name, value in given.items() if name in {each.name for each in dataclasses.fields(kind)}}
        for kind in (PooledSettings, HeldOutSettings)
    )
    rest = {name: value for name, value in given.items() if name not in {**network, **judged_by}}
    where = "fit_methylation"
    return (
        MethylationSettings.from_json({**rest, "times": tuple(float(time) for time in times)}, where=where),
        PooledSettings.from_json(network, where=where),
        HeldOutSettings.from_json(judged_by, where=where),
    )
