"""States of one model at the rows of every task: at points of a genome, over its windows, inside short sequences."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import Codes
from genolstm.model import NextSymbolModel
from genolstm.regions import Sites, Stretches
from genolstm.states.sequences import states_in_sequences
from genolstm.states.sites import states_at
from genolstm.states.windows import Windows, contigs_read, pooled_states
from genolstm.stream.blocks import Block
from genolstm.stream.reader import GenomeReader
from genolstm.stream.seams import Seams

Progress = Callable[[float, int], None]
Half = NDArray[np.float16]


@dataclass(frozen=True, kw_only=True)
class ModelStates:
    """States of one model at the sites of a task, and how well its lanes' seams agreed.

    states : float16 [N, offsets, 2, D], or [N, D].   offsets : what the second axis stands for; none of [N, D].
    """

    name: str
    states: Half
    offsets: tuple[int, ...] = ()
    seams: Mapping[str, float] = field(default_factory=dict)

    def together(self, offsets: Sequence[int]) -> Half:
        """States at these offsets side by side, [N, len(offsets) * 2 * D]; [N, D] as they are."""
        if not self.offsets:
            return self.states
        columns = [self.offsets.index(offset) for offset in offsets]
        return self.states[:, columns].reshape(len(self.states), -1)


class StateSource(Protocol):
    """Where the states of some tasks are read.

    what : is read, for the log.   model : the trained one.   is_main_process : whether this process gets what all read.
    on_progress : called with the fraction done and the symbols read.
    """

    @property
    def what(self) -> str: ...  # noqa: D102
    @property
    def model(self) -> NextSymbolModel: ...  # noqa: D102
    @property
    def is_main_process(self) -> bool: ...  # noqa: D102
    @property
    def on_progress(self) -> Progress | None: ...  # noqa: D102

    def states(self, model: NextSymbolModel, name: str, on_progress: Progress | None) -> Iterator[ModelStates]:
        """States of a model, of each task in their order. name : of the model."""
        ...


@dataclass(frozen=True)
class _OfGenome:
    """What is the same for points and windows. memories : c is read beside h."""

    reader: GenomeReader
    memories: bool

    @property
    def what(self) -> str:
        """For the log."""
        return "the genome"

    @property
    def model(self) -> NextSymbolModel:
        """The trained model."""
        return self.reader.model

    @property
    def is_main_process(self) -> bool:
        """Whether this process gets what all read."""
        return self.reader.ranks.is_main_process

    @property
    def on_progress(self) -> Progress | None:
        """Of all models."""
        return self.reader.on_progress


@dataclass(frozen=True)
class PointStates(_OfGenome):
    """States at sites of a genome, those of all tasks from one pass. sites : of each task."""

    sites: tuple[Sites, ...]
    offsets: tuple[int, ...]

    def states(self, model: NextSymbolModel, name: str, on_progress: Progress | None) -> Iterator[ModelStates]:
        """States [N, offsets, 2, D] at the sites of each task."""
        together, rows = merged(self.sites)
        reader, seams = replace(self.reader, model=model, on_progress=on_progress), Seams()
        states = states_at(reader, together, self.offsets, memories=self.memories, seams=seams)
        for mine in rows:
            yield ModelStates(name=name, states=states[mine], offsets=self.offsets, seams=seams.to_json())


class Beside(Protocol):
    """Whoever wants to see more of a pass along a genome."""

    def look(self, block: Block) -> None:
        """Take what is wanted from a block."""

    def gather_into(self, reader: GenomeReader, stretches: Stretches) -> None:
        """Add in the main process what the others saw. stretches : what all have read."""


@dataclass(frozen=True)
class WindowStates(_OfGenome):
    """Pooled states of windows of a genome, for one task.

    beside : from the model's name and its reader to whoever wants to see more of the pass, or None.
    """

    windows: Windows
    beside: Callable[[str, GenomeReader], Beside | None] = lambda _name, _reader: None

    def states(self, model: NextSymbolModel, name: str, on_progress: Progress | None) -> Iterator[ModelStates]:
        """States [N, 2 * 2 * D] of the windows."""
        reader, seams = replace(self.reader, model=model, on_progress=on_progress), Seams()
        other = self.beside(name, reader)
        states = pooled_states(
            reader, self.windows, memories=self.memories, seams=seams, beside=other.look if other else None
        )
        if other:
            other.gather_into(reader, contigs_read(reader.genome, self.windows))
        yield ModelStates(name=name, states=states, seams=seams.to_json())


@dataclass(frozen=True, kw_only=True)
class SequenceStates:
    """States inside short sequences, each read forward from its first symbol.

    sequence : from a number to its codes.   rows : of each task, number of the sequence and place in it of the last
    symbol read, int64 [N] both.
    """

    model: NextSymbolModel
    sequence: Callable[[int], Codes]
    rows: tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]
    memories: bool
    on_progress: Progress | None = None
    is_main_process: bool = True

    @property
    def to_read(self) -> int:
        """Symbols up to the last place wanted of each sequence."""
        owner, place = (np.concatenate(column) for column in zip(*self.rows, strict=True))
        reach = np.zeros(int(owner.max()) + 1, dtype=np.int64)
        np.maximum.at(reach, owner, place + 1)
        return int(reach.sum())

    @property
    def what(self) -> str:
        """For the log."""
        return f"{self.to_read:,} symbols"

    def states(self, model: NextSymbolModel, name: str, on_progress: Progress | None) -> Iterator[ModelStates]:
        """States [N, D] at the places of each task."""
        owner, place = (np.concatenate(column) for column in zip(*self.rows, strict=True))
        to_read = self.to_read

        def report(read: int) -> None:
            if on_progress:
                on_progress(read / to_read, read)

        states = states_in_sequences(model, self.sequence, owner, place, memories=self.memories, told=report)
        ends = np.cumsum([len(owner) for owner, _ in self.rows])
        for mine in np.split(states, ends[:-1]):
            yield ModelStates(name=name, states=mine)


def merged(several: Sequence[Sites]) -> tuple[Sites, list[NDArray[np.int64]]]:
    """Put several lists of sites into one, sorted; and give where each one's rows went."""
    names = ("contig", "position", "strand", "label", "part", "block")
    columns = {name: np.concatenate([getattr(sites, name) for sites in several]) for name in names}
    order = np.lexsort((columns["strand"], columns["position"], columns["contig"]))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    ends = np.cumsum([len(sites) for sites in several])
    sites = Sites(contigs=several[0].contigs, **{name: column[order] for name, column in columns.items()})
    return sites, np.split(place, ends[:-1])
