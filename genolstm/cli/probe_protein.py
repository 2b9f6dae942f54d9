"""``genolstm probe protein``: what hidden states know of the polypeptide made so far."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.figures import Figure, check_figure, draw
from genolstm.cli.options import Model, chosen
from genolstm.cli.terminal import Device, Force, Json, Output, ProgressLine, Quiet, Seed, Task, Threads, log, names
from genolstm.errors import UsageError
from genolstm.settings.probe import States
from genolstm.settings.protein import ProteinProbeSettings
from genolstm.settings.train import DeviceName

if TYPE_CHECKING:
    from genolstm.store.results import ProbeResult

CONTIG_LISTS = ("train_contigs", "test_contigs")
TEST = 2  # regions.Part, which the import of numpy would slow down


def protein(
    ctx: typer.Context,
    model: Model,
    output: Output,
    proteins: Annotated[
        Path | None,
        typer.Option("--proteins", help="For a protein model: FASTA, or a file of 'ingest --alphabet protein'."),
    ] = None,
    genome: Annotated[
        Path | None, typer.Option("--genome", help="For a DNA model: genome file made by 'genolstm ingest'.")
    ] = None,
    annotation: Annotated[
        Path | None, typer.Option("--annotation", help="For a DNA model: genes, GTF or GFF3, plain or gzip.")
    ] = None,
    positions: Annotated[
        int, typer.Option("--positions", min=1, help="Places drawn in each protein.")
    ] = ProteinProbeSettings.positions,
    states: Annotated[
        States, typer.Option("--states", help="Hidden state h, or h and the memory c.")
    ] = ProteinProbeSettings.states,
    twins: Annotated[
        int, typer.Option("--twins", min=1, help="Untrained models of the same shape.")
    ] = ProteinProbeSettings.twins,
    window: Annotated[
        int, typer.Option("--window", min=4, help="Symbols up to the place that word counts see.")
    ] = ProteinProbeSettings.window,
    genetic_code: Annotated[
        int, typer.Option("--genetic-code", min=1, help="Number of NCBI's translation table.")
    ] = ProteinProbeSettings.genetic_code,
    resamples: Annotated[
        int, typer.Option("--resamples", min=20, help="Bootstrap resamples.")
    ] = ProteinProbeSettings.resamples,
    max_proteins: Annotated[
        int, typer.Option("--max-proteins", min=1, help="Proteins of each part used at most.")
    ] = ProteinProbeSettings.max_proteins,
    train_contigs: Annotated[str, typer.Option("--train-contigs", help="Fit probes on genes of these contigs.")] = "",
    test_contigs: Annotated[
        str, typer.Option("--test-contigs", help="Judge on these; the model must not have seen them.")
    ] = "",
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="TOML file with any of these settings.")
    ] = None,
    seed: Seed = ProteinProbeSettings.seed,
    threads: Threads = 0,
    device: Device = DeviceName.AUTO,
    figure: Figure = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Ask whether hidden states know the net charge and hydropathy of the polypeptide made so far, and of what follows.

    A protein model is asked after residues, a DNA model after codons of the spliced mRNA (one transcript a gene, that
    of the longest CDS), and after any base for its codon frame. Proteins that share words with a test protein are not
    fitted to. Beside the trained states stand untrained twins, prefix length, the composition and word counts of the
    last symbols, shuffled labels, and the composition of the prefix, which is the ceiling of what is asked of it.

    Example: genolstm probe protein model.h5 --genome genome.h5 --annotation genes.gff3.gz -o protein.h5
    """
    from genolstm.probes.protein_probe import probe_protein
    from genolstm.probes.protein_sources import check_fits, gene_source, protein_source
    from genolstm.store.checkpoint import check_alphabet, read_checkpoint
    from genolstm.store.files import file_sha256, refuse_existing
    from genolstm.store.genome import open_genome
    from genolstm.store.results import write_probe

    task = Task("probe protein", quiet=quiet, seed=seed)
    given = {"model": model, "proteins": proteins, "genome": genome, "annotation": annotation}
    files = {name: path for name, path in given.items() if path is not None}
    refuse_existing(output, force=force, inputs=files.values())
    check_figure(figure, force=force, inputs=[*files.values(), output])
    options = {
        "positions": positions, "states": states, "twins": twins, "window": window, "genetic_code": genetic_code,
        "resamples": resamples, "max_proteins": max_proteins, "train_contigs": train_contigs,
        "test_contigs": test_contigs, "seed": seed,
    }  # fmt: skip
    settings = _settings(chosen(ctx, options, settings_file))
    task.seed = settings.seed  # the settings file may have given it
    _refuse_mixture(files, settings)
    checkpoint = read_checkpoint(model)
    check_fits(checkpoint, str(model), proteins=proteins is not None)
    inputs = {name: file_sha256(path) for name, path in files.items() if name != "genome" and path.is_file()}
    if proteins is not None:
        source = protein_source(proteins, checkpoint, settings, str(model))
    elif genome is not None and annotation is not None:
        opened = open_genome(genome)
        inputs["genome"] = opened.sha256
        check_alphabet(checkpoint, model, opened)
        source = gene_source(opened, annotation, checkpoint, settings, str(model))
    for note in source.notes:
        log.info("%s", note)
    on = task.use_device(device, threads)
    with ProgressLine("read states", unit="symbols", quiet=quiet) as line:
        results, records = probe_protein(
            checkpoint, source, settings, device=on, told=lambda text: log.info("%s", text), progress=line.show
        )
    write_probe(output, "protein", results, records, task.provenance(settings.to_json(), inputs))
    draw(output, figure)
    _report(results, records.to_json(), output, task, as_json=as_json)


def _settings(values: dict[str, Any]) -> ProteinProbeSettings:
    for part in CONTIG_LISTS:
        values[part] = names(values[part]) if isinstance(values[part], str) else tuple(values[part])
    return ProteinProbeSettings.from_json(values, where="the options of probe protein")


def _refuse_mixture(files: dict[str, Path], settings: ProteinProbeSettings) -> None:
    """Say what to give where proteins and genes are mixed, or something is missing. Raises UsageError."""
    of_genes = {"genome", "annotation"} & files.keys()
    if "proteins" in files and of_genes:
        raise UsageError("--proteins is for a protein model, --genome and --annotation for a DNA model; give one kind.")
    if "proteins" not in files and len(of_genes) < len(("genome", "annotation")):
        raise UsageError("give --proteins for a protein model, or both --genome and --annotation for a DNA model.")
    if "proteins" in files and (settings.train_contigs or settings.test_contigs):
        raise UsageError("--train-contigs and --test-contigs split a genome; with --proteins whole clusters are split.")


def _report(
    results: "dict[str, ProbeResult]", records: dict[str, Any], output: Path, task: Task, *, as_json: bool
) -> None:
    """Say the verdict of each target, with every control beside it."""
    for target, result in results.items():
        _table(target, result, log.info)
    verdicts = {target: result.verdict for target, result in results.items()}
    summary = {
        "task": "protein",
        "verdict": next(iter(verdicts.values())) if len(set(verdicts.values())) == 1 else "mixed",
        "targets": {target: _summary(result) for target, result in results.items()},
    }
    word = "; ".join(f"{target}: {verdict}" for target, verdict in verdicts.items())
    task.done(output, records, summary, as_json=as_json, word=word)


def _table(target: str, result: "ProbeResult", say: Callable[..., None]) -> None:
    test = result.sites.part == TEST
    say(
        "%s: %s; %s test places in %s clusters of proteins", target, result.definition["target"], f"{test.sum():,}",
        f"{len(set(result.sites.block[test].tolist())):,}",
    )  # fmt: skip
    shown = list(next(iter(result.features.values())).scores)
    say("  %-18s %s", "features", " ".join(f"{name:22}" for name in shown))
    for name, features in result.features.items():
        say("  %-18s %s", name, " ".join("{:.3f} [{:.3f}, {:.3f}]".format(*features.scores[each]) for each in shown))
    against = result.differences[result.best_control]
    say(
        "%s: %s; trained states %+.3f %s [%+.3f, %+.3f] against the strongest control (%s)",
        target, result.verdict, against.value, result.ranked.upper(), against.low, against.high, result.best_control,
    )  # fmt: skip
    if result.standing is not None:
        say(
            "%s: between the best untrained twin (0) and the composition of the prefix (1) the trained states stand at"
            " %.2f [%.2f, %.2f]",
            target, *result.standing,
        )  # fmt: skip


def _summary(result: "ProbeResult") -> dict[str, Any]:
    test = result.sites.part == TEST
    twins = [name for name in result.features if name.startswith("untrained")]
    strongest = max(twins, key=lambda name: result.features[name].scores[result.ranked].value)
    scores = {
        name: {score: list(value) for score, value in each.scores.items()} for name, each in result.features.items()
    }
    from genolstm.probes.verdicts import is_close

    return {
        "verdict": result.verdict,
        "close": is_close(result.differences[result.best_control]),
        "best_control": result.best_control,
        "difference": list(result.differences[result.best_control]),
        "standing": list(result.standing) if result.standing is not None else None,
        "n_test": int(test.sum()),
        "n_positive": None,
        "offsets": list(result.offsets),
        "definition": dict(result.definition),
        "homology": result.homology,
        "scores": {**scores, "untrained": scores[strongest]},
    }
