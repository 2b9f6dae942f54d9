"""Whether a model forgets within a burn-in: checked at a few places before a genome is cut into pieces."""

import numpy as np
import torch

from genolstm.cells.memory import State
from genolstm.model import NextSymbolModel
from genolstm.regions import Stretches
from genolstm.settings.reading import StreamSettings
from genolstm.store.genome import Genome
from genolstm.strands import SequenceFetcher
from genolstm.stream.seams import max_state_difference

MOST_PLACES = 8
SYMBOLS_A_PLACE = 50  # burn-ins of genome for each place that is checked, so that the check costs little
FORGETTING_FRACTION = 0.75  # of the places where the two states must agree


@torch.inference_mode()
def burn_in_differences(
    model: NextSymbolModel, genome: Genome, fetcher: SequenceFetcher, stretches: Stretches, settings: StreamSettings
) -> list[float]:
    """How far the state after one burn-in is from that after two, at places spread over the contigs of some stretches.

    Empty where no contig is as long as two burn-ins, or nothing is read before a piece.
    """
    burn_in = settings.burn_in
    contigs = np.unique(stretches.contig)
    spare = np.maximum(genome.lengths[contigs] - 2 * burn_in, 0)
    if not burn_in or not spare.any():
        return []
    wanted = int(np.clip(2 * stretches.bases // (SYMBOLS_A_PLACE * burn_in), 1, MOST_PLACES))
    ends = np.cumsum(spare)
    places = (np.arange(wanted) * 2 + 1) * int(ends[-1]) // (2 * wanted)  # the middles of equal parts
    which = np.searchsorted(ends, places, side="right")
    first = places - (ends - spare)[which]  # where the longer of the two passes begins, within the contig
    device = fetcher.codes.device
    origin = torch.from_numpy(genome.starts[contigs[which]]).to(device)
    length = torch.from_numpy(genome.lengths[contigs[which]]).to(device)
    sign = torch.ones_like(origin)
    state, at = model.initial_state(wanted), torch.from_numpy(first).to(device)
    for lanes in (wanted, 2 * wanted):  # the longer passes alone, then the shorter ones beside them
        if lanes > wanted:
            empty = model.initial_state(wanted)
            state = State(*(torch.cat(parts, dim=1) for parts in zip(state, empty, strict=True)))
        for done in range(0, burn_in, settings.chunk):
            codes = fetcher.window(origin, sign, length, at + done, min(settings.chunk, burn_in - done))
            state = model.forward(codes.repeat(lanes // wanted, 1), state).state
        at = at + burn_in
    longer, shorter = (State(*(part[:, half] for part in state)) for half in (slice(wanted), slice(wanted, None)))
    return [float(each) for each in max_state_difference(shorter, longer)]


def forgets(differences: list[float], settings: StreamSettings) -> bool:
    """Whether the compared states agree nearly everywhere; True where nothing was compared."""
    agreeing = sum(each <= settings.tolerance for each in differences)
    return agreeing >= FORGETTING_FRACTION * len(differences)
