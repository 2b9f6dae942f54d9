"""A genome read once: every sampled step counted in the sums and written to the tracks."""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from genolstm.cells.rules import FAMILY
from genolstm.gates.factors import FORGET, readers_of, steps_at
from genolstm.gates.places import Places, SamplePlan
from genolstm.gates.stepped import SteppedCell, stepped_cells
from genolstm.gates.sums import UnitSums
from genolstm.gates.tracks import Pages, Values
from genolstm.model import NextSymbolModel
from genolstm.settings.model import CellName
from genolstm.stream.blocks import Block
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import read_stretches
from genolstm.stream.seams import Seams

TRACKS = ("forget", "half_life", "novelty")
TRACKS_WITHOUT_FORGET = ("novelty",)


def tracks_of(model: NextSymbolModel) -> tuple[str, ...]:
    """Names of the tracks of a model."""
    return TRACKS if FORGET in FAMILY[CellName(model.settings.cell)].projections else TRACKS_WITHOUT_FORGET


class GateStatistics:
    """Statistics of the steps of a model: for every layer its sums, and a reader of what the tracks need.

    tracks : names of the tracks.   units_every : bases between the samples of the sums.
    """

    def __init__(self, model: NextSymbolModel, units_every: int) -> None:
        self.sums = [UnitSums(reader) for reader in readers_of(model)]
        self.tracks = tracks_of(model)
        self.forget = readers_of(model, forget_only=True) if FORGET in self.tracks else []
        self.units_every = units_every

    @property
    def shape(self) -> tuple[int, int]:
        """Tracks and layers."""
        return len(self.tracks), len(self.sums)


@torch.inference_mode()
def walk(
    reader: GenomeReader, plan: SamplePlan, statistics: GateStatistics, pages: Pages, *, seams: Seams | None = None
) -> None:
    """Count and write what a plan asks for, on both strands.

    statistics : their sums are added to.   pages : written to, and flushed at the end.   seams : filled in.
    Of several processes each reads contigs and strands of its own; rank 0 gets the sums and seams of all.
    """
    all_steps = plan.every == statistics.units_every == 1
    stepped = stepped_cells(reader, [sums.reader for sums in statistics.sums]) if all_steps else None
    if stepped:
        reader = dataclasses.replace(reader, model=reader.model.read_by(stepped))
    for block in read_stretches(reader, plan.read, seams=seams, warmup=True):
        places = plan.places_in(block, plan.every)
        holds = block.weight[places.lane] > 0
        together = plan.every == statistics.units_every and bool(holds.all())  # every step is then read once, for both
        if not together:
            _count(block, plan.places_in(block, statistics.units_every), statistics, stepped)
        places = places if holds.all() else places.of(holds)
        if len(places.lane):
            layers = [
                _tracks(block, layer, places, statistics, stepped, count=together)
                for layer in range(len(statistics.sums))
            ]
            _write(block, places, torch.stack(layers, dim=2).cpu().numpy(), pages)
    pages.flush()
    for sums in statistics.sums:
        sums.add_others(reader.ranks)


def _count(block: Block, places: Places, statistics: GateStatistics, stepped: list[SteppedCell] | None) -> None:
    """Add the sampled steps of a block to the sums of every layer, or take them back, as their lanes weigh."""
    weight = block.weight[places.lane]
    for sign in (1, -1):
        chosen = weight == sign
        mine = places if chosen.all() else places.of(chosen)
        for layer, sums in enumerate(statistics.sums):
            for lane, step in _tiles(block, mine, sums.reader.tile):
                if stepped:
                    sums.add(stepped[layer].factors_at(lane, step), sign)
                else:
                    sums.add(sums.reader.read(steps_at(block, layer, lane, step)), sign)


def _tiles(block: Block, places: Places, tile: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Lanes and steps, some at a time."""
    lane, step = (torch.from_numpy(column).to(block.logits.device) for column in (places.lane, places.step))
    for first in range(0, len(lane), tile):
        yield lane[first : first + tile], step[first : first + tile]


def _tracks(
    block: Block, layer: int, places: Places, statistics: GateStatistics, stepped: list[SteppedCell] | None, *,
    count: bool,
) -> Tensor:  # fmt: skip
    """Tracks of one layer at some steps, float32 [N, tracks].

    stepped : cells that have kept the factors of the block, or None.   count : add the steps to the layer's sums.
    Mean forget gate over units; half-life in steps at their mean ln f; distance of h per square root of units.
    """
    sums = statistics.sums[layer]
    has_forget, units, tile = bool(statistics.forget), sums.reader.units, sums.reader.tile
    reader = sums.reader if count or stepped else statistics.forget[layer] if has_forget else None
    ones = block.logits.new_ones(units)
    rows = block.logits.new_empty(len(places.lane), len(statistics.tracks))
    for number, (lane, step) in enumerate(_tiles(block, places, tile)):
        into = rows[number * tile : (number + 1) * tile]
        if stepped:
            before, after = stepped[layer].hidden_at(lane, step)
        else:
            steps = steps_at(block, layer, lane, step)
            before, after = steps.before, steps.after
        if reader is not None:
            factors = stepped[layer].factors_at(lane, step) if stepped else reader.read(steps)
            if count:
                sums.add(factors, 1)
            if has_forget:  # sums over units as products with a column of ones
                torch.mv(factors.values[:, reader.columns(FORGET)], ones, out=into[:, 0])
                torch.mv(factors.log_forget, ones, out=into[:, 1])  # type: ignore[arg-type]
        torch.mv(torch.sub(after, before).square_(), ones, out=into[:, -1])
    rows /= units
    if has_forget:
        rows[:, 1] = math.log(0.5) / rows[:, 1]
    rows[:, -1].sqrt_()
    return rows.float()


def _write(block: Block, places: Places, values: Values, pages: Pages) -> None:
    """Write the tracks of a block's samples, [N, tracks, layers], lane by lane."""
    order = np.argsort(places.lane, kind="stable")  # from step by step to lane by lane
    lanes, starts = np.unique(places.lane[order], return_index=True)
    for lane, rows in zip(lanes, np.split(order, starts[1:]), strict=True):
        if block.sign[lane] > 0:
            pages.put(0, int(places.sample[rows[0]]), values[rows])
        else:  # read from high to low
            pages.put(1, int(places.sample[rows[-1]]), values[rows[::-1]])
