"""A trained model along whole stretches, both strands, in memory that does not grow with their length.

Every stretch and strand is cut into pieces that are read side by side. A piece that does not begin its stretch is
given a burn-in: the symbols before it are read first, so that its state has forgotten that it started from nothing.
The check is free: the state in which one piece ends is the true state where the next begins.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.cells.memory import State
from genolstm.cells.replay import replay
from genolstm.model import NATS_PER_BIT, NextSymbolModel, Reading
from genolstm.regions import Stretches
from genolstm.settings import StreamSettings
from genolstm.store.genome import Genome
from genolstm.strands import Gatherer, Rows, rows_of

PIECES_A_LANE = 4
BURN_INS_A_PIECE = 8


class Block(NamedTuple):
    """One step of all lanes that are at work.

    row : int64 [B], which stretch and strand (see `strands.rows_of`).   first : int64 [B], place in the row of the
    first target.
    begin, end : int64 [B], the targets of this block that count, in the row; no burn-in, nothing past the piece's end.
    targets : [B, T] codes, N outside the row.   scored : bool [B, T], the same as a mask.
    logits : [B, T, n_known] for the targets.   layers : hidden of each layer [B, T, H]: at t, the state before
    target t.
    memories : c of each layer [B, T, H], or empty when not asked for.
    """

    row: NDArray[np.int64]
    first: NDArray[np.int64]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    targets: Tensor
    scored: Tensor
    logits: Tensor
    layers: list[Tensor]
    memories: list[Tensor]


@dataclass(kw_only=True)
class Seams:
    """How well the pieces agree where they meet.

    count : seams checked.   max_state : largest difference of any hidden unit between the burned-in and the true state.
    """

    count: int = 0
    max_state: float = 0.0


class _Piece(NamedTuple):
    row: int
    first: int  # first target to be read, burn-in included
    start: int  # first target that counts
    end: int
    followed: bool  # another piece of the row begins where this one ends


def pieces_of(length: NDArray[np.int64], settings: StreamSettings) -> list[_Piece]:
    """Cut rows into pieces of whole chunks: several a lane, so that lanes end together, but long beside their burn-in.

    length : int64 [R], symbols of each row.
    """
    share = max(int(length.sum()) // (PIECES_A_LANE * settings.lanes), BURN_INS_A_PIECE * settings.burn_in)
    size = -(-max(share, 1) // settings.chunk) * settings.chunk
    burn_in = -(-settings.burn_in // settings.chunk) * settings.chunk
    return [
        _Piece(
            row=row,
            first=max(0, start - burn_in),
            start=start,
            end=min(start + size, total),
            followed=start + size < total,
        )
        for row, total in enumerate(length.tolist())
        for start in range(0, total, size)
    ]


@torch.inference_mode()
def read_stretches(
    model: NextSymbolModel,
    genome: Genome,
    stretches: Stretches,
    settings: StreamSettings,
    *,
    seams: Seams | None = None,
    memories: bool = False,
) -> Iterator[Block]:
    """Read stretches and their reverse complements, a block of lanes x chunk at a time.

    seams : filled in as pieces meet.   memories : also rebuild c of every layer (slower).
    """
    rows = rows_of(genome, stretches)
    work = _Work(model, Gatherer(genome, next(model.parameters()).device), rows, settings)
    queue = pieces_of(rows.length.numpy(), settings)[::-1]
    checker = _SeamChecker(seams if seams is not None else Seams())
    while queue or work.pieces:
        while queue and len(work.pieces) < settings.lanes:
            work.take(queue.pop())
        checker.look(work.pieces, work.place, work.state)
        yield work.read(memories=memories)
        ended = work.place >= [piece.end for piece in work.pieces]
        if ended.any():
            checker.finish(work.pieces, work.state, ended)
            work.drop(ended)


class _Work:
    """The pieces at work, one a lane: how far each has come, and its state.

    place : int64 [B], the next target of each piece.   state : [layers, B, H].
    """

    def __init__(self, model: NextSymbolModel, gatherer: Gatherer, rows: Rows, settings: StreamSettings) -> None:
        self.model, self.gatherer, self.chunk = model, gatherer, settings.chunk
        self.device = next(model.parameters()).device
        self.rows = Rows(*(column.to(self.device) for column in rows))
        self.pieces: list[_Piece] = []
        self.place = np.zeros(0, dtype=np.int64)
        self.state = model.start(0)

    def take(self, piece: _Piece) -> None:
        """Put a piece on a new lane, with an empty state."""
        self.pieces.append(piece)
        self.place = np.append(self.place, piece.first)
        self.state = State(*(torch.cat([part, self.model.start(1).hidden], dim=1) for part in self.state))

    def drop(self, ended: NDArray[np.bool_]) -> None:
        """Take pieces off their lanes. ended : bool [B]."""
        keep = torch.from_numpy(np.flatnonzero(~ended)).to(self.device)
        self.state = State(self.state.hidden[:, keep], self.state.memory[:, keep])
        self.place = self.place[~ended]
        self.pieces = [piece for piece, over in zip(self.pieces, ended, strict=True) if not over]

    def read(self, *, memories: bool) -> Block:
        """Read one chunk in every lane."""
        row, place, before = np.array([piece.row for piece in self.pieces]), self.place, self.state
        index, first = torch.from_numpy(row).to(self.device), torch.from_numpy(place).to(self.device)
        origin, sign, length = (column[index] for column in self.rows)
        codes = self.gatherer.window(origin, sign, length, first - 1, self.chunk + 1)
        reading = self.model.read(codes[:, :-1], before)
        begin = np.maximum(place, [piece.start for piece in self.pieces])
        end = np.maximum(begin, np.minimum(place + self.chunk, [piece.end for piece in self.pieces]))
        counted = torch.from_numpy(np.stack([begin - place, end - place])).to(self.device).unsqueeze(2)  # [2, B, 1]
        step = torch.arange(self.chunk, device=self.device)
        self.place, self.state = place + self.chunk, reading.state
        return Block(
            row=row,
            first=place,
            begin=begin,
            end=end,
            targets=codes[:, 1:],
            scored=(step >= counted[0]) & (step < counted[1]),
            logits=reading.logits,
            layers=reading.layers,
            memories=_memories(self.model, reading, before) if memories else [],
        )


def _memories(model: NextSymbolModel, reading: Reading, state: State) -> list[Tensor]:
    return [
        replay(cell, inputs, hidden, State(state.hidden[place], state.memory[place])).memory  # type: ignore[arg-type]
        for place, (cell, inputs, hidden) in enumerate(zip(model.cells, reading.inputs, reading.layers, strict=True))
    ]


class _SeamChecker:
    """Compares the state that a burn-in built with the state in which the piece before ended, whichever comes first."""

    def __init__(self, seams: Seams) -> None:
        self.seams = seams
        self.waiting: dict[tuple[int, int], Tensor] = {}  # (row, place) -> hidden [layers, H]

    def look(self, lanes: list[_Piece], place: NDArray[np.int64], state: State) -> None:
        """Note the state of lanes whose burn-in is over."""
        for lane, piece in enumerate(lanes):
            if piece.start and place[lane] == piece.start:
                self._meet((piece.row, piece.start), state.hidden[:, lane])

    def finish(self, lanes: list[_Piece], state: State, ended: NDArray[np.bool_]) -> None:
        """Note the last state of pieces that are followed by another."""
        for lane in np.flatnonzero(ended & np.array([piece.followed for piece in lanes])):
            self._meet((lanes[lane].row, lanes[lane].end), state.hidden[:, lane])

    def _meet(self, key: tuple[int, int], hidden: Tensor) -> None:
        if key not in self.waiting:
            self.waiting[key] = hidden.clone()
            return
        self.seams.count += 1
        self.seams.max_state = max(self.seams.max_state, float((self.waiting.pop(key) - hidden).abs().max()))


@torch.inference_mode()
def mean_bits(
    model: NextSymbolModel,
    genome: Genome,
    stretches: Stretches,
    settings: StreamSettings,
    *,
    symbols: int | None = None,
) -> tuple[float, int]:
    """Mean bits per known symbol over stretches and both strands, and how many symbols that is.

    symbols : stop after about this many, once one was known; None reads all.
    Raises ValueError when there is no known symbol.
    """
    nats = torch.zeros((), dtype=torch.float64, device=next(model.parameters()).device)
    known = torch.zeros((), dtype=torch.int64, device=nats.device)
    read = 0
    for block in read_stretches(model, genome, stretches, settings):
        counted = block.scored & (block.targets != model.alphabet.unknown)
        nats += (model.nats(block.logits, block.targets) * counted).sum(dtype=torch.float64)
        known += counted.sum()
        read += block.targets.numel()
        if symbols is not None and read >= symbols and int(known):
            break
    if not int(known):
        raise ValueError("no known symbol to score")
    return float(nats) / int(known) / NATS_PER_BIT, int(known)
