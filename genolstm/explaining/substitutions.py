"""What a change of one base does to the predictions of the bases after it (Tomaz da Silva et al. 2025).

On each strand, in reading direction: D[i, j] = max over the three changes of base i and the four bases b at j of
|log2 odds(b at j | base i changed) - log2 odds(b at j | as it is)|, j = i + 1 .. i + window; odds = p / (1 - p).

The genome is read once. All changes of a chunk are read on side by side from the state before it, beside the genome as
it is, so that what is compared comes from one batch. A reading whose state has come to that of the genome as it is,
within a tolerance, ends: what is left of its differences counts as 0.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.cells.memory import State
from genolstm.model import NATS_PER_BIT
from genolstm.regions import Stretches
from genolstm.settings.explaining import DependencySettings
from genolstm.stream.blocks import Block
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import read_stretches
from genolstm.stream.seams import Seams, max_state_difference

CHANGES = 3  # of a base
STEPS = 32  # symbols between looks at which readings have ended
Whole = NDArray[np.int64]


class Sink(Protocol):
    """Where dependencies go. strand : 0 forward, 1 reverse.   address : int64 [n], place of each changed base.

    values : float32 [n, window], D at distance 1, 2, ... in reading direction; NaN past the contig's end.
    """

    def write(self, strand: int, address: Whole, values: NDArray[np.float32]) -> None: ...  # noqa: D102


@dataclass
class Readings:
    """How many changes were read, how many of these ended early, and how many symbols that saved."""

    read: int = 0
    ended_early: int = 0
    symbols: int = 0
    symbols_saved: int = 0


class _Group(NamedTuple):
    """The bases of one lane of a block that are to be changed.

    state : before the first input, [layers, 1, H].   address, sign : of the first target.   blank : the first input
    stands before the row and is N.   low, high : addresses of the contig, half open.   offsets : int64 [n], of the
    changed targets.
    """

    state: State
    address: int
    sign: int
    blank: bool
    low: int
    high: int
    offsets: Whole


@torch.inference_mode()
def dependencies_along(
    reader: GenomeReader,
    stretches: Stretches,
    settings: DependencySettings,
    sink: Sink,
    *,
    chosen: NDArray[np.bool_] | None = None,
    seams: Seams | None = None,
) -> Readings:
    """Change the bases of some stretches and hand on what depends on each.

    chosen : bool [2, bases], which bases are changed on each strand, by their place among all bases end to end; None
    changes all. Unknown bases are never changed.   seams : filled in.
    """
    changer = _Changer(reader, settings, sink)
    spans = stretches.end - stretches.start
    shift = np.cumsum(spans) - spans - (reader.genome.starts[stretches.contig] + stretches.start)
    for block in read_stretches(reader, stretches, seams=seams, warmup=True):
        for lane in np.flatnonzero((block.end > block.begin) & (block.weight > 0)).tolist():
            row = int(block.row[lane]) % len(spans)
            changer.take(block, lane, int(stretches.contig[row]), int(shift[row]), chosen)
        if changer.lanes >= settings.batch:
            changer.run()
    changer.run()
    return changer.readings


class _Changer:
    def __init__(self, reader: GenomeReader, settings: DependencySettings, sink: Sink) -> None:
        self.reader, self.settings, self.sink = reader, settings, sink
        self.groups: list[_Group] = []
        self.lanes = 0
        self.readings = Readings()

    def take(self, block: Block, lane: int, contig: int, shift: int, chosen: NDArray[np.bool_] | None) -> None:
        """Note the bases of a lane that are to be changed. shift : from addresses to places among all bases."""
        genome = self.reader.genome
        sign, address = int(block.sign[lane]), int(block.address[lane])
        offsets = np.arange(int(block.begin[lane] - block.first[lane]), int(block.end[lane] - block.first[lane]))
        places = address + sign * offsets
        wanted = genome.all_codes[places] < genome.alphabet.n_known
        if chosen is not None:
            wanted &= chosen[int(sign < 0), places + shift]
        if not wanted.any():
            return
        low = int(genome.starts[contig])
        self.groups.append(
            _Group(
                State(*(part[:, lane : lane + 1].clone() for part in block.before)), address, sign,
                bool(block.first[lane] == 0), low, low + int(genome.lengths[contig]), offsets[wanted],
            )
        )  # fmt: skip
        self.lanes += CHANGES * int(wanted.sum())

    def run(self) -> None:
        """Read all changes that wait, and hand on what they did."""
        if not self.groups:
            return
        groups, self.groups, self.lanes = self.groups, [], 0
        group = np.repeat(np.arange(len(groups)), [len(each.offsets) for each in groups])
        offset = np.concatenate([each.offsets for each in groups])
        origin, sign, low, high = (
            np.array([getattr(each, name) for each in groups])[group] for name in ("address", "sign", "low", "high")
        )
        largest = self._largest(groups, group, offset)
        window = np.arange(1, self.settings.window + 1)
        values = largest[np.arange(len(group))[:, None], offset[:, None] + window]
        place = origin + sign * offset
        reached = place[:, None] + sign[:, None] * window
        values[(reached < low[:, None]) | (reached >= high[:, None])] = np.nan
        for strand, of in enumerate((1, -1)):
            mine = sign == of
            if mine.any():
                self.sink.write(strand, place[mine], values[mine])

    def _largest(self, groups: list[_Group], group: Whole, offset: Whole) -> NDArray[np.float32]:
        """Largest change of log2 odds at every target of each changed base's group, float32 [n, targets]."""
        settings, model, device = self.settings, self.reader.model, self.reader.device
        n, n_groups, symbols = len(group), len(groups), settings.chunk + settings.window
        plain = self._codes(groups, symbols)
        n_known = self.reader.genome.alphabet.n_known
        changed = np.repeat(plain[group], CHANGES, axis=0)
        base, added = np.repeat(np.arange(n), CHANGES), np.tile(np.arange(1, CHANGES + 1), n)
        row, step = np.arange(len(base)), offset[base] + 1
        changed[row, step] = (changed[row, step] + added) % n_known
        codes = torch.from_numpy(np.concatenate([plain, changed])).to(device)
        of_group, of_base, kind = (torch.from_numpy(each).to(device) for each in (group[base], base, added))
        first = State(*(torch.cat(parts, dim=1) for parts in zip(*(each.state for each in groups), strict=True)))
        everything = torch.cat([torch.arange(n_groups, device=device), of_group])
        state = State(*(part[:, everything] for part in first))
        largest = torch.zeros(n, symbols, device=device)
        self.readings.read += len(base)
        for start in range(0, symbols, STEPS):
            output = model.forward(codes[:, start : start + STEPS], state)
            state = output.state
            odds = log2_odds(output.logits)
            change = (odds[n_groups:] - odds[of_group]).abs_().amax(-1)
            for each in range(1, CHANGES + 1):  # of one kind of change each base has one reading
                mine = kind == each
                at = of_base[mine], slice(start, start + STEPS)
                largest[at] = torch.maximum(largest[at], change[mine])
            self.readings.symbols += change.numel()
            left = symbols - start - change.shape[1]
            if settings.tolerance and left and start + change.shape[1] > settings.chunk:
                keep = ~self._merged(state, of_group, n_groups)
                if not bool(keep.all()):
                    ended = len(keep) - int(keep.sum())
                    self.readings.ended_early += ended
                    self.readings.symbols_saved += ended * left
                    of_group, of_base, kind = of_group[keep], of_base[keep], kind[keep]
                    if not len(of_group):
                        break
                    kept = torch.cat([torch.ones(n_groups, dtype=torch.bool, device=device), keep])
                    codes, state = codes[kept], State(*(part[:, kept] for part in state))
        return largest.cpu().numpy()

    def _merged(self, state: State, of_group: Tensor, n_groups: int) -> Tensor:
        """Which readings are as near as the tolerance to the genome as it is; bool [n]."""
        readings = State(*(part[:, n_groups:] for part in state))
        plain = State(*(part[:, of_group] for part in state))
        return max_state_difference(readings, plain) <= self.settings.tolerance

    def _codes(self, groups: list[_Group], symbols: int) -> NDArray[np.uint8]:
        """Inputs of each group, the base before its first target first; uint8 [groups, symbols]."""
        genome = self.reader.genome
        address, sign, low, high = (
            np.array([getattr(each, name) for each in groups])[:, None] for name in ("address", "sign", "low", "high")
        )
        place = address + sign * (np.arange(symbols) - 1)
        codes = genome.all_codes[np.clip(place, low, high - 1)]
        if genome.alphabet.complement is not None:
            codes = np.where(sign < 0, genome.alphabet.complement[codes], codes)
        codes = np.where((place >= low) & (place < high), codes, genome.alphabet.unknown).astype(np.uint8)
        codes[[each.blank for each in groups], 0] = genome.alphabet.unknown
        return codes


def log2_odds(logits: Tensor) -> Tensor:
    """log2 p / (1 - p) of every symbol, of the shape of the logits."""
    log = logits.float().log_softmax(-1)
    return (log - torch.log(-torch.expm1(log))) / NATS_PER_BIT
