"""``genolstm methylation fit``: the constrained cell against read counts."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.command import command
from genolstm.cli.figures import draw
from genolstm.cli.options import Output, ResultOptions, Threads, refuse_all
from genolstm.cli.terminal import ProgressLine, Task, log
from genolstm.errors import InputError, UsageError
from genolstm.settings.methylation import (
    FitModel,
    HeldOutSettings,
    MethylationSettings,
    PooledSettings,
    StartState,
)
from genolstm.settings.option import option
from genolstm.settings.train import DeviceName

if TYPE_CHECKING:
    from genolstm.store.counts import Counts
    from genolstm.store.methylation import HeldOutScore, MethylationFit

TRACKS = ("rate", "steady", "half_life")  # columns of a fit that make a track


@dataclass(frozen=True, kw_only=True)
class FitFiles:
    """Files beside the counts and the fit."""

    samples: Path | None = option(None, "TSV with file, time, group, replicate of each sample, for COUNTS, --times.")
    group: str | None = option(None, "Group of --samples to fit, where it has several.")
    states: Path | None = option(None, "Pooled: hidden states at the sites, from 'genolstm embed'.", "--hidden-states")
    table: Path | None = option(None, "Also write one row a CpG as TSV.")
    bedgraph_prefix: str | None = option(None, "Also write PREFIX.rate.bedgraph, .steady, .half_life.")
    bigwig_prefix: str | None = option(None, "Also write PREFIX.rate.bw, .steady, .half_life; needs --genome.")
    genome: Path | None = option(None, "Genome file, for the lengths that a bigWig needs.")

    def outputs(self) -> dict[tuple[str, str], Path]:
        """(kind, column) -> path of every file beside the fit. Raises UsageError for a bigWig without a genome."""
        if self.bigwig_prefix and self.genome is None:
            raise UsageError("--bigwig-prefix needs --genome: a bigWig holds the length of each contig.")
        found: dict[tuple[str, str], Path] = {("table", ""): self.table} if self.table else {}
        for kind, prefix, ending in (
            ("bedgraph", self.bedgraph_prefix, "bedgraph"),
            ("bigwig", self.bigwig_prefix, "bw"),
        ):
            if prefix:
                found |= {(kind, name): Path(f"{prefix}.{name}.{ending}") for name in TRACKS}
        return found


@command(settings_file=True)
def fit(
    output: Output,
    settings: MethylationSettings,
    pooled: PooledSettings,
    judging: HeldOutSettings,
    files: FitFiles,
    run: ResultOptions,
    counts: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Counts files of 'genolstm methylation count', samples in order of age.", show_default=False
        ),
    ] = None,
    threads: Threads = 0,
) -> None:
    """Fit the methylation cell to read counts over time: rate k, steady fraction g and half-life of every CpG.

    A nascent strand gains methylation as m(t) = g (1 - exp(-k t)); its half-life is ln 2 / k. Intervals are by profile
    likelihood (site) or of the posterior (pooled); flags mark CpGs whose reads do not determine k or g. k is sought
    from --rate-low to --rate-high, by default the grid of the published chr21 fit, 0.01 to 10 per hour: widen it for
    other clocks. Both fits are made on the CPU, with or without a GPU.

    Example: genolstm methylation fit counts.h5 --times 0,1,4,16 --time-offset 0.5 -o fit.h5 --table fit.tsv
    """
    import numpy as np

    from genolstm.methylation.fitting import fit_counts, log_likelihood_per_read, site_records, states_outside
    from genolstm.methylation.samples import by_age
    from genolstm.store.files import file_sha256
    from genolstm.store.methylation import write_methylation
    from genolstm.threads import allotted_threads

    task = Task("methylation fit", run, seed=settings.seed)
    extras = files.outputs()
    refuse_all([output, *extras.values()], [*(counts or ()), files.samples, files.genome, files.states], run)
    both, settings, counts = _read(counts or [], files, settings)
    refuse_all([output, *extras.values()], counts, run)
    by_age(both, settings.times)
    _warn_of_impossible(both, settings)
    lengths = _lengths(files.genome, both) if files.bigwig_prefix else {}
    extra = _extra(both, files.states, settings, pooled)
    task.use_device(DeviceName.CPU, threads)
    workers = threads or allotted_threads()
    held_out = _judge(both, settings, pooled, judging, extra, workers, quiet=run.quiet)
    with ProgressLine("fit", unit="CpGs", quiet=run.quiet) as line:
        found = fit_counts(both, settings, pooled, extra=extra, threads=workers, held_out=held_out, progress=line.show)
    records = site_records(found)
    saved = {**settings.to_json(), **pooled.to_json(), **judging.to_json()}
    inputs = {f"counts {place + 1}": file_sha256(path) for place, path in enumerate(counts)}
    if files.samples:
        inputs["samples"] = file_sha256(files.samples)
    if files.states:
        inputs["states"] = file_sha256(files.states)
    write_methylation(output, found, records, task.provenance(saved, inputs))
    _write_extras(found, settings, extras, lengths)
    draw(output, run.figure)
    per_read = log_likelihood_per_read(found)
    finite_per_read = None if np.isnan(per_read) else per_read  # JSON has no NaN
    summary: dict[str, Any] = {
        "sites": len(found), "fitted": records.used, "log_likelihood_per_read": finite_per_read, **_shared(found),
        "clips": states_outside(found), "held_out": [_plain(score) for score in held_out],
        "flags": _flag_counts(found), "identifiable": int(found.identifiable.sum()),
        "median_half_life": _median_half_life(found), "unit": found.unit,
    }  # fmt: skip
    if summary["identifiable"]:
        log.info(
            "median half-life %.3g %s over the %s CpGs whose rate is identifiable, of %s fitted",
            found.median_half_life, found.unit, f"{summary['identifiable']:,}", f"{records.used:,}",
        )  # fmt: skip
    else:
        log.info("the rate of none of %s fitted CpGs is identifiable: no median half-life", f"{records.used:,}")
    message = f"{records.used:,} of {len(found):,} CpGs fitted, {per_read:.4f} nats a read"
    task.done(output, records.to_json(), summary, message=message)


def _read(
    paths: list[Path], files: FitFiles, settings: MethylationSettings
) -> "tuple[Counts, MethylationSettings, list[Path]]":
    """Counts of all samples, settings with their times, and the counts files; as arguments or as a table name them."""
    from genolstm.methylation.sample_groups import counts_of, rows_of
    from genolstm.methylation.samples import joined
    from genolstm.readers.sample_tables import read_samples
    from genolstm.store.counts import read_counts

    if files.samples is not None:
        if paths or settings.times:
            raise UsageError("--samples names the counts files and their times: leave out COUNTS and --times.")
        rows = rows_of(read_samples(files.samples), files.group, str(files.samples))
        both = counts_of(rows)
        settings = dataclasses.replace(settings, times=tuple(row.time for row in rows))
        paths = list(dict.fromkeys(row.file for row in rows))
    else:
        if files.group is not None:
            raise UsageError("--group names a group of --samples: give that too.")
        if not paths or not settings.times:
            raise UsageError("give counts files and their --times, or a table of --samples.")
        both = joined([read_counts(path) for path in paths], [str(path) for path in paths])
    for sample, reads in zip(both.samples, both.covered.sum(axis=0).tolist(), strict=True):
        if not reads:
            log.warning("sample '%s' holds no reads: it carries no information about any CpG", sample)
    return both, settings, paths


def _warn_of_impossible(counts: "Counts", settings: MethylationSettings) -> None:
    """Warn of reads that no gates can explain: methylated ones at an age where nothing is methylated yet."""
    if settings.start is not StartState.ZERO or settings.conversion_error:
        return
    for sample, age, modified in zip(
        counts.samples, settings.elapsed, counts.modified.sum(axis=0).tolist(), strict=True
    ):
        if age == 0 and modified:
            log.warning(
                "sample '%s' holds %s methylated reads at age 0, where a new strand has none: add its age to all with"
                " --time-offset, or give the fraction of wrong reads as --conversion-error",
                sample,
                f"{modified:,}",
            )


def _extra(counts: "Counts", states: Path | None, settings: MethylationSettings, pooled: PooledSettings) -> Any:  # noqa: ANN401  (an array; numpy is imported late)
    """Further input of the pooled model beside neighbours: hidden states, where they are given."""
    from genolstm.methylation.fitting import check_pooled

    check_pooled(settings)
    if states is None:
        return None
    if settings.model is not FitModel.POOLED:
        raise UsageError("--hidden-states are for the pooled model: add --model pooled.")
    from genolstm.methylation.hidden_features import hidden_features
    from genolstm.store.hidden import read_hidden

    return hidden_features(counts, read_hidden(states), pooled.components, str(states))


def _lengths(genome: Path | None, counts: "Counts") -> dict[str, int]:
    """Length of each contig of the genome, which must hold those of the counts."""
    from genolstm.store.genome import open_genome

    lengths = dict(open_genome(genome).length_of) if genome else {}
    used = [counts.contigs[index] for index in sorted(set(counts.contig.tolist()))]
    if missing := [name for name in used if name not in lengths]:
        raise InputError(
            f"contig '{missing[0]}' of the counts is not in {genome}, which has {', '.join(list(lengths)[:6])};"
            " give the genome that the reads were aligned to."
        )
    return lengths


def _judge(
    counts: "Counts",
    settings: MethylationSettings,
    pooled: PooledSettings,
    judging: HeldOutSettings,
    extra: Any,  # noqa: ANN401  (an array; numpy is imported late)
    threads: int,
    *,
    quiet: bool,
) -> "tuple[HeldOutScore, ...]":
    """Score the model and its baselines on held-out reads under --hold-out, and log the table."""
    if not judging.held:
        return ()
    from genolstm.methylation.held_out import judged

    with ProgressLine("held out", unit="CpGs", quiet=quiet) as line:
        scores = judged(counts, settings, pooled, judging, extra=extra, threads=threads, progress=line.show)
    for score in scores:
        log.info(
            "%-14s %-28s %-23s %.4f nats a read of %s; %+.4f [%+.4f, %+.4f] against %s",
            score.hold_out, score.what, score.model,
            score.log_likelihood, f"{score.reads:,}", score.difference, score.low, score.high,
            score.against,
        )  # fmt: skip
    return scores


def _write_extras(
    found: "MethylationFit", settings: MethylationSettings, extras: dict[tuple[str, str], Path], lengths: dict[str, int]
) -> None:
    from genolstm.methylation.tracks import bedgraph_columns, runs, table_columns
    from genolstm.writers.bigwig import write_bigwig
    from genolstm.writers.tables import write_table

    for (kind, name), path in extras.items():
        if kind == "table":
            write_table(path, table_columns(found, settings.state))
        elif kind == "bigwig":
            write_bigwig(path, lengths, runs(found, name, list(lengths)))
        else:
            write_table(path, bedgraph_columns(found, name), header=False)


def _shared(found: "MethylationFit") -> dict[str, float]:
    return {name: found.numbers[name] for name in ("conversion_error", "dispersion")}


def _plain(score: "HeldOutScore") -> dict[str, Any]:
    """One line of the held-out table; `difference` is [value, low, high]."""
    return {
        "hold_out": score.hold_out, "what": score.what,
        "model": score.model, "log_likelihood_per_read": score.log_likelihood, "reads": score.reads,
        "against": score.against,
        "difference": [each if math.isfinite(each) else None for each in (score.difference, score.low, score.high)],
    }  # fmt: skip


def _flag_counts(found: "MethylationFit") -> dict[str, int]:
    return {name: int(((found.flags & bit) > 0).sum()) for name, bit in found.flag_names.items()}


def _median_half_life(found: "MethylationFit") -> float | None:
    return None if math.isnan(found.median_half_life) else found.median_half_life  # JSON has no NaN
