"""``genolstm methylation simulate``: counts of CpGs whose gates are known."""

from pathlib import Path
from typing import Annotated

import typer

from genolstm.cli.options import chosen, refuse_all
from genolstm.cli.terminal import Force, Json, Output, Quiet, Seed, Task
from genolstm.settings.methylation import SimulateSettings, StrandState, TimeUnit

TIMES = ",".join(map("{:g}".format, SimulateSettings.times))


def simulate(
    ctx: typer.Context,
    output: Output,
    rate: Annotated[
        float | None, typer.Option("--rate", help="Rate k of every CpG, per unit of time.", show_default=False)
    ] = None,
    steady: Annotated[
        float | None, typer.Option("--steady", help="Steady fraction g of every CpG.", show_default=False)
    ] = None,
    mu: Annotated[
        float | None, typer.Option("--mu", help="Maintenance: share of methylated CpGs that a division keeps.")
    ] = None,
    delta: Annotated[
        float | None, typer.Option("--delta", help="Gain: share of unmethylated CpGs that a division methylates.")
    ] = None,
    rates: Annotated[
        Path | None, typer.Option("--rates", help="TSV with contig, position, rate_per_hour, steady_fraction.")
    ] = None,
    sites: Annotated[int, typer.Option("--sites", min=1, help="CpGs to make.")] = SimulateSettings.sites,
    times: Annotated[str, typer.Option("--times", help="Time of each sample.")] = TIMES,
    time_offset: Annotated[
        float, typer.Option("--time-offset", help="Added to every time.")
    ] = SimulateSettings.time_offset,
    unit: Annotated[TimeUnit, typer.Option("--unit", help="What times count.")] = SimulateSettings.unit,
    state: Annotated[
        StrandState, typer.Option("--state", help="What mu and delta move: a new strand, or a duplex's mean.")
    ] = SimulateSettings.state,
    coverage: Annotated[
        float, typer.Option("--coverage", min=0, help="Mean reads of a CpG and sample.")
    ] = SimulateSettings.coverage,
    even_coverage: Annotated[
        bool, typer.Option("--even-coverage", help="The same number of reads everywhere, not Poisson's.")
    ] = SimulateSettings.even_coverage,
    start_fraction: Annotated[
        float, typer.Option("--start-fraction", help="State at age 0.")
    ] = SimulateSettings.start_fraction,
    conversion_error: Annotated[
        float, typer.Option("--conversion-error", help="Chance that an unmethylated base reads methylated.")
    ] = SimulateSettings.conversion_error,
    dispersion: Annotated[
        float, typer.Option("--dispersion", help="Correlation of the reads of one CpG and sample.")
    ] = SimulateSettings.dispersion,
    spread: Annotated[
        float, typer.Option("--spread", min=0, help="Standard deviation of ln k and logit g among CpGs.")
    ] = SimulateSettings.spread,
    coupling_bp: Annotated[
        float, typer.Option("--coupling-bp", min=0, help="Distance over which neighbours share it; 0: not at all.")
    ] = SimulateSettings.coupling_bp,
    spacing_bp: Annotated[
        float, typer.Option("--spacing-bp", min=2, help="Mean distance between CpGs.")
    ] = SimulateSettings.spacing_bp,
    truth: Annotated[Path | None, typer.Option("--truth", help="Also write the gates of every CpG as TSV.")] = None,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="TOML file with any of these settings.")
    ] = None,
    seed: Seed = SimulateSettings.seed,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make read counts of CpGs whose gates are known: what a fit must find again.

    Gates are given as --rate and --steady, as --mu and --delta of a division, or for each CpG in a table (--rates).

    Example: genolstm methylation simulate --rate 0.3 --steady 0.8 --time-offset 0.5 -o counts.h5
    """
    import dataclasses

    from genolstm.methylation.simulate import simulated_counts, truth_of
    from genolstm.readers.rate_tables import read_rates
    from genolstm.seeds import spawn
    from genolstm.settings.quantities import parse_numbers
    from genolstm.store.counts import write_counts
    from genolstm.store.files import Records, file_sha256
    from genolstm.writers.tables import write_table

    task = Task("methylation simulate", quiet=quiet, seed=seed)
    refuse_all([output, *([truth] if truth else [])], [rates] if rates else [], force=force)
    options = {
        "sites": sites, "time_offset": time_offset, "unit": unit, "state": state, "coverage": coverage,
        "even_coverage": even_coverage, "start_fraction": start_fraction, "conversion_error": conversion_error,
        "dispersion": dispersion, "spread": spread, "coupling_bp": coupling_bp, "spacing_bp": spacing_bp, "seed": seed,
    }  # fmt: skip
    given = chosen(ctx, options, settings_file)
    settings = SimulateSettings(times=parse_numbers(times, "times"), **given)
    task.seed = settings.seed
    table = read_rates(rates, settings.unit.removesuffix("s")) if rates else None
    gates = truth_of(table, settings, rate=rate, steady=steady, mu=mu, delta=delta, rng=spawn(settings.seed, "gates"))
    counts = simulated_counts(gates, settings, spawn(settings.seed, "reads"))
    asked = {"rate": rate, "steady": steady, "mu": mu, "delta": delta}
    records = Records(read=len(counts), used=len(counts))
    inputs = {"rates": file_sha256(rates)} if rates else {}
    write_counts(output, counts, records, task.provenance({**dataclasses.asdict(settings), **asked}, inputs))
    if truth:
        write_table(truth, gates.columns(settings.unit))
    calls, modified = int(counts.covered.sum()), int(counts.modified.sum())
    summary = {"sites": len(counts), "calls": calls, "modified": modified, "fraction": modified / max(1, calls)}
    task.done(output, records.to_json(), summary, as_json=as_json, word=f"{len(counts):,} CpGs, {calls:,} calls")
