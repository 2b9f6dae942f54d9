"""``genolstm methylation``: reads or count tables to counts, and what is fitted to counts."""

import typer

from genolstm.cli import (
    methylation_compare,
    methylation_count,
    methylation_fit,
    methylation_predict,
    methylation_simulate,
)
from genolstm.cli.help import GroupedHelp
from genolstm.cli.paths import PathCheckedCommand

app = typer.Typer(
    cls=GroupedHelp,
    help="Count modified bases, and fit the cell whose state is a methylation fraction to the counts.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root() -> None:
    """Count modified bases, and fit the cell whose state is a methylation fraction to the counts."""


app.command(cls=PathCheckedCommand)(methylation_count.count)
app.command(cls=PathCheckedCommand)(methylation_fit.fit)
app.command(cls=PathCheckedCommand)(methylation_simulate.simulate)
app.command(cls=PathCheckedCommand)(methylation_predict.predict)
app.command(cls=PathCheckedCommand)(methylation_compare.compare)
