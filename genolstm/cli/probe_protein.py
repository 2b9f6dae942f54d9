"""``genolstm probe protein``: whether hidden states encode properties of the polypeptide made so far."""

from pathlib import Path
from typing import Annotated

import typer

from genolstm.cli.command import command
from genolstm.cli.figures import draw
from genolstm.cli.options import ComputeOptions, Model, Output, ResultOptions, refuse_all
from genolstm.cli.terminal import ProgressLine, Task, log
from genolstm.errors import UsageError
from genolstm.settings.protein import ProteinProbeSettings
from genolstm.settings.reading import StreamSettings


@command(settings_file=True)
def protein(
    model: Model,
    output: Output,
    settings: ProteinProbeSettings,
    compute: ComputeOptions,
    run: ResultOptions,
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
) -> None:
    """Test whether hidden states encode net charge and hydropathy of the polypeptide made so far, and of what follows.

    A protein model is probed after residues, a DNA model after codons of the spliced mRNA (one transcript a gene, that
    of the longest CDS), and after any base for its codon frame. Proteins that share k-mers with a test protein are not
    fitted to. Controls are random-init models, prefix length, the composition and k-mer counts of the last symbols,
    and shuffled labels; the composition of the prefix, from which its charge and hydropathy follow, is the ceiling.

    Example: genolstm probe protein model.h5 --genome genome.h5 --annotation genes.gff3.gz -o protein.h5
    """
    from genolstm.cli.probe_output import report
    from genolstm.model import trained_model
    from genolstm.probes.protein_sources import check_fits, gene_source, protein_source
    from genolstm.probes.tasks.protein import probe_protein
    from genolstm.store.checkpoint import check_alphabet, read_checkpoint
    from genolstm.store.files import file_sha256
    from genolstm.store.genome import open_genome
    from genolstm.store.results import write_probe
    from genolstm.stream.reader import GenomeReader

    task = Task("probe protein", run, seed=settings.seed)
    given = {"model": model, "proteins": proteins, "genome": genome, "annotation": annotation}
    files = {name: path for name, path in given.items() if path is not None}
    refuse_all([output], files.values(), run)
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
    on = task.use_device(compute.device, compute.threads)
    trained = trained_model(checkpoint.model, checkpoint.weights).to(on)
    with ProgressLine("read states", unit="symbols", quiet=run.quiet) as line:
        reader = GenomeReader(trained, source.genome, StreamSettings().suited(on.type), on_progress=line.show)
        results, records = probe_protein(checkpoint, reader, source, settings, log=log.info)
    write_probe(output, "protein", results, records, task.provenance(settings.to_json(), inputs))
    draw(output, run.figure)
    report(results, records, output, task)


def _refuse_mixture(files: dict[str, Path], settings: ProteinProbeSettings) -> None:
    """Refuse proteins and genes together, and neither complete. Raises UsageError."""
    of_genes = {"genome", "annotation"} & files.keys()
    if "proteins" in files and of_genes:
        raise UsageError("--proteins is for a protein model, --genome and --annotation for a DNA model; give one kind.")
    if "proteins" not in files and len(of_genes) < len(("genome", "annotation")):
        raise UsageError("give --proteins for a protein model, or both --genome and --annotation for a DNA model.")
    if "proteins" in files and (settings.train_contigs or settings.test_contigs):
        raise UsageError("--train-contigs and --test-contigs split a genome; with --proteins whole clusters are split.")
