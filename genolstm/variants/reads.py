"""Forward passes over alleles with their windows, in batches, each from the state at the start of its chunk."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.cells.memory import State
from genolstm.model import NATS_PER_BIT, NextSymbolModel
from genolstm.regions import N_STRANDS
from genolstm.store.genome import Genome
from genolstm.stream.blocks import Block
from genolstm.variants.places import Alleles, Keys, LaneKeys, Places, Whole, within

REFERENCE, ALTERNATIVE = 0, 1
BATCHES_HELD = 4  # batches of reads that wait, so that each batch is of similar lengths
LENGTHS_APART = 1.25  # longest over shortest read of a batch
CHUNK = 512  # symbols of a read at a time, so that long insertions need no more memory


def bits_of(model: NextSymbolModel, logits: Tensor, targets: Tensor) -> Tensor:
    """log2 P of each target, in the precision of the logits; 0 where it is unknown; [B, T]."""
    known = targets != model.alphabet.unknown
    chosen = torch.where(known, targets, 0).long().unsqueeze(2)
    return logits.log_softmax(-1).gather(2, chosen).squeeze(2) * known / NATS_PER_BIT


class Found:
    """Bits and last hidden state of every window. bits : float64 [2, 2A].   hidden : [2, 2A, layers * H]."""

    def __init__(self, alleles: int, model: NextSymbolModel) -> None:
        width = model.settings.layers * model.settings.hidden
        self.bits = np.zeros((2, N_STRANDS * alleles))
        self.hidden = torch.zeros(2, N_STRANDS * alleles, width, dtype=model.head.weight.dtype)


@dataclass(frozen=True)
class _Waiting:
    """Reads that wait. task, side : int64 [n].   first : int64 [n], place u of the first input.

    blank : bool [n], that input stands before the row and is N.   state : before it, [layers, n, H].
    """

    task: Whole
    side: Whole
    first: Whole
    blank: NDArray[np.bool_]
    state: State

    def chosen(self, rows: Whole) -> "_Waiting":
        """Only these."""
        at = torch.from_numpy(rows).to(self.state.hidden.device)
        state = State(self.state.hidden[:, at], self.state.memory[:, at])
        return _Waiting(self.task[rows], self.side[rows], self.first[rows], self.blank[rows], state)

    @classmethod
    def joined(cls, parts: Sequence["_Waiting"]) -> Self:
        """All reads of several."""
        state = State(*(torch.cat(each, dim=1) for each in zip(*(part.state for part in parts), strict=True)))
        return cls(
            task=np.concatenate([part.task for part in parts]),
            side=np.concatenate([part.side for part in parts]),
            first=np.concatenate([part.first for part in parts]),
            blank=np.concatenate([part.blank for part in parts]),
            state=state,
        )


class Reads:
    """Reads of alleles with their windows, each from the state at the beginning of the chunk it stands in.

    Alternatives all; references where their window ends with the contig.
    """

    def __init__(
        self,
        model: NextSymbolModel,
        genome: Genome,
        alleles: Alleles,
        places: Places,
        keys: Keys,
        found: Found,
        batch: int,
    ) -> None:
        self.model, self.genome, self.alleles, self.places = model, genome, alleles, places
        self.found, self.batch = found, batch
        anchors = keys.of(places.row, places.anchor)
        self.order = np.argsort(anchors, kind="stable")
        self.anchors = anchors[self.order]
        self.waiting: list[_Waiting] = []

    def take(self, block: Block, lanes: LaneKeys) -> None:
        """Note the state before every allele that begins in a block."""
        lane, index = within(self.anchors, lanes.low, np.where(block.weight > 0, lanes.high, lanes.low))
        if not len(index):
            return
        task = self.order[index]
        at_end = self.places.at_contig_end[task]
        lane, task = np.concatenate([lane, lane[at_end]]), np.concatenate([task, task[at_end]])
        at = torch.from_numpy(lane).to(block.logits.device)
        self.waiting.append(
            _Waiting(
                task=task,
                side=np.where(np.arange(len(task)) < len(index), ALTERNATIVE, REFERENCE),
                first=(block.sign * block.address)[lane] - 1,
                blank=block.first[lane] == 0,
                state=State(*(part[:, at] for part in block.before)),
            )
        )
        if sum(len(each.task) for each in self.waiting) >= BATCHES_HELD * self.batch:
            self.run()

    def run(self) -> None:
        """Run all that wait, in batches of similar length."""
        if not self.waiting:
            return
        waiting = _Waiting.joined(self.waiting)
        self.waiting = []
        # what was read again after a repair waits twice: the last one counts
        _, last = np.unique((waiting.task * 2 + waiting.side)[::-1], return_index=True)
        chosen = len(waiting.task) - 1 - last
        lengths = self._lengths(waiting)[chosen].sum(axis=1)
        order = np.argsort(lengths, kind="stable")
        chosen, lengths = chosen[order], lengths[order]
        begin = 0
        while begin < len(chosen):
            similar = int(np.searchsorted(lengths, lengths[begin] * LENGTHS_APART, side="right"))
            end = min(begin + self.batch, similar)
            self._read(waiting.chosen(chosen[begin:end]))
            begin = end

    def _lengths(self, waiting: _Waiting) -> Whole:
        """Symbols before the allele (from the chunk's first input), of the allele, and after it; [n, 3]."""
        task = waiting.task
        allele = task % len(self.alleles)
        own = np.diff(self.alleles.first)[allele]
        replaced = (self.places.after - self.places.begin)[task]
        return np.stack(
            [
                self.places.begin[task] - waiting.first,
                np.where(waiting.side == ALTERNATIVE, own, replaced),
                (self.places.end - self.places.after)[task],
            ],
            axis=1,
        )

    def _codes(self, waiting: _Waiting, lengths: Whole) -> NDArray[np.uint8]:
        """Symbols of each read, uint8 [n, longest]; anything behind its end. lengths : as `_lengths`."""
        before, own, _ = (column[:, None] for column in lengths.T)
        task, alphabet = waiting.task, self.genome.alphabet
        step = np.arange(lengths.sum(axis=1).max())[None, :]
        sign = self.places.sign[task][:, None]
        place = np.where(
            step < before,
            waiting.first[:, None] + step,
            self.places.after[task][:, None] + step - before - own,
        )
        reverse = (sign < 0).astype(np.int64)
        pairing = np.stack([np.arange(alphabet.n_symbols, dtype=np.uint8), alphabet.complement])  # type: ignore[list-item]
        codes = pairing[reverse, self.genome.all_codes[np.clip(sign * place, 0, len(self.genome.all_codes) - 1)]]
        # a reference allele is no exception: its places run on from those before it
        within_allele = step - before
        allele = task % len(self.alleles)
        first, last = self.alleles.first[allele][:, None], self.alleles.first[allele + 1][:, None] - 1
        letter = np.where(sign > 0, first + within_allele, last - within_allele)
        is_own = (waiting.side == ALTERNATIVE)[:, None] & (within_allele >= 0) & (within_allele < own)
        if len(self.alleles.letters):
            letters = self.alleles.letters[np.clip(letter, 0, len(self.alleles.letters) - 1)]
            codes = np.where(is_own, pairing[reverse, letters], codes)
        codes[waiting.blank, 0] = alphabet.unknown
        return codes

    def _read(self, waiting: _Waiting) -> None:
        """Run one batch and keep its bits and last states."""
        lengths = self._lengths(waiting)
        state, device = waiting.state, waiting.state.hidden.device
        codes = torch.from_numpy(self._codes(waiting, lengths)).to(device)  # [B, S]
        targets = torch.nn.functional.pad(codes[:, 1:], (0, 1), value=self.genome.alphabet.unknown)
        begin, total = (torch.from_numpy(column).to(device) for column in (lengths[:, 0], lengths.sum(axis=1)))
        bits = torch.zeros(len(codes), dtype=torch.float64, device=device)
        last = self.found.hidden.new_zeros(len(codes), self.found.hidden.shape[2], device=device)
        for place in range(0, codes.shape[1], CHUNK):
            output = self.model.forward(codes[:, place : place + CHUNK], state)
            state = output.state
            step = torch.arange(place, place + output.logits.shape[1], device=device) + 1  # of the target
            counted = (step >= begin[:, None]) & (step < total[:, None])
            bits += (bits_of(self.model, output.logits, targets[:, place : place + CHUNK]) * counted).double().sum(1)
            ends = torch.nonzero((total - 1 >= place) & (total - 1 < place + CHUNK)).squeeze(1)
            at = ends, total[ends] - 1 - place
            last[ends] = torch.cat([layer[at] for layer in output.layers], dim=1)
        self.found.bits[waiting.side, waiting.task] = bits.cpu().numpy()
        self.found.hidden[torch.from_numpy(waiting.side), torch.from_numpy(waiting.task)] = last.cpu()
