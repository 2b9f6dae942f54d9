"""How fast a model forgets its past as a whole: the largest Lyapunov exponent along a genome.

Two passes over the same bases from states a small distance apart; where the network forgets they come together. After
every few bases the distance is measured, and scaled back to what it was: the mean of the logarithms is the exponent
(Benettin et al. 1980, Meccanica 15:9-20, with one tangent vector; for recurrent networks Vogt et al. 2022, Front. Appl.
Math. Stat. 8:818799). Half-lives are of single units and gates; this is of the whole state, with the loops between
units.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.cells.memory import State
from genolstm.model import NextSymbolModel
from genolstm.regions import Stretches
from genolstm.store.genome import Genome
from genolstm.strands import SequenceFetcher

MOST_PLACES = 8
SYMBOLS_A_PLACE = 100  # bases of genome for each base that is read here, so that this costs little
HEAD_START = 2_048  # bases, in which the state and the direction in which it forgets slowest are built
MEASURED, FEWEST = 8_192, 256  # bases of a place, at most and at least
INTERVAL = 8  # bases between two measurements
DISTANCE = 1e-3  # root mean square of all units: far above float32 rounding, and small enough to be a tangent


@dataclass(frozen=True, kw_only=True)
class Lyapunov:
    """Exponents at some places, forward strand. contig (index, int32), position : where measuring began, int64 [n].

    exponent : 1/bp, float64 [n]; negative where the model forgets.   bases : of genome that each place measured.
    """

    contig: NDArray[np.int32]
    position: NDArray[np.int64]
    exponent: NDArray[np.float64]
    bases: int

    @property
    def mean(self) -> float:
        """Mean of the places, 1/bp."""
        return float(self.exponent.mean())

    @property
    def memory(self) -> float:
        """Bases in which a difference of states shrinks e-fold; inf where it does not shrink."""
        return -1 / self.mean if self.mean < 0 else math.inf


@torch.inference_mode()
def lyapunov_exponents(
    model: NextSymbolModel, genome: Genome, stretches: Stretches, rng: np.random.Generator
) -> Lyapunov | None:
    """Measure at places spread over the contigs of some stretches; None where all contigs are too short.

    rng : draws the direction of the first distance.
    """
    contigs = np.unique(stretches.contig)
    lengths = genome.lengths[contigs]
    bases = min(MEASURED, (int(lengths.max(initial=0)) - HEAD_START) // INTERVAL * INTERVAL)
    if bases < FEWEST:
        return None
    spare = np.maximum(lengths - HEAD_START - bases + 1, 0)
    wanted = int(np.clip(2 * stretches.bases // (SYMBOLS_A_PLACE * bases), 1, MOST_PLACES))
    ends = np.cumsum(spare)
    places = (np.arange(wanted) * 2 + 1) * int(ends[-1]) // (2 * wanted)  # the middles of equal parts
    which = np.searchsorted(ends, places, side="right")
    first = places - (ends - spare)[which]
    fetcher = SequenceFetcher(genome, next(model.parameters()).device, contigs)
    origin, length, at = (
        torch.from_numpy(each).to(fetcher.codes.device)
        for each in (genome.starts[contigs[which]], lengths[which], first)
    )
    state = model.initial_state(wanted)
    drawn = rng.standard_normal((2, *state.hidden.shape)).astype(np.float32)
    pushed = _apart(state, State(*torch.from_numpy(drawn).to(fetcher.codes.device)))
    logs = np.zeros(wanted)
    for done in range(0, HEAD_START + bases, INTERVAL):
        codes = fetcher.window(origin, torch.ones_like(origin), length, at + done, INTERVAL)
        together = State(*(torch.cat(parts, dim=1) for parts in zip(state, pushed, strict=True)))
        halves = [part.chunk(2, dim=1) for part in model.forward(codes.repeat(2, 1), together).state]
        state, pushed = State(halves[0][0], halves[1][0]), State(halves[0][1], halves[1][1])
        difference = State(*(b - a for a, b in zip(state, pushed, strict=True)))
        if done >= HEAD_START:
            logs += np.log(np.maximum(_size(difference).cpu().numpy().ravel() / DISTANCE, np.finfo(np.float32).tiny))
        pushed = _apart(state, difference)
    return Lyapunov(
        contig=contigs[which].astype(np.int32), position=first + HEAD_START, exponent=logs / bases, bases=bases
    )


def _size(difference: State) -> torch.Tensor:
    """Root mean square over layers, units, h and c; [1, B, 1]."""
    return torch.stack([part.square().mean(dim=(0, 2), keepdim=True) for part in difference]).mean(dim=0).sqrt()


def _apart(state: State, direction: State) -> State:
    """A state at DISTANCE from another, in some direction."""
    scale = DISTANCE / _size(direction).clamp_min(torch.finfo(torch.float32).tiny)
    return State(*(part + way * scale for part, way in zip(state, direction, strict=True)))
