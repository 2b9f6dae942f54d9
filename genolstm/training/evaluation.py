"""Bits of the held-out parts beside Markov models: of one genome, and of each of several and all together."""

from collections.abc import Container, Iterator, Mapping, Sequence

from genolstm.regions import Part, Stretches
from genolstm.scoring.beside_markov import (
    MarkovLines,
    bits_beside_markov,
    model_by_block,
    of_contigs,
    part_bits,
)
from genolstm.scoring.blocks import Grid
from genolstm.store.checkpoint import HELD_OUT, NEAR_DUPLICATE, PartBits
from genolstm.store.joined_genome import contigs_of, members_of
from genolstm.stream.reader import GenomeReader


def held_out_bits(
    reader: GenomeReader, split: Stretches, parts: Sequence[Part], near: Container[int], *, seed: int
) -> tuple[PartBits, ...]:
    """Bits per known symbol of some parts of a split.

    Of several genomes a row 'test:NAME' for each, with Markov models counted on that genome alone, stands before the
    row 'test' of all.
    near : contigs that are near-duplicates of what was trained on, on which there is no verdict.   seed : of
    bootstraps.
    """
    trained = split.of(Part.TRAIN)
    together = MarkovLines(reader.genome, trained)
    if not members_of(reader.genome):
        return tuple(
            bits_beside_markov(reader, together, split, part, seed=seed, standing=_standing(split.of(part), near))
            for part in parts
        )
    lines = {name: MarkovLines(reader.genome, _within(trained, mine)) for name, _, mine in contigs_of(reader.genome)}
    return tuple(row for part in parts for row in _of_several(reader, split, part, together, lines, near, seed))


def _of_several(
    reader: GenomeReader, split: Stretches, part: Part, together: MarkovLines, lines: Mapping[str, MarkovLines],
    near: Container[int], seed: int,
) -> Iterator[PartBits]:  # fmt: skip
    """Rows of one part: of each genome that has some of it, and of all."""
    genome, stretches, name_of_all = reader.genome, split.of(part), part.name.lower()
    grid = Grid.over(genome, stretches)
    model = model_by_block(reader, stretches, grid, part)
    rows = [(f"{name_of_all}:{name}", lines[name], mine) for name, _, mine in contigs_of(genome)]
    for name, markov, mine in [*rows, (name_of_all, together, slice(0, len(genome.names)))]:
        here, of_model = _within(stretches, mine), of_contigs(model, grid, mine)
        if not of_model.symbols.any():
            continue
        found, standing = markov.by_block(here, grid), _standing(here, near)
        yield part_bits(name, of_model, found, genome, seed, standing=standing, judged=standing == HELD_OUT)


def _within(stretches: Stretches, contigs: slice) -> Stretches:
    """Only the stretches of some contigs that follow each other."""
    return stretches.only((stretches.contig >= contigs.start) & (stretches.contig < contigs.stop))


def _standing(stretches: Stretches, near: Container[int]) -> str:
    """Whether some held-out stretches lie on a near-duplicate of what was trained on, as text."""
    return NEAR_DUPLICATE if any(contig in near for contig in set(stretches.contig.tolist())) else HELD_OUT
