"""Whole stretches, both strands, read block by block: pieces side by side, seams checked and repaired.

Every stretch and strand is cut into pieces that are read side by side. A piece that does not begin its stretch is
given a burn-in: the symbols before it are read first, so that its state has forgotten that it started from nothing.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.model import NATS_PER_BIT, NextSymbolModel
from genolstm.regions import Stretches
from genolstm.strands import SequenceFetcher, rows_of
from genolstm.stream.blocks import ActiveLanes, Block
from genolstm.stream.burn_in_check import forgets, try_burn_in
from genolstm.stream.pieces import GPU_STEP_LANES, STEP_LANES
from genolstm.stream.reader import GenomeReader
from genolstm.stream.seams import SeamKeeper, Seams
from genolstm.stream.sharding import own_pieces, owners_of, seams_of_all, warmup_of

RELEASED_AFTER = 1 << 22  # symbols after which mapped pages of the genome are given back
ESTIMATE_BURN_IN = 1024  # of an estimate, which trades the last thousandths of a bit for speed
BURN_INS_A_LANE = 4  # of an estimate


@torch.inference_mode()
def read_stretches(
    reader: GenomeReader, stretches: Stretches, *, seams: Seams | None = None, warmup: bool = False
) -> Iterator[Block]:
    """Blocks of lanes x chunk along stretches and their reverse complements.

    How soon the model forgets is measured first, and gives the burn-in; one that does not within the most that the
    settings allow, at most of the places tried, is read exactly, a lane for each row. What is read again because a seam
    did not agree comes last, see `Block.weight`.
    seams : filled in at the end.   warmup : a stretch inside a contig is read on from what stands before it, a burn-in
    of it, or all when exact; without, each stretch is read as if it were a contig.
    Of several processes each reads rows of its own (`sharding.owners_of`), and rank 0 gets the seams of all.
    """
    model, genome, settings = reader.model, reader.genome, reader.settings
    fetcher = SequenceFetcher(genome, reader.device, stretches.contig)
    own = owners_of(reader, stretches, warmup=warmup) == reader.ranks.rank
    if settings.repair and not settings.exact:
        trial = try_burn_in(model, genome, fetcher, stretches, settings)
        settings = dataclasses.replace(settings, burn_in=trial.burn_in, exact=not forgets(trial.differences, settings))
        if seams is not None:
            seams.trial, seams.in_sequence, seams.burn_in = trial.differences, settings.exact, trial.burn_in
    rows = rows_of(genome, stretches, warmup=warmup_of(genome, settings) if warmup else 0)
    keeper = SeamKeeper(model, fetcher, rows, settings)
    work = ActiveLanes(model, fetcher, rows, settings.chunk)
    step_lanes = STEP_LANES if reader.device.type == "cpu" else GPU_STEP_LANES
    queue = own_pieces(rows, settings, own, step_lanes)[::-1]
    read = unreleased = 0
    to_read = sum(piece.end - piece.first for piece in queue)
    while queue or work.pieces:
        while queue and len(work.pieces) < settings.lanes:
            work.take(queue.pop())
        keeper.before_read(work)
        before = int(work.left.sum())
        block = work.read()
        yield block
        keeper.after_read(work)
        read += before - int(work.left.sum())  # what a lane reads past its piece's end is nothing to wait for
        unreleased += block.targets.numel()
        reader.report(read, to_read)
        if unreleased >= RELEASED_AFTER:
            genome.release()
            unreleased = 0
        if work.ended.any():
            work.drop(work.ended)
    if settings.repair:
        yield from keeper.repair()
    if seams is not None:
        keeper.report(seams)
        seams_of_all(seams, reader, stretches)


@torch.inference_mode()
def mean_bits(reader: GenomeReader, stretches: Stretches, *, symbols: int | None = None) -> tuple[float, int]:
    """Mean bits per known symbol over stretches and both strands, and how many symbols that is.

    symbols : an estimate: stop after about this many, once one was known, with no seam repaired; None reads all.
    Raises ValueError when there is no known symbol.
    """
    model = reader.model
    nats = torch.zeros((), dtype=torch.float64, device=reader.device)
    known = torch.zeros((), dtype=torch.int64, device=nats.device)
    read = 0
    if symbols is not None:
        # lanes that each read a few burn-ins, or little of what is read would count
        lanes = min(reader.settings.lanes, max(1, symbols // (BURN_INS_A_LANE * ESTIMATE_BURN_IN)))
        short = dataclasses.replace(
            reader.settings, burn_in=min(reader.settings.burn_in, ESTIMATE_BURN_IN), repair=False, lanes=lanes
        )
        reader = dataclasses.replace(reader, settings=short)
    for block in read_stretches(reader, stretches):
        counted = _counted(model, block)
        nats += (model.nats(block.logits, block.targets) * counted).sum(dtype=torch.float64)
        known += counted.sum()
        read += block.targets.numel()
        if symbols is not None and read >= symbols and int(known):
            break
    if not int(known):
        raise ValueError("no known symbol to score")
    return float(nats) / int(known) / NATS_PER_BIT, int(known)


@torch.inference_mode()
def bits_by_block(
    reader: GenomeReader, stretches: Stretches, first: NDArray[np.int64], length: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Known symbols and bits, both strands, of each block of a genome: int64 and float64 [blocks].

    first : int64 [contigs + 1], number of each contig's first block.   length : bases of a block.
    """
    model, genome, device = reader.model, reader.genome, reader.device
    sums = torch.zeros(2, int(first[-1]), dtype=torch.float64, device=device)
    for block in read_stretches(reader, stretches):
        counted = _counted(model, block)
        contig = stretches.contig[block.row % len(stretches.contig)]
        place, sign, base = (
            torch.from_numpy(np.asarray(each, dtype=np.int64)).to(device).unsqueeze(1)
            for each in (block.address - genome.starts[contig], block.sign, first[contig])
        )
        place = place + sign * torch.arange(block.targets.shape[1], device=device)  # within the contig, [B, T]
        # what does not count may lie outside the contig: it adds nothing, to whatever block
        number = (base + place.div(length, rounding_mode="floor")).clamp_(0, sums.shape[1] - 1).flatten()
        sums[0].index_add_(0, number, counted.flatten().double())
        sums[1].index_add_(0, number, (model.nats(block.logits, block.targets) * counted).flatten().double())
    symbols, nats = sums.cpu().numpy()
    return np.rint(symbols).astype(np.int64), nats / NATS_PER_BIT


def _counted(model: NextSymbolModel, block: Block) -> Tensor:
    """How often each target counts, [B, T]: not at all, once, or -1 for what is read again."""
    weight = torch.from_numpy(block.weight).to(block.targets.device)
    return (block.scored & (block.targets != model.alphabet.unknown)) * weight.unsqueeze(1)
