"""Bits per base of a model, always beside those of Markov models that have seen as little of what is scored."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import Codes
from genolstm.errors import InputError
from genolstm.estimate import Estimate
from genolstm.markov import METHOD, MarkovModel, Piece, bits_of_pieces, fit_markov, largest_order, summed_bits
from genolstm.regions import Part, Stretches
from genolstm.scoring.blocks import Grid, mean_difference
from genolstm.seeds import spawn
from genolstm.store.checkpoint import HELD_OUT, PartBits
from genolstm.store.genome import Genome
from genolstm.store.kept import keep, read_kept
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import bits_by_block

BLOCK = 1 << 20  # symbols handed on at a time
FOLDS = 4  # each is scored by what the others hold
FOLD_BLOCKS = 5  # blocks of each fold, so that all of it is not on one contig
RELEASED_AFTER = 1 << 22  # symbols after which mapped pages of the genome are given back
LONGEST_FOLD_BLOCK = 1_000_000
KEPT_FROM = 200_000  # bases that are counted and scored; fewer take no time
COUNTED_AT_MOST = 16_000_000  # bases; of a larger genome only what is scored is counted


class BlockBits(NamedTuple):
    """Sums of each block of a grid; symbols [blocks], bits [blocks] or [blocks, lines]."""

    symbols: NDArray[np.int64]
    bits: NDArray[np.float64]


def blocks_of(genome: Genome, stretches: Stretches) -> Iterator[Iterator[Codes]]:
    """Each stretch as an iterator of uint8 blocks, forward strand."""
    for codes in codes_of(genome, stretches):
        yield _blocks(genome, codes)


def _blocks(genome: Genome, codes: Codes) -> Iterator[Codes]:
    for at in range(0, len(codes), BLOCK):
        yield codes[at : at + BLOCK]
        genome.release()


def codes_of(genome: Genome, stretches: Stretches) -> list[Codes]:
    """Views of the codes of each stretch, forward strand."""
    first = genome.starts[stretches.contig]
    return [
        genome.all_codes[start:end]
        for start, end in zip((first + stretches.start).tolist(), (first + stretches.end).tolist(), strict=True)
    ]


def markov_of(genome: Genome, stretches: Stretches) -> MarkovModel:
    """Markov models of every order, and their blend, counted on some stretches."""
    return fit_markov(codes_of(genome, stretches), genome.alphabet, release=genome.release)


@dataclass(frozen=True)
class MarkovLines:
    """Markov models of some stretches of a genome as lines beside a model's: counted when they are first asked for.

    Their sums are kept in the user's cache folder, and a later run that asks for the same need not count.
    """

    genome: Genome
    counted: Stretches

    @cached_property
    def model(self) -> MarkovModel:
        """The models, counted now."""
        return markov_of(self.genome, self.counted)

    def by_block(self, scored: Stretches, grid: Grid) -> BlockBits:
        """`markov_by_block` of some stretches."""
        return _kept(
            self.genome, self.counted, scored, grid, lambda: markov_by_block(self.model, self.genome, scored, grid)
        )


def _kept(
    genome: Genome, counted: Stretches | None, scored: Stretches, grid: Grid, compute: Callable[[], BlockBits]
) -> BlockBits:
    """Sums that an earlier run kept, or else computes and keeps. counted : None where each block has models of its own.

    The key holds all that the sums depend on: sequence, what was counted and scored, blocks, and how it is done.
    """
    if scored.bases + (counted.bases if counted else genome.lengths.sum()) < KEPT_FROM:
        return compute()
    key = {
        "of": "Markov lines", "method": METHOD, "numpy": np.__version__, "genome": genome.sha256,
        "alphabet": genome.alphabet.name, "block": grid.length, "scored": _hashed(scored),
        "counted": _hashed(counted) if counted else "all other blocks",
    }  # fmt: skip
    found = read_kept(key)
    if found is not None and {name: each.shape[0] for name, each in found.items()} == dict.fromkeys(
        BlockBits._fields, grid.blocks
    ):
        return BlockBits(**found)
    bits = compute()
    keep(key, bits._asdict())
    return bits


def _hashed(stretches: Stretches) -> str:
    columns = (stretches.contig, stretches.start, stretches.end)
    table = np.stack([column.astype("<i8") for column in columns])
    return hashlib.sha256(table.tobytes()).hexdigest()


def markov_by_block(markov: MarkovModel, genome: Genome, stretches: Stretches, grid: Grid) -> BlockBits:
    """Bits of every order-k model and of the blend, over the blocks of a grid, both strands: bits [blocks, lines]."""
    symbols = np.zeros(grid.blocks, dtype=np.int64)
    bits = np.zeros((grid.blocks, markov.counts.max_order + 2))
    cuts = [
        (block, Piece(codes, low - start, high - start))
        for codes, contig, start, end in zip(
            codes_of(genome, stretches), stretches.contig.tolist(), stretches.start.tolist(), stretches.end.tolist(),
            strict=True,
        )
        for block, low, high in grid.cut(contig, start, end)
    ]  # fmt: skip
    unreleased = 0
    for (block, _), found in zip(cuts, bits_of_pieces(markov, [piece for _, piece in cuts]), strict=True):
        symbols[block] += found[0]
        bits[block] += found[1]
        unreleased += found[0]
        if unreleased >= RELEASED_AFTER:
            genome.release()
            unreleased = 0
    genome.release()
    return BlockBits(symbols, bits)


def crossfitted_by_block(genome: Genome, stretches: Stretches, grid: Grid) -> BlockBits:
    """`markov_by_block` by models that have counted the rest of the genome, but not the blocks that they score.

    Of a genome beyond 16 Mb the rest of what is scored is counted. Kept for later runs, as `MarkovLines` are.
    """
    return _kept(genome, None, stretches, grid, lambda: _crossfitted(genome, stretches, grid))


def _crossfitted(genome: Genome, stretches: Stretches, grid: Grid) -> BlockBits:
    everything = whole_contigs(genome)
    parts = _folded(everything if everything.bases <= COUNTED_AT_MOST else stretches)
    symbols = np.zeros(grid.blocks, dtype=np.int64)
    bits = np.zeros((grid.blocks, largest_order(genome.alphabet) + 2))
    for fold in range(FOLDS):
        scored = shared(stretches, parts.only(parts.part == fold))
        if scored.bases:
            found = markov_by_block(markov_of(genome, parts.only(parts.part != fold)), genome, scored, grid)
            symbols += found.symbols
            bits += found.bits
    return BlockBits(symbols, bits)


def whole_contigs(genome: Genome) -> Stretches:
    """Every contig, from end to end."""
    n = len(genome.names)
    return Stretches(
        contigs=genome.names,
        contig=np.arange(n, dtype=np.int32),
        start=np.zeros(n, dtype=np.int64),
        end=genome.lengths.astype(np.int64),
        part=np.full(n, Part.TEST, dtype=np.int8),
    )


def _folded(stretches: Stretches) -> Stretches:
    """The same bases cut into blocks that are dealt to folds in turn; the part of each is its fold."""
    size = max(1, min(LONGEST_FOLD_BLOCK, stretches.bases // (FOLDS * FOLD_BLOCKS)))
    rows, passed = [], 0  # bases before, so that short contigs lie in one block
    for contig, start, end in zip(stretches.contig, stretches.start.tolist(), stretches.end.tolist(), strict=True):
        at = start
        while at < end:
            stop = min(end, at + size - passed % size)
            rows.append((contig, at, stop, passed // size % FOLDS))
            passed += stop - at
            at = stop
    return _with_rows(stretches, rows)


def shared(some: Stretches, others: Stretches) -> Stretches:
    """What two sets of sorted stretches of one genome have in common; parts are those of the first."""
    rows = []
    firsts, lasts = (np.searchsorted(others.contig, some.contig, side) for side in ("left", "right"))
    columns = [column.tolist() for column in (some.contig, some.start, some.end, some.part, firsts, lasts)]
    for contig, start, end, part, first, last in zip(*columns, strict=True):
        lows, highs = others.start[first:last].tolist(), others.end[first:last].tolist()
        cut = [(max(low, start), min(high, end)) for low, high in zip(lows, highs, strict=True)]
        rows += [(contig, low, high, part) for low, high in cut if low < high]
    return _with_rows(some, rows)


def _with_rows(stretches: Stretches, rows: Sequence[tuple[int, int, int, int]]) -> Stretches:
    """Stretches of the same contigs. rows : contig, start, end, part."""
    table = np.array(rows, dtype=np.int64).reshape(len(rows), 4)
    return replace(
        stretches,
        contig=table[:, 0].astype(np.int32),
        start=table[:, 1],
        end=table[:, 2],
        part=table[:, 3].astype(np.int8),
    )


def part_bits(
    part: str, model: BlockBits, markov: BlockBits, genome: Genome, seed: int, *, standing: str, judged: bool
) -> PartBits:
    """The lines of one part, and the model less the best of all Markov lines with its block-bootstrap interval.

    model, markov : of the blocks of one grid.   judged : False where the model was trained on what is scored.
    Raises ValueError when the two did not score the same symbols.
    """
    if (model.symbols != markov.symbols).any():
        raise ValueError(f"the model scored {model.symbols.sum()} symbols and Markov {markov.symbols.sum()}")
    lines = summed_bits(genome.alphabet, int(markov.symbols.sum()), markov.bits.sum(axis=0))
    best = markov.bits[:, int(markov.bits.sum(axis=0).argmin())]
    uniform = (lines.uniform * markov.symbols).astype(np.float64)
    against = best if best.sum() < uniform.sum() else uniform  # even the best may be worse than uniform
    return PartBits(
        part=part,
        model=float(model.bits.sum()) / lines.symbols,
        symbols=lines.symbols,
        uniform=lines.uniform,
        by_order=lines.by_order,
        interpolated=lines.interpolated,
        difference=Estimate(*mean_difference(model.bits, against, model.symbols, spawn(seed, "bootstrap of bits")))
        if judged
        else None,
        standing=standing,
    )


def bits_beside_markov(
    reader: GenomeReader, lines: MarkovLines, split: Stretches, part: Part, *, seed: int = 0, standing: str = HELD_OUT
) -> PartBits:
    """Bits per known symbol of one part, both strands: the model, uniform, order-k and interpolated Markov.

    seed : of the bootstrap.   standing : whether the model was trained on these symbols; a verdict is given where
    it was not.   Raises ValueError for a part with no known symbol, InputError where the model's bits are not finite.
    """
    stretches = split.of(part)
    grid = Grid.over(reader.genome, stretches)
    model = model_by_block(reader, stretches, grid, part)
    found = lines.by_block(stretches, grid)
    judged = standing == HELD_OUT
    return part_bits(part.name.lower(), model, found, reader.genome, seed, standing=standing, judged=judged)


def model_by_block(reader: GenomeReader, stretches: Stretches, grid: Grid, part: Part) -> BlockBits:
    """Bits of a model over the blocks of a grid, both strands: bits [blocks].

    Raises InputError where one is no number.
    """
    symbols, bits = bits_by_block(reader, stretches, grid.first, grid.length)
    if not np.isfinite(bits).all():
        raise InputError(
            f"the model gives no number for the {part.name.lower()} part: its training diverged; lower --lr."
        )
    return BlockBits(symbols, bits)


def of_contigs(bits: BlockBits, grid: Grid, contigs: slice) -> BlockBits:
    """The same sums in the blocks of some contigs, and 0 in all others."""
    mine = np.zeros(grid.blocks, dtype=np.bool_)
    mine[int(grid.first[contigs.start]) : int(grid.first[contigs.stop])] = True
    return BlockBits(np.where(mine, bits.symbols, 0), np.where(mine, bits.bits, 0.0))
