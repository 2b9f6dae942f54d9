"""``genolstm score``: bits of every base of a genome under a trained model."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolstm.cli.command import Given, command
from genolstm.cli.figures import draw
from genolstm.cli.genes import genes_on
from genolstm.cli.options import (
    ComputeOptions,
    GenomeFile,
    Model,
    Output,
    Regions,
    ResultOptions,
    Seed,
    chosen_stretches,
    refuse_all,
)
from genolstm.cli.recall_report import recall_lines, recall_summary
from genolstm.cli.terminal import ProgressLine, Task, log, report_format, report_memory
from genolstm.errors import InputError, UsageError
from genolstm.settings.option import option
from genolstm.settings.reading import FormatSettings
from genolstm.settings.recall import RecallMode, RecallSettings

if TYPE_CHECKING:
    from genolstm.store.files import Records
    from genolstm.store.genome import Genome
    from genolstm.store.score import Runs, ScoreTables

CONTIGS_LOGGED = 12
BYTES_OF_PROBABILITIES = 16  # of a base: four letters, two strands, float16
MOST_PROBABILITIES = 500_000_000  # bases: 8 GB


@dataclass(frozen=True, kw_only=True)
class ScoreFiles:
    """Files beside the genome and its scores."""

    bigwig: Path | None = option(None, "Also write the mean of both strands as bigWig.")
    probabilities: Path | None = option(
        None,
        "Also keep the model's probabilities of A, C, G and T at every base (float16), and write their means over both"
        " strands as PREFIX.A.bw, PREFIX.C.bw, PREFIX.G.bw and PREFIX.T.bw; --figure of a region of up to 500 bases is"
        " then a sequence logo.",
    )
    recall_track: Path | None = option(
        None, "Also write the bits that recall gains, mean of both strands, as bigWig; with --recall."
    )
    annotation: Path | None = option(
        None, "Genes (GTF or GFF3): also the mean bits in CDS, UTR, introns and between genes."
    )


@command()
def score(
    model: Model,
    genome: GenomeFile,
    output: Output,
    files: ScoreFiles,
    settings: FormatSettings,
    given: Given,
    recall: RecallSettings,
    compute: ComputeOptions,
    run: ResultOptions,
    region: Regions = None,
    seed: Seed = 1,
) -> None:
    """Score how surprising each base is, in bits: -log2 P(base | all bases before it), on both strands.

    Contigs are read in pieces side by side. Where two pieces meet, their states are compared, and a piece whose state
    differs is read again; the file lists every such seam. Markov models give the baseline of every mean.
    torchrun -m genolstm score ... divides contigs and strands over its processes, each on a GPU of its own.
    With --recall what was not trained on is scored again, by the network mixed with copies and counts of what was read
    before; frozen and online are two figures, each beside copies and counts without the network. Frozen recall is
    divided over the processes too, each with a memory of its own; online one process reads all.

    Example: genolstm score model.h5 genome.h5 -o score.h5 --bigwig bits.bw; genolstm score model.h5 genome.h5
    --region I:1,001-1,200 --probabilities p -o logo.h5 --figure logo.svg
    """  # fmt: skip
    from genolstm.bench.memory_check import check_recall_memory
    from genolstm.model import trained_model
    from genolstm.scoring.recall import plan_recall
    from genolstm.scoring.whole import score_genome
    from genolstm.seen import seen_in
    from genolstm.store.checkpoint import check_alphabet, read_checkpoint
    from genolstm.store.files import file_sha256
    from genolstm.store.genome import open_genome
    from genolstm.stream.reader import GenomeReader

    task = Task("score", run, seed=seed)
    if files.recall_track and recall.recall is RecallMode.NONE:
        raise UsageError("--recall-track is a track of recall: give --recall frozen or online too.")
    tracks = _probability_tracks(files.probabilities, task)
    refuse_all([output, files.bigwig, files.recall_track, *tracks], [model, genome, files.annotation], run)
    checkpoint, opened = read_checkpoint(model), open_genome(genome)
    check_alphabet(checkpoint, model, opened)
    stretches, records = chosen_stretches(region, opened)
    if tracks:
        _refuse_probabilities(opened, genome, stretches.bases)
    seen = seen_in(checkpoint, opened)
    plan = None
    if recall.recall is not RecallMode.NONE:
        plan = plan_recall(seen, opened, stretches, recall, genome_name=str(genome), model_name=str(model))
        check_recall_memory(plan)
    inputs = {"model": file_sha256(model), "genome": opened.sha256}
    if files.annotation and files.annotation.is_file():  # a stream cannot be read twice
        inputs["annotation"] = file_sha256(files.annotation)
    task.refuse_stream(files.annotation)
    genes = genes_on(files.annotation, opened, str(genome), records) if files.annotation else ()
    on = task.use_device(compute.device, compute.threads)
    settings = settings.suited(on.type, given.values)
    provenance = task.provenance({**settings.to_json(), **recall.to_json(), "regions": region or []}, inputs)
    to_read = stretches.bases * (1 if opened.alphabet.complement is None else 2)
    task.suit(on, checkpoint.model, (settings.lanes, settings.chunk), symbols=to_read)
    with task.together() as ranks, ProgressLine("score", unit=f"{opened.alphabet.unit}s", quiet=run.quiet) as line:
        network = trained_model(checkpoint.model, checkpoint.weights).to(on)
        reader = GenomeReader(network, opened, settings, ranks=ranks, on_progress=line.show)
        report_format(reader.model)
        tables = score_genome(
            reader, checkpoint, stretches, output, provenance, records, transcripts=genes, seed=seed,
            probabilities=bool(tracks), recall=plan, on_recall=line.then("recall"),
        )  # fmt: skip
    if tables is None:  # another process writes
        return
    _write_tracks(files, tracks, output, opened)
    draw(output, run.figure)
    if note := seen.sentence(str(genome), str(model)):
        log.warning("%s", note)
    _report(tables, opened.names, records, output, task, unit=opened.alphabet.unit)


def _probability_tracks(prefix: Path | None, task: Task) -> list[Path]:
    """BigWig of each letter in the order of the alphabet. Raises UsageError for several processes."""
    from genolstm.alphabet import DNA

    if prefix is None:
        return []
    if task.processes > 1:
        raise UsageError(
            "--probabilities does not divide its work over the processes of torchrun; start it without torchrun."
        )
    return [prefix.with_name(f"{prefix.name}.{letter}.bw") for letter in DNA.letters[: DNA.n_known]]


def _write_tracks(files: ScoreFiles, letters: list[Path], output: Path, genome: "Genome") -> None:
    """Write the bigWigs that were asked for, from the score file. letters : those of the probabilities."""
    from genolstm.store.score import open_score
    from genolstm.writers.bigwig import write_bigwig

    with open_score(output) as file:
        asked: list[tuple[Path | None, Callable[[], Iterator[Runs]]]] = [
            (files.bigwig, file.mean_runs),
            *((path, partial(file.probability_runs, code)) for code, path in enumerate(letters)),
            (files.recall_track, file.mean_gain_runs),
        ]
        for path, runs in asked:
            if path:
                write_bigwig(path, genome.length_of, runs())
                log.info("wrote %s", path)


def _refuse_probabilities(opened: "Genome", genome: Path, bases: int) -> None:
    """Refuse what has no four letters, and more bases than a file should hold."""
    if opened.alphabet.complement is None:
        raise InputError(f"{genome} holds proteins, and --probabilities are those of A, C, G and T; leave it out.")
    if bases > MOST_PROBABILITIES:
        size = bases * BYTES_OF_PROBABILITIES / 1e9
        raise UsageError(
            f"--probabilities of {bases:,} bases take {size:.1f} GB in the file; name --region of at most"
            f" {MOST_PROBABILITIES:,} bases in all, and score the genome in turns."
        )


def _report(
    tables: "ScoreTables",
    contigs: tuple[str, ...],
    records: "Records",
    output: Path,
    task: Task,
    *,
    unit: str,
) -> None:
    """Log the bits per contig, beside their Markov lines, and how well the seams agree."""
    from genolstm.cli.train_report import beside_best, judged

    per_contig = _per_contig(tables, contigs)
    for name, row in list(per_contig.items())[:CONTIGS_LOGGED]:
        log.info("  %s", _line(name, row, unit))
    if len(per_contig) > CONTIGS_LOGGED:
        log.info("  and %d more contigs, all in the file", len(per_contig) - CONTIGS_LOGGED)
    for part in tables.parts:
        log.info(
            "%s: %.4f bits/%s; uniform %.4f, best Markov (order %d) %.4f, interpolated Markov (0..%d) %.4f, counted"
            " on %s%s",
            "held out for testing" if part.part == "test" else "all scored", part.model, unit, part.uniform,
            part.best_order, part.best_bits, len(part.by_order) - 1, part.interpolated, tables.markov_counted_on,
            beside_best(part),
        )  # fmt: skip
    for each in tables.classes:
        log.info(
            "  %s, %s: %.4f bits/base [%.4f, %.4f] over %s bases",
            each.name, each.sense, each.bits, each.low, each.high, f"{each.symbols:,}",
        )  # fmt: skip
    for line in recall_lines(tables.recall, unit):
        log.info("%s", line)
    for each in tables.recall_classes:
        log.info(
            "  recall gains in %s, %s: %.4f bits/base [%.4f, %.4f] over %s bases",
            each.name, each.sense, each.bits, each.low, each.high, f"{each.symbols:,}",
        )  # fmt: skip
    seams = tables.seam_summary
    log.info(
        "%d seams: states differed by up to %.2g, %d read again (%s %ss), now by up to %.2g and %.2g bits;"
        " calibration error %.4f",
        seams["count"], seams["found_max_state"], seams["repaired"], f"{int(seams['repaired_symbols']):,}", unit,
        seams["max_state"], seams["max_bits"], tables.calibration_error,
    )  # fmt: skip
    report_memory(seams)
    symbols = int(tables.symbols.sum())
    mean = float(tables.bits.sum()) / symbols if symbols else None
    summary = {
        "bases": symbols,
        "bits_per_base": mean,
        "contigs": per_contig,
        "parts": {
            part.part: {
                "model": part.model, "uniform": part.uniform, "markov_best_order": part.best_order,
                "markov_best_bits": part.best_bits, "markov_interpolated": part.interpolated, **judged(part),
            }
            for part in tables.parts
        },
        "markov_counted_on": tables.markov_counted_on,
        "calibration_error": tables.calibration_error,
        "classes": [row._asdict() for row in tables.classes],
        "recall": recall_summary(tables.recall),
        "recall_classes": [row._asdict() for row in tables.recall_classes],
        "seams": dict(seams),
    }  # fmt: skip
    message = f"{mean:.4f} bits/{unit} over {symbols:,} {unit}s" if mean is not None else f"no known {unit}"
    task.done(output, records.to_json(), summary, message=message)


def _per_contig(tables: "ScoreTables", contigs: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Known bases and mean bits of each contig that was scored: all, by strand, and by soft mask."""
    rows = {}
    for name, symbols, bits, seen in zip(contigs, tables.symbols, tables.bits, tables.seen.tolist(), strict=True):
        if not symbols.sum():
            continue
        strands = dict(
            zip(("forward", "reverse"), zip(bits.sum(axis=1), symbols.sum(axis=1), strict=True), strict=False)
        )
        masks = dict(zip(("unmasked", "masked"), zip(bits.sum(axis=0), symbols.sum(axis=0), strict=True), strict=True))
        rows[name] = {
            "bases": int(symbols.sum()),
            "bits": float(bits.sum() / symbols.sum()),
            **{kind: float(total / count) if count else None for kind, (total, count) in {**strands, **masks}.items()},
            "seen_in_training": {1: True, 0: False, -1: None}[seen],
        }
    return rows


def _line(name: str, row: dict[str, Any], unit: str) -> str:
    means = ", ".join(
        f"{kind} {row[kind]:.4f}" for kind in ("forward", "reverse", "unmasked", "masked") if row.get(kind) is not None
    )
    seen = {True: "; trained on", False: "; not trained on", None: ""}[row["seen_in_training"]]
    return f"{name}: {row['bits']:.4f} bits/{unit} over {row['bases']:,} {unit}s ({means}){seen}"
