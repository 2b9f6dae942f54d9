"""``genolstm methylation simulate``: counts of CpGs whose gates are known."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from genolstm.cli.command import command
from genolstm.cli.options import Output, RunOptions, refuse_all
from genolstm.cli.terminal import Task
from genolstm.settings.methylation import SimulateSettings
from genolstm.settings.option import option


@dataclass(frozen=True, kw_only=True)
class TrueGates:
    """True gates that all CpGs have: k and g, or mu and delta of a division."""

    rate: float | None = option(None, "Rate k of every CpG, per unit of time.")
    steady: float | None = option(None, "Steady fraction g of every CpG.")
    mu: float | None = option(None, "Maintenance: fraction of methylated CpGs that a division keeps.")
    delta: float | None = option(None, "Gain: fraction of unmethylated CpGs that a division methylates.")


@command(settings_file=True)
def simulate(
    output: Output,
    gates: TrueGates,
    settings: SimulateSettings,
    run: RunOptions,
    rates: Annotated[
        Path | None, typer.Option("--rates", help="TSV with contig, position, rate_per_hour, steady_fraction.")
    ] = None,
    truth: Annotated[Path | None, typer.Option("--truth", help="Also write the gates of every CpG as TSV.")] = None,
) -> None:
    """Simulate read counts of CpGs whose gates are known, to test a fit on.

    Gates are given as --rate and --steady, as --mu and --delta of a division, or for each CpG in a table (--rates).

    Example: genolstm methylation simulate --rate 0.3 --steady 0.8 --time-offset 0.5 -o counts.h5
    """
    from genolstm.methylation.simulate import simulated_counts, truth_of
    from genolstm.readers.rate_tables import read_rates
    from genolstm.seeds import spawn
    from genolstm.store.counts import write_counts
    from genolstm.store.files import Records, file_sha256
    from genolstm.writers.tables import write_table

    task = Task("methylation simulate", run, seed=settings.seed)
    refuse_all([output, truth], [rates], run)
    table = read_rates(rates, settings.unit.removesuffix("s")) if rates else None
    given = dataclasses.asdict(gates)
    true = truth_of(table, settings, **given, rng=spawn(settings.seed, "gates"))
    counts = simulated_counts(true, settings, spawn(settings.seed, "reads"))
    records = Records(read=len(counts), used=len(counts))
    inputs = {"rates": file_sha256(rates)} if rates else {}
    write_counts(output, counts, records, task.provenance({**dataclasses.asdict(settings), **given}, inputs))
    if truth:
        write_table(truth, true.columns(settings.unit))
    calls, modified = int(counts.covered.sum()), int(counts.modified.sum())
    summary = {"sites": len(counts), "calls": calls, "modified": modified, "fraction": modified / max(1, calls)}
    task.done(output, records.to_json(), summary, message=f"{len(counts):,} CpGs, {calls:,} calls")
