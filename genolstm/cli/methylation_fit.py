"""``genolstm methylation fit``: the constrained cell against read counts."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.figures import Figure, check_figure, draw
from genolstm.cli.options import chosen, refuse_all
from genolstm.cli.terminal import Force, Json, Output, ProgressLine, Quiet, Seed, Task, Threads, log
from genolstm.settings.methylation import (
    FitModel,
    HeldOutSettings,
    MethylationSettings,
    PooledSettings,
    ReadLikelihood,
    StartState,
    StrandState,
    TimeUnit,
)
from genolstm.settings.train import DeviceName

if TYPE_CHECKING:
    from genolstm.store.counts import Counts
    from genolstm.store.methylation import HeldOutScore, MethylationFit

TRACKS = ("rate", "steady", "half_life")  # columns of a fit that make a track


def fit(
    ctx: typer.Context,
    counts: Annotated[
        list[Path],
        typer.Argument(
            help="Counts files of 'genolstm methylation count', samples in order of age.", show_default=False
        ),
    ],
    times: Annotated[str, typer.Option("--times", help="Time of each sample, as 0,1,4,16.", show_default=False)],
    output: Output,
    time_offset: Annotated[
        float, typer.Option("--time-offset", help="Added to every time: the age of the strands at time 0.")
    ] = MethylationSettings.time_offset,
    unit: Annotated[
        TimeUnit, typer.Option("--unit", help="What times are counted in; divisions also gives mu and delta.")
    ] = MethylationSettings.unit,
    model: Annotated[
        FitModel, typer.Option("--model", help="site: each CpG alone; pooled: a network gives it a prior.")
    ] = MethylationSettings.model,
    start: Annotated[
        StartState, typer.Option("--start", help="zero: unmethylated at age 0, as a nascent strand; free: fitted.")
    ] = MethylationSettings.start,
    state: Annotated[
        StrandState, typer.Option("--state", help="Whose methylation: a new strand's, or a duplex's mean (mu, delta).")
    ] = MethylationSettings.state,
    likelihood: Annotated[
        ReadLikelihood, typer.Option("--likelihood", help="How reads scatter about the methylation.")
    ] = MethylationSettings.likelihood,
    conversion_error: Annotated[
        float, typer.Option("--conversion-error", help="Chance that an unmethylated base reads methylated.")
    ] = MethylationSettings.conversion_error,
    dispersion: Annotated[
        str,
        typer.Option("--dispersion", help="Beta-binomial: correlation of reads of one CpG and sample; or estimate."),
    ] = MethylationSettings.dispersion,
    rate_low: Annotated[
        float, typer.Option("--rate-low", help="Lower bound of the rate k, per unit of time.")
    ] = MethylationSettings.rate_low,
    rate_high: Annotated[float, typer.Option("--rate-high", help="Upper bound of k.")] = MethylationSettings.rate_high,
    steady_low: Annotated[
        float, typer.Option("--steady-low", help="Lower bound of the steady fraction g.")
    ] = MethylationSettings.steady_low,
    steady_high: Annotated[
        float, typer.Option("--steady-high", help="Upper bound of g.")
    ] = MethylationSettings.steady_high,
    level: Annotated[float, typer.Option("--level", help="Level of the intervals.")] = MethylationSettings.level,
    min_reads: Annotated[
        int, typer.Option("--min-reads", min=1, help="CpGs with fewer are flagged.")
    ] = MethylationSettings.min_reads,
    width: Annotated[
        int, typer.Option("--width", min=1, help="Pooled: units of each of the network's two LSTMs.")
    ] = PooledSettings.width,
    epochs: Annotated[
        int, typer.Option("--epochs", min=1, help="Pooled: passes over the CpGs.")
    ] = PooledSettings.epochs,
    folds: Annotated[
        int, typer.Option("--folds", min=1, help="Pooled: networks; each judges CpGs that it was not trained on.")
    ] = PooledSettings.folds,
    draws: Annotated[
        int, typer.Option("--draws", min=1, help="Pooled: draws of each CpG's posterior to keep.")
    ] = PooledSettings.draws,
    states: Annotated[
        Path | None, typer.Option("--states", help="Pooled: hidden states at the sites, from 'genolstm embed'.")
    ] = None,
    components: Annotated[
        int, typer.Option("--components", min=1, help="Pooled: principal components of --states to use.")
    ] = PooledSettings.components,
    hold_out: Annotated[
        str,
        typer.Option("--hold-out", help="Judge on held-out reads first: reads:0.2, or sample:3 for a whole sample."),
    ] = HeldOutSettings.hold_out,
    block_bp: Annotated[
        int,
        typer.Option("--block-bp", min=1, help="Genome that the bootstrap of --hold-out draws together, at most."),
    ] = HeldOutSettings.block_bp,
    resamples: Annotated[
        int, typer.Option("--resamples", min=20, help="Bootstrap resamples of --hold-out.")
    ] = HeldOutSettings.resamples,
    table: Annotated[Path | None, typer.Option("--table", help="Also write one row a CpG as TSV.")] = None,
    bedgraph_prefix: Annotated[
        str | None, typer.Option("--bedgraph-prefix", help="Also write PREFIX.rate.bedgraph, .steady, .half_life.")
    ] = None,
    bigwig_prefix: Annotated[
        str | None,
        typer.Option("--bigwig-prefix", help="Also write PREFIX.rate.bw, .steady, .half_life; needs --genome."),
    ] = None,
    genome: Annotated[
        Path | None, typer.Option("--genome", help="Genome file, for the lengths that a bigWig needs.")
    ] = None,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="TOML file with any of these settings.")
    ] = None,
    seed: Seed = MethylationSettings.seed,
    threads: Threads = 0,
    figure: Figure = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Fit the methylation cell to read counts over time: rate k, steady fraction g and half-life of every CpG.

    A nascent strand gains methylation as m(t) = g (1 - exp(-k t)); its half-life is ln 2 / k. Intervals are by profile
    likelihood (site) or of the posterior (pooled), and flags tell what the reads cannot. k is sought from --rate-low to
    --rate-high, by default the grid of the published chr21 fit, 0.01 to 10 per hour: widen it for other clocks.

    Example: genolstm methylation fit counts.h5 --times 0,1,4,16 --time-offset 0.5 -o fit.h5 --table fit.tsv
    """
    import numpy as np

    from genolstm.methylation.fitting import fit_counts, log_likelihood_per_read, site_records, states_outside
    from genolstm.methylation.samples import by_age
    from genolstm.settings.quantities import parse_numbers
    from genolstm.store.files import file_sha256
    from genolstm.store.methylation import write_methylation
    from genolstm.threads import allotted_threads

    task = Task("methylation fit", quiet=quiet, seed=seed)
    extras = _extra_outputs(table, bedgraph_prefix, bigwig_prefix, genome)
    refuse_all([output, *extras.values()], [*counts, *(path for path in (genome, states) if path)], force=force)
    check_figure(figure, force=force, inputs=[*counts, output])
    options = {
        "model": model, "time_offset": time_offset, "unit": unit, "start": start, "state": state,
        "likelihood": likelihood, "conversion_error": conversion_error, "dispersion": dispersion,
        "rate_low": rate_low, "rate_high": rate_high, "steady_low": steady_low, "steady_high": steady_high,
        "level": level, "min_reads": min_reads, "seed": seed,
    }  # fmt: skip
    network = {"width": width, "epochs": epochs, "folds": folds, "draws": draws, "components": components}
    judged = {"hold_out": hold_out, "block_bp": block_bp, "resamples": resamples}
    given = chosen(ctx, {**options, **network, **judged}, settings_file)
    settings = MethylationSettings(times=parse_numbers(times, "times"), **{name: given[name] for name in options})
    pooled = PooledSettings(**{name: given[name] for name in network})
    judging = HeldOutSettings(**{name: given[name] for name in judged})
    task.seed = settings.seed
    both = _read(counts)
    by_age(both, settings.times)
    _warn_of_impossible(both, settings)
    lengths = _lengths(genome, both) if bigwig_prefix else {}
    extra = _extra(both, states, settings, pooled)
    task.use_device(DeviceName.CPU, threads)
    workers = threads or allotted_threads()
    held_out = _judge(both, settings, pooled, judging, extra, workers, quiet=quiet)
    with ProgressLine("fit", unit="CpGs", quiet=quiet) as line:
        found = fit_counts(both, settings, pooled, extra=extra, threads=workers, held_out=held_out, progress=line.show)
    records = site_records(found)
    saved = {**settings.to_json(), **pooled.to_json(), **judging.to_json()}
    inputs = {f"counts {place + 1}": file_sha256(path) for place, path in enumerate(counts)}
    if states:
        inputs["states"] = file_sha256(states)
    write_methylation(output, found, records, task.provenance(saved, inputs))
    _write_extras(found, settings, extras, lengths)
    draw(output, figure)
    per_read = log_likelihood_per_read(found)
    told_per_read = None if np.isnan(per_read) else per_read  # JSON knows no NaN
    summary: dict[str, Any] = {
        "sites": len(found), "fitted": records.used, "log_likelihood_per_read": told_per_read, **_shared(found),
        "clips": states_outside(found), "held_out": [_plain(score) for score in held_out],
        "flags": _flag_counts(found), "median_half_life": _median_half_life(found), "unit": found.unit,
    }  # fmt: skip
    word = f"{records.used:,} of {len(found):,} CpGs fitted, {per_read:.4f} nats a read"
    task.done(output, records.to_json(), summary, as_json=as_json, word=word)


def _read(paths: list[Path]) -> "Counts":
    from genolstm.methylation.samples import joined
    from genolstm.store.counts import read_counts

    both = joined([read_counts(path) for path in paths], [str(path) for path in paths])
    for sample, reads in zip(both.samples, both.covered.sum(axis=0).tolist(), strict=True):
        if not reads:
            log.warning("sample '%s' holds no reads: it says nothing of any CpG", sample)
    return both


def _warn_of_impossible(counts: "Counts", settings: MethylationSettings) -> None:
    """Say which reads no gates can explain: methylated ones at an age where nothing is methylated yet."""
    if settings.start is not StartState.ZERO or settings.conversion_error:
        return
    for sample, age, modified in zip(
        counts.samples, settings.elapsed, counts.modified.sum(axis=0).tolist(), strict=True
    ):
        if age == 0 and modified:
            log.warning(
                "sample '%s' holds %s methylated reads at age 0, where a new strand has none: add its age to all with"
                " --time-offset, or say how many reads are wrong with --conversion-error",
                sample,
                f"{modified:,}",
            )


def _extra(counts: "Counts", states: Path | None, settings: MethylationSettings, pooled: PooledSettings) -> Any:  # noqa: ANN401  (an array; numpy is imported late)
    """What the pooled model may know beside neighbours: hidden states, where they are given."""
    from genolstm.errors import UsageError
    from genolstm.methylation.fitting import check_pooled

    if settings.model is FitModel.POOLED:
        check_pooled(settings)
    if states is None:
        return None
    if settings.model is FitModel.SITE:
        raise UsageError("--states are for the pooled model: add --model pooled.")
    from genolstm.methylation.hidden_features import hidden_features
    from genolstm.store.hidden import read_hidden

    return hidden_features(counts, read_hidden(states), pooled.components, str(states))


def _extra_outputs(
    table: Path | None, bedgraph_prefix: str | None, bigwig_prefix: str | None, genome: Path | None
) -> dict[tuple[str, str], Path]:
    """(kind, column) -> path of every file beside the fit."""
    from genolstm.errors import UsageError

    if bigwig_prefix and genome is None:
        raise UsageError("--bigwig-prefix needs --genome: a bigWig holds the length of each contig.")
    found: dict[tuple[str, str], Path] = {("table", ""): table} if table else {}
    for kind, prefix, ending in (("bedgraph", bedgraph_prefix, "bedgraph"), ("bigwig", bigwig_prefix, "bw")):
        if prefix:
            found |= {(kind, name): Path(f"{prefix}.{name}.{ending}") for name in TRACKS}
    return found


def _lengths(genome: Path | None, counts: "Counts") -> dict[str, int]:
    """Length of each contig of the genome, which must hold those of the counts."""
    from genolstm.errors import InputError
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
    """Score the model and its rivals on held-out reads, when asked to, and say the table."""
    if judging.share is None and judging.sample is None:
        return ()
    from genolstm.methylation.held_out import judged

    with ProgressLine("held out", unit="CpGs", quiet=quiet) as line:
        scores = judged(counts, settings, pooled, judging, extra=extra, threads=threads, progress=line.show)
    for score in scores:
        log.info(
            "%-28s %-16s %.4f nats a read of %s; %+.4f [%+.4f, %+.4f] against %s",
            score.what, score.model, score.log_likelihood, f"{score.reads:,}", score.difference, score.low, score.high,
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
        "what": score.what, "model": score.model, "log_likelihood_per_read": score.log_likelihood, "reads": score.reads,
        "against": score.against,
        "difference": [each if math.isfinite(each) else None for each in (score.difference, score.low, score.high)],
    }  # fmt: skip


def _flag_counts(found: "MethylationFit") -> dict[str, int]:
    return {name: int(((found.flags & bit) > 0).sum()) for name, bit in found.flag_names.items()}


def _median_half_life(found: "MethylationFit") -> float | None:
    import numpy as np

    known = found.half_life[np.isfinite(found.half_life)]
    return float(np.median(known)) if known.size else None
