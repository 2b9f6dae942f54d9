"""Maxima of states over short windows, unit by unit, where the windows are few beside the steps."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.readers.compiled import compiled

Ints = NDArray[np.int64]

STATES_AT_ONCE = 1 << 22  # numbers gathered at a time where the loop below cannot run


def window_maxima(states: Tensor, lane: Ints, first: Ints, width: int) -> Tensor:
    """Largest value of each unit in each window, [n, H], on the device of the states.

    states : [B, T, H].   lane, first : [n], of a window, and its first step.   width : steps.
    """
    if states.device.type != "cpu" or states.dtype != torch.float32:
        return gathered_maxima(states, lane, first, width)
    found = np.empty((len(lane), states.shape[2]), dtype=np.float32)
    _fill(states.contiguous().numpy(), lane, first, width, found)
    return torch.from_numpy(found)


def gathered_maxima(states: Tensor, lane: Ints, first: Ints, width: int) -> Tensor:
    """The same by copies of all windows: on a GPU, and what the loop is tested against."""
    at_once = max(1, STATES_AT_ONCE // max(1, width * states.shape[2]))
    found = [states.new_empty(0, states.shape[2])]
    for low in range(0, len(lane), at_once):
        rows = torch.from_numpy(lane[low : low + at_once]).to(states.device)
        steps = torch.from_numpy(first[low : low + at_once, None] + np.arange(width)).to(states.device)
        found.append(states[rows[:, None], steps].amax(dim=1))
    return torch.cat(found)


@compiled
def _fill(states: NDArray[np.float32], lane: Ints, first: Ints, width: int, found: NDArray[np.float32]) -> None:
    units = states.shape[2]
    for row in range(len(lane)):
        window, largest = states[lane[row], first[row] : first[row] + width], found[row]
        for unit in range(units):
            largest[unit] = window[0, unit]
        for step in range(1, width):
            for unit in range(units):
                value = window[step, unit]
                largest[unit] = value if value > largest[unit] else largest[unit]
