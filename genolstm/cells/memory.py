"""The one recurrence, readable: ``c = f*c + i*g ; h = read(c)`` for every row of the family."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from genolstm.cells.rules import Candidate, Forget, Read, Rules, Write

NOTHING_HELD: Mapping[str, float] = {}


class State(NamedTuple):
    """What a layer, or a stack of layers, carries from chunk to chunk.

    hidden, memory : [B, H] for one layer, [layers, B, H] for a stack; the same tensor where the cell shows its memory.
    """

    hidden: Tensor
    memory: Tensor


class Gates(NamedTuple):
    """The factors of one step or of many: each [..., H]. `read` is None where the cell shows its memory."""

    forget: Tensor
    write: Tensor
    candidate: Tensor
    read: Tensor | None


def remember(memory: Tensor, gates: Gates, rules: Rules) -> Tensor:
    """The memory after one step, c' = f*c + i*g; all [..., H].

    A tied cell moves by `lerp`, g + f (c - g): the result lies between c and g with no clamp, and a fixed point
    stays fixed.
    """
    if rules.write is Write.TIED:
        return torch.lerp(gates.candidate, memory, gates.forget)
    return gates.forget * memory + gates.write * gates.candidate


def hold(gates: Gates, held: Mapping[str, float], rules: Rules) -> Gates:
    """Gates held at a constant, whatever the inputs; the same gates where nothing is held.

    held : 'forget', 'write' or 'read' -> value, 0 to 1. Holding 'forget' of a tied cell moves its write gate too.
    Raises ValueError for a gate that the cell does not have on its own.
    """
    if not held:
        return gates
    if held.keys() - {"forget", "write", "read"} or (rules.write is Write.TIED and "write" in held):
        raise ValueError(f"this cell has no such gate to hold: {sorted(held)}")
    if gates.read is None and "read" in held:
        raise ValueError("this cell has no read gate to hold")
    constant = {name: torch.full_like(gates.forget, value) for name, value in held.items()}
    if rules.write is Write.TIED and "forget" in held:
        constant["write"] = 1 - constant["forget"]
    return gates._replace(**constant)


def show(memory: Tensor, gates: Gates) -> Tensor:
    """What the cell shows of its memory [..., H]."""
    return memory if gates.read is None else gates.read * torch.tanh(memory)


class MemoryCell(nn.Module):
    """One layer of any cell of the family, stepped in Python: the reference that the fused path is tested against.

    n_in : input width; a cell whose candidate is its input reads the first n_units inputs as the candidate and may
    have more, which then only steer its gates. Weights have torch.nn's names, shapes and gate order, without the
    layer suffix.
    """

    def __init__(self, n_in: int, n_units: int, rules: Rules) -> None:
        super().__init__()
        if rules.candidate is Candidate.INPUT and n_in < n_units:
            raise ValueError(f"a cell that stores its input needs {n_units} inputs at least, not {n_in}")
        self.n_in, self.n_units, self.rules = n_in, n_units, rules
        rows = len(rules.projections) * n_units
        if rows:
            self.weight_ih = nn.Parameter(torch.zeros(rows, n_in))
            self.weight_hh = nn.Parameter(torch.zeros(rows, n_units))
            self.bias_ih = nn.Parameter(torch.zeros(rows))
            self.bias_hh = nn.Parameter(torch.zeros(rows))
        if rules.forget is Forget.DECAY:
            self.log_tau = nn.Parameter(torch.zeros(n_units))  # steps; exp keeps tau above 0 with no clamp

    def initialise(self, generator: torch.Generator) -> None:
        """Draw weights and biases uniformly from +-1/sqrt(n_units), as torch.nn does; tau from 1 to 100 steps."""
        bound = 1 / math.sqrt(self.n_units)
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if name == "log_tau":
                    weight.uniform_(0, math.log(100), generator=generator)
                else:
                    weight.uniform_(-bound, bound, generator=generator)

    def initial_state(self, lanes: int) -> State:
        """The empty state of `lanes` sequences: zeros [B, H]."""
        like = next(self.parameters())
        empty = torch.zeros(lanes, self.n_units, dtype=like.dtype, device=like.device)
        return State(hidden=empty, memory=empty)

    def gates(self, inputs: Tensor, hidden: Tensor, time_steps: Tensor | None = None) -> Gates:
        """All factors from the inputs and the hidden state before them, at one step or at many at once.

        inputs : [..., n_in].   hidden : [..., H], the state before the input.   time_steps : [...], length of each
        step.
        """
        if not self.rules.projections:
            return self._gates_of({}, {}, inputs, time_steps)
        return self._step_gates(self._from_input(inputs), inputs, hidden, time_steps)

    def _from_input(self, inputs: Tensor) -> Tensor:
        # under autocast the product is bf16 or fp16; what is remembered keeps the inputs' precision
        return nn.functional.linear(inputs, self.weight_ih, self.bias_ih).to(inputs.dtype)  # [..., gates*H]

    def _step_gates(self, from_input: Tensor, inputs: Tensor, hidden: Tensor, time_steps: Tensor | None) -> Gates:
        names = self.rules.projections
        from_hidden = nn.functional.linear(hidden, self.weight_hh, self.bias_hh).to(hidden.dtype)  # [..., gates*H]
        return self._gates_of(
            dict(zip(names, from_input.chunk(len(names), dim=-1), strict=True)),
            dict(zip(names, from_hidden.chunk(len(names), dim=-1), strict=True)),
            inputs,
            time_steps,
        )

    def _gates_of(
        self, from_input: dict[str, Tensor], from_hidden: dict[str, Tensor], inputs: Tensor, time_steps: Tensor | None
    ) -> Gates:
        """Apply the row of the table to the two halves of each pre-activation, each [..., H]."""
        rules = self.rules

        def open_share(name: str) -> Tensor:
            return torch.sigmoid(from_input[name] + from_hidden[name])

        forget = self._forget(from_input, from_hidden, inputs, time_steps)
        if rules.candidate is Candidate.INPUT:
            candidate = inputs[..., : self.n_units]
        else:
            recurrent = from_hidden["candidate"]
            scaled = open_share("reset") * recurrent if rules.reset else recurrent
            squash = torch.tanh if rules.candidate is Candidate.TANH else torch.sigmoid
            candidate = squash(from_input["candidate"] + scaled)
        write = {Write.ONE: lambda: torch.ones_like(forget), Write.GATE: lambda: open_share("write")}.get(
            rules.write, lambda: 1 - forget
        )()
        return Gates(forget, write, candidate, open_share("read") if rules.read is Read.GATED else None)

    def _forget(
        self, from_input: dict[str, Tensor], from_hidden: dict[str, Tensor], inputs: Tensor, time_steps: Tensor | None
    ) -> Tensor:
        """Forget factor [..., H] of steps of any length dt: f**dt, that is exp(-k dt) with k = -ln f."""
        if time_steps is not None and self.rules.write is not Write.TIED:
            raise ValueError("time steps of any length need a tied cell: only there is f**dt the same process")
        if self.rules.forget is Forget.ZERO:
            return inputs.new_zeros(*inputs.shape[:-1], self.n_units)
        if self.rules.forget is Forget.DECAY:
            rate = torch.exp(-self.log_tau)  # per step
            steps = inputs.new_ones(inputs.shape[:-1]) if time_steps is None else time_steps
            return torch.exp(-rate * steps.unsqueeze(-1))
        pre_activation = from_input["forget"] + from_hidden["forget"]
        if time_steps is None:
            return torch.sigmoid(pre_activation)
        return torch.exp(nn.functional.logsigmoid(pre_activation) * time_steps.unsqueeze(-1))

    def forward(
        self,
        inputs: Tensor,
        state: State | None = None,
        time_steps: Tensor | None = None,
        *,
        held: Mapping[str, float] = NOTHING_HELD,
    ) -> tuple[Tensor, State]:
        """Read a sequence.

        inputs : [B, T, n_in].   state : carried from the symbols before, or None at the start.
        time_steps : [B, T], length of each step in any unit, or None for steps of 1.   held : gates put to a constant,
        see `hold`.
        Returns hidden [B, T, H] after each input, and the state after the last.
        """
        hidden, memory = self.initial_state(len(inputs)) if state is None else state
        rules = self.rules
        projected = self._from_input(inputs) if rules.projections else None  # [B, T, gates*H]
        shown: list[Tensor] = []
        for step in range(inputs.shape[1]):
            duration = None if time_steps is None else time_steps[:, step]
            if projected is None:
                gates = self._gates_of({}, {}, inputs[:, step], duration)
            else:
                gates = self._step_gates(projected[:, step], inputs[:, step], hidden, duration)
            gates = hold(gates, held, rules)
            memory = remember(memory, gates, rules)
            hidden = show(memory, gates)
            shown.append(hidden)
        return torch.stack(shown, dim=1), State(hidden=hidden, memory=memory)
