"""Running sums of factors, unit by unit: all that is kept of the samples."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from genolstm.cells.initial import forget_biases, nominal_half_life
from genolstm.gates.factors import CANDIDATE, FORGET, FactorReader, Factors
from genolstm.model import NextSymbolModel
from genolstm.ranks import Ranks

ABOVE, BELOW = 0.9, 0.1  # a gate beyond these is called open, or shut
SUMS = ("first", "second", "above", "below", "log_forget")


class UnitSums:
    """Sums over samples of one layer, in float64 on the device that read it.

    Squares are taken about a pivot near the mean, so that gates that hardly move keep the digits of their variance.
    """

    def __init__(self, reader: FactorReader) -> None:
        self.reader = reader
        width = reader.columns(CANDIDATE).stop
        self.count = 0
        self.pivot: Tensor | None = None
        self.moved = reader.weight.new_empty(reader.tile, width)
        self.tile_sums = reader.weight.new_zeros(len(SUMS), width)
        self.sums = torch.zeros_like(self.tile_sums, dtype=torch.float64)

    def add(self, factors: Factors, weight: int) -> None:
        """Count some samples once, or take them back. weight : +1 or -1."""
        values = factors.values
        if not len(values):
            return
        if self.pivot is None:
            self.pivot = values.mean(dim=0)
        ones, into = values.new_full((1, len(values)), float(weight)), self.tile_sums
        gates = self.reader.columns(CANDIDATE).start
        self.count += weight * len(values)
        # column sums as products with a row of ones: a fraction of the time of a reduction along the rows
        moved = torch.sub(values, self.pivot, out=self.moved[: len(values)])
        torch.mm(ones, moved, out=into[0:1])
        torch.mm(ones, moved.square_(), out=into[1:2])
        if gates:
            for row, compare, limit in ((2, torch.gt, ABOVE), (3, torch.lt, BELOW)):
                compare(values[:, :gates], limit, out=moved[:, :gates])
                torch.mm(ones, moved[:, :gates], out=into[row : row + 1, :gates])
        if factors.log_forget is not None:
            torch.mm(ones, factors.log_forget, out=into[4:5, : self.reader.units])
        self.sums += into

    def add_others(self, ranks: Ranks) -> None:
        """Add at rank 0 what other processes counted: their sums, moved to the pivot here."""
        if ranks.size == 1:
            return
        pivot = torch.zeros_like(self.sums[0]) if self.pivot is None else self.pivot.double()
        held = torch.cat([self.sums.new_tensor([float(self.count)]), pivot, self.sums.flatten()])
        for row in torch.from_numpy(ranks.gathered(held.cpu().numpy()[None])).to(held.device)[1:]:
            count, theirs, sums = int(row[0]), row[1 : 1 + len(pivot)], row[1 + len(pivot) :].view_as(self.sums)
            if not count:
                continue
            if self.pivot is None:
                self.pivot, pivot = theirs.to(self.reader.weight.dtype), theirs
            away = theirs - pivot
            moved = sums.clone()
            moved[SUMS.index("first")] += count * away
            moved[SUMS.index("second")] += away * (2 * sums[SUMS.index("first")] + count * away)
            self.sums += moved
            self.count += count

    def of(self, name: str) -> Tensor:
        """One of the sums, float64 [names * H]; of ln f only the first H mean anything."""
        return self.sums[SUMS.index(name)]


@dataclass(frozen=True, kw_only=True)
class UnitStatistics:
    """One factor of one layer over all samples; each float64 [H].

    above, below : fraction of samples above 0.9 and below 0.1; of gates alone, and 0 for the candidate.
    """

    mean: Tensor
    sd: Tensor
    above: Tensor
    below: Tensor


@dataclass(frozen=True, kw_only=True)
class LayerStatistics:
    """One layer over all samples.

    factors : name -> statistics; the write gate of a tied cell is given as 1 - forget.
    nominal_half_life : of each unit, from its bias alone; realised_half_life : ln 0.5 / mean ln f, from its gate. Both
    float64 [H], in steps, which are bases; None where the cell has no forget gate.
    """

    samples: int
    factors: dict[str, UnitStatistics]
    nominal_half_life: Tensor | None
    realised_half_life: Tensor | None


def statistics_of(model: NextSymbolModel, sums: list[UnitSums]) -> list[LayerStatistics]:
    """Statistics of every layer from its sums. Raises ValueError where nothing was sampled."""
    return [_layer(model, layer, each) for layer, each in enumerate(sums)]


def _layer(model: NextSymbolModel, layer: int, sums: UnitSums) -> LayerStatistics:
    if sums.pivot is None or not sums.count:
        raise ValueError("no position was sampled")
    shift = sums.of("first") / sums.count
    mean = sums.pivot.double() + shift
    sd = (sums.of("second") / sums.count - shift.square()).clamp(min=0).sqrt()
    above, below = sums.of("above") / sums.count, sums.of("below") / sums.count
    factors = {
        name: UnitStatistics(
            mean=mean[columns].cpu(), sd=sd[columns].cpu(), above=above[columns].cpu(), below=below[columns].cpu()
        )
        for name in sums.reader.names
        for columns in [sums.reader.columns(name)]
    }
    if FORGET not in factors:
        return LayerStatistics(samples=sums.count, factors=factors, nominal_half_life=None, realised_half_life=None)
    forget = factors[FORGET]
    factors.setdefault(
        "write", UnitStatistics(mean=1 - forget.mean, sd=forget.sd, above=forget.below, below=forget.above)
    )
    cell = model.cells[layer]
    nominal = [nominal_half_life(bias) for bias in forget_biases(cell).tolist()]  # type: ignore[arg-type]
    return LayerStatistics(
        samples=sums.count,
        factors=factors,
        nominal_half_life=torch.tensor(nominal, dtype=torch.float64),
        realised_half_life=(math.log(0.5) * sums.count / sums.of("log_forget")[: sums.reader.units]).cpu(),
    )
