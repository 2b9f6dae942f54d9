"""One check for all paths of a command, and the order in which its outputs get their names."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import typer

from genolstm.cli.help import PlainHelpCommand
from genolstm.errors import UsageError
from genolstm.outputs import hold, release, same_file

MAIN = "output"
BESIDE = (  # further outputs, each one file
    "bigwig", "h5ad", "bedmethyl", "table", "truth", "figure", "bed", "splice_scores", "recall_track",
)  # fmt: skip
MANY = (
    "bigwig_dir",
    "bedgraph_prefix",
    "bigwig_prefix",
    "multiqc",
    "probabilities",
)  # folders, and beginnings of names
VCF_INDEXES, RESUME = (".tbi", ".csi"), ".resume"


class Named(NamedTuple):
    """A path that a command was given, and the option or argument that gave it."""

    option: str
    path: Path


class PathCheckedCommand(PlainHelpCommand):
    """A command that starts only when none of its outputs is another output or an input, under whatever name.

    Where there are several outputs the main one gets its name last, see `outputs.hold`.
    """

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  (a typer.Context)
        """Check the paths, and run. Raises UsageError."""
        check_paths(ctx)
        main = ctx.params.get(MAIN)
        if not isinstance(main, Path) or all(ctx.params.get(name) is None for name in (*BESIDE, *MANY)):
            return super().invoke(ctx)
        hold(main)
        try:
            return super().invoke(ctx)
        finally:
            release(main)


def check_paths(context: typer.Context) -> None:
    """Refuse a command one of whose outputs is another output or an input. Raises UsageError."""
    paths = list(_paths(context))
    outputs = [each for each in paths if _is_output(each)]
    inputs = [each for each in paths if not _is_output(each)]
    for one, other in combinations(outputs, 2):
        if same_file(one.path, other.path):
            raise UsageError(f"{one.option} and {other.option} both name {one.path}; name two files.")
    for made in (each for output in outputs for each in _with_derived(output, context)):
        for given in inputs:
            if same_file(made, given.path):
                raise UsageError(f"output {made} is also an input; name another.")


def _paths(context: typer.Context) -> Iterator[Named]:
    for name, value in context.params.items():
        option = f"--{name.removesuffix('_file').replace('_', '-')}"
        for path in value if isinstance(value, list | tuple) else (value,):
            if isinstance(path, Path) and path != Path("-") and name not in MANY:
                yield Named(option, path)


def _is_output(given: Named) -> bool:
    return given.option.removeprefix("--").replace("-", "_") in {MAIN, *BESIDE}


def _with_derived(output: Named, context: typer.Context) -> Iterator[Path]:
    """An output and what is written beside it under names of its own."""
    path = output.path
    yield path
    if output.option == f"--{MAIN}":
        endings = VCF_INDEXES if context.info_name == "variants" else (RESUME,) if context.info_name == "train" else ()
        yield from (path.with_name(path.name + ending) for ending in endings)
