"""Active lanes: each runs along a piece, chunk by chunk, and every chunk of all lanes is one block."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.cells.memory import State
from genolstm.cells.replay import CellTrace, replay
from genolstm.model import NextSymbolModel
from genolstm.strands import Rows, SequenceFetcher
from genolstm.stream.pieces import Piece

LEAST_STEP = 16  # symbols of the shortest step; shorter ones would cost more to begin than to read


class Block(NamedTuple):
    """One chunk of all active lanes.

    row : int64 [B], which stretch and strand (see `strands.rows_of`).   first : int64 [B], place in the row of the
    first target.
    begin, end : int64 [B], the targets of this block that count, in the row; no burn-in, nothing past the piece's end.
    address : int64 [B], place in the genome's codes of the first target.   sign : int64 [B], +1 forward, -1 reverse:
    target t of lane b is the base at address[b] + sign[b] * t.
    weight : int64 [B], +1, or -1 for what an earlier block counted from a state that has since proved wrong: sums add
    weight times their terms; what is written to a place takes lanes of weight +1 alone, the last value of each place.
    targets : [B, T] codes, N outside the row.   scored : bool [B, T], whether a target counts.
    logits : [B, T, n_known] for the targets.
    inputs : what each layer read, [B, T, n_in].   layers : hidden of each layer [B, T, H]: at t, the state before
    target t.   before : the state before the first input, [layers, B, H].
    """

    row: NDArray[np.int64]
    first: NDArray[np.int64]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    address: NDArray[np.int64]
    sign: NDArray[np.int64]
    weight: NDArray[np.int64]
    targets: Tensor
    scored: Tensor
    logits: Tensor
    inputs: list[Tensor]
    layers: list[Tensor]
    before: State


@torch.inference_mode()
def traces_of(model: NextSymbolModel, block: Block, lanes: NDArray[np.int64] | None = None) -> list[CellTrace]:
    """Gates and memory of every layer, at t those of the step that reads the symbol before target t; [B, T, H].

    lanes : int64 [b], only these; B is then b.
    """
    chosen = slice(None) if lanes is None else torch.from_numpy(lanes).to(block.targets.device)
    return [
        replay(
            cell,  # type: ignore[arg-type]
            inputs[chosen],
            hidden[chosen],
            State(block.before.hidden[place][chosen], block.before.memory[place][chosen]),
        )
        for place, (cell, inputs, hidden) in enumerate(zip(model.cells, block.inputs, block.layers, strict=True))
    ]


class ActiveLanes:
    """The pieces in progress, one a lane: how far each has come, and its state.

    place : int64 [B], the next target of each piece.   weight : int64 [B].   state : [layers, B, H].
    """

    def __init__(self, model: NextSymbolModel, fetcher: SequenceFetcher, rows: Rows, chunk: int) -> None:
        self.model, self.fetcher, self.chunk = model, fetcher, chunk
        self.device = next(model.parameters()).device
        self.host_rows = Rows(*(column.cpu() for column in rows))
        self.rows = Rows(*(column.to(self.device) for column in rows))
        self.pieces: list[Piece] = []
        self.place = np.zeros(0, dtype=np.int64)
        self.weight = np.zeros(0, dtype=np.int64)
        self.state = model.initial_state(0)

    def take(self, piece: Piece, *, state: State | None = None, weight: int = 1) -> None:
        """Put a piece on a new lane. state : [layers, 1, H]; an empty one unless given."""
        self.pieces.append(piece)
        self.place = np.append(self.place, piece.first)
        self.weight = np.append(self.weight, weight)
        added = self.model.initial_state(1) if state is None else state
        self.state = State(*(torch.cat(parts, dim=1) for parts in zip(self.state, added, strict=True)))

    def drop(self, ended: NDArray[np.bool_]) -> None:
        """Take pieces off their lanes. ended : bool [B]."""
        keep = torch.from_numpy(np.flatnonzero(~ended)).to(self.device)
        self.state = State(self.state.hidden[:, keep], self.state.memory[:, keep])
        self.place, self.weight = self.place[~ended], self.weight[~ended]
        self.pieces = [piece for piece, over in zip(self.pieces, ended, strict=True) if not over]

    def lane_state(self, lane: int) -> State:
        """Copy the state of one lane, [layers, 1, H]."""
        return State(*(part[:, lane : lane + 1].clone() for part in self.state))

    @property
    def left(self) -> NDArray[np.int64]:
        """How many symbols of its piece each lane has still to read; int64 [B]."""
        ends = np.array([piece.end for piece in self.pieces], dtype=np.int64)
        symbols: NDArray[np.int64] = np.maximum(ends - self.place, 0)
        return symbols

    @property
    def ended(self) -> NDArray[np.bool_]:
        """Which lanes have read their piece; bool [B]."""
        over: NDArray[np.bool_] = self.left == 0
        return over

    def _step(self) -> int:
        """How many symbols every lane reads next: a chunk, or the power of two that holds every whole piece at work.

        Thousands of short contigs are then not each read to the end of a chunk, in which nothing of them stands.
        """
        longest = int(self.left.max(initial=0))
        if longest >= self.chunk or (self.place > [piece.first for piece in self.pieces]).any():
            return self.chunk
        return min(self.chunk, max(LEAST_STEP, 1 << (longest - 1).bit_length()))

    def read(self) -> Block:
        """One chunk of the forward pass in every lane, or less where that is all there is."""
        symbols = self._step()
        row, place, before = np.array([piece.row for piece in self.pieces]), self.place, self.state
        index, first = torch.from_numpy(row).to(self.device), torch.from_numpy(place).to(self.device)
        codes = self.fetcher.window(
            self.rows.origin[index], self.rows.sign[index], self.rows.length[index], first - 1, symbols + 1
        )
        output = self.model.forward(codes[:, :-1], before)
        begin = np.maximum(place, [piece.start for piece in self.pieces])
        end = np.maximum(begin, np.minimum(place + symbols, [piece.end for piece in self.pieces]))
        counted = torch.from_numpy(np.stack([begin - place, end - place])).to(self.device).unsqueeze(2)  # [2, B, 1]
        step = torch.arange(symbols, device=self.device)
        self.place, self.state = place + symbols, output.state
        sign = self.host_rows.sign.numpy()[row]
        return Block(
            row=row,
            first=place,
            begin=begin,
            end=end,
            address=self.host_rows.origin.numpy()[row] + sign * place,
            sign=sign,
            weight=self.weight,
            targets=codes[:, 1:],
            scored=(step >= counted[0]) & (step < counted[1]),
            logits=output.logits,
            inputs=output.inputs,
            layers=output.layers,
            before=before,
        )
