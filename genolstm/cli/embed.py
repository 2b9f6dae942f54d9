"""``genolstm embed``: hidden states at sites."""

from pathlib import Path
from typing import Annotated

import typer

from genolstm.cli.figures import Figure, check_figure, draw
from genolstm.cli.options import Model
from genolstm.cli.score import BurnIn, Chunk, Exact, Lanes, Tolerance
from genolstm.cli.terminal import Device, Force, Json, Output, ProgressLine, Quiet, Task, Threads, log, tell_of_memory
from genolstm.settings.reading import StreamSettings
from genolstm.settings.train import DeviceName


def embed(
    model: Model,
    genome: Annotated[Path, typer.Argument(help="Genome file made by 'genolstm ingest'.", show_default=False)],
    sites: Annotated[
        Path, typer.Option("--sites", help="BED file (plain or gzip; - is stdin) of places.", show_default=False)
    ],
    output: Output,
    h5ad: Annotated[
        Path | None, typer.Option("--h5ad", help="Also write an AnnData file, as scanpy reads.", show_default=False)
    ] = None,
    exact: Exact = StreamSettings.exact,
    lanes: Lanes = StreamSettings.lanes,
    chunk: Chunk = StreamSettings.chunk,
    burn_in: BurnIn = StreamSettings.burn_in,
    tolerance: Tolerance = StreamSettings.tolerance,
    threads: Threads = 0,
    device: Device = DeviceName.AUTO,
    figure: Figure = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Keep the states of a model at BED sites: both strands, every layer, hidden state h and memory c, as float16.

    The pass along a site's strand is read after its last base, the other pass after its first: both have then read
    all of it. Rows are sorted by contig and start, with their coordinates beside them.
    torchrun -m genolstm embed ... divides what is read over its processes, each on a GPU of its own.

    Example: genolstm embed model.h5 genome.h5 --sites sites.bed -o hidden.h5 --h5ad hidden.h5ad
    """
    from genolstm.hidden import embed_sites, hand_over
    from genolstm.readers.bed import read_bed
    from genolstm.store.checkpoint import check_alphabet, read_checkpoint
    from genolstm.store.files import file_sha256, refuse_existing
    from genolstm.store.genome import open_genome
    from genolstm.store.hidden import write_h5ad, write_hidden

    task = Task("embed", quiet=quiet)
    for target in (output, h5ad):
        if target:
            refuse_existing(target, force=force, inputs=[model, genome, sites])
    check_figure(figure, force=force, inputs=[model, genome, sites, output])
    settings = StreamSettings(lanes=lanes, chunk=chunk, burn_in=burn_in, exact=exact, tolerance=tolerance)
    checkpoint, opened = read_checkpoint(model), open_genome(genome)
    check_alphabet(checkpoint, model, opened)
    task.refuse_stream(sites)
    bed = read_bed(sites, opened.length_of, genome_name=str(genome))
    for warning in bed.warnings:
        log.warning("%s", warning)
    inputs = {"model": file_sha256(model), "genome": opened.sha256}
    if sites.is_file():  # a stream cannot be read twice
        inputs["sites"] = file_sha256(sites)
    on = task.suit(task.use_device(device, threads), checkpoint.model, (lanes, chunk))
    with task.together() as ranks, ProgressLine("embed", unit="bases", quiet=task.quiet) as line:
        embedding = embed_sites(
            checkpoint, opened, bed, settings, device=on, bed_name=str(sites), progress=line.show, ranks=ranks
        )
        if not ranks.leads:
            hand_over(embedding, ranks, output)
            return
        write_hidden(
            output, embedding.sites, embedding.features, embedding.states, embedding.seams.to_json, embedding.records,
            task.provenance(settings.to_json(), inputs),
        )  # fmt: skip
    if h5ad:
        write_h5ad(h5ad, output)
        log.info("wrote %s", h5ad)
    draw(output, figure)
    count, width = len(embedding.sites), len(embedding.features)
    seams = embedding.seams.to_json()
    tell_of_memory(seams)
    summary = {"sites": count, "features": width, "seams": seams}
    task.done(output, embedding.records.to_json(), summary, as_json=as_json, word=f"{width} states at {count:,} sites")
