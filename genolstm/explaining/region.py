"""What several results hold of one region, with the genes there, as one picture."""

from collections.abc import Sequence
from pathlib import Path

from genolstm.errors import InputError
from genolstm.explaining.whole import features_of
from genolstm.figures.region import region_picture
from genolstm.figures.style import Picture, styled
from genolstm.readers.annotation import clip_to_genome, read_annotation
from genolstm.readers.region_text import parse_region
from genolstm.regions import stretches_of
from genolstm.store.dependencies import Feature
from genolstm.store.tables import open_tables


def picture_of_region(paths: Sequence[Path], region: str, annotation: Path | None = None) -> Picture:
    """Picture of a region, as samtools writes it, from result files of one genome.

    Raises InputError where they are of different genomes, or hold nothing of the region, and UsageError for a region
    that is none.
    """
    lengths: dict[str, int] = {}
    for path in paths:
        with open_tables(path) as file:
            mine = file.lengths or {}
        if lengths and mine and mine != lengths:
            raise InputError(f"{path} is of another genome than the results before it; name results of one genome.")
        lengths = lengths or mine
    chosen = parse_region(region, lengths)
    features: Sequence[Feature] = ()
    if annotation is not None:
        genes, _ = clip_to_genome(
            read_annotation(annotation), lengths, annotation_name=str(annotation), genome_name=str(paths[0])
        )
        stretches = stretches_of([chosen], tuple(lengths))
        features = tuple(features_of(genes.transcripts, tuple(lengths), stretches))
    with styled():
        return region_picture(paths, chosen, features)
