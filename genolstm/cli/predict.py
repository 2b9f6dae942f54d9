"""``genolstm predict``: a fitted probe along a genome."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.command import Given, command
from genolstm.cli.figures import draw
from genolstm.cli.options import (
    ComputeOptions,
    GenomeFile,
    Output,
    Regions,
    ResultOptions,
    chosen_stretches,
    refuse_all,
)
from genolstm.cli.probe_folds import model_inputs, read_models
from genolstm.cli.terminal import ProgressLine, Task, log, report_memory
from genolstm.errors import UsageError
from genolstm.settings.option import option
from genolstm.settings.predict import PredictSettings
from genolstm.settings.reading import StreamSettings
from genolstm.shipped import model_path

if TYPE_CHECKING:
    from genolstm.predicting.whole import ProbeFile, Wanted
    from genolstm.probes.folds import FoldModel
    from genolstm.store.files import Records
    from genolstm.store.genome import Genome
    from genolstm.store.prediction import Judged, PredictedTarget, Prediction

CONTIGS_LOGGED = 8


@dataclass(frozen=True, kw_only=True)
class PredictFiles:
    """Files beside the probe and the genome, read and written."""

    model: Path | None = option(
        None,
        "Model of the probe, a file or the name of a bundled one; of folds the name that 'train --folds' was given;"
        " without, found by its hash.",
        read=model_path, shown=None,
    )  # fmt: skip
    sites: Path | None = option(None, "BED of candidates: these and no others.")
    annotation: Path | None = option(None, "Genes (GTF or GFF3): precision and recall of splice sites.")
    labels: Path | None = option(None, "BED of true sites: precision and recall of other probes of two classes.")
    bed: Path | None = option(None, "Also write candidates as BED, with 1000 x probability as the score.")
    bigwig_prefix: Path | None = option(
        None, "Also write PREFIX.CLASS.STRAND.bw: the probability (or value) at every candidate.", "--bigwig"
    )
    splice_scores: Path | None = option(
        None, "Also write scores of all candidate junctions, for 'minimap2 --spsc' and 'miniprot --spsc'."
    )


@command(settings_file=True)
def predict(
    probe: Annotated[Path, typer.Argument(help="Result file of 'genolstm probe'.", show_default=False)],
    genome: GenomeFile,
    output: Output,
    files: PredictFiles,
    settings: PredictSettings,
    stream: StreamSettings,
    given: Given,
    compute: ComputeOptions,
    run: ResultOptions,
    region: Regions = None,
) -> None:
    """Apply a fitted probe along a genome: log odds and calibrated probability of every candidate.

    Candidates are those of the probe's task: every GT and AG of both strands, every window; or those of --sites. The
    probe's validation rows calibrate, at the ratio at which candidates are true in nature. Contigs that the model or
    the probe has met are marked. With --annotation or --labels: precision and recall over all candidates, contigs
    that were met apart from those held out. Of a probe over folds ('probe --folds') each base is predicted by the model
    and the probe of the fold that held it out.

    Example: genolstm predict splice.h5 genome.h5 -o predictions.h5 --bed sites.bed --min-score 0.1
    --splice-scores scores.tsv --annotation genes.gff3
    """  # fmt: skip
    from genolstm.model import trained_model
    from genolstm.predicting.source import models_of
    from genolstm.predicting.whole import predicted, read_probe_file
    from genolstm.store.files import file_sha256
    from genolstm.store.genome import open_genome
    from genolstm.store.prediction import write_prediction
    from genolstm.stream.reader import GenomeReader

    task = Task("predict", run, seed=settings.seed)
    outputs = [output, files.bed, files.splice_scores]
    inputs = [probe, genome, files.model, files.sites, files.annotation, files.labels]
    refuse_all(outputs, inputs, run)
    opened, applied = open_genome(genome), read_probe_file(probe)
    paths = models_of(probe, files.model)
    models = read_models(paths, opened)
    bigwigs = _check_outputs(files, applied, opened, inputs, outputs, run)
    wanted = _wanted(files, region, opened, str(genome))
    digests = {"probe": file_sha256(probe), **model_inputs(paths), "genome": opened.sha256}
    digests |= {
        name: file_sha256(path)
        for name in ("sites", "annotation", "labels")
        if (path := getattr(files, name)) and path.is_file()
    }
    log.info("the probe reads the states of %s", ", ".join(map(str, paths)))
    on = task.use_device(compute.device, compute.threads)
    stream = stream.suited(on.type, given.values)
    to_read = 2 * wanted.regions.bases
    task.suit(on, models[0].checkpoint.model, (stream.lanes, stream.chunk), symbols=to_read if not files.sites else 0)
    with ProgressLine("predict", unit="bases", quiet=run.quiet) as line:

        def reader_of(model: "FoldModel") -> GenomeReader:
            network = trained_model(model.checkpoint.model, model.checkpoint.weights).to(on)
            return GenomeReader(network, opened, stream, on_progress=line.show)

        with predicted(models, reader_of, opened, applied, wanted, settings, beside=output) as (found, records):
            asked = {**settings.to_json(), **stream.to_json(), "regions": region or []}
            rows = write_prediction(output, found, settings.min_score, records, task.provenance(asked, digests))
            _write_beside(found, files, bigwigs, settings)
            draw(output, run.figure)
            _report(found, rows, records, output, task)


def _check_outputs(
    files: PredictFiles, probe: "ProbeFile", genome: "Genome", inputs: list[Path | None], outputs: list[Path | None],
    run: ResultOptions,
) -> dict[tuple[str, int, int], Path]:  # fmt: skip
    """Refuse what cannot be written before anything is read; paths of the bigWigs."""
    from genolstm.predicting.whole import classes_of
    from genolstm.predicting.written import bigwig_paths, check_bed, check_splice_scores

    classes = [(name, classes_of(result)) for name, result in probe.results.items()]
    if files.bed:
        check_bed([each for _, each in classes], genome.names, files.bed)
    if files.splice_scores:
        check_splice_scores(probe.task, files.splice_scores)
    if not files.bigwig_prefix:
        return {}
    paths = bigwig_paths(files.bigwig_prefix, classes, windows=bool(probe.probes[0].pooling))
    refuse_all([*outputs, *paths.values()], inputs, run)
    return paths


def _wanted(files: PredictFiles, region: list[str] | None, genome: "Genome", genome_name: str) -> "Wanted":
    from genolstm.predicting.whole import Wanted
    from genolstm.readers.annotation import clip_to_genome, read_annotation
    from genolstm.readers.bed import read_bed

    if files.sites and region:
        raise UsageError("--sites and --region both name candidates; give one of them.")
    regions, _ = chosen_stretches(region, genome)
    beds = {}
    for name in ("sites", "labels"):
        if path := getattr(files, name):
            beds[name] = read_bed(path, genome.length_of, genome_name=genome_name)
            for warning in beds[name].warnings:
                log.warning("%s", warning)
    genes = None
    if files.annotation:
        genes, notes = clip_to_genome(
            read_annotation(files.annotation), genome.length_of, annotation_name=str(files.annotation),
            genome_name=genome_name,
        )  # fmt: skip
        for note in (*genes.warnings, *notes):
            log.warning("%s", note)
    return Wanted(
        regions=regions, sites=beds.get("sites"), transcripts=genes.transcripts if genes else None,
        labels=beds.get("labels"), labels_name=str(files.labels),
    )  # fmt: skip


def _write_beside(
    found: "Prediction", files: PredictFiles, bigwigs: dict[tuple[str, int, int], Path], settings: PredictSettings
) -> None:
    from genolstm.predicting.written import write_bed, write_bigwigs, write_splice_scores

    if files.bed:
        log.info("wrote %s: %s candidates", files.bed, f"{write_bed(files.bed, found, settings.min_score):,}")
    if files.splice_scores:
        log.info("wrote %s: %s scores", files.splice_scores, f"{write_splice_scores(files.splice_scores, found):,}")
    for path in write_bigwigs(bigwigs, found):
        log.info("wrote %s", path)


def _report(found: "Prediction", rows: dict[str, int], records: "Records", output: Path, task: Task) -> None:
    from genolstm.predicting.written import marked_contigs

    for target in found.targets:
        _log_target(target, rows[target.name])
    marked = marked_contigs(found)
    for name, what in list(marked.items())[:CONTIGS_LOGGED]:
        log.info("not held out: %s (%s)", name, what)
    if len(marked) > CONTIGS_LOGGED:
        log.info("and %d more contigs, all marked in the file", len(marked) - CONTIGS_LOGGED)
    for fold, regions in enumerate(found.folds, 1):
        log.info("held out by fold %d, and predicted by it: %s", fold, _shortly(regions))
    for note in found.notes:
        log.warning("%s", note)
    report_memory(found.seams)
    summary = {
        "task": found.task,
        "targets": {target.name: _summary(target, rows[target.name]) for target in found.targets},
        "met": marked,
        "folds": found.folds,
        "notes": list(found.notes),
        "seams": dict(found.seams),
    }
    message = f"{sum(target.count for target in found.targets):,} candidates predicted"
    task.done(output, records.to_json(), summary, message=message)


def _shortly(regions: tuple[str, ...]) -> str:
    more = f" and {len(regions) - CONTIGS_LOGGED} more" if len(regions) > CONTIGS_LOGGED else ""
    return (", ".join(regions[:CONTIGS_LOGGED]) or "nothing") + more


def _log_target(target: "PredictedTarget", rows: int) -> None:
    from genolstm.predicting.judged import TOGETHER

    log.info("%s: %s candidates, %s in the table", target.name, f"{target.count:,}", f"{rows:,}")
    if target.classes:
        ratio = f"one in {1 / target.natural:,.0f} is true ({target.source}); " if target.natural > 0 else ""
        log.info(
            "  %scalibrated log odds = %.3f x log odds %+.3f; calibration error on the probe's test rows %.4f, %.4f"
            " without calibration",
            ratio, target.slope, target.intercept[0], target.figures["test_calibration_error"],
            target.figures["test_calibration_error_uncalibrated"],
        )  # fmt: skip
    contigs = [each for each in target.judged if each.group not in TOGETHER]
    for row in [*contigs[:CONTIGS_LOGGED], *(each for each in target.judged if each.group in TOGETHER)]:
        log.info("  %s", _judged(row))


def _judged(row: "Judged") -> str:
    ends = f" [{row.low:.3f}, {row.high:.3f}]" if row.low == row.low else ""
    return (
        f"{row.group} ({row.met}): {row.positive:,} true of {row.candidates:,}, AUPRC {row.auprc:.3f}{ends}, top-k"
        f" {row.topk:.3f}; at probability 0.5 precision {row.precision:.3f}, recall {row.recall:.3f};"
        f" {row.expected:,.0f} expected; {row.lost:,} true sites are no candidates"
    )


def _summary(target: "PredictedTarget", rows: int) -> dict[str, Any]:
    def plain(value: Any) -> Any:  # noqa: ANN401
        return None if isinstance(value, float) and value != value else value

    return {
        "candidates": target.count,
        "rows": rows,
        "classes": list(target.classes),
        "natural_ratio": plain(target.natural),
        "natural_ratio_from": target.source,
        "calibration": {"slope": target.slope, "intercept": list(target.intercept), **target.figures},
        "judged": [{name: plain(value) for name, value in row._asdict().items()} for row in target.judged],
    }
