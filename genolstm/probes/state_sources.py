"""States of one model at the rows of every task: at points of a genome, over its windows, inside short sequences."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import Codes
from genolstm.probes.peak_edges import ForgetAtEdges
from genolstm.regions import Sites
from genolstm.states.sequences import states_in_sequences
from genolstm.states.sites import states_at
from genolstm.states.windows import Windows, contigs_read, pooled_states
from genolstm.stream.reader import GenomeReader
from genolstm.stream.seams import Seams

Half = NDArray[np.float16]


@dataclass(frozen=True, kw_only=True)
class ModelStates:
    """States of one model at the sites of a task, and how well its lanes' seams agreed.

    states : float16 [N, offsets, 2, D], or [N, D]; those of another program may be float32.   offsets : of the second
    axis; none of [N, D].
    """

    name: str
    states: NDArray[np.floating]
    offsets: tuple[int, ...] = ()
    seams: Mapping[str, float] = field(default_factory=dict)

    def together(self, offsets: Sequence[int]) -> NDArray[np.floating]:
        """States at these offsets side by side, [N, len(offsets) * 2 * D]; [N, D] as they are."""
        if not self.offsets:
            return self.states
        columns = [self.offsets.index(offset) for offset in offsets]
        return self.states[:, columns].reshape(len(self.states), -1)


# from a reader with one of the models, and that model's name, to its states of each task, from one pass
StateSource = Callable[[GenomeReader, str], Iterator[ModelStates]]
Beside = Callable[[str, GenomeReader], ForgetAtEdges | None]


def point_states(several: Sequence[Sites], offsets: tuple[int, ...], *, memories: bool) -> StateSource:
    """States [N, offsets, 2, D] at sites of a genome. several : those of each task.   memories : c beside h."""
    together, rows = merged(several)

    def states(reader: GenomeReader, name: str) -> Iterator[ModelStates]:
        seams = Seams()
        found = states_at(reader, together, offsets, memories=memories, seams=seams)
        for mine in rows:
            yield ModelStates(name=name, states=found[mine], offsets=offsets, seams=seams.to_json())

    return states


def window_states(windows: Windows, *, memories: bool, beside: Beside = lambda _, __: None) -> StateSource:
    """Pooled states [N, 2 * 2 * D] of windows of a genome, for one task.

    beside : from a model's name and its reader to the collector of its gates in the same pass, or None.
    """

    def states(reader: GenomeReader, name: str) -> Iterator[ModelStates]:
        seams, gates = Seams(), beside(name, reader)
        found = pooled_states(reader, windows, memories=memories, seams=seams, beside=gates.collect if gates else None)
        if gates:
            gates.gather_into(reader, contigs_read(reader.genome, windows))
        yield ModelStates(name=name, states=found, seams=seams.to_json())

    return states


def sequence_states(
    sequence: Callable[[int], Codes], rows: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]], *, memories: bool
) -> StateSource:
    """States [N, D] inside short sequences, each read forward from its first symbol.

    sequence : from a number to its codes.   rows : of each task, number of the sequence and place in it of the last
    symbol read, int64 [N] both.
    """
    owner, place = (np.concatenate(column) for column in zip(*rows, strict=True))
    reach = np.zeros(int(owner.max()) + 1, dtype=np.int64)
    np.maximum.at(reach, owner, place + 1)
    to_read, ends = int(reach.sum()), np.cumsum([len(number) for number, _ in rows])

    def states(reader: GenomeReader, name: str) -> Iterator[ModelStates]:
        found = states_in_sequences(
            reader.model,
            sequence,
            owner,
            place,
            memories=memories,
            on_progress=lambda read: reader.report(read, to_read),
        )
        for mine in np.split(found, ends[:-1]):
            yield ModelStates(name=name, states=mine)

    return states


def merged(several: Sequence[Sites]) -> tuple[Sites, list[NDArray[np.int64]]]:
    """Several lists of sites in one, sorted; and the rows of each list in it."""
    names = ("contig", "position", "strand", "label", "part", "block")
    columns = {name: np.concatenate([getattr(sites, name) for sites in several]) for name in names}
    order = np.lexsort((columns["strand"], columns["position"], columns["contig"]))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    ends = np.cumsum([len(sites) for sites in several])
    sites = Sites(contigs=several[0].contigs, **{name: column[order] for name, column in columns.items()})
    return sites, np.split(place, ends[:-1])
