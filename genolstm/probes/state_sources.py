"""States of one model at the rows of every task: at points of a genome, over its windows, inside short sequences."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryFile, gettempdir

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import Codes
from genolstm.probes.components import StateBlocks
from genolstm.probes.peak_edges import ForgetAtEdges
from genolstm.regions import Sites
from genolstm.settings.site_reading import SiteReading, blocks_of
from genolstm.states.sequences import states_in_sequences
from genolstm.states.sites import blocks_at
from genolstm.states.windows import Windows, contigs_read, pooled_states
from genolstm.stream.reader import GenomeReader
from genolstm.stream.seams import Seams

log = logging.getLogger(__name__)

Half = NDArray[np.float16]

STATES_IN_MEMORY = 1 << 30  # bytes; more are kept on disk


@dataclass(frozen=True, kw_only=True)
class ModelStates:
    """States of one model at the sites of a task, and how well its lanes' seams agreed.

    states : features as they are, float16 [N, F], of another program float32 too; of points the blocks of `reading`,
    [blocks, M, D].   rows : int64 [N], of the task's sites among M.
    """

    name: str
    states: NDArray[np.floating]
    reading: SiteReading | None = None
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    seams: Mapping[str, float] = field(default_factory=dict)

    def blocks(self, reading: SiteReading) -> StateBlocks | None:
        """Blocks of what is read together at points, out of all that was read; None of features as they are."""
        if self.reading is None:
            return None
        return StateBlocks(self.states, blocks_of(reading, self.reading), self.rows)


# from a reader with one of the models, and that model's name, to its states of each task, from one pass
StateSource = Callable[[GenomeReader, str], Iterator[ModelStates]]
Beside = Callable[[str, GenomeReader], ForgetAtEdges | None]


def point_states(several: Sequence[Sites], reading: SiteReading, *, memories: bool) -> StateSource:
    """Blocks of states at sites of a genome. several : those of each task.   memories : c beside h.

    Many states are kept in a file without a name in the folder of temporary files, as much as `log` says.
    """
    together, rows = merged(several)

    def states(reader: GenomeReader, name: str) -> Iterator[ModelStates]:
        seams = Seams()
        shape = (reading.n_blocks, len(together), reader.state_width(memories=memories))
        with states_kept(shape) as kept:
            found = blocks_at(reader, together, reading, memories=memories, seams=seams, into=kept)
            for mine in rows:
                yield ModelStates(name=name, states=found, reading=reading, rows=mine, seams=seams.to_json())

    return states


@contextmanager
def states_kept(shape: tuple[int, ...]) -> Iterator[Half]:
    """Room for states, float16 of a shape and all 0: memory, or where they are many a file that has no name."""
    if 2 * math.prod(shape) <= STATES_IN_MEMORY:
        yield np.zeros(shape, dtype=np.float16)
        return
    with TemporaryFile() as file:
        log.info("%.1f GB of states are kept in %s while they are read", 2 * math.prod(shape) / 1e9, gettempdir())
        yield np.memmap(file, dtype=np.float16, mode="w+", shape=shape)


def window_states(
    windows: Windows, *, memories: bool, ends: bool = False, beside: Beside = lambda _, __: None
) -> StateSource:
    """Pooled states [N, 2 * 2 * D] of windows of a genome, for one task; with ends [N, 2 * 4 * D].

    beside : from a model's name and its reader to the collector of its gates in the same pass, or None.
    """

    def states(reader: GenomeReader, name: str) -> Iterator[ModelStates]:
        seams, gates = Seams(), beside(name, reader)
        collect = gates.collect if gates else None
        found = pooled_states(reader, windows, memories=memories, ends=ends, seams=seams, beside=collect)
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
