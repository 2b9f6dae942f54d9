"""``genolstm gates``: what a model's gates do along a genome, and how long it remembers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.figures import Figure, check_figure, draw
from genolstm.cli.options import Model, chosen, parse_region
from genolstm.cli.score import BurnIn, Chunk, Exact, Lanes, Regions, Tolerance
from genolstm.cli.terminal import Device, Force, Json, Output, ProgressLine, Quiet, Seed, Task, Threads, log
from genolstm.errors import UsageError
from genolstm.settings.quantities import parse_size
from genolstm.settings.reading import GatesSettings, StreamSettings
from genolstm.settings.train import DeviceName

if TYPE_CHECKING:
    from genolstm.gates.boundaries import Boundaries
    from genolstm.gates.whole import Findings
    from genolstm.store.files import Records
    from genolstm.store.genome import Genome

ANNOTATION_SUFFIXES = (".gff", ".gff3", ".gtf")
STRAND_NAMES: tuple[tuple[str, int | None], ...] = (("forward", 0), ("reverse", 1), ("mean", None))


def gates(
    ctx: typer.Context,
    model: Model,
    genome: Annotated[Path, typer.Argument(help="Genome file made by 'genolstm ingest'.", show_default=False)],
    output: Output,
    every: Annotated[
        int, typer.Option("--every", min=1, help="Bases between samples of the tracks; 1 takes all.")
    ] = GatesSettings.every,
    units_every: Annotated[
        int,
        typer.Option("--units-every", min=1, help="Bases between samples of what each unit's gates do; 1 takes all."),
    ] = GatesSettings.units_every,
    region: Regions = None,
    bigwig_dir: Annotated[
        Path | None,
        typer.Option("--bigwig-dir", help="Also write every track as bigWig into this folder.", show_default=False),
    ] = None,
    dump: Annotated[
        str | None,
        typer.Option("--dump", help="Keep all gates, h and c at each base of this region.", show_default=False),
    ] = None,
    boundaries: Annotated[
        Path | None,
        typer.Option(
            "--boundaries",
            show_default=False,
            help="GTF, GFF3 or BED: are gates different where features begin and end? Reads every base.",
        ),
    ] = None,
    memory_bases: Annotated[
        str,
        typer.Option("--memory-bases", help="Bases read for each K of the functional memory curve; 0 leaves it out."),
    ] = str(GatesSettings.memory_bases),
    reset_share: Annotated[
        float, typer.Option("--reset-share", help="A reset lies in this lowest share of the mean forget gate.")
    ] = GatesSettings.reset_share,
    reach: Annotated[
        int, typer.Option("--reach", min=1, help="Bases shown on either side of a boundary.")
    ] = GatesSettings.reach,
    near: Annotated[
        int, typer.Option("--near", min=0, help="Bases on either side of a boundary over which gates are averaged.")
    ] = GatesSettings.near,
    match_kmer: Annotated[
        int, typer.Option("--match-kmer", min=1, max=10, help="Letters that a matched position ends in too.")
    ] = GatesSettings.match_kmer,
    matches: Annotated[
        int, typer.Option("--matches", min=1, max=100, help="Matched positions for each boundary.")
    ] = GatesSettings.matches,
    permutations: Annotated[
        int, typer.Option("--permutations", min=1, help="Of the test of boundaries.")
    ] = GatesSettings.permutations,
    resamples: Annotated[
        int, typer.Option("--resamples", min=20, help="Bootstrap resamples of intervals.")
    ] = GatesSettings.resamples,
    block_bp: Annotated[
        int, typer.Option("--block-bp", min=1, help="Window of genome resampled together, for boundaries.")
    ] = GatesSettings.block_bp,
    exact: Exact = StreamSettings.exact,
    lanes: Lanes = StreamSettings.lanes,
    chunk: Chunk = StreamSettings.chunk,
    burn_in: BurnIn = StreamSettings.burn_in,
    tolerance: Tolerance = StreamSettings.tolerance,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="TOML file with any of these settings.")
    ] = None,
    seed: Seed = GatesSettings.seed,
    threads: Threads = 0,
    device: Device = DeviceName.AUTO,
    figure: Figure = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Follow the gates along a genome: what each unit keeps, where the network forgets, how long it remembers.

    Three half-lives are kept apart: nominal (from the biases), realised (from the gates), and functional memory: bits
    per base when the state is emptied every K bases. With --boundaries, the forget gate where features begin and end
    is held against positions of the same composition.
    torchrun -m genolstm gates ... divides contigs and strands over its processes, each on a GPU of its own.

    Example: genolstm gates model.h5 genome.h5 -o gates.h5 --bigwig-dir tracks --boundaries genes.gff3.gz
    """
    from genolstm.gates.dump import check_dump
    from genolstm.gates.places import sample_plan
    from genolstm.gates.reading import tracks_of
    from genolstm.gates.whole import Asked, gates_of_genome, read_share, tables_of
    from genolstm.model import trained_model
    from genolstm.regions import Region, stretches_of
    from genolstm.store.checkpoint import check_alphabet, read_checkpoint
    from genolstm.store.files import Records, file_sha256, refuse_existing
    from genolstm.store.gates import write_gates
    from genolstm.store.genome import open_genome

    task = Task("gates", quiet=quiet, seed=seed)
    inputs = [model, genome, *([boundaries] if boundaries else [])]
    refuse_existing(output, force=force, inputs=inputs)
    check_figure(figure, force=force, inputs=[*inputs, output])
    stream = StreamSettings(lanes=lanes, chunk=chunk, burn_in=burn_in, exact=exact, tolerance=tolerance)
    options = {
        "every": every, "units_every": units_every, "memory_bases": memory_bases,
        "reset_share": reset_share, "reach": reach, "near": near,
        "match_kmer": match_kmer, "matches": matches, "permutations": permutations, "resamples": resamples,
        "block_bp": block_bp, "seed": seed,
    }  # fmt: skip
    settings = _settings(chosen(ctx, options, settings_file), every_base=boundaries is not None)
    task.seed = settings.seed
    checkpoint, opened = read_checkpoint(model), open_genome(genome)
    check_alphabet(checkpoint, model, opened)
    regions = [parse_region(text, opened.length_of) for text in region or ()]
    regions = regions or [Region(contig=name, start=0, end=length) for name, length in opened.length_of.items()]
    stretches = stretches_of(regions, opened.names)
    records = Records(read=len(opened.names), used=len(stretches.names()))
    if left_out := len(opened.names) - records.used:
        records.skipped["contigs outside the regions asked for"] = left_out
    task.refuse_stream(boundaries)
    network = trained_model(checkpoint.model, checkpoint.weights)
    asked = Asked(
        dump=parse_region(dump, opened.length_of) if dump else None,
        boundaries=_boundaries(boundaries, network, opened, records) if boundaries else {},
    )
    if asked.dump:
        check_dump(network, opened, asked.dump)
    plan = sample_plan(opened, stretches, settings.every)
    names, strands = tracks_of(network), 1 if opened.alphabet.complement is None else 2
    wigs = _bigwigs(bigwig_dir, names, checkpoint.model.layers, strands)
    for path in wigs:
        refuse_existing(path, force=force, inputs=inputs)
    provenance = task.provenance(
        {**stream.to_json(), **settings.to_json(), "regions": region or [], "dump": dump or ""},
        {"model": file_sha256(model), "genome": opened.sha256,
         **({"boundaries": file_sha256(boundaries)} if boundaries and boundaries.is_file() else {})},
    )  # fmt: skip
    to_read = strands * stretches.bases
    on = task.suit(task.use_device(device, threads), checkpoint.model, (stream.lanes, stream.chunk), symbols=to_read)
    with task.together() as ranks:
        if not ranks.leads:
            read_share(network.to(on), opened, plan, settings, stream, output, ranks)
            return
        with (
            ProgressLine("gates", unit="bases", quiet=quiet) as line,
            write_gates(
                output, stretches, opened.length_of, (plan.first, plan.first_position, plan.every),
                (names, strands, checkpoint.model.layers), provenance,
            ) as file,
        ):  # fmt: skip
            findings = gates_of_genome(
                checkpoint, network.to(on), opened, plan, settings, stream, file, asked, ranks=ranks,
                told=lambda read: line.show(min(1.0, ranks.size * read / to_read), ranks.size * read),
                say=lambda text: log.info("%s", text),
            )  # fmt: skip
            if findings.edges:
                records.skipped |= findings.edges.skipped
            file.finish(tables_of(findings), records)
    _write_bigwigs(output, wigs, opened)
    draw(output, figure)
    _report(findings, records, output, task, as_json=as_json)


def _settings(values: dict[str, Any], *, every_base: bool) -> GatesSettings:
    """Check the settings. every_base : boundaries are asked for, which a sample of the bases would miss."""
    values["memory_bases"] = parse_size(str(values["memory_bases"]))
    if every_base and values["every"] > 1:
        values["every"] = 1
        log.info("--boundaries reads every base: --every is 1")
    return GatesSettings.from_json(values, where="the options of gates")


def _boundaries(path: Path, network: Any, genome: "Genome", records: "Records") -> "dict[str, Boundaries]":  # noqa: ANN401  (a model; torch is imported late)
    """Boundaries of an annotation or a BED file, told apart by the name. Counts its records."""
    from genolstm.gates.boundaries import annotated_boundaries, interval_boundaries
    from genolstm.gates.reading import TRACKS, tracks_of
    from genolstm.readers.annotation import Annotation, clip_to_genome, read_annotation
    from genolstm.readers.bed import Bed, read_bed

    if tracks_of(network) != TRACKS:
        raise UsageError("--boundaries needs a forget gate, which an rnn has not; give an lstm, gru or tied model.")
    if genome.alphabet.complement is None:
        raise UsageError("--boundaries needs a genome of DNA, which has two strands to read.")
    plain = path.name.lower().removesuffix(".gz").removesuffix(".bgz")
    warnings: tuple[str, ...]
    counts: Annotation | Bed
    if plain.endswith(ANNOTATION_SUFFIXES):
        counts, notes = clip_to_genome(
            read_annotation(path), genome.length_of, annotation_name=str(path), genome_name=str(genome.path)
        )
        warnings = (*counts.warnings, *notes)
        found = annotated_boundaries(counts.transcripts, genome.names)
    else:
        counts = read_bed(path, genome.length_of, genome_name=str(genome.path))
        warnings = counts.warnings
        found = interval_boundaries(counts)
    for note in warnings:
        log.warning("%s", note)
    records.read += counts.read
    records.used += counts.used
    records.skipped |= counts.skipped
    return found


def _bigwigs(
    folder: Path | None, names: tuple[str, ...], layers: int, strands: int
) -> dict[Path, tuple[str, int, int | None]]:
    """Path of every bigWig -> track, layer, strand. Makes the folder."""
    if folder is None:
        return {}
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--bigwig-dir {folder} is a file; name a folder.")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as problem:
        raise UsageError(f"--bigwig-dir {folder} cannot be made ({problem.strerror}); name another.") from problem
    return {
        folder / f"{name}.layer{layer}.{strand}.bw": (name, layer, which)
        for name in names
        for layer in range(layers)
        for strand, which in (STRAND_NAMES if strands > 1 else STRAND_NAMES[:1])
    }


def _write_bigwigs(output: Path, wigs: dict[Path, tuple[str, int, int | None]], genome: "Genome") -> None:
    from genolstm.store.gates import open_gates
    from genolstm.writers.bigwig import write_bigwig

    with open_gates(output) as file:
        for path, (name, layer, strand) in wigs.items():
            write_bigwig(path, genome.length_of, file.runs(name, layer, strand))
    if wigs:
        log.info("wrote %d bigWig files into %s", len(wigs), next(iter(wigs)).parent)


def _report(findings: "Findings", records: "Records", output: Path, task: Task, *, as_json: bool) -> None:
    """Say the three half-lives, the resets and what stands out at boundaries."""
    from genolstm.gates.whole import summary_of

    summary = summary_of(findings)
    for number, layer in enumerate(summary["layers"]):
        _say_layer(number, layer)
    if findings.thresholds:
        log.info("%s resets, both strands: local minima of the mean forget gate below %s",
                 f"{findings.resets:,}", ", ".join(f"{value:.4f}" for value in findings.thresholds))  # fmt: skip
    if findings.curve:
        _say_curve(summary["memory"])
    if findings.edges:
        _say_edges(summary["edges"])
    seams = findings.seams.to_json()
    log.info(
        "%d seams: states differed by up to %.2g, %d read again, now by up to %.2g", seams["count"],
        seams["found_max_state"], seams["repaired"], seams["max_state"],
    )  # fmt: skip
    summary["seams"] = seams
    task.done(output, records.to_json(), summary, as_json=as_json, word=_word(summary))


def _say_layer(number: int, layer: dict[str, Any]) -> None:
    means = ", ".join(
        f"{name.removeprefix('mean_')} {value:.3f}" for name, value in layer.items() if name[:5] == "mean_"
    )
    log.info("layer %d: mean %s", number, means)
    for kind in ("nominal", "realised"):
        if points := layer.get(f"{kind}_half_life"):
            longest = "never" if points["longest"] is None else f"{points['longest']:,.0f}"
            log.info(
                "  %s half-life of units, bases: quartiles %.1f, %.1f, %.1f; longest %s", kind, points["quarter"],
                points["median"], points["three_quarters"], longest,
            )  # fmt: skip


def _say_curve(memory: dict[str, Any]) -> None:
    log.info("functional memory on %s (%s), %s bases for each K", memory["measured_on"], ", ".join(memory["contigs"]),
             f"{memory['symbols']:,}")  # fmt: skip
    for k, bits, excess in zip(memory["reset_every"], memory["bits"], memory["excess"], strict=True):
        log.info("  emptied every %6d bases: %.4f bits/base, %+.4f [%+.4f, %+.4f]", k, bits, *excess)
    if memory["skipped"]:
        log.info(
            "  K from %s on left out: no stretch is so long, or --memory-bases is too few", f"{memory['skipped'][0]:,}"
        )


def _say_edges(edges: dict[str, Any]) -> None:
    log.info("boundaries against matched positions; p adjusted for %d tests", len(edges["tests"]))
    for test in edges["tests"]:
        log.info(
            "  %-16s %-4s layer %d %-14s %6d: %.4f against %.4f, %+.4f [%+.4f, %+.4f], p %.2g: %s", test["kind"],
            test["direction"], test["layer"], test["measure"], test["boundaries"], test["value"], test["matched"],
            *test["difference"], test["p_adjusted"], test["verdict"],
        )  # fmt: skip


def _word(summary: dict[str, Any]) -> str:
    """Give the number that matters: what was found at boundaries, else how long the memory is."""
    told = []
    if "edges" in summary:
        tests = [test for test in summary["edges"]["tests"] if test["measure"] == "forget around"]
        found = [
            f"{test['verdict']} {test['direction']} {test['kind']}"
            for test in tests
            if test["verdict"] != "no difference"
        ]
        told.append(f"forget gate around boundaries: {', '.join(found) or 'no difference from matched positions'}")
    if "memory" in summary:
        flat = summary["memory"]["flat_from"]
        told.append(f"functional memory flat within 0.001 bits from {flat['0.001']:,} bases")
    halves = [layer["realised_half_life"]["median"] for layer in summary["layers"] if "realised_half_life" in layer]
    if halves:
        told.append(f"median realised half-life {', '.join(f'{value:.1f}' for value in halves)} bases")
    return "; ".join(told) or f"{summary['samples']:,} samples"
