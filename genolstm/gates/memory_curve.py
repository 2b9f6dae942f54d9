"""Functional memory: bits/base when the state is emptied every K bases; where more past no longer helps.

The input stays the real base before; only what was remembered of all others is lost. A base r places after an emptying
is predicted from r + 1 bases, so that a K stands for pasts of 1 to K bases, all equally often.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.model import NATS_PER_BIT, NextSymbolModel
from genolstm.regions import Part, Stretches, block_length, stretches_of
from genolstm.regions import Region as Window
from genolstm.seen import seen_in
from genolstm.store.checkpoint import Checkpoint
from genolstm.store.genome import Genome
from genolstm.strands import SequenceFetcher

LARGEST = 65_536
BLOCK = 2_048  # bases resampled together, both strands
LANES = 1_024  # pieces between two resets of the state that run side by side, at most
CHUNK = 512  # bases that they are read in one step
STEP_SYMBOLS = 1 << 15  # of all lanes in one step, at most: memory is that of their states
FLAT = (0.01, 0.001)  # bits above the largest K within which the curve is called flat


@dataclass(frozen=True, kw_only=True)
class MemoryCurve:
    """Bits when the state is emptied every K bases, K = 1, 2, 4 ..

    reset_every : int64 [n].   bits : float64 [n].   excess, low, high : over the largest K, with the ends of a 95 %
    interval, float64 [n].   windows : where.   symbols : known ones that each K scored.   source : which bases these
    are, as text.   skipped : K larger than any piece of genome or the budget allows.
    """

    reset_every: NDArray[np.int64]
    bits: NDArray[np.float64]
    excess: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    windows: Stretches
    symbols: int
    source: str
    skipped: tuple[int, ...]

    def flat_from(self, bits: float) -> int:
        """Smallest K from which on no larger one is better by more than some bits/base."""
        within = self.excess <= bits
        return int(self.reset_every[np.flatnonzero(~within)[-1] + 1 if not within.all() else 0])


def unseen(checkpoint: Checkpoint, genome: Genome) -> tuple[Stretches, str]:
    """Stretches to measure memory on, and what they are: contigs never trained on, else what was held out, else all."""
    seen = seen_in(checkpoint, genome)
    trained = set(seen.split.of(Part.TRAIN).names())
    everything = [Window(contig=name, start=0, end=length) for name, length in genome.length_of.items()]
    fresh = [window for window in everything if window.contig not in trained]
    if fresh:
        known = "contigs that the model was not trained on"
        return stretches_of(fresh, genome.names), known if seen.known else "contigs of another genome than the model's"
    for part, name in ((Part.TEST, "test"), (Part.VALID, "validation")):
        held_out = seen.split.of(part)
        if held_out.bases:
            return held_out, f"stretches held out for {name}"
    return stretches_of(everything, genome.names), "contigs that the model was trained on, for there are no others"


def memory_windows(source: Stretches, symbols: int, strands: int, rng: np.random.Generator) -> tuple[int, Stretches]:
    """Length of windows, a power of two, and windows of it drawn without overlap, `symbols` in all on all strands.

    The windows are as long as the largest K that the longest stretch and the budget allow. Raises ValueError where
    not even a window of 2 bases fits.
    """
    longest = int((source.end - source.start).max(initial=0))
    longest_fitting = min(longest, symbols // strands, LARGEST)
    if longest_fitting < 2:
        raise ValueError("no stretch is long enough to empty a state in")
    length = 1 << (longest_fitting.bit_length() - 1)
    tiles = [
        (int(contig), start)
        for contig, first, end in zip(source.contig, source.start.tolist(), source.end.tolist(), strict=True)
        for start in range(first, end - length + 1, length)
    ]
    wanted = max(1, symbols // (strands * length))
    drawn = sorted(rng.choice(len(tiles), min(wanted, len(tiles)), replace=False).tolist())
    picked = [tiles[place] for place in drawn]
    # not `stretches_of`: windows that touch must stay apart
    columns = np.array(picked, dtype=np.int64).reshape(-1, 2)
    return length, Stretches(
        contigs=source.contigs,
        contig=columns[:, 0].astype(np.int32),
        start=columns[:, 1],
        end=columns[:, 1] + length,
        part=np.full(len(picked), Part.TEST, dtype=np.int8),
    )


@torch.inference_mode()
def memory_curve(
    model: NextSymbolModel,
    genome: Genome,
    source: tuple[Stretches, str],
    symbols: int,
    resamples: int,
    rng: np.random.Generator,
) -> MemoryCurve:
    """Measure the curve on windows of some stretches. symbols : read for each K, all strands."""
    strands = 1 if genome.alphabet.complement is None else 2
    length, windows = memory_windows(source[0], symbols, strands, rng)
    every = 2 ** np.arange(length.bit_length())
    block = block_length(BLOCK, length * len(windows.start))
    sums = [_bits_by_block(model, genome, windows, int(k), min(block, length)) for k in every]
    bits = np.stack([each for each, _ in sums])  # [n, blocks]
    known = sums[0][1]
    if not known.any():
        raise ValueError("no known base in the windows that were drawn")
    excess = bits - bits[-1]
    drawn = rng.multinomial(len(known), np.full(len(known), 1 / len(known)), size=resamples)  # [R, blocks]
    with np.errstate(invalid="ignore"):
        resampled = (drawn @ excess.T) / (drawn @ known)[:, None]  # [R, n]
    low, high = np.nanquantile(resampled, (0.025, 0.975), axis=0)
    possible = 2 ** np.arange(LARGEST.bit_length())
    return MemoryCurve(
        reset_every=every,
        bits=bits.sum(axis=1) / known.sum(),
        excess=excess.sum(axis=1) / known.sum(),
        low=low,
        high=high,
        windows=windows,
        symbols=int(known.sum()),
        source=source[1],
        skipped=tuple(possible[possible > length].tolist()),
    )


def _bits_by_block(
    model: NextSymbolModel, genome: Genome, windows: Stretches, every: int, block: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Bits and known symbols of each block of the windows, all strands, the state emptied every so many bases."""
    device = next(model.parameters()).device
    fetcher = SequenceFetcher(genome, device, windows.contig)
    length = int(windows.end[0] - windows.start[0])
    per_window = -(-length // block)
    bits = torch.zeros(len(windows.start) * per_window, dtype=torch.float64, device=device)
    known = torch.zeros_like(bits)
    for sign, window, first in _pieces(genome, windows, every):
        genome.release()
        origin, total, place = _rows(genome, windows, sign, window, first)
        rows = [torch.from_numpy(column).to(device) for column in (origin, np.full_like(origin, sign), total, place)]
        state = model.initial_state(len(window))
        for step in range(0, every, CHUNK):
            width = min(CHUNK, every - step)
            codes = fetcher.window(rows[0], rows[1], rows[2], rows[3] + step - 1, width + 1)
            output = model.forward(codes[:, :-1], state)
            state, targets = output.state, codes[:, 1:]
            at = torch.from_numpy(first).to(device).unsqueeze(1) + step + torch.arange(width, device=device)
            if sign < 0:  # blocks are counted along the forward strand
                at = length - 1 - at
            at = torch.from_numpy(window).to(device).unsqueeze(1) * per_window + at // block
            nats = model.nats(output.logits, targets)
            bits.index_add_(0, at.flatten(), nats.double().flatten() / NATS_PER_BIT)
            known.index_add_(0, at.flatten(), (targets != model.alphabet.unknown).double().flatten())
    return bits.cpu().numpy(), known.cpu().numpy().astype(np.int64)


def _pieces(
    genome: Genome, windows: Stretches, every: int
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """Strand, window and first place within it of the pieces between two emptyings, some at a time."""
    length = int(windows.end[0] - windows.start[0])
    count = length // every
    lanes = min(LANES, max(1, STEP_SYMBOLS // min(every, CHUNK)))
    for sign in (1,) if genome.alphabet.complement is None else (1, -1):
        for begin in range(0, count * len(windows.start), lanes):
            window, piece = np.divmod(np.arange(begin, min(begin + lanes, count * len(windows.start))), count)
            yield sign, window, piece * every


def _rows(
    genome: Genome, windows: Stretches, sign: int, window: NDArray[np.int64], first: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Origin and length of the contigs as read along a strand, and the place of each piece in them; each [B]."""
    contig = windows.contig[window]
    begin, total = genome.starts[contig], genome.lengths[contig]
    if sign > 0:
        return begin, total, windows.start[window] + first
    return begin + total - 1, total, total - windows.end[window] + first
