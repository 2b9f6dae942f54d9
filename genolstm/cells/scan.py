"""The recurrence in ln T passes over all steps at once, for gates that do not depend on the state before them."""

import torch
from torch import Tensor

from genolstm.cells.memory import Gates


def scan(gates: Gates, before: Tensor) -> Tensor:
    """The memory after every step of ``c = f*c + i*g``; that of `MemoryCell` stepped, up to rounding.

    gates : each [B, T, H], computed without the hidden state: a cell whose U is 0.   before : [B, H].
    Returns [B, T, H]. Two steps (f1, w1), (f2, w2) one after the other are one step (f2 f1, f2 w1 + w2), so that
    doubling the reach of every step log2 T times covers all (Hillis & Steele 1986).
    """
    kept, written = gates.forget, gates.write * gates.candidate
    reach = 1
    while reach < kept.shape[1]:
        written = torch.cat([written[:, :reach], written[:, reach:] + kept[:, reach:] * written[:, :-reach]], dim=1)
        kept = torch.cat([kept[:, :reach], kept[:, reach:] * kept[:, :-reach]], dim=1)
        reach *= 2
    return kept * before.unsqueeze(1) + written
