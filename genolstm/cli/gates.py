"""``genolstm gates``: what a model's gates do along a genome, and how long it remembers."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from genolstm.cli.terminal import ProgressLine, Task, log
from genolstm.errors import UsageError
from genolstm.settings.option import option
from genolstm.settings.reading import GatesSettings, StreamSettings

if TYPE_CHECKING:
    from genolstm.gates.boundaries import Boundaries
    from genolstm.gates.whole import Findings
    from genolstm.store.files import Records
    from genolstm.store.genome import Genome

ANNOTATION_SUFFIXES = (".gff", ".gff3", ".gtf")
STRAND_NAMES: tuple[tuple[str, int | None], ...] = (("forward", 0), ("reverse", 1), ("mean", None))


@dataclass(frozen=True, kw_only=True)
class GatesFiles:
    """Outputs and inputs beside the tracks."""

    bigwig_dir: Path | None = option(None, "Also write every track as bigWig into this folder.")
    dump: str | None = option(None, "Keep all gates, h and c at each base of this region.")
    boundaries: Path | None = option(
        None, "GTF, GFF3 or BED: test whether gates differ where features begin and end. Reads every base."
    )


@command(settings_file=True)
def gates(
    model: Model,
    genome: GenomeFile,
    output: Output,
    settings: GatesSettings,
    files: GatesFiles,
    stream: StreamSettings,
    given: Given,
    compute: ComputeOptions,
    run: ResultOptions,
    region: Regions = None,
) -> None:
    """Follow the gates along a genome: what each unit keeps, where the network forgets, how long it remembers.

    Three half-lives are kept apart: nominal (from the biases), realised (from the gates), and functional memory: bits
    per base when the state is emptied every K bases. With --boundaries, the forget gate where features begin and end
    is compared with positions of the same composition.
    torchrun -m genolstm gates ... divides contigs and strands over its processes, each on a GPU of its own.

    Example: genolstm gates model.h5 genome.h5 -o gates.h5 --bigwig-dir tracks --boundaries genes.gff3.gz
    """
    from genolstm.gates.dump import check_dump
    from genolstm.gates.places import sample_plan
    from genolstm.gates.reading import tracks_of
    from genolstm.gates.whole import GateRequest, gates_of_genome
    from genolstm.model import trained_model
    from genolstm.readers.region_text import parse_region
    from genolstm.store.checkpoint import check_alphabet, read_checkpoint
    from genolstm.store.files import file_sha256, refuse_existing
    from genolstm.store.genome import open_genome
    from genolstm.stream.reader import GenomeReader

    task = Task("gates", run, seed=settings.seed)
    boundaries = files.boundaries
    refuse_all([output], [model, genome, boundaries], run)
    if boundaries and settings.every > 1:  # a sample of the bases would miss them
        settings = dataclasses.replace(settings, every=1)
        log.info("--boundaries reads every base: --every is 1")
    checkpoint, opened = read_checkpoint(model), open_genome(genome)
    check_alphabet(checkpoint, model, opened)
    stretches, records = chosen_stretches(region, opened)
    task.refuse_stream(boundaries)
    network = trained_model(checkpoint.model, checkpoint.weights)
    request = GateRequest(
        dump=parse_region(files.dump, opened.length_of) if files.dump else None,
        boundaries=_boundaries(boundaries, network, opened, records) if boundaries else {},
    )
    if request.dump:
        check_dump(network, opened, request.dump)
    plan = sample_plan(opened, stretches, settings.every)
    names, strands = tracks_of(network), 1 if opened.alphabet.complement is None else 2
    wigs = _bigwigs(files.bigwig_dir, names, checkpoint.model.layers, strands)
    for path in wigs:
        refuse_existing(path, force=run.force, inputs=[model, genome, *([boundaries] if boundaries else [])])
    on = task.use_device(compute.device, compute.threads)
    stream = stream.suited(on.type, given.values)
    provenance = task.provenance(
        {**stream.to_json(), **settings.to_json(), "regions": region or [], "dump": files.dump or ""},
        {"model": file_sha256(model), "genome": opened.sha256,
         **({"boundaries": file_sha256(boundaries)} if boundaries and boundaries.is_file() else {})},
    )  # fmt: skip
    to_read = strands * stretches.bases
    task.suit(on, checkpoint.model, (stream.lanes, stream.chunk), symbols=to_read)
    with task.together() as ranks, ProgressLine("gates", unit="bases", quiet=run.quiet) as line:
        reader = GenomeReader(network.to(on), opened, stream, ranks=ranks, on_progress=line.show)
        findings = gates_of_genome(
            reader, checkpoint, plan, settings, request, output, provenance, records,
            log=lambda text: log.info("%s", text),
        )  # fmt: skip
    if findings is None:  # another process writes
        return
    _write_bigwigs(output, wigs, opened)
    draw(output, run.figure)
    _report(findings, records, output, task)


def _boundaries(path: Path, network: Any, genome: "Genome", records: "Records") -> "dict[str, Boundaries]":  # noqa: ANN401  (a model; torch is imported late)
    """Boundaries from an annotation or a BED file; the name's ending decides which it is. Counts its records."""
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


def _report(findings: "Findings", records: "Records", output: Path, task: Task) -> None:
    """Log the three half-lives, the resets and the tests at boundaries."""
    from genolstm.gates.whole import summary_of

    summary = summary_of(findings)
    for number, layer in enumerate(summary["layers"]):
        _log_layer(number, layer)
    if findings.thresholds:
        log.info("%s resets, both strands: local minima of the mean forget gate below %s",
                 f"{findings.resets:,}", ", ".join(f"{value:.4f}" for value in findings.thresholds))  # fmt: skip
    if findings.curve:
        _log_curve(summary["memory"])
    if findings.edges:
        _log_edges(summary["edges"])
    if findings.lyapunov:
        _log_lyapunov(summary["lyapunov"])
    seams = findings.seams.to_json()
    log.info(
        "%d seams: states differed by up to %.2g; %d read again, then by up to %.2g", seams["count"],
        seams["found_max_state"], seams["repaired"], seams["max_state"],
    )  # fmt: skip
    summary["seams"] = seams
    task.done(output, records.to_json(), summary, message=_headline(summary))


def _log_layer(number: int, layer: dict[str, Any]) -> None:
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


def _log_curve(memory: dict[str, Any]) -> None:
    log.info("functional memory on %s (%s), %s bases for each K", memory["measured_on"], ", ".join(memory["contigs"]),
             f"{memory['symbols']:,}")  # fmt: skip
    for k, bits, excess in zip(memory["reset_every"], memory["bits"], memory["excess"], strict=True):
        log.info("  emptied every %6d bases: %.4f bits/base, %+.4f [%+.4f, %+.4f]", k, bits, *excess)
    if memory["skipped"]:
        log.info(
            "  K from %s on left out: no stretch is so long, or --memory-bases is too few", f"{memory['skipped'][0]:,}"
        )


def _log_lyapunov(found: dict[str, Any]) -> None:
    """Log the exponent of the whole state: what a difference between two pasts shrinks to, whatever unit holds it."""
    shrinks = (
        "does not shrink" if found["memory_bases"] is None else f"shrinks e-fold in {found['memory_bases']:,.0f} bases"
    )
    log.info(
        "Lyapunov exponent of the whole state %.3g per base (%.3g to %.3g at %d places of %s bases): a difference %s",
        *found["exponent"], found["places"], f"{found['bases']:,}", shrinks,
    )  # fmt: skip


def _log_edges(edges: dict[str, Any]) -> None:
    log.info("boundaries against matched positions; p adjusted for %d tests", len(edges["tests"]))
    for test in edges["tests"]:
        log.info(
            "  %-16s %-4s layer %d %-14s %6d: %.4f against %.4f, %+.4f [%+.4f, %+.4f], p %.2g: %s", test["kind"],
            test["direction"], test["layer"], test["measure"], test["boundaries"], test["value"], test["matched"],
            *test["difference"], test["p_adjusted"], test["verdict"],
        )  # fmt: skip


def _headline(summary: dict[str, Any]) -> str:
    """Main result in one line: the tests at boundaries, the length of the memory, the half-lives."""
    parts = []
    if "edges" in summary:
        tests = [test for test in summary["edges"]["tests"] if test["measure"] == "forget around"]
        found = [
            f"{test['verdict']} {test['direction']} {test['kind']}"
            for test in tests
            if test["verdict"] != "no difference"
        ]
        parts.append(f"forget gate around boundaries: {', '.join(found) or 'no difference from matched positions'}")
    if "memory" in summary:
        flat = summary["memory"]["flat_from"]
        parts.append(f"functional memory flat within 0.001 bits from {flat['0.001']:,} bases")
    halves = [layer["realised_half_life"]["median"] for layer in summary["layers"] if "realised_half_life" in layer]
    if halves:
        parts.append(f"median realised half-life {', '.join(f'{value:.1f}' for value in halves)} bases")
    return "; ".join(parts) or f"{summary['samples']:,} samples"
