"""``genolstm methylation fit``: the constrained cell against read counts."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
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
    from genolstm.ranks import Ranks
    from genolstm.store.counts import CountTable
    from genolstm.store.methylation import FitFile, HeldOutScore, MethylationFit

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
    from genolstm.methylation.fitting import LEARNED_FROM
    from genolstm.methylation.samples import by_age
    from genolstm.methylation.tiles import Tally, median_half_life
    from genolstm.store.files import file_sha256
    from genolstm.store.methylation import open_methylation, write_tiles
    from genolstm.threads import allotted_threads

    task = Task("methylation fit", run, seed=settings.seed)
    if task.processes > 1 and settings.model is FitModel.POOLED:
        raise UsageError("--model pooled does not divide its work over processes; start it without torchrun.")
    extras = files.outputs()
    refuse_all([output, *extras.values()], [*(counts or ()), files.samples, files.genome, files.states], run)
    with ExitStack() as stack:
        table, settings, counts = stack.enter_context(_opened(counts or [], files, settings))
        refuse_all([output, *extras.values()], counts, run)
        by_age(table, settings.times)
        sure = settings.start is StartState.ZERO and not settings.conversion_error
        warn_of_samples(table, settings.elapsed, unmethylated_at_0=sure)
        lengths = _lengths(files.genome, table) if files.bigwig_prefix else {}
        extra = _extra(table, files.states, settings, pooled)
        task.use_device(DeviceName.CPU, threads)
        ranks = stack.enter_context(task.together("fits stretches of CpGs"))
        workers = threads or allotted_threads()
        held_out = _judge(table, settings, pooled, judging, extra, ranks, workers, quiet=run.quiet)
        tally = Tally()
        tiles = _tiles(table, settings, pooled, extra, ranks, workers, held_out, quiet=run.quiet)
        if not ranks.is_main_process:  # another process writes
            list(tiles)
            return
        saved = {**settings.to_json(), **pooled.to_json(), **judging.to_json()}
        inputs = {f"counts {place + 1}": file_sha256(path) for place, path in enumerate(counts)}
        if files.samples:
            inputs["samples"] = file_sha256(files.samples)
        if files.states:
            inputs["states"] = file_sha256(files.states)
        provenance = task.provenance(saved, inputs)
        write_tiles(output, len(table), tally.watch(tiles), lambda: tally.records, provenance)
    with open_methylation(output) as found:
        _write_extras(found, settings, extras, lengths)
        half_life = median_half_life(found)
    draw(output, run.figure)
    records, per_read = tally.records, tally.nats_per_read
    told = ("conversion_error", "dispersion", LEARNED_FROM)
    summary: dict[str, Any] = {
        "sites": records.read, "fitted": records.used, "log_likelihood_per_read": _or_none(per_read),
        **{name: tally.numbers[name] for name in told if name in tally.numbers},
        "clips": tally.clips, "held_out": [_plain(score) for score in held_out],
        "flags": dict(tally.flags), "identifiable": tally.identifiable,
        "median_half_life": _or_none(half_life), "unit": settings.unit,
    }  # fmt: skip
    if tally.identifiable:
        log.info(
            "median half-life %.3g %s over the %s CpGs whose rate is identifiable, of %s fitted",
            half_life, settings.unit, f"{tally.identifiable:,}", f"{records.used:,}",
        )  # fmt: skip
    else:
        log.info("the rate of none of %s fitted CpGs is identifiable: no median half-life", f"{records.used:,}")
    message = f"{records.used:,} of {records.read:,} CpGs fitted, {per_read:.4f} nats a read"
    task.done(output, records.to_json(), summary, message=message)


@contextmanager
def _opened(
    paths: list[Path], files: FitFiles, settings: MethylationSettings
) -> "Iterator[tuple[CountTable, MethylationSettings, list[Path]]]":
    """Counts of all samples, settings with their times, and the counts files; as arguments or as a table name them."""
    from genolstm.methylation.sample_groups import opened, rows_of
    from genolstm.methylation.samples import side_by_side
    from genolstm.readers.sample_tables import read_samples
    from genolstm.store.counts import open_counts

    if files.samples is not None:
        if paths or settings.times:
            raise UsageError("--samples names the counts files and their times: leave out COUNTS and --times.")
        rows = rows_of(read_samples(files.samples), files.group, str(files.samples))
        settings = dataclasses.replace(settings, times=tuple(row.time for row in rows))
        with opened(rows) as table:
            yield table, settings, list(dict.fromkeys(row.file for row in rows))
        return
    if files.group is not None:
        raise UsageError("--group names a group of --samples: give that too.")
    if not paths or not settings.times:
        raise UsageError("give counts files and their --times, or a table of --samples.")
    with ExitStack() as stack:
        yield (
            side_by_side([stack.enter_context(open_counts(path)) for path in paths], [str(path) for path in paths]),
            settings,
            paths,
        )


def _tiles(
    table: "CountTable",
    settings: MethylationSettings,
    pooled: PooledSettings,
    extra: Any,  # noqa: ANN401  (an array; numpy is imported late)
    ranks: "Ranks",
    threads: int,
    held_out: "tuple[HeldOutScore, ...]",
    *,
    quiet: bool,
) -> "Iterator[tuple[int, MethylationFit]]":
    """The fit, a tile at a time; of the pooled model all at once, which has to learn from all."""
    from genolstm.methylation.fitting import LEARNED_FROM, fit_counts, learned
    from genolstm.methylation.tiles import fitted_tiles

    with ProgressLine("fit", unit="CpGs", quiet=quiet) as line:
        if settings.model is FitModel.POOLED:
            whole = table.part(0, len(table))
            yield (
                0,
                fit_counts(
                    whole, settings, pooled, extra=extra, threads=threads, held_out=held_out, progress=line.show
                ),
            )
            return
        common = learned(table, settings)
        if LEARNED_FROM in common.numbers:
            log.info(
                "what all CpGs share is learned from %s of %s, evenly spread",
                f"{common.numbers[LEARNED_FROM]:,.0f}", f"{len(table):,}",
            )  # fmt: skip
        yield from fitted_tiles(
            table, common, settings, pooled, threads=threads, held_out=held_out, ranks=ranks, progress=line.show
        )


def warn_of_samples(table: "CountTable", elapsed: Sequence[float], *, unmethylated_at_0: bool) -> None:
    """Warn of samples without reads, and of reads that no gates can explain: methylated at age 0, where nothing is."""
    from genolstm.methylation.fitting import sample_reads

    modified, covered = sample_reads(table)
    for sample, age, one, every in zip(table.samples, elapsed, modified.tolist(), covered.tolist(), strict=True):
        if not every:
            log.warning("sample '%s' holds no reads: it carries no information about any CpG", sample)
        if unmethylated_at_0 and age == 0 and one:
            log.warning(
                "sample '%s' holds %s methylated reads at age 0, where a new strand has none: add its age to all with"
                " --time-offset, or give the fraction of wrong reads as --conversion-error",
                sample,
                f"{one:,}",
            )


def _extra(table: "CountTable", states: Path | None, settings: MethylationSettings, pooled: PooledSettings) -> Any:  # noqa: ANN401  (an array; numpy is imported late)
    """Further input of the pooled model beside neighbours: hidden states, where they are given."""
    from genolstm.methylation.fitting import check_pooled

    check_pooled(settings)
    if states is None:
        return None
    if settings.model is not FitModel.POOLED:
        raise UsageError("--hidden-states are for the pooled model: add --model pooled.")
    from genolstm.methylation.hidden_features import hidden_features
    from genolstm.store.hidden import read_hidden

    return hidden_features(table.part(0, len(table)), read_hidden(states), pooled.components, str(states))


def _lengths(genome: Path | None, table: "CountTable") -> dict[str, int]:
    """Length of each contig of the genome, which must hold those of the counts."""
    from genolstm.methylation.fitting import contigs_used
    from genolstm.store.genome import open_genome

    lengths = dict(open_genome(genome).length_of) if genome else {}
    used = contigs_used(table)
    if missing := [name for name in used if name not in lengths]:
        raise InputError(
            f"contig '{missing[0]}' of the counts is not in {genome}, which has {', '.join(list(lengths)[:6])};"
            " give the genome that the reads were aligned to."
        )
    return lengths


def _judge(
    table: "CountTable",
    settings: MethylationSettings,
    pooled: PooledSettings,
    judging: HeldOutSettings,
    extra: Any,  # noqa: ANN401  (an array; numpy is imported late)
    ranks: "Ranks",
    threads: int,
    *,
    quiet: bool,
) -> "tuple[HeldOutScore, ...]":
    """Score the model and its baselines on held-out reads under --hold-out, and log the table."""
    if not judging.held or not ranks.is_main_process:
        return ()
    from genolstm.methylation.held_out import judged

    with ProgressLine("held out", unit="CpGs", quiet=quiet) as line:
        scores = judged(
            table.part(0, len(table)), settings, pooled, judging, extra=extra, threads=threads, progress=line.show
        )
    for score in scores:
        log.info(
            "%-14s %-28s %-23s %.4f nats a read of %s; %+.4f [%+.4f, %+.4f] against %s",
            score.hold_out, score.what, score.model,
            score.log_likelihood, f"{score.reads:,}", score.difference, score.low, score.high,
            score.against,
        )  # fmt: skip
    return scores


def _write_extras(
    found: "FitFile", settings: MethylationSettings, extras: dict[tuple[str, str], Path], lengths: dict[str, int]
) -> None:
    from genolstm.methylation.tracks import bedgraph_slabs, runs, table_slabs
    from genolstm.writers.bigwig import write_bigwig
    from genolstm.writers.tables import write_slabs

    for (kind, name), path in extras.items():
        if kind == "table":
            write_slabs(path, table_slabs(found, settings.state))
        elif kind == "bigwig":
            write_bigwig(path, lengths, runs(found, name, list(lengths)))
        else:
            write_slabs(path, bedgraph_slabs(found, name), header=False)


def _plain(score: "HeldOutScore") -> dict[str, Any]:
    """One line of the held-out table; `difference` is [value, low, high]."""
    return {
        "hold_out": score.hold_out, "what": score.what,
        "model": score.model, "log_likelihood_per_read": score.log_likelihood, "reads": score.reads,
        "against": score.against,
        "difference": [each if math.isfinite(each) else None for each in (score.difference, score.low, score.high)],
    }  # fmt: skip


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value  # JSON has no NaN
