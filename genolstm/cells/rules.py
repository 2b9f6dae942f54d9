"""The family table: every cell is ``c = f*c + i*g ; h = read(c)``, and a cell is a row."""

from dataclasses import dataclass
from enum import StrEnum

from genolstm.settings.model import CellName


class Forget(StrEnum):
    """Where the forget factor f comes from."""

    ZERO = "0"
    GATE = "sigmoid(Wx + Uh)"
    DECAY = "exp(-1/tau)"  # one learned time constant tau per unit, in steps (Ebbinghaus 1885; leaky integrator)


class Write(StrEnum):
    """Where the write factor i comes from."""

    ONE = "1"
    GATE = "sigmoid(Wx + Uh)"
    TIED = "1 - f"


class Candidate(StrEnum):
    """What is written."""

    TANH = "tanh(Wx + Uh)"
    SIGMOID = "sigmoid(Wx + Uh)"
    INPUT = "x"  # the first n_units inputs themselves


class Read(StrEnum):
    """What the cell shows of its memory."""

    STATE = "c"
    GATED = "o * tanh(c)"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """One row of the family.

    reset : True where a reset gate r scales the recurrent part of the candidate, tanh(Wx + r*(Uh + b)), as in
    torch's GRU.
    """

    forget: Forget
    write: Write
    candidate: Candidate
    read: Read
    reset: bool = False

    @property
    def projections(self) -> tuple[str, ...]:
        """Names of the rows of W and U, each n_units high, in the order in which torch.nn keeps them.

        lstm: write, forget, candidate, read.   gru: reset, forget, candidate.   rnn: candidate.
        """
        return (
            *(("reset",) if self.reset else ()),
            *(("write",) if self.write is Write.GATE else ()),
            *(("forget",) if self.forget is Forget.GATE else ()),
            *(("candidate",) if self.candidate is not Candidate.INPUT else ()),
            *(("read",) if self.read is Read.GATED else ()),
        )


FAMILY: dict[CellName, Rules] = {
    CellName.RNN: Rules(forget=Forget.ZERO, write=Write.ONE, candidate=Candidate.TANH, read=Read.STATE),
    CellName.LSTM: Rules(forget=Forget.GATE, write=Write.GATE, candidate=Candidate.TANH, read=Read.GATED),
    CellName.GRU: Rules(forget=Forget.GATE, write=Write.TIED, candidate=Candidate.TANH, read=Read.STATE, reset=True),
    CellName.TIED: Rules(forget=Forget.GATE, write=Write.TIED, candidate=Candidate.TANH, read=Read.GATED),
    CellName.METHYLATION: Rules(forget=Forget.GATE, write=Write.TIED, candidate=Candidate.SIGMOID, read=Read.STATE),
    CellName.EBBINGHAUS: Rules(forget=Forget.DECAY, write=Write.TIED, candidate=Candidate.INPUT, read=Read.STATE),
    CellName.VOLATILITY: Rules(forget=Forget.GATE, write=Write.TIED, candidate=Candidate.INPUT, read=Read.STATE),
    CellName.GARCH: Rules(forget=Forget.GATE, write=Write.GATE, candidate=Candidate.INPUT, read=Read.STATE),
}
