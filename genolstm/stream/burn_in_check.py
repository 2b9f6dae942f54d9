"""How soon a model forgets what it began with: measured at a few places before a genome is cut into pieces."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.cells.memory import State
from genolstm.model import NextSymbolModel
from genolstm.regions import Stretches
from genolstm.settings.reading import StreamSettings
from genolstm.store.genome import Genome
from genolstm.strands import SequenceFetcher
from genolstm.stream.seams import max_state_difference

MOST_PLACES = 8
SYMBOLS_A_PLACE = 50  # burn-ins of genome for each place that is tried, so that the trial costs little
FORGETTING_FRACTION = 0.75  # of the places where the two states must agree
HEAD_START = 2_048  # symbols that one of the two passes has read before the other begins, at most a burn-in


class Trial(NamedTuple):
    """What was measured at some places, see `try_burn_in`.

    burn_in : symbols to read before a piece: as many as it took until the two states agreed at every place, and a chunk
    more; all that the settings allow where they did not, or nothing was tried.
    differences : of the two states when the trial ended, one a place.
    """

    burn_in: int
    differences: list[float]


@torch.inference_mode()
def try_burn_in(
    model: NextSymbolModel, genome: Genome, fetcher: SequenceFetcher, stretches: Stretches, settings: StreamSettings
) -> Trial:
    """Read on from a state with a past and from an empty one until the two agree, at places spread over some contigs.

    Nothing is tried where no contig of the stretches is long enough, or nothing is read before a piece.
    """
    most, head_start = settings.burn_in, min(settings.burn_in, HEAD_START)
    contigs = np.unique(stretches.contig)
    spare = np.maximum(genome.lengths[contigs] - most - head_start, 0)
    if not most or not spare.any():
        return Trial(most, [])
    wanted = int(np.clip(2 * stretches.bases // (SYMBOLS_A_PLACE * most), 1, MOST_PLACES))
    which, first = _middles(spare, wanted)
    device = fetcher.codes.device
    origin = torch.from_numpy(genome.starts[contigs[which]]).to(device)
    length = torch.from_numpy(genome.lengths[contigs[which]]).to(device)
    at = torch.from_numpy(first).to(device)  # where the pass with a past begins, within the contig

    def read(place: int, symbols: int, state: State, passes: int) -> State:
        codes = fetcher.window(origin, torch.ones_like(origin), length, at + place, symbols)
        return model.forward(codes.repeat(passes, 1), state).state

    past, done = model.initial_state(wanted), 0
    for done in range(0, head_start, settings.chunk):
        past = read(done, min(settings.chunk, head_start - done), past, 1)
    both = State(*(torch.cat(parts, dim=1) for parts in zip(past, model.initial_state(wanted), strict=True)))
    done, differences = 0, _differences(both)
    while done < most and bool((differences > settings.tolerance).any()):
        symbols = min(settings.chunk, most - done)
        both = read(head_start + done, symbols, both, 2)
        done, differences = done + symbols, _differences(both)
    agree = bool((differences <= settings.tolerance).all())
    burn_in = min(most, done + settings.chunk) if agree else most
    return Trial(max(burn_in, min(settings.least_burn_in, most)), differences.tolist())


def forgets(differences: list[float], settings: StreamSettings) -> bool:
    """Whether the compared states agree nearly everywhere; True where nothing was compared."""
    agreeing = sum(each <= settings.tolerance for each in differences)
    return agreeing >= FORGETTING_FRACTION * len(differences)


def _middles(spare: NDArray[np.int64], wanted: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Middles of equal parts of all contigs together: which contig, and where within it; int64 [wanted] each."""
    ends = np.cumsum(spare)
    places = (np.arange(wanted) * 2 + 1) * int(ends[-1]) // (2 * wanted)
    which = np.searchsorted(ends, places, side="right")
    return which, places - (ends - spare)[which]


def _differences(both: State) -> Tensor:
    """Differences of the states of the first half of the lanes and of the second, [B / 2]."""
    past, empty = (State(*halves) for halves in zip(*(part.chunk(2, dim=1) for part in both), strict=True))
    return max_state_difference(empty, past)
