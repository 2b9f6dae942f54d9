"""How methylation moves: the tied-gate cell of the family, and the names that biology gives its gates.

m' = mu m + delta (1 - m) (Otto & Walbot 1990; Pfeifer et al. 1990) is the cell with forget f = mu - delta and candidate
g = delta / (1 - mu + delta). In continuous time f = exp(-k dt), so that a constant gate gives
m(t) = g + (m0 - g) exp(-k t); a nascent strand has m0 = 0 (Busto-Moner et al. 2020).
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.cells.memory import Gates, remember
from genolstm.cells.rules import FAMILY
from genolstm.errors import UsageError
from genolstm.settings.methylation import StrandState
from genolstm.settings.model import CellName

Floats = NDArray[np.float64]
RULES = FAMILY[CellName.METHYLATION]


class Kinetics(NamedTuple):
    """Gates of one CpG. rate : k, per unit of time.   steady : g, the fraction at which the state rests."""

    rate: float
    steady: float


class Upkeep(NamedTuple):
    """Effect of a division. maintenance : mu, fraction of methylated sites kept.   gain : delta, of the others."""

    maintenance: float
    gain: float


def trajectory(rate: Tensor, steady: Tensor, start: Tensor, times: Tensor) -> Tensor:
    """Methylation of constant gates at given times, stepped by the cell's own rule.

    rate, steady, start : [...], of one shape.   times : [T], increasing from 0, in the unit of 1 / rate.
    Returns [..., T].
    """
    memory, before, shown = start, 0.0, []
    for time in times:
        forget = torch.exp(-rate * (time - before))
        memory = remember(memory, Gates(forget, 1 - forget, steady, None), RULES)
        before = time
        shown.append(memory)
    return torch.stack(shown, dim=-1)


def half_life(rate: float) -> float:
    """Time in which half of a memory goes, ln 2 / k, in the unit of time of the rate; inf where the rate is 0."""
    return math.log(2) / rate if rate > 0 else math.inf


def kinetics_of(upkeep: Upkeep, state: StrandState) -> Kinetics:
    """Rate per division and steady fraction of what a division does.

    state 'strand' : the fraction on the newly made strand, which the next division copies: f = mu - delta.
    state 'duplex' : the mean of a duplex, whose old strand is kept as it was: f = (1 + mu - delta) / 2; the steady
    fraction is the same and the half-life about twice as long.
    Raises UsageError where mu < delta: a strand's state would swing about g, which no forget gate in (0, 1) can do.
    """
    maintenance, gain = upkeep
    if not (0 <= maintenance <= 1 and 0 <= gain <= 1):
        raise UsageError(
            f"mu {maintenance:g} and delta {gain:g} must lie between 0 and 1: they are fractions of sites."
        )
    if maintenance < gain:
        raise UsageError(
            f"mu {maintenance:g} is below delta {gain:g}: new strands would swing about the steady fraction, which is"
            " outside the cell (its forget gate mu - delta is never below 0); check the two and their order."
        )
    kept = maintenance - gain
    if kept == 0 and state is StrandState.STRAND:
        raise UsageError(
            f"mu and delta are both {gain:g}: a new strand then forgets all at once, and has no half-life;"
            " give mu above delta."
        )
    if kept == 1:
        raise UsageError("mu 1 and delta 0 keep every state for ever: there is no steady fraction; give delta above 0.")
    forget = kept if state is StrandState.STRAND else (1 + kept) / 2
    return Kinetics(rate=-math.log(forget), steady=gain / (1 - kept))


def upkeep_of(kinetics: Kinetics, state: StrandState) -> Upkeep:
    """Maintenance and gain of a rate per division and a steady fraction, the inverse of `kinetics_of`.

    Raises UsageError for a duplex that loses more than half of its memory in a division, which no mu >= delta can do.
    """
    forget = math.exp(-kinetics.rate)
    kept = forget if state is StrandState.STRAND else 2 * forget - 1
    if kept < 0:
        raise UsageError(
            f"a duplex keeps its old strand, and so at least half of its memory in a division, but rate"
            f" {kinetics.rate:g} keeps {forget:.3f}; read the rate as that of a strand (--state strand)."
        )
    gain = kinetics.steady * (1 - kept)
    return Upkeep(maintenance=kept + gain, gain=gain)


def upkeep_columns(rate: Floats, steady: Floats, state: StrandState) -> tuple[Floats, Floats]:
    """Maintenance and gain of many CpGs, rates per division, [N] each; NaN where no mu >= delta does it (a duplex)."""
    forget = np.exp(-rate)
    kept = forget if state is StrandState.STRAND else 2 * forget - 1
    kept = np.where(kept >= 0, kept, np.nan)
    gain = steady * (1 - kept)
    return kept + gain, gain
