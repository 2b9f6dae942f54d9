"""Arguments and options that many commands take, and the regions of a genome that they select."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genolstm.cli.figures import check_figure
from genolstm.errors import UsageError
from genolstm.settings.option import LARGEST_SEED, option
from genolstm.settings.train import DeviceName
from genolstm.shipped import model_path

if TYPE_CHECKING:
    from genolstm.regions import Stretches
    from genolstm.store.files import Records
    from genolstm.store.genome import Genome

THREADS_HELP = "CPU threads; 0 takes what the job has (cores, quota, SLURM, OMP_NUM_THREADS), fewer for small steps."
Model = Annotated[
    Path,
    typer.Argument(
        parser=model_path,
        metavar="MODEL",
        help="Model file made by 'genolstm train', or the name of one that 'genolstm models' lists.",
        show_default=False,
    ),
]
GenomeFile = Annotated[Path, typer.Argument(help="Genome file made by 'genolstm ingest'.", show_default=False)]
Output = Annotated[
    Path, typer.Option("--output", "-o", help="File to write; it appears only when complete.", show_default=False)
]
Regions = Annotated[
    list[str] | None,
    typer.Option(
        "--region", help="Only this region, as I:1,001-2,000 (from 1, both ends in it) or I; may be given again."
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Same seed, same result.")]
Threads = Annotated[
    int,
    typer.Option(
        "--threads",
        "-t",
        min=0,
        help=THREADS_HELP,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Log nothing but warnings and errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object on stdout.")]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of nearly every command: may outputs be replaced, what is logged, is the summary printed."""

    figure: Path | None = None  # an option of `ResultOptions` alone
    force: bool = option(False, "Replace an output that exists.", "--force", "-f")
    quiet: bool = option(False, "Log nothing but warnings and errors.", "--quiet", "-q")
    as_json: bool = option(False, "Print the summary as one JSON object on stdout.", "--json")


@dataclass(frozen=True, kw_only=True)
class ResultOptions(RunOptions):
    """The same, of a command whose result can be drawn."""

    figure: Path | None = option(
        None,
        "Also draw the result: .svg, .png or .pdf by the ending. The first picture goes to this file, further ones"
        " beside it, as NAME-calibration.svg and the like.",
    )


@dataclass(frozen=True, kw_only=True)
class ComputeOptions:
    """Where a command computes."""

    threads: int = option(
        0,
        THREADS_HELP,
        "--threads",
        "-t",
        min=0,
    )
    device: DeviceName = option(DeviceName.AUTO, "Where to compute; auto takes CUDA when there is one.")


def chosen_stretches(texts: list[str] | None, genome: "Genome") -> "tuple[Stretches, Records]":
    """Stretches of the regions given, all of the genome where none are, and how many contigs they leave out."""
    from genolstm.readers.region_text import parse_region
    from genolstm.regions import Region, stretches_of
    from genolstm.store.files import Records

    regions = [parse_region(text, genome.length_of) for text in texts or ()]
    regions = regions or [Region(contig=name, start=0, end=length) for name, length in genome.length_of.items()]
    stretches = stretches_of(regions, genome.names)
    records = Records(read=len(genome.names), used=len(stretches.names()))
    if left_out := len(genome.names) - records.used:
        records.skipped["contigs outside the regions asked for"] = left_out
    return stretches, records


def refuse_all(outputs: Iterable[Path | None], inputs: Iterable[Path | None], run: RunOptions) -> None:
    """Stop before any work when an output or the pictures of --figure cannot be written. Raises UsageError."""
    from genolstm.store.files import refuse_existing

    targets, sources = ([path for path in paths if path] for paths in (outputs, inputs))
    if len({path.resolve() for path in targets}) < len(targets):
        raise UsageError("two outputs have one name; name each its own.")
    for path in targets:
        refuse_existing(path, force=run.force, inputs=sources)
    check_figure(run.figure, force=run.force, inputs=[*sources, *targets])
