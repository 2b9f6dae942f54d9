"""``genolstm score``: bits of every base of a genome under a trained model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.figures import Figure, check_figure, draw
from genolstm.cli.options import Model, parse_region
from genolstm.cli.terminal import (
    Device,
    Force,
    Json,
    Output,
    ProgressLine,
    Quiet,
    Seed,
    Task,
    Threads,
    log,
    report_memory,
)
from genolstm.settings.reading import StreamSettings
from genolstm.settings.train import DeviceName

if TYPE_CHECKING:
    from genolstm.readers.annotation import Transcript
    from genolstm.store.files import Records
    from genolstm.store.genome import Genome
    from genolstm.store.score import ScoreTables

CONTIGS_TOLD = 12

Regions = Annotated[
    list[str] | None,
    typer.Option(
        "--region", help="Only this region, as I:1,001-2,000 (from 1, both ends in it) or I; may be given again."
    ),
]
Exact = Annotated[
    bool, typer.Option("--exact", help="One lane for each contig and strand, from end to end: no seams, less speed.")
]
Lanes = Annotated[int, typer.Option("--lanes", min=1, help="Pieces of genome read side by side.")]
Chunk = Annotated[int, typer.Option("--chunk", min=1, help="Bases that every lane reads in one step.")]
BurnIn = Annotated[
    int, typer.Option("--burn-in", min=0, help="Bases read before a piece, to build the state that it starts with.")
]
Tolerance = Annotated[
    float, typer.Option("--tolerance", help="Largest difference of states at a seam that is not read again.")
]


def score(
    model: Model,
    genome: Annotated[Path, typer.Argument(help="Genome file made by 'genolstm ingest'.", show_default=False)],
    output: Output,
    bigwig: Annotated[
        Path | None, typer.Option("--bigwig", help="Also write the mean of both strands as bigWig.", show_default=False)
    ] = None,
    annotation: Annotated[
        Path | None,
        typer.Option(
            "--annotation",
            help="Genes (GTF or GFF3): also tell mean bits in CDS, UTR, introns and between genes.",
            show_default=False,
        ),
    ] = None,
    region: Regions = None,
    exact: Exact = StreamSettings.exact,
    lanes: Lanes = StreamSettings.lanes,
    chunk: Chunk = StreamSettings.chunk,
    burn_in: BurnIn = StreamSettings.burn_in,
    tolerance: Tolerance = StreamSettings.tolerance,
    threads: Threads = 0,
    device: Device = DeviceName.AUTO,
    seed: Seed = 1,
    figure: Figure = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Tell how surprising each base is, in bits: -log2 P(base | all bases before it), on both strands.

    Contigs are read in pieces side by side. Where two pieces meet, their states are held against each other, and what
    differs is read again; the file lists every such seam. Beside the means stand those of Markov models.
    torchrun -m genolstm score ... divides contigs and strands over its processes, each on a GPU of its own.

    Example: genolstm score model.h5 genome.h5 -o score.h5 --bigwig bits.bw
    """
    from genolstm.regions import Region, stretches_of
    from genolstm.scoring.whole import read_own_rows, score_genome
    from genolstm.seen import seen_in
    from genolstm.store.checkpoint import check_alphabet, read_checkpoint
    from genolstm.store.files import Records, file_sha256, refuse_existing
    from genolstm.store.genome import open_genome
    from genolstm.store.score import open_score, write_score
    from genolstm.writers.bigwig import write_bigwig

    task = Task("score", quiet=quiet, seed=seed)
    for target in (output, bigwig):
        if target:
            refuse_existing(target, force=force, inputs=[model, genome, *([annotation] if annotation else [])])
    check_figure(figure, force=force, inputs=[model, genome, output])
    settings = StreamSettings(lanes=lanes, chunk=chunk, burn_in=burn_in, exact=exact, tolerance=tolerance)
    checkpoint, opened = read_checkpoint(model), open_genome(genome)
    check_alphabet(checkpoint, model, opened)
    regions = [parse_region(text, opened.length_of) for text in region or ()]
    regions = regions or [Region(contig=name, start=0, end=length) for name, length in opened.length_of.items()]
    stretches = stretches_of(regions, opened.names)
    records = Records(read=len(opened.names), used=len(stretches.names()))
    if left_out := len(opened.names) - records.used:
        records.skipped["contigs outside the regions asked for"] = left_out
    strands = 1 if opened.alphabet.complement is None else 2
    inputs = {"model": file_sha256(model), "genome": opened.sha256}
    if annotation and annotation.is_file():  # a stream cannot be read twice
        inputs["annotation"] = file_sha256(annotation)
    task.refuse_stream(annotation)
    genes = _genes(annotation, opened, str(genome), records) if annotation else ()
    provenance = task.provenance({**settings.to_json(), "regions": region or []}, inputs)
    on = task.use_device(device, threads)
    to_read = strands * stretches.bases
    with task.together() as ranks:
        if not ranks.is_main_process:
            read_own_rows(checkpoint, opened, stretches, settings, output, device=on, ranks=ranks)
            return
        with (
            ProgressLine("score", unit=f"{opened.alphabet.unit}s", quiet=quiet) as line,
            write_score(output, stretches, opened.length_of, strands, provenance) as file,
        ):
            tables = score_genome(
                checkpoint, opened, stretches, settings, file, device=on, transcripts=genes, seed=seed, ranks=ranks,
                told=lambda read: line.show(min(1.0, ranks.size * read / to_read), ranks.size * read),
            )  # fmt: skip
            file.finish(tables, records)
    if bigwig:
        with open_score(output) as file:
            write_bigwig(bigwig, opened.length_of, file.mean_runs())
        log.info("wrote %s", bigwig)
    draw(output, figure)
    if told := seen_in(checkpoint, opened).sentence(str(genome), str(model)):
        log.warning("%s", told)
    _report(tables, opened.names, records, output, task, unit=opened.alphabet.unit, as_json=as_json)


def _genes(annotation: Path, genome: "Genome", genome_name: str, records: "Records") -> "tuple[Transcript, ...]":
    """Transcripts on the genome; what was left out of the annotation is said and counted."""
    from genolstm.readers.annotation import clip_to_genome, read_annotation

    genes, notes = clip_to_genome(
        read_annotation(annotation), genome.length_of, annotation_name=str(annotation), genome_name=genome_name
    )
    for note in (*genes.warnings, *notes):
        log.warning("%s", note)
    records.read += genes.read
    records.used += genes.used
    records.skipped.update(genes.skipped)
    return genes.transcripts


def _report(
    tables: "ScoreTables",
    contigs: tuple[str, ...],
    records: "Records",
    output: Path,
    task: Task,
    *,
    unit: str,
    as_json: bool,
) -> None:
    """Say the bits per contig, beside their Markov lines, and how well the seams agree."""
    from genolstm.cli.train_end import beside_best, judged

    per_contig = _per_contig(tables, contigs)
    for name, row in list(per_contig.items())[:CONTIGS_TOLD]:
        log.info("  %s", _line(name, row, unit))
    if len(per_contig) > CONTIGS_TOLD:
        log.info("  and %d more contigs, all in the file", len(per_contig) - CONTIGS_TOLD)
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
        "seams": dict(seams),
    }  # fmt: skip
    word = f"{mean:.4f} bits/{unit} over {symbols:,} {unit}s" if mean is not None else f"no known {unit}"
    task.done(output, records.to_json(), summary, as_json=as_json, word=word)


def _per_contig(tables: "ScoreTables", contigs: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Known bases and mean bits of each contig that was scored: all, by strand, and by soft mask."""
    told = {}
    for name, symbols, bits, seen in zip(contigs, tables.symbols, tables.bits, tables.seen.tolist(), strict=True):
        if not symbols.sum():
            continue
        strands = dict(
            zip(("forward", "reverse"), zip(bits.sum(axis=1), symbols.sum(axis=1), strict=True), strict=False)
        )
        masks = dict(zip(("unmasked", "masked"), zip(bits.sum(axis=0), symbols.sum(axis=0), strict=True), strict=True))
        told[name] = {
            "bases": int(symbols.sum()),
            "bits": float(bits.sum() / symbols.sum()),
            **{kind: float(total / count) if count else None for kind, (total, count) in {**strands, **masks}.items()},
            "seen_in_training": {1: True, 0: False, -1: None}[seen],
        }
    return told


def _line(name: str, row: dict[str, Any], unit: str) -> str:
    figures = ", ".join(
        f"{kind} {row[kind]:.4f}" for kind in ("forward", "reverse", "unmasked", "masked") if row.get(kind) is not None
    )
    seen = {True: "; trained on", False: "; not trained on", None: ""}[row["seen_in_training"]]
    return f"{name}: {row['bits']:.4f} bits/{unit} over {row['bases']:,} {unit}s ({figures}){seen}"
