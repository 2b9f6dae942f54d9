"""Bits of every base along stretches of a genome, both strands, written piece by piece."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.model import NATS_PER_BIT, NextSymbolModel
from genolstm.ranks import Ranks
from genolstm.regions import Stretches
from genolstm.scoring.blocks import SLAB, covered, slabs
from genolstm.store.genome import Genome
from genolstm.stream.blocks import Block
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import read_stretches
from genolstm.stream.seams import Seams

HELD = 1 << 14  # bases of one lane that are gathered before they are written: small writes cost more than the network
ENDED_HELD = 256  # unwritten ends of pieces
CALIBRATION_BINS = 20
CALIBRATION_STEP = 8  # every so many bases of a chunk, all symbols' probabilities are compared with what came
ReadBits = Callable[[int, int, int], NDArray[np.float32]]  # strand, first, end -> bits of these scored bases


class Sink(Protocol):
    """Where values of bases go, float32 [n, ...]: `first` counts the scored bases of all stretches, end to end.

    Both strands are written along the forward one.
    """

    def write(self, strand: int, first: int, values: NDArray[np.float32], /) -> None: ...  # noqa: D102


class Calibration(NamedTuple):
    """Predicted probability of each symbol against how often it came, in bins of equal width; each [bins].

    lower : the bin's lower edge.   sampled : symbols x bases.   predicted, observed : means, NaN where sampled is 0.
    """

    lower: NDArray[np.float64]
    sampled: NDArray[np.int64]
    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]

    @property
    def error(self) -> float:
        """Expected calibration error: mean of |predicted - observed| over symbols x bases (Naeini 2015)."""
        known = self.sampled > 0
        return float(np.average(np.abs(self.predicted - self.observed)[known], weights=self.sampled[known]))


def score_along(
    reader: GenomeReader, stretches: Stretches, sink: Sink, *, seams: Seams, log_probabilities: Sequence[Sink] = ()
) -> Calibration:
    """Write the bits of every base of some stretches, NaN where it is unknown, strand 0 forward and 1 reverse.

    Within a contig a stretch is read on from what stands before it.
    seams : filled in.   log_probabilities : get those of every known symbol at each base, natural, [n, n_known], in
    reading direction: on strand 1 of the complement's symbols.   Of several processes each reads contigs and strands of
    its own, and writes the bits of these; rank 0 gets the seams and the calibration of all.
    """
    model = reader.model
    writer, tally = _Writer(reader.genome, stretches, sink), _Tally(model)
    distributions = [_Writer(reader.genome, stretches, each) for each in log_probabilities]
    for block in read_stretches(reader, stretches, seams=seams, warmup=True):
        bits = model.nats(block.logits, block.targets) / NATS_PER_BIT
        bits[block.targets == model.alphabet.unknown] = torch.nan
        writer.add(block, bits.float().cpu().numpy())
        if distributions:
            log_p = block.logits.float().log_softmax(-1).cpu().numpy()
            for each in distributions:
                each.add(block, log_p)
        tally.add(block)
    for each in (writer, *distributions):
        each.flush()
    return tally.finish(reader.ranks)


class _Writer:
    """The values of each lane, held until there are enough to be worth writing."""

    def __init__(self, genome: Genome, stretches: Stretches, sink: Sink) -> None:
        self.sink, self.count = sink, len(stretches.start)
        lengths = stretches.end - stretches.start
        # from a place in the genome's codes to a place among the scored bases
        self.shift = np.cumsum(lengths) - lengths - (genome.starts[stretches.contig] + stretches.start)
        self.held: dict[tuple[int, int], list[NDArray[np.float32]]] = {}  # (strand, address that comes next) -> runs
        self.repairing = False

    def add(self, block: Block, values: NDArray[np.float32]) -> None:
        """Take a block's values, [B, T, ...]."""
        if not self.repairing and (block.weight < 0).any():
            self.flush()  # before what is read again overwrites it
            self.repairing = True
        for lane in np.flatnonzero((block.end > block.begin) & (block.weight > 0)):
            from_, to = int(block.begin[lane] - block.first[lane]), int(block.end[lane] - block.first[lane])
            sign, strand = int(block.sign[lane]), int(block.sign[lane] < 0)
            place = int(block.address[lane]) + sign * from_ + int(self.shift[block.row[lane] % self.count])
            runs = self.held.pop((strand, place), [])
            runs.append(values[lane, from_:to].copy())
            self.held[strand, place + sign * (to - from_)] = runs
            if self.repairing or len(runs) * values.shape[1] >= HELD:
                self._write(strand, place + sign * (to - from_))
        if len(self.held) > 2 * len(block.row) + ENDED_HELD:
            self.flush()  # ends of short contigs would pile up

    def flush(self) -> None:
        """Write all that is held, what lies side by side at once: each write costs as much as many bases."""
        pieces = sorted((self._taken(*key) for key in list(self.held)), key=itemgetter(0, 1))
        apart = np.array([s != t or a + len(v) != b for (s, a, v), (t, b, _) in pairwise(pieces)], dtype=np.bool_)
        for group in np.split(np.arange(len(pieces)), np.flatnonzero(apart) + 1) if pieces else ():
            strand, first, _ = pieces[group[0]]
            self.sink.write(strand, first, np.concatenate([pieces[each][2] for each in group]))

    def _write(self, strand: int, place: int) -> None:
        self.sink.write(*self._taken(strand, place))

    def _taken(self, strand: int, place: int) -> tuple[int, int, NDArray[np.float32]]:
        """What is held up to a place, no longer held: strand, first scored base, values along the forward strand."""
        run = np.concatenate(self.held.pop((strand, place)))
        return (strand, place + 1, run[::-1]) if strand else (strand, place - len(run), run)


class _Tally:
    """Counts of predicted probabilities and of what came, on the model's device."""

    def __init__(self, model: NextSymbolModel) -> None:
        self.known = model.alphabet.n_known
        self.sums = torch.zeros(3, CALIBRATION_BINS, dtype=torch.float64, device=next(model.parameters()).device)

    @torch.inference_mode()
    def add(self, block: Block) -> None:
        """Count a sample of a block: symbols, sum of their probabilities, how many of them came; [3, bins]."""
        targets = block.targets[:, ::CALIBRATION_STEP].long()  # [B, t]
        weight = torch.from_numpy(block.weight).to(targets.device).unsqueeze(1)
        weight = weight * block.scored[:, ::CALIBRATION_STEP] * (targets < self.known)
        probability = block.logits[:, ::CALIBRATION_STEP].double().softmax(-1)  # [B, t, n_known]
        came = targets.unsqueeze(-1) == torch.arange(self.known, device=targets.device)
        slot = (probability * CALIBRATION_BINS).long().clamp_max_(CALIBRATION_BINS - 1).flatten()
        weights = weight.unsqueeze(-1).expand_as(probability).double()
        for row, terms in enumerate((weights, weights * probability, weights * came)):
            self.sums[row].index_add_(0, slot, terms.flatten())

    def finish(self, ranks: Ranks) -> Calibration:
        """The means; at rank 0 those of what all processes counted."""
        count, predicted, observed = ranks.gathered(self.sums.cpu().numpy()[None]).sum(axis=0)
        with np.errstate(invalid="ignore"):
            return Calibration(
                lower=np.arange(CALIBRATION_BINS) / CALIBRATION_BINS,
                sampled=np.rint(count).astype(np.int64),
                predicted=predicted / count,
                observed=observed / count,
            )


class ContigBits(NamedTuple):
    """Bits of the scored bases of each contig; [contigs, strands, 2], not soft-masked and soft-masked.

    symbols : known bases.   bits : their sum.
    """

    symbols: NDArray[np.int64]
    bits: NDArray[np.float64]


def contig_bits(
    read: ReadBits,
    stretches: Stretches,
    masked: Callable[[int], NDArray[np.int64]],
    strands: int,
) -> ContigBits:
    """Add up what was written, contig by contig, a slab at a time.

    read : strand, first, end -> bits of these scored bases.   masked : contig -> soft-masked intervals, int64 [k, 2].
    """
    symbols = np.zeros((len(stretches.contigs), strands, 2), dtype=np.int64)
    bits = np.zeros(symbols.shape)
    read = read_ahead(read, stretches.bases)
    present, intervals = -1, np.zeros((0, 2), dtype=np.int64)
    for contig, first, start, end in slabs(stretches):
        if contig != present:
            present, intervals = contig, masked(contig)
        mask = covered(intervals, start, end)
        for strand in range(strands):
            values = read(strand, first, first + end - start).astype(np.float64)
            known = ~np.isnan(values)
            for kind, chosen in enumerate((known & ~mask, known & mask)):
                symbols[contig, strand, kind] += np.count_nonzero(chosen)
                bits[contig, strand, kind] += values[chosen].sum()
    return ContigBits(symbols, bits)


def read_ahead(read: ReadBits, bases: int) -> ReadBits:
    """Read bits in slabs, for what asks for few at a time, in order: each call of HDF5 takes as long as many bases.

    read : strand, first, end -> bits of these scored bases.   bases : of them in all.
    """
    held: dict[int, tuple[int, NDArray[np.float32]]] = {}  # strand -> first place of its slab, and the bits

    def ahead(strand: int, first: int, end: int) -> NDArray[np.float32]:
        start, values = held.get(strand, (0, np.zeros(0, dtype=np.float32)))
        if first < start or end > start + len(values):
            start, values = first, read(strand, first, max(end, min(first + SLAB, bases)))
            held[strand] = start, values
        return values[first - start : end - start]

    return ahead


def starts_of(stretches: Stretches) -> NDArray[np.int64]:
    """Where each stretch begins among the scored bases, and where the last ends; int64 [K + 1]."""
    return np.concatenate([[0], np.cumsum(stretches.end - stretches.start)])
