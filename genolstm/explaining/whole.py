"""Dependencies of whole regions, or of the introns in them, in a file."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolstm.explaining.blocks import strongest_blocks
from genolstm.explaining.introns import (
    Couplings,
    Pairs,
    coupling_test,
    introns_in,
    joined,
    matched_pairs,
    means_of_matched,
)
from genolstm.explaining.substitutions import Readings, dependencies_along
from genolstm.model import NextSymbolModel
from genolstm.readers.annotation import Transcript
from genolstm.regions import Stretches
from genolstm.settings.explaining import DependencySettings
from genolstm.store.dependencies import (
    DependenciesFile,
    DependencySummary,
    Feature,
    IntronCoupling,
    dependency_summary,
    write_dependencies,
)
from genolstm.store.files import Provenance, Records
from genolstm.store.genome import Genome
from genolstm.stream.reader import GenomeReader, part_of
from genolstm.stream.seams import Seams

TRAINED, RANDOM_INIT = "trained", "random_init"


class _MapSink:
    """Puts dependencies to their place among the bases of all stretches."""

    def __init__(self, file: DependenciesFile, genome: Genome, stretches: Stretches) -> None:
        self.file = file
        spans = stretches.end - stretches.start
        self.first = genome.starts[stretches.contig] + stretches.start
        self.shift = np.cumsum(spans) - spans - self.first

    def write(self, strand: int, address: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        stretch = np.searchsorted(self.first, address, side="right") - 1
        self.file.write(strand, address + self.shift[stretch], values)


def dependency_map(
    reader: GenomeReader,
    stretches: Stretches,
    settings: DependencySettings,
    output: Path,
    provenance: Provenance,
    records: Records,
    *,
    transcripts: Sequence[Transcript] = (),
) -> DependencySummary:
    """Map every base of some stretches, with its strongest blocks off the diagonal, in a file.

    transcripts : whose pieces are drawn along the map.
    """
    genome, seams = reader.genome, Seams()
    with write_dependencies(output, genome, stretches, settings.window, provenance, with_map=True) as file:
        sink = _MapSink(file, genome, stretches)
        readings = dependencies_along(reader, stretches, settings, sink, seams=seams)
        first, blocks = 0, []
        for contig, start, end in zip(stretches.contig, stretches.start.tolist(), stretches.end.tolist(), strict=True):
            stop = first + end - start
            blocks += strongest_blocks(
                file.values(0, first, stop), file.values(1, first, stop), file.reference(first, stop),
                contig=int(contig), start=start, most=settings.blocks,
            )  # fmt: skip
            first = stop
        file.add("blocks", sorted(blocks, key=lambda block: -block.z)[: settings.blocks])
        if transcripts:
            file.add("features", list(features_of(transcripts, genome.names, stretches)))
        file.finish(asdict(readings), seams.to_json(), records)
        return dependency_summary(file)


def features_of(transcripts: Sequence[Transcript], contigs: Sequence[str], stretches: Stretches) -> Iterator[Feature]:
    """Pieces of transcripts that overlap a stretch, each once, in order."""
    index = {name: place for place, name in enumerate(contigs)}
    found = {
        Feature(index[each.contig], int(start), int(end), 1 if each.strand == "+" else -1, kind)
        for each in transcripts
        for kind, spans in (
            ("CDS", each.coding),
            ("UTR" if len(each.coding) else "noncoding exon", each.exons),
            ("intron", each.introns()),
        )
        for start, end in spans
    }
    for each in sorted(found):
        mine = stretches.contig == each.contig
        if ((stretches.start < each.end) & (stretches.end > each.start) & mine).any():
            yield each


def intron_couplings(
    reader: GenomeReader,
    stretches: Stretches,
    settings: DependencySettings,
    output: Path,
    provenance: Provenance,
    records: Records,
    *,
    transcripts: Sequence[Transcript],
) -> DependencySummary:
    """Test whether donors and acceptors are coupled, beside a random-init model of the same shape, in a file."""
    genome, seams = reader.genome, Seams()
    introns = introns_in(transcripts, genome, stretches, settings)
    matched = matched_pairs(introns, genome, stretches, settings)
    both = joined(introns, matched)
    random = NextSymbolModel(reader.model.settings, seed=settings.seed, index=1).to(reader.device).eval()
    values: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    readings = Readings()
    for place, (name, model) in enumerate({TRAINED: reader.model, RANDOM_INIT: random}.items()):
        progress = part_of(reader.on_progress, place, 2) if reader.on_progress else None
        sink = Couplings(genome, stretches, both)
        found = dependencies_along(
            replace(reader, model=model, on_progress=progress), stretches, settings, sink, chosen=sink.chosen,
            seams=seams if name == TRAINED else None,
        )  # fmt: skip
        coupling, n = sink.coupling(), len(introns.of)
        values[name] = coupling[:n], means_of_matched(matched, coupling[n:], n)
        if name == TRAINED:
            readings = found
    with write_dependencies(output, genome, stretches, settings.window, provenance, with_map=False) as file:
        file.add("introns", _rows(introns, values))
        file.add(
            "tests",
            [coupling_test(name, introns, *each, len(matched.of), settings) for name, each in values.items()],
        )
        file.finish(asdict(readings), seams.to_json(), records)
        return dependency_summary(file)


def _rows(introns: Pairs, values: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> list[IntronCoupling]:
    columns = (introns.contig, introns.donor, introns.acceptor, introns.strand, *values[TRAINED], *values[RANDOM_INIT])
    return [IntronCoupling(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
