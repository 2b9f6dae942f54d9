"""``genolstm sample``: sequences that a model writes, and what they are like."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolstm.cli.command import command
from genolstm.cli.options import ComputeOptions, Model, Output, RunOptions, refuse_all
from genolstm.cli.terminal import ProgressLine, Task, log
from genolstm.errors import InputError, UsageError
from genolstm.settings.explaining import SampleSettings
from genolstm.settings.option import option

if TYPE_CHECKING:
    from genolstm.explaining.sample_check import SampleCheck
    from genolstm.store.checkpoint import Checkpoint

MOST_SYMBOLS = 1_000_000_000  # drawn by one command: they and their random numbers are held in memory


@dataclass(frozen=True, kw_only=True)
class SampleFiles:
    """Files beside the model and its samples."""

    prompt: Path | None = option(None, "FASTA with one sequence, read before the first symbol is drawn.")
    check: Path | None = option(
        None, "Genome file: hold the samples against its held-out sequence and a Markov model; see --table."
    )
    table: Path | None = option(None, "Write the table of --check as TSV.")


@command(settings_file=True)
def sample(
    model: Model,
    output: Output,
    settings: SampleSettings,
    files: SampleFiles,
    compute: ComputeOptions,
    run: RunOptions,
) -> None:
    """Draw sequences from a model, symbol by symbol, as FASTA (.gz: bgzip).

    With --check: GC, k-mer spectra (k 1 to 6), repeats and reading frames of the samples beside those of held-out
    sequence (twice: the second draw shows what chance does) and of samples of an interpolated Markov model; samples
    that stand nearly whole in the training sequence are named.

    Example: genolstm sample model.h5 -n 100 --length 2k -o samples.fa --check genome.h5 --table check.tsv
    """
    from genolstm.alphabet import decode
    from genolstm.explaining.sampling import sample as draw_samples
    from genolstm.model import trained_model
    from genolstm.store.checkpoint import read_checkpoint
    from genolstm.writers.fasta import write_fasta

    task = Task("sample", run, seed=settings.seed)
    if files.table and not files.check:
        raise UsageError("--table is the table of --check: name a genome file there.")
    refuse_all([output, files.table], [model, files.prompt, files.check], run)
    if settings.number * settings.length > MOST_SYMBOLS:
        raise UsageError(
            f"{settings.number:,} sequences of {settings.length:,} symbols do not fit into memory; draw at most"
            f" {MOST_SYMBOLS:,} symbols at a time, with another --seed each."
        )
    checkpoint = read_checkpoint(model)
    on = task.use_device(compute.device, compute.threads)
    network = trained_model(checkpoint.model, checkpoint.weights).to(on)
    prompt = _prompt(files.prompt, checkpoint) if files.prompt else None
    opened = _genome(files.check, checkpoint, model) if files.check else None
    with ProgressLine("sample", unit=f"{network.alphabet.unit}s", quiet=run.quiet) as line:
        found = draw_samples(network, settings, prompt=prompt, on_progress=line.show)
    about = f"{model.stem} temperature={settings.temperature:g} seed={settings.seed}"
    about += f" prompt={len(prompt)}" if prompt is not None else ""
    write_fasta(
        output,
        ((f"sample_{row + 1} {about}", decode(codes, network.alphabet)) for row, codes in enumerate(found.codes)),
    )
    summary: dict[str, Any] = {
        "sequences": settings.number, "length": settings.length, "bits_per_base": found.bits, "entropy": found.entropy
    }  # fmt: skip
    if opened is not None and files.check:
        summary["check"] = _check(found.codes, opened, checkpoint, settings, files.table)
    unit = network.alphabet.unit
    message = (
        f"{settings.number:,} sequences of {settings.length:,} {unit}s, {found.bits:.4f} bits/{unit} under the model,"
        f" whose entropy there is {found.entropy:.4f}"
    )
    task.done(output, {}, summary, message=message)


def _prompt(path: Path, checkpoint: "Checkpoint") -> Any:  # noqa: ANN401  (codes; numpy is imported late)
    """Codes of the one sequence of a FASTA file. Raises InputError for none, several, or letters that are none."""
    import numpy as np

    from genolstm.alphabet import ALPHABETS
    from genolstm.readers.fasta import read_fasta

    blocks = list(read_fasta(path, ALPHABETS[checkpoint.model.alphabet]))
    if sum(block.starts_record for block in blocks) > 1:
        raise InputError(f"{path} holds several sequences, and a prompt is one; keep the one to read.")
    return np.concatenate([block.codes for block in blocks])


def _genome(path: Path, checkpoint: "Checkpoint", model: Path) -> Any:  # noqa: ANN401
    from genolstm.store.checkpoint import check_alphabet
    from genolstm.store.genome import open_genome

    opened = open_genome(path)
    check_alphabet(checkpoint, model, opened)
    if opened.alphabet.complement is None:
        raise InputError(
            f"{path} holds proteins, and --check is of GC, k-mers and reading frames of DNA; leave it out."
        )
    return opened


def _check(codes: Any, genome: Any, checkpoint: Any, settings: SampleSettings, table: Path | None) -> dict[str, Any]:  # noqa: ANN401
    """Log and write the comparison; as plain values."""
    from genolstm.explaining.sample_check import SPECTRA, check_samples
    from genolstm.seen import seen_in
    from genolstm.writers.tables import write_table

    found: SampleCheck = check_samples(codes, genome, seen_in(checkpoint, genome), settings)
    log.info("held-out sequence is from %s; the Markov model is counted on %s", found.held_out_from, found.markov_from)
    for row in found.sets:
        log.info(
            "  %-14s GC %.4f, divergence of k-mers %s, repeats %.4f, longest frames: median %g codons, at most %d",
            row.name, row.gc, " ".join(f"{value:.5f}" for value in row.divergence), row.repeats, row.orf_median,
            row.orf_longest,
        )  # fmt: skip
    if found.nearly_whole is None:
        log.info("whether samples stand in training sequence is not known: the genome does not hold all of it")
    else:
        for number, fraction in found.nearly_whole:
            log.warning("sample_%d stands nearly whole in training sequence (%.0f %%)", number + 1, 100 * fraction)
    if table:
        names = ("name", "sequences", "bases", "gc", "repeats", "orf_median", "orf_longest")
        columns: list[tuple[str, Any]] = [(name, [getattr(row, name) for row in found.sets]) for name in names]
        columns += [
            (f"divergence_{k}", [f"{row.divergence[at]:.6g}" for row in found.sets]) for at, k in enumerate(SPECTRA)
        ]
        write_table(table, columns)
        log.info("wrote %s", table)
    return {
        "sets": [row._asdict() for row in found.sets], "held_out_from": found.held_out_from,
        "markov_from": found.markov_from, "nearly_whole": found.nearly_whole,
    }  # fmt: skip
