"""``genolstm embed``: hidden states at sites."""

from pathlib import Path
from typing import Annotated

import typer

from genolstm.cli.command import Given, command
from genolstm.cli.figures import draw
from genolstm.cli.options import ComputeOptions, GenomeFile, Model, Output, ResultOptions, refuse_all
from genolstm.cli.terminal import ProgressLine, Task, log, report_format, report_memory
from genolstm.settings.reading import EmbedSettings, FormatSettings


@command()
def embed(
    model: Model,
    genome: GenomeFile,
    sites: Annotated[
        Path, typer.Option("--sites", help="BED file (plain or gzip; - is stdin) of places.", show_default=False)
    ],
    output: Output,
    kept: EmbedSettings,
    settings: FormatSettings,
    given: Given,
    compute: ComputeOptions,
    run: ResultOptions,
    h5ad: Annotated[
        Path | None, typer.Option("--h5ad", help="Also write an AnnData file, as scanpy reads.", show_default=False)
    ] = None,
) -> None:
    """Store the states of a model at BED sites: both strands, every layer, hidden state h and memory c, as float16.

    The state of the pass along a site's strand is taken after its last base, that of the other pass after its first:
    both passes have then covered the whole site. --pool adds the mean and the maximum over the states after each base
    of a site. Rows are sorted by contig and start, with their coordinates.
    torchrun -m genolstm embed ... divides the genome over its processes, each on a GPU of its own.

    Example: genolstm embed model.h5 genome.h5 --sites sites.bed -o hidden.h5 --h5ad hidden.h5ad
    """
    from genolstm.model import trained_model
    from genolstm.readers.bed import read_bed
    from genolstm.states.sites import embed_sites, hand_over
    from genolstm.store.checkpoint import check_alphabet, read_checkpoint
    from genolstm.store.files import file_sha256
    from genolstm.store.genome import open_genome
    from genolstm.store.hidden import write_h5ad, write_hidden
    from genolstm.stream.reader import GenomeReader

    task = Task("embed", run)
    refuse_all([output, h5ad], [model, genome, sites], run)
    checkpoint, opened = read_checkpoint(model), open_genome(genome)
    check_alphabet(checkpoint, model, opened)
    task.refuse_stream(sites)
    bed = read_bed(sites, opened.length_of, genome_name=str(genome))
    for warning in bed.warnings:
        log.warning("%s", warning)
    inputs = {"model": file_sha256(model), "genome": opened.sha256}
    if sites.is_file():  # a stream cannot be read twice
        inputs["sites"] = file_sha256(sites)
    on = task.use_device(compute.device, compute.threads)
    settings = settings.suited(on.type, given.values)
    task.suit(on, checkpoint.model, (settings.lanes, settings.chunk))
    with task.together() as ranks, ProgressLine("embed", unit="bases", quiet=task.quiet) as line:
        network = trained_model(checkpoint.model, checkpoint.weights).to(on)
        reader = GenomeReader(network, opened, settings, ranks=ranks, on_progress=line.show)
        report_format(reader.model)
        embedding = embed_sites(reader, bed, kept, bed_name=str(sites), folder=output.parent)
        if not ranks.is_main_process:
            hand_over(embedding, ranks, output)
            return
        write_hidden(
            output, embedding.sites, embedding.features, embedding.states, embedding.seams.to_json, embedding.records,
            task.provenance({**settings.to_json(), **kept.to_json()}, inputs),
        )  # fmt: skip
    if h5ad:
        write_h5ad(h5ad, output)
        log.info("wrote %s", h5ad)
    draw(output, run.figure)
    count, width = len(embedding.sites), len(embedding.features)
    seams = embedding.seams.to_json()
    report_memory(seams)
    summary = {"sites": count, "features": width, "seams": seams}
    task.done(output, embedding.records.to_json(), summary, message=f"{width} states at {count:,} sites")
