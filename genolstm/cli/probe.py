"""``genolstm probe``: what a model's hidden states know."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.figures import Figure, check_figure, draw
from genolstm.cli.options import Model, chosen
from genolstm.cli.probe_accessibility import accessibility
from genolstm.cli.probe_protein import protein
from genolstm.cli.terminal import Device, Force, Json, Output, ProgressLine, Quiet, Seed, Task, Threads, log, names
from genolstm.settings.probe import DecoySource, ProbeSettings, States
from genolstm.settings.reading import StreamSettings
from genolstm.settings.train import DeviceName

if TYPE_CHECKING:
    from genolstm.store.results import ProbeResult

app = typer.Typer(
    help="Read biology out of a model's hidden states with linear probes, each beside its controls.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root() -> None:
    """Read biology out of a model's hidden states with linear probes, each beside its controls."""


@app.command()
def splice(
    ctx: typer.Context,
    model: Model,
    genome: Annotated[
        Path, typer.Option("--genome", help="Genome file made by 'genolstm ingest'.", show_default=False)
    ],
    annotation: Annotated[
        Path, typer.Option("--annotation", help="Genes: GTF or GFF3, plain or gzip.", show_default=False)
    ],
    output: Output,
    decoys: Annotated[
        int, typer.Option("--decoys", min=1, help="Other GT or AG for each true site.")
    ] = ProbeSettings.decoys,
    decoys_from: Annotated[
        DecoySource,
        typer.Option("--decoys-from", help="genes: mRNA spans, same strand; contig: anywhere, either strand."),
    ] = ProbeSettings.decoys_from,
    offsets: Annotated[
        str, typer.Option("--offsets", help="Bases read beyond the site, as 0,2,4; or sweep, to choose on validation.")
    ] = ProbeSettings.offsets,
    states: Annotated[
        States, typer.Option("--states", help="Hidden state h, or h and the memory c.")
    ] = ProbeSettings.states,
    twins: Annotated[
        int, typer.Option("--twins", min=1, help="Untrained models of the same shape.")
    ] = ProbeSettings.twins,
    window: Annotated[
        int, typer.Option("--window", min=16, help="Bases on each side that sequence controls see.")
    ] = ProbeSettings.window,
    kmer: Annotated[
        int, typer.Option("--kmer", min=1, max=6, help="Word length of the word-count control.")
    ] = ProbeSettings.kmer,
    block_bp: Annotated[
        int, typer.Option("--block-bp", min=1, help="Window of genome resampled together.")
    ] = ProbeSettings.block_bp,
    resamples: Annotated[
        int, typer.Option("--resamples", min=20, help="Bootstrap resamples.")
    ] = ProbeSettings.resamples,
    max_sites: Annotated[
        int, typer.Option("--max-sites", min=1, help="True sites of each kind and part used at most.")
    ] = ProbeSettings.max_sites,
    min_intron: Annotated[
        int, typer.Option("--min-intron", min=4, help="Shorter gaps are not taken for introns.")
    ] = ProbeSettings.min_intron,
    train_contigs: Annotated[str, typer.Option("--train-contigs", help="Fit probes on these (comma separated).")] = "",
    test_contigs: Annotated[
        str, typer.Option("--test-contigs", help="Judge on these; the model must not have seen them.")
    ] = "",
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="TOML file with any of these settings.")
    ] = None,
    seed: Seed = ProbeSettings.seed,
    threads: Threads = 0,
    device: Device = DeviceName.AUTO,
    figure: Figure = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Ask whether hidden states tell splice donors and acceptors from decoys that carry the same GT or AG.

    Sites follow the model's own split unless contigs are named. Beside the trained states stand untrained twins, the
    sequence window, word counts, composition, shuffled labels and a control task. The verdict is a gain only when the
    interval of the paired difference from the strongest control excludes zero.
    torchrun -m genolstm probe splice ... divides contigs and strands over its processes, each on a GPU of its own.

    Example: genolstm probe splice model.h5 --genome genome.h5 --annotation genes.gff3.gz -o splice.h5
    """
    from genolstm.probes.splice_probe import probe_splice
    from genolstm.readers.annotation import clip_to_genome, read_annotation
    from genolstm.store.checkpoint import check_alphabet, read_checkpoint
    from genolstm.store.files import Records, file_sha256, refuse_existing
    from genolstm.store.genome import open_genome
    from genolstm.store.results import write_probe

    task = Task("probe splice", quiet=quiet, seed=seed)
    refuse_existing(output, force=force, inputs=[model, genome, annotation])
    check_figure(figure, force=force, inputs=[model, genome, annotation, output])
    options = {
        "decoys": decoys, "decoys_from": decoys_from, "offsets": offsets, "states": states, "twins": twins,
        "window": window, "kmer": kmer, "block_bp": block_bp, "resamples": resamples, "max_sites": max_sites,
        "min_intron": min_intron, "train_contigs": train_contigs, "test_contigs": test_contigs, "seed": seed,
    }  # fmt: skip
    settings = _settings(chosen(ctx, options, settings_file))
    task.seed = settings.seed  # the settings file may have given it
    task.refuse_stream(annotation)
    checkpoint, opened = read_checkpoint(model), open_genome(genome)
    inputs = {"model": file_sha256(model), "genome": opened.sha256}
    if annotation.is_file():  # a stream cannot be read twice
        inputs["annotation"] = file_sha256(annotation)
    check_alphabet(checkpoint, model, opened)
    genes, notes = clip_to_genome(
        read_annotation(annotation), opened.length_of, annotation_name=str(annotation), genome_name=str(genome)
    )
    for note in (*genes.warnings, *notes):
        log.warning("%s", note)
    on = task.use_device(device, threads)
    with task.together() as ranks, ProgressLine("read states", unit="bases", quiet=task.quiet) as line:
        results, skipped = probe_splice(
            checkpoint, opened, genes.transcripts, settings, StreamSettings(), device=on, model_name=str(model),
            told=lambda text: log.info("%s", text), progress=line.show,
            ranks=ranks,
        )  # fmt: skip
    if not ranks.is_main_process:
        return
    records = Records(read=genes.read, used=genes.used, skipped={**genes.skipped, **skipped})
    write_probe(output, "splice", results, records, task.provenance(settings.to_json(), inputs))
    draw(output, figure)
    _report(results, records.to_json(), output, task, as_json=as_json)


app.command()(accessibility)
app.command()(protein)


def _settings(values: dict[str, Any]) -> ProbeSettings:
    for part in ("train_contigs", "test_contigs"):
        values[part] = names(values[part]) if isinstance(values[part], str) else tuple(values[part])
    return ProbeSettings.from_json(values, where="the options of probe splice")


def _report(
    results: "dict[str, ProbeResult]", records: dict[str, Any], output: Path, task: Task, *, as_json: bool
) -> None:
    """Say the verdict of each target, with every control beside it."""
    for target, result in results.items():
        _table(target, result, log.info)
    told = {target: _summary(result) for target, result in results.items()}
    verdicts = {target: result.verdict for target, result in results.items()}
    overall = next(iter(verdicts.values())) if len(set(verdicts.values())) == 1 else "mixed"
    summary = {"task": "splice", "verdict": overall, "targets": told}
    word = "; ".join(f"{target}: {verdict}" for target, verdict in verdicts.items())
    task.done(output, records, summary, as_json=as_json, word=word)


def _table(target: str, result: "ProbeResult", say: Callable[..., None]) -> None:
    test = result.sites.part == 2
    say(
        "%s: %s test sites, %s of them true; offsets %s; %.1f %% of test windows share a 31-mer with training",
        target, f"{test.sum():,}", f"{result.sites.label[test].sum():,}", ",".join(map(str, result.offsets)),
        100 * result.homology,
    )  # fmt: skip
    say("  %-13s %-22s %-22s %-6s %-6s", "features", "AUPRC [95 %]", "AUROC [95 %]", "top-k", "AUPRC at natural ratio")
    for name, features in result.features.items():
        scores = features.scores
        say(
            "  %-13s %-22s %-22s %-6s %-6s", name, "{:.3f} [{:.3f}, {:.3f}]".format(*scores["auprc"]),
            "{:.3f} [{:.3f}, {:.3f}]".format(*scores["auroc"]), f"{scores['topk'].value:.3f}",
            f"{scores['auprc_natural'].value:.3f}",
        )  # fmt: skip
    from genolstm.probes.verdicts import is_close, lacking, positives_of

    against = result.differences[result.best_control]
    say(
        "%s: %s%s; trained states %+.3f AUPRC [%+.3f, %+.3f] against the strongest control (%s); selectivity %+.3f",
        target, result.verdict, " (close)" if is_close(against) else "", *against, result.best_control,
        result.selectivity,
    )  # fmt: skip
    if needed := lacking(positives_of(result.sites.label, result.sites.part)):
        say("%s: %s", target, needed)


def _summary(result: "ProbeResult") -> dict[str, Any]:
    test = result.sites.part == 2
    twins = [name for name in result.features if name.startswith("untrained")]
    strongest = max(twins, key=lambda name: result.features[name].scores["auprc"].value)
    scores = {
        name: {score: list(value) for score, value in each.scores.items()} for name, each in result.features.items()
    }
    from genolstm.probes.verdicts import is_close

    return {
        "verdict": result.verdict,
        "close": is_close(result.differences[result.best_control]),
        "best_control": result.best_control,
        "difference": list(result.differences[result.best_control]),
        "n_test": int(test.sum()),
        "n_positive": int(result.sites.label[test].sum()),
        "offsets": list(result.offsets),
        "selectivity": result.selectivity,
        "natural_prevalence": result.prevalence,
        "homology": result.homology,
        "seams": result.seams,
        "scores": {**scores, "untrained": scores[strongest]},
    }
