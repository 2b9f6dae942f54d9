"""Genes of an annotation on a genome, for the commands that need them."""

from pathlib import Path
from typing import TYPE_CHECKING

from genolstm.cli.terminal import log

if TYPE_CHECKING:
    from genolstm.readers.annotation import Transcript
    from genolstm.store.files import Records
    from genolstm.store.genome import Genome


def genes_on(annotation: Path, genome: "Genome", genome_name: str, records: "Records") -> "tuple[Transcript, ...]":
    """Transcripts on the genome; records left out of the annotation are logged and counted."""
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
