"""``genolstm variants``: how each variant changes the predictions and states of a model."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.command import Given, command
from genolstm.cli.figures import draw
from genolstm.cli.options import (
    ComputeOptions,
    GenomeFile,
    Model,
    Output,
    Regions,
    ResultOptions,
    chosen_stretches,
    refuse_all,
)
from genolstm.cli.terminal import ProgressLine, Task, log, report_memory
from genolstm.errors import InputError, UsageError
from genolstm.settings.option import option
from genolstm.settings.reading import VariantSettings

if TYPE_CHECKING:
    from genolstm.explaining.labels import LabelledVariants
    from genolstm.model import NextSymbolModel
    from genolstm.seen import Seen
    from genolstm.store.genome import Genome
    from genolstm.variants.all_snvs import SnvResult
    from genolstm.variants.annotated import AnnotationResult
    from genolstm.variants.controls import VariantControls

CONTIGS_LOGGED = 8
HDF5 = ".h5"


@dataclass(frozen=True, kw_only=True)
class SnvOptions:
    """Every single-base change, in place of those of a VCF."""

    all_snvs: bool = option(False, "Score every single-base change of the regions (or the genome), without a VCF.")
    bigwig_prefix: Path | None = option(
        None,
        "With --all-snvs: also write the mean ratio of both strands, in bits, as PREFIX.A.bw, PREFIX.C.bw, PREFIX.G.bw"
        " and PREFIX.T.bw, by the new base.",
        "--bigwig",
    )


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """Labels of the variants of a VCF, by which the model is judged."""

    labels: str | None = option(
        None,
        "INFO field of the VCF, or its column ID, QUAL or FILTER (a flag, 1 and 0, or FIELD=VALUE for the value of"
        " positives): how well the ratios tell labelled single-base changes from others, and what they add to"
        " composition and the Markov model.",
    )
    block_bp: int = option(100_000, "Window of genome resampled together, for --labels.", min=1)


@command()
def variants(
    model: Model,
    genome: GenomeFile,
    output: Output,
    settings: VariantSettings,
    typed: Given,
    snvs: SnvOptions,
    judged: LabelOptions,
    compute: ComputeOptions,
    run: ResultOptions,
    vcf: Annotated[
        Path | None, typer.Argument(help="VCF (plain, gzip or bgzip) or BCF; - is stdin.", show_default=False)
    ] = None,
    region: Regions = None,
) -> None:
    """Score variants: how much less likely each alternative makes the sequence, and how far it moves the state.

    Written as INFO fields LSTM_LLR (bits, negative: less likely than REF) and LSTM_SHIFT, each also by strand, to
    .vcf, .vcf.gz (with a tabix index) or .bcf. Records keep their order and all that they hold. Alleles without a
    sequence, or whose REF is not in the genome, are counted and stay as they are. MARKOV_LLR is the same ratio under
    an interpolated Markov model; with --background, LSTM_PERCENTILE places a change among those of the same
    substitution and trinucleotide context on held-out sequence. --labels judges the model by a label that the
    records carry: it says gain only where the ratios add to substitution, trinucleotide, GC and the Markov model.

    With --all-snvs no VCF is read: every single-base change of the regions is scored, exactly as it would be from a
    VCF that held them all, and written to an .h5 file. That is 2 x 3 x (window + 9) steps of the model a base.

    Example: genolstm variants model.h5 genome.h5 in.vcf.gz -o out.vcf.gz; genolstm variants model.h5 genome.h5
    --all-snvs --region I:1,001-2,000 -o snvs.h5 --bigwig snvs --figure snvs.svg
    """  # fmt: skip
    from genolstm.model import trained_model
    from genolstm.regions import Part
    from genolstm.seen import seen_in
    from genolstm.store.checkpoint import check_alphabet, read_checkpoint
    from genolstm.store.files import file_sha256
    from genolstm.store.genome import open_genome
    from genolstm.variants.annotated import annotate
    from genolstm.variants.controls import controls_of

    task = Task("variants", run, seed=settings.seed)
    bigwigs = _outputs(vcf, output, snvs, region, run)
    labelled = _labelled(judged, snvs, settings)
    refuse_all([output, *bigwigs.values()], [model, genome, vcf], run)
    checkpoint, opened = read_checkpoint(model), open_genome(genome)
    check_alphabet(checkpoint, model, opened)
    if opened.alphabet.complement is None:
        raise InputError(f"{genome} holds proteins, and variants are changes of DNA; give a genome.")
    on = task.use_device(compute.device, compute.threads)
    settings = settings.suited(on.type, typed.values)
    seen = seen_in(checkpoint, opened)
    if note := seen.sentence(str(genome), str(model)):
        log.warning("%s", note)
    network = trained_model(checkpoint.model, checkpoint.weights).to(on)
    with ProgressLine("background", unit="bases", quiet=run.quiet) as line:
        controls = controls_of(network, opened, seen, settings, on_progress=line.show)
    for name, text in controls.notes.items():
        log.info("%s: %s", name.replace("_", " "), text)
    if vcf is None:
        _all_snvs(network, opened, seen, region, settings, controls, model, output, bigwigs, task)
        return
    notes = {
        "command": task.provenance({}, {}).command.encode("utf-8", "backslashreplace").decode(),
        "model_sha256": file_sha256(model),
        "genome_sha256": opened.sha256,
    }
    with ProgressLine("variants", unit="bases", quiet=run.quiet) as line:
        outcome = annotate(
            vcf, output, network, opened, settings,
            trained=seen.split.of(Part.TRAIN), notes=notes, controls=controls,
            on_scored=labelled.take if labelled else None, on_progress=line.show,
        )  # fmt: skip
    summary = _judged(labelled, opened, judged, settings.seed) if labelled else {}
    _report(outcome, vcf, genome, output, task, summary)


def _outputs(
    vcf: Path | None, output: Path, snvs: SnvOptions, region: list[str] | None, run: ResultOptions
) -> dict[str, Path]:
    """Check which outputs belong together; letter -> bigWig of --all-snvs. Raises UsageError."""
    from genolstm.store.variants import LETTERS
    from genolstm.writers.vcf import vcf_suffix

    if not snvs.all_snvs:
        if vcf is None:
            raise UsageError("no VCF is named: give one, or --all-snvs for every single-base change of a region.")
        given = {"--region": region, "--bigwig": snvs.bigwig_prefix, "--figure": run.figure}
        for name, value in given.items():
            if value:
                raise UsageError(f"{name} has no effect on a VCF, only with --all-snvs: leave it out.")
        vcf_suffix(output)
        return {}
    if vcf is not None:
        raise UsageError(f"--all-snvs reads no VCF: leave {vcf} out, or --all-snvs.")
    if output.suffix != HDF5:
        raise UsageError(f"output {output} must end with {HDF5} for --all-snvs; name it so.")
    prefix = snvs.bigwig_prefix
    return {letter: prefix.with_name(f"{prefix.name}.{letter}.bw") for letter in LETTERS} if prefix else {}


def _all_snvs(
    network: "NextSymbolModel", genome: "Genome", seen: "Seen", region: list[str] | None, settings: VariantSettings,
    controls: "VariantControls", model: Path, output: Path, bigwigs: dict[str, Path], task: Task,
) -> None:  # fmt: skip
    from genolstm.regions import Part
    from genolstm.store.files import file_sha256
    from genolstm.store.variants import open_variants, write_variants
    from genolstm.variants.all_snvs import score_all_snvs
    from genolstm.writers.bigwig import write_bigwig

    stretches, _ = chosen_stretches(region, genome)
    trained = seen.split.of(Part.TRAIN)
    inputs = {"model": file_sha256(model), "genome": genome.sha256}
    provenance = task.provenance({**settings.to_json(), "regions": region or []}, inputs)
    with (
        write_variants(output, genome, stretches, trained, settings, provenance, notes=controls.notes) as file,
        ProgressLine("variants", unit="bases", quiet=task.quiet) as line,
    ):
        found = score_all_snvs(
            network, genome, stretches, settings, file, trained=trained, controls=controls, on_progress=line.show
        )
        file.finish(found.seams.to_json(), found.tally.alleles)
    for letter, path in bigwigs.items():
        with open_variants(output) as file:
            write_bigwig(path, genome.length_of, file.mean_runs(letter))
        log.info("wrote %s", path)
    draw(output, task.run.figure)
    _report_snvs(found, stretches.bases, output, task)


def _report_snvs(found: "SnvResult", bases: int, output: Path, task: Task) -> None:
    tally, seams = found.tally, found.seams.to_json()
    if tally.on_seen:
        log.info(
            "%s of %s scored lie in stretches that the model was trained on: not held out", f"{tally.on_seen:,}",
            _alleles(tally.alleles.used),
        )  # fmt: skip
    report_memory(seams)
    summary: dict[str, Any] = {
        "bases": bases, "alleles": tally.alleles.used, "on_trained_contigs": tally.on_seen, "seams": seams
    }  # fmt: skip
    message = f"{_alleles(tally.alleles.used)} of {bases:,} bases scored"
    task.done(output, tally.alleles.to_json(), summary, message=message)


def _labelled(judged: LabelOptions, snvs: SnvOptions, settings: VariantSettings) -> "LabelledVariants | None":
    """Where labelled variants are gathered; None without --labels. Raises UsageError where these have no effect."""
    if judged.labels is None:
        return None
    if snvs.all_snvs:
        raise UsageError("--labels are those of a VCF, and --all-snvs reads none: leave one of both out.")
    if not settings.markov:
        raise UsageError("--labels hold the model against the Markov model: leave --no-markov out.")
    from genolstm.explaining.labels import labels_from

    return labels_from(judged.labels)


def _judged(found: "LabelledVariants", genome: "Genome", judged: LabelOptions, seed: int) -> dict[str, Any]:
    """Judge the model by labels, and log it; as plain values."""
    from genolstm.explaining.labels import judge_labels

    told = judge_labels(found, genome, block_bp=judged.block_bp, seed=seed)
    log.info(
        "%s: %s of %s single-base changes, in %d blocks of genome", told.label, f"{told.positives:,}",
        f"{told.variants:,}", told.blocks,
    )  # fmt: skip
    for row in told.scores:
        log.info(
            "  %-32s AUROC %.3f [%.3f, %.3f], AUPRC %.3f [%.3f, %.3f]", row.score.replace("_", " "), *row.auroc,
            *row.auprc,
        )  # fmt: skip
    log.info("the model adds %+.3f [%+.3f, %+.3f] AUPRC to all controls: %s", *told.difference, told.verdict)
    scores = {row.score: {"auroc": list(row.auroc), "auprc": list(row.auprc)} for row in told.scores}
    return {
        "labels": {
            **told._asdict(), "scores": scores, "difference": list(told.difference)
        }
    }  # fmt: skip


def _report(
    outcome: "AnnotationResult", vcf: Path, genome: Path, output: Path, task: Task, judged: dict[str, Any]
) -> None:
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
        **judged,
    }
    message = f"{_alleles(alleles.used)} of {tally.records:,} records scored"
    task.done(output, alleles.to_json(), summary, message=message)


def _alleles(count: int) -> str:
    return f"{count:,} allele{'' if count == 1 else 's'}"
