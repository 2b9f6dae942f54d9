"""``genolstm variants``: how each variant changes the predictions and states of a model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genolstm.cli.command import command
from genolstm.cli.options import ComputeOptions, GenomeFile, Model, Output, RunOptions, refuse_all
from genolstm.cli.terminal import ProgressLine, Task, log, report_memory
from genolstm.settings.reading import VariantSettings

if TYPE_CHECKING:
    from genolstm.variants.annotated import AnnotationResult

CONTIGS_LOGGED = 8


@command()
def variants(
    model: Model,
    genome: GenomeFile,
    vcf: Annotated[Path, typer.Argument(help="VCF (plain, gzip or bgzip) or BCF; - is stdin.", show_default=False)],
    output: Output,
    settings: VariantSettings,
    compute: ComputeOptions,
    run: RunOptions,
) -> None:
    """Score variants: how much less likely each alternative makes the sequence, and how far it moves the state.

    Written as INFO fields LSTM_LLR (bits, negative: less likely than REF) and LSTM_SHIFT, each also by strand, to
    .vcf, .vcf.gz (with a tabix index) or .bcf. Records keep their order and all that they hold. Alleles without a
    sequence, or whose REF is not in the genome, are counted and stay as they are.

    Example: genolstm variants model.h5 genome.h5 in.vcf.gz -o out.vcf.gz
    """
    from genolstm.model import trained_model
    from genolstm.regions import Part
    from genolstm.seen import seen_in
    from genolstm.store.checkpoint import check_alphabet, read_checkpoint
    from genolstm.store.files import file_sha256
    from genolstm.store.genome import open_genome
    from genolstm.variants.annotated import annotate
    from genolstm.writers.vcf import vcf_suffix

    task = Task("variants", run)
    vcf_suffix(output)
    refuse_all([output], [model, genome, vcf], run)
    checkpoint, opened = read_checkpoint(model), open_genome(genome)
    check_alphabet(checkpoint, model, opened)
    on = task.use_device(compute.device, compute.threads)
    notes = {
        "command": task.provenance({}, {}).command.encode("utf-8", "backslashreplace").decode(),
        "model_sha256": file_sha256(model),
        "genome_sha256": opened.sha256,
    }
    seen = seen_in(checkpoint, opened)
    if note := seen.sentence(str(genome), str(model)):
        log.warning("%s", note)
    with ProgressLine("variants", unit="bases", quiet=run.quiet) as line:
        outcome = annotate(
            vcf, output, trained_model(checkpoint.model, checkpoint.weights).to(on), opened, settings,
            trained=seen.split.of(Part.TRAIN), notes=notes, on_progress=line.show,
        )  # fmt: skip
    _report(outcome, vcf, genome, output, task)


def _report(outcome: "AnnotationResult", vcf: Path, genome: Path, output: Path, task: Task) -> None:
    """Log what was skipped and where first, what is not held out, and how exact the states are."""
    from genolstm.variants.records import DISAGREES

    tally, seams = outcome.tally, outcome.seams.to_json()
    alleles = tally.alleles
    for reason, place in tally.first.items():
        log.warning("%s: %s for %s, the first at %s", vcf, reason, _alleles(alleles.skipped[reason]), place)
    if tally.foreign:
        more = ", ..." if len(tally.foreign) > CONTIGS_LOGGED else ""
        log.warning("contigs that %s lacks: %s%s", genome, ", ".join(list(tally.foreign)[:CONTIGS_LOGGED]), more)
    if 2 * alleles.skipped.get(DISAGREES, 0) > alleles.read:
        log.warning("REF disagrees more often than not: is %s of the assembly in %s?", vcf, genome)
    if tally.on_seen:
        log.info(
            "%s of %s scored lie in stretches that the model was trained on (INFO flag LSTM_SEEN): not held out",
            f"{tally.on_seen:,}", _alleles(alleles.used),
        )  # fmt: skip
    if outcome.unsorted:
        log.warning(
            "%s is not sorted (first at %s), so %s has no index: sort it with 'bcftools sort'",
            vcf, outcome.unsorted, output,
        )  # fmt: skip
    report_memory(seams)
    summary = {
        "variants": tally.records,
        "alleles": alleles.used,
        "on_trained_contigs": tally.on_seen,
        "first_skipped": tally.first,
        "sorted": outcome.unsorted is None,
        "seams": seams,
    }
    message = f"{_alleles(alleles.used)} of {tally.records:,} records scored"
    task.done(output, alleles.to_json(), summary, message=message)


def _alleles(count: int) -> str:
    return f"{count:,} allele{'' if count == 1 else 's'}"
