"""``genolstm methylation predict``: fractions at other times."""

from pathlib import Path
from typing import Annotated

import typer

from genolstm.cli.command import command
from genolstm.cli.options import RunOptions, refuse_all
from genolstm.cli.terminal import Task
from genolstm.errors import UsageError
from genolstm.settings.methylation import MethylationSettings, parse_times


@command()
def predict(
    fit: Annotated[Path, typer.Argument(help="Fit made by 'genolstm methylation fit'.", show_default=False)],
    times: Annotated[
        str, typer.Option("--times", help="When, on the clock of the fit's samples, as 2,8,24.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="TSV to write.", show_default=False)],
    run: RunOptions,
    level: Annotated[
        float, typer.Option("--level", min=0.01, max=0.999, help="Level of the intervals.")
    ] = MethylationSettings.level,
) -> None:
    """Predict the methylated fraction of every CpG at other times, with intervals, one row a CpG and time.

    Example: genolstm methylation predict fit.h5 --times 2,8,24 -o later.tsv
    """
    from genolstm.methylation.fitting import site_records
    from genolstm.methylation.predict import ages_of, predict_columns
    from genolstm.store.methylation import read_methylation
    from genolstm.writers.tables import write_table

    task = Task("methylation predict", run)
    refuse_all([output], [fit], run)
    found = read_methylation(fit)
    wanted = parse_times(times)
    if len(set(wanted)) < len(wanted):
        raise UsageError(f"times '{times}' name a time twice; name each once.")
    columns = predict_columns(found, wanted, ages_of(found, wanted), level)
    write_table(output, columns)
    records = site_records(found)
    rows = len(columns[0][1])
    summary = {"sites": len(found), "rows": rows, "times": list(wanted), "unit": found.unit}
    task.done(output, records.to_json(), summary, message=f"{rows:,} rows")
