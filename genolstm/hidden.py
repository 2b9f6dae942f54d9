"""Hidden states of a model at sites: forward pass and reverse-complement pass, every layer, h and (on request) c."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.model import NextSymbolModel
from genolstm.regions import Part, Sites, Stretches
from genolstm.settings import StreamSettings
from genolstm.store.genome import Genome
from genolstm.stream import Block, Seams, read_stretches

STRANDS = 2  # the pass along the site's own strand, then the pass along the other


def readable(sites: Sites, genome: Genome, reach: int) -> NDArray[np.bool_]:
    """Tell which sites have `reach` symbols and one more on either side within their contig; bool [N]."""
    length = genome.lengths[sites.contig]
    return (sites.position >= reach + 1) & (sites.position + reach + 1 < length)


def states_at(
    model: NextSymbolModel,
    genome: Genome,
    sites: Sites,
    offsets: Sequence[int],
    settings: StreamSettings,
    *,
    memories: bool = False,
    seams: Seams | None = None,
    told: Callable[[int], None] | None = None,
) -> NDArray[np.float16]:
    """States at sites, float16 [N, offsets, 2, D]; D = layers x H, twice that with memories (h, then c).

    At offset o the own-strand pass is read after symbol p + o along the site's strand, the other pass after symbol p
    - o: both have then read the site, and o symbols beyond it, from their side. A reverse-strand site thus gives
    what the same site would give in the reverse complement of the contig.

    sites : all `readable` at the largest offset.   seams : filled in.   told : called with the symbols read so far.
    """
    wanted = _Wanted(sites, genome, offsets)
    width = model.settings.layers * model.settings.hidden * (2 if memories else 1)
    found = np.zeros((len(sites) * len(offsets) * STRANDS, width), dtype=np.float16)
    read = 0
    for block in read_stretches(model, genome, wanted.stretches, settings, seams=seams, memories=memories):
        lane, step, request = wanted.within(block)
        if len(request):
            at = torch.from_numpy(lane).to(block.logits.device), torch.from_numpy(step).to(block.logits.device)
            states = torch.cat([layer[at] for layer in (*block.layers, *block.memories)], dim=-1)  # [requests, D]
            found[request] = states.half().cpu().numpy()
        read += block.targets.numel()
        if told:
            told(read)
    return found.reshape(len(sites), len(offsets), STRANDS, width)


class _Wanted:
    """Which state of which row (stretch and strand) is wanted where, sorted for look-up."""

    def __init__(self, sites: Sites, genome: Genome, offsets: Sequence[int]) -> None:
        here = np.unique(sites.contig)
        self.stretches = Stretches(
            contigs=genome.names,
            contig=here,
            start=np.zeros(len(here), dtype=np.int64),
            end=genome.lengths[here],
            part=np.full(len(here), Part.TEST, dtype=np.int8),
        )
        row = np.searchsorted(here, sites.contig)[:, None]  # [N, 1]; reverse complements follow all forward rows
        steps = np.asarray(offsets)[None, :]
        length = genome.lengths[sites.contig][:, None]
        # the state after symbol r stands where symbol r + 1 is the target
        forward = sites.position[:, None] + steps + 1  # [N, offsets]
        backward = length - 1 - sites.position[:, None] + steps + 1
        own_first = sites.strand[:, None] > 0
        places = np.stack([np.where(own_first, forward, backward), np.where(own_first, backward, forward)], axis=2)
        rows = np.stack([np.where(own_first, row, row + len(here)), np.where(own_first, row + len(here), row)], axis=2)
        rows = np.broadcast_to(rows, places.shape).ravel()  # [N * offsets * 2]
        self.order = np.lexsort((places.ravel(), rows))
        self.places = places.ravel()[self.order]
        self.bounds = np.searchsorted(rows[self.order], np.arange(2 * len(here) + 1))

    def within(self, block: Block) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Lane, step and request number of every state wanted from a block, each [K]."""
        lanes, steps, requests = [], [], []
        for lane, (row, first, begin, end) in enumerate(
            zip(block.row, block.first, block.begin, block.end, strict=True)
        ):
            mine = self.places[self.bounds[row] : self.bounds[row + 1]]
            low, high = self.bounds[row] + np.searchsorted(mine, [begin, end])
            lanes.append(np.full(high - low, lane))
            steps.append(self.places[low:high] - first)
            requests.append(self.order[low:high])
        return np.concatenate(lanes), np.concatenate(steps), np.concatenate(requests)
