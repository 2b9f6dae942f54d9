"""What alternative alleles change for a model: how likely the sequence is, and the state that it leaves behind.

On each strand, in reading direction, with W = window:

- log-likelihood ratio, in bits: sum of log2 P(symbol | all before it) over the alternative allele and the W reference
  bases after it, minus the same over the reference allele and the same W bases. Negative: the alternative is less
  likely. Alleles are compared without the letters that both begin or end with; an insertion or deletion thus compares
  sequences of different length, and each base more costs about 2 bits. Unknown bases (N) add nothing.
- state shift: Euclidean distance of the hidden states h of all layers after those W bases.

Near a contig's end both windows are cut there. Everything before the allele is the same for both and is read once.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.model import NextSymbolModel
from genolstm.regions import N_STRANDS, Stretches
from genolstm.settings.reading import StreamSettings, VariantSettings
from genolstm.store.genome import Genome
from genolstm.strands import SequenceFetcher
from genolstm.stream.blocks import Block
from genolstm.stream.burn_in_check import forgets, try_burn_in
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import read_stretches
from genolstm.stream.seams import Seams
from genolstm.variants.places import Alleles, Keys, LaneKeys, Places, neighbourhoods, within
from genolstm.variants.reads import ALTERNATIVE, REFERENCE, Found, Reads, bits_of

SEGMENT = 128  # longest part of a reference window that is summed as one


class Effects(NamedTuple):
    """What each allele changes, forward and reverse strand; float64 [A, 2].

    log_ratio : bits, negative where the alternative is less likely.   shift : distance of states.
    kind : int64 [A], of single-base changes, see `kinds`.   markov : the ratio by a Markov model, float64 [A, 2].
    percentile : of the mean ratio among changes of its kind, float64 [A].   These three as `controls` adds them.
    """

    log_ratio: NDArray[np.float64]
    shift: NDArray[np.float64]
    kind: NDArray[np.int64] | None = None
    markov: NDArray[np.float64] | None = None
    percentile: NDArray[np.float64] | None = None


@torch.inference_mode()
def effects_of(
    model: NextSymbolModel,
    genome: Genome,
    alleles: Alleles,
    settings: VariantSettings,
    *,
    seams: Seams | None = None,
    on_progress: Callable[[float, int], None] | None = None,
) -> Effects:
    """Effect of every allele: the genome around them is read once, and each alternative from the state before it.

    Holds 16 bytes for each allele and hidden unit, and blocks; nothing that grows with contigs.
    seams : filled in.   on_progress : called with the fraction done and the symbols read so far.
    """
    seams = Seams() if seams is None else seams
    stretches, stream = _to_read(model, genome, alleles, settings, seams)
    places = Places.of(alleles, genome, stretches, settings.window)
    found = Found(len(alleles), model)
    keys = Keys(genome)
    reference = _ReferenceWindows(places, keys, found)
    reads = Reads(model, genome, alleles, places, keys, found, settings.batch)
    reader = GenomeReader(model, genome, stream, on_progress=on_progress)
    for block in read_stretches(reader, stretches, seams=seams, warmup=True):
        lanes = keys.lanes(block)
        reference.take(block, lanes, bits_of(model, block.logits, block.targets))
        reads.take(block, lanes)
    reads.run()
    return _effects(found)


def _to_read(
    model: NextSymbolModel, genome: Genome, alleles: Alleles, settings: VariantSettings, seams: Seams
) -> tuple[Stretches, StreamSettings]:
    """What has to be read and how: from the ends of contigs where the model does not forget within a burn-in.

    The pass itself finds out too, but would then read on to each of several stretches of a contig from its end.
    """
    stretches = neighbourhoods(alleles, genome, settings.window, settings.stream)
    several = len(stretches.contig) > len(np.unique(stretches.contig))
    if several and not settings.exact and not seams.in_sequence:
        fetcher = SequenceFetcher(genome, next(model.parameters()).device, stretches.contig)
        seams.trial = try_burn_in(model, genome, fetcher, stretches, settings.stream).differences
        seams.in_sequence = not forgets(seams.trial, settings.stream)
    if settings.exact or not seams.in_sequence:
        return stretches, settings.stream
    exact = dataclasses.replace(settings.stream, exact=True)
    return neighbourhoods(alleles, genome, settings.window, exact), exact


def _effects(found: Found) -> Effects:
    """Alternatives against references."""
    ratio = found.bits[ALTERNATIVE] - found.bits[REFERENCE]
    shift = torch.linalg.vector_norm(found.hidden[ALTERNATIVE] - found.hidden[REFERENCE], dim=1).double().numpy()
    return Effects(ratio.reshape(N_STRANDS, -1).T.copy(), shift.reshape(N_STRANDS, -1).T.copy())


class _ReferenceWindows:
    """Bits and last state of reference windows, from the pass over the genome itself.

    Windows that end with their contig are not here: the state after a contig's last base is in no block.
    """

    def __init__(self, places: Places, keys: Keys, found: Found) -> None:
        self.found = found
        tasks = np.flatnonzero(~places.at_contig_end)
        begin = keys.of(places.row[tasks], places.begin[tasks])
        end = keys.of(places.row[tasks], places.end[tasks])
        order = np.argsort(end, kind="stable")
        self.ends, self.end_task = end[order], tasks[order]
        # long windows in segments: all have about one length, so that one search finds those that touch a block
        pieces = -(-(end - begin) // SEGMENT)
        place = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        segment = np.repeat(begin, pieces) + place * SEGMENT
        order = np.argsort(segment, kind="stable")
        self.segments = segment[order]
        self.segment_ends = np.minimum(segment + SEGMENT, np.repeat(end, pieces))[order]
        self.segment_task = np.repeat(tasks, pieces)[order]

    def take(self, block: Block, lanes: LaneKeys, bits: Tensor) -> None:
        """Add what a block holds of any window. bits : [B, T] of its targets."""
        lane, index = within(self.segments, lanes.low - SEGMENT + 1, lanes.high)
        begin = np.maximum(self.segments[index], lanes.low[lane])
        end = np.minimum(self.segment_ends[index], lanes.high[lane])
        kept = end > begin
        if kept.any():
            lane, index, begin, end = lane[kept], index[kept], begin[kept], end[kept]
            total = np.zeros((bits.shape[0], bits.shape[1] + 1))
            total[:, 1:] = bits.double().cumsum(1).cpu().numpy()
            parts = total[lane, end - lanes.first[lane]] - total[lane, begin - lanes.first[lane]]
            parts *= block.weight[lane]
            np.add.at(self.found.bits[REFERENCE], self.segment_task[index], parts)
        lane, index = within(self.ends, lanes.low, np.where(block.weight > 0, lanes.high, lanes.low))
        if len(index):
            step = self.ends[index] - lanes.first[lane]
            at = torch.from_numpy(lane).to(bits.device), torch.from_numpy(step).to(bits.device)
            states = torch.cat([layer[at] for layer in block.layers], dim=1).cpu()
            self.found.hidden[REFERENCE, torch.from_numpy(self.end_task[index])] = states
