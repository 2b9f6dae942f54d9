"""``genolstm demo``: the whole path on a small made organism."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from genolstm.cli.terminal import Quiet

MODEL = ("--hidden", "128", "--bases", "6M", "--train-contigs", "chrA,chrB", "--test-contigs", "chrC")


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the results; made when missing.", show_default=False)
    ],
    threads: Annotated[
        int,
        typer.Option("--threads", "-t", min=0, help="CPU threads; a model this small gains nothing from more than 1."),
    ] = 1,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace results of an earlier demo.")] = False,
    quiet: Quiet = False,
) -> None:
    """Ingest, train and probe a made organism of 1 Mb: about two minutes.

    Every step is an ordinary command, shown as it runs: the same lines work on your own genome.

    Example: genolstm demo -o demo
    """
    from genolstm.errors import UsageError
    from genolstm.store.files import refuse_existing

    example = _example_data()
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file; name a folder for the demo's results.")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise UsageError(f"folder {output} cannot be made ({problem.strerror}); name another.") from problem
    files = [output / name for name in ("genome.h5", "model.h5", "splice.h5")]
    for file in files:  # before the first step, not after it
        refuse_existing(file, force=force)
    genome, model, splice = map(str, files)
    common = [*(["--force"] if force else []), *(["--quiet"] if quiet else [])]
    with_threads = [*common, "--threads", str(threads)]
    _run("ingest", str(example / "genome.fa.gz"), "-o", genome, *common)
    _run("train", genome, "-o", model, *MODEL, *with_threads)
    _run(
        "probe", "splice", model, "--genome", genome, "--annotation", str(example / "genes.gff3"), "-o", splice,
        *with_threads,
    )  # fmt: skip
    if not quiet:
        typer.echo(
            "the organism is made up (see example_data/README.md);"
            f" look into the results with 'genolstm show {splice}'",
            err=True,
        )


def _example_data() -> Path:
    """Folder of the example data: inside an installed package, beside the package in a checkout."""
    import genolstm

    package = Path(genolstm.__file__).parent
    inside = package / "example_data"
    return inside if inside.is_dir() else package.parent / "example_data"


def _run(*arguments: str) -> None:
    from genolstm.cli.app import app

    if "--quiet" not in arguments:
        typer.echo(f"\n$ genolstm {shlex.join(arguments)}", err=True)
    if code := app(list(arguments), standalone_mode=False):
        raise typer.Exit(code)  # stopped by a signal
