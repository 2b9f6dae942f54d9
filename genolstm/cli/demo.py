"""``genolstm demo``: every main command on a small simulated organism."""

import gzip
import logging
import re
import shlex
import sys
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from genolstm.cli.options import Quiet

SHAPE = ("--hidden", "128", "--bases", "6M", "--train-contigs", "chrA,chrB", "--test-contigs", "chrC")
TITLE = "A made organism"
# what a step has found out: a verdict, held-out bits beside their baseline, its last line
KEY_LINE = re.compile(r"; trained states |^test: .* bits/|^held out for testing: |^wrote \S+\.(h5|html|vcf\.gz): ")
HOURS = ("00", "01", "04", "16")  # after the label, of the methylation time course


# main result of a step -> what it does, with every term at its first use
WORDS = {
    "genome.h5": "the FASTA is read once, into one file that all other commands read",
    "model.h5": "an LSTM learns to predict the next base of chrA and chrB; chrC is held out. bits/base: what it needs"
    " to write down a base that it never saw, 2 without any knowledge, less is better. Markov models, which count what"
    " follows the last k bases, are what it has to beat",
    "splice.h5": "a probe: can a linear classifier read splice sites from the model's states, which were never told of"
    " any? AUPRC: 1 is perfect, the fraction of true sites is chance. gain: the 95 % interval of the difference to the"
    " strongest control lies above 0; controls are random-init models (untrained_1 to _3) and the sequence itself",
    "protein.h5": "the same for what the residues so far add up to (R2: fraction of variance that is predicted)."
    " 'no gain' and 'worse' are printed as plainly as 'gain'",
    "score.h5": "bits of every base of both strands; bits.bw is a track for a genome browser",
    "gates.h5": "how long it remembers: functional memory is what emptying the state every K bases costs, a half-life"
    " the bases after which a unit has forgotten half",
    "variants.vcf.gz": "by how many bits each allele makes the sequence less likely",
    "atac.h5": "ATAC-seq reads become a track of cuts at each base",
    "access.h5": "open chromatin from the states: its peaks, and how many cuts (signal). 'cannot tell': too few true"
    " windows for a verdict",
    "counts.h5": "methylation: modified and covered reads of each CpG, at four times after replication",
    "fit.h5": "how fast each CpG regains its methylation: a rate k, and the half-life ln 2 / k",
    "report.html": "everything on one page, verdicts first",
}


class Step(NamedTuple):
    """One command of the demo. results : files that it writes, the main one first.   computes : takes --threads."""

    arguments: tuple[str, ...]
    results: tuple[Path, ...]
    computes: bool = True

    @property
    def words(self) -> str:
        """What it does, with every term at its first use."""
        return WORDS[self.results[0].name]


def steps_of(folder: Path, example: Path) -> list[Step]:
    """Every command of the demo, in order."""

    def made(*names: str) -> tuple[Path, ...]:
        return tuple(folder / name for name in names)

    genome, model = str(folder / "genome.h5"), str(folder / "model.h5")
    genes = str(example / "genes.gff3")
    (splice, score, bigwig, gates, vcf) = made("splice.h5", "score.h5", "bits.bw", "gates.h5", "variants.vcf.gz")
    (protein, track, access, counts, fit) = made("protein.h5", "atac.h5", "access.h5", "counts.h5", "fit.h5")
    report = folder / "report.html"
    peaks = str(example / "peaks.narrowPeak")
    courses = [str(example / "methylation" / f"t{hours}h.bam") for hours in HOURS]
    return [
        Step(("ingest", str(example / "genome.fa.gz"), "-o", genome), made("genome.h5"), computes=False),
        Step(("train", genome, "-o", model, *SHAPE), made("model.h5")),
        Step(
            ("probe", "splice", model, "--genome", genome, "--annotation", genes, "-o", str(splice),
             "--components", "32"),
            (splice,),
        ),
        Step(
            ("probe", "protein", model, "--genome", genome, "--annotation", genes, "-o", str(protein)), (protein,)
        ),
        Step(
            ("score", model, genome, "-o", str(score), "--annotation", genes, "--bigwig", str(bigwig)), (score, bigwig)
        ),
        Step(("gates", model, genome, "-o", str(gates)), (gates,)),
        Step(("variants", model, genome, str(example / "variants.vcf"), "-o", str(vcf)), (vcf,)),
        Step(("track", str(example / "atac.bam"), "--genome", genome, "-o", str(track)), (track,), computes=False),
        Step(
            ("probe", "accessibility", model, "--genome", genome, "--track", str(track), "--peaks", peaks,
             "-o", str(access)),
            (access,),
        ),
        Step(
            ("methylation", "count", *courses, "--genome", genome, "--merge-strands", "-o", str(counts)),
            (counts,), computes=False,
        ),
        Step(
            ("methylation", "fit", str(counts), "--times", ",".join(str(int(hours)) for hours in HOURS),
             "--time-offset", "0.5", "-o", str(fit)),
            (fit,),
        ),
        Step(
            ("report", genome, model, *map(str, (splice, protein, score, gates, track, access, counts, fit)),
             "-o", str(report), "--title", TITLE),
            (report,), computes=False,
        ),
    ]  # fmt: skip


def demo(
    ctx: typer.Context,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the results; made when missing.", show_default=False)
    ],
    threads: Annotated[
        int,
        typer.Option("--threads", "-t", min=0, help="CPU threads; a model this small gains nothing from more than 1."),
    ] = 1,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace results of an earlier demo.")] = False,
    quiet: Quiet = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="All that each step logs, and the bundled models first.")
    ] = False,
) -> None:
    """Run every main command on a simulated organism of 1 Mb, ending in a report: about four minutes.

    Every step is an ordinary command, shown as it runs below a line on what it does, with its verdicts and its last
    line: the same lines work on your own genome.

    A demo that was stopped can be resumed: the same command again skips what is complete.

    Example: genolstm demo -o demo
    """
    from genolstm.errors import UsageError

    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file; name a folder for the demo's results.")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise UsageError(f"folder {output} cannot be made ({problem.strerror}); name another.") from problem
    steps = steps_of(output, _example_data())
    ahead = steps if force else _not_done(steps)  # before the first step, not after it
    if not quiet:
        if verbose:
            typer.echo("\nwhat the bundled fission-yeast models have learned; each can be used by its name:", err=True)
            _run(ctx, "models")
            typer.echo("\nnow the same steps on a simulated organism, starting from its sequence:", err=True)
        if len(ahead) < len(steps):
            typer.echo(
                f"{len(steps) - len(ahead)} of {len(steps)} steps are complete and are left as they are", err=True
            )
    for step in ahead:
        replaced = force or any(file.exists() for file in step.results)
        resumed = step.arguments[0] == "train" and not force and _resume_path(step.results[0]).exists()
        if not quiet:
            typer.echo(f"\n# {step.words}", err=True)
        with nullcontext() if verbose else _key_lines():
            _run(
                ctx, *step.arguments, *(["--resume"] if resumed else []), *(["--force"] if replaced else []),
                *(["--quiet"] if quiet else []), *(["--threads", str(threads)] if step.computes else []),
            )  # fmt: skip
    if not quiet:
        typer.echo(
            "\nthe organism is simulated (see example_data/README.md);"
            f" open {output / 'report.html'} in a browser, and inspect any file with 'genolstm show'."
            " 'genolstm models' lists models of a real genome.",
            err=True,
        )


@contextmanager
def _key_lines() -> Iterator[None]:
    """Let the steps log their verdicts and what they wrote, and nothing else."""

    def is_key(record: logging.LogRecord) -> bool:
        return record.levelno > logging.INFO or KEY_LINE.search(record.getMessage()) is not None

    log = logging.getLogger("genolstm")
    log.addFilter(is_key)
    try:
        yield
    finally:
        log.removeFilter(is_key)


def _not_done(steps: list[Step]) -> list[Step]:
    """Steps whose results are not all there, or follow from one that has to be made anew.

    Raises UsageError for a file that stands where a result belongs and that this demo did not make.
    """
    from genolstm.store.files import refuse_existing

    ahead: list[Step] = []
    for step in steps:
        for file in step.results:
            if not _made_by(file, step):
                refuse_existing(file, force=False)
        made_anew = {str(file) for earlier in ahead for file in earlier.results}
        if made_anew & set(step.arguments) or not all(file.exists() for file in step.results):
            ahead.append(step)
    return ahead


def _made_by(file: Path, step: Step) -> bool:
    """Whether a file is complete and records that this step made it, with this version."""
    from genolstm import __version__
    from genolstm.errors import InputError
    from genolstm.store.file_info import read_file_info

    if not file.is_file():
        return False
    try:
        if file.suffix == ".h5":
            about = read_file_info(file)
            return about.genolstm_version == __version__ and _is_step(about.command, step.arguments)
        if file.suffix == ".gz":
            with gzip.open(file, "rt", encoding="utf-8") as lines:
                texts = [line.strip() for line in lines if line.startswith("##")]
            return any(_is_step(text[text.find("genolstm ") :].strip('"'), step.arguments) for text in texts)
        if file.suffix == ".html":
            return f"<title>{TITLE}" in file.read_text(encoding="utf-8")
    except (InputError, OSError, EOFError, zlib.error, UnicodeDecodeError):
        return False
    return _made_by(step.results[0], step)  # a bigWig holds no provenance: the file beside it decides


def _is_step(command: str, arguments: Collection[str]) -> bool:
    """Whether a command line is that of a step, whatever was given for --threads and the like."""
    try:
        parts = shlex.split(command)
    except ValueError:
        return False
    return parts[: len(arguments) + 1] == ["genolstm", *arguments]


def _resume_path(model: Path) -> Path:
    from genolstm.cli.train import resume_path

    return resume_path(model)


@contextmanager
def _called_as(*arguments: str) -> Iterator[None]:
    """Let a command run as if it had been typed: its files then carry the line that makes them again."""
    before = sys.argv
    sys.argv = [before[0], *arguments]
    try:
        yield
    finally:
        sys.argv = before


def _example_data() -> Path:
    """Folder of the example data: inside an installed package, beside the package in a checkout."""
    import genolstm

    package = Path(genolstm.__file__).parent
    inside = package / "example_data"
    return inside if inside.is_dir() else package.parent / "example_data"


def _run(ctx: typer.Context, *arguments: str) -> None:
    """Run another command of the program that runs this one."""
    if "--quiet" not in arguments:
        typer.echo(f"$ genolstm {shlex.join(arguments)}", err=True)
    with _called_as(*arguments):
        code = ctx.find_root().command.main(list(arguments), standalone_mode=False)
    if code:
        raise typer.Exit(code)  # stopped by a signal
