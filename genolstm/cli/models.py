"""``genolstm models``: the bundled models, and how to pack another."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genolstm.cli.command import command
from genolstm.cli.help import GroupedHelp
from genolstm.cli.options import ComputeOptions, Json, Model, Output, RunOptions, refuse_all
from genolstm.cli.paths import PathCheckedCommand
from genolstm.cli.recall_report import recall_lines, recall_summary
from genolstm.cli.terminal import Task, log
from genolstm.cli.train_report import of_lineage

if TYPE_CHECKING:
    from genolstm.store.checkpoint import Checkpoint
    from genolstm.store.lineage import Ancestor
    from genolstm.store.model_card import ModelCard, ProbeLine

MEBI = 1 << 20

app = typer.Typer(invoke_without_command=True, cls=GroupedHelp)


@app.callback()
def models(ctx: typer.Context, as_json: Json = False) -> None:
    """List the bundled models: training data, bits per base beside Markov models, and results of probes.

    Every command that takes a model file also takes such a name.

    Example: genolstm score pombe-512 genome.h5 -o score.h5
    """
    if not ctx.invoked_subcommand:
        _list(as_json=as_json)


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """List the bundled models, as 'genolstm models' does.

    Example: genolstm models list
    """
    _list(as_json=as_json)


def _list(*, as_json: bool) -> None:
    from genolstm.shipped import shipped_models
    from genolstm.store.checkpoint import read_checkpoint

    read = {name: (path, read_checkpoint(path)) for name, path in shipped_models().items()}
    if as_json:
        typer.echo(json.dumps({name: _plain(path, each) for name, (path, each) in read.items()}))
        return
    for name, (path, each) in read.items():
        typer.echo("\n".join([f"{name}: {_kind(path, each)}", *(f"  {line}" for line in lines_of(each))]))


def lines_of(checkpoint: "Checkpoint") -> list[str]:
    """Lines that describe a model with a card."""
    card, seen = checkpoint.card, checkpoint.seen
    if card is None:
        raise ValueError("a bundled model has a card")
    unseen = [name for name in checkpoint.split.contigs if name not in seen]
    several = [f"genomes: {', '.join(each.name for each in checkpoint.genomes)}"] if checkpoint.genomes else []
    unit = "residue" if checkpoint.model.alphabet == "protein" else "base"
    bits = [
        f"{row.part}: {row.model:.4f} bits/{unit} over {row.symbols:,}; uniform {row.uniform:.4f}, best Markov (order"
        f" {row.best_order}) {row.best_bits:.4f}, interpolated Markov {row.interpolated:.4f}"
        for row in checkpoint.bits
    ]
    return [
        f"data: {card.data}",
        f"licence of the data: {card.licence}",
        *several,
        f"trained on {', '.join(seen)}; never seen: {', '.join(unseen) or 'none of the genome'}",
        *(lineage_line(each) for each in checkpoint.ancestors),
        *bits,
        *recall_lines(checkpoint.recall, unit),
        *(_found(line) for line in card.probes),
        f"made by: {card.command}",
        f"  seed {card.seed}, {card.device}, genolstm {card.version}, {card.created[:10]}; weights rounded to float16,"
        f" which moved bits/{unit} by {card.rounding:.1g}",
        *(f"probed by: {command}" for command in dict.fromkeys(line.command for line in card.probes)),
    ]


def lineage_line(ancestor: "Ancestor") -> str:
    """Line on a model that another one went on from."""
    names = ", ".join(each.name for each in ancestor.genomes) or ", ".join(ancestor.seen)
    return (
        f"goes on from {ancestor.name} (file {ancestor.sha256[:12] or 'none'}), trained on {ancestor.bases:,} bases of"
        f" {names} (genome {ancestor.genome_sha256[:12]}); what it has seen counts as seen"
    )


def _found(line: "ProbeLine") -> str:
    from genolstm.probes.verdicts import spelled_verdict

    score = line.ranked.upper()
    return (
        f"probe {line.task}, {line.target} on {', '.join(line.tested_on)}, {line.sites:,} sites: {score}"
        f" {_interval(line.trained)}; strongest control ({line.control}) {_interval(line.of_control)};"
        f" {spelled_verdict(line.verdict, line.difference)} {_interval(line.difference, '+')}"
    )


def _interval(estimate: tuple[float, float, float], sign: str = "") -> str:
    value, low, high = (f"{number:{sign}.3f}" for number in estimate)
    return f"{value} [{low}, {high}]"


def _kind(path: Path, checkpoint: "Checkpoint") -> str:
    model = checkpoint.model
    weights = sum(array.size for array in checkpoint.weights.values())
    return (
        f"{model.cell.upper()} {model.layers}x{model.hidden}, {weights:,} weights, {path.stat().st_size / MEBI:.1f} MiB"
    )


def _plain(path: Path, checkpoint: "Checkpoint") -> dict[str, Any]:
    card: ModelCard | None = checkpoint.card
    return {
        "file": str(path),
        "model": checkpoint.model.to_json(),
        "trained_on": checkpoint.seen,
        "bits_per_base": {row.part: dataclasses.asdict(row) for row in checkpoint.bits},
        "recall": recall_summary(checkpoint.recall),
        "card": card and dataclasses.asdict(card),
        **of_lineage(checkpoint.genomes, checkpoint.ancestors),
    }


@app.command(cls=PathCheckedCommand)
@command()
def pack(
    model: Model,
    genome: Annotated[Path, typer.Argument(help="Genome file that it was trained on.", show_default=False)],
    output: Output,
    compute: ComputeOptions,
    run: RunOptions,
    data: Annotated[
        str, typer.Option("--data", help="What the genome is, where it is from, what to cite.", show_default=False)
    ],
    licence: Annotated[str, typer.Option("--licence", help="Licence of that data.", show_default=False)],
    genomes: Annotated[
        list[Path] | None,
        typer.Argument(help="Further genomes, of a model that was trained on several; in the same order."),
    ] = None,
    probe: Annotated[
        list[Path] | None,
        typer.Option("--probe", help="Result of a probe of this model; may be given again.", show_default=False),
    ] = None,
) -> None:
    """Pack a model for distribution: weights as float16, held-out bits measured again, and a card.

    The card lists commands without their folders. The file is a model file like any other.

    Example: genolstm models pack model.h5 genome.h5 --probe splice.h5 --data "my genome" --licence CC0 -o small.h5
    """
    from genolstm.packing import packed, without_folders
    from genolstm.store.checkpoint import check_alphabet, read_checkpoint, write_checkpoint
    from genolstm.store.files import file_sha256
    from genolstm.store.genome import open_genome
    from genolstm.store.joined_genome import join_genomes

    probes = probe or []
    checkpoint = read_checkpoint(model)
    task = Task("models pack", run, seed=checkpoint.train.seed)
    refuse_all([output], [model, genome, *(genomes or ()), *probes], run)
    opened = join_genomes([open_genome(path) for path in (genome, *(genomes or ()))])
    check_alphabet(checkpoint, model, opened)
    on = task.use_device(compute.device, compute.threads)
    small = packed(checkpoint, model, opened, probes, data=data, licence=licence, device=on)
    inputs = {"model": file_sha256(model), "genome": opened.sha256}
    inputs |= {f"probe {number}": file_sha256(path) for number, path in enumerate(probes, 1)}
    provenance = task.provenance({"data": data, "licence": licence}, inputs)
    write_checkpoint(output, small, dataclasses.replace(provenance, command=without_folders(provenance.command)))
    for line in lines_of(small):
        log.info("  %s", line)
    records = {"read": len(checkpoint.bits), "used": len(small.bits), "skipped": {}}
    size = output.stat().st_size
    task.done(output, records, _plain(output, small), message=f"{size / MEBI:.1f} MiB")
