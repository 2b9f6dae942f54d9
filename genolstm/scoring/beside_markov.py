"""Bits per base of a model, never alone: beside the Markov models counted on the same training stretches."""

from collections.abc import Iterator

import numpy as np

from genolstm.alphabet import Codes
from genolstm.errors import InputError
from genolstm.markov import MarkovModel, count_markov, fit_markov, largest_order, markov_bits
from genolstm.regions import Part, Stretches
from genolstm.store.checkpoint import PartBits
from genolstm.store.genome import Genome
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import mean_bits

BLOCK = 1 << 20  # symbols handed to the Markov counter at a time


def blocks_of(genome: Genome, stretches: Stretches) -> Iterator[Iterator[Codes]]:
    """Each stretch as an iterator of uint8 blocks, forward strand."""
    for contig, start, end in zip(stretches.contig, stretches.start.tolist(), stretches.end.tolist(), strict=True):
        first = int(genome.starts[contig])
        yield _blocks(genome, first + start, first + end)


def _blocks(genome: Genome, start: int, end: int) -> Iterator[Codes]:
    for at in range(start, end, BLOCK):
        yield genome.symbols(at, min(at + BLOCK, end))
        genome.release()


def markov_of(genome: Genome, stretches: Stretches, *, most: int | None = None) -> MarkovModel:
    """Fit Markov models of every order to some stretches.

    most : largest order; None takes what memory and data allow.
    """
    strands = 1 if genome.alphabet.complement is None else 2
    order = largest_order(genome.alphabet, expected_symbols=strands * stretches.bases)
    order = order if most is None else min(order, most)
    return fit_markov(count_markov(blocks_of(genome, stretches), genome.alphabet, max_order=order))


def bits_beside_markov(reader: GenomeReader, markov: MarkovModel, split: Stretches, part: Part) -> PartBits:
    """Bits per known symbol of one part, both strands: the model, uniform, order-k and interpolated Markov.

    Raises ValueError for a part with no known symbol.
    """
    stretches = split.of(part)
    bits, symbols = mean_bits(reader, stretches)
    lines = markov_bits(markov, blocks_of(reader.genome, stretches))
    if not np.isfinite(bits):
        raise InputError(
            f"the model gives no number for the {part.name.lower()} part: its training diverged; lower --lr."
        )
    if lines.symbols != symbols:
        raise ValueError(f"the model scored {symbols} symbols and the Markov models {lines.symbols}")
    return PartBits(
        part=part.name.lower(),
        model=bits,
        symbols=symbols,
        uniform=lines.uniform,
        by_order=lines.by_order,
        interpolated=lines.interpolated,
    )
