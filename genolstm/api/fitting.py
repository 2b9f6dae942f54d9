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
from genolstm.methylation.group_contrast import compared, contig_ends, contrast_columns, group_counts
from genolstm.methylation.held_out import judged
from genolstm.methylation.hidden_features import hidden_features
from genolstm.methylation.sample_groups import pair_of
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


@as_found()
def fit_methylation(
    counts: CountsGiven | Sequence[CountsGiven],
    times: Sequence[float],
    *,
    states: Embedding | None = None,
    **settings: Any,  # noqa: ANN401
) -> Methylation:
    """Fit the methylation cell to read counts over time: m(t) = g (1 - exp(-k t)) on a nascent strand.

    Parameters
    ----------
    counts
        Of ``genolstm methylation count``: files, or the records of `open_result`, samples in order of age.
    times
        Of each sample.
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
        Times and samples differ in number, the files are of different genomes, or a setting is not known.
    UsageError
        A setting cannot be.

    Examples
    --------
    >>> found = gl.fit_methylation("counts.h5", times=[0, 1, 4, 16], time_offset=0.5)
    >>> sorted(found.table())[:3]
    ['contig', 'end', 'flags']
    """
    several = [counts] if isinstance(counts, Counts | str | Path) else list(counts)
    how, pooled, judging = _settings(times, settings)
    tables = [each if isinstance(each, Counts) else read_counts(Path(each)) for each in several]
    names = [f"table {place + 1}" if isinstance(each, Counts) else str(each) for place, each in enumerate(several)]
    both, extra, threads = joined(tables, names), None, torch.get_num_threads()
    check_pooled(how)
    if states is not None and how.model is not FitModel.POOLED:
        raise UsageError("--hidden-states are for the pooled model: add --model pooled.")
    if states is not None:
        extra = hidden_features(both, states.as_hidden, pooled.components, "states")
    held_out: tuple[HeldOutScore, ...] = ()
    if judging.held:
        held_out = judged(both, how, pooled, judging, extra=extra, threads=threads)
    fit = fit_counts(both, how, pooled, extra=extra, threads=threads, held_out=held_out)
    inputs = digests_of({f"counts {place + 1}": each for place, each in enumerate(several)})
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
) -> dict[str, Column]:
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
    dict of str to numpy.ndarray or list
        Columns by name, as ``genolstm methylation compare`` writes them; ready for ``pandas.DataFrame``.

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
    return dict(contrast_columns(compared(counts, rows, names, how, bed), how.unit))


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
