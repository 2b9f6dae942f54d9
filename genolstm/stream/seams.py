"""Where pieces meet: how far the burned-in state is from the true one, and what is read again because of it.

The check is free: the state in which one piece ends is the true state where the next begins. Where the two differ by
more than a tolerance, the next piece is read again from both states side by side until they agree; the wrong pass
is taken back (weight -1) and the right one counted (weight +1), so that sums stay true and nothing has to be held back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.cells.memory import State
from genolstm.model import NATS_PER_BIT, NextSymbolModel
from genolstm.settings.reading import StreamSettings
from genolstm.store.genome import Genome
from genolstm.strands import Rows, SequenceFetcher
from genolstm.stream.blocks import ActiveLanes, Block
from genolstm.stream.pieces import Piece

STARTS_HELD = 256  # warm-ups whose states are kept before they are turned into numbers, all at once


class Seam(NamedTuple):
    """One place where two pieces meet.

    address : place in the genome's codes of the first base of the later piece.   sign : +1 forward, -1 reverse.
    found_state, found_bits : largest difference between the burned-in and the true state (see
    `max_state_difference`), and between the bits that the two assign to any next symbol.
    repaired : symbols read again.
    left_state, left_bits : the same where reading again stopped; what the results still differ by.
    """

    address: int
    sign: int
    found_state: float
    found_bits: float
    repaired: int
    left_state: float
    left_bits: float


@dataclass(kw_only=True)
class Seams:
    """Every seam of a pass along a genome.

    table : one row a seam.   unchecked_starts : the same for stretches whose past was not read, between the whole
    warm-up and half of it; there is no true state to repair them from.
    trial : differences of states at the end of the trial beforehand.   in_sequence : because of them, every row was
    read in one lane.   burn_in : symbols read before a piece, as the trial found; 0 where nothing was tried.
    """

    table: list[Seam] = field(default_factory=list)
    unchecked_starts: list[Seam] = field(default_factory=list)
    trial: list[float] = field(default_factory=list)
    in_sequence: bool = False
    burn_in: int = 0

    @property
    def count(self) -> int:
        """How many seams were checked."""
        return len(self.table)

    @property
    def max_state(self) -> float:
        """Largest difference of states that is left."""
        return max((seam.left_state for seam in self.table), default=0.0)

    @property
    def max_bits(self) -> float:
        """Largest difference in bits that is left."""
        return max((seam.left_bits for seam in self.table), default=0.0)

    @property
    def repaired(self) -> int:
        """How many seams needed reading again."""
        return sum(seam.repaired > 0 for seam in self.table)

    @staticmethod
    def columns(seams: list[Seam], genome: Genome) -> dict[str, NDArray[Any]]:
        """Seams as columns: contig (index), position (0-based), strand, and the differences."""
        table = np.array(seams, dtype=np.float64).reshape(len(seams), len(Seam._fields))
        address = np.array([seam.address for seam in seams], dtype=np.int64)
        contig = np.searchsorted(genome.starts, address, side="right") - 1
        columns = dict(zip(Seam._fields[2:], table[:, 2:].T, strict=True))
        return {
            "contig": contig.astype(np.int32),
            "position": address - genome.starts[contig],
            "strand": table[:, 1].astype(np.int8),
            **columns,
            "repaired": columns["repaired"].astype(np.int64),
        }

    def to_json(self) -> dict[str, float]:
        """Summary in plain numbers; `found_*` before repair, `lead_*` for stretches whose past was not read."""
        return {
            "count": self.count,
            "max_bits": self.max_bits,
            "max_state": self.max_state,
            "repaired": self.repaired,
            "repaired_symbols": sum(seam.repaired for seam in self.table),
            "found_max_bits": max((seam.found_bits for seam in self.table), default=0.0),
            "found_max_state": max((seam.found_state for seam in self.table), default=0.0),
            "in_sequence": float(self.in_sequence),
            "burn_in": self.burn_in,
            "trial_max_state": max(self.trial, default=0.0),
            "leads": len(self.unchecked_starts),
            "lead_max_bits": max((seam.found_bits for seam in self.unchecked_starts), default=0.0),
            "lead_max_state": max((seam.found_state for seam in self.unchecked_starts), default=0.0),
        }


class _Joint:
    """A seam in progress: the piece that begins there, and the states of both sides, each [layers, 1, H].

    ours : the state from which the piece was read.   true : the state in which the piece before ended.
    found : both, before any repair.   left : (place, ours, true) where reading again stopped because the two agreed.
    """

    def __init__(self) -> None:
        self.piece: Piece | None = None
        self.ours: State | None = None
        self.true: State | None = None
        self.found: tuple[State, State] | None = None
        self.left: tuple[int, State, State] | None = None
        self.repaired = 0

    @property
    def states(self) -> tuple[State, State]:
        """Both states. Raises RuntimeError where a piece did not leave its own."""
        if self.ours is None or self.true is None:
            raise RuntimeError("a piece ended without leaving its state at a seam")
        return self.ours, self.true


def max_state_difference(left: State, right: State) -> Tensor:
    """Largest difference of any unit, of h as it is and of c as a fraction of 1 + |c|; [B].

    left, right : [layers, B, H].   c counts too: behind a closed or saturated gate h may not show what is remembered.
    """
    shown = (left.hidden - right.hidden).abs()
    held = (left.memory - right.memory).abs() / (1 + right.memory.abs())
    return torch.maximum(shown, held).amax(dim=(0, 2))


class SeamKeeper:
    """The states of both sides of every seam, and the repair of those that differ."""

    def __init__(self, model: NextSymbolModel, fetcher: SequenceFetcher, rows: Rows, settings: StreamSettings) -> None:
        self.model, self.fetcher, self.rows, self.settings = model, fetcher, rows, settings
        self.joints: dict[tuple[int, int], _Joint] = {}  # (row, place) -> seam
        self.unchecked_starts: dict[tuple[int, int], _Joint] = {}
        self.reported_starts: list[Seam] = []
        self.warmup = rows.warmup.tolist()

    def before_read(self, work: ActiveLanes) -> None:
        """Note the state of lanes that have reached their piece's start."""
        for lane, piece in enumerate(work.pieces):
            if piece.checked and work.place[lane] == piece.start:
                joint = self._joint(piece.row, piece.start)
                joint.piece, joint.ours = piece, work.lane_state(lane)

    def after_read(self, work: ActiveLanes) -> None:
        """Note the last state of pieces whose end is a seam."""
        for lane in np.flatnonzero(work.ended):
            piece = work.pieces[lane]
            if piece.followed:
                self._joint(piece.row, piece.end).true = work.lane_state(int(lane))
        if len(self.unchecked_starts) >= STARTS_HELD:
            self._report_starts()

    def repair(self) -> Iterator[Block]:
        """Read again, from the true states, what was read from states that differ from them.

        First the first such seam of every row. Where most of these came to agree the model forgets, and all other
        seams are repaired side by side. Else each row goes on piece by piece, from the true end of the one before.
        """
        for joint in self.joints.values():
            joint.found = joint.states
        side_by_side = False
        while waiting := self._waiting():
            firsts = list({row: (row, place) for row, place in reversed(waiting)}.values())
            chosen = waiting if side_by_side else firsts
            agreed: list[tuple[int, int]] = []
            yield from self._read_again(chosen, agreed)
            side_by_side = 2 * len(agreed) >= len(chosen)

    def report(self, seams: Seams) -> None:
        """Add every seam with its differences, in order of row and place."""
        keys = sorted(self.joints)
        joints = [self.joints[key] for key in keys]
        left = [joint.left or (place, *joint.states) for (_, place), joint in zip(keys, joints, strict=True)]
        found_now = self._differences(keys, [joint.found or joint.states for joint in joints])
        left_now = self._differences(
            [(row, place) for (row, _), (place, _, _) in zip(keys, left, strict=True)], [each[1:] for each in left]
        )
        for key, joint, found, rest in zip(keys, joints, found_now, left_now, strict=True):
            seams.table.append(self._seam(key, found, joint.repaired, rest))
        self._report_starts()
        seams.unchecked_starts += self.reported_starts

    def _joint(self, row: int, place: int) -> _Joint:
        return (self.unchecked_starts if place == self.warmup[row] else self.joints).setdefault((row, place), _Joint())

    def _waiting(self) -> list[tuple[int, int]]:
        """Seams whose sides differ by more than the tolerance, in order of row and place."""
        return [
            key
            for key, joint in sorted(self.joints.items())
            if float(max_state_difference(*joint.states)) > self.settings.tolerance
        ]

    def _read_again(self, keys: list[tuple[int, int]], agreed: list[tuple[int, int]]) -> Iterator[Block]:
        """Read the pieces at some seams from both states, lanes 2n and 2n + 1, until these agree or the piece ends.

        agreed : gets the seams whose states came to agree.
        """
        work = ActiveLanes(self.model, self.fetcher, self.rows, self.settings.chunk)
        queue, pairs = keys[::-1], list[tuple[int, int]]()
        while queue or pairs:
            while queue and len(work.pieces) + 2 <= max(self.settings.lanes, 2):
                key = queue.pop()
                pairs.append(key)
                self._take_pair(work, self.joints[key])
            yield work.read()
            wrong, right = (State(*(part[:, side::2] for part in work.state)) for side in (0, 1))
            agree = (max_state_difference(wrong, right) <= self.settings.tolerance).cpu().numpy()
            ended = work.ended[::2]
            for pair in np.flatnonzero(agree | ended).tolist():
                lane, joint, (row, _) = 2 * pair, self.joints[pairs[pair]], pairs[pair]
                piece, place = work.pieces[lane], int(work.place[lane])
                joint.repaired += min(place, piece.end) - piece.start
                if agree[pair]:
                    agreed.append(pairs[pair])
                    joint.left = (place, work.lane_state(lane), work.lane_state(lane + 1))
                else:
                    joint.left = None
                    if piece.followed:
                        self.joints[row, piece.end].true = work.lane_state(lane + 1)
            over = agree | ended
            pairs = [key for key, done in zip(pairs, over, strict=True) if not done]
            work.drop(np.repeat(over, 2))

    def _take_pair(self, work: ActiveLanes, joint: _Joint) -> None:
        ours, true = joint.states
        if joint.piece is None:
            raise RuntimeError("no piece begins at a seam")
        again = joint.piece._replace(first=joint.piece.start)
        work.take(again, state=ours, weight=-1)
        work.take(again, state=true, weight=1)
        joint.ours = true

    def _report_starts(self) -> None:
        """Turn warm-ups of which both states are known into numbers, and let the states go."""
        keys = [key for key, joint in sorted(self.unchecked_starts.items()) if joint.ours and joint.true]
        differences = self._differences(keys, [self.unchecked_starts[key].states for key in keys])
        for key, found in zip(keys, differences, strict=True):
            self.reported_starts.append(self._seam(key, found, 0, found))
            del self.unchecked_starts[key]

    def _seam(self, key: tuple[int, int], found: tuple[float, float], repaired: int, left: tuple[float, float]) -> Seam:
        row, place = key
        sign = int(self.rows.sign[row])
        return Seam(int(self.rows.origin[row]) + sign * place, sign, *found, repaired, *left)

    def _differences(
        self, places: list[tuple[int, int]], states: Sequence[tuple[State, State]]
    ) -> list[tuple[float, float]]:
        """Differences of two states at some places, and of the bits that each assigns to any next symbol."""
        found: list[tuple[float, float]] = []
        device = next(self.model.parameters()).device
        for start in range(0, len(places), STARTS_HELD):
            row, place = torch.tensor(places[start : start + STARTS_HELD]).T
            origin, sign, length = (column[row].to(device) for column in self.rows[:3])
            codes = self.fetcher.window(origin, sign, length, place.to(device) - 1, 1)
            left, right = (
                State(*(torch.cat(parts, dim=1) for parts in zip(*side, strict=True)))
                for side in zip(*states[start : start + STARTS_HELD], strict=True)
            )
            log_left, log_right = (self.model.forward(codes, side).logits.log_softmax(-1) for side in (left, right))
            bits = (log_left - log_right).abs().amax(dim=(1, 2)) / NATS_PER_BIT
            found += zip(max_state_difference(left, right).tolist(), bits.tolist(), strict=True)
        return found
