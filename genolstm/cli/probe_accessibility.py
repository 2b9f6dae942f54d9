"""``genolstm probe accessibility``: what hidden states know of open chromatin."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.figures import Figure, check_figure, draw
from genolstm.cli.options import Model, chosen
from genolstm.cli.terminal import Device, Force, Json, Output, ProgressLine, Quiet, Seed, Task, Threads, log, names
from genolstm.settings.probe import AccessibilitySettings, States
from genolstm.settings.reading import StreamSettings
from genolstm.settings.train import DeviceName

if TYPE_CHECKING:
    from genolstm.store.results import ProbeResult

CONTIG_LISTS = ("exclude_contigs", "train_contigs", "valid_contigs", "test_contigs")


def accessibility(
    ctx: typer.Context,
    model: Model,
    genome: Annotated[
        Path, typer.Option("--genome", help="Genome file made by 'genolstm ingest'.", show_default=False)
    ],
    track: Annotated[Path, typer.Option("--track", help="Track made by 'genolstm track'.", show_default=False)],
    output: Output,
    peaks: Annotated[
        Path | None, typer.Option("--peaks", help="Open regions: narrowPeak or BED; without, the top windows are open.")
    ] = None,
    blacklist: Annotated[
        Path | None, typer.Option("--blacklist", help="BED of places to leave out, beside those of the track.")
    ] = None,
    window: Annotated[int, typer.Option("--window", min=2, help="Bases of a window.")] = AccessibilitySettings.window,
    top_share: Annotated[
        float, typer.Option("--top-share", help="Windows of each part that are open where no peaks are given.")
    ] = AccessibilitySettings.top_share,
    states: Annotated[
        States, typer.Option("--states", help="Hidden state h, or h and the memory c.")
    ] = AccessibilitySettings.states,
    twins: Annotated[
        int, typer.Option("--twins", min=1, help="Untrained models of the same shape.")
    ] = AccessibilitySettings.twins,
    kmers: Annotated[
        str, typer.Option("--kmers", help="Word lengths of the word-count controls.")
    ] = AccessibilitySettings.kmers,
    matches: Annotated[
        int, typer.Option("--matches", min=1, help="Closed windows of the same GC for each open one, second score.")
    ] = AccessibilitySettings.matches,
    block_bp: Annotated[
        int, typer.Option("--block-bp", min=1, help="Stretch of genome resampled together.")
    ] = AccessibilitySettings.block_bp,
    resamples: Annotated[
        int, typer.Option("--resamples", min=20, help="Bootstrap resamples.")
    ] = AccessibilitySettings.resamples,
    max_windows: Annotated[
        int, typer.Option("--max-windows", min=1, help="Windows of each part used at most.")
    ] = AccessibilitySettings.max_windows,
    permutations: Annotated[
        int, typer.Option("--permutations", min=1, help="Of the test of forgetting at the edges of peaks.")
    ] = AccessibilitySettings.permutations,
    exclude_contigs: Annotated[str, typer.Option("--exclude-contigs", help="Leave these out (comma separated).")] = "",
    train_contigs: Annotated[str, typer.Option("--train-contigs", help="Fit probes on these.")] = "",
    valid_contigs: Annotated[str, typer.Option("--valid-contigs", help="Choose their strengths on these.")] = "",
    test_contigs: Annotated[
        str, typer.Option("--test-contigs", help="Judge on these; the model must not have seen them.")
    ] = "",
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="TOML file with any of these settings.")
    ] = None,
    seed: Seed = AccessibilitySettings.seed,
    threads: Threads = 0,
    device: Device = DeviceName.AUTO,
    figure: Figure = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Ask whether hidden states, pooled over windows, tell open chromatin: peaks (logistic) and signal (ridge).

    Windows follow the model's own split unless contigs are named. Beside the trained states stand untrained twins, GC,
    word counts, the binned sequence, shuffled and shifted labels. The verdict is a gain only when the interval of the
    paired difference from the strongest control excludes zero. With peaks, the forget gate is tested at their edges.
    torchrun -m genolstm probe accessibility ... divides contigs and strands over its processes, each on its own GPU.

    Example: genolstm probe accessibility model.h5 --genome genome.h5 --track atac.h5 --peaks p.narrowPeak -o access.h5
    """
    from genolstm.probes.accessibility_probe import probe_accessibility
    from genolstm.readers.bed import read_bed
    from genolstm.store.checkpoint import check_alphabet, read_checkpoint
    from genolstm.store.files import Records, file_sha256, refuse_existing
    from genolstm.store.genome import open_genome
    from genolstm.store.results import write_probe
    from genolstm.store.track import open_track

    task = Task("probe accessibility", quiet=quiet, seed=seed)
    given = {"model": model, "genome": genome, "track": track, "peaks": peaks, "blacklist": blacklist}
    files = {name: path for name, path in given.items() if path is not None}
    refuse_existing(output, force=force, inputs=files.values())
    check_figure(figure, force=force, inputs=[*files.values(), output])
    options = {
        "window": window, "top_share": top_share, "states": states, "twins": twins, "kmers": kmers, "matches": matches,
        "block_bp": block_bp, "resamples": resamples, "max_windows": max_windows, "permutations": permutations,
        "exclude_contigs": exclude_contigs, "train_contigs": train_contigs, "valid_contigs": valid_contigs,
        "test_contigs": test_contigs, "seed": seed,
    }  # fmt: skip
    settings = _settings(chosen(ctx, options, settings_file))
    task.seed = settings.seed  # the settings file may have given it
    task.refuse_stream(peaks, blacklist)
    checkpoint, opened, counted = read_checkpoint(model), open_genome(genome), open_track(track)
    check_alphabet(checkpoint, model, opened)
    beds = {
        name: read_bed(path, opened.length_of, genome_name=str(genome)) if path else None
        for name, path in (("peaks", peaks), ("blacklist", blacklist))
    }
    for bed in beds.values():
        for note in bed.warnings if bed else ():
            log.warning("%s", note)
    inputs = {
        name: opened.sha256 if name == "genome" else file_sha256(path) for name, path in files.items() if path.is_file()
    }
    on = task.use_device(device, threads)
    with task.together() as ranks, ProgressLine("read states", unit="bases", quiet=task.quiet) as line:
        results, read, skipped = probe_accessibility(
            checkpoint, opened, counted, beds["peaks"], beds["blacklist"], settings, StreamSettings(), device=on,
            model_name=str(model), told=lambda text: log.info("%s", text), progress=line.show,
            ranks=ranks,
        )  # fmt: skip
    if not ranks.is_main_process:
        return
    used = len(next(iter(results.values())).sites)
    records = Records(read=read, used=used, skipped=skipped)
    write_probe(output, "accessibility", results, records, task.provenance(settings.to_json(), inputs))
    draw(output, figure)
    _report(results, records.to_json(), output, task, as_json=as_json)


def _settings(values: dict[str, Any]) -> AccessibilitySettings:
    for part in CONTIG_LISTS:
        values[part] = names(values[part]) if isinstance(values[part], str) else tuple(values[part])
    return AccessibilitySettings.from_json(values, where="the options of probe accessibility")


def _report(
    results: "dict[str, ProbeResult]", records: dict[str, Any], output: Path, task: Task, *, as_json: bool
) -> None:
    """Say the verdict of each target, with every control beside it."""
    for target, result in results.items():
        _table(target, result, log.info)
        _say_edges(result, log.info)
    verdicts = {target: result.verdict for target, result in results.items()}
    summary = {
        "task": "accessibility",
        "verdict": next(iter(verdicts.values())) if len(set(verdicts.values())) == 1 else "mixed",
        "targets": {target: _summary(result) for target, result in results.items()},
    }
    word = "; ".join(f"{target}: {verdict}" for target, verdict in verdicts.items())
    task.done(output, records, summary, as_json=as_json, word=word)


def _table(target: str, result: "ProbeResult", say: Callable[..., None]) -> None:
    test = result.sites.part == 2
    say(
        "%s: %s test windows, %s of them open; %.1f %% share a 31-mer with training",
        target, f"{test.sum():,}", f"{result.sites.label[test].sum():,}", 100 * result.homology,
    )  # fmt: skip
    shown = list(next(iter(result.features.values())).scores)
    say("  %-13s %s", "features", " ".join(f"{name:22}" for name in shown))
    for name, features in result.features.items():
        say("  %-13s %s", name, " ".join("{:.3f} [{:.3f}, {:.3f}]".format(*features.scores[each]) for each in shown))
    against = result.differences[result.best_control]
    say(
        "%s: %s; trained states %+.3f %s [%+.3f, %+.3f] against the strongest control (%s)",
        target, result.verdict, against.value, result.ranked.upper(), against.low, against.high, result.best_control,
    )  # fmt: skip


def _say_edges(result: "ProbeResult", say: Callable[..., None]) -> None:
    """Say what the forget gate does at the edges of peaks."""
    for row, model in enumerate(result.edges.get("model", ())):
        edges = {name: values[row] for name, values in result.edges.items()}
        say(
            "forget gate reading %s peaks, %s, layer %d: %.4f at %d edges, %.4f at matched positions,"
            " %+.4f [%+.4f, %+.4f], p %.2g (%.2g after correction)",
            edges["direction"], model, edges["layer"], edges["value"], edges["edges"], edges["matched"],
            edges["difference"], edges["low"], edges["high"], edges["p"], edges["p_adjusted"],
        )  # fmt: skip


def _summary(result: "ProbeResult") -> dict[str, Any]:
    test = result.sites.part == 2
    twins = [name for name in result.features if name.startswith("untrained")]
    strongest = max(twins, key=lambda name: result.features[name].scores[result.ranked].value)
    scores = {
        name: {score: list(value) for score, value in each.scores.items()} for name, each in result.features.items()
    }
    edges = {
        name: list(values) if isinstance(values, list) else values.tolist() for name, values in result.edges.items()
    }
    from genolstm.probes.verdicts import is_close

    return {
        "verdict": result.verdict,
        "close": is_close(result.differences[result.best_control]),
        "best_control": result.best_control,
        "difference": list(result.differences[result.best_control]),
        "n_test": int(test.sum()),
        "n_positive": int(result.sites.label[test].sum()),
        "definition": dict(result.definition),
        "homology": result.homology,
        "seams": result.seams,
        "scores": {**scores, "untrained": scores[strongest]},
        **({"edges": edges} if edges else {}),
    }
