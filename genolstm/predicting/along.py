"""Decisions of probes at candidates along a genome, in the pass that reads it.

A decision is a sum over states near a candidate, of both passes. In each block of the pass one product with all weights
gives every state's terms; those around a candidate are added up once the last of its states has been read. What a
candidate takes from before the block is carried on with its lane. So each pass gives one number for each candidate, and
where a piece is read again, from a state that proved right, it is written again.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.errors import UsageError
from genolstm.predicting.window_maxima import window_maxima
from genolstm.probes.readings import How, Reading, Terms
from genolstm.regions import Stretches
from genolstm.store.candidates import Candidates
from genolstm.stream.blocks import Block, traces_of
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import read_stretches
from genolstm.stream.seams import Seams

Ints = NDArray[np.int64]

BYTES, MOST_CARRIED = 4, 4 << 30  # of a number, and of the states that all lanes carry
RELEASED_AFTER = 32  # blocks after which mapped pages of the genome are given back


class Decided(NamedTuple):
    """One decision that is wanted, and where: its terms, and the candidates, which get their sums."""

    terms: Terms
    candidates: Candidates


@torch.inference_mode()
def decide_along(
    reader: GenomeReader, stretches: Stretches, wanted: Sequence[Decided], *, memories: bool, seams: Seams
) -> None:
    """Read stretches, and write to the candidates what each pass adds to their decisions, without the intercepts.

    stretches : hold every candidate with all states of its terms, of which the first stands `terms.reach` before it.
    memories : the weights are of h and c, else of h alone.   seams : filled in.
    """
    sums = _Sums(reader, stretches, wanted, memories=memories)
    if not reader.settings.exact:
        # a lane must have read all that its first candidate needs before its piece begins
        most = max(reader.settings.burn_in, sums.carried)
        longer = dataclasses.replace(reader.settings, burn_in=most, least_burn_in=sums.carried)
        reader = dataclasses.replace(reader, settings=longer)
    for number, block in enumerate(read_stretches(reader, stretches, seams=seams, warmup=True)):
        sums.add(block)
        if number % RELEASED_AFTER == 0:
            reader.genome.release()


class _Carry(NamedTuple):
    """The last steps of some lanes. dots : [B, C, R].   parts : [B, C, H] of each part of a state; none without maxima.

    known : int64 [B], how many of the C have been read.
    """

    dots: Tensor
    parts: list[Tensor]
    known: Ints

    def of(self, lane: int) -> "_Carry":
        """A copy of one lane."""
        one = slice(lane, lane + 1)
        return _Carry(self.dots[one].clone(), [part[one].clone() for part in self.parts], self.known[one])


class _Columns(NamedTuple):
    """Where the terms of one decision stand among all columns, by own and other pass.

    states : for each pass, int64 [n, K], place of each term in a flattened [steps, R], from the step of offset 0.
    means : for each pass, reading and its columns [K].   maxima : for each pass, reading and its weights of each part.
    """

    states: dict[bool, Tensor]
    means: dict[bool, list[tuple[Reading, Tensor]]]
    maxima: dict[bool, list[tuple[Reading, list[Tensor]]]]


class _Sums:
    """What is added up along the blocks of a pass. carried : steps C that a lane carries from one block to the next."""

    def __init__(
        self, reader: GenomeReader, stretches: Stretches, wanted: Sequence[Decided], *, memories: bool
    ) -> None:
        self.model, self.device, self.memories = reader.model, reader.device, memories
        self.wanted = wanted
        spans = np.array([each.terms.spans for each in wanted])  # [decisions, strands, first and last]
        self.first, self.last = spans[:, :, 0].min(axis=0), spans[:, :, 1].max(axis=0)  # by strand of the pass
        self.carried = int((self.last - self.first).max())
        n_parts = reader.model.settings.layers * (2 if memories else 1)
        self.columns, weights = self._columns(n_parts)
        self.weights = [each.to(self.device) for each in weights]
        self.keeps_parts = any(rows for each in self.columns for rows in each.maxima.values())
        held = BYTES * reader.settings.lanes * self.carried * n_parts * reader.model.settings.hidden
        if self.keeps_parts and held > MOST_CARRIED:
            raise UsageError(
                f"each of {reader.settings.lanes} lanes would carry the states of {self.carried:,} bases, together"
                f" {held / 1e9:.1f} GB: give fewer --lanes."
            )
        first = reader.genome.starts[stretches.contig]
        self.bounds = np.stack([first + stretches.end, first + stretches.start - 1])  # where a pass ends, [strands, K]
        self.latest: _Carry | None = None
        self.lanes: list[tuple[int, int, int]] = []  # of the latest block: row, next target, weight
        self.counted: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)  # of these, that a piece may end in
        self.ends: dict[tuple[int, int], _Carry] = {}  # row, place -> what a piece ended with

    def _columns(self, n_parts: int) -> tuple[list[_Columns], list[Tensor]]:
        """Columns of each decision, and the weights of all of them: [H, R] of each part of a state."""
        linear = [
            each
            for wanted in self.wanted
            for each in wanted.terms.readings
            if each.how is not How.MAX
        ]  # fmt: skip
        starts = np.cumsum([0, *(each.weights.shape[1] for each in linear)])
        width = int(starts[-1])
        place = {id(each): int(start) for each, start in zip(linear, starts, strict=False)}
        stacked = np.concatenate([each.weights for each in linear], axis=1) if linear else np.zeros((n_parts, 0))
        found = []
        for wanted in self.wanted:
            columns = _Columns({}, {True: [], False: []}, {True: [], False: []})
            for own in (True, False):
                states = [torch.zeros(0, wanted.terms.intercept.size, dtype=torch.int64)]
                for each in (each for each in wanted.terms.readings if each.own is own):
                    k = torch.arange(each.weights.shape[1])
                    if each.how is How.STATE:
                        states.append((each.first * width + place[id(each)] + k)[None])
                    elif each.how is How.MEAN:
                        columns.means[own].append((each, (place[id(each)] + k).to(self.device)))
                    else:
                        parts = [part.to(self.device) for part in _split(each.weights, n_parts)]
                        columns.maxima[own].append((each, parts))
                columns.states[own] = torch.cat(states).to(self.device)
            found.append(columns)
        return found, _split(stacked, n_parts)

    def add(self, block: Block) -> None:
        """Take the candidates of one block."""
        parts = list(block.layers)
        if self.memories:
            parts += [trace.memory for trace in traces_of(self.model, block)]
        carry = self._carried_into(block, parts)
        fresh = [part @ weights for part, weights in zip(parts, self.weights, strict=True)]
        dots = torch.cat([carry.dots, torch.stack(fresh).sum(dim=0) if len(fresh) > 1 else fresh[0]], dim=1)
        edges = [torch.cat([old, new[:, : self.carried]], dim=1) for old, new in zip(carry.parts, parts, strict=False)]
        counts = (block.weight > 0) & (block.end > block.begin)
        if counts.any():
            for wanted, columns in zip(self.wanted, self.columns, strict=True):
                self._decide(block, np.flatnonzero(counts), carry.known, wanted, columns, (dots, edges, parts))
        self._carry_on(block, carry, dots, parts, counts)

    def _decide(
        self,
        block: Block,
        lanes: Ints,
        known: Ints,
        wanted: Decided,
        columns: _Columns,
        read: tuple[Tensor, list[Tensor], list[Tensor]],
    ) -> None:
        """Write what this block's pass adds to the candidates whose last state stands in it."""
        row_first, sign = block.first[lanes], block.sign[lanes]
        first_offset, last_offset = (each[(sign < 0).astype(np.int64)] for each in (self.first, self.last))
        # places in the row of candidates: the state of offset o stands o + 1 targets on
        low = np.maximum(block.begin[lanes] - last_offset - 1, row_first - 1 - first_offset - known[lanes])
        high = np.maximum(block.end[lanes] - last_offset - 1, low)
        ends = block.address[lanes] + sign * (np.stack([low, high - 1]) - row_first)
        bounds = zip((2 * ends.min(axis=0)).tolist(), (2 * ends.max(axis=0) + 2).tolist(), high > low, strict=True)
        found = [wanted.candidates.between(first, last if any_ else first) for first, last, any_ in bounds]
        begin, count = [rank for rank, _ in found], np.array([len(keys) for _, keys in found], dtype=np.int64)
        if not count.any():
            return
        lane, key = np.repeat(np.arange(len(lanes)), count), np.concatenate([keys for _, keys in found])
        step = self.carried + 1 + sign[lane] * ((key >> 1) - block.address[lanes][lane])  # of offset 0
        own = (key & 1) == (sign[lane] < 0)
        values = np.zeros((len(lane), wanted.terms.intercept.size), dtype=np.float32)
        for side in (True, False):
            mine = np.flatnonzero(own == side)
            if len(mine):
                values[mine] = self._sum(lanes[lane[mine]], step[mine], columns, read, own=side).cpu().numpy()
        for each, first, last in zip(range(len(lanes)), np.cumsum(count) - count, np.cumsum(count), strict=True):
            if last > first:
                wanted.candidates.passes.write(int(sign[each] < 0), begin[each], values[first:last])

    def _sum(
        self, lane: Ints, step: Ints, columns: _Columns, read: tuple[Tensor, list[Tensor], list[Tensor]], *, own: bool
    ) -> Tensor:
        """Sums of the terms of one side, [n, K]. lane, step : [n], of the state of offset 0."""
        dots, edges, parts = read
        _, steps, width = dots.shape
        at_lane, at_step = (torch.from_numpy(each).to(self.device) for each in (lane, step))
        place = (at_lane * steps + at_step) * width
        shift = columns.states[own]  # [readings, K]
        total = dots.reshape(-1)[place[:, None, None] + shift[None]].sum(dim=1)
        for reading, column in columns.means[own]:
            sums = dots[:, :, column].double().cumsum(dim=1)  # [B, steps, K]
            upper = sums[at_lane, at_step + reading.last]
            before = at_step + reading.first - 1
            lower = sums[at_lane, before.clamp(min=0)] * (before >= 0).unsqueeze(1)
            total = total + ((upper - lower) / (reading.last - reading.first + 1)).float()
        for reading, weights in columns.maxima[own]:
            first, span = step + reading.first, reading.last - reading.first + 1
            inside = first >= self.carried
            for rows, source, at in (
                (np.flatnonzero(inside), parts, first - self.carried),
                (np.flatnonzero(~inside), edges, first),
            ):
                if len(rows):
                    found = [
                        window_maxima(part, lane[rows], at[rows], span) @ each
                        for part, each in zip(source, weights, strict=True)
                    ]
                    total[torch.from_numpy(rows).to(self.device)] += torch.stack(found).sum(dim=0)
        return total

    def _carried_into(self, block: Block, parts: list[Tensor]) -> _Carry:
        """What the lanes of a block carry into it: their own last steps, or those of the piece that ended there."""
        keys = list(zip(block.row.tolist(), block.first.tolist(), block.weight.tolist(), strict=True))
        if self.latest is not None and keys == self.lanes:
            return self.latest
        # of two lanes at one place that which counts there has read the true states: it comes last
        order = sorted(range(len(self.lanes)), key=lambda lane: bool(self.counted[lane]))
        lane_of = {self.lanes[lane]: lane for lane in order}
        self._keep_ends(set(keys))
        batch, width = len(keys), self.weights[0].shape[1]
        dots = parts[0].new_zeros(batch, self.carried, width)
        held = [part.new_zeros(batch, self.carried, part.shape[2]) for part in parts] if self.keeps_parts else []
        known = np.zeros(batch, dtype=np.int64)
        for lane, key in enumerate(keys):
            source, at = self.latest, lane_of.get(key)
            if at is None:
                source, at = self.ends.get(key[:2]), 0
            if source is not None:
                dots[lane], known[lane] = source.dots[at], source.known[at]
                for into, part in zip(held, source.parts, strict=True):
                    into[lane] = part[at]
        return _Carry(dots, held, known)

    def _keep_ends(self, going_on: set[tuple[int, int, int]]) -> None:
        """Keep what pieces ended with: a piece that is read again begins there."""
        if self.latest is None:
            return
        for lane, key in enumerate(self.lanes):
            if self.counted[lane] and (key not in going_on or self.lanes.count(key) > 1):
                self.ends[key[:2]] = self.latest.of(lane)

    def _carry_on(
        self, block: Block, carry: _Carry, dots: Tensor, parts: list[Tensor], counts: NDArray[np.bool_]
    ) -> None:
        steps = block.targets.shape[1]
        held = [
            _last(torch.cat([old, part], dim=1) if steps < self.carried else part, self.carried)
            for old, part in zip(carry.parts, parts, strict=False)
        ]
        self.latest = _Carry(_last(dots, self.carried), held, np.minimum(carry.known + steps, self.carried))
        following = (block.first + steps).tolist()
        self.lanes = list(zip(block.row.tolist(), following, block.weight.tolist(), strict=True))
        strand, stretch = np.divmod(block.row, self.bounds.shape[1])
        reached = block.address + block.sign * (block.end - block.first)
        self.counted = counts & (reached != self.bounds[strand, stretch])


def _last(values: Tensor, steps: int) -> Tensor:
    """A copy of the last steps, [B, steps, ...]."""
    return values[:, values.shape[1] - steps :].clone()


def _split(weights: NDArray[np.float64], n_parts: int) -> list[Tensor]:
    """Weights [D, K] of the parts of a state, float32 [H, K] each."""
    return [torch.from_numpy(part.astype(np.float32)) for part in np.split(weights, n_parts)]
