"""Stretches of a genome as they are read: forward, and as the reverse complement."""

import weakref
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.regions import Stretches
from genolstm.store.genome import Genome


class Rows(NamedTuple):
    """Stretches as read: both strands where there are two; all int64 [R].

    origin : place in the genome's codes of the first symbol read.   sign : +1 forward, -1 reverse.
    length : symbols, the warm-up included.   warmup : symbols read before the stretch begins, only to build the state.
    unknown_past : 1 where the contig has symbols before those of the warm-up, whose trace in the state is missing.
    """

    origin: Tensor
    sign: Tensor
    length: Tensor
    warmup: Tensor
    unknown_past: Tensor


def rows_of(genome: Genome, stretches: Stretches, *, warmup: int = 0) -> Rows:
    """Rows of some stretches: every forward strand, then every reverse complement.

    warmup : symbols of the contig to read before each row, as many as there are. Without one a stretch is read as if
    it were a contig of its own, and its past is not called unknown.
    """
    before = stretches.start
    after = genome.lengths[stretches.contig] - stretches.end
    first = genome.starts[stretches.contig] + stretches.start
    span = stretches.end - stretches.start
    past, origin, sign, length = before, first, np.ones_like(first), span
    if genome.alphabet.complement is not None:
        past = np.concatenate([before, after])
        origin = np.concatenate([first, first + span - 1])
        sign = np.concatenate([sign, -sign])
        length = np.concatenate([span, span])
    warmups = np.minimum(past, warmup)
    columns = (origin - sign * warmups, sign, length + warmups, warmups, (past > warmups) & (warmup > 0))
    return Rows(*(torch.from_numpy(column.astype(np.int64)) for column in columns))


class _CodesOnDevice:
    """A genome's codes on a GPU, as far as they were asked for: 1 byte a base of its memory, and no step waits."""

    def __init__(self, genome: Genome, device: torch.device) -> None:
        # what is not held is unknown: a place beyond a row's end is looked up too, before it is masked
        self.codes = torch.full((len(genome.mapped),), genome.alphabet.unknown, dtype=torch.uint8, device=device)
        self.held = np.zeros(len(genome.names), dtype=np.bool_)

    def hold(self, genome: Genome, contigs: NDArray[np.bool_]) -> Tensor:
        """The codes, uint8 [symbols]: those of some contigs, bool [contigs], and of all that were asked for before."""
        missing = np.flatnonzero(contigs & ~self.held)
        for run in np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1) if len(missing) else ():
            start, end = int(genome.starts[run[0]]), int(genome.starts[run[-1]] + genome.lengths[run[-1]])
            self.codes[start:end] = torch.from_numpy(genome.symbols(start, end)).to(self.codes.device)
        self.held |= contigs
        return self.codes


_on_devices: weakref.WeakKeyDictionary[Genome, dict[torch.device, _CodesOnDevice]] = weakref.WeakKeyDictionary()


class SequenceFetcher:
    """Picks symbols of rows out of a genome's codes, on the device that holds them.

    contigs : numbers of those that will be read, which alone are copied to a GPU, once for all fetchers of a genome.
    """

    def __init__(self, genome: Genome, device: torch.device, contigs: NDArray[np.integer[Any]]) -> None:
        self.alphabet = genome.alphabet
        if device.type == "cpu":  # the mapped file
            self.codes = torch.from_numpy(genome.all_codes)
        else:
            held = _on_devices.setdefault(genome, {})
            if device not in held:
                held[device] = _CodesOnDevice(genome, device)
            wanted = np.zeros(len(genome.names), dtype=np.bool_)
            wanted[contigs] = True
            self.codes = held[device].hold(genome, wanted)
        letters = np.arange(genome.alphabet.n_symbols, dtype=np.uint8)
        pairing = letters if genome.alphabet.complement is None else genome.alphabet.complement
        self.pairing = torch.from_numpy(np.stack([letters, pairing])).to(device)

    def window(self, origin: Tensor, sign: Tensor, length: Tensor, first: Tensor, width: int) -> Tensor:
        """Symbols `first .. first + width` of some rows as they are read; uint8 [B, width], N outside the row.

        origin, sign, length, first : int64 [B], on this fetcher's device.
        """
        place = first.unsqueeze(1) + torch.arange(width, device=first.device)  # [B, width], in reading direction
        inside = (place >= 0) & (place < length.unsqueeze(1))
        address = origin.unsqueeze(1) + sign.unsqueeze(1) * place
        codes = self.codes[address.clamp_(0, len(self.codes) - 1)]
        codes = self.pairing[(sign.unsqueeze(1) < 0).long(), codes.long()]
        return torch.where(inside, codes, self.alphabet.unknown)
